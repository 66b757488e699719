//! Ctrl-C while an input is worked on.
//!
//! Owns the handler of SIGINT and the thread that it wakes: what ends calls and compilers may not
//! be done by a handler. Knows nothing of the prompt, where Ctrl-C is a key like others.
#![allow(unsafe_code)] // a handler of a signal

use std::ffi::c_int;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hotslot::Interrupt;

use crate::cli::cancel::Cancel;
use crate::cli::descriptors::out_of_the_way;
use crate::cli::failure::Failure;
use crate::cli::signals;

/// Where the handler writes to; -1 before there is one.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// How often Ctrl-C was pressed.
static COUNT: AtomicU64 = AtomicU64::new(0);

extern "C" fn pressed(_: c_int) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    // SAFETY: writes a byte of this function's to a pipe that is open for as long as the process is;
    // where it is full there is enough in it. The thread's errno is put back.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(WAKE.load(Ordering::Relaxed), [0u8].as_ptr().cast(), 1);
        *libc::__errno_location() = errno;
    }
}

/// How often Ctrl-C was pressed so far.
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Has Ctrl-C end what runs under these from now on.
pub fn install(interrupt: Interrupt, cancel: Arc<Mutex<Cancel>>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("Ctrl-C cannot be waited for: {error}"));
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let mut reader = std::io::PipeReader::from(out_of_the_way(reader).map_err(failed)?);
    let writer: OwnedFd = out_of_the_way(writer).map_err(failed)?;
    rustix::io::ioctl_fionbio(&writer, true).map_err(|error| failed(error.into()))?;
    WAKE.store(writer.as_raw_fd(), Ordering::Relaxed);
    // It is there for the handler, for good.
    std::mem::forget(writer);
    let work = move || {
        let mut byte = [0];
        while reader.read_exact(&mut byte).is_ok() {
            interrupt.interrupt();
            cancel.lock().unwrap_or_else(|error| error.into_inner()).cancel();
        }
    };
    let thread = std::thread::Builder::new().name("ctrl-c".to_owned());
    signals::while_blocked(|| thread.spawn(work)).map_err(failed)?;
    take();
    Ok(())
}

/// Handles the signal, whatever a program has said about it meanwhile.
pub fn take() {
    // SAFETY: zeroes are a valid value; the handler only writes to a pipe.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = pressed as extern "C" fn(c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut());
    }
}
