//! The edits: in each module one function, the same for every way.
//!
//! The edited function stores a number into a local variable, `volatile`, so that no optimiser
//! takes it out: visible in the code, harmless to what the program does. Which function it is
//! follows from the module alone: in order of their number of instructions the middle one, or
//! one at another place in that order. Another number is another edit of the same function.

use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;

use crate::generated;
use crate::llvm;
use crate::ways::{Edit, Module, Program};

/// A function that can be edited.
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// How many instructions it has.
    pub size: usize,
    /// A function of the module that others can call: itself where it is one.
    pub entry: String,
}

/// Functions of a module in order of size.
pub fn candidates(module: &Module) -> Vec<Candidate> {
    llvm::with(&module.bitcode, |ir| {
        let mut functions = llvm::functions(ir);
        functions.retain(|&f| !llvm::is_declaration(f));
        let other = functions.iter().find(|&&f| llvm::is_exported(f)).map(|&f| llvm::name(f));
        let mut all: Vec<Candidate> = (functions.iter())
            .map(|&f| {
                let name = llvm::name(f);
                let entry = if llvm::is_exported(f) { Some(name.clone()) } else { other.clone() };
                Candidate { size: llvm::instructions(f), entry: entry.unwrap_or_default(), name }
            })
            .collect();
        all.sort_by(|a, b| (a.size, &a.name).cmp(&(b.size, &b.name)));
        all
    })
}

/// The function in the middle, if the module has any that others can call.
pub fn middle(module: &Module) -> Option<Candidate> {
    let mut all = candidates(module);
    all.retain(|candidate| !candidate.entry.is_empty());
    let middle = all.len() / 2;
    all.into_iter().nth(middle)
}

/// Edit number `number` of a module: of the middle function, or of `f3` of a generated one.
/// None for a module without functions.
pub fn edit(program: &str, modules: &Program, module: usize, number: i32) -> Option<Edit> {
    if program.starts_with("generated-") {
        return Some(generated::edit(module, modules.modules.len(), 1_000_000_000 + number));
    }
    let function = middle(&modules.modules[module])?;
    Some(of_function(modules, module, &function, number))
}

/// Edit number `number` of one function of a module.
pub fn of_function(program: &Program, module: usize, function: &Candidate, number: i32) -> Edit {
    let old = &program.modules[module];
    let bitcode = llvm::with(&old.bitcode, |ir| {
        let all = llvm::functions(ir);
        let found = all.into_iter().find(|&f| llvm::name(f) == function.name);
        store_number(found.expect("it was found before"), number);
        llvm::write(ir)
    });
    Edit {
        module,
        // Ways that start from a file take the bitcode: there is no edited source.
        to: Module { name: old.name.clone(), bitcode: bitcode.into(), file: None },
        entry: function.entry.clone(),
        call: false,
        answer: None,
    }
}

/// Adds a local variable to the function, and a store to it.
fn store_number(function: LLVMValueRef, number: i32) {
    // SAFETY: a definition of a live module, so it has a first block with an instruction.
    unsafe {
        let context = LLVMGetModuleContext(LLVMGetGlobalParent(function));
        let (builder, integer) = (LLVMCreateBuilderInContext(context), LLVMInt32TypeInContext(context));
        let block = LLVMGetFirstBasicBlock(function);
        LLVMPositionBuilderBefore(builder, LLVMGetFirstInstruction(block));
        let variable = LLVMBuildAlloca(builder, integer, c"edit".as_ptr());
        let store = LLVMBuildStore(builder, LLVMConstInt(integer, number as u64, 0), variable);
        LLVMSetVolatile(store, 1);
        LLVMDisposeBuilder(builder);
    }
}
