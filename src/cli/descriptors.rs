//! Open files of ours in the program's process.
//!
//! Owns under which numbers they are: a program gets the lowest that are free, and some close
//! whatever they find from 3 on and go on to use those numbers. Ours are far above, so that
//! what we write is never written to a file of the program's. Does not know what they are for.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, getrlimit};

/// Where they begin.
const HIGH: u64 = 512;

/// The same file under such a number.
pub fn out_of_the_way(file: impl AsFd) -> std::io::Result<OwnedFd> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(HIGH * 2);
    let lowest = HIGH.min(limit.saturating_sub(64)).max(3);
    Ok(fcntl_dupfd_cloexec(file, i32::try_from(lowest).unwrap_or(3))?)
}
