//! Runtimes for C: their beginning and end, and updates of one module.
//!
//! Updates of several are in `update.rs`.
#![allow(unsafe_code)] // exports functions

use std::ffi::c_char;
use std::time::Duration;

use super::boundary::{Result, c_string, object, put, put_string, record, run, run_or, text};
use super::error::{HotslotCode, HotslotError};
use super::options::{HotslotOptions, builder};
use super::reports;
use super::source::{HotslotSource, source};
use crate::compile::llvm_version;
use crate::runtime::{Report, Runtime};

/// The version of this interface that the library has: `HOTSLOT_API_VERSION` of its header. A
/// library that has a higher one than the header fits as well.
pub const HOTSLOT_API_VERSION: u32 = 1;

/// A runtime: modules of generated code that call each other through one table. Any thread may use
/// it, and several at once.
pub struct HotslotRuntime {
    pub runtime: Runtime,
}

/// The version of the interface that the library has, see `HOTSLOT_API_VERSION`.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_api_version() -> u32 {
    HOTSLOT_API_VERSION
}

/// The version of hotslot, as in `0.1.0`. It is not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The version of LLVM that is used, as in `19.1.7`; to be freed with `hotslot_string_free`. IR and
/// bitcode of a newer one may not be understood.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_llvm_version() -> *mut c_char {
    run_or(std::ptr::null_mut(), || {
        let (major, minor, patch) = llvm_version();
        c_string(&format!("{major}.{minor}.{patch}")).into_raw()
    })
}

/// Makes a runtime, which is stored in `*runtime`; NULL is stored where that fails. `options` may
/// be NULL, for the defaults. Free it with `hotslot_runtime_free`.
///
/// Fails with `HOTSLOT_CODE_HOST` on a processor other than x86-64, and with
/// `HOTSLOT_CODE_MEMORY` where the kernel refuses the reservation or lacks a feature.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_runtime_new(
    options: *const HotslotOptions,
    runtime: *mut *mut HotslotRuntime,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(runtime, std::ptr::null_mut());
        run(error, || {
            object((!runtime.is_null()).then_some(()), "runtime")?;
            let made = builder(&record(options)?)?.build()?;
            runtime.write(Box::into_raw(Box::new(HotslotRuntime { runtime: made })));
            Ok(())
        })
    }
}

/// Frees a runtime: destructors and exit handlers of its code run, and its memory is returned. No
/// thread may be in its code or use an address of it any more. Updates, prepared updates and
/// hooks of the runtime keep it alive until they are freed too. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_runtime_free(runtime: Option<Box<HotslotRuntime>>) {
    run_or((), || drop(runtime));
}

/// Makes an update, and hands out its report.
unsafe fn change(
    runtime: Option<&HotslotRuntime>,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
    make: impl FnOnce(&Runtime) -> Result<Option<Report>>,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(report, std::ptr::null_mut());
        run(error, || {
            if let Some(done) = make(&object(runtime, "runtime")?.runtime)? {
                put_string(report, || reports::report(&done).to_string());
            }
            Ok(())
        })
    }
}

/// Loads a module: an update of one. An archive becomes one module a member, named
/// `module(member)`. `report` may be NULL; otherwise it gets what was done, as JSON, to be freed
/// with `hotslot_string_free`.
///
/// Fails as `hotslot_update_commit` does; then nothing has changed, and `*report` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_load(
    runtime: Option<&HotslotRuntime>,
    module: *const c_char,
    source: *const HotslotSource,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        change(runtime, report, error, |runtime| {
            let (module, source) = (text(module, "module")?, self::source(source)?);
            Ok(Some(runtime.load(module, source)?))
        })
    }
}

/// Replaces a module: an update of one. Callers reach the new code with their next call; nobody is
/// stopped. Its variables keep their storage and value. For the rest as `hotslot_load`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_replace(
    runtime: Option<&HotslotRuntime>,
    module: *const c_char,
    source: *const HotslotSource,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        change(runtime, report, error, |runtime| {
            let (module, source) = (text(module, "module")?, self::source(source)?);
            Ok(Some(runtime.replace(module, source)?))
        })
    }
}

/// Removes a module: an update of one. A call of a function that nobody defines any more is an
/// error of the guarded call that it is in, and without one names the function and aborts. For
/// the rest as `hotslot_load`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_remove(
    runtime: Option<&HotslotRuntime>,
    module: *const c_char,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe { change(runtime, report, error, |runtime| Ok(Some(runtime.remove(text(module, "module")?)?))) }
}

/// Returns a module to a generation that is kept, see `hotslot_history`. Its variables keep their
/// value under the same rules as in a replacement. For the rest as `hotslot_load`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_rollback(
    runtime: Option<&HotslotRuntime>,
    module: *const c_char,
    generation: u64,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        change(runtime, report, error, |runtime| {
            Ok(Some(runtime.rollback(text(module, "module")?, generation)?))
        })
    }
}

/// Takes the last update back: its modules return to the generations before, in one step. Called
/// again it takes back the one before. `*report` is NULL if there is none. For the rest as
/// `hotslot_load`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_undo(
    runtime: Option<&HotslotRuntime>,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe { change(runtime, report, error, |runtime| Ok(runtime.undo()?)) }
}

/// The same after a guarded call has ended with `cause`, and only if the last update is what to
/// blame: it brought the function at fault, took away the one that was called, or brought the
/// call. `*report` is NULL if it is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_undo_cause(
    runtime: Option<&HotslotRuntime>,
    cause: Option<&HotslotError>,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        change(runtime, report, error, |runtime| match object(cause, "cause")?.cause() {
            Some(cause) => Ok(runtime.undo_cause(cause)?),
            None => Ok(None),
        })
    }
}

/// Waits until all functions that went live without optimisation have been optimised. Without
/// effect if `runtime` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_settle(runtime: Option<&HotslotRuntime>) {
    run_or((), || runtime.into_iter().for_each(|this| this.runtime.settle()));
}

/// Has no more functions optimised in the background from now on, and waits until that has come to
/// rest, `limit_ms` milliseconds at most. For the end of a process that does not free the runtime.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_stop_optimising(runtime: Option<&HotslotRuntime>, limit_ms: u64) {
    let limit = Duration::from_millis(limit_ms);
    run_or((), || runtime.into_iter().for_each(|this| this.runtime.stop_optimising(limit)));
}
