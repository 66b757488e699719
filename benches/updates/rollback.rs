//! Return of a module with 100 functions to its generation before: `Runtime::rollback`, all
//! of it.
//!
//! Measured with nobody calling and with callers on all other processors, and with ten
//! functions and a thousand, to show what grows.

use std::hint::black_box;
use std::time::Instant;

use crate::callers::{Callers, others};
use crate::child::{self, tell};
use crate::generations::{MODULE, load_caller, two_generations};
use crate::report::Row;
use crate::rounds::{median, quantile};

const WARM: usize = 200;
const TURNS: usize = 4000;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let row = |functions: &str, what: &str, callers: &str| {
        let values = child::run("rollback", &[functions, callers]);
        let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
        let (middle, high) = (value("median"), value("p99"));
        let row = Row::reported(what, format!("{middle:.1} us in the median, p99 {high:.1} us"))
            .number("us", middle)
            .number("p99_us", high);
        (row, middle)
    };
    let (first, quiet) = row("100", "rollback of a module with 100 functions", "quiet");
    let (second, called) = row("100", "  the same, all other processors calling them", "called");
    vec![
        first.target("<= 50 us", quiet <= 50.0),
        second.target("<= 50 us", called <= 50.0),
        row("10", "  rollback of a module with 10 functions", "quiet").0,
        row("1000", "  rollback of a module with 1,000 functions", "quiet").0,
    ]
}

/// Measures in a process of its own: how many functions, and whether they are called.
pub fn child(arguments: &[&str]) {
    let functions = arguments[0].parse().expect("a number of functions");
    let runtime = two_generations(functions);
    load_caller(&runtime, "caller", functions);
    let count = if arguments[1] == "called" { others() } else { 0 };
    let _callers = Callers::start(&runtime, "caller", count);
    let mut times = Vec::new();
    for turn in 0..WARM + TURNS {
        let generation = 1 + turn as u64 % 2;
        let started = Instant::now();
        black_box(runtime.rollback(MODULE, generation).expect("it is kept"));
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    tell("median", median(&times[WARM..]));
    tell("p99", quantile(&times[WARM..], 0.99));
}
