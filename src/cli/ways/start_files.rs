//! What a compiler's start files do for an executable, for a host that loads objects by itself:
//! constructors run, destructors of variables are registered for this object and run when it goes.
//!
//! LLVM's C interface to LLJIT does none of it. Constructors get names that can be looked up,
//! before code is generated, and are called after loading.
#![allow(unsafe_code)] // a list that inkwell does not read; calls addresses as C functions

use std::ffi::c_void;

use inkwell::AddressSpace;
use inkwell::context::Context;
use inkwell::llvm_sys::LLVMLinkage;
use inkwell::llvm_sys::core::*;
use inkwell::module::{Linkage, Module};
use inkwell::values::{AsValueRef, GlobalValue};

use super::loader::{Library, Loader};
use super::{Result, Trouble};

/// The variable that every object has one of.
pub const HANDLE: &str = "__dso_handle";

/// An empty module, with what start files define, for others to be linked into.
pub fn whole(context: &Context) -> Result<Module<'_>> {
    let module = context.create_module("whole");
    let byte = context.i8_type();
    let handle = module.add_global(byte, None, HANDLE);
    handle.set_initializer(&byte.const_zero());
    atexit(context, &module, handle).map_err(Trouble::failed)?;
    Ok(module)
}

/// The C library has this one for linking only: it names the object that it is linked into. A
/// program's own goes before.
fn atexit<'c>(
    context: &'c Context,
    module: &Module<'c>,
    handle: GlobalValue<'c>,
) -> std::result::Result<(), inkwell::builder::BuilderError> {
    let (int, pointer) = (context.i32_type(), context.ptr_type(AddressSpace::default()));
    let kind = int.fn_type(&[pointer.into(), pointer.into(), pointer.into()], false);
    let register = module.add_function("__cxa_atexit", kind, None);
    let function =
        module.add_function("atexit", int.fn_type(&[pointer.into()], false), Some(Linkage::WeakAny));
    let builder = context.create_builder();
    builder.position_at_end(context.append_basic_block(function, "start"));
    let handler = function.get_first_param().unwrap_or(pointer.const_null().into());
    let arguments = [handler.into(), pointer.const_null().into(), handle.as_pointer_value().into()];
    let result = builder.build_call(register, &arguments, "registered")?;
    let result = result.try_as_basic_value().basic().unwrap_or(int.const_zero().into());
    builder.build_return(Some(&result)).map(drop)
}

/// Gives a module's constructors names, and returns them in the order they are to be called in.
pub fn name(module: &Module<'_>) -> Vec<String> {
    let Some(list) = module.get_global("llvm.global_ctors") else { return Vec::new() };
    let mut found = Vec::new();
    // SAFETY: the list's elements are structs of a priority, a function and data. A null pointer
    // is possible where a linker left one out, and what is no function is not called.
    unsafe {
        let elements = LLVMGetInitializer(list.as_value_ref());
        let count = if elements.is_null() { 0 } else { LLVMGetArrayLength2(LLVMTypeOf(elements)) };
        for index in 0..count as u32 {
            let element = LLVMGetAggregateElement(elements, index);
            let function = LLVMIsAFunction(LLVMGetAggregateElement(element, 1));
            if !function.is_null() {
                let priority = LLVMConstIntGetZExtValue(LLVMGetAggregateElement(element, 0));
                found.push((priority, function));
            }
        }
        // Those of one priority stay in their order.
        found.sort_by_key(|(priority, _)| *priority);
        let rename = |(index, (_, function))| {
            let name: String = format!("hotslot_compare_constructor_{index}");
            LLVMSetValueName2(function, name.as_ptr().cast(), name.len());
            LLVMSetLinkage(function, LLVMLinkage::LLVMExternalLinkage);
            name
        };
        found.into_iter().enumerate().map(rename).collect()
    }
}

/// Runs the destructors that an object registered, before it goes.
pub fn finish(handle: usize) {
    unsafe extern "C" {
        fn __cxa_finalize(handle: *mut c_void);
    }
    // SAFETY: runs what was registered with this handle, whose object is still there.
    unsafe { __cxa_finalize(std::ptr::with_exposed_provenance_mut(handle)) }
}

/// Calls them.
pub fn run(loader: &Loader, library: Library, names: &[String]) -> Result<()> {
    for name in names {
        let address = loader.lookup(library, name)?;
        // SAFETY: a constructor takes nothing and returns nothing; its code was just loaded.
        unsafe { std::mem::transmute::<usize, extern "C" fn()>(address)() }
    }
    Ok(())
}
