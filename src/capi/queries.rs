//! What a runtime holds, asked by C.
//!
//! Owns the functions; the JSON is that of `inventory.rs`.
#![allow(unsafe_code)] // exports functions

use std::ffi::c_char;

use serde_json::Value;

use super::boundary::{Result, list, object, put, put_string, run, text};
use super::error::{HotslotCode, HotslotError};
use super::inventory;
use super::runtime::HotslotRuntime;
use crate::runtime::Runtime;

/// Hands out an answer.
pub unsafe fn answer(
    runtime: Option<&HotslotRuntime>,
    json: *mut *mut c_char,
    error: *mut *mut HotslotError,
    of: impl FnOnce(&Runtime) -> Result<Value>,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(json, std::ptr::null_mut());
        run(error, || {
            let value = of(&object(runtime, "runtime")?.runtime)?;
            put_string(json, || value.to_string());
            Ok(())
        })
    }
}

/// The modules loaded, in order of names, as a JSON list of objects: `name`, `generation`. `*json`
/// is to be freed with `hotslot_string_free`, here and below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_modules(
    runtime: Option<&HotslotRuntime>,
    json: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe { answer(runtime, json, error, |runtime| Ok(inventory::modules(runtime.modules()))) }
}

/// Every symbol that something defines and that a module could refer to, in order of names, as a
/// JSON list of objects: `name`, `kind` (`function`, `variable`, `thread_local`), `origin` (`module`,
/// `host`, `builtin`, `library`), `module` and `generation`, which may be null, `signature`, the type
/// of a function as LLVM prints it, as far as it is known, and `size`. Of libraries those are listed
/// that somebody has asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_symbols(
    runtime: Option<&HotslotRuntime>,
    json: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        answer(runtime, json, error, |runtime| Ok(runtime.symbols().iter().map(inventory::symbol).collect()))
    }
}

/// What modules get that refer to `name`, as such an object; `null`, as JSON, if nothing defines it, in
/// a library either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_symbol(
    runtime: Option<&HotslotRuntime>,
    name: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        answer(runtime, json, error, |runtime| {
            Ok(runtime.symbol(text(name, "name")?).as_ref().map_or(Value::Null, inventory::symbol))
        })
    }
}

/// Declarations of `count` names as text of LLVM IR, one a line: what a new module needs to use them.
/// Variables are declared as bytes.
///
/// Fails with `HOTSLOT_CODE_RESOLVE` for what nothing defines, with `HOTSLOT_CODE_SIGNATURE` for
/// functions whose types are not known, as those of libraries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_declarations(
    runtime: Option<&HotslotRuntime>,
    names: *const *const c_char,
    count: usize,
    ir: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(ir, std::ptr::null_mut());
        run(error, || {
            let runtime = &object(runtime, "runtime")?.runtime;
            let names = list(names, count, "names")?.into_iter().map(std::str::from_utf8);
            let names: std::result::Result<Vec<&str>, _> = names.collect();
            let names = names.map_err(|_| HotslotError::of_argument("a name is not UTF-8"))?;
            let text = runtime.declarations(names)?;
            put_string(ir, || text);
            Ok(())
        })
    }
}

/// The generations of a module that are in memory, oldest first, as a JSON list of objects:
/// `number`, `live`, `source_hash`, `bytes`, `report`.
///
/// Fails with `HOTSLOT_CODE_UPDATE` for an unknown module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_history(
    runtime: Option<&HotslotRuntime>,
    module: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        answer(runtime, json, error, |runtime| {
            Ok(inventory::history(&runtime.history(text(module, "module")?)?))
        })
    }
}

/// What the runtime holds and has done, as a JSON object of numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_stats(
    runtime: Option<&HotslotRuntime>,
    json: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe { answer(runtime, json, error, |runtime| Ok(inventory::stats(runtime.stats(), runtime.totals()))) }
}

/// Frees the replaced generations that no thread is in or will return to, as updates do by
/// themselves now and then. `json` may be NULL, or gets an object: `generations`, `bytes`,
/// `pending_bytes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_reclaim(
    runtime: Option<&HotslotRuntime>,
    json: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe { answer(runtime, json, error, |runtime| Ok(inventory::reclaimed(runtime.reclaim()))) }
}

/// The replaced generations that have not been freed, and what holds them, as a JSON list of
/// objects: `module`, `generation`, `bytes`, `holders`, `kept_because`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_pending(
    runtime: Option<&HotslotRuntime>,
    json: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe { answer(runtime, json, error, |runtime| Ok(inventory::pending(&runtime.pending()))) }
}
