//! Having a function inlined at its only call, or nowhere in a function.
//!
//! LLVM gives the last call of a static function a bonus that no other function gets. Owns
//! asking for the same of one that is no longer static, by the one way there is, which asks no
//! questions: so all that LLVM would have asked is asked here. Owns also keeping everything
//! out of functions that are entered once and stay, which code of today would be a part of for
//! ever. Deliberately does not choose the functions.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::c_uint;

use inkwell::llvm_sys::LLVMAttributeFunctionIndex;
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::target::LLVMGetModuleDataLayout;
use inkwell::module::Module;

use super::llvm::{instructions, is_defined, symbol_name, values};
use super::storage::size_of;

/// Stack that a function may take and still be inlined: every call of the caller takes it then.
const MOST_STACK: u64 = 1024;

/// What two functions must both have, or neither, to be made one.
const ALIKE: [&str; 14] = [
    "sanitize_address",
    "sanitize_hwaddress",
    "sanitize_memory",
    "sanitize_memtag",
    "sanitize_realtime",
    "sanitize_thread",
    "nosanitize_coverage",
    "safestack",
    "shadowcallstack",
    "speculative_load_hardening",
    "strictfp",
    "null_pointer_is_valid",
    "noprofile",
    "nossp",
];

/// Asks that `call`, the only one of `function`, be inlined, if that is sound and LLVM would.
pub(super) unsafe fn favour(call: LLVMValueRef, function: LLVMValueRef) {
    // SAFETY: a direct call in a live module, and what it calls.
    unsafe {
        let caller = function_of(call);
        let key = "noinline";
        let kind = LLVMGetEnumAttributeKindForName(key.as_ptr().cast(), key.len());
        let refused = !LLVMGetCallSiteEnumAttribute(call, LLVMAttributeFunctionIndex, kind).is_null()
            || ["cold", "returns_twice", "presplitcoroutine"].iter().any(|key| has(function, key))
            || ["optnone", "minsize", "naked", "presplitcoroutine"].iter().any(|key| has(caller, key))
            || ALIKE.iter().any(|key| has(function, key) != has(caller, key))
            || texts(function) != texts(caller)
            || stack(function).is_none_or(|bytes| bytes > MOST_STACK);
        if !refused {
            let key = "alwaysinline";
            let kind = LLVMGetEnumAttributeKindForName(key.as_ptr().cast(), key.len());
            let context = LLVMGetModuleContext(LLVMGetGlobalParent(function));
            let attribute = LLVMCreateEnumAttribute(context, kind, 0);
            LLVMAddCallSiteAttribute(call, LLVMAttributeFunctionIndex, attribute);
        }
    }
}

/// Has nothing inlined into the functions that `chosen` names, but what says that it must be. That
/// counts for calls through pointers as well: the optimiser may find out what they call.
pub(super) fn keep_apart(module: &Module<'_>, chosen: impl Fn(&str) -> bool) {
    let module = module.as_mut_ptr();
    let key = "noinline";
    // SAFETY: a live, verified module, that nobody else uses.
    unsafe {
        let kind = LLVMGetEnumAttributeKindForName(key.as_ptr().cast(), key.len());
        let attribute = LLVMCreateEnumAttribute(LLVMGetModuleContext(module), kind, 0);
        let mut functions = values(LLVMGetFirstFunction(module), LLVMGetNextFunction);
        functions.retain(|&function| is_defined(function) && chosen(&symbol_name(function)));
        for call in functions.into_iter().flat_map(|function| instructions(function)) {
            if LLVMIsACallInst(call).is_null() && LLVMIsAInvokeInst(call).is_null() {
                continue;
            }
            let called = LLVMIsAFunction(LLVMGetCalledValue(call));
            let assembly = !LLVMIsAInlineAsm(LLVMGetCalledValue(call)).is_null();
            // What is only declared cannot be inlined, and LLVM knows functions of the C library by it.
            let open = called.is_null() || is_defined(called) && !has(called, "alwaysinline");
            if open && !assembly {
                LLVMAddCallSiteAttribute(call, LLVMAttributeFunctionIndex, attribute);
            }
        }
    }
}

/// Whether a function has an attribute.
pub(super) unsafe fn has(function: LLVMValueRef, key: &str) -> bool {
    // SAFETY: a function of a live module. Kind 0 is no attribute: this LLVM does not know it.
    unsafe {
        let kind = LLVMGetEnumAttributeKindForName(key.as_ptr().cast(), key.len());
        kind != 0 && !LLVMGetEnumAttributeAtIndex(function, LLVMAttributeFunctionIndex, kind).is_null()
    }
}

/// The function that an instruction is in.
pub(super) unsafe fn function_of(instruction: LLVMValueRef) -> LLVMValueRef {
    // SAFETY: an instruction of a live module.
    unsafe { LLVMGetBasicBlockParent(LLVMGetInstructionParent(instruction)) }
}

/// The attributes that are texts, of which the processor's features are one, without what LLVM
/// itself merges.
unsafe fn texts<'v>(function: LLVMValueRef) -> BTreeMap<&'v [u8], &'v [u8]> {
    // SAFETY: a function of a live module; the buffer has room for as many attributes as there
    // are, and their texts live as long as the context.
    unsafe {
        let count = LLVMGetAttributeCountAtIndex(function, LLVMAttributeFunctionIndex);
        let mut all = vec![std::ptr::null_mut(); count as usize];
        LLVMGetAttributesAtIndex(function, LLVMAttributeFunctionIndex, all.as_mut_ptr());
        type Part = unsafe extern "C" fn(LLVMAttributeRef, *mut c_uint) -> *const std::ffi::c_char;
        let part = |attribute, of: Part| {
            let mut length = 0;
            let text = of(attribute, &mut length);
            match length {
                0 => &[][..],
                _ => std::slice::from_raw_parts(text.cast::<u8>(), length as usize),
            }
        };
        let texts = all.into_iter().filter(|&attribute| LLVMIsStringAttribute(attribute) != 0);
        let texts =
            texts.map(|a| (part(a, LLVMGetStringAttributeKind), part(a, LLVMGetStringAttributeValue)));
        texts.filter(|&(key, _)| key != b"min-legal-vector-width").collect()
    }
}

/// How much of the stack a function's variables take, if that is known.
unsafe fn stack(function: LLVMValueRef) -> Option<u64> {
    let mut total = 0u64;
    // SAFETY: a function of a live module.
    unsafe {
        let layout = LLVMGetModuleDataLayout(LLVMGetGlobalParent(function));
        for instruction in instructions(function) {
            if LLVMIsAAllocaInst(instruction).is_null() {
                continue;
            }
            let count = LLVMIsAConstantInt(LLVMGetOperand(instruction, 0));
            if count.is_null() {
                return None;
            }
            let size = size_of(layout, LLVMGetAllocatedType(instruction));
            total = total.saturating_add(size.saturating_mul(LLVMConstIntGetZExtValue(count)));
        }
    }
    Some(total)
}
