//! What constants name of a module's static functions, kept from the optimiser.
//!
//! A table of functions, as every Lua library has one, would make its user depend on the body of
//! each: a call by a constant's entry might get it. That hardly ever happens, and whoever passes
//! such a table on would be compiled again with every edit of them all. So constants name a
//! declaration while they are optimised, and the function itself afterwards. A call by an entry
//! still becomes a direct one. The digests of [`super::bitcode`] go by the same rule. Owns the
//! exchange; deliberately does not know what becomes of the functions.
#![allow(unsafe_code)]

use std::collections::HashSet;
use std::ffi::CString;

use inkwell::llvm_sys::LLVMLinkage;
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;

use super::llvm::{name, operands, symbol_name, users};
use super::redefine::{Global, copy_attributes, redeclare};
use crate::scoped;

/// The functions that constants do not name for the time being.
#[derive(Default)]
pub(super) struct Hidden {
    /// The functions.
    pub functions: HashSet<LLVMValueRef>,
    /// What they are called.
    pub names: HashSet<String>,
    /// Declarations by name, and the functions they stand for.
    places: Vec<(CString, String)>,
}

/// Has constants name declarations in place of `functions`, which only the module knows.
pub(super) unsafe fn hide(module: LLVMModuleRef, functions: &[LLVMValueRef]) -> Hidden {
    let mut hidden = Hidden::default();
    // SAFETY: a live, verified module; instructions have as many operands as they say.
    unsafe {
        for &function in functions {
            let all = users(function);
            let is_instruction = |user: &LLVMValueRef| !LLVMIsAInstruction(*user).is_null();
            // These lead to a definition.
            let fixed = |user: &LLVMValueRef| {
                !LLVMIsAGlobalAlias(*user).is_null()
                    || !LLVMIsAGlobalIFunc(*user).is_null()
                    || !LLVMIsABlockAddress(*user).is_null()
            };
            let space = LLVMGetPointerAddressSpace(LLVMTypeOf(function));
            if name(function).is_empty()
                || all.iter().all(is_instruction)
                || all.iter().any(fixed)
                || space != 0
            {
                continue;
            }
            let own = symbol_name(function);
            let place = format!("{}{own}.entry", scoped::PREFIX);
            let Ok(asked) = CString::new(place) else { continue };
            let declared = LLVMAddFunction(module, asked.as_ptr(), LLVMGlobalGetValueType(function));
            LLVMSetFunctionCallConv(declared, LLVMGetFunctionCallConv(function));
            LLVMSetUnnamedAddress(declared, LLVMGetUnnamedAddress(function));
            copy_attributes(function, declared);
            LLVMReplaceAllUsesWith(function, declared);
            for user in all.into_iter().filter(is_instruction) {
                for (at, operand) in operands(user).into_iter().enumerate() {
                    if operand == declared {
                        LLVMSetOperand(user, at as u32, function);
                    }
                }
            }
            // LLVM gives it another name if there is one like that.
            if let Ok(place) = CString::new(name(declared)) {
                hidden.places.push((place, own.clone()));
            }
            hidden.functions.insert(function);
            hidden.names.insert(own);
        }
    }
    hidden
}

/// Has constants name the functions again.
pub(super) unsafe fn show(module: LLVMModuleRef, hidden: &Hidden) {
    for (place, own) in &hidden.places {
        let scoped = format!("{}{own}", scoped::PREFIX);
        let (Ok(own), Ok(as_symbol)) = (CString::new(own.as_str()), CString::new(scoped.as_str())) else {
            continue;
        };
        // SAFETY: a live module; the declaration is deleted after its last use.
        unsafe {
            let declared = LLVMGetNamedFunction(module, place.as_ptr());
            if declared.is_null() {
                continue;
            }
            let as_symbol = LLVMGetNamedFunction(module, as_symbol.as_ptr());
            let function =
                if as_symbol.is_null() { LLVMGetNamedFunction(module, own.as_ptr()) } else { as_symbol };
            if function.is_null() {
                // Its body is in another part of the module, or was only there to be looked into.
                LLVMSetValueName2(declared, scoped.as_ptr().cast(), scoped.len());
                let new = redeclare(module, declared, Global::Function);
                LLVMSetLinkage(new, LLVMLinkage::LLVMExternalLinkage);
            } else {
                LLVMReplaceAllUsesWith(declared, function);
                LLVMDeleteFunction(declared);
            }
        }
    }
}
