//! The code of a module as C hands it in.
//!
//! Owns the record and how a host makes a source anew. What a source is, is the library's
//! [`Source`].
#![allow(unsafe_code)] // a record that C fills, functions that C gives

use std::ffi::{c_char, c_int, c_void};

use parking_lot::Mutex;

use super::boundary::{Record, Result, object, path, record, run, text, text_or_none};
use super::error::{HotslotCode, HotslotError};
use crate::compile::Source;
use crate::error::{Error, ErrorKind};

/// Bytes: by the first of them what it is; textual IR by its first line.
pub const HOTSLOT_SOURCE_DETECT: c_int = 0;
/// Bytes: textual LLVM IR.
pub const HOTSLOT_SOURCE_IR: c_int = 1;
/// Bytes: LLVM bitcode.
pub const HOTSLOT_SOURCE_BITCODE: c_int = 2;
/// Bytes: a relocatable ELF object.
pub const HOTSLOT_SOURCE_OBJECT: c_int = 3;
/// Bytes: a static archive, each member a module.
pub const HOTSLOT_SOURCE_ARCHIVE: c_int = 4;
/// The file that `path` names, which is read at once.
pub const HOTSLOT_SOURCE_FILE: c_int = 5;

/// A source that is being made anew; see `hotslot_rebuild_fn`.
pub struct HotslotRebuilt {
    result: Mutex<Option<crate::error::Result<Source>>>,
}

/// Makes a source anew, for when a function that it calls has changed its type. It is called on
/// the thread that makes the update, must not change the runtime, and returns after one call of
/// `hotslot_rebuilt_source` or `hotslot_rebuilt_failed` with `into`.
pub type HotslotRebuildFn = Option<unsafe extern "C" fn(context: *mut c_void, into: *const HotslotRebuilt)>;

/// The code of a module. Prepare it with `hotslot_init`. The bytes are copied; nothing in it has
/// to stay after the call but what `rebuild` uses.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct HotslotSource {
    /// Bytes of this record, from `hotslot_init`.
    pub size: usize,
    /// What it is: one of `HOTSLOT_SOURCE_...`.
    pub kind: c_int,
    /// Not 0: compile it in this process. IR and bitcode are compiled in a child process
    /// otherwise, because LLVM's readers may crash on damaged input, and take the host along.
    pub trusted: c_int,
    /// Not 0: load it only where something needs it, as a linker takes members of an archive.
    pub on_demand: c_int,
    /// The bytes.
    pub bytes: *const c_void,
    /// How many those are.
    pub length: usize,
    /// The file, if that is what it is.
    pub path: *const c_char,
    /// The file name to use in errors, or NULL.
    pub label: *const c_char,
    /// Makes it anew, or NULL: then a file is read again, and bytes are used again.
    pub rebuild: HotslotRebuildFn,
    /// What `rebuild` is called with. It has to be there for as long as the module and its past
    /// generations, and may be used by any thread.
    pub rebuild_context: *mut c_void,
}

// SAFETY: numbers, pointers and a function that may be null; `size` is the first field.
unsafe impl Record for HotslotSource {
    const NAME: &'static str = "hotslot_source";
}

/// The source that a record stands for.
///
/// # Safety
/// `given` is null or points to a record, whose pointers are as it says.
pub unsafe fn source(given: *const HotslotSource) -> Result<Source> {
    if given.is_null() {
        return Err(HotslotError::of_argument("source is NULL"));
    }
    // SAFETY: by the contract above, as for all that follow.
    let given = unsafe { record(given)? };
    let bytes = || {
        if given.bytes.is_null() {
            return Err(HotslotError::of_argument("source.bytes is NULL"));
        }
        // SAFETY: as above.
        Ok(unsafe { std::slice::from_raw_parts(given.bytes.cast::<u8>(), given.length) })
    };
    // SAFETY: as above.
    let label = unsafe { text_or_none(given.label, "source.label")? };
    let in_file = |error: Error| Box::<HotslotError>::from(error.in_file(label));
    let mut source = match given.kind {
        HOTSLOT_SOURCE_DETECT => Source::from_bytes(bytes()?).map_err(in_file)?,
        HOTSLOT_SOURCE_IR => Source::ir(bytes()?),
        HOTSLOT_SOURCE_BITCODE => Source::bitcode(bytes()?),
        HOTSLOT_SOURCE_OBJECT => Source::object(bytes()?),
        HOTSLOT_SOURCE_ARCHIVE => Source::archive(bytes()?),
        // SAFETY: as above.
        HOTSLOT_SOURCE_FILE => Source::from_path(unsafe { path(given.path, "source.path")? })?,
        other => {
            let message = format!("source.kind cannot be {other}");
            return Err(HotslotError::of_argument_with(message, "use a HOTSLOT_SOURCE_ constant"));
        }
    };
    if let Some(label) = label {
        source = source.label(label);
    }
    if given.trusted != 0 {
        source = source.trusted();
    }
    if given.on_demand != 0 {
        source = source.on_demand();
    }
    if let Some(rebuild) = given.rebuild {
        let context = Context(given.rebuild_context);
        source = source.rebuilt_by(move || call(rebuild, &context));
    }
    Ok(source)
}

/// What a host gives along with a function of its.
pub struct Context(pub *mut c_void);

// SAFETY: only passed on; that any thread may use it is in the contract of whoever gave it.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

fn call(
    rebuild: unsafe extern "C" fn(*mut c_void, *const HotslotRebuilt),
    context: &Context,
) -> crate::error::Result<Source> {
    let into = HotslotRebuilt { result: Mutex::new(None) };
    // SAFETY: the host gave both, for this.
    unsafe { rebuild(context.0, &into) };
    into.result.into_inner().unwrap_or_else(|| {
        Err(Error::new(ErrorKind::Read, "the host made no source anew")
            .hint("call hotslot_rebuilt_source or hotslot_rebuilt_failed in the rebuild function"))
    })
}

/// The same for the library.
fn reason(failed: &HotslotError) -> Error {
    match failed.cause() {
        Some(error) => error.again(),
        None => Error::new(ErrorKind::Read, failed.text()),
    }
}

/// Says what a source is now. The record is as for `hotslot_load`; its own `rebuild` is ignored.
///
/// Fails as reading or recognising a source does; then that is the update's error, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_rebuilt_source(
    into: Option<&HotslotRebuilt>,
    source: *const HotslotSource,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            let into = object(into, "into")?;
            let made = self::source(source);
            let for_update = made.as_ref().map_err(|failed| reason(failed)).cloned();
            *into.result.lock() = Some(for_update);
            made.map(drop)
        })
    }
}

/// Says that a source cannot be made anew, and why: a compiler's message, say. The update fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_rebuilt_failed(
    into: Option<&HotslotRebuilt>,
    message: *const c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            let into = object(into, "into")?;
            let message = text(message, "message")?;
            *into.result.lock() = Some(Err(Error::new(ErrorKind::Read, message)));
            Ok(())
        })
    }
}
