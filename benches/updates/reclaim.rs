//! One question to all threads: `Runtime::reclaim` with one retired module of ten functions.
//!
//! Threads that are blocked in the kernel are looked at from outside; those that run get a
//! signal. More running threads than processors answer only when they get their turn.

use std::hint::black_box;
use std::os::fd::AsRawFd;
use std::time::Instant;

use hotslot::Runtime;

use crate::callers::Callers;
use crate::child::{self, tell};
use crate::generations::{MODULE, load_caller, version};
use crate::report::Row;
use crate::rounds::{median, quantile};

const FUNCTIONS: usize = 10;
const WARM: usize = 10;
const ASKED: usize = 100;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let row = |state: &str, threads: &str| {
        let values = child::run("reclaim", &[state, threads]);
        let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
        let (middle, high) = (value("median"), value("p90"));
        Row::reported(
            format!("reclaim, {threads} other threads {state}"),
            format!("{middle:.0} us in the median, p90 {high:.0} us"),
        )
        .number("us", middle)
        .number("p90_us", high)
        .number("freed", value("freed"))
    };
    let counts = |state: &'static str| ["1", "4", "16"].map(|threads| row(state, threads));
    [row("blocked", "0")].into_iter().chain(counts("blocked")).chain(counts("running")).collect()
}

/// Measures in a process of its own: how many other threads, and what they do.
pub fn child(arguments: &[&str]) {
    let [state, count] = arguments else { panic!("which threads?") };
    let count: usize = count.parse().expect("a number of threads");
    let runtime = Runtime::builder().history(0).build().expect("this machine can run hotslot");
    let sources = [1, 2].map(|number| version(&runtime, FUNCTIONS, number));
    runtime.load(MODULE, sources[0].clone()).expect("it links");
    load_caller(&runtime, "caller", FUNCTIONS);
    let callers = if *state == "running" { count } else { 0 };
    let _callers = Callers::start(&runtime, "caller", callers);
    let (blocked, _other_end) = std::io::pipe().expect("a pipe");
    for _ in callers..count {
        let end = blocked.as_raw_fd();
        // SAFETY: waits for a byte that never comes.
        std::thread::spawn(move || unsafe { libc::read(end, [0u8; 1].as_mut_ptr().cast(), 1) });
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    let (mut times, mut freed) = (Vec::new(), 0);
    for turn in 0..WARM + ASKED {
        runtime.replace(MODULE, sources[(turn + 1) % 2].clone()).expect("it links");
        let started = Instant::now();
        let done = black_box(runtime.reclaim());
        times.push(started.elapsed().as_secs_f64() * 1e6);
        freed += done.generations;
    }
    tell("median", median(&times[WARM..]));
    tell("p90", quantile(&times[WARM..], 0.9));
    tell("freed", freed as f64);
}
