//! LLVM, as a host that compiles by itself uses it: read bitcode, link modules of IR into one,
//! optimise, generate code.
//!
//! The settings are those that hotslot compiles with: the same processor, level, tuning,
//! relocation and code model. What is done with an object is not known here.

use std::collections::HashSet;
use std::sync::Once;

use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::{Linkage, Module};
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{CodeModel, FileType, InitializationConfig, RelocMode, Target, TargetMachine};
use inkwell::values::{FunctionValue, GlobalValue};
use inkwell::{GlobalVisibility, OptimizationLevel};

use super::{Level, Result, Trouble};

/// Code generation for this machine at one level.
pub struct Codegen {
    machine: TargetMachine,
    level: Level,
}

impl Codegen {
    /// For `cpu`, or for the one at hand.
    pub fn new(cpu: Option<&str>, level: Level) -> Result<Self> {
        static INITIALISED: Once = Once::new();
        INITIALISED.call_once(|| {
            // LLVM without this processor's code generator fails just below.
            let _ = Target::initialize_native(&InitializationConfig::default());
        });
        let triple = TargetMachine::get_default_triple();
        let target = Target::from_triple(&triple).map_err(Trouble::failed)?;
        let (cpu, features) = match cpu {
            Some(cpu) => (cpu.to_owned(), String::new()),
            None => (
                TargetMachine::get_host_cpu_name().to_string(),
                TargetMachine::get_host_cpu_features().to_string(),
            ),
        };
        let effort = match level {
            Level::O0 => OptimizationLevel::None,
            Level::O1 => OptimizationLevel::Less,
            Level::O2 => OptimizationLevel::Default,
            Level::O3 => OptimizationLevel::Aggressive,
        };
        let machine = target
            .create_target_machine(&triple, &cpu, &features, effort, RelocMode::PIC, CodeModel::Small)
            .ok_or_else(|| Trouble::failed(format!("LLVM has no code generator for {cpu}")))?;
        Ok(Self { machine, level })
    }

    /// LLVM's pipeline of the level.
    pub fn optimise(&self, module: &Module<'_>) -> Result<()> {
        let tuning = PassBuilderOptions::create();
        let eager = matches!(self.level, Level::O2 | Level::O3);
        tuning.set_loop_vectorization(eager);
        tuning.set_loop_slp_vectorization(eager);
        tuning.set_loop_interleaving(eager);
        tuning.set_loop_unrolling(eager);
        tuning.set_call_graph_profile(true);
        let passes = format!("default<{}>", self.level.name());
        module.run_passes(&passes, &self.machine, tuning).map_err(Trouble::failed)
    }

    /// An object for this machine.
    pub fn object(&self, module: &Module<'_>) -> Result<MemoryBuffer<'static>> {
        self.machine.write_to_memory_buffer(module, FileType::Object).map_err(Trouble::failed)
    }
}

/// Reads bitcode, or textual IR.
pub fn parse<'c>(context: &'c Context, name: &str, bitcode: &[u8]) -> Result<Module<'c>> {
    let buffer = MemoryBuffer::create_from_memory_range_copy(bitcode, name);
    let module = context
        .create_module_from_ir(buffer)
        .map_err(|why| Trouble::failed(format!("{name}: {}", why.to_string().trim())))?;
    settle(&module);
    Ok(module)
}

/// Modules that are linked into one, two of equal size at a time: LLVM looks through all that is
/// there with each module that it adds, and so would take quadratic time for one after the other.
#[derive(Default)]
pub struct Merger<'c> {
    /// What is linked so far, with how many modules are in it, each more than in the next.
    parts: Vec<(usize, Module<'c>)>,
}

impl<'c> Merger<'c> {
    /// Adds the next module. All must be of the same context.
    pub fn add(&mut self, module: Module<'c>) -> Result<()> {
        self.parts.push((1, module));
        while let [.., (before, _), (last, _)] = self.parts[..]
            && before <= last
        {
            self.fold()?;
        }
        Ok(())
    }

    /// Links all of it into another module.
    pub fn finish(mut self, into: &Module<'c>) -> Result<()> {
        while self.parts.len() > 1 {
            self.fold()?;
        }
        self.parts.pop().map_or(Ok(()), |(_, module)| merge(into, module))
    }

    /// Links the last one into the one before, which keeps their order.
    fn fold(&mut self) -> Result<()> {
        if let Some((count, module)) = self.parts.pop()
            && let Some((before, into)) = self.parts.last_mut()
        {
            merge(into, module)?;
            *before += count;
        }
        Ok(())
    }
}

/// Links one module into another. The two must be of the same context.
pub fn merge<'c>(into: &Module<'c>, module: Module<'c>) -> Result<()> {
    into.link_in_module(module).map_err(|why| Trouble::failed(why.to_string().trim()))
}

/// Says of all definitions that they are final. The bitcode is made for being replaced function
/// by function, so a definition might be another one at run time; for a host that puts
/// everything into one object that would only be in the optimiser's way.
fn settle(module: &Module<'_>) {
    for global in module.get_functions().map(|f| f.as_global_value()).chain(module.get_globals()) {
        if reserved(global.get_name().to_bytes()) {
            continue;
        }
        if is_definition(&global) && is_shared(global.get_linkage()) {
            global.set_visibility(GlobalVisibility::Protected);
        } else if global.get_visibility() != GlobalVisibility::Default {
            // Hidden here is hidden everywhere, and then the host cannot look it up.
            global.set_visibility(GlobalVisibility::Default);
        }
    }
}

fn is_definition(global: &GlobalValue<'_>) -> bool {
    !global.is_declaration() && global.get_linkage() != Linkage::AvailableExternally
}

/// The functions a module defines for others.
pub fn defined<'c>(module: &Module<'c>) -> impl Iterator<Item = FunctionValue<'c>> {
    module.get_functions().filter(|f| f.count_basic_blocks() > 0 && is_shared(f.get_linkage()))
}

/// Whether a module says of a symbol that others define or use that it is not seen outside of the
/// library that the program, or a part of it, is meant to be.
pub fn hides(module: &super::Module) -> bool {
    let context = Context::create();
    let buffer = MemoryBuffer::create_from_memory_range_copy(&module.bitcode, &module.name);
    let Ok(module) = context.create_module_from_ir(buffer) else { return false };
    let functions = module.get_functions().map(|f| f.as_global_value());
    functions
        .chain(module.get_globals())
        .any(|g| is_shared(g.get_linkage()) && g.get_visibility() == GlobalVisibility::Hidden)
}

/// A module's symbols for others: what it defines, and what it refers to.
pub struct Symbols {
    /// Functions and variables that are defined.
    pub defined: HashSet<Vec<u8>>,
    /// Those that are not.
    pub wanted: HashSet<Vec<u8>>,
}

impl Symbols {
    /// Those of a module.
    pub fn of(module: &Module<'_>) -> Self {
        let functions = module
            .get_functions()
            .map(|f| (f.get_name().to_bytes().to_vec(), f.count_basic_blocks() == 0, f.get_linkage()));
        let variables = module
            .get_globals()
            .map(|g| (g.get_name().to_bytes().to_vec(), g.is_declaration(), g.get_linkage()));
        let mut symbols = Self { defined: HashSet::new(), wanted: HashSet::new() };
        for (name, declared, linkage) in functions.chain(variables).filter(|(name, ..)| !reserved(name)) {
            if declared {
                symbols.wanted.insert(name);
            } else if is_shared(linkage) {
                symbols.defined.insert(name);
            }
        }
        symbols
    }
}

/// LLVM's own: intrinsics, lists of constructors.
fn reserved(name: &[u8]) -> bool {
    name.starts_with(b"llvm.")
}

fn is_shared(linkage: Linkage) -> bool {
    !matches!(
        linkage,
        Linkage::Internal
            | Linkage::Private
            | Linkage::LinkerPrivate
            | Linkage::AvailableExternally
            | Linkage::Appending
    )
}
