//! The commit of an update that changes 64 slots, while all other processors call through
//! them.
//!
//! A module of 64 functions goes back and forth between two generations. Callers on every
//! other processor call all 64 through their slots without a pause. What is measured is
//! `PreparedUpdate::commit` alone, and beside it the whole update, by return to an earlier
//! generation and by a replacement that links. A commit that finds enough retired asks all
//! threads and frees what it can: that happens to one in a few hundred, so it is in the 99th
//! percentile and not in the median.

use std::hint::black_box;
use std::time::Instant;

use hotslot::Runtime;

use crate::callers::{Callers, others};
use crate::child::{self, tell};
use crate::generations::{MODULE, load_caller, two_generations, version};
use crate::report::Row;
use crate::rounds::{median, quantile};

const SLOTS: usize = 64;
const WARM: usize = 200;
const COMMITS: usize = 4000;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let values = child::run("commit", &[]);
    let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
    let row = |what: &str, name: &str| {
        let (middle, high) = (value(name), value(&format!("{name}_p99")));
        Row::reported(what, format!("{middle:.1} us in the median, p99 {high:.1} us"))
            .number("us", middle)
            .number("p99_us", high)
    };
    let called = value("called");
    vec![
        row("commit of 64 slots, all other processors calling through them", "called")
            .target("<= 10 us", called <= 10.0),
        row("  the same, nobody calling", "quiet"),
        row("  commit of one slot, all other processors calling", "single"),
        row("  return to an earlier generation, prepare and commit, all calling", "restore"),
        row("  replacement by another object, prepare and commit, all calling", "replace"),
    ]
}

/// Measures in a process of its own.
pub fn child() {
    let runtime = two_generations(SLOTS);
    load_caller(&runtime, "caller", SLOTS);
    let one = two_generations(1);
    load_caller(&one, "caller", 1);
    summary("quiet", &back_and_forth(&runtime).0);
    {
        let _callers = Callers::start(&runtime, "caller", others());
        let (commits, whole) = back_and_forth(&runtime);
        summary("called", &commits);
        summary("restore", &whole);
        summary("replace", &replacements(&runtime));
    }
    let _callers = Callers::start(&one, "caller", others());
    summary("single", &back_and_forth(&one).0);
}

/// Microseconds of each commit, and of each update with its preparation.
fn back_and_forth(runtime: &Runtime) -> (Vec<f64>, Vec<f64>) {
    let (mut commits, mut whole) = (Vec::new(), Vec::new());
    for turn in 0..WARM + COMMITS {
        let generation = 1 + turn as u64 % 2;
        let started = Instant::now();
        let update = runtime.update().restore(MODULE, generation).prepare().expect("it is kept");
        let prepared = Instant::now();
        black_box(update.commit().expect("nothing came between"));
        commits.push(prepared.elapsed().as_secs_f64() * 1e6);
        whole.push(started.elapsed().as_secs_f64() * 1e6);
    }
    (commits.split_off(WARM), whole.split_off(WARM))
}

fn replacements(runtime: &Runtime) -> Vec<f64> {
    let sources = [3, 4].map(|number| version(runtime, SLOTS, number));
    let mut times = Vec::new();
    for turn in 0..WARM + COMMITS / 4 {
        let source = sources[turn % 2].clone();
        let started = Instant::now();
        black_box(runtime.replace(MODULE, source).expect("it links"));
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    times.split_off(WARM)
}

fn summary(name: &str, times: &[f64]) {
    tell(name, median(times));
    tell(&format!("{name}_p99"), quantile(times, 0.99));
}
