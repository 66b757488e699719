//! What it costs to watch 10,000 files while nothing happens: processor time of the process and of
//! its children, against the same program without a watch.

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
    let mut watched = Watched::start(&["-O0", "--cflags", &include], &files);
    let count = UNITS + UNITS * HEADERS;
    let with = idle(watched.process(), time);
    assert!(watched.program().is_alive(), "the program has ended");
    drop(watched);

    let mut command = Command::new(BINARY);
    command.args(["run", "-O0", "--cache", "none", "--cflags", &include]).args(&files);
    let mut plain = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("hotslot starts");
    std::thread::sleep(time / 4);
    let without = idle(plain.id(), time);
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

/// Microseconds of processor time in each second of this time, of a process and its children.
fn idle(process: u32, time: Duration) -> f64 {
    // What the start has left to be done is done.
    std::thread::sleep(Duration::from_secs(2));
    let before = used(process);
    std::thread::sleep(time);
    (used(process) - before) / time.as_secs_f64()
}

/// By the scheduler's own account, which counts nanoseconds, of all threads.
fn used(process: u32) -> f64 {
    let tasks = Path::new("/proc").join(process.to_string()).join("task");
    let mut total = 0.0;
    for task in std::fs::read_dir(tasks).into_iter().flatten().flatten() {
        let text = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let nanoseconds = text("schedstat").split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
        total += nanoseconds.unwrap_or(0.0) / 1e3;
        for child in text("children").split_whitespace().filter_map(|child| child.parse().ok()) {
            total += used(child);
        }
    }
    total
}
