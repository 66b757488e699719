//! How long `hotslot run` takes until Lua's first output: with a warm cache, and lazily.
//!
//! Through the command line, as people start programs: 33 files of bitcode, a script that
//! prints a line; the clock runs from starting the process to the first byte of output. What
//! the command line cannot do is left out, with a row that says so.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::measure::time;
use crate::report::Row;
use crate::rounds::{interleave, median};
use crate::{inputs, quick};

const BINARY: &str = env!("CARGO_BIN_EXE_hotslot");

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    inputs::prepare("lua");
    let help = Command::new(BINARY).args(["run", "--help"]).output().expect("hotslot starts");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let known =
        |option: &str| help.split_whitespace().any(|word| word.trim_end_matches(['=', ',']) == option);
    let none: &[&str] = if known("--cache") { &["--cache", "none"] } else { &[] };
    vec![warm_cache(known("--cache")), lazily(known("--lazy"), none)]
}

fn warm_cache(known: bool) -> Row {
    let figure = "start of Lua with a warm cache, against without";
    if !known {
        return skipped(figure, "--cache");
    }
    let cache = tempfile::tempdir().expect("a temporary directory");
    let cache = cache.path().to_string_lossy();
    let (with, without) = compare(&["--cache", &cache], &["--cache", "none"]);
    let ratio = without / with;
    Row::reported(figure, format!("{} against {}: {ratio:.1}x", time(with), time(without)))
        .target(">= 20x faster", ratio >= 20.0)
        .number("with_us", with)
        .number("without_us", without)
        .number("ratio", ratio)
}

fn lazily(known: bool, cold: &[&str]) -> Row {
    let figure = "first output of Lua, nothing cached, --lazy against eagerly at O2";
    if !known {
        return skipped(figure, "--lazy");
    }
    let lazy: Vec<&str> = cold.iter().copied().chain(["--lazy"]).collect();
    let (lazy, eager) = compare(&lazy, cold);
    let ratio = lazy / eager;
    Row::reported(figure, format!("{} against {}: {ratio:.2}x", time(lazy), time(eager)))
        .target("<= 0.2x", ratio <= 0.2)
        .number("lazy_us", lazy)
        .number("eager_us", eager)
        .number("ratio", ratio)
}

fn skipped(figure: &str, option: &str) -> Row {
    Row::reported(figure, format!("skipped: `hotslot run` has no {option}"))
}

/// Microseconds with each set of options, in turn; the first round, which fills caches, is
/// not kept.
fn compare(first: &[&str], second: &[&str]) -> (f64, f64) {
    let rounds = if quick() { 2 } else { 7 };
    let times = interleave(rounds, &mut [&mut || first_output(first), &mut || first_output(second)]);
    (median(&times[0]), median(&times[1]))
}

/// Microseconds until the program's first byte of output.
fn first_output(options: &[&str]) -> f64 {
    let (files, libraries) = inputs::lua_files();
    let mut command = Command::new(BINARY);
    command.arg("run").arg("-O2").args(options);
    command.args(libraries.iter().flat_map(|library| ["-l", library])).args(files);
    command.args(["--", "-e", "print('started') io.stdout:flush()"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let begun = Instant::now();
    let mut process = command.spawn().expect("hotslot starts");
    let mut output = process.stdout.take().expect("it is piped");
    let mut byte = [0];
    output.read_exact(&mut byte).expect("the script prints");
    let took = begun.elapsed().as_secs_f64() * 1e6;
    let mut rest = Vec::new();
    // The process ends by itself; how is told by its status.
    let _ = output.read_to_end(&mut rest);
    assert!(process.wait().is_ok_and(|status| status.success()), "Lua failed under hotslot");
    took
}
