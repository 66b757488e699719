//! Runs a program natively or under `hotslot run` and compares what came out.
//!
//! Every run gets an empty directory of its own as working directory, the same arguments,
//! argv[0], input and environment, and a time limit.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::build::{FileSet, cache_root};
use super::programs::{Case, Ends, Program};

/// argv[0] of every run, native or not.
const ARGV0: &str = "the-program";
/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// How often to look at what a process takes.
const LOOK: Duration = Duration::from_millis(100);

/// What a run left behind.
pub struct Outcome {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit code or signal.
    pub status: ExitStatus,
    /// From start to end, loading and compiling included.
    pub took: Duration,
}

impl Outcome {
    /// Exit code or signal.
    pub fn ends(&self) -> Ends {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => Ends::Exit(code),
            (None, signal) => Ends::Signal(signal.unwrap_or(0)),
        }
    }
}

/// Runs an executable.
pub fn native(executable: &Path, case: &Case) -> Outcome {
    let mut command = Command::new(executable);
    command.arg0(ARGV0).args(&case.args);
    outcome(command, case, |_| {})
}

/// Runs a file set under `hotslot run`.
pub fn hotslot(program: &Program, set: &FileSet, case: &Case, calls: &str) -> Outcome {
    outcome(command(program, set, case, calls, &[]), case, |_| {})
}

/// Runs a file set under `hotslot run --stress` with these options; a program of ours for
/// `time`. The outcome is without the summary, which is returned beside it.
pub fn stressed(
    program: &Program,
    set: &FileSet,
    case: &Case,
    options: &[&str],
    time: Duration,
) -> (Outcome, String) {
    watched(program, set, case, options, time, |_| {})
}

/// As [`stressed`], and tells `watch` now and then what the process takes.
pub fn watched(
    program: &Program,
    set: &FileSet,
    case: &Case,
    options: &[&str],
    time: Duration,
    mut watch: impl FnMut(Footprint),
) -> (Outcome, String) {
    let mut command = command(program, set, case, "slot", options);
    command.env("HOTSLOT_TEST_MS", time.as_millis().to_string());
    let mut looked = Instant::now();
    let mut outcome = outcome(command, case, |process| {
        if looked.elapsed() > LOOK {
            looked = Instant::now();
            watch(Footprint::of(process));
        }
    });
    let start = b"stress      ";
    let at = (0..outcome.stderr.len())
        .rev()
        .find(|&at| outcome.stderr[at..].starts_with(start) && (at == 0 || outcome.stderr[at - 1] == b'\n'));
    let summary = at.map(|at| outcome.stderr.split_off(at)).unwrap_or_default();
    (outcome, String::from_utf8_lossy(&summary).into_owned())
}

/// What a process takes of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Footprint {
    /// Resident memory in KiB.
    pub resident: usize,
    /// Mappings.
    pub mappings: usize,
    /// Open files.
    pub files: usize,
}

impl Footprint {
    fn of(process: u32) -> Self {
        let read = |what| std::fs::read_to_string(format!("/proc/{process}/{what}")).unwrap_or_default();
        let status = read("status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
        let files = std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
        Self { resident: resident.unwrap_or_default(), mappings: read("maps").lines().count(), files }
    }

    /// The most of each.
    pub fn most(seen: &[Self]) -> Self {
        let most = |what: fn(&Self) -> usize| seen.iter().map(what).max().unwrap_or_default();
        Self { resident: most(|f| f.resident), mappings: most(|f| f.mappings), files: most(|f| f.files) }
    }
}

/// The number at the start of a line of a `--stress` summary.
pub fn figure(summary: &str, line: &str) -> Option<u64> {
    let text = summary.lines().find_map(|found| found.strip_prefix(line))?;
    text.split_whitespace().next()?.trim_end_matches(',').parse().ok()
}

/// `hotslot run` as every run has it.
pub fn command(program: &Program, set: &FileSet, case: &Case, calls: &str, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotslot"));
    command.env("HOTSLOT_CACHE_DIR", "none");
    command.args(["run", "--argv0", ARGV0, "--calls", calls, set.level]).args(options);
    // No warnings: standard error is compared.
    command.arg(format!("--cflags=-w {}", set.source_flags.join(" ")));
    for lib in program.libs {
        command.args(["-l", lib]);
    }
    command.args(&set.files).arg("--").args(&case.args);
    command
}

fn outcome(mut command: Command, case: &Case, mut watch: impl FnMut(u32)) -> Outcome {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let dir = cache_root().join(format!("run-{}-{run}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    command.current_dir(&dir);
    command.env("LC_ALL", "C").env("TZ", "UTC").env("HOTSLOT_TEST_VARIABLE", "its value");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));

    let mut input = child.stdin.take().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let text = case.stdin;
    // A program that does not read its input closes the pipe; that is no error.
    let feeder = std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
    let stdout = std::thread::spawn(move || read_all(&mut out));
    let stderr = std::thread::spawn(move || read_all(&mut err));
    let deadline = started + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("still running after {LIMIT:?}, killed: {command:?}");
        }
        watch(child.id());
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = started.elapsed();
    feeder.join().unwrap();
    let outcome = Outcome { stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), status, took };
    let _ = std::fs::remove_dir_all(&dir);
    outcome
}

fn read_all(from: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

/// What differs between two runs, in a few lines; `None` when nothing does.
pub fn difference(expected: &Outcome, got: &Outcome) -> Option<String> {
    let mut text = String::new();
    if expected.ends() != got.ends() {
        text += &format!("ended with {}, natively {}\n", got.status, expected.status);
    }
    for (stream, expected, got) in
        [("stdout", &expected.stdout, &got.stdout), ("stderr", &expected.stderr, &got.stderr)]
    {
        if expected != got {
            text += &first_difference(stream, expected, got);
        }
    }
    (!text.is_empty()).then_some(text)
}

fn first_difference(stream: &str, expected: &[u8], got: &[u8]) -> String {
    let expected = String::from_utf8_lossy(expected);
    let got = String::from_utf8_lossy(got);
    let (mut left, mut right) = (expected.lines(), got.lines());
    let mut number = 1;
    loop {
        match (left.next(), right.next()) {
            (None, None) => return format!("{stream} differs in its last line ending\n"),
            (l, r) if l != r => {
                let mut text = format!(
                    "{stream}, line {number}:\n  natively: {}\n  hotslot:  {}\n",
                    l.unwrap_or("(end)"),
                    r.unwrap_or("(end)")
                );
                for more in right.take(5) {
                    text += &format!("            {more}\n");
                }
                return text;
            }
            _ => number += 1,
        }
    }
}
