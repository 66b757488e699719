//! Preparing a module so that everything in it can be replaced.
//!
//! Owns the form of calls (through the table or through stubs), the sections that make
//! every function and variable separable, and the flags that keep the optimiser from
//! looking through functions that may be replaced. Knows nothing of optimisation levels.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_uint};

use inkwell::llvm_sys::comdat::LLVMGetComdat;
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::{LLVMLinkage, LLVMModuleFlagBehavior, LLVMVisibility};
use inkwell::module::Module;

use super::{CallForm, Interface};

/// Prepares `module` and returns what it defines for others.
pub(super) fn prepare(module: &Module<'_>, form: CallForm) -> Interface {
    let raw = module.as_mut_ptr();
    add_flag(raw, "SemanticInterposition", 1);
    add_flag(raw, "PIC Level", 2);
    clear_flag(raw, "PIE Level");
    if form == CallForm::Slot {
        // Calls that code generation makes up (memcpy) load their target too.
        add_flag(raw, "RtLibUseGOT", 1);
    }
    // SAFETY: the lists and values below belong to `module`, which this function alone
    // uses; each value is read before it may be deleted.
    let mut functions = Vec::new();
    unsafe {
        let attribute = attribute(raw, "nonlazybind");
        for function in values(LLVMGetFirstFunction(raw), LLVMGetNextFunction) {
            if LLVMGetIntrinsicID(function) != 0 {
                continue;
            }
            let function = export_declaration(raw, function, true);
            let at = inkwell::llvm_sys::LLVMAttributeFunctionIndex;
            match form {
                CallForm::Slot => LLVMAddAttributeAtIndex(function, at, attribute),
                CallForm::Stub => {
                    LLVMRemoveEnumAttributeAtIndex(function, at, LLVMGetEnumAttributeKind(attribute))
                }
            }
            if LLVMIsDeclaration(function) == 0 {
                separate(function, "text");
                if is_visible(function) {
                    functions.push((name(function), printed_type(LLVMGlobalGetValueType(function))));
                }
            }
        }
        for variable in values(LLVMGetFirstGlobal(raw), LLVMGetNextGlobal) {
            if name(variable).starts_with("llvm.") {
                continue;
            }
            let variable = export_declaration(raw, variable, false);
            let common = LLVMGetLinkage(variable) == LLVMLinkage::LLVMCommonLinkage;
            let skip = LLVMIsDeclaration(variable) != 0
                || LLVMIsGlobalConstant(variable) != 0
                || LLVMIsThreadLocal(variable) != 0
                || common;
            if !skip {
                let zeroed = LLVMIsNull(LLVMGetInitializer(variable)) != 0;
                separate(variable, if zeroed { "bss" } else { "data" });
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

fn add_flag(module: LLVMModuleRef, key: &str, value: u64) {
    // SAFETY: the key is passed with its length; the context outlives the module.
    unsafe {
        let existing = LLVMGetModuleFlag(module, key.as_ptr().cast(), key.len());
        if existing.is_null() {
            let context = LLVMGetModuleContext(module);
            let value = LLVMValueAsMetadata(LLVMConstInt(LLVMInt32TypeInContext(context), value, 0));
            let behaviour = LLVMModuleFlagBehavior::LLVMModuleFlagBehaviorWarning;
            LLVMAddModuleFlag(module, behaviour, key.as_ptr().cast(), key.len(), value);
        }
    }
}

/// Sets an integer flag that exists to zero: the C interface cannot remove it.
fn clear_flag(module: LLVMModuleRef, key: &str) {
    const FLAGS: &CStr = c"llvm.module.flags";
    // SAFETY: the buffers have room for as many operands as LLVM says there are; a flag
    // is a node of behaviour, key and value.
    unsafe {
        let mut flags =
            vec![std::ptr::null_mut(); LLVMGetNamedMetadataNumOperands(module, FLAGS.as_ptr()) as usize];
        LLVMGetNamedMetadataOperands(module, FLAGS.as_ptr(), flags.as_mut_ptr());
        for flag in flags {
            let mut parts = [std::ptr::null_mut(); 3];
            if LLVMGetMDNodeNumOperands(flag) != 3 {
                continue;
            }
            LLVMGetMDNodeOperands(flag, parts.as_mut_ptr());
            let mut length = 0;
            let text =
                if parts[1].is_null() { std::ptr::null() } else { LLVMGetMDString(parts[1], &mut length) };
            if !text.is_null()
                && std::slice::from_raw_parts(text.cast::<u8>(), length as usize) == key.as_bytes()
            {
                let context = LLVMGetModuleContext(module);
                let zero = LLVMConstInt(LLVMInt32TypeInContext(context), 0, 0);
                LLVMReplaceMDNodeOperandWith(flag, 2, LLVMValueAsMetadata(zero));
            }
        }
    }
}

unsafe fn attribute(module: LLVMModuleRef, name: &str) -> LLVMAttributeRef {
    // SAFETY: a live module; the name is passed with its length.
    unsafe {
        let kind = LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
        LLVMCreateEnumAttribute(LLVMGetModuleContext(module), kind, 0)
    }
}

unsafe fn name(value: LLVMValueRef) -> String {
    let mut length = 0;
    // SAFETY: LLVM returns a pointer to `length` bytes that live as long as the value.
    unsafe {
        let text = LLVMGetValueName2(value, &mut length);
        let bytes =
            if text.is_null() { &[][..] } else { std::slice::from_raw_parts(text.cast::<u8>(), length) };
        String::from_utf8_lossy(bytes).into_owned()
    }
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

unsafe fn is_visible(value: LLVMValueRef) -> bool {
    // SAFETY: a global of a live module.
    !matches!(
        unsafe { LLVMGetLinkage(value) },
        LLVMLinkage::LLVMInternalLinkage
            | LLVMLinkage::LLVMPrivateLinkage
            | LLVMLinkage::LLVMAvailableExternallyLinkage
    )
}

/// Puts a definition into a section of its own, so that references to it from its own
/// module are relocations too, and variables keep their place one by one.
unsafe fn separate(value: LLVMValueRef, family: &str) {
    // SAFETY: a definition in a live module.
    unsafe {
        let section = LLVMGetSection(value);
        let placed = !section.is_null() && *section != 0;
        if placed
            || !LLVMGetComdat(value).is_null()
            || LLVMGetLinkage(value) == LLVMLinkage::LLVMAvailableExternallyLinkage
        {
            return;
        }
        let name = name(value);
        if name.is_empty() {
            return;
        }
        // Without the zero bytes and quotes that mangled names may start with.
        let name = name.trim_start_matches('\u{1}');
        if let Ok(section) = CString::new(format!(".{family}.{name}")) {
            LLVMSetSection(value, section.as_ptr());
        }
    }
}

/// Replaces a hidden or protected declaration by an ordinary one: what is hidden in a
/// static link is another module here, reached through the table. LLVM's C interface
/// cannot take the local mark off a value, so a new one takes its place.
unsafe fn export_declaration(module: LLVMModuleRef, old: LLVMValueRef, function: bool) -> LLVMValueRef {
    // SAFETY: `old` is a global of `module`; it is deleted only after its last use.
    unsafe {
        if LLVMIsDeclaration(old) == 0 || LLVMGetVisibility(old) == LLVMVisibility::LLVMDefaultVisibility {
            return old;
        }
        let kind = LLVMGlobalGetValueType(old);
        let old_name = name(old);
        let new = if function {
            let new = LLVMAddFunction(module, c"".as_ptr(), kind);
            LLVMSetFunctionCallConv(new, LLVMGetFunctionCallConv(old));
            copy_attributes(old, new, LLVMCountParams(old));
            new
        } else {
            let space = LLVMGetPointerAddressSpace(LLVMTypeOf(old));
            let new = LLVMAddGlobalInAddressSpace(module, kind, c"".as_ptr(), space);
            LLVMSetThreadLocalMode(new, LLVMGetThreadLocalMode(old));
            LLVMSetGlobalConstant(new, LLVMIsGlobalConstant(old));
            LLVMSetExternallyInitialized(new, LLVMIsExternallyInitialized(old));
            new
        };
        LLVMSetLinkage(new, LLVMGetLinkage(old));
        LLVMSetAlignment(new, LLVMGetAlignment(old));
        LLVMSetUnnamedAddress(new, LLVMGetUnnamedAddress(old));
        LLVMReplaceAllUsesWith(old, new);
        if function {
            LLVMDeleteFunction(old);
        } else {
            LLVMDeleteGlobal(old);
        }
        LLVMSetValueName2(new, old_name.as_ptr().cast(), old_name.len());
        new
    }
}

unsafe fn copy_attributes(from: LLVMValueRef, to: LLVMValueRef, parameters: c_uint) {
    let places = [inkwell::llvm_sys::LLVMAttributeFunctionIndex, inkwell::llvm_sys::LLVMAttributeReturnIndex];
    for place in places.into_iter().chain(1..=parameters) {
        // SAFETY: two functions of one type in a live module; the buffer has room for
        // the number of attributes that LLVM says there are.
        unsafe {
            let count = LLVMGetAttributeCountAtIndex(from, place) as usize;
            let mut attributes = vec![std::ptr::null_mut(); count];
            LLVMGetAttributesAtIndex(from, place, attributes.as_mut_ptr());
            for attribute in attributes {
                LLVMAddAttributeAtIndex(to, place, attribute);
            }
        }
    }
}
