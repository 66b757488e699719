//! LLVM's loader of objects, for ways that make objects but do not link them: LLJIT, which on
//! ELF links with JITLink.
//!
//! Owns one LLJIT and the libraries of its symbols. Knows objects only: what is in them, and
//! when they come and go, is the way's business.
#![allow(unsafe_code)] // LLVM's C interface, which inkwell does not wrap

use std::ffi::{CStr, CString, c_void};
use std::ptr::null_mut;

use inkwell::llvm_sys::error::{LLVMDisposeErrorMessage, LLVMErrorRef, LLVMGetErrorMessage};
use inkwell::llvm_sys::orc2::lljit::{
    LLVMOrcCreateLLJIT, LLVMOrcDisposeLLJIT, LLVMOrcLLJITAddObjectFileWithRT,
    LLVMOrcLLJITGetExecutionSession, LLVMOrcLLJITGetGlobalPrefix, LLVMOrcLLJITMangleAndIntern,
    LLVMOrcLLJITRef,
};
use inkwell::llvm_sys::orc2::{
    LLVMOrcCJITDylibSearchOrderElement, LLVMOrcCLookupSetElement, LLVMOrcCSymbolMapPairs,
    LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess, LLVMOrcExecutionSessionCreateBareJITDylib,
    LLVMOrcExecutionSessionLookup, LLVMOrcJITDylibAddGenerator, LLVMOrcJITDylibCreateResourceTracker,
    LLVMOrcJITDylibLookupFlags, LLVMOrcJITDylibRef, LLVMOrcLookupKind, LLVMOrcReleaseResourceTracker,
    LLVMOrcResourceTrackerRef, LLVMOrcResourceTrackerRemove, LLVMOrcSymbolLookupFlags,
};
use inkwell::memory_buffer::MemoryBuffer;

use super::{Result, Trouble};

/// An LLJIT.
pub struct Loader {
    jit: LLVMOrcLLJITRef,
    libraries: usize,
}

/// A name space of a loader, which looks in this process for what it does not define itself.
#[derive(Clone, Copy)]
pub struct Library(LLVMOrcJITDylibRef);

/// An object that was added, to take it away again.
pub struct Added(LLVMOrcResourceTrackerRef);

impl Loader {
    /// With LLVM's default settings.
    pub fn new() -> Result<Self> {
        let mut jit = null_mut();
        // SAFETY: a null builder means default settings.
        check(unsafe { LLVMOrcCreateLLJIT(&mut jit, null_mut()) })?;
        Ok(Self { jit, libraries: 0 })
    }

    /// A new, empty name space, without what LLVM adds for start files: it needs LLVM's own
    /// runtime library.
    pub fn library(&mut self) -> Result<Library> {
        self.libraries += 1;
        let name = c_name(&format!("library {}", self.libraries))?;
        let (library, mut generator);
        // SAFETY: the JIT is valid; the name is copied; the generator goes to the library,
        // which lives as long as the JIT.
        unsafe {
            let session = LLVMOrcLLJITGetExecutionSession(self.jit);
            library = LLVMOrcExecutionSessionCreateBareJITDylib(session, name.as_ptr());
            generator = null_mut();
            let prefix = LLVMOrcLLJITGetGlobalPrefix(self.jit);
            check(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
                &mut generator,
                prefix,
                None,
                null_mut(),
            ))?;
            LLVMOrcJITDylibAddGenerator(library, generator);
        }
        Ok(Library(library))
    }

    /// Adds an object. It is linked when one of its symbols is looked up.
    pub fn add(&self, library: Library, object: MemoryBuffer<'static>) -> Result<Added> {
        // SAFETY: library and tracker are of this JIT. The buffer is handed over, so it must
        // not be disposed of here.
        unsafe {
            let tracker = LLVMOrcJITDylibCreateResourceTracker(library.0);
            let buffer = object.as_mut_ptr();
            std::mem::forget(object);
            check(LLVMOrcLLJITAddObjectFileWithRT(self.jit, tracker, buffer))?;
            Ok(Added(tracker))
        }
    }

    /// Takes an object away and gives its memory back.
    pub fn remove(&self, added: Added) -> Result<()> {
        // SAFETY: the tracker is valid, and released once, here.
        unsafe {
            let result = check(LLVMOrcResourceTrackerRemove(added.0));
            LLVMOrcReleaseResourceTracker(added.0);
            result
        }
    }

    /// The address of a library's symbol; what defines it is linked if need be.
    pub fn lookup(&self, library: Library, symbol: &str) -> Result<usize> {
        let name = c_name(symbol)?;
        let mut answer: Result<usize> = Err(Trouble::failed(format!("no answer about `{symbol}`")));
        // SAFETY: the library is of this JIT; the set takes the name over. LLJIT without
        // compile threads does all the work in this call, so `answer` outlives it.
        unsafe {
            let name = LLVMOrcLLJITMangleAndIntern(self.jit, name.as_ptr());
            let mut order = LLVMOrcCJITDylibSearchOrderElement {
                JD: library.0,
                JDLookupFlags: LLVMOrcJITDylibLookupFlags::LLVMOrcJITDylibLookupFlagsMatchExportedSymbolsOnly,
            };
            let mut wanted = LLVMOrcCLookupSetElement {
                Name: name,
                LookupFlags: LLVMOrcSymbolLookupFlags::LLVMOrcSymbolLookupFlagsRequiredSymbol,
            };
            LLVMOrcExecutionSessionLookup(
                LLVMOrcLLJITGetExecutionSession(self.jit),
                LLVMOrcLookupKind::LLVMOrcLookupKindStatic,
                &mut order,
                1,
                &mut wanted,
                1,
                found,
                (&raw mut answer).cast(),
            );
        }
        answer
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // SAFETY: the JIT is valid and not used again. What it has to say comes too late.
        let _ = check(unsafe { LLVMOrcDisposeLLJIT(self.jit) });
    }
}

extern "C" fn found(error: LLVMErrorRef, pairs: LLVMOrcCSymbolMapPairs, count: usize, answer: *mut c_void) {
    // SAFETY: the `answer` of `lookup`, which waits; `count` pairs that live during the call.
    unsafe {
        *answer.cast::<Result<usize>>() = check(error).and_then(|()| match count {
            0 => Err(Trouble::failed("LLJIT found nothing")),
            _ => Ok((*pairs).Sym.Address as usize),
        });
    }
}

fn c_name(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| Trouble::failed("a name contains a NUL byte"))
}

fn check(error: LLVMErrorRef) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: an error that nobody has consumed; its message is a C string, ours to dispose of.
    unsafe {
        let text = LLVMGetErrorMessage(error);
        let message = CStr::from_ptr(text).to_string_lossy().into_owned();
        LLVMDisposeErrorMessage(text);
        Err(Trouble::failed(format!("LLJIT: {message}")))
    }
}
