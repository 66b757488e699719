//! Compiles units, several at once, each under a ticket by which it can be called off.
//!
//! Owns the threads that wait for compilers. They are in a process of their own, see
//! `helper.rs`. Knows nothing of why something is compiled or of what becomes of it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::cli::assembler;
use crate::cli::cancel::Cancel;
use crate::cli::failure::Failure;
use crate::cli::frontend::{Frontend, Verdict};
use crate::cli::program::{Kind, Unit};

/// Something to compile.
pub struct Task {
    /// Tells it from every other task.
    pub ticket: u64,
    pub unit: Unit,
}

/// What came of it.
#[derive(Debug)]
pub struct Made {
    pub ticket: u64,
    /// What there is to load, or what to say where the compiler itself has said nothing.
    pub result: Result<Vec<u8>, String>,
    /// By the compiler, for the user.
    pub said: Vec<u8>,
    /// Every file that was read, by absolute paths.
    pub reads: Vec<PathBuf>,
}

/// The threads, and what waits for them.
pub struct Pool {
    frontend: Frontend,
    assembler: PathBuf,
    /// Where hotslot was started.
    directory: Option<PathBuf>,
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<(Task, Cancel)>,
    running: Vec<(u64, Cancel)>,
}

impl Pool {
    /// Starts `jobs` threads, which hand what they have made to `done`.
    pub fn start(
        frontend: Frontend,
        assembler: PathBuf,
        jobs: usize,
        done: impl Fn(Made) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let directory = std::env::current_dir().ok();
        let (line, changed) = Default::default();
        let pool = Arc::new(Self { frontend, assembler, directory, line, changed });
        let done = Arc::new(done);
        for _ in 0..jobs.max(1) {
            let (pool, done) = (pool.clone(), done.clone());
            std::thread::spawn(move || pool.work(&*done));
        }
        pool
    }

    /// Compiles `task` when its turn comes.
    pub fn submit(&self, task: Task) {
        self.lock().waiting.push_back((task, Cancel::default()));
        self.changed.notify_one();
    }

    /// Calls it off: nothing is handed back for it any more.
    pub fn cancel(&self, ticket: u64) {
        let mut line = self.lock();
        line.waiting.retain(|(task, _)| task.ticket != ticket);
        for (_, cancel) in line.running.extract_if(.., |(running, _)| *running == ticket) {
            cancel.cancel();
        }
    }

    /// Calls off all of it.
    pub fn end(&self) {
        let mut line = self.lock();
        line.waiting.clear();
        line.running.drain(..).for_each(|(_, cancel)| cancel.cancel());
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, done: &dyn Fn(Made)) {
        loop {
            let mut line = self.lock();
            let (task, cancel) = loop {
                match line.waiting.pop_front() {
                    Some(next) => break next,
                    None => line = self.changed.wait(line).unwrap_or_else(PoisonError::into_inner),
                }
            };
            line.running.push((task.ticket, cancel.clone()));
            drop(line);
            let made = self.make(&task, &cancel);
            let mut line = self.lock();
            let before = line.running.len();
            line.running.retain(|(ticket, _)| *ticket != task.ticket);
            let wanted = line.running.len() < before;
            drop(line);
            if let (true, Some(made)) = (wanted, made) {
                done(made);
            }
        }
    }

    /// `None` if it was called off.
    fn make(&self, task: &Task, cancel: &Cancel) -> Option<Made> {
        let unit = &task.unit;
        // It may have been removed and made anew: then it is the new one that counts.
        self.directory.iter().for_each(|directory| _ = std::env::set_current_dir(directory));
        let own = match (&unit.directory, std::env::current_dir()) {
            (Some(directory), _) => directory.join(&unit.path),
            (None, Ok(here)) => here.join(&unit.path),
            (None, Err(_)) => unit.path.clone(),
        };
        let (result, said, reads) = match (unit.kind, unit.job()) {
            (Kind::Source(_), Some(job)) => {
                let outcome = self.frontend.compile_one(&job, cancel);
                let result = match outcome.verdict {
                    Verdict::Bitcode(bytes) => Ok(bytes),
                    Verdict::Failed(failure) => Err(failure.render()),
                    Verdict::Cancelled => return None,
                };
                (result, outcome.said, outcome.reads)
            }
            (Kind::Assembly, _) => {
                let (result, said) = assembler::object(&self.assembler, unit);
                (result.map_err(|failure| failure.render()), said, vec![own])
            }
            _ => {
                let failure = |error| Failure::new(format!("{}: {error}", unit.path.display())).render();
                (std::fs::read(&own).map_err(failure), Vec::new(), vec![own])
            }
        };
        Some(Made { ticket: task.ticket, result, said, reads })
    }
}
