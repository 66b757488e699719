//! A way: LLVM's MCJIT, one engine for each version of a module.
//!
//! The host maps what the module refers to elsewhere to addresses, has it compiled by asking
//! for its functions, and has the stubs lead to them. Old engines stay: nothing tells who is
//! still inside. Variables of a new version start anew.

use std::ffi::{CStr, CString};
use std::ptr::null_mut;
use std::time::Instant;

use inkwell::llvm_sys::core::{LLVMContextCreate, LLVMGetNamedFunction, LLVMGetNamedGlobal};
use inkwell::llvm_sys::execution_engine::*;

use crate::llvm::{self, Machine};
use crate::symbols::{Names, Symbols};
use crate::ways::{Contender, Edit, Level, Module, Phase, Program, Result, Split, Trouble, Way};

/// MCJIT.
pub const CONTENDER: Contender = Contender {
    name: "mcjit",
    what: "the module is compiled in a new engine, the host redirects its own stubs",
    price: "variables start anew; old code stays; stubs, stores and lookups are the host's matter",
    load: |program, level| Ok(Box::new(Mcjit::load(program, level)?)),
    host: &[include_str!("mcjit.rs"), include_str!("symbols.rs"), include_str!("stubs.rs")],
};

struct Mcjit {
    machine: Machine,
    level: Level,
    symbols: Symbols,
}

impl Mcjit {
    fn load(program: &Program, level: Level) -> Result<Self> {
        llvm::initialise();
        // SAFETY: makes sure that MCJIT is linked in.
        unsafe { LLVMLinkInMCJIT() };
        let mut this = Self { machine: Machine::new(level), level, symbols: Symbols::default() };
        for index in this.symbols.order(&program.modules)? {
            this.add(&program.modules[index], &mut Split::default())?;
        }
        Ok(this)
    }

    /// Compiles a version, links it and has the stubs lead to it.
    fn add(&mut self, module: &Module, split: &mut Split) -> Result<()> {
        // SAFETY: a context of its own, which lives as long as the engine: for ever. The engine
        // takes the module.
        unsafe {
            let (ir, names) = split.time(Phase::Parse, || {
                let ir = llvm::parse(LLVMContextCreate(), &module.bitcode);
                (ir, Names::of(ir))
            });
            split.time(Phase::Optimise, || self.machine.optimise(ir));
            // Code generation and linking are one call.
            let begun = Instant::now();
            let mut options: LLVMMCJITCompilerOptions = std::mem::zeroed();
            let size = size_of::<LLVMMCJITCompilerOptions>();
            LLVMInitializeMCJITCompilerOptions(&mut options, size);
            options.OptLevel = self.level as u32;
            let (mut engine, mut message) = (null_mut(), null_mut());
            if LLVMCreateMCJITCompilerForModule(&mut engine, ir, &mut options, size, &mut message) != 0 {
                return Err(Trouble::failed(CStr::from_ptr(message).to_string_lossy()));
            }
            for (name, address) in self.symbols.resolve(&names) {
                let name = CString::new(name).unwrap_or_default();
                let function = LLVMGetNamedFunction(ir, name.as_ptr());
                let value = if function.is_null() { LLVMGetNamedGlobal(ir, name.as_ptr()) } else { function };
                // The optimiser may have dropped it.
                if !value.is_null() {
                    LLVMAddGlobalMapping(engine, value, address as *mut _);
                }
            }
            let address = |name: &str| {
                let c_name = CString::new(name).unwrap_or_default();
                // Asked for a function, MCJIT does not look at modules that have data only.
                match names.data.iter().any(|data| data == name) {
                    true => LLVMGetGlobalValueAddress(engine, c_name.as_ptr()) as usize,
                    false => LLVMGetFunctionAddress(engine, c_name.as_ptr()) as usize,
                }
            };
            // The first one compiles everything.
            names.functions.iter().chain(&names.data).next().map(|name| address(name));
            split.add(Phase::Code, begun.elapsed());
            split.time(Phase::Publish, || self.symbols.publish(&names, address));
        }
        Ok(())
    }
}

impl Way for Mcjit {
    fn edit(&mut self, edit: &Edit) -> Result<Split> {
        let (mut split, begun) = (Split::default(), Instant::now());
        self.add(&edit.to, &mut split)?;
        self.symbols.first_call(edit)?;
        split.total = begun.elapsed();
        Ok(split)
    }

    fn address(&self, symbol: &str) -> Result<Option<usize>> {
        Ok(self.symbols.find(symbol))
    }
}
