//! The way without hotslot: a definition is added to the one module that has all of them, and that is
//! compiled anew by inkwell's execution engine, at the level that hotslot's default is.

use std::hint::black_box;
use std::time::Instant;

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{CodeModel, InitializationConfig, RelocMode, Target, TargetMachine};

use crate::child::{self, tell};
use crate::emit;
use crate::language::{Number, definition, item};
use crate::rounds::median;
use crate::syntax::Item;

/// After more definitions than this it is not measured.
const MOST: usize = 1000;

/// Milliseconds for a definition after `count` others.
pub fn measure(count: usize) -> Option<f64> {
    if count > MOST {
        return None;
    }
    child::run("recompiled", &[&count.to_string()]).get("median").copied()
}

/// Measures in a process of its own, after how many definitions.
pub fn child(arguments: &[&str]) {
    let count: usize = arguments.first().and_then(|count| count.parse().ok()).expect("a count");
    Target::initialize_x86(&InitializationConfig::default());
    let triple = TargetMachine::get_default_triple();
    let target = Target::from_triple(&triple).expect("LLVM knows this machine");
    let (cpu, features) = (TargetMachine::get_host_cpu_name(), TargetMachine::get_host_cpu_features());
    let (cpu, features) = (cpu.to_string(), features.to_string());
    let level = OptimizationLevel::Default;
    let machine = target
        .create_target_machine(&triple, &cpu, &features, level, RelocMode::Default, CodeModel::JITDefault)
        .expect("LLVM has a code generator for it");
    // What is there before: the definitions as emitted.
    let context = Context::create();
    let all = context.create_module("all");
    (0..count).for_each(|n| add(&context, &all, n));
    let before = all.write_bitcode_to_memory();
    let rounds = if count > 100 { 3 } else { 21 };
    let mut times = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        let context = Context::create();
        let copy = MemoryBuffer::create_from_memory_range_copy(before.as_slice(), "all");
        let module = Module::parse_bitcode_from_buffer(&copy, &context).expect("it was just written");
        add(&context, &module, count);
        module
            .run_passes("default<O2>", &machine, PassBuilderOptions::create())
            .expect("the pipeline exists");
        let engine = module.create_jit_execution_engine(level).expect("there is a JIT");
        let address = engine.get_function_address(&format!("f{count}")).expect("it was just added");
        // SAFETY: every function of the language has this type here.
        let function = unsafe { std::mem::transmute::<usize, Number>(address) };
        black_box(function(count as f64 - 1.0));
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    tell("median", median(&times));
}

/// Adds the `n`-th definition to the module.
fn add<'ctx>(context: &'ctx Context, all: &Module<'ctx>, n: usize) {
    let Item::Definition(prototype, body) = item(&definition(n)) else { panic!("it is a definition") };
    let module = emit::module(context, &prototype, &body, &|_| Some(1)).expect("it is well formed");
    all.link_in_module(module).expect("names differ");
}
