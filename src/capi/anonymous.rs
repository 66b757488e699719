//! Modules without a name for C: code that is run once.
//!
//! What they are is the library's [`Anonymous`].
#![allow(unsafe_code)] // exports functions

use std::ffi::{c_char, c_void};

use super::boundary::{object, put, put_string, run, run_for, run_or, text, text_or_none};
use super::error::{HotslotCode, HotslotError};
use super::reports;
use super::runtime::HotslotRuntime;
use super::source::{HotslotSource, source};
use super::symbols::{HotslotFn, as_function};
use crate::runtime::Anonymous;

/// A module that has no name: what it defines is visible to nobody else, and it is freed when nobody
/// can be in its code any more.
pub struct HotslotAnonymous {
    module: Anonymous,
}

/// Loads a module without a name, for code that is run once, as a line that was typed at a prompt:
/// stored in `*module`, NULL where that fails. What it defines is visible to nobody else; what it does
/// not define it finds as any module does. It is in no list of modules and no history, and
/// `hotslot_undo` knows nothing of it. `report` is as that of `hotslot_load`. End it with
/// `hotslot_anonymous_free` or `hotslot_anonymous_keep`.
///
/// Fails as `hotslot_update_commit` does, and with `HOTSLOT_CODE_UPDATE` for an archive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_anonymous_load(
    runtime: Option<&HotslotRuntime>,
    source: *const HotslotSource,
    module: *mut *mut HotslotAnonymous,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(module, std::ptr::null_mut());
        put(report, std::ptr::null_mut());
        run(error, || {
            object((!module.is_null()).then_some(()), "module")?;
            let runtime = &object(runtime, "runtime")?.runtime;
            let loaded = runtime.anonymous(self::source(source)?)?;
            put_string(report, || reports::report(loaded.report()).to_string());
            module.write(Box::into_raw(Box::new(HotslotAnonymous { module: loaded })));
            Ok(())
        })
    }
}

/// The address of a function of the module; for the rest as `hotslot_function`. It is valid until the
/// module is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_anonymous_function(
    module: Option<&HotslotAnonymous>,
    name: *const c_char,
    r#type: *const c_char,
    error: *mut *mut HotslotError,
) -> HotslotFn {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        let address = run_for(error, || {
            let module = &object(module, "module")?.module;
            Ok(module.function_address(text(name, "name")?, text_or_none(r#type, "type")?)?)
        });
        address.ok().and_then(|address| as_function(address))
    }
}

/// The address of a variable of the module; for the rest as `hotslot_data`. It is valid until the
/// module is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_anonymous_data(
    module: Option<&HotslotAnonymous>,
    name: *const c_char,
    error: *mut *mut HotslotError,
) -> *mut c_void {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        let address =
            run_for(error, || Ok(object(module, "module")?.module.data_address(text(name, "name")?)?));
        address.map_or(std::ptr::null_mut(), |address| address.cast_mut())
    }
}

/// Frees the object, and leaves the module loaded for as long as the runtime: somebody may have an
/// address of it on the heap, or in a variable of the host, where nobody looks for it. NULL is
/// ignored.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_anonymous_keep(module: Option<Box<HotslotAnonymous>>) {
    run_or((), || module.into_iter().for_each(|this| this.module.keep()));
}

/// Frees the object. The module's memory is freed once no thread is in its code, and no variable of a
/// module, register or stack holds an address of it. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_anonymous_free(module: Option<Box<HotslotAnonymous>>) {
    run_or((), || drop(module));
}
