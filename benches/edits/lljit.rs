//! A way: LLVM's LLJIT, one JITDylib for each version of a module, through its C interface.
//!
//! The host defines in each new JITDylib what the module refers to elsewhere, as absolute
//! symbols, links it by looking its functions up, and then has the stubs lead to them. Old
//! versions stay: nothing tells who is still inside. Variables of a new version start anew.

use std::ffi::{CStr, CString, c_void};
use std::ptr::null_mut;
use std::time::Instant;

use inkwell::llvm_sys::error::{LLVMErrorRef, LLVMGetErrorMessage};
use inkwell::llvm_sys::orc2::lljit::*;
use inkwell::llvm_sys::orc2::*;
use inkwell::llvm_sys::prelude::LLVMMemoryBufferRef;

use crate::llvm::{self, Machine};
use crate::symbols::{Names, Symbols};
use crate::ways::{Contender, Edit, Level, Module, Phase, Program, Result, Split, Trouble, Way};

/// LLJIT.
pub const CONTENDER: Contender = Contender {
    name: "lljit",
    what: "the module is compiled into a new JITDylib, the host redirects its own stubs",
    price: "variables start anew; old code stays; stubs, stores and lookups are the host's matter",
    load: |program, level| Ok(Box::new(Lljit::load(program, level)?)),
    host: &[include_str!("lljit.rs"), include_str!("symbols.rs"), include_str!("stubs.rs")],
};

struct Lljit {
    jit: LLVMOrcLLJITRef,
    machine: Machine,
    symbols: Symbols,
    versions: usize,
    /// When the last object was ready to be linked; LLVM holds its address.
    generated: Box<Option<Instant>>,
}

fn check(error: LLVMErrorRef) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: an error that nobody has consumed; its message is a C string.
    let message = unsafe { CStr::from_ptr(LLVMGetErrorMessage(error)) };
    Err(Trouble::failed(message.to_string_lossy()))
}

/// Hears when code generation ends and linking starts.
extern "C" fn note(generated: *mut c_void, _: *mut LLVMMemoryBufferRef) -> LLVMErrorRef {
    // SAFETY: the box of the way, which lives as long as the JIT; one thread.
    unsafe { *generated.cast::<Option<Instant>>() = Some(Instant::now()) };
    null_mut()
}

impl Lljit {
    fn load(program: &Program, level: Level) -> Result<Self> {
        llvm::initialise();
        let (mut jit, mut generated) = (null_mut(), Box::new(None));
        // SAFETY: a new JIT, never disposed of. It generates code at the level's effort and for
        // the same machine as the other ways.
        unsafe {
            let builder = LLVMOrcCreateLLJITBuilder();
            let target = Machine::new(level).into_builder();
            LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(builder, target);
            check(LLVMOrcCreateLLJIT(&mut jit, builder))?;
            let context = std::ptr::from_mut(generated.as_mut()).cast();
            LLVMOrcObjectTransformLayerSetTransform(LLVMOrcLLJITGetObjTransformLayer(jit), note, context);
        }
        let machine = Machine::new(level);
        let mut this = Self { jit, machine, symbols: Symbols::default(), versions: 0, generated };
        for index in this.symbols.order(&program.modules)? {
            this.add(&program.modules[index], &mut Split::default())?;
        }
        Ok(this)
    }

    /// Compiles a version, links it and has the stubs lead to it.
    fn add(&mut self, module: &Module, split: &mut Split) -> Result<()> {
        // SAFETY: the module belongs to a context of its own, which goes to the JIT with it; all
        // names are C strings; what is handed over is not used again.
        unsafe {
            let context = LLVMOrcCreateNewThreadSafeContext();
            let (ir, names) = split.time(Phase::Parse, || {
                let ir = llvm::parse(LLVMOrcThreadSafeContextGetContext(context), &module.bitcode);
                (ir, Names::of(ir))
            });
            split.time(Phase::Optimise, || self.machine.optimise(ir));
            let begun = Instant::now();
            let dylib = self.dylib(&module.name)?;
            let wanted = self.symbols.resolve(&names);
            let mut pairs: Vec<_> = wanted.iter().map(|(name, address)| self.pair(name, *address)).collect();
            check(LLVMOrcJITDylibDefine(dylib, LLVMOrcAbsoluteSymbols(pairs.as_mut_ptr(), pairs.len())))?;
            let safe = LLVMOrcCreateNewThreadSafeModule(ir, context);
            LLVMOrcDisposeThreadSafeContext(context);
            check(LLVMOrcLLJITAddLLVMIRModule(self.jit, dylib, safe))?;
            *self.generated = None;
            let mut addresses = std::collections::HashMap::new();
            for name in names.functions.iter().chain(&names.data) {
                addresses.insert(name.clone(), self.lookup(dylib, name)?);
            }
            let ready = Instant::now();
            let middle = self.generated.unwrap_or(ready);
            split.add(Phase::Code, middle - begun);
            split.add(Phase::Link, ready - middle);
            split.time(Phase::Publish, || self.symbols.publish(&names, |name| addresses[name]));
        }
        Ok(())
    }

    /// A new JITDylib that finds the process's symbols.
    fn dylib(&mut self, name: &str) -> Result<LLVMOrcJITDylibRef> {
        self.versions += 1;
        let name = CString::new(format!("{name} {}", self.versions)).unwrap_or_default();
        let mut generator = null_mut();
        // SAFETY: a live session; the generator goes to the dylib.
        unsafe {
            let session = LLVMOrcLLJITGetExecutionSession(self.jit);
            // Without what LLVM's platform puts into each for C++'s ends of programs.
            let dylib = LLVMOrcExecutionSessionCreateBareJITDylib(session, name.as_ptr());
            let prefix = LLVMOrcLLJITGetGlobalPrefix(self.jit);
            check(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
                &mut generator,
                prefix,
                None,
                null_mut(),
            ))?;
            LLVMOrcJITDylibAddGenerator(dylib, generator);
            Ok(dylib)
        }
    }

    fn pair(&self, name: &str, address: usize) -> LLVMOrcCSymbolMapPair {
        let name = CString::new(name).unwrap_or_default();
        let exported = LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsExported as u8;
        let flags = LLVMJITSymbolFlags { GenericFlags: exported, TargetFlags: 0 };
        LLVMOrcCSymbolMapPair {
            // SAFETY: a live JIT and a C string; the definition takes the name.
            Name: unsafe { LLVMOrcLLJITMangleAndIntern(self.jit, name.as_ptr()) },
            Sym: LLVMJITEvaluatedSymbol { Address: address as u64, Flags: flags },
        }
    }

    /// The address of a symbol of one JITDylib. LLJIT's own lookup asks the main one only.
    fn lookup(&self, dylib: LLVMOrcJITDylibRef, name: &str) -> Result<usize> {
        let name = CString::new(name).unwrap_or_default();
        let mut found = Found { address: 0, error: null_mut() };
        // SAFETY: the session runs its work in this thread, so the answer is there on return;
        // the lookup takes the name.
        unsafe {
            // Names of hidden visibility are other modules' too.
            let mut order = LLVMOrcCJITDylibSearchOrderElement {
                JD: dylib,
                JDLookupFlags: LLVMOrcJITDylibLookupFlags::LLVMOrcJITDylibLookupFlagsMatchAllSymbols,
            };
            let mut wanted = LLVMOrcCLookupSetElement {
                Name: LLVMOrcLLJITMangleAndIntern(self.jit, name.as_ptr()),
                LookupFlags: LLVMOrcSymbolLookupFlags::LLVMOrcSymbolLookupFlagsRequiredSymbol,
            };
            LLVMOrcExecutionSessionLookup(
                LLVMOrcLLJITGetExecutionSession(self.jit),
                LLVMOrcLookupKind::LLVMOrcLookupKindStatic,
                &mut order,
                1,
                &mut wanted,
                1,
                answer,
                std::ptr::from_mut(&mut found).cast(),
            );
        }
        check(found.error)?;
        Ok(found.address)
    }
}

struct Found {
    address: usize,
    error: LLVMErrorRef,
}

extern "C" fn answer(error: LLVMErrorRef, pairs: LLVMOrcCSymbolMapPairs, count: usize, found: *mut c_void) {
    // SAFETY: the record of the waiting lookup, and as many pairs as LLVM says.
    unsafe {
        let found = &mut *found.cast::<Found>();
        found.error = error;
        if error.is_null() && count > 0 {
            found.address = (*pairs).Sym.Address as usize;
        }
    }
}

impl Way for Lljit {
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
