//! LLVM's LLJIT through its C API: what hotslot is compared with.
//!
//! On x86-64 ELF, LLJIT of LLVM 19 links with JITLink when the builder is given no object
//! linking layer (`LLJITBuilderState::prepareForConstruction`), unwind information
//! registered; profiles of these benchmarks show `llvm::jitlink` at work.

use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

use inkwell::llvm_sys::core::LLVMCreateMemoryBufferWithMemoryRange;
use inkwell::llvm_sys::error::{LLVMErrorRef, LLVMGetErrorMessage};
use inkwell::llvm_sys::orc2::lljit::{
    LLVMOrcCreateLLJIT, LLVMOrcLLJITAddObjectFileWithRT, LLVMOrcLLJITGetGlobalPrefix,
    LLVMOrcLLJITGetMainJITDylib, LLVMOrcLLJITLookup, LLVMOrcLLJITRef,
};
use inkwell::llvm_sys::orc2::{
    LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess, LLVMOrcJITDylibAddGenerator,
    LLVMOrcJITDylibCreateResourceTracker, LLVMOrcJITDylibRef, LLVMOrcReleaseResourceTracker,
    LLVMOrcResourceTrackerRef, LLVMOrcResourceTrackerRemove,
};
use inkwell::targets::{InitializationConfig, Target};

/// A long-lived LLJIT with the process's symbols.
pub struct Lljit {
    jit: LLVMOrcLLJITRef,
    main: LLVMOrcJITDylibRef,
}

/// An object that was added, to take it away again.
pub struct Added(LLVMOrcResourceTrackerRef);

fn check(error: LLVMErrorRef) {
    if !error.is_null() {
        // SAFETY: an error that nobody has consumed; its message is a C string.
        let message = unsafe { CStr::from_ptr(LLVMGetErrorMessage(error)) };
        panic!("LLJIT: {}", message.to_string_lossy());
    }
}

impl Lljit {
    /// Makes an LLJIT with default settings.
    pub fn new() -> Self {
        Target::initialize_native(&InitializationConfig::default())
            .expect("LLVM was built for this processor");
        let mut jit = null_mut();
        // SAFETY: a null builder means default settings.
        check(unsafe { LLVMOrcCreateLLJIT(&mut jit, null_mut()) });
        // SAFETY: the JIT is valid and never disposed of; the generator goes to the dylib.
        let main = unsafe {
            let main = LLVMOrcLLJITGetMainJITDylib(jit);
            let mut generator = null_mut();
            let prefix = LLVMOrcLLJITGetGlobalPrefix(jit);
            check(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
                &mut generator,
                prefix,
                None,
                null_mut(),
            ));
            LLVMOrcJITDylibAddGenerator(main, generator);
            main
        };
        Self { jit, main }
    }

    /// Adds an object to the main library under a tracker of its own. It is linked when
    /// one of its symbols is looked up.
    pub fn add(&self, object: &[u8]) -> Added {
        // SAFETY: the main library lives as long as the JIT. The buffer is not copied;
        // every user of this file looks a symbol up while `object` is borrowed or kept.
        unsafe {
            let tracker = LLVMOrcJITDylibCreateResourceTracker(self.main);
            let start = object.as_ptr().cast::<c_char>();
            let name = c"object".as_ptr();
            let buffer = LLVMCreateMemoryBufferWithMemoryRange(start, object.len(), name, 0);
            check(LLVMOrcLLJITAddObjectFileWithRT(self.jit, tracker, buffer));
            Added(tracker)
        }
    }

    /// The address of a symbol of the main library, linking what defines it if need be.
    pub fn lookup(&self, symbol: &CStr) -> u64 {
        let mut address = 0;
        // SAFETY: writes the address.
        check(unsafe { LLVMOrcLLJITLookup(self.jit, &mut address, symbol.as_ptr()) });
        address
    }

    /// Takes an object away and gives its memory back.
    pub fn remove(&self, added: Added) {
        // SAFETY: the tracker is valid, and released once, here.
        unsafe {
            check(LLVMOrcResourceTrackerRemove(added.0));
            LLVMOrcReleaseResourceTracker(added.0);
        }
    }
}
