//! Ends of the process that generated code asks for, where these end a guarded call instead.
//!
//! Owns the C library's functions for that, as far as they are called by name. One that raises SIGABRT,
//! as `abort` does, is met by the handler of that signal.

use std::ffi::c_int;

use crate::faults;

type Exit = unsafe extern "C-unwind" fn(c_int) -> !;

/// The names and their functions.
pub(crate) fn functions() -> [(&'static str, u64); 4] {
    let functions: [(&'static str, Exit); 4] =
        [("exit", exit), ("_exit", exit_at_once), ("_Exit", exit_at_once), ("quick_exit", quick_exit)];
    functions.map(|(name, function)| (name, function as *const () as u64))
}

unsafe extern "C" {
    #[link_name = "quick_exit"]
    fn libc_quick_exit(status: c_int) -> !;
}

unsafe extern "C-unwind" fn exit(status: c_int) -> ! {
    // SAFETY: this frame has nothing to drop, and generated code bears it by the contract of guarded
    // calls. Otherwise the process's own.
    unsafe {
        faults::exit(status);
        libc::exit(status)
    }
}

unsafe extern "C-unwind" fn exit_at_once(status: c_int) -> ! {
    // SAFETY: as in `exit`.
    unsafe {
        faults::exit(status);
        libc::_exit(status)
    }
}

unsafe extern "C-unwind" fn quick_exit(status: c_int) -> ! {
    // SAFETY: as in `exit`.
    unsafe {
        faults::exit(status);
        libc_quick_exit(status)
    }
}
