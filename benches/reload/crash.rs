//! New code crashes, in a call that is guarded: how long until that is reported, until the old
//! code is back, and whether the program goes on.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::program::{Heard, What};
use crate::quick;
use crate::report::Row;
use crate::rounds::{median, quantile};
use crate::tree;
use crate::watched::{BINARY, Watched};

const LIMIT_MS: f64 = 50.0;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let figure = "new code crashes in a guarded call: to the report, to the old code's first call";
    if !tree::has_option(BINARY, "--on-crash") {
        return vec![Row::reported(figure, "skipped: `hotslot run` has no --on-crash")];
    }
    let (mut reported, mut back) = (Vec::new(), Vec::new());
    let (mut watched, directory) = start();
    let file = directory.path().join("crash.c");
    let source = std::fs::read_to_string(&file).expect("it was just written");
    let reports = listen(&mut watched);
    let rounds = if quick() { 5 } else { 25 };
    for number in 1..=rounds {
        // What was rolled back is saved again, with a number of its own.
        let good = source.replace("*(int *)data = 1;", &format!("*(int *)data = {};", number + 1));
        save(&file, &good);
        watched.program().wait_for(number + 1);
        while watched.program().within(Duration::from_millis(200)).is_some() {}
        while reports.try_recv().is_ok() {}
        let crash = "crashing_at = now(); *(volatile int *)0 = 1;";
        save(&file, &source.replace("*(int *)data = 1;", crash));
        let (crashed, went_on) = crash_times(&watched);
        let report = reports.recv_timeout(Duration::from_secs(20)).expect("the crash is reported");
        reported.push((report - crashed) / 1e6);
        back.push((went_on - crashed) / 1e6);
        // The old code, with the number from before.
        watched.program().wait_for(number + 1);
    }
    assert!(watched.program().is_alive(), "the program has ended");
    let worst = quantile(&reported, 1.0).max(quantile(&back, 1.0));
    let words = format!(
        "{:.1} ms to the report, {:.1} ms to the old code; the longest of {rounds} {worst:.1} ms; the \
         program goes on",
        median(&reported),
        median(&back)
    );
    let met = median(&reported).max(median(&back)) <= LIMIT_MS;
    let row = Row::reported(figure, words)
        .target("<= 50 ms, program alive", met)
        .number("report_ms", median(&reported))
        .number("back_ms", median(&back))
        .number("worst_ms", worst);
    vec![row]
}

fn start() -> (Watched, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/reload/c/crash.c");
    let file = directory.path().join("crash.c");
    std::fs::write(&file, std::fs::read(own).expect("it is there")).expect("the directory is writable");
    let options = ["--on-crash", "rollback", "--cflags", "-g"];
    (Watched::start_with_errors(&options, &[file]), directory)
}

fn save(file: &Path, text: &str) {
    let aside = file.with_extension("new");
    std::fs::write(&aside, text).expect("the directory is writable");
    std::fs::rename(aside, file).expect("it is in the same directory");
}

/// By the program's own clock, which is everybody's: nanoseconds at the crash and at the first
/// call after it that came back.
fn crash_times(watched: &Watched) -> (f64, f64) {
    loop {
        let Heard { what, .. } = watched.next();
        if let What::Text(text) = what
            && let Some((crashed, rest)) = text.split_once(" crashed, ")
        {
            let number = |text: &str| text.parse().expect("the program writes numbers");
            return (number(crashed), number(rest.trim_end_matches(" goes on")));
        }
    }
}

/// When each report appears on stderr.
fn listen(watched: &mut Watched) -> Receiver<f64> {
    let errors = watched.program().errors();
    let (sender, reports) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(errors).lines().map_while(Result::ok) {
            let at = monotonic();
            if line.contains("the program crashed") && sender.send(at).is_err() {
                return;
            }
        }
    });
    reports
}

/// Nanoseconds of the clock that the program reads.
fn monotonic() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
