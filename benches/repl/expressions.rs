//! Memory and names after 100,000 expressions, each a module without a name.

use hotslot::Runtime;

use crate::child::{self, tell};
use crate::harness;
use crate::language::{define, definition, evaluate};
use crate::report::Row;
use crate::resident::resident;
use crate::rounds::median;

/// Expressions that are run, and after how many memory is looked at first.
const RUN: usize = 100_000;
const FIRST: usize = 5000;
/// How much more there may be in the end, in KiB.
const LIMIT: f64 = 1024.0;
/// How many may be held by words that happen to be on the stack, however many were run.
const PENDING: f64 = 100.0;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let run = if harness::quick() { RUN / 10 } else { RUN };
    let values = child::run("expressions", &[&run.to_string()]);
    let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
    let (before, after) = (value("before"), value("after"));
    let (bytes, symbols) = (value("bytes"), value("symbols"));
    vec![
        Row::reported(
            format!("memory after {run} expressions"),
            format!("{:+.0} KiB since the {FIRST}th, of {before:.0}", after - before),
        )
        .target(format!("<= {LIMIT} KiB"), after - before <= LIMIT)
        .number("before_kib", before)
        .number("after_kib", after),
        Row::reported(
            "expressions that are not freed, the same",
            format!(
                "{:.0}, with {bytes:+.0} bytes and {symbols:+.0} symbols; {:+.0} mappings",
                value("pending"),
                value("mappings"),
            ),
        )
        .target(format!("<= {PENDING}"), value("pending") <= PENDING)
        .number("pending", value("pending"))
        .number("bytes", bytes)
        .number("symbols", symbols),
        Row::reported(
            "an expression, from its text to its value",
            format!("{:.2} ms in the median", value("median")),
        )
        .number("ms", value("median")),
    ]
}

/// Measures in a process of its own.
pub fn child(arguments: &[&str]) {
    let run: usize = arguments.first().and_then(|run| run.parse().ok()).expect("a count");
    let runtime = Runtime::new().expect("this machine can run hotslot");
    (0..10).for_each(|n| drop(define(&runtime, &definition(n))));
    // The figures themselves are no memory of expressions.
    let mut times = vec![1.0; run];
    times.clear();
    let mut turn = |from: usize, to: usize| {
        for n in from..to {
            let started = std::time::Instant::now();
            evaluate(&runtime, &format!("f{}({n}) + f3({n} * 2)", n % 10)).expect("it is sound");
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        runtime.reclaim();
        let stats = runtime.stats();
        let bytes = stats.code_bytes + stats.constant_bytes + stats.variable_bytes;
        (resident().1, bytes as f64, stats.symbols as f64, mappings())
    };
    let before = turn(0, FIRST.min(run));
    let after = turn(FIRST.min(run), run);
    tell("before", before.0);
    tell("after", after.0);
    tell("bytes", after.1 - before.1);
    tell("symbols", after.2 - before.2);
    tell("mappings", after.3 - before.3);
    tell("pending", runtime.stats().retired as f64);
    tell("median", median(&times));
}

fn mappings() -> f64 {
    std::fs::read_to_string("/proc/self/maps").unwrap_or_default().lines().count() as f64
}
