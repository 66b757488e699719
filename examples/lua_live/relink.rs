//! The same edit without a table: everything linked into one module and compiled again.

use std::time::{Duration, Instant};

use hotslot::{Runtime, Source};
use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{CodeModel, FileType, InitializationConfig, RelocMode, Target, TargetMachine};

use crate::script::Script;
use crate::{NEW_TEXT, Result, check};

/// What a full relink took.
pub struct Relink {
    pub generate: Duration,
    pub link: Duration,
}

/// Links all modules into one, compiles that as the runtime compiles one, loads the result into
/// a new runtime and runs the script in it, from its beginning.
pub fn relink(modules: &[Vec<u8>]) -> Result<Relink> {
    let text = |message: inkwell::support::LLVMString| message.to_string();
    Target::initialize_native(&InitializationConfig::default())?;
    let triple = TargetMachine::get_default_triple();
    let (cpu, features) = (TargetMachine::get_host_cpu_name(), TargetMachine::get_host_cpu_features());
    let target = Target::from_triple(&triple).map_err(text)?;
    let machine = target
        .create_target_machine(
            &triple,
            &cpu.to_string(),
            &features.to_string(),
            OptimizationLevel::Default,
            RelocMode::PIC,
            CodeModel::Small,
        )
        .ok_or("LLVM cannot generate code for this machine")?;

    let started = Instant::now();
    let context = Context::create();
    let whole = context.create_module("lua");
    whole.set_triple(&triple);
    whole.set_data_layout(&machine.get_target_data().get_data_layout());
    for bitcode in modules {
        let buffer = MemoryBuffer::create_from_memory_range_copy(bitcode, "module");
        whole.link_in_module(context.create_module_from_ir(buffer).map_err(text)?).map_err(text)?;
    }
    // As clang sets them for -O2, and hotslot.
    let options = PassBuilderOptions::create();
    options.set_loop_vectorization(true);
    options.set_loop_slp_vectorization(true);
    options.set_loop_interleaving(true);
    options.set_loop_unrolling(true);
    whole.run_passes("default<O2>", &machine, options).map_err(text)?;
    let object = machine.write_to_memory_buffer(&whole, FileType::Object).map_err(text)?;
    let object = object.as_slice().to_vec();
    let generate = started.elapsed();

    let started = Instant::now();
    let runtime = Runtime::builder().build()?;
    runtime.load("lua", Source::object(object))?;
    let link = started.elapsed();
    let mut script = Script::start(&runtime)?;
    let line = script.next_line()?;
    check(line == NEW_TEXT, || "the relinked program differs".into())?;
    script.stop(NEW_TEXT, NEW_TEXT)?;
    Ok(Relink { generate, link })
}
