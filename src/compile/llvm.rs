//! What is asked of LLVM's C interface all over: lists, names, uses, linkage.
//!
//! Owns the few calls that every pass over a module needs, each of them a question.
//! Deliberately changes nothing and knows nothing of what the answers are for.
#![allow(unsafe_code)]

use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::{LLVMLinkage, LLVMVisibility};

/// Every value of a list, collected first: the list changes while it is walked.
pub(super) unsafe fn values(
    first: LLVMValueRef,
    next: unsafe extern "C" fn(LLVMValueRef) -> LLVMValueRef,
) -> Vec<LLVMValueRef> {
    let mut all = Vec::new();
    let mut value = first;
    while !value.is_null() {
        all.push(value);
        // SAFETY: `value` is in the list.
        value = unsafe { next(value) };
    }
    all
}

/// Everything that has `value` as an operand, as often as it has.
pub(super) unsafe fn users(value: LLVMValueRef) -> Vec<LLVMValueRef> {
    let mut all = Vec::new();
    // SAFETY: a live value that has uses (functions, globals, blocks, instructions, and
    // constants that refer to one); each use is in the value's list.
    unsafe {
        let mut used = LLVMGetFirstUse(value);
        while !used.is_null() {
            all.push(LLVMGetUser(used));
            used = LLVMGetNextUse(used);
        }
    }
    all
}

/// Every instruction of a function, in order; none for a declaration.
pub(super) unsafe fn instructions(function: LLVMValueRef) -> Vec<LLVMValueRef> {
    let mut all = Vec::new();
    // SAFETY: a live function; its lists are not changed meanwhile.
    unsafe {
        let mut block = LLVMGetFirstBasicBlock(function);
        while !block.is_null() {
            let mut instruction = LLVMGetFirstInstruction(block);
            while !instruction.is_null() {
                all.push(instruction);
                instruction = LLVMGetNextInstruction(instruction);
            }
            block = LLVMGetNextBasicBlock(block);
        }
    }
    all
}

/// The operands of an instruction or a constant.
pub(super) unsafe fn operands(user: LLVMValueRef) -> Vec<LLVMValueRef> {
    // SAFETY: a live user; each index is below the number of its operands.
    unsafe { (0..LLVMGetNumOperands(user).max(0) as u32).map(|i| LLVMGetOperand(user, i)).collect() }
}

/// A definition that becomes part of the object.
pub(super) unsafe fn is_defined(global: LLVMValueRef) -> bool {
    // SAFETY: a global of a live module.
    unsafe {
        LLVMIsDeclaration(global) == 0
            && LLVMGetLinkage(global) != LLVMLinkage::LLVMAvailableExternallyLinkage
    }
}

/// The symbol of a value, as text.
pub(super) unsafe fn symbol_name(value: LLVMValueRef) -> String {
    // SAFETY: a live value; the bytes are copied.
    String::from_utf8_lossy(symbol(unsafe { name(value) })).into_owned()
}

/// The bytes live as long as the value keeps its name.
pub(super) unsafe fn name<'v>(value: LLVMValueRef) -> &'v [u8] {
    let mut length = 0;
    // SAFETY: LLVM returns a pointer to `length` bytes.
    unsafe {
        let text = LLVMGetValueName2(value, &mut length);
        if text.is_null() { &[] } else { std::slice::from_raw_parts(text.cast(), length) }
    }
}

/// The name as it is in the object file: a leading byte 1 only says "do not mangle".
pub(super) fn symbol(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"\x01").unwrap_or(name)
}

pub(super) unsafe fn is_exported(value: LLVMValueRef) -> bool {
    // SAFETY: a global of a live module.
    !matches!(
        unsafe { LLVMGetLinkage(value) },
        LLVMLinkage::LLVMInternalLinkage
            | LLVMLinkage::LLVMPrivateLinkage
            | LLVMLinkage::LLVMLinkerPrivateLinkage
            | LLVMLinkage::LLVMAvailableExternallyLinkage
    )
}

pub(super) unsafe fn has_default_visibility(value: LLVMValueRef) -> bool {
    // SAFETY: a global of a live module.
    unsafe { LLVMGetVisibility(value) == LLVMVisibility::LLVMDefaultVisibility }
}
