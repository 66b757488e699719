//! A child process as the system sees it: how it ends, and its descriptors.
//!
//! Owns waiting for it and killing it, and nothing else, where the host reaps children of
//! its own; and what the child closes. Deliberately knows nothing of what it is for.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io::{Error as OsError, ErrorKind as OsErrorKind};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Where a child finds its pipe.
pub(super) const PIPE: c_int = 3;

/// A child that runs or waits to be waited for.
///
/// A host that waits for all its children may take ours too, and its number may then be
/// another process's. A descriptor of the process never is.
pub(super) struct Child {
    number: libc::pid_t,
    /// None where the kernel has no such descriptors, or no descriptor is left.
    process: Option<OwnedFd>,
}

impl Child {
    /// For a child just forked.
    pub(super) fn new(number: libc::pid_t) -> Self {
        // SAFETY: asks for a new descriptor, which is owned here.
        let process = unsafe {
            let descriptor = libc::syscall(libc::SYS_pidfd_open, number, 0);
            (descriptor >= 0).then(|| OwnedFd::from_raw_fd(descriptor as c_int))
        };
        Self { number, process }
    }

    #[cfg(test)]
    pub(super) fn number(&self) -> libc::pid_t {
        self.number
    }

    /// Ends the child; the end status as from [`Self::wait`].
    pub(super) fn kill(&self) -> Option<c_int> {
        if let Some(process) = &self.process {
            let (process, no_info) = (process.as_raw_fd(), std::ptr::null_mut::<libc::siginfo_t>());
            // SAFETY: our own descriptor of our own child; no information is passed on.
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process, libc::SIGKILL, no_info, 0) };
            return self.wait();
        }
        let mut status = 0;
        // SAFETY: `status` is valid for a write. Zero says that the child still runs, so that
        // the number is its own.
        match unsafe { libc::waitpid(self.number, &mut status, libc::WNOHANG) } {
            0 => {
                // SAFETY: as above.
                unsafe { libc::kill(self.number, libc::SIGKILL) };
                self.wait()
            }
            ended if ended == self.number => Some(status),
            _ => None,
        }
    }

    /// The end status; `None` if the host's own handling of children took it from us.
    pub(super) fn wait(&self) -> Option<c_int> {
        let mut process = self.process.as_ref();
        loop {
            let result = match process {
                Some(process) => wait_for_process(process),
                None => wait_for_number(self.number),
            };
            match result {
                Ok(status) => return Some(status),
                Err(error) if error.kind() == OsErrorKind::Interrupted => {}
                // Linux 5.3 has descriptors of processes but cannot wait for one.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) && process.is_some() => {
                    process = None;
                }
                Err(_) => return None,
            }
        }
    }
}

fn wait_for_process(process: &OwnedFd) -> Result<c_int, OsError> {
    // SAFETY: an open descriptor and room for the answer, which is all zeros if unused.
    unsafe {
        let mut info = std::mem::zeroed::<libc::siginfo_t>();
        let id = process.as_raw_fd() as libc::id_t;
        if libc::waitid(libc::P_PIDFD, id, &mut info, libc::WEXITED) != 0 {
            return Err(OsError::last_os_error());
        }
        // As `waitpid` would have put it.
        Ok(match info.si_code {
            libc::CLD_EXITED => info.si_status() << 8,
            _ => info.si_status(),
        })
    }
}

fn wait_for_number(number: libc::pid_t) -> Result<c_int, OsError> {
    let mut status = 0;
    // SAFETY: `status` is valid for a write.
    match unsafe { libc::waitpid(number, &mut status, 0) } {
        ended if ended == number => Ok(status),
        _ => Err(OsError::last_os_error()),
    }
}

/// Leaves the child its pipe, at [`PIPE`], and standard streams that lead nowhere. Nothing
/// that the host has open stays open: another process may wait for its end, and no word of
/// the child's may get into the host's files.
///
/// # Safety
/// In a process that owns all its descriptors.
pub(super) unsafe fn settle_descriptors(pipe: c_int) -> bool {
    // SAFETY: system calls with integers and a C string. The host may have used up its
    // descriptors: each new one is asked for when those before it are closed.
    unsafe {
        if pipe != PIPE && libc::dup2(pipe, PIPE) != PIPE {
            return false;
        }
        close_after(PIPE);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null < 0 || (0..=2).any(|stream| libc::dup2(null, stream) != stream) {
            return false;
        }
        if null > PIPE {
            libc::close(null);
        }
    }
    true
}

/// Closes every descriptor after `last`.
///
/// # Safety
/// As [`settle_descriptors`].
unsafe fn close_after(last: c_int) {
    /// Kernels that have to be told one by one have this many at most, by default.
    const MOST: u64 = 1 << 20;
    // SAFETY: system calls with integers, and room for a limit.
    unsafe {
        if libc::syscall(libc::SYS_close_range, last + 1, c_int::MAX, 0) == 0 {
            return;
        }
        let mut limit = libc::rlimit { rlim_cur: MOST, rlim_max: MOST };
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        // The host may have lowered its own limit after it opened some.
        for descriptor in last + 1..limit.rlim_max.min(MOST) as c_int {
            libc::close(descriptor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_told_from_another_process_with_its_number() {
        for with_descriptor in [true, false] {
            // SAFETY: the child waits, and ends without running anything else.
            let number = unsafe { libc::fork() };
            if number == 0 {
                // SAFETY: as above.
                unsafe {
                    libc::sleep(60);
                    libc::_exit(0)
                }
            }
            let mut child = Child::new(number);
            if !with_descriptor {
                child.process = None;
            }
            let status = child.kill().expect("nobody else waits for it");
            assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL, "{status}");
            // It is gone: whoever has the number now is neither killed nor waited for.
            assert_eq!(child.kill(), None);
            assert_eq!(child.wait(), None);
        }
    }
}
