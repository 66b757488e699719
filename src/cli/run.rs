//! `hotslot run`: from files to a running program.
//!
//! Owns the order of the steps and the checks a linker would make before a
//! program may start. How each step is done is in the files beside this one and
//! in the library.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hotslot::{Cache, CallForm, ErrorKind, OptLevel, Report, Runtime, Source};

use super::enter::{Arguments, Entry};
use super::failure::Failure;
use super::frontend::{Frontend, Job};
use super::options::{Calls, Level, RunOptions};
use super::program::{Kind, Program, Unit};
use super::progress::Progress;
use super::{
    assembler, cache, control, crash, exit, hooks, libraries, optimiser, signals, stress, timing, watch,
};

/// Loads the program and becomes it; returns only when that fails.
pub fn run(options: &RunOptions) -> Result<Infallible, Failure> {
    let program = Program::chosen(options)?;
    tell(&program.notes);
    let arguments = Arguments::new(words(options, &program))?;
    let cache = cache::chosen(&options.cache);
    let cpu = options.cpu.as_deref();
    let flags = options.tools.flags(&options.cflags);
    let frontend = Frontend::new(&options.compilers, program.level, cpu, &flags, cache.as_ref())?;
    let frontend = match options.watch.jobs {
        Some(jobs) => frontend.with_width(jobs.get()),
        None => frontend,
    };
    if options.time {
        timing::begin();
    }
    let plan = watch(options, &program, &flags, &cache)?;
    let control = control::prepare(&options.control)?;
    let entry =
        load(options, &program, frontend, cache, (plan, control)).inspect_err(|_| timing::forget())?;
    timing::program_starts();
    entry.run(arguments)
}

/// What is needed to watch, made while this process has a single thread.
fn watch(
    options: &RunOptions,
    program: &Program,
    flags: &[String],
    cache: &Option<Cache>,
) -> Result<Option<watch::Plan>, Failure> {
    if !options.watch.watch {
        return Ok(None);
    }
    let (level, cpu) = (program.level, options.cpu.as_deref());
    let frontend = Frontend::new(&options.compilers, level, cpu, flags, cache.as_ref())?;
    let compilers = watch::Compilers {
        frontend,
        assembler: options.compilers.cc.clone(),
        program: &|| Program::chosen(options),
    };
    watch::Plan::new(&options.watch, compilers).map(Some)
}

/// What is not as in a build by the project's own tools.
fn tell(notes: &[String]) {
    let text: String = notes.iter().map(|note| format!("hotslot: note: {note}\n")).collect();
    // A closed stderr must not stop a program from running.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The program's name and arguments.
fn words(options: &RunOptions, program: &Program) -> impl Iterator<Item = OsString> {
    let first = options.argv0.clone().or_else(|| program.argv0.clone());
    first.into_iter().chain(options.args.iter().cloned())
}

/// Everything up to the program's first instruction, except its constructors,
/// which run at the end of this.
fn load(
    options: &RunOptions,
    program: &Program,
    frontend: Frontend,
    cache: Option<Cache>,
    (watched, control): (Option<watch::Plan>, control::Control),
) -> Result<Entry, Failure> {
    let progress = Progress::start("starting");
    let noted = cache.is_some();
    let units = &program.units;
    let compiled = sources(units, &options.compilers.cc, &frontend, &progress);
    let Sources { mut sources, reads, kept } = compiled.map_err(|failure| match &program.advice {
        Some(advice) => failure.hint(advice),
        None => failure,
    })?;
    if noted {
        let files = units.iter().filter(|unit| matches!(unit.kind, Kind::Source(_))).count();
        timing::note(&format!("{kept} of {files} files were in the cache"));
    }
    // To compile again is to do just that.
    let runtime = build(options, program, cache.filter(|_| !options.stress.recompile))?;
    exit::define(&runtime)?;
    optimiser::rest_at_exit(&runtime);
    hooks::install(&runtime, &options.hooks)?;
    progress.say("generating code".to_owned());
    let plan = stress::Plan::of(&options.stress);
    let originals = sources.clone();
    if let Some(plan) = &plan {
        let objects = stress::compile(&runtime, plan, &sources, |at| units[at].kind == Kind::Archive)?;
        for ((_, source), object) in sources.iter_mut().zip(objects) {
            *source = object;
        }
        stress::print_at_exit();
    }
    // The end of the update runs the program's constructors.
    signals::restore();
    crash::prepare(&runtime, &options.crash)?;
    let mut support = None;
    let prepared = loop {
        let mut update = runtime.update();
        for (name, source) in sources.iter().chain(&support) {
            update.load(name, source.clone());
        }
        update.want(&options.entry);
        // What the program is linked with comes before what the user adds.
        let names = program.libraries.iter().chain(&options.libraries);
        let dirs = options.library_dirs.iter().chain(&program.library_dirs);
        libraries::add(&mut update, names, &dirs.cloned().collect::<Vec<_>>())?;
        match update.strict().keep().prepare() {
            // A few names are in the compiler's own static library only. That is rare
            // enough to look there last.
            Err(error) if support.is_none() && error.kind() == ErrorKind::Resolve => {
                support = Some(libraries::compiler_support().ok_or(error)?);
            }
            result => break result?,
        }
    };
    // What constructors print must not meet the line.
    progress.finish();
    let report = prepared.commit()?;
    for (name, took) in phases(&report) {
        timing::phase(name, took);
    }
    if noted {
        let kept = report.modules.iter().filter(|module| module.cached).count();
        timing::note(&format!("{kept} of {} modules were in the cache", report.modules.len()));
    }
    let entry = Entry::find(runtime.clone(), &options.entry)?;
    if let Some(plan) = plan {
        stress::start(plan, &runtime, &originals, &sources)?;
    }
    if let Some(plan) = watched {
        let running =
            watch::Running { runtime: runtime.clone(), program, sources: &originals, reads, options };
        watch::start(plan, running)?;
    }
    control::start(control, options, program, &runtime, frontend)?;
    Ok(entry)
}

/// What the units were compiled to.
struct Sources {
    /// By the names of their modules.
    sources: Vec<(String, Source)>,
    /// The files that each was made of.
    reads: Vec<Vec<PathBuf>>,
    /// How many clang has compiled for an earlier run.
    kept: usize,
}

/// A named source for each unit, in the order given, and how many of them clang has compiled for
/// an earlier run.
fn sources(
    units: &[Unit],
    assembler: &Path,
    frontend: &Frontend,
    progress: &Progress,
) -> Result<Sources, Failure> {
    let jobs: Vec<Job> = units.iter().filter_map(Unit::job).collect();
    let begun = Instant::now();
    let compiled = frontend.compile(&jobs, progress)?;
    timing::phase("front end", begun.elapsed());
    let (mut bitcode, mut read) = (compiled.bitcode.into_iter(), compiled.reads.into_iter());
    let kept = compiled.kept;
    let itself = |unit: &Unit| std::path::absolute(&unit.path).unwrap_or_else(|_| unit.path.clone());

    let mut sources = Vec::with_capacity(units.len());
    let mut reads = Vec::with_capacity(units.len());
    for unit in units {
        reads.push(match unit.kind {
            Kind::Source(_) => read.next().unwrap_or_default(),
            Kind::Assembly | Kind::Ready => vec![itself(unit)],
            Kind::Archive => Vec::new(),
        });
        let source = match unit.kind {
            Kind::Source(_) => {
                let bitcode = bitcode.next().unwrap_or_default();
                Source::bitcode(bitcode).trusted().label(unit.path.to_string_lossy())
            }
            Kind::Assembly => assembler::assemble(assembler, unit, progress)?,
            Kind::Ready | Kind::Archive => Source::from_path(&unit.path)?,
        };
        sources.push((unit.name.clone(), if unit.on_demand { source.on_demand() } else { source }));
    }
    Ok(Sources { sources, reads, kept })
}

fn build(options: &RunOptions, program: &Program, cache: Option<Cache>) -> Result<Runtime, Failure> {
    let mut builder = Runtime::builder()
        .opt_level(match program.level {
            Level::O0 => OptLevel::O0,
            Level::O1 => OptLevel::O1,
            Level::O2 => OptLevel::O2,
            Level::O3 => OptLevel::O3,
        })
        .tiered(!options.optimised_only)
        // A linker puts together what no compiler has compared.
        .check_declarations(false)
        .call_form(match options.calls {
            Calls::Slot => CallForm::Slot,
            Calls::Stub => CallForm::Stub,
        })
        // What the program may use is what it is linked with, not what hotslot is.
        .process_symbols(false)
        .lazy(options.lazy)
        .entered_once(stays(options))
        .history(options.watch.keep)
        .cache(cache)
        .verify_diff(options.verify_diff)
        .arguments(words(options, program).map(|word| word.into_vec()));
    builder = options.tools.apply(builder);
    if let Some(bytes) = options.arena {
        builder = builder.arena_size(bytes);
    }
    if let Some(cpu) = &options.cpu {
        builder = builder.cpu(cpu);
    }
    Ok(builder.build()?)
}

/// The function that the program is in from its beginning to its end, where its code may change
/// meanwhile.
fn stays(options: &RunOptions) -> Option<&str> {
    let changes = options.watch.watch || options.control.control.is_some() || options.control.keys;
    changes.then_some(&*options.entry)
}

/// The library's phases in the order they happen.
fn phases(report: &Report) -> [(&'static str, Duration); 5] {
    let times = &report.times;
    [
        ("parse", times.parse),
        ("optimise", times.optimise),
        ("code generation", times.codegen),
        ("link", times.link),
        ("publish", times.publish),
    ]
}
