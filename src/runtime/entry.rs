//! Calling generated code on an update's behalf: resolvers, constructors, destructors.
//!
//! Owns the few calls from the host into generated code that no handle makes. They come from
//! frames of hotslot's own, which a guard further out must not give up.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};

use crate::builtins;
use crate::faults::barrier;
use crate::fork_gate;

/// Asks the resolver of an indirect function for the function to use.
pub(super) fn call_resolver(resolver: u64) -> u64 {
    // SAFETY: the address of a function symbol of type STT_GNU_IFUNC in published code,
    // which takes nothing and returns an address.
    let resolver: extern "C" fn() -> u64 = unsafe { std::mem::transmute(resolver as usize) };
    barrier(|| resolver())
}

/// The program's arguments, as the C library passes them to constructors.
#[derive(Default)]
pub(super) struct Arguments {
    words: Vec<CString>,
}

impl Arguments {
    pub(super) fn new(words: Vec<CString>) -> Self {
        Self { words }
    }
}

/// Calls a constructor with the arguments that the C library passes.
pub(super) fn call_initialiser(function: u64, arguments: &Arguments) {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let count = c_int::try_from(arguments.words.len()).unwrap_or(c_int::MAX);
    let words = arguments.words.iter().map(|word| word.as_ptr());
    let arguments: Vec<*const c_char> = words.chain([std::ptr::null()]).collect();
    // SAFETY: an entry of .init_array in published code.
    let function: extern "C-unwind" fn(c_int, *const *const c_char, *const *const c_char) =
        unsafe { std::mem::transmute(function as usize) };
    // SAFETY: read as any program reads it.
    let variables = unsafe { environ };
    barrier(|| function(count, arguments.as_ptr(), variables));
}

/// Arranges for `functions` to run when the process exits or the runtime ends.
pub(super) fn run_at_exit(functions: Vec<u64>, dso: u64) {
    for &function in &functions {
        builtins::note_exit(dso, function);
    }
    let functions = Box::into_raw(Box::new(functions));
    // SAFETY: `run` takes the box that it is registered with, once; the functions' code
    // stays in place until the runtime ends, which runs them first.
    unsafe { builtins::at_exit(run, functions.cast(), dso) };
}

unsafe extern "C" fn run(functions: *mut c_void) {
    // SAFETY: made by `run_at_exit` for this one call.
    let functions = unsafe { Box::from_raw(functions.cast::<Vec<u64>>()) };
    for function in *functions {
        // SAFETY: an entry of .fini_array in code that is still in place.
        let function: extern "C" fn() = unsafe { std::mem::transmute(function as usize) };
        barrier(|| function());
    }
}

/// Runs what generated code left to be run at its end.
pub(super) fn run_exit_handlers(dso: u64) {
    let _turn = fork_gate::ending();
    // SAFETY: called before any code of the runtime is freed.
    barrier(|| unsafe { builtins::finalize(dso) });
}
