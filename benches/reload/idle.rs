//! What it costs to watch 10,000 files while nothing happens: processor time of the process and of
//! its children, against the same program without a watch.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::quick;
use crate::report::Row;
use crate::watched::{BINARY, Watched};

const UNITS: usize = 20;
const HEADERS: usize = 500;
/// Headers in one directory.
const TOGETHER: usize = 100;

/// Of a second of idling, what is no longer none: a hundred-thousandth of a core is less than a
/// screen's clock costs.
const NOTHING_US: f64 = 10.0;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let files = generate(directory.path());
    let time = Duration::from_secs(if quick() { 3 } else { 20 });
    let include = format!("-I{}", directory.path().display());
    let others = running();
    let ours = || running().difference(&others).copied().collect::<BTreeSet<u32>>();
    let mut watched = Watched::start(&["-O0", "--cflags", &include], &files);
    let count = UNITS + UNITS * HEADERS;
    let with = idle(ours, time);
    assert!(watched.program().is_alive(), "the program has ended");
    drop(watched);

    let mut command = Command::new(BINARY);
    command.args(["run", "-O0", "--cache", "none", "--cflags", &include]).args(&files);
    let mut plain = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("hotslot starts");
    std::thread::sleep(time / 4);
    let without = idle(ours, time);
    let _ = plain.kill();
    let _ = plain.wait();
    let words = format!(
        "{with:.1} us of processor time a second against {without:.1} us without --watch, over {} s",
        time.as_secs()
    );
    let row = Row::reported(format!("{count} files watched, nothing happens"), words)
        .target("no measurable CPU (<= 10 us a second)", with <= NOTHING_US)
        .number("watched_us_per_s", with)
        .number("plain_us_per_s", without)
        .number("files", count as f64);
    vec![row]
}

/// Units that include 500 headers each, in directories of 100, and the last one waits for ever.
fn generate(directory: &Path) -> Vec<PathBuf> {
    let mut units = Vec::new();
    for unit in 0..UNITS {
        let mut text = String::new();
        for header in 0..HEADERS {
            let place = format!("u{unit}/d{}", header / TOGETHER);
            let name = format!("{place}/h{header}.h");
            std::fs::create_dir_all(directory.join(&place)).expect("the directory is writable");
            let line = format!("#pragma once\nenum {{ e{unit}_{header} = {header} }};\n");
            std::fs::write(directory.join(&name), line).expect("the directory is writable");
            let _ = writeln!(text, "#include \"{name}\"");
        }
        let _ = writeln!(text, "int last{unit}(void) {{ return e{unit}_{}; }}", HEADERS - 1);
        if unit == 0 {
            let _ = writeln!(text, "int pause(void);\nint main(void) {{ for (;;) pause(); }}");
        }
        let path = directory.join(format!("unit{unit}.c"));
        std::fs::write(&path, text).expect("the directory is writable");
        units.push(path);
    }
    units
}

/// Microseconds of processor time in each second of this time, of a process and of all that it
/// has started.
fn idle(family: impl Fn() -> BTreeSet<u32>, time: Duration) -> f64 {
    // What the start has left to be done is done.
    std::thread::sleep(Duration::from_secs(3));
    let used = || family().into_iter().map(used).sum::<f64>();
    let before = used();
    std::thread::sleep(time);
    (used() - before) / time.as_secs_f64()
}

/// All processes of the command, and their children. Those that start compilers are no children
/// of the program's.
fn running() -> BTreeSet<u32> {
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse().ok());
    let all: Vec<u32> =
        std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(number).collect();
    let is_ours = |process: &u32| {
        std::fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|program| program == Path::new(BINARY))
    };
    let mut found: BTreeSet<u32> = all.iter().copied().filter(is_ours).collect();
    let mut left: Vec<u32> = found.iter().copied().collect();
    while let Some(process) = left.pop() {
        for task in tasks(process) {
            let children = std::fs::read_to_string(task.join("children")).unwrap_or_default();
            let children = children.split_whitespace().filter_map(|child| child.parse().ok());
            left.extend(children.filter(|&child| found.insert(child)));
        }
    }
    found
}

/// Microseconds, by the scheduler's own account, which counts nanoseconds, of all threads.
fn used(process: u32) -> f64 {
    let one = |task: PathBuf| {
        let text = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
        let nanoseconds = text.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
        nanoseconds.unwrap_or(0.0) / 1e3
    };
    tasks(process).into_iter().map(one).sum()
}

fn tasks(process: u32) -> Vec<PathBuf> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
    tasks.into_iter().flatten().flatten().map(|task| task.path()).collect()
}
