//! Hooks for C: updates that go live where and when the code wants it.
//!
//! What hooks are is the library's [`Hooks`].
#![allow(unsafe_code)] // exports functions

use std::ffi::{c_char, c_int};
use std::time::Duration;

use parking_lot::Mutex;

use super::boundary::{Result, object, put, put_string, run, run_or};
use super::error::{HotslotCode, HotslotError};
use super::reports;
use super::runtime::HotslotRuntime;
use super::update::HotslotUpdate;
use crate::hooks::{Applied, Hooks};

/// The hooks of a runtime's code: callbacks around updates, safe points, and migrations that code
/// registers which includes the header of `hotslot_hooks_header`.
pub struct HotslotHooks {
    hooks: Mutex<Hooks>,
}

impl HotslotHooks {
    /// Not locked: an update may wait for long.
    fn get(&self) -> Hooks {
        self.hooks.lock().clone()
    }
}

/// The text of the header that code for hooks includes as `hotslot.h`, not to be confused with
/// this one, which is for hosts. It is not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_hooks_header() -> *const c_char {
    const TEXT: &str = concat!(include_str!("../hooks/hotslot.h"), "\0");
    TEXT.as_ptr().cast()
}

/// Defines what that header refers to, and stores the hooks in `*hooks`; NULL where that fails. To
/// be called before code that uses it is loaded. Free them with `hotslot_hooks_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_hooks_install(
    runtime: Option<&HotslotRuntime>,
    hooks: *mut *mut HotslotHooks,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(hooks, std::ptr::null_mut());
        run(error, || {
            object((!hooks.is_null()).then_some(()), "hooks")?;
            let made = Hooks::install(&object(runtime, "runtime")?.runtime)?;
            hooks.write(Box::into_raw(Box::new(HotslotHooks { hooks: Mutex::new(made) })));
            Ok(())
        })
    }
}

/// Says how many milliseconds an update waits for a safe point: 10,000 unless this is called.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_hooks_set_patience(hooks: Option<&HotslotHooks>, patience_ms: u64) {
    run_or((), || {
        if let Some(this) = hooks {
            let mut hooks = this.hooks.lock();
            *hooks = hooks.clone().with_patience(Duration::from_millis(patience_ms));
        }
    });
}

/// What `hotslot_generation()` is for the code: 1, and one more with each update that goes through
/// the hooks. 0 if `hooks` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_hooks_generation(hooks: Option<&HotslotHooks>) -> u64 {
    run_or(0, || hooks.map_or(0, |this| this.get().generation()))
}

/// 1 if an update waits for a safe point, otherwise 0.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_hooks_is_waiting(hooks: Option<&HotslotHooks>) -> c_int {
    run_or(0, || hooks.map_or(0, |this| this.get().is_waiting().into()))
}

/// The program ends: no update waits for its safe point any more.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_hooks_close(hooks: Option<&HotslotHooks>) {
    run_or((), || hooks.into_iter().for_each(|this| this.get().close()));
}

/// Prepares `update` and commits it where and when the code wants that: if it has safe points this
/// waits for one, on whose thread callbacks and constructors run; otherwise all of it happens
/// here. Variables that do not fit and that the code has a migration for are carried over. The
/// update is empty afterwards, as after `hotslot_update_commit`.
///
/// Not to be called on a thread that is to come to a safe point. `applied` may be NULL, or gets an
/// object of JSON: `report`, `waited_us`, `generation`, and `failed`, why callbacks and
/// migrations did not come to their end, which stops no update.
///
/// Fails as `hotslot_update_commit` does, and with `HOTSLOT_CODE_SAFE_POINT` if no safe point came in
/// time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_hooks_commit(
    hooks: Option<&HotslotHooks>,
    update: Option<&HotslotUpdate>,
    applied: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        change(hooks, applied, error, |hooks| {
            object(update, "update")?.run(|update| Ok(hooks.commit(update)?)).map(Some)
        })
    }
}

/// Takes the last update back as `hotslot_undo` does, where and when the code wants that.
/// `*applied` is NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_hooks_undo(
    hooks: Option<&HotslotHooks>,
    applied: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe { change(hooks, applied, error, |hooks| Ok(hooks.undo()?)) }
}

/// Takes the last update back as `hotslot_undo_cause` does, at once and here. `*applied` is NULL if
/// it is not to blame.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_hooks_undo_cause(
    hooks: Option<&HotslotHooks>,
    cause: Option<&HotslotError>,
    applied: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        change(hooks, applied, error, |hooks| match object(cause, "cause")?.cause() {
            Some(cause) => Ok(hooks.undo_cause(cause)?),
            None => Ok(None),
        })
    }
}

unsafe fn change(
    hooks: Option<&HotslotHooks>,
    applied: *mut *mut c_char,
    error: *mut *mut HotslotError,
    make: impl FnOnce(&Hooks) -> Result<Option<Applied>>,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(applied, std::ptr::null_mut());
        run(error, || {
            if let Some(done) = make(&object(hooks, "hooks")?.get())? {
                put_string(applied, || reports::applied(&done).to_string());
            }
            Ok(())
        })
    }
}

/// Frees hooks. Code that has registered itself goes on as before, and hears of nothing any more.
/// NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_hooks_free(hooks: Option<Box<HotslotHooks>>) {
    run_or((), || drop(hooks));
}
