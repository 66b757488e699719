//! Guarded calls for C.
//!
//! What is contained and what is given up is the library's: see `Guarded`.
#![allow(unsafe_code)] // calls what C gives

use std::ffi::{c_char, c_void};
use std::time::{Duration, Instant};

use super::boundary::{Record, object, record, run_for, text};
use super::error::{HotslotCode, HotslotError};
use super::interrupt::HotslotInterrupt;
use super::runtime::HotslotRuntime;

/// The limits of a guarded call. Prepare it with `hotslot_init`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct HotslotCallOptions {
    /// Bytes of this record, from `hotslot_init`.
    pub size: usize,
    /// After how many milliseconds the call is ended; 0 is never.
    pub deadline_ms: u64,
    /// What ends the call from outside, or NULL. It has to stay for as long as the call.
    pub interrupt: *const HotslotInterrupt,
}

// SAFETY: a number and a pointer; `size` is the first field.
unsafe impl Record for HotslotCallOptions {
    const NAME: &'static str = "hotslot_call_options";
}

/// Calls `function` with `data`, and comes back with an error where generated code of `runtime`
/// cannot go on: a SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGTRAP that it causes, or a library that it
/// has called; a stack overflow of it; a call of a function that nothing defines; and where the
/// limits in `options`, which may be NULL, end the call.
///
/// `function` is generated code, or a function of the host that calls generated code and does
/// nothing else: between them the call may be left as by `longjmp`. No destructor runs then, no
/// lock is released. A fault of the host's own code is not contained. It must not be left by
/// `longjmp`. An exception passes through, unless `contain_aborts` of `hotslot_options` is on: then one
/// that nothing catches before is an error, too, as `abort` and `exit` are.
///
/// The first guarded call of a process takes the handlers of these signals; what is no fault of
/// generated code goes to those that there were.
///
/// Fails with `HOTSLOT_CODE_FAULT`, `HOTSLOT_CODE_INTERRUPTED`, `HOTSLOT_CODE_ABORTED` and
/// `HOTSLOT_CODE_GIVEN_UP`, and with `HOTSLOT_CODE_RESOLVE` for a function that nothing defines. What the code has done until then is done.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn hotslot_call_guarded(
    runtime: Option<&HotslotRuntime>,
    function: Option<unsafe extern "C-unwind" fn(data: *mut c_void)>,
    data: *mut c_void,
    options: *const HotslotCallOptions,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    let ready = unsafe {
        run_for(error, || {
            let runtime = &object(runtime, "runtime")?.runtime;
            let function = object(function, "function")?;
            let options = record(options)?;
            let due = match options.deadline_ms {
                0 => None,
                limit => Instant::now().checked_add(Duration::from_millis(limit)),
            };
            Ok((runtime, function, due, options.interrupt.as_ref()))
        })
    };
    let (runtime, function, due, interrupt) = match ready {
        Ok(ready) => ready,
        Err(code) => return code,
    };
    let handle = interrupt.map(HotslotInterrupt::handle);
    // Not where panics are caught: what the function throws is for whoever called this.
    // SAFETY: the caller's promise, as the header says.
    let ended = unsafe { runtime.guarded_call_with(function, data, due, handle) };
    let Err(failed) = ended else { return HotslotCode::Ok };
    // SAFETY: as above.
    let code = unsafe { run_for::<()>(error, || Err(failed.into())) };
    code.err().unwrap_or(HotslotCode::Ok)
}

/// Ends the innermost guarded call of `runtime` on this thread with `HOTSLOT_CODE_GIVEN_UP` and
/// `message`: for a function of the host that generated code has called, and that finds that there is
/// no going on. All frames in between are left as by `longjmp`. It comes back only where there is no
/// such call, and where an argument makes no sense.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn hotslot_give_up(
    runtime: Option<&HotslotRuntime>,
    message: *const c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    let ready =
        unsafe { run_for(error, || Ok((&object(runtime, "runtime")?.runtime, text(message, "message")?))) };
    match ready {
        // SAFETY: as above; nothing in this frame has to be dropped before it comes back.
        Ok((runtime, message)) => unsafe {
            let failed = runtime.give_up(message);
            run_for::<()>(error, || Err(failed.into())).err().unwrap_or(HotslotCode::GivenUp)
        },
        Err(code) => code,
    }
}
