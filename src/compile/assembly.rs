//! Whether a module's code depends on files that are not in it.
//!
//! Owns one question: does its inline assembly read files (`.incbin`, `.include`)? Such a
//! module compiles to something else when they change. Deliberately does not read assembly:
//! to mention these words is enough.
#![allow(unsafe_code)]

use inkwell::llvm_sys::core::*;
use inkwell::module::Module;

use super::llvm::{instructions, values};

/// Whether assembly in the module may read files.
pub(super) fn reads_files(module: &Module<'_>) -> bool {
    let module = module.as_mut_ptr();
    let mut length = 0;
    // SAFETY: a live module; its text lives as long, and is not changed here.
    let own = unsafe { bytes(LLVMGetModuleInlineAsm(module, &mut length), length) };
    if names_a_file(own) {
        return true;
    }
    // SAFETY: a live module, its functions and their instructions, none of which change.
    unsafe {
        let functions = values(LLVMGetFirstFunction(module), LLVMGetNextFunction);
        functions.into_iter().flat_map(|function| instructions(function)).any(|instruction| {
            let calls = [
                LLVMIsACallInst(instruction),
                LLVMIsAInvokeInst(instruction),
                LLVMIsACallBrInst(instruction),
            ];
            if calls.iter().all(|call| call.is_null()) {
                return false;
            }
            let called = LLVMGetCalledValue(instruction);
            if LLVMIsAInlineAsm(called).is_null() {
                return false;
            }
            let mut length = 0;
            names_a_file(bytes(LLVMGetInlineAsmAsmString(called, &mut length), length))
        })
    }
}

fn names_a_file(text: &[u8]) -> bool {
    [&b".incbin"[..], b".include"].iter().any(|word| memchr::memmem::find(text, word).is_some())
}

/// # Safety
/// `length` bytes at `text`, which live for as long as the result is used, or null.
unsafe fn bytes<'t>(text: *const std::ffi::c_char, length: usize) -> &'t [u8] {
    // SAFETY: as promised.
    unsafe { if text.is_null() { &[] } else { std::slice::from_raw_parts(text.cast(), length) } }
}
