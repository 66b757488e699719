//! Children of fork, for tests of what one finds there.

/// Starts a child that does `child` and exits with what that returns.
pub fn fork(child: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: the child takes locks of the library and of the C library's memory only, and ends.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: ends this process, should it wait for ever.
            unsafe { libc::alarm(600) };
            let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(99);
            // SAFETY: ends the process.
            unsafe { libc::_exit(status) }
        }
        number => number,
    }
}

/// The exit status of a child, or the negative of the signal that ended it.
pub fn wait(child: libc::pid_t) -> i32 {
    let mut status = -1;
    // SAFETY: our child.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) }
}
