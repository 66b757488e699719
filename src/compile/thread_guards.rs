//! Guards of C++ thread-local variables, one for each.
//!
//! A C++ compiler has one guard for all thread-local variables of a file that have to be
//! constructed. A thread that has them already would never construct one that a replacement
//! adds. Owns giving each variable a guard of its own, by which it is known over
//! generations; the common one, which makes for a quick answer, is another one as soon as
//! the variables are. Deliberately leaves what does not look as clang makes it.
#![allow(unsafe_code)]

use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::{LLVMIntPredicate, LLVMLinkage, LLVMOpcode};

use super::initialisers::{INITIALISER, initialised_by};
use super::layout::stable_hash;
use super::llvm::{instructions, is_defined, is_exported, name, users};

const COMMON: &std::ffi::CStr = c"__tls_guard";

/// Before optimisation: rewrites what initialises the module's thread-local variables.
pub(super) unsafe fn split(module: LLVMModuleRef) {
    // SAFETY: a live, verified module; every value is asked for what it is first.
    unsafe {
        let common = LLVMGetNamedGlobal(module, COMMON.as_ptr());
        let function = LLVMGetNamedFunction(module, c"__tls_init".as_ptr());
        let missing = common.is_null() || function.is_null();
        if missing || !is_defined(common) || !is_defined(function) || is_exported(common) {
            return;
        }
        let calls: Vec<_> = instructions(function).into_iter().filter(|&i| is_initialisation(i)).collect();
        let all: Vec<_> = calls.iter().map(|&call| known_as(module, LLVMGetCalledValue(call))).collect();
        for (&call, known) in calls.iter().zip(&all) {
            let guarded = guarded(module, function, LLVMGetCalledValue(call), common, known);
            LLVMSetOperand(call, LLVMGetNumOperands(call) as u32 - 1, guarded);
        }
        if !calls.is_empty() {
            let new = format!("__tls_guard.{:016x}", stable_hash(&all));
            LLVMSetValueName2(common, new.as_ptr().cast(), new.len());
        }
    }
}

/// A call of the function that makes one variable, and of nothing else.
unsafe fn is_initialisation(instruction: LLVMValueRef) -> bool {
    // SAFETY: an instruction of a live module.
    unsafe {
        if LLVMGetInstructionOpcode(instruction) != LLVMOpcode::LLVMCall {
            return false;
        }
        let called = LLVMIsAFunction(LLVMGetCalledValue(instruction));
        !called.is_null()
            && name(called).starts_with(INITIALISER)
            && is_defined(called)
            && LLVMCountParams(called) == 0
            && users(called).len() == 1
    }
}

/// What the variables that `initialiser` makes are known by: their names and types.
unsafe fn known_as(module: LLVMModuleRef, initialiser: LLVMValueRef) -> String {
    // SAFETY: a function of a live module; the text of a type is copied and given back.
    unsafe {
        let mut known = initialised_by(initialiser);
        for variable in &mut known {
            let Ok(symbol) = std::ffi::CString::new(variable.as_str()) else { continue };
            let global = LLVMGetNamedGlobal(module, symbol.as_ptr());
            if global.is_null() {
                continue;
            }
            let text = LLVMPrintTypeToString(LLVMGlobalGetValueType(global));
            let size = super::storage::size_of(
                inkwell::llvm_sys::target::LLVMGetModuleDataLayout(module),
                LLVMGlobalGetValueType(global),
            );
            let kind = stable_hash((std::ffi::CStr::from_ptr(text).to_bytes(), size));
            LLVMDisposeMessage(text);
            *variable = format!("{variable}.{kind:016x}");
        }
        if known.is_empty() {
            String::from_utf8_lossy(name(initialiser)).into_owned()
        } else {
            known.join(".")
        }
    }
}

/// A function that calls `initialiser` once in every thread.
unsafe fn guarded(
    module: LLVMModuleRef,
    like: LLVMValueRef,
    initialiser: LLVMValueRef,
    common: LLVMValueRef,
    known: &str,
) -> LLVMValueRef {
    // SAFETY: values of a live module; the function made here is complete when it is returned,
    // and both functions take and return nothing.
    unsafe {
        let context = LLVMGetModuleContext(module);
        let byte = LLVMInt8TypeInContext(context);
        let guard = LLVMAddGlobal(module, byte, c"".as_ptr());
        let text = format!("__tls_guard.{known}");
        LLVMSetValueName2(guard, text.as_ptr().cast(), text.len());
        LLVMSetInitializer(guard, LLVMConstNull(byte));
        LLVMSetLinkage(guard, LLVMLinkage::LLVMInternalLinkage);
        LLVMSetThreadLocalMode(guard, LLVMGetThreadLocalMode(common));
        LLVMSetAlignment(guard, 1);
        let kind = LLVMGlobalGetValueType(initialiser);
        let function = LLVMAddFunction(module, c"".as_ptr(), kind);
        // A call by another convention than the function's own is undefined, and is optimised away:
        // an initialiser that has been optimised is `fastcc`, and so is the call that leads here.
        let convention = LLVMGetFunctionCallConv(initialiser);
        LLVMSetFunctionCallConv(function, convention);
        let text = format!("__tls_init.{known}");
        LLVMSetValueName2(function, text.as_ptr().cast(), text.len());
        LLVMSetLinkage(function, LLVMLinkage::LLVMInternalLinkage);
        let count = LLVMGetAttributeCountAtIndex(like, inkwell::llvm_sys::LLVMAttributeFunctionIndex);
        let mut attributes = vec![std::ptr::null_mut(); count as usize];
        LLVMGetAttributesAtIndex(
            like,
            inkwell::llvm_sys::LLVMAttributeFunctionIndex,
            attributes.as_mut_ptr(),
        );
        for attribute in attributes {
            LLVMAddAttributeAtIndex(function, inkwell::llvm_sys::LLVMAttributeFunctionIndex, attribute);
        }
        let block = || LLVMAppendBasicBlockInContext(context, function, c"".as_ptr());
        let (entry, run, end) = (block(), block(), block());
        let builder = LLVMCreateBuilderInContext(context);
        LLVMPositionBuilderAtEnd(builder, entry);
        let value = LLVMBuildLoad2(builder, byte, guard, c"".as_ptr());
        let open = LLVMIntPredicate::LLVMIntEQ;
        let open = LLVMBuildICmp(builder, open, value, LLVMConstNull(byte), c"".as_ptr());
        LLVMBuildCondBr(builder, open, run, end);
        LLVMPositionBuilderAtEnd(builder, run);
        LLVMBuildStore(builder, LLVMConstInt(byte, 1, 0), guard);
        let call = LLVMBuildCall2(builder, kind, initialiser, std::ptr::null_mut(), 0, c"".as_ptr());
        LLVMSetInstructionCallConv(call, convention);
        LLVMBuildBr(builder, end);
        LLVMPositionBuilderAtEnd(builder, end);
        LLVMBuildRetVoid(builder);
        LLVMDisposeBuilder(builder);
        function
    }
}
