//! `hotslot run`: from files to a running program.
//!
//! Owns the order of the steps and the checks a linker would make before a
//! program may start. How each step is done is in the files beside this one and
//! in the library.

use std::collections::HashSet;
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hotslot::{Cache, CallForm, ErrorKind, OptLevel, Report, Runtime, Source};

use super::enter::{Arguments, Entry};
use super::failure::Failure;
use super::frontend::{Frontend, Job, Language};
use super::options::{Calls, Level, RunOptions};
use super::progress::Progress;
use super::{cache, libraries, signals, stress, timing};

/// Loads the program and becomes it; returns only when that fails.
pub fn run(options: &RunOptions) -> Result<Infallible, Failure> {
    let files = classify(&options.files)?;
    let arguments = arguments(options)?;
    let cache = cache::chosen(&options.cache);
    let level = options.optimise;
    let frontend =
        Frontend::new(&options.compilers, level, options.cpu.as_deref(), &options.cflags, cache.as_ref())?;
    if options.time {
        timing::begin();
    }
    let entry = load(options, &files, &frontend, cache).inspect_err(|_| timing::forget())?;
    timing::program_starts();
    entry.run(arguments)
}

/// A file and what it takes to load it.
struct Input<'a> {
    path: &'a Path,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Source(Language),
    Ready,
    Archive,
}

/// Checks the files by name and presence, so that nothing is compiled in vain.
fn classify(files: &[PathBuf]) -> Result<Vec<Input<'_>>, Failure> {
    let mut seen = HashSet::new();
    let mut inputs = Vec::new();
    let mut failures = Vec::new();
    for path in files {
        match kind_of(path) {
            _ if !seen.insert(path) => {
                failures.push(Failure::new(format!("{}: given twice", path.display())));
            }
            Ok(kind) => inputs.push(Input { path, kind }),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures).map_or(Ok(inputs), Err)
}

fn kind_of(path: &Path) -> Result<Kind, Failure> {
    let name = path.display();
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("c") => Kind::Source(Language::C),
        Some("cc" | "cpp" | "cxx") => Kind::Source(Language::Cxx),
        Some("ll" | "bc" | "o") => Kind::Ready,
        Some("a") => Kind::Archive,
        _ => {
            return Err(Failure::new(format!("{name}: unknown kind of file")).hint(
                "files end in .c .cc .cpp .cxx .ll .bc .o or .a; what follows `--` goes to the program",
            ));
        }
    };
    match std::fs::metadata(path) {
        Ok(data) if data.is_dir() => Err(Failure::new(format!("{name}: is a directory"))),
        Ok(_) => Ok(kind),
        Err(error) => Err(Failure::new(format!("{name}: {error}"))),
    }
}

fn arguments(options: &RunOptions) -> Result<Arguments, Failure> {
    Arguments::new(words(options))
}

/// The program's name and arguments.
fn words(options: &RunOptions) -> impl Iterator<Item = OsString> {
    let first = options.argv0.clone().or_else(|| {
        let file = options.files.first()?;
        Some(file.clone().into_os_string())
    });
    first.into_iter().chain(options.args.iter().cloned())
}

/// Everything up to the program's first instruction, except its constructors,
/// which run at the end of this.
fn load(
    options: &RunOptions,
    files: &[Input<'_>],
    frontend: &Frontend,
    cache: Option<Cache>,
) -> Result<Entry, Failure> {
    let progress = Progress::start("starting");
    let noted = cache.is_some();
    let (mut sources, kept) = sources(files, frontend, &progress)?;
    if noted {
        let files = files.iter().filter(|file| matches!(file.kind, Kind::Source(_))).count();
        timing::note(&format!("{kept} of {files} files were in the cache"));
    }
    // To compile again is to do just that.
    let runtime = build(options, cache.filter(|_| !options.stress.recompile))?;
    progress.say("generating code".to_owned());
    let plan = stress::Plan::of(&options.stress);
    let originals = sources.clone();
    if let Some(plan) = &plan {
        let objects = stress::compile(&runtime, plan, &sources, |at| files[at].kind == Kind::Archive)?;
        for ((_, source), object) in sources.iter_mut().zip(objects) {
            *source = object;
        }
        stress::print_at_exit();
    }
    // The end of the update runs the program's constructors.
    signals::restore();
    let mut support = None;
    let prepared = loop {
        let mut update = runtime.update();
        for (name, source) in sources.iter().chain(&support) {
            update.load(name, source.clone());
        }
        update.want(&options.entry);
        libraries::add(&mut update, &options.libraries, &options.library_dirs)?;
        match update.strict().prepare() {
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
    Ok(entry)
}

/// A named source for each file, in the order given, and how many of them clang has compiled for
/// an earlier run.
fn sources(
    files: &[Input<'_>],
    frontend: &Frontend,
    progress: &Progress,
) -> Result<(Vec<(String, Source)>, usize), Failure> {
    let jobs: Vec<Job> = files
        .iter()
        .filter_map(|file| match file.kind {
            Kind::Source(language) => Some(Job::new(file.path, language)),
            Kind::Ready | Kind::Archive => None,
        })
        .collect();
    let begun = Instant::now();
    let compiled = frontend.compile(&jobs, progress)?;
    timing::phase("front end", begun.elapsed());
    let (mut compiled, kept) = (compiled.bitcode.into_iter(), compiled.kept);

    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        let name = file.path.display().to_string();
        let source = match file.kind {
            Kind::Source(_) => {
                let bitcode = compiled.next().unwrap_or_default();
                Source::bitcode(bitcode).trusted().label(name.as_str())
            }
            Kind::Ready => Source::from_path(file.path)?,
            // As a linker takes them: only the members somebody wants.
            Kind::Archive => Source::from_path(file.path)?.on_demand(),
        };
        sources.push((name, source));
    }
    Ok((sources, kept))
}

fn build(options: &RunOptions, cache: Option<Cache>) -> Result<Runtime, Failure> {
    let mut builder = Runtime::builder()
        .opt_level(match options.optimise {
            Level::O0 => OptLevel::O0,
            Level::O1 => OptLevel::O1,
            Level::O2 => OptLevel::O2,
            Level::O3 => OptLevel::O3,
        })
        .tiered(!options.optimised_only)
        .call_form(match options.calls {
            Calls::Slot => CallForm::Slot,
            Calls::Stub => CallForm::Stub,
        })
        // What the program may use is what it is linked with, not what hotslot is.
        .process_symbols(false)
        .lazy(options.lazy)
        .cache(cache)
        .verify_diff(options.verify_diff)
        .arguments(words(options).map(|word| word.into_vec()));
    if let Some(bytes) = options.arena {
        builder = builder.arena_size(bytes);
    }
    if let Some(cpu) = &options.cpu {
        builder = builder.cpu(cpu);
    }
    Ok(builder.build()?)
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
