//! What a host says of an update as a whole, and of variables that no longer fit.
//!
//! Owns the call of a migration of the host's. What rules do is the library's
//! [`Update`](crate::runtime::Update).
#![allow(unsafe_code)] // exports functions, calls what C gives

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use super::boundary::{c_string, object, run, text};
use super::error::{HotslotCode, HotslotError};
use super::source::Context;
use super::update::HotslotUpdate;
use crate::runtime::Migrated;

/// A variable that has new storage, to be filled from the old. Later versions may have more fields.
#[repr(C)]
pub struct HotslotMoved {
    /// Bytes of this record.
    pub size: usize,
    /// The module that defines it.
    pub module: *const c_char,
    /// The variable's name as a symbol, or the section's where a compiler put several variables
    /// into one.
    pub name: *const c_char,
    /// Its bytes until now.
    pub old_bytes: *const c_void,
    /// How many those are.
    pub old_size: usize,
    /// Its bytes from now on, which hold the new initial value; to be written.
    pub new_bytes: *mut c_void,
    /// How many those are.
    pub new_size: usize,
    /// Where the old bytes are for code that is running.
    pub old_address: u64,
    /// Where the new ones will be.
    pub new_address: u64,
}

/// Fills a variable's new storage. It is called when the update is committed, before anything
/// changes, must return, and must not use the runtime.
pub type HotslotMigrateFn = Option<unsafe extern "C" fn(context: *mut c_void, variable: *const HotslotMoved)>;

/// Makes the update fail, as a linker would, where one of its modules refers to a symbol that
/// nothing defines, or defines one that another module defines too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_strict(
    update: Option<&HotslotUpdate>,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            object(update, "update")?.add_rule(|update| _ = update.strict());
            Ok(())
        })
    }
}

/// Has modules that were compiled against a function's old type, where the update changes it, made
/// anew from their sources and replaced in the same step. Without this the update is refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_rebuild_callers(
    update: Option<&HotslotUpdate>,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            object(update, "update")?.add_rule(|update| _ = update.rebuild_callers());
            Ok(())
        })
    }
}

/// Has `hotslot_undo` never take back this update, nor what was committed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_keep(
    update: Option<&HotslotUpdate>,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            object(update, "update")?.add_rule(|update| _ = update.keep());
            Ok(())
        })
    }
}

/// Whether the update is refused with `HOTSLOT_CODE_STORAGE` if it gives a C++ table of virtual
/// functions another order: `keep` is not 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_keep_tables(
    update: Option<&HotslotUpdate>,
    keep: c_int,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            object(update, "update")?.add_rule(move |update| _ = update.keep_tables(keep != 0));
            Ok(())
        })
    }
}

/// Lets a variable start anew, with its initial value, if it no longer fits its storage: another
/// size, alignment or type. Without a rule the update is refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_reset(
    update: Option<&HotslotUpdate>,
    variable: *const c_char,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            let variable = text(variable, "variable")?.to_owned();
            object(update, "update")?.add_rule(move |update| _ = update.reset(variable.clone()));
            Ok(())
        })
    }
}

/// The same for every variable without a rule of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_reset_all(
    update: Option<&HotslotUpdate>,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            object(update, "update")?.add_rule(|update| _ = update.reset_all());
            Ok(())
        })
    }
}

/// Has `migrate` called with `context` to fill a variable's new storage from the old, if it no
/// longer fits. Code that writes to the old storage afterwards writes in vain. Both have to stay
/// until the update, and what was prepared of it, are freed, and may be used by whatever thread
/// commits it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_migrate(
    update: Option<&HotslotUpdate>,
    variable: *const c_char,
    migrate: HotslotMigrateFn,
    context: *mut c_void,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            let (update, migrate) = (object(update, "update")?, object(migrate, "migrate")?);
            let (variable, by) = (text(variable, "variable")?.to_owned(), By::new(migrate, context));
            update.add_rule(move |update| {
                let by = by.clone();
                _ = update.migrate(variable.clone(), move |moved| by.call(moved));
            });
            Ok(())
        })
    }
}

/// The same for every variable without a rule of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_update_migrate_all(
    update: Option<&HotslotUpdate>,
    migrate: HotslotMigrateFn,
    context: *mut c_void,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        run(error, || {
            let (update, migrate) = (object(update, "update")?, object(migrate, "migrate")?);
            let by = By::new(migrate, context);
            update.add_rule(move |update| {
                let by = by.clone();
                _ = update.migrate_all(move |moved| by.call(moved));
            });
            Ok(())
        })
    }
}

/// A migration of the host's.
#[derive(Clone)]
struct By {
    migrate: unsafe extern "C" fn(*mut c_void, *const HotslotMoved),
    context: Arc<Context>,
}

impl By {
    fn new(migrate: unsafe extern "C" fn(*mut c_void, *const HotslotMoved), context: *mut c_void) -> Self {
        Self { migrate, context: Arc::new(Context(context)) }
    }

    fn call(&self, moved: &mut Migrated<'_>) {
        let (module, name) = (c_string(moved.module), c_string(moved.name));
        let moved = HotslotMoved {
            size: size_of::<HotslotMoved>(),
            module: module.as_ptr(),
            name: name.as_ptr(),
            old_bytes: moved.old.as_ptr().cast(),
            old_size: moved.old.len(),
            new_bytes: moved.new.as_mut_ptr().cast(),
            new_size: moved.new.len(),
            old_address: moved.old_address,
            new_address: moved.new_address,
        };
        // SAFETY: the host gave both, for this.
        unsafe { (self.migrate)(self.context.0, &moved) };
    }
}
