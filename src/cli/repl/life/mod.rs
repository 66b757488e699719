//! A session that outlives its process.
//!
//! The code of a session runs in the session's own process, so that it can end that, or damage it
//! beyond use. [`supervisor`] starts the process, waits for its end and starts another;
//! [`journal`] has what the next one begins with; [`state`] is what the two know of each other
//! meanwhile.

pub mod journal;
pub mod state;
pub mod supervisor;

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// The files that the supervisor has left open for this process, by the text of its option: the
/// state's and the journal's. The process ends with its supervisor from now on.
///
/// # Safety
/// Called once, before this process opens files of its own.
#[allow(unsafe_code)]
pub unsafe fn join(option: &str) -> io::Result<(state::State, File)> {
    let senseless = || io::Error::other(format!("this is no supervisor's: {option}"));
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before.
    getppid().ok_or_else(senseless)?;
    let file = |number: &str| {
        let number = number.parse().ok().filter(|&number| number > 2).ok_or_else(senseless)?;
        // SAFETY: by the contract above nobody else has it; where there is none, the next call says so.
        let file = unsafe { OwnedFd::from_raw_fd(number) };
        fcntl_getfd(&file)?;
        fcntl_setfd(&file, FdFlags::CLOEXEC)?;
        Ok::<File, io::Error>(file.into())
    };
    let (state, journal) = option.split_once(',').ok_or_else(senseless)?;
    Ok((state::State::of(file(state)?), file(journal)?))
}
