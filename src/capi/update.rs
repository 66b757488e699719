//! Updates of several modules for C.
//!
//! Owns what a host has said of an update until it is made: the library's [`Update`] borrows its
//! runtime, so it is filled when it is needed. What else can be said of it is in `rules.rs`, updates in
//! two steps are in `prepared.rs`.
#![allow(unsafe_code)] // exports functions

use std::ffi::c_char;
use std::sync::Arc;

use parking_lot::Mutex;

use super::boundary::{Result, object, put, put_string, run, run_or, text};
use super::error::{HotslotCode, HotslotError};
use super::reports;
use super::runtime::HotslotRuntime;
use super::source::{HotslotSource, source};
use super::symbols::paths;
use crate::runtime::{Runtime, Update};

/// Any number of changes that take effect together: all of them, or none.
pub struct HotslotUpdate {
    runtime: Runtime,
    said: Mutex<Said>,
}

type Saying = Arc<dyn Fn(&mut Update<'_>) -> crate::error::Result<()> + Send + Sync>;

#[derive(Default, Clone)]
struct Said {
    /// Which modules change; they are gone once that has been tried.
    changes: Vec<Saying>,
    /// How; that stays.
    rules: Vec<Saying>,
}

impl HotslotUpdate {
    /// Hands the update to `act`, and is empty afterwards. Nothing is locked meanwhile.
    pub fn run<T>(&self, act: impl FnOnce(&mut Update<'_>) -> Result<T>) -> Result<T> {
        let said = {
            let mut said = self.said.lock();
            Said { changes: std::mem::take(&mut said.changes), rules: said.rules.clone() }
        };
        act(&mut self.fill(&said)?)
    }

    /// The same, and it stays as it is.
    fn look<T>(&self, act: impl FnOnce(&mut Update<'_>) -> Result<T>) -> Result<T> {
        let said = self.said.lock().clone();
        act(&mut self.fill(&said)?)
    }

    /// Notes a rule.
    pub fn add_rule(&self, rule: impl Fn(&mut Update<'_>) + Send + Sync + 'static) {
        self.said.lock().rules.push(Arc::new(move |update| {
            rule(update);
            Ok(())
        }));
    }

    fn fill(&self, said: &Said) -> Result<Update<'_>> {
        let mut update = self.runtime.update();
        said.rules.iter().chain(&said.changes).try_for_each(|say| say(&mut update))?;
        Ok(update)
    }
}

/// Notes what a host says.
///
/// # Safety
/// As [`run`].
unsafe fn say(
    update: Option<&HotslotUpdate>,
    error: *mut *mut HotslotError,
    what: impl FnOnce(&mut Said) -> Result<()>,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe { run(error, || what(&mut object(update, "update")?.said.lock())) }
}

/// Notes a change.
fn change(said: &mut Said, change: impl Fn(&mut Update<'_>) + Send + Sync + 'static) {
    said.changes.push(Arc::new(move |update| {
        change(update);
        Ok(())
    }));
}

/// Starts an update: nothing happens before `hotslot_update_commit`. NULL if `runtime` is NULL. Free
/// it with `hotslot_update_free`.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_update_new(runtime: Option<&HotslotRuntime>) -> Option<Box<HotslotUpdate>> {
    run_or(None, || {
        let runtime = runtime?.runtime.clone();
        Some(Box::new(HotslotUpdate { runtime, said: Mutex::default() }))
    })
}

/// Frees an update; what was not committed does not happen. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_update_free(update: Option<Box<HotslotUpdate>>) {
    run_or((), || drop(update));
}

/// Adds a new module. An archive becomes one module a member, named `module(member)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_load(
    update: Option<&HotslotUpdate>,
    module: *const c_char,
    source: *const HotslotSource,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        say(update, error, |said| {
            let (module, source) = (text(module, "module")?.to_owned(), self::source(source)?);
            change(said, move |update| _ = update.load(module.clone(), source.clone()));
            Ok(())
        })
    }
}

/// Replaces a module. Its variables keep their storage and value where they still fit. Initialisers
/// and constructors run for new variables only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_replace(
    update: Option<&HotslotUpdate>,
    module: *const c_char,
    source: *const HotslotSource,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        say(update, error, |said| {
            let (module, source) = (text(module, "module")?.to_owned(), self::source(source)?);
            change(said, move |update| _ = update.replace(module.clone(), source.clone()));
            Ok(())
        })
    }
}

/// Removes a module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_remove(
    update: Option<&HotslotUpdate>,
    module: *const c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        say(update, error, |said| {
            let module = text(module, "module")?.to_owned();
            change(said, move |update| _ = update.remove(module.clone()));
            Ok(())
        })
    }
}

/// Returns a module to an earlier generation, see `hotslot_rollback`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_restore(
    update: Option<&HotslotUpdate>,
    module: *const c_char,
    generation: u64,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        say(update, error, |said| {
            let module = text(module, "module")?.to_owned();
            change(said, move |update| _ = update.restore(module.clone(), generation));
            Ok(())
        })
    }
}

/// Adds `-l name`, see `hotslot_find_library`: it is looked for when the update is made. What is
/// shared is opened, whatever becomes of the update.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_library(
    update: Option<&HotslotUpdate>,
    name: *const c_char,
    directories: *const *const c_char,
    count: usize,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        say(update, error, |said| {
            let name = text(name, "name")?.to_owned();
            let directories = paths(directories, count)?;
            said.changes.push(Arc::new(move |update| update.library(&name, &directories).map(drop)));
            Ok(())
        })
    }
}

/// Names a symbol that is going to be asked for: what is loaded on demand and defines it is loaded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_want(
    update: Option<&HotslotUpdate>,
    symbol: *const c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        say(update, error, |said| {
            let symbol = text(symbol, "symbol")?.to_owned();
            change(said, move |update| _ = update.want(symbol.clone()));
            Ok(())
        })
    }
}

/// Compiles and links everything, then takes it back: tells whether `hotslot_update_commit` would
/// succeed. None of the update's code runs, and the update stays as it is.
///
/// Fails as `hotslot_update_commit` does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_check(
    update: Option<&HotslotUpdate>,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe { run(error, || object(update, "update")?.look(|update| Ok(update.check()?))) }
}

/// Prepares the update and commits it: everything happens, or nothing does. Constructors of new
/// modules run on this thread before it returns. `report` may be NULL; otherwise it gets what was
/// done, as JSON, to be freed with `hotslot_string_free`, or NULL. The update is empty afterwards,
/// in any case, but for what was said for the update as a whole: strict, rebuild, keep, reset and
/// migrate.
///
/// Fails with the code of the first problem and all of them in the error: sources that do not parse
/// or compile, relocations that cannot be applied, names already in use or unknown, types and
/// variables that do not fit what stays, a full arena, too much code still held by threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_commit(
    update: Option<&HotslotUpdate>,
    report: *mut *mut c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(report, std::ptr::null_mut());
        run(error, || {
            let done = object(update, "update")?.run(|update| Ok(update.commit()?))?;
            put_string(report, || reports::report(&done).to_string());
            Ok(())
        })
    }
}
