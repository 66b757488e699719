//! Updates in two steps, for C: prepared now, committed later or never.
#![allow(unsafe_code)] // exports functions

use std::ffi::{c_char, c_int};

use parking_lot::Mutex;

use super::boundary::{object, put, put_string, run, run_or};
use super::error::{HotslotCode, HotslotError};
use super::reports;
use super::update::HotslotUpdate;
use crate::error::{Error, ErrorKind};
use crate::runtime::PreparedUpdate;

/// An update that is compiled and linked, and that nobody can see yet.
pub struct HotslotPrepared {
    /// `None` once it has been tried to commit it.
    update: Mutex<Option<PreparedUpdate>>,
}

/// Compiles, links and checks everything. Nothing that anyone could observe changes; what was
/// prepared is stored in `*prepared`, or NULL. The update is empty afterwards, as after
/// `hotslot_update_commit`. Free what was prepared with `hotslot_prepared_free`.
///
/// Fails as `hotslot_update_commit` does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_prepare(
    update: Option<&HotslotUpdate>,
    prepared: *mut *mut HotslotPrepared,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(prepared, std::ptr::null_mut());
        run(error, || {
            object((!prepared.is_null()).then_some(()), "prepared")?;
            let ready = object(update, "update")?.run(|update| Ok(update.prepare()?))?;
            prepared.write(Box::into_raw(Box::new(HotslotPrepared { update: Mutex::new(Some(ready)) })));
            Ok(())
        })
    }
}

/// Stores in `*report` what the update will do, as JSON, to be freed with `hotslot_string_free`.
///
/// Fails with `HOTSLOT_CODE_UPDATE` if it has been committed already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_prepared_report(
    prepared: Option<&HotslotPrepared>,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(report, std::ptr::null_mut());
        run(error, || {
            let update = object(prepared, "prepared")?.update.lock();
            let update = update.as_ref().ok_or_else(gone)?;
            put_string(report, || reports::report(update.report()).to_string());
            Ok(())
        })
    }
}

/// 1 if nothing was committed since it was prepared, so that `hotslot_prepared_commit` cannot
/// fail; otherwise 0.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_prepared_is_current(prepared: Option<&HotslotPrepared>) -> c_int {
    run_or(0, || {
        prepared.map_or(0, |this| this.update.lock().as_ref().is_some_and(|u| u.is_current()).into())
    })
}

/// Makes the update live: every function that changes does so in one step. Constructors of new
/// modules run on this thread before it returns. It can be tried once. `report` is as that of
/// `hotslot_update_commit`.
///
/// Fails if another update was committed since it was prepared and it no longer fits, and with
/// `HOTSLOT_CODE_UPDATE` if it has been committed already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_prepared_commit(
    prepared: Option<&HotslotPrepared>,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(report, std::ptr::null_mut());
        run(error, || {
            let update = object(prepared, "prepared")?.update.lock().take();
            let done = update.ok_or_else(gone)?.commit()?;
            put_string(report, || reports::report(&done).to_string());
            Ok(())
        })
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Update, "the update has been committed already")
        .hint("prepare another one for another change")
}

/// Frees what was prepared: if it was not committed, everything stays as it was. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_prepared_free(prepared: Option<Box<HotslotPrepared>>) {
    run_or((), || drop(prepared));
}
