//! The types of a module's functions, from its IR.
//!
//! Owns types as text, where names do not count and what they stand for does, and which
//! type a function is called with. Deliberately changes nothing in the module and does not
//! know when two types agree; [`super::signature`] does.
#![allow(unsafe_code)]

use std::collections::HashSet;
use std::ffi::{CStr, c_uint};
use std::fmt::Write as _;

use inkwell::llvm_sys::LLVMTypeKind;
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::target::{LLVMGetModuleDataLayout, LLVMTargetDataRef};
use inkwell::module::Module;

use super::layout::stable_hash;
use super::llvm::{is_defined, is_exported, symbol_name, users, values};
use super::storage::{DEEPEST, describe, size_of};
use crate::scoped;

/// The text of a longer type is its size and a hash.
const LONGEST_TEXT: usize = 200;

/// Name and type of every function of others that the module refers to, by its calls where
/// there are any.
pub(super) unsafe fn declared(module: LLVMModuleRef) -> Vec<(String, String)> {
    let mut all = Vec::new();
    // SAFETY: a live, verified module.
    unsafe {
        let layout = LLVMGetModuleDataLayout(module);
        for function in values(LLVMGetFirstFunction(module), LLVMGetNextFunction) {
            if LLVMGetIntrinsicID(function) != 0 || is_defined(function) {
                continue;
            }
            if let Some(text) = used_as(layout, function) {
                all.push((symbol_name(function), text));
            }
        }
    }
    all
}

/// Of a slice, names and types of its functions that are to be compiled later (`lazy`), and of
/// those of others that these may call and nothing in the slice does.
#[allow(clippy::type_complexity, reason = "two lists, named above")]
pub(super) fn promised(
    module: &Module<'_>,
    lazy: &HashSet<String, foldhash::fast::RandomState>,
) -> (Vec<(String, String)>, Vec<(String, String)>) {
    let (raw, mut defined, mut declared) = (module.as_mut_ptr(), Vec::new(), Vec::new());
    // SAFETY: a live module that LLVM has read, and its functions.
    unsafe {
        let layout = LLVMGetModuleDataLayout(raw);
        for function in values(LLVMGetFirstFunction(raw), LLVMGetNextFunction) {
            if LLVMGetIntrinsicID(function) != 0 || is_defined(function) {
                continue;
            }
            let (name, kind) = (symbol_name(function), LLVMGlobalGetValueType(function));
            let no_prototype = LLVMIsFunctionVarArg(kind) != 0 && LLVMCountParamTypes(kind) == 0;
            if lazy.contains(&name) {
                defined.push((name, of_function(layout, function)));
            } else if !no_prototype && LLVMGetFirstUse(function).is_null() {
                declared.push((name, of_function(layout, function)));
            }
        }
    }
    (defined, declared)
}

/// The type that a declared function is used with, if its uses agree.
unsafe fn used_as(layout: LLVMTargetDataRef, function: LLVMValueRef) -> Option<String> {
    // SAFETY: a function of a live module, and its users.
    unsafe {
        let own = LLVMGlobalGetValueType(function);
        // As C has it before C23, `int f();`.
        let no_prototype = LLVMIsFunctionVarArg(own) != 0 && LLVMCountParamTypes(own) == 0;
        let mut seen: Option<String> = None;
        for user in users(function) {
            let call = is_call(user) && LLVMGetCalledValue(user) == function;
            let text = if call {
                let kind = LLVMGetCalledFunctionType(user);
                let attribute = |index, kind| LLVMGetCallSiteEnumAttribute(user, index, kind);
                signature(layout, kind, LLVMGetInstructionCallConv(user), no_prototype, &attribute)
            } else if no_prototype {
                continue;
            } else {
                of_function(layout, function)
            };
            if seen.as_ref().is_some_and(|seen| *seen != text) {
                return None;
            }
            seen = Some(text);
        }
        seen
    }
}

unsafe fn is_call(value: LLVMValueRef) -> bool {
    // SAFETY: a live value.
    unsafe {
        [LLVMIsACallInst(value), LLVMIsAInvokeInst(value), LLVMIsACallBrInst(value)]
            .iter()
            .any(|found| !found.is_null())
    }
}

/// Name and type of every function the module defines for others, under all its names.
pub(super) unsafe fn defined(module: LLVMModuleRef) -> Vec<(String, String)> {
    let mut all = Vec::new();
    // SAFETY: a live, verified module.
    unsafe {
        let layout = LLVMGetModuleDataLayout(module);
        for function in values(LLVMGetFirstFunction(module), LLVMGetNextFunction) {
            // Of functions that only the module knows others cannot have another idea.
            let own = scoped::plain(&symbol_name(function)).is_some();
            if is_defined(function) && is_exported(function) && !own {
                all.push((symbol_name(function), of_function(layout, function)));
            }
        }
        for alias in values(LLVMGetFirstGlobalAlias(module), LLVMGetNextGlobalAlias) {
            let function = LLVMIsAFunction(LLVMAliasGetAliasee(alias));
            if is_exported(alias) && !function.is_null() {
                all.push((symbol_name(alias), of_function(layout, function)));
            }
        }
        for indirect in values(LLVMGetFirstGlobalIFunc(module), LLVMGetNextGlobalIFunc) {
            let kind = LLVMGlobalGetValueType(indirect);
            if is_exported(indirect) && LLVMGetTypeKind(kind) == LLVMTypeKind::LLVMFunctionTypeKind {
                let none = |_, _| std::ptr::null_mut();
                all.push((symbol_name(indirect), signature(layout, kind, 0, false, &none)));
            }
        }
    }
    all
}

unsafe fn of_function(layout: LLVMTargetDataRef, function: LLVMValueRef) -> String {
    // SAFETY: a function of a live module.
    unsafe {
        let attribute = |index, kind| LLVMGetEnumAttributeAtIndex(function, index, kind);
        let kind = LLVMGlobalGetValueType(function);
        signature(layout, kind, LLVMGetFunctionCallConv(function), false, &attribute)
    }
}

/// A function type in the words of [`super::signature`].
unsafe fn signature(
    layout: LLVMTargetDataRef,
    kind: LLVMTypeRef,
    convention: c_uint,
    open: bool,
    attribute: &dyn Fn(c_uint, c_uint) -> LLVMAttributeRef,
) -> String {
    // SAFETY: a function type of a live context; attributes are asked for by index of a
    // parameter, from one.
    unsafe {
        let id = |key: &str| LLVMGetEnumAttributeKindForName(key.as_ptr().cast(), key.len());
        let by_copy = [("byval", id("byval")), ("sret", id("sret"))];
        let mut text = String::new();
        if convention != 0 {
            let _ = write!(text, "cc{convention} ");
        }
        text += &type_text(layout, LLVMGetReturnType(kind));
        text += " (";
        let mut parameters = vec![std::ptr::null_mut(); LLVMCountParamTypes(kind) as usize];
        LLVMGetParamTypes(kind, parameters.as_mut_ptr());
        for (index, parameter) in parameters.iter().enumerate() {
            text += if index > 0 { ", " } else { "" };
            text += &type_text(layout, *parameter);
            for (word, key) in by_copy {
                let found = attribute(index as c_uint + 1, key);
                if !found.is_null() {
                    let copied = type_text(layout, LLVMGetTypeAttributeValue(found));
                    let _ = write!(text, " {word}({copied})");
                }
            }
        }
        if LLVMIsFunctionVarArg(kind) != 0 {
            text += if parameters.is_empty() { "" } else { ", " };
            text += if open { "?..." } else { "..." };
        }
        text + ")"
    }
}

/// A type as LLVM prints it, with the members of structs instead of their names.
pub(super) unsafe fn type_text(layout: LLVMTargetDataRef, kind: LLVMTypeRef) -> String {
    let mut text = String::new();
    // SAFETY: a type of a live context.
    unsafe {
        if write_type(kind, &mut text, 0) {
            return text;
        }
        match describe(layout, kind) {
            Some(runs) => format!("{{ {} bytes #{:016x} }}", size_of(layout, kind), stable_hash(runs)),
            None => "{ unknown }".into(),
        }
    }
}

/// False when the text gets too long.
unsafe fn write_type(kind: LLVMTypeRef, text: &mut String, depth: u32) -> bool {
    if text.len() > LONGEST_TEXT || depth > DEEPEST {
        return false;
    }
    // SAFETY: a type of a live context; elements are asked for by index.
    unsafe {
        let (open, close) = match LLVMGetTypeKind(kind) {
            LLVMTypeKind::LLVMStructTypeKind if LLVMIsOpaqueStruct(kind) != 0 => ("{ unknown", "}"),
            LLVMTypeKind::LLVMStructTypeKind if LLVMIsPackedStruct(kind) != 0 => ("<{", "}>"),
            LLVMTypeKind::LLVMStructTypeKind => ("{", "}"),
            LLVMTypeKind::LLVMArrayTypeKind => {
                let _ = write!(text, "[{} x ", LLVMGetArrayLength2(kind));
                let fits = write_type(LLVMGetElementType(kind), text, depth + 1);
                text.push(']');
                return fits;
            }
            _ => {
                let printed = LLVMPrintTypeToString(kind);
                text.push_str(&CStr::from_ptr(printed).to_string_lossy());
                LLVMDisposeMessage(printed);
                return true;
            }
        };
        text.push_str(open);
        for index in 0..LLVMCountStructElementTypes(kind) {
            text.push_str(if index > 0 { ", " } else { " " });
            if !write_type(LLVMStructGetTypeAtIndex(kind, index), text, depth + 1) {
                return false;
            }
        }
        text.push(' ');
        text.push_str(close);
        text.len() <= LONGEST_TEXT
    }
}

/// The names of functions of others that the module still refers to.
pub(super) unsafe fn referred_to(module: LLVMModuleRef) -> HashSet<String> {
    // SAFETY: a live module.
    unsafe {
        values(LLVMGetFirstFunction(module), LLVMGetNextFunction)
            .into_iter()
            .filter(|&function| !is_defined(function) && !LLVMGetFirstUse(function).is_null())
            .map(|function| symbol_name(function))
            .collect()
    }
}
