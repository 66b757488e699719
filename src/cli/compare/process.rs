//! Processes that measure one way each, and what becomes of them.
//!
//! Both sides are here: who starts one and reads its outcome, and who is one. Whatever they and
//! their programs leave behind is in one directory, which goes at the end.
#![allow(unsafe_code)] // enters the program's main

use std::ffi::{OsString, c_int};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::enter::{self, Arguments};
use super::super::exit;
use super::super::failure::Failure;
use super::super::ways::job::{Job, Outcome};
use super::super::ways::{self, Contender, Result as WayResult, Trouble};
use super::options::CompareOneOptions;

/// The program's whole run by one way.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Run {
    /// From its `main` to its exit; of a way that starts a process, with that.
    pub took: Duration,
    /// Its exit code.
    pub code: Option<i32>,
}

/// A job, in a directory.
pub struct Jobs {
    dir: tempfile::TempDir,
    binary: PathBuf,
}

impl Jobs {
    /// Writes the job down.
    pub fn new(job: &Job) -> Result<Self, Failure> {
        let cannot = |error| Failure::new(format!("cannot start processes that measure: {error}"));
        let binary = std::env::current_exe().map_err(cannot)?;
        let dir = tempfile::tempdir().map_err(cannot)?;
        job.write(dir.path())?;
        Ok(Self { dir, binary })
    }

    /// Has a way make the job's edits.
    pub fn edits(&self, way: &Contender) -> WayResult<Outcome> {
        self.start(way, false, &[])
    }

    /// Has a way run the program.
    pub fn run(&self, way: &Contender, words: &[OsString]) -> WayResult<Run> {
        self.start(way, true, words)
    }

    fn start<T: DeserializeOwned>(&self, way: &Contender, run: bool, words: &[OsString]) -> WayResult<T> {
        let outcome = self.dir.path().join("outcome.json");
        // Of the process before; there is none at first.
        let _ = std::fs::remove_file(&outcome);
        let mut command = Command::new(&self.binary);
        command.arg("compare-one").arg(self.dir.path()).arg(way.name).arg(&outcome);
        if run {
            command.arg("--run").arg("--").args(words);
        }
        let output = command
            .env("TMPDIR", self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| Trouble::failed(format!("cannot start: {error}")))?;
        let Ok(text) = std::fs::read(&outcome) else {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().map_or(String::new(), |line| format!(": {line}"));
            return Err(Trouble::failed(format!("the process ended, {}{last}", output.status)));
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| Err(Trouble::failed(error)))
    }
}

/// `hotslot compare-one`: is one of these processes.
pub fn one(options: &CompareOneOptions) -> Result<ExitCode, Failure> {
    let way = ways::find(&options.way).ok_or_else(|| Failure::new("no such way"))?;
    let result = Job::read(&options.job).and_then(|job| {
        if options.run {
            run(&job, way, options)
        } else {
            let (outcome, way) = job.measure(way)?;
            // The end of the process is the end of the way; what it wrote is not ours to tidy.
            std::mem::forget(way);
            write(&options.outcome, &WayResult::Ok(outcome))
        }
    });
    if let Err(trouble) = result {
        write(&options.outcome, &WayResult::<Outcome>::Err(trouble))?;
    }
    // Without the loaded program's exit handlers, which have nothing to tidy either.
    exit::leave(0)
}

/// Where the outcome goes, and when the program's `main` was entered.
static RUNNING: OnceLock<(PathBuf, Instant)> = OnceLock::new();

fn run(job: &Job, way: &Contender, options: &CompareOneOptions) -> WayResult<()> {
    let way = (way.load)(&job.program, job.level)?;
    if let Some(path) = way.executable() {
        let begun = Instant::now();
        let mut command = Command::new(path);
        command.args(options.args.get(1..).unwrap_or_default());
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().map_err(Trouble::failed)?;
        let run = Run { took: begun.elapsed(), code: status.code() };
        return write(&options.outcome, &WayResult::Ok(run));
    }
    let Some(main) = way.address("main")? else { return Err(Trouble::failed("there is no main")) };
    std::mem::forget(way);
    let arguments =
        Arguments::new(options.args.iter().cloned()).map_err(|_| Trouble::failed("a NUL byte"))?;
    exit::at_exit_with_code(ended);
    // Nobody else sets it.
    let _ = RUNNING.set((options.outcome.clone(), Instant::now()));
    // SAFETY: a program's `main`; the way was forgotten, so its code stays.
    unsafe { enter::enter(std::ptr::with_exposed_provenance(main), arguments) }
}

/// The program's last exit handler.
fn ended(code: Option<c_int>) {
    if let Some((path, begun)) = RUNNING.get() {
        // Who reads the outcome misses it then.
        let _ = write(path, &WayResult::Ok(Run { took: begun.elapsed(), code }));
    }
}

fn write<T: Serialize>(path: &Path, outcome: &T) -> WayResult<()> {
    let text = serde_json::to_vec(outcome).map_err(Trouble::failed)?;
    std::fs::write(path, text).map_err(Trouble::failed)
}
