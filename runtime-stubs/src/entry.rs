//! What generated code and the host hand each other at the trampolines: plain structs and function
//! types, the same on every architecture.
//!
//! The trampolines themselves are assembly and exist for the host architecture only; so far that is
//! x86-64. This file does not know how they save registers, only that they must be made ready before
//! the first struct here exists: that is why the structs have constructors and private fields.

use core::ffi::c_void;

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[path = "entry_x86_64.rs"]
mod host;

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
pub use host::{
    Personality, RecoveryFrame, THROWN, guard_landing_address, guarded_call_address, hotslot_guarded_call,
    hotslot_recover, recover_address, resolve_entry_address, set_guard_personality, tlsdesc_entry_address,
};

/// Answers a call of a symbol without definition: `data` of the context, the symbol's index, and the
/// address behind the call. Returns where the call shall go, and never null.
///
/// It may unwind; the caller then sees the exception come out of its call. It may instead have found
/// or compiled a definition meanwhile: then the call continues there as if nothing had happened.
pub type ResolveHandler =
    unsafe extern "C-unwind" fn(data: *mut c_void, index: u32, return_address: usize) -> *const c_void;

/// Answers the first question of a thread-local access: where is the calling thread's copy of the
/// variable `key`? It must not unwind.
pub type TlsResolver = extern "C" fn(key: u64) -> *mut u8;

/// What a runtime's [context thunk](crate::Arch::context_thunk) pushes the address of, so that
/// several runtimes share one entry. It stays in place as long as generated code can run.
#[repr(C)]
#[derive(Debug)]
#[allow(dead_code)] // Read by the assembly, where there is some.
pub struct EntryContext {
    handler: ResolveHandler,
    data: *mut c_void,
}

impl EntryContext {
    /// A context for [`resolve_entry_address`]. Measures, once, which registers a call must keep.
    pub fn new(handler: ResolveHandler, data: *mut c_void) -> Self {
        prepare();
        EntryContext { handler, data }
    }
}

/// What the second word of a TLS descriptor points to; the first is [`tlsdesc_entry_address`]. It
/// stays in place as long as generated code can run.
#[repr(C)]
#[derive(Debug)]
#[allow(dead_code)] // Read by the assembly, where there is some.
pub struct TlsDescArgument {
    resolve: TlsResolver,
    key: u64,
}

impl TlsDescArgument {
    /// An argument that asks `resolve` for `key`. Measures, once, which registers a call must keep.
    pub fn new(resolve: TlsResolver, key: u64) -> Self {
        prepare();
        TlsDescArgument { resolve, key }
    }

    /// The key, as it was given.
    pub fn key(&self) -> u64 {
        self.key
    }
}

fn prepare() {
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    host::measure_state();
}
