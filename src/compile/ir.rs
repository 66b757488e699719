//! Preparing a module so that everything in it can be replaced.
//!
//! Owns the form of calls (through the table or through stubs), the sections that make
//! every function and variable separable, and the marks that keep the optimiser from
//! looking through functions that may be replaced. Deliberately knows nothing of targets
//! and optimisation levels. Every module it gets has passed LLVM's verifier.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_uint};

use inkwell::llvm_sys::comdat::{LLVMGetComdat, LLVMSetComdat};
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::{
    LLVMAttributeFunctionIndex, LLVMAttributeReturnIndex, LLVMLinkage, LLVMModuleFlagBehavior, LLVMVisibility,
};
use inkwell::module::Module;

use super::{CallForm, Interface};

/// Before optimisation: makes definitions replaceable and calls redirectable.
pub(super) fn prepare(module: &Module<'_>, form: CallForm) {
    let raw = module.as_mut_ptr();
    // SAFETY: the module is live, verified, and nobody else uses it or holds a value of
    // it; each value is read before it may be replaced.
    unsafe {
        // Code that was compiled for an executable says "local to it" (dso_local) of almost
        // everything, which would let the optimiser and the code generator bypass the table.
        let executable = flag(raw, "PIC Level").is_none() || flag(raw, "PIE Level").is_some();
        set_flag(raw, "SemanticInterposition", 1);
        if flag(raw, "PIC Level").is_none() {
            set_flag(raw, "PIC Level", 2);
        }
        if flag(raw, "PIE Level").is_some() {
            // Thread-locals would be addressed as only a linked executable's can be.
            set_flag(raw, "PIE Level", 0);
        }
        // Calls that code generation makes up (memcpy) load their target as well.
        let by_slot = form == CallForm::Slot;
        if by_slot || flag(raw, "RtLibUseGOT").is_some() {
            set_flag(raw, "RtLibUseGOT", u64::from(by_slot));
        }
        for function in values(LLVMGetFirstFunction(raw), LLVMGetNextFunction) {
            if LLVMGetIntrinsicID(function) != 0 {
                continue;
            }
            if LLVMIsDeclaration(function) != 0 {
                if executable || !has_default_visibility(function) {
                    redeclare(raw, function, Global::Function);
                }
            } else if executable && is_exported(function) && has_default_visibility(function) {
                redefine(raw, function);
            }
        }
        for variable in values(LLVMGetFirstGlobal(raw), LLVMGetNextGlobal) {
            if LLVMIsDeclaration(variable) != 0 {
                if executable || !has_default_visibility(variable) {
                    redeclare(raw, variable, Global::Variable);
                }
            } else if executable && is_exported(variable) && has_default_visibility(variable) {
                redefine_variable(raw, variable);
            }
        }
        set_call_form(raw, form);
    }
}

/// After optimisation, which may have made functions and declarations of its own: gives
/// every definition its section and returns what the module defines for others.
pub(super) fn finish(module: &Module<'_>, form: CallForm) -> Interface {
    let raw = module.as_mut_ptr();
    let mut functions = Vec::new();
    // SAFETY: as in `prepare`.
    unsafe {
        set_call_form(raw, form);
        let defined = |value: &LLVMValueRef| {
            LLVMIsDeclaration(*value) == 0
                && LLVMGetLinkage(*value) != LLVMLinkage::LLVMAvailableExternallyLinkage
        };
        let all = values(LLVMGetFirstFunction(raw), LLVMGetNextFunction);
        for (number, function) in all.into_iter().filter(defined).enumerate() {
            separate(function, "text", number);
            if is_exported(function) {
                let name = String::from_utf8_lossy(symbol(name(function))).into_owned();
                functions.push((name, printed_type(LLVMGlobalGetValueType(function))));
            }
        }
        let all = values(LLVMGetFirstGlobal(raw), LLVMGetNextGlobal);
        for (number, variable) in all.into_iter().filter(defined).enumerate() {
            let skip = name(variable).starts_with(b"llvm.")
                || LLVMIsGlobalConstant(variable) != 0
                || LLVMIsThreadLocal(variable) != 0
                || LLVMGetLinkage(variable) == LLVMLinkage::LLVMCommonLinkage;
            if !skip {
                let zeroed = LLVMIsNull(LLVMGetInitializer(variable)) != 0;
                separate(variable, if zeroed { "bss" } else { "data" }, number);
            }
        }
    }
    Interface::new(functions)
}

/// Every value of a list, collected first: the list changes while it is walked.
unsafe fn values(
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

unsafe fn set_call_form(module: LLVMModuleRef, form: CallForm) {
    let key = "nonlazybind";
    // SAFETY: a live module; the key is passed with its length.
    unsafe {
        let kind = LLVMGetEnumAttributeKindForName(key.as_ptr().cast(), key.len());
        let load_target = LLVMCreateEnumAttribute(LLVMGetModuleContext(module), kind, 0);
        for function in values(LLVMGetFirstFunction(module), LLVMGetNextFunction) {
            if LLVMGetIntrinsicID(function) != 0 {
                continue;
            }
            match form {
                CallForm::Slot => {
                    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, load_target);
                }
                CallForm::Stub => {
                    LLVMRemoveEnumAttributeAtIndex(function, LLVMAttributeFunctionIndex, kind);
                }
            }
        }
    }
}

unsafe fn flag(module: LLVMModuleRef, key: &str) -> Option<LLVMMetadataRef> {
    // SAFETY: a live module; the key is passed with its length.
    let found = unsafe { LLVMGetModuleFlag(module, key.as_ptr().cast(), key.len()) };
    (!found.is_null()).then_some(found)
}

/// Adds a module flag, or changes the one there is. Flags only say how modules are merged,
/// which never happens here, and what code generation does.
unsafe fn set_flag(module: LLVMModuleRef, key: &str, value: u64) {
    let list = c"llvm.module.flags".as_ptr();
    // SAFETY: a live module, whose flags the verifier found to be nodes of three operands:
    // behaviour, key, value. The buffers have room for as many as LLVM says there are.
    unsafe {
        let integer = LLVMInt32TypeInContext(LLVMGetModuleContext(module));
        let value = LLVMValueAsMetadata(LLVMConstInt(integer, value, 0));
        if flag(module, key).is_none() {
            let behaviour = LLVMModuleFlagBehavior::LLVMModuleFlagBehaviorWarning;
            return LLVMAddModuleFlag(module, behaviour, key.as_ptr().cast(), key.len(), value);
        }
        let count = LLVMGetNamedMetadataNumOperands(module, list) as usize;
        let mut nodes = vec![std::ptr::null_mut(); count];
        LLVMGetNamedMetadataOperands(module, list, nodes.as_mut_ptr());
        for node in nodes {
            let mut operands = [std::ptr::null_mut(); 3];
            if LLVMGetMDNodeNumOperands(node) != 3 {
                continue;
            }
            LLVMGetMDNodeOperands(node, operands.as_mut_ptr());
            if operands[1].is_null() {
                continue;
            }
            let mut length = 0;
            let text = LLVMGetMDString(operands[1], &mut length);
            if !text.is_null()
                && std::slice::from_raw_parts(text.cast::<u8>(), length as usize) == key.as_bytes()
            {
                return LLVMReplaceMDNodeOperandWith(node, 2, value);
            }
        }
    }
}

/// The bytes live as long as the value keeps its name.
unsafe fn name<'v>(value: LLVMValueRef) -> &'v [u8] {
    let mut length = 0;
    // SAFETY: LLVM returns a pointer to `length` bytes.
    unsafe {
        let text = LLVMGetValueName2(value, &mut length);
        if text.is_null() { &[] } else { std::slice::from_raw_parts(text.cast(), length) }
    }
}

/// The name as it is in the object file: a leading byte 1 only says "do not mangle".
fn symbol(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"\x01").unwrap_or(name)
}

unsafe fn printed_type(kind: LLVMTypeRef) -> String {
    // SAFETY: LLVM returns a C string that the caller disposes of.
    unsafe {
        let text = LLVMPrintTypeToString(kind);
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        LLVMDisposeMessage(text);
        owned
    }
}

unsafe fn is_exported(value: LLVMValueRef) -> bool {
    // SAFETY: a global of a live module.
    !matches!(
        unsafe { LLVMGetLinkage(value) },
        LLVMLinkage::LLVMInternalLinkage
            | LLVMLinkage::LLVMPrivateLinkage
            | LLVMLinkage::LLVMLinkerPrivateLinkage
            | LLVMLinkage::LLVMAvailableExternallyLinkage
    )
}

unsafe fn has_default_visibility(value: LLVMValueRef) -> bool {
    // SAFETY: a global of a live module.
    unsafe { LLVMGetVisibility(value) == LLVMVisibility::LLVMDefaultVisibility }
}

/// Puts a definition into a section of its own, so that references to it from its own
/// module are relocations too, and variables keep their place one by one. What is in a
/// COMDAT gets one from LLVM.
unsafe fn separate(value: LLVMValueRef, family: &str, number: usize) {
    // SAFETY: a definition in a live module; the section's name is copied.
    unsafe {
        let section = LLVMGetSection(value);
        let placed = !section.is_null() && *section != 0;
        if placed || !LLVMGetComdat(value).is_null() {
            return;
        }
        let mut own = format!(".{family}.").into_bytes();
        match symbol(name(value)) {
            [] => own.extend_from_slice(format!(".{number}").as_bytes()),
            name => own.extend_from_slice(name),
        }
        if let Ok(own) = CString::new(own) {
            LLVMSetSection(value, own.as_ptr());
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Global {
    Function,
    Variable,
}

/// Replaces a declaration by one that says nothing of where the definition is: what is
/// hidden in a static link is another module here, reached through the table. LLVM's C
/// interface cannot take the mark dso_local off a value, so a new one takes its place.
unsafe fn redeclare(module: LLVMModuleRef, old: LLVMValueRef, global: Global) {
    // SAFETY: `old` is a declaration in `module`; it is deleted after its last use.
    unsafe {
        let kind = LLVMGlobalGetValueType(old);
        let space = LLVMGetPointerAddressSpace(LLVMTypeOf(old));
        let new = match global {
            Global::Function if space != 0 => return,
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
    }
}

/// The same for a variable with its initialiser.
unsafe fn redefine_variable(module: LLVMModuleRef, old: LLVMValueRef) {
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

/// The same for a function with a body: the body moves over, block by block.
unsafe fn redefine(module: LLVMModuleRef, old: LLVMValueRef) {
    // SAFETY: `old` is a definition in `module`. Blocks and uses of parameters move before
    // it is deleted; both functions have the same type, so the same parameters.
    unsafe {
        // What the C interface cannot copy stays as it is: data before the entry, several
        // attachments of one kind.
        let operands = LLVMGetNumOperands(old) as c_uint;
        let data = (1..operands).any(|i| LLVMIsAConstantPointerNull(LLVMGetOperand(old, i)).is_null());
        let metadata = metadata(old);
        if data || has_twins(&metadata) || LLVMGetPointerAddressSpace(LLVMTypeOf(old)) != 0 {
            return;
        }
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

unsafe fn copy_attributes(from: LLVMValueRef, to: LLVMValueRef) {
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
