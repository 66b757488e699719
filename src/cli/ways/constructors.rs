//! A module's constructors, for a host that loads objects by itself: LLVM's C interface to LLJIT
//! runs none.
//!
//! They get names that can be looked up, before code is generated, and are called after loading.
#![allow(unsafe_code)] // a list that inkwell does not read; calls addresses as C functions

use inkwell::llvm_sys::LLVMLinkage;
use inkwell::llvm_sys::core::*;
use inkwell::module::Module;
use inkwell::values::AsValueRef;

use super::Result;
use super::loader::{Library, Loader};

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

/// Calls them.
pub fn run(loader: &Loader, library: Library, names: &[String]) -> Result<()> {
    for name in names {
        let address = loader.lookup(library, name)?;
        // SAFETY: a constructor takes nothing and returns nothing; its code was just loaded.
        unsafe { std::mem::transmute::<usize, extern "C" fn()>(address)() }
    }
    Ok(())
}
