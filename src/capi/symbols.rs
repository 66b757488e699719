//! Names for C: those of modules looked up, those of the host defined, libraries opened.
#![allow(unsafe_code)] // exports functions

use std::ffi::{c_char, c_void};
use std::path::PathBuf;

use super::boundary::{Result, list, object, path, run, run_for, text, text_or_none};
use super::error::{HotslotCode, HotslotError};
use super::runtime::HotslotRuntime;

/// A function of any type: cast it to its own before it is called.
pub type HotslotFn = Option<unsafe extern "C" fn()>;

/// The address of a function as generated code sees it: its stub, which stays the same over every
/// replacement and leads to the newest version. NULL where there is none.
///
/// `type` is the function's LLVM type, as in `"i64 (ptr, i32)"`, or NULL. If it is given, and the
/// function came as IR or bitcode, it is compared with the function's own. Nothing keeps a later
/// update from giving the function another type: callers in the host have to know.
///
/// Fails with `HOTSLOT_CODE_RESOLVE` for an unknown name, with `HOTSLOT_CODE_SIGNATURE` for another
/// type and for a variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_function(
    runtime: Option<&HotslotRuntime>,
    name: *const c_char,
    r#type: *const c_char,
    error: *mut *mut HotslotError,
) -> HotslotFn {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        let address = run_for(error, || {
            let runtime = &object(runtime, "runtime")?.runtime;
            let (name, wanted) = (text(name, "name")?, text_or_none(r#type, "type")?);
            Ok(runtime.function_address(name, wanted)?)
        });
        address.ok().and_then(|address| as_function(address))
    }
}

/// A stub as C takes it.
///
/// # Safety
/// It is null, or code; it is called as what it is by whoever casts it back.
pub unsafe fn as_function(stub: *const c_void) -> HotslotFn {
    // SAFETY: by the contract above; null is `None`.
    unsafe { std::mem::transmute::<*const c_void, HotslotFn>(stub) }
}

/// The address of a variable: its storage. NULL where there is none. An update that gives the
/// variable another storage is told of in its report.
///
/// Fails with `HOTSLOT_CODE_RESOLVE` for an unknown name and a thread-local variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_data(
    runtime: Option<&HotslotRuntime>,
    name: *const c_char,
    error: *mut *mut HotslotError,
) -> *mut c_void {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        let address = run_for(error, || {
            let runtime = &object(runtime, "runtime")?.runtime;
            Ok(runtime.data_address(text(name, "name")?)?)
        });
        address.map_or(std::ptr::null_mut(), |address| address.cast_mut())
    }
}

/// Defines a function of the host under `name`, for modules to call. To define it again redirects
/// every caller. It has to be of the type that modules declare it with, and stay for as long as
/// the runtime or until it is defined again. `type` is its LLVM type, as in `"i64 (ptr, i32)"`, or
/// NULL: if it is given, modules that take it for another one are refused.
///
/// Names that the host's program exports need not be defined: they are found. An executable
/// exports its functions if it is linked with `-rdynamic`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_define_function(
    runtime: Option<&HotslotRuntime>,
    name: *const c_char,
    r#type: *const c_char,
    function: HotslotFn,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            let runtime = &object(runtime, "runtime")?.runtime;
            let function = object(function, "function")? as *const c_void;
            let name = text(name, "name")?;
            match text_or_none(r#type, "type")? {
                Some(is) => Ok(runtime.define_function_as(name, is, function)?),
                None => Ok(runtime.define_function(name, function)?),
            }
        })
    }
}

/// Defines a variable of the host under `name`, for modules to use. It has to stay for as long as
/// the runtime.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_define_data(
    runtime: Option<&HotslotRuntime>,
    name: *const c_char,
    data: *mut c_void,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            let runtime = &object(runtime, "runtime")?.runtime;
            object((!data.is_null()).then_some(()), "data")?;
            Ok(runtime.define_data(text(name, "name")?, data)?)
        })
    }
}

/// Opens a shared library, whose symbols modules can then use. Its constructors run before this
/// returns. It stays open for as long as the runtime.
///
/// Fails with `HOTSLOT_CODE_READ` where the dynamic linker refuses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_open_library(
    runtime: Option<&HotslotRuntime>,
    path: *const c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            let runtime = &object(runtime, "runtime")?.runtime;
            Ok(runtime.open_library(self::path(path, "path")?)?)
        })
    }
}

/// Finds and opens a library as a linker does for `-l name`: in `count` `directories`, then in the
/// system's. Of a static one those members are loaded as modules that something loaded so far
/// needs.
///
/// Fails with `HOTSLOT_CODE_RESOLVE` where there is none, and as opening and loading it do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_find_library(
    runtime: Option<&HotslotRuntime>,
    name: *const c_char,
    directories: *const *const c_char,
    count: usize,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            let runtime = &object(runtime, "runtime")?.runtime;
            let directories = paths(directories, count)?;
            Ok(runtime.find_library(text(name, "name")?, &directories)?)
        })
    }
}

/// Directories as C gives them.
///
/// # Safety
/// As [`list`].
pub unsafe fn paths(directories: *const *const c_char, count: usize) -> Result<Vec<PathBuf>> {
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: by the contract above.
    let directories = unsafe { list(directories, count, "directories")? };
    Ok(directories.into_iter().map(|bytes| std::ffi::OsStr::from_bytes(bytes).into()).collect())
}
