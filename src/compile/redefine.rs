//! Replacing a declaration or a definition by one that says less of where it is.
//!
//! LLVM's C interface cannot take the mark dso_local off a value, so a new one takes its
//! place. Owns the copying: whatever a global has, its successor has too. Deliberately does
//! not know which globals need it.
#![allow(unsafe_code)]

use std::ffi::c_uint;

use inkwell::llvm_sys::comdat::{LLVMGetComdat, LLVMSetComdat};
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::{LLVMAttributeFunctionIndex, LLVMAttributeReturnIndex};

use super::llvm::name;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    Function,
    Variable,
}

/// Replaces a declaration by one that says nothing of where the definition is: what is
/// hidden in a static link is another module here, reached through the table. LLVM's C
/// interface cannot take the mark dso_local off a value, so a new one takes its place.
pub(super) unsafe fn redeclare(module: LLVMModuleRef, old: LLVMValueRef, global: Global) -> LLVMValueRef {
    // SAFETY: `old` is a declaration in `module`; it is deleted after its last use.
    unsafe {
        let kind = LLVMGlobalGetValueType(old);
        let space = LLVMGetPointerAddressSpace(LLVMTypeOf(old));
        let new = match global {
            Global::Function if space != 0 => return old,
            Global::Function => LLVMAddFunction(module, c"".as_ptr(), kind),
            Global::Variable => LLVMAddGlobalInAddressSpace(module, kind, c"".as_ptr(), space),
        };
        if global == Global::Function {
            LLVMSetFunctionCallConv(new, LLVMGetFunctionCallConv(old));
            copy_attributes(old, new);
        } else {
            copy_variable(old, new);
        }
        LLVMSetLinkage(new, LLVMGetLinkage(old));
        take_place(old, new, &metadata(old));
        match global {
            Global::Function => LLVMDeleteFunction(old),
            Global::Variable => LLVMDeleteGlobal(old),
        }
        new
    }
}

/// The same for a variable with its initialiser.
pub(super) unsafe fn redefine_variable(module: LLVMModuleRef, old: LLVMValueRef) {
    // SAFETY: `old` is a definition in `module`; it is deleted after its last use.
    unsafe {
        let metadata = metadata(old);
        // `llvm.used` and its like are lists for LLVM itself.
        if has_twins(&metadata) || name(old).starts_with(b"llvm.") {
            return;
        }
        let space = LLVMGetPointerAddressSpace(LLVMTypeOf(old));
        let new = LLVMAddGlobalInAddressSpace(module, LLVMGlobalGetValueType(old), c"".as_ptr(), space);
        copy_variable(old, new);
        LLVMSetInitializer(new, LLVMGetInitializer(old));
        LLVMSetComdat(new, LLVMGetComdat(old));
        LLVMSetLinkage(new, LLVMGetLinkage(old));
        take_place(old, new, &metadata);
        LLVMDeleteGlobal(old);
    }
}

unsafe fn copy_variable(old: LLVMValueRef, new: LLVMValueRef) {
    // SAFETY: two variables of one type in a live module.
    unsafe {
        LLVMSetThreadLocalMode(new, LLVMGetThreadLocalMode(old));
        LLVMSetGlobalConstant(new, LLVMIsGlobalConstant(old));
        LLVMSetExternallyInitialized(new, LLVMIsExternallyInitialized(old));
    }
}

/// Whether a function with a body can be copied whole. What the C interface has no call for
/// stays as it is: data before the entry, several attachments of one kind.
pub(super) unsafe fn is_copyable(function: LLVMValueRef) -> bool {
    // SAFETY: a function of a live module; its operands are constants.
    unsafe {
        let operands = LLVMGetNumOperands(function) as c_uint;
        let empty = |i| !LLVMIsAConstantPointerNull(LLVMGetOperand(function, i)).is_null();
        (1..operands).all(empty)
            && !has_twins(&metadata(function))
            && LLVMGetPointerAddressSpace(LLVMTypeOf(function)) == 0
    }
}

/// The same for a function with a body, if it can be: the body moves over, block by block.
/// Returns the function that there is now.
pub(super) unsafe fn redefine(module: LLVMModuleRef, old: LLVMValueRef) -> LLVMValueRef {
    // SAFETY: `old` is a definition in `module`. Blocks and uses of parameters move before
    // it is deleted; both functions have the same type, so the same parameters.
    unsafe {
        if !is_copyable(old) {
            return old;
        }
        let metadata = metadata(old);
        let new = LLVMAddFunction(module, c"".as_ptr(), LLVMGlobalGetValueType(old));
        LLVMSetFunctionCallConv(new, LLVMGetFunctionCallConv(old));
        copy_attributes(old, new);
        if LLVMHasPersonalityFn(old) != 0 {
            LLVMSetPersonalityFn(new, LLVMGetPersonalityFn(old));
        }
        let collector = LLVMGetGC(old);
        if !collector.is_null() {
            LLVMSetGC(new, collector);
        }
        LLVMSetComdat(new, LLVMGetComdat(old));
        LLVMSetLinkage(new, LLVMGetLinkage(old));
        loop {
            let block = LLVMGetFirstBasicBlock(old);
            if block.is_null() {
                break;
            }
            LLVMRemoveBasicBlockFromParent(block);
            LLVMAppendExistingBasicBlock(new, block);
        }
        // Before the parameters: LLVM keeps their debug information only if both functions
        // have the same subprogram.
        for &(kind, node) in &metadata {
            LLVMGlobalSetMetadata(new, kind, node);
        }
        for i in 0..LLVMCountParams(old) {
            let (from, to) = (LLVMGetParam(old, i), LLVMGetParam(new, i));
            LLVMReplaceAllUsesWith(from, to);
            take_name(from, to);
        }
        take_place(old, new, &[]);
        LLVMDeleteFunction(old);
        new
    }
}

/// Gives `new` what any global has, and everything that refers to `old`.
unsafe fn take_place(old: LLVMValueRef, new: LLVMValueRef, metadata: &[(c_uint, LLVMMetadataRef)]) {
    // SAFETY: two globals of one kind and type in a live module.
    unsafe {
        LLVMSetAlignment(new, LLVMGetAlignment(old));
        LLVMSetUnnamedAddress(new, LLVMGetUnnamedAddress(old));
        let section = LLVMGetSection(old);
        if !section.is_null() && *section != 0 {
            LLVMSetSection(new, section);
        }
        for &(kind, node) in metadata {
            LLVMGlobalSetMetadata(new, kind, node);
        }
        LLVMReplaceAllUsesWith(old, new);
        take_name(old, new);
    }
}

unsafe fn take_name(old: LLVMValueRef, new: LLVMValueRef) {
    // SAFETY: two live values; the name is copied before the old value loses it.
    unsafe {
        let name = name(old).to_vec();
        LLVMSetValueName2(old, c"".as_ptr(), 0);
        LLVMSetValueName2(new, name.as_ptr().cast(), name.len());
    }
}

unsafe fn metadata(global: LLVMValueRef) -> Vec<(c_uint, LLVMMetadataRef)> {
    let mut count = 0;
    // SAFETY: a live global; the entries are read up to their number and disposed of.
    unsafe {
        let entries = LLVMGlobalCopyAllMetadata(global, &mut count);
        let all = (0..count as c_uint)
            .map(|i| {
                let kind = LLVMValueMetadataEntriesGetKind(entries, i);
                (kind, LLVMValueMetadataEntriesGetMetadata(entries, i))
            })
            .collect();
        LLVMDisposeValueMetadataEntries(entries);
        all
    }
}

/// Whether one kind is attached more than once.
fn has_twins(metadata: &[(c_uint, LLVMMetadataRef)]) -> bool {
    metadata.iter().enumerate().any(|(i, (kind, _))| metadata[..i].iter().any(|(k, _)| k == kind))
}

pub(super) unsafe fn copy_attributes(from: LLVMValueRef, to: LLVMValueRef) {
    // SAFETY: two functions of one type in a live module; the buffer has room for the
    // number of attributes that LLVM says there are.
    unsafe {
        let places = [LLVMAttributeFunctionIndex, LLVMAttributeReturnIndex];
        for place in places.into_iter().chain(1..=LLVMCountParams(from)) {
            let count = LLVMGetAttributeCountAtIndex(from, place) as usize;
            let mut attributes = vec![std::ptr::null_mut(); count];
            LLVMGetAttributesAtIndex(from, place, attributes.as_mut_ptr());
            for attribute in attributes {
                LLVMAddAttributeAtIndex(to, place, attribute);
            }
        }
    }
}
