//! Driving LLVM: parse, verify, optimise, generate code.
//!
//! Owns one LLVM context for each compilation, so that any number may run in parallel, and
//! turns everything LLVM has to say into errors: nothing is printed, nothing exits.
//! Deliberately knows nothing of what a module needs to be replaceable; [`super::ir`] does.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CStr, c_void};
use std::time::Instant;

use inkwell::context::Context;
use inkwell::llvm_sys::LLVMDiagnosticSeverity::LLVMDSError;
use inkwell::llvm_sys::core::{
    LLVMContextSetDiagnosticHandler, LLVMContextSetYieldCallback, LLVMDisposeMessage,
    LLVMGetDiagInfoDescription, LLVMGetDiagInfoSeverity,
};
use inkwell::llvm_sys::prelude::{LLVMContextRef, LLVMDiagnosticInfoRef};
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::FileType;

use super::locals::Locals;
use super::machine::{self, Machine};
use super::part::{self, Roles};
use super::{
    CompileOptions, CompileTimes, Compiled, Interface, OptLevel, Source, SourceKind, aliases, assembly,
    debug_info, inlining, ir, types,
};
use crate::error::{Error, ErrorKind, Result};

/// What a compilation tells while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The module was read and is well formed.
    Read,
    /// Something was done since the last time.
    Alive,
}

/// LLVM names this in front of line and column; it is taken off again.
const BUFFER: &str = "ir";

/// What a compilation is to make.
#[derive(Clone, Copy)]
pub(super) enum Goal<'a> {
    /// An object of the whole module, with the roles of its functions if they are known.
    Object(Option<&'a Roles>),
    /// An object of a slice.
    Part(&'a Roles),
    /// Bitcode of this LLVM.
    Bitcode,
}

/// Compiles IR or bitcode for this machine.
pub(super) fn compile(
    source: &Source,
    options: &CompileOptions,
    goal: Goal<'_>,
    progress: &dyn Fn(Progress),
) -> Result<Compiled> {
    machine::with(options, |machine| compile_for(machine, source, options, goal, progress))
}

fn compile_for(
    machine: &Machine,
    source: &Source,
    options: &CompileOptions,
    goal: Goal<'_>,
    progress: &dyn Fn(Progress),
) -> Result<Compiled> {
    let mut times = CompileTimes::default();
    let started = Instant::now();
    let listener = Listener { errors: RefCell::default(), progress };
    let context = Context::create();
    listener.attach(context.raw());
    let module = read(&context, source)?;
    listener.check(ErrorKind::Parse)?;
    if matches!(goal, Goal::Bitcode) {
        let object = module.write_bitcode_to_memory().as_slice().to_vec();
        return Ok(Compiled { object, interface: Interface::default(), lasting: true, times });
    }
    let mut promised = None;
    if let Goal::Part(roles) = goal {
        part::strip(&module, roles);
        promised = (!roles.lazy.is_empty()).then(|| types::promised(&module, &roles.lazy));
    }
    machine.adopt(&module)?;
    aliases::flatten(&module);
    module.verify().map_err(|message| {
        Error::new(ErrorKind::Parse, format!("the module is invalid: {}", message.to_string().trim()))
            .hint("whatever produced this IR has a defect")
    })?;
    progress(Progress::Read);
    let lasting = !assembly::reads_files(&module);
    let locals = match goal {
        Goal::Part(roles) | Goal::Object(Some(roles)) => part::locals(&module, roles),
        _ => Locals::of(&module),
    };
    if options.level != OptLevel::O0 {
        let names = &options.entered_once;
        inlining::keep_apart(&module, |function| match goal {
            Goal::Part(roles) | Goal::Object(Some(roles)) => roles.entered_once.contains(function),
            _ => names.iter().any(|name| name == function),
        });
    }
    let before = ir::prepare(&module, options.call_form, &locals, options.level);
    times.parse = started.elapsed();

    let started = Instant::now();
    if options.level != OptLevel::O0 {
        run(INLINING, &module, machine, options.level)?;
        ir::part(&module, &before);
    }
    run(pipeline(options.level), &module, machine, options.level)?;
    listener.check(ErrorKind::Compile)?;
    progress(Progress::Alive);
    let mut interface = ir::finish(&module, options.call_form, before);
    if let Some((defined, declared)) = promised {
        interface.defined.extend(defined);
        interface.declared.extend(declared);
        interface.sort();
    }
    times.optimise = started.elapsed();

    let started = Instant::now();
    let object = machine.target.write_to_memory_buffer(&module, FileType::Object).map_err(|message| {
        Error::new(ErrorKind::Compile, format!("code generation failed: {}", message.to_string().trim()))
    })?;
    listener.check(ErrorKind::Compile)?;
    let object = object.as_slice().to_vec();
    debug_info::add_members(&object, &mut interface);
    times.codegen = started.elapsed();
    Ok(Compiled { object, interface, lasting, times })
}

fn read<'ctx>(context: &'ctx Context, source: &Source) -> Result<Module<'ctx>> {
    if source.kind() == SourceKind::Bitcode && !super::source::is_bitcode(source.bytes()) {
        return Err(Error::new(ErrorKind::Parse, "not LLVM bitcode"));
    }
    let buffer = MemoryBuffer::create_from_memory_range_copy(source.bytes(), BUFFER);
    context.create_module_from_ir(buffer).map_err(|message| {
        let error =
            Error::new(ErrorKind::Parse, format!("cannot read the module: {}", place(&message.to_string())));
        match source.kind() {
            SourceKind::Bitcode => error.hint(super::isolate::UNREADABLE),
            _ => error,
        }
    })
}

/// LLVM's reader puts the place before the message and repeats the source line after it:
/// `ir:2:9: error: expected type`, the line, a caret.
fn place(message: &str) -> String {
    let first = message.trim().lines().next().unwrap_or_default();
    let Some(rest) = first.strip_prefix(BUFFER).and_then(|rest| rest.strip_prefix(':')) else {
        return first.trim_start_matches("error: ").to_owned();
    };
    let (at, text) = rest.split_once(" error: ").unwrap_or(("", rest));
    match at.trim_end_matches(':').split_once(':') {
        Some((line, column)) => format!("line {line}, column {column}: {text}"),
        None => text.trim().to_owned(),
    }
}

/// Copies functions to their callers, and takes out those that were there for that alone. LLVM's
/// own pipelines do all they can for a body before they copy it; most bodies of a slice are there
/// for a few instructions. So here they get only what shows how large they really are, and code
/// generation's work starts when nobody looks into another function any more.
const INLINING: &str = "coro-early,\
    function<eager-inv>(ee-instrument<>,lower-expect,simplifycfg,sroa<modify-cfg>,early-cse<>),\
    cgscc(devirt<4>(inline,function<eager-inv>(sroa<modify-cfg>,early-cse<>,simplifycfg))),\
    elim-avail-extern,globaldce";

fn pipeline(level: OptLevel) -> &'static str {
    match level {
        OptLevel::O0 => "default<O0>",
        OptLevel::O1 => "default<O1>",
        OptLevel::O2 => "default<O2>",
        OptLevel::O3 => "default<O3>",
    }
}

fn run(passes: &str, module: &Module<'_>, machine: &Machine, level: OptLevel) -> Result<()> {
    // What clang sets for its own pipeline; LLVM's C interface has other defaults.
    let tuning = PassBuilderOptions::create();
    let eager = matches!(level, OptLevel::O2 | OptLevel::O3);
    tuning.set_loop_vectorization(eager);
    tuning.set_loop_slp_vectorization(eager);
    tuning.set_loop_interleaving(eager);
    tuning.set_loop_unrolling(eager);
    tuning.set_call_graph_profile(true);
    module.run_passes(passes, &machine.target, tuning).map_err(|message| {
        Error::new(ErrorKind::Compile, format!("optimisation failed: {}", message.to_string().trim()))
    })
}

/// Hears what LLVM says while a context is in use: errors are kept, warnings dropped.
/// Without it LLVM would print, and end the process at the first error.
struct Listener<'p> {
    errors: RefCell<Vec<String>>,
    progress: &'p dyn Fn(Progress),
}

impl Listener<'_> {
    /// Must outlive all use of the context; it does, being declared before it.
    fn attach(&self, context: LLVMContextRef) {
        let this = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: a live context. The two functions get `self` back, as a shared
        // reference only, on this thread, while the context is in use.
        unsafe {
            LLVMContextSetDiagnosticHandler(context, Some(hear), this);
            LLVMContextSetYieldCallback(context, Some(yielded), this);
        }
    }

    /// Turns what was said since the last time into an error.
    fn check(&self, kind: ErrorKind) -> Result<()> {
        let errors = self.errors.take();
        if errors.is_empty() { Ok(()) } else { Err(Error::new(kind, errors.join("; "))) }
    }
}

extern "C" fn hear(info: LLVMDiagnosticInfoRef, listener: *mut c_void) {
    // SAFETY: LLVM passes a live diagnostic and the listener of `attach`; the text is ours
    // to dispose of.
    unsafe {
        if LLVMGetDiagInfoSeverity(info) == LLVMDSError {
            let listener = &*listener.cast_const().cast::<Listener<'_>>();
            let text = LLVMGetDiagInfoDescription(info);
            let owned = CStr::from_ptr(text).to_string_lossy().trim().to_owned();
            LLVMDisposeMessage(text);
            listener.errors.borrow_mut().push(owned);
        }
    }
}

extern "C" fn yielded(_: LLVMContextRef, listener: *mut c_void) {
    // SAFETY: the listener of `attach`.
    let listener = unsafe { &*listener.cast_const().cast::<Listener<'_>>() };
    (listener.progress)(Progress::Alive);
}
