//! The C side: the table of functions that `hotslot.h` calls, and calls of the program's own.
//!
//! Owns the layout that both sides agree on. What the functions do is in `shared.rs`.
#![allow(unsafe_code)] // is called by generated code, and calls it

use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};

use super::shared::{Hook, Shared, When};

/// The symbol that the header refers to.
pub const SYMBOL: &str = "hotslot_hooks_v1";

/// `struct hotslot_hooks_v1`.
#[repr(C)]
pub struct Table {
    this: *const Shared,
    generation: unsafe extern "C" fn(*const Shared) -> c_ulong,
    safe_point: unsafe extern "C" fn(*const Shared) -> c_int,
    add: unsafe extern "C" fn(*const Shared, c_int, *const c_void, *const c_void) -> c_int,
    remove: unsafe extern "C" fn(*const Shared, *const c_void, *const c_void) -> c_int,
    migrate: unsafe extern "C" fn(*const Shared, *const c_char, *const c_void, *const c_void) -> c_int,
}

impl Table {
    /// The table for what the program and the updates share. Code may hold its address for as
    /// long as the process lives.
    pub fn new(shared: &'static Shared) -> &'static mut Self {
        Box::leak(Box::new(Self { this: shared, generation, safe_point, add, remove, migrate }))
    }
}

// Each of these gets the `this` of a table.

unsafe extern "C" fn generation(this: *const Shared) -> c_ulong {
    // SAFETY: as above; what it points to is never freed.
    let shared = unsafe { &*this };
    shared.generation() as c_ulong
}

unsafe extern "C" fn safe_point(this: *const Shared) -> c_int {
    // SAFETY: as in `generation`.
    let shared = unsafe { &*this };
    shared.safe_point().into()
}

unsafe extern "C" fn add(
    this: *const Shared,
    after: c_int,
    function: *const c_void,
    context: *const c_void,
) -> c_int {
    if function.is_null() {
        return 0;
    }
    // SAFETY: as in `generation`.
    let shared = unsafe { &*this };
    let when = if after == 0 { When::Before } else { When::After };
    shared.add(when, hook(function, context));
    1
}

unsafe extern "C" fn remove(this: *const Shared, function: *const c_void, context: *const c_void) -> c_int {
    // SAFETY: as in `generation`.
    let shared = unsafe { &*this };
    c_int::try_from(shared.remove(hook(function, context))).unwrap_or(c_int::MAX)
}

unsafe extern "C" fn migrate(
    this: *const Shared,
    variable: *const c_char,
    function: *const c_void,
    context: *const c_void,
) -> c_int {
    if variable.is_null() {
        return 0;
    }
    // SAFETY: as in `generation`; the caller passes a C string, which is only read here.
    let (shared, name) = unsafe { (&*this, CStr::from_ptr(variable)) };
    let Ok(name) = name.to_str() else { return 0 };
    shared.set_migration(name, hook(function, context));
    1
}

fn hook(function: *const c_void, context: *const c_void) -> Hook {
    Hook { function: function as usize, context: context as usize }
}

/// Calls a callback.
pub fn call(hook: Hook, generation: u64) {
    // SAFETY: the program registered the address of a function of this type, which is a stub and
    // so is never freed.
    unsafe {
        let function: unsafe extern "C" fn(c_ulong, usize) = std::mem::transmute(hook.function);
        function(generation as c_ulong, hook.context);
    }
}

/// Has a function of the program carry a variable over: the bytes at `new` are filled from `old`.
pub fn call_migration(hook: Hook, (new, size): (u64, usize), old: &[u8]) {
    // SAFETY: the program registered the address of a function of this type, or its name says
    // that it is one. `new` is the storage of a variable that is live, of this size.
    unsafe {
        let function: unsafe extern "C" fn(u64, usize, *const u8, usize, usize) =
            std::mem::transmute(hook.function);
        function(new, size, old.as_ptr(), old.len(), hook.context);
    }
}

/// Defines the table in `runtime`.
pub fn define(runtime: &crate::Runtime, shared: &'static Shared) -> crate::Result<()> {
    let table: *mut Table = Table::new(shared);
    // SAFETY: it is laid out as the header declares it, and is never freed.
    unsafe { runtime.define_data(SYMBOL, table.cast()) }
}
