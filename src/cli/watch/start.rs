//! The start of a session: what is watched, and by whom it is told.
//!
//! Owns the order: the process that compiles is made while there is a single thread, the watches
//! once it is known which files were read, and before the program runs.

use std::path::PathBuf;
use std::time::SystemTime;

use hotslot::{Runtime, Source};

use super::composition::Composition;
use super::events::{Log, What};
use super::files::Files;
use super::helper::{Compilers, Helper};
use super::options::WatchOptions;
use super::session::{Burst, Live, Session, Watched};
use super::terminal::Teller;
use super::update::Target;
use super::{directories, open, restart, session, threads};
use crate::cli::failure::Failure;
use crate::cli::options::{Level, RunOptions};
use crate::cli::program::Program;
use crate::cli::signals;

/// A session before it starts.
pub struct Plan {
    helper: Helper,
    log: Log,
    begun: SystemTime,
}

impl Plan {
    /// Makes what has to be there before anything is compiled: call while this process has a
    /// single thread.
    pub fn new(options: &WatchOptions, compilers: Compilers<'_>) -> Result<Self, Failure> {
        restart::note();
        let log = Log::open(options.events.as_deref())?;
        let begun = SystemTime::now();
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        let helper = Helper::start(compilers, options.jobs.map_or_else(processors, usize::from))?;
        Ok(Self { helper, log, begun })
    }
}

/// What runs.
pub struct Running<'a> {
    pub runtime: Runtime,
    pub program: &'a Program,
    /// What each unit was loaded from, in the same order, by the name of its module.
    pub sources: &'a [(String, Source)],
    /// The files that each was made of, by absolute paths.
    pub reads: Vec<Vec<PathBuf>>,
    pub options: &'a RunOptions,
}

/// Watches what runs.
pub fn start(plan: Plan, running: Running<'_>) -> Result<(), Failure> {
    let events = open().ok_or_else(|| Failure::new("--watch is there once"))?;
    let sender = session().ok_or_else(|| Failure::new("--watch has no session"))?;
    let failed = |error| Failure::new(format!("--watch: {error}"));
    let Running { runtime, program, sources, reads, options } = running;
    let tiered = !options.optimised_only && program.level != Level::O0;
    let libraries = program.libraries.iter().chain(&options.libraries).cloned().collect();
    let library_dirs = options.library_dirs.iter().chain(&program.library_dirs).cloned();
    let units = &program.units;
    let options = &options.watch;
    signals::while_blocked(|| {
        let directories = directories::start(sender.clone()).map_err(failed)?;
        threads::listen(plan.helper.answers().map_err(failed)?, sender.clone())?;
        let settle = match tiered {
            true => Some(threads::settle(runtime.clone(), sender.clone())?),
            false => None,
        };
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let library_dirs = library_dirs.map(absolute).collect();
        let made_from: Vec<PathBuf> = program.made_from.iter().cloned().map(absolute).collect();
        let mut session = Session {
            target: Target { runtime, libraries, library_dirs },
            events,
            settle,
            helper: plan.helper,
            directories,
            files: Files::default(),
            units: units.iter().map(Watched::new).collect(),
            teller: Teller::new(plan.log),
            policy: options.on_incompatible,
            debounce: options.debounce,
            next_ticket: 0,
            burst: Burst::default(),
            quiet_at: None,
            undecided: false,
            replies: Vec::new(),
            composition: Composition::default(),
        };
        session.compose(&made_from);
        let mut stale = Vec::new();
        for (at, (reads, (_, source))) in reads.iter().zip(sources).enumerate() {
            // What was saved while it was being loaded is not live.
            let (inputs, overtaken) = session.inputs(at, reads, Some(plan.begun));
            session.units[at].live = Some(Live { inputs, code: source.hash(), doubted: overtaken });
            if overtaken {
                stale.push(at);
            }
        }
        session.check(&stale);
        let directories = directories::lock(&session.directories).count();
        let (process, units, files) = (std::process::id(), session.units.len(), session.files.count());
        session.tell(&What::Started { process, units, files, directories }, &[]);
        threads::start(session)
    })
}
