//! Driving LLVM: parse, verify, optimise, generate code.
//!
//! Owns one LLVM context for each compilation, so that any number may run in parallel, and
//! turns everything LLVM has to say into errors: nothing is printed, nothing exits.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::time::Instant;

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::llvm_sys::LLVMDiagnosticSeverity::LLVMDSError;
use inkwell::llvm_sys::core::{
    LLVMContextSetDiagnosticHandler, LLVMDisposeMessage, LLVMGetDiagInfoDescription, LLVMGetDiagInfoSeverity,
};
use inkwell::llvm_sys::prelude::LLVMDiagnosticInfoRef;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{
    CodeModel, FileType, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple,
};

use super::{CompileOptions, CompileTimes, Compiled, OptLevel, Source, ir};
use crate::error::{Error, ErrorKind, Result};

/// Compiles IR or bitcode to an object.
pub(super) fn compile(source: &Source, options: &CompileOptions) -> Result<Compiled> {
    let mut times = CompileTimes::default();
    let started = Instant::now();
    let mut diagnostics: Vec<String> = Vec::new();
    let context = Context::create();
    // SAFETY: the handler is called during calls below only, with this vector, which
    // outlives the context's last use and is not touched by us meanwhile.
    unsafe {
        LLVMContextSetDiagnosticHandler(context.raw(), Some(collect), (&raw mut diagnostics).cast());
    }
    let buffer =
        MemoryBuffer::create_from_memory_range_copy(source.bytes(), source.file().unwrap_or("module"));
    let module = context.create_module_from_ir(buffer).map_err(|message| {
        Error::new(ErrorKind::Parse, format!("cannot read the module: {}", first_line(&message.to_string())))
    })?;
    take_errors(&mut diagnostics, ErrorKind::Parse)?;
    let machine = target_machine(&module, options)?;
    module.verify().map_err(|message| {
        Error::new(ErrorKind::Parse, format!("the module is invalid: {}", message.to_string().trim()))
            .hint("whatever produced this IR has a defect")
    })?;
    let interface = ir::prepare(&module, options.call_form);
    times.parse = started.elapsed();

    let started = Instant::now();
    let passes = match options.level {
        OptLevel::O0 => "default<O0>",
        OptLevel::O1 => "default<O1>",
        OptLevel::O2 => "default<O2>",
        OptLevel::O3 => "default<O3>",
    };
    // What clang sets for its own pipeline.
    let tuning = PassBuilderOptions::create();
    let vectorise = matches!(options.level, OptLevel::O2 | OptLevel::O3);
    tuning.set_loop_vectorization(vectorise);
    tuning.set_loop_slp_vectorization(vectorise);
    tuning.set_loop_interleaving(vectorise);
    tuning.set_loop_unrolling(options.level != OptLevel::O0);
    module
        .run_passes(passes, &machine, tuning)
        .map_err(|message| Error::new(ErrorKind::Compile, format!("optimisation failed: {message}")))?;
    take_errors(&mut diagnostics, ErrorKind::Compile)?;
    times.optimise = started.elapsed();

    let started = Instant::now();
    let object = machine.write_to_memory_buffer(&module, FileType::Object).map_err(|message| {
        Error::new(ErrorKind::Compile, format!("code generation failed: {}", message.to_string().trim()))
    })?;
    take_errors(&mut diagnostics, ErrorKind::Compile)?;
    let object = object.as_slice().to_vec();
    times.codegen = started.elapsed();
    Ok(Compiled { object, interface, times })
}

extern "C" fn collect(info: LLVMDiagnosticInfoRef, list: *mut c_void) {
    // SAFETY: LLVM passes a valid diagnostic, and the vector that `compile` registered;
    // it is called on the thread that compiles.
    unsafe {
        if LLVMGetDiagInfoSeverity(info) == LLVMDSError {
            let text = LLVMGetDiagInfoDescription(info);
            (*list.cast::<Vec<String>>()).push(CStr::from_ptr(text).to_string_lossy().into_owned());
            LLVMDisposeMessage(text);
        }
    }
}

fn take_errors(diagnostics: &mut Vec<String>, kind: ErrorKind) -> Result<()> {
    // The handler writes through a pointer that the compiler does not know of.
    let diagnostics = std::hint::black_box(diagnostics);
    match std::mem::take(diagnostics) {
        all if all.is_empty() => Ok(()),
        all => Err(Error::new(kind, all.join("; "))),
    }
}

/// The message of LLVM's IR reader repeats the source line and points at the column.
fn first_line(message: &str) -> &str {
    message.trim().lines().next().unwrap_or_default()
}

fn target_machine(module: &Module<'_>, options: &CompileOptions) -> Result<TargetMachine> {
    static INITIALISED: std::sync::Once = std::sync::Once::new();
    INITIALISED.call_once(|| {
        let config = InitializationConfig::default();
        Target::initialize_x86(&config);
        Target::initialize_aarch64(&config);
    });
    let host = TargetMachine::get_default_triple();
    let triple = module.get_triple();
    let given = triple.as_str().to_string_lossy().into_owned();
    let arch = |triple: &str| triple.split('-').next().unwrap_or_default().to_owned();
    let host_text = host.as_str().to_string_lossy().into_owned();
    if given.is_empty() {
        module.set_triple(&host);
    } else if arch(&given) != arch(&host_text) || !given.contains("linux") {
        return Err(Error::new(
            ErrorKind::Compile,
            format!("the module is for {given}, the host is {host_text}"),
        )
        .hint("compile it for the host, or leave the target triple out"));
    }
    let triple = if given.is_empty() { host } else { TargetTriple::create(&given) };
    let target = Target::from_triple(&triple)
        .map_err(|message| Error::new(ErrorKind::Compile, format!("unknown target {given}: {message}")))?;
    let (cpu, features) = match &options.cpu {
        Some(cpu) => (cpu.clone(), String::new()),
        None => host_cpu().clone(),
    };
    let level = match options.level {
        OptLevel::O0 => OptimizationLevel::None,
        OptLevel::O1 => OptimizationLevel::Less,
        OptLevel::O2 => OptimizationLevel::Default,
        OptLevel::O3 => OptimizationLevel::Aggressive,
    };
    let machine = target
        .create_target_machine(&triple, &cpu, &features, level, RelocMode::PIC, CodeModel::Small)
        .ok_or_else(|| Error::new(ErrorKind::Compile, format!("LLVM has no code generator for {cpu}")))?;
    let layout = machine.get_target_data().get_data_layout();
    if module.get_data_layout().as_str().to_bytes().is_empty() {
        module.set_data_layout(&layout);
    } else if module.get_data_layout().as_str() != layout.as_str() {
        return Err(Error::new(
            ErrorKind::Compile,
            format!(
                "the module's data layout is {:?}, the target's is {:?}",
                module.get_data_layout().as_str(),
                layout.as_str()
            ),
        )
        .hint("leave the data layout out, or produce the module with LLVM 19"));
    }
    Ok(machine)
}

/// Name and features of the host's processor, asked once.
fn host_cpu() -> &'static (String, String) {
    static HOST: std::sync::OnceLock<(String, String)> = std::sync::OnceLock::new();
    HOST.get_or_init(|| {
        (TargetMachine::get_host_cpu_name().to_string(), TargetMachine::get_host_cpu_features().to_string())
    })
}

/// The version of the LLVM that hotslot runs with: major, minor, patch.
pub fn llvm_version() -> (u32, u32, u32) {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: three valid pointers.
    unsafe { inkwell::llvm_sys::core::LLVMGetVersion(&mut major, &mut minor, &mut patch) };
    (major, minor, patch)
}
