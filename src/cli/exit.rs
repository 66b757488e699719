//! The end of the program.
//!
//! Owns what of ours runs then, and when: before anything else, or after the program's own
//! handlers. A handler of `atexit` is too late for LLVM to come to rest: static variables in its
//! functions have destructors that are registered when such a function is first called, so that
//! they run before the handlers that were there by then. So the program's `exit` is ours.
#![allow(unsafe_code)] // registers C callbacks; is called by the program as `exit`

use std::ffi::{c_int, c_void};
use std::sync::{Mutex, OnceLock, PoisonError};

use hotslot::{Result, Runtime};

static FIRST: Mutex<Vec<extern "C" fn()>> = Mutex::new(Vec::new());

/// Has `handler` run when the program ends, before all handlers and destructors, and again among
/// them: a library that calls `exit` ends the program without ours.
pub fn first(handler: extern "C" fn()) {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner).push(handler);
    at_exit(handler);
}

/// Ends the process as libc's `exit` does, after the handlers that come first.
pub extern "C" fn exit(status: c_int) -> ! {
    // Who has the lock may be a thread that this process, a fork, does not have.
    let first = FIRST.try_lock().map(|first| first.clone()).unwrap_or_default();
    first.iter().rev().for_each(|handler| handler());
    // SAFETY: takes an integer. What the program does in its handlers is as natively.
    unsafe { libc::exit(status) }
}

/// Gives the program of `runtime` the `exit` of this file. Call before any of it is loaded.
pub fn define(runtime: &Runtime) -> Result<()> {
    // SAFETY: of the type that C code calls it by, and there for as long as the process is.
    unsafe { runtime.define_function("exit", exit as *const c_void) }
}

/// Has `handler` run when the calling thread ends by `pthread_exit`, and not when the process
/// ends. Says whether it will.
pub fn at_thread_exit(handler: extern "C" fn(*mut c_void)) -> bool {
    let mut key = 0;
    // SAFETY: makes a key that is never deleted, and gives it a value on this thread only; the
    // handler is called with that value, which points to nothing.
    unsafe {
        libc::pthread_key_create(&mut key, Some(handler)) == 0
            && libc::pthread_setspecific(key, std::ptr::dangling::<c_void>()) == 0
    }
}

/// Has `handler` run at the end of the process, by `exit` or `quick_exit`. As
/// handlers run in reverse order, one registered before the program starts runs
/// after all of the program's.
pub fn at_exit(handler: extern "C" fn()) {
    unsafe extern "C" {
        fn at_quick_exit(handler: extern "C" fn()) -> c_int;
    }
    // SAFETY: both only store the pointer, to a function that lives as long as the
    // process. When there is no room the handler is not run, which costs a table.
    unsafe {
        libc::atexit(handler);
        at_quick_exit(handler);
    }
}

/// Ends the process here and now: no handler and no destructor runs any more. Only for an
/// exit handler that cannot let the rest of them run.
pub fn leave(status: c_int) -> ! {
    // SAFETY: takes an integer and does not return.
    unsafe { libc::_exit(status) }
}

/// As [`at_exit`], and the handler is told the exit code where there is one: `quick_exit`
/// tells nobody.
pub fn at_exit_with_code(handler: fn(Option<c_int>)) {
    unsafe extern "C" {
        fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
        fn at_quick_exit(handler: extern "C" fn()) -> c_int;
    }
    static HANDLER: OnceLock<fn(Option<c_int>)> = OnceLock::new();
    extern "C" fn exits(code: c_int, _: *mut c_void) {
        HANDLER.get().inspect(|handler| handler(Some(code)));
    }
    extern "C" fn exits_quickly() {
        HANDLER.get().inspect(|handler| handler(None));
    }
    // There is one caller.
    let _ = HANDLER.set(handler);
    // SAFETY: both only store pointers to functions that live as long as the process.
    unsafe {
        on_exit(exits, std::ptr::null_mut());
        at_quick_exit(exits_quickly);
    }
}

/// Writes out what stdio holds back, so that our own output comes after it.
pub fn flush_stdio() {
    // SAFETY: a null stream means all of them; stdio does its own locking.
    unsafe {
        libc::fflush(std::ptr::null_mut());
    }
}

/// Has a descriptor closed when another program takes this process over.
pub fn close_on_exec(descriptor: i32) {
    // SAFETY: takes integers; a descriptor that is not open is an error that changes nothing.
    unsafe {
        libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
    }
}
