//! From the text of a definition to its first result, after 10, 100, 1,000 and 10,000 definitions.
//!
//! Beside it the way without hotslot ([`crate::recompiled`]): all definitions so far in one module, which
//! is compiled anew. That is not measured after more than 1,000: it takes long, and it is known by then
//! how it grows.

use std::hint::black_box;
use std::time::Instant;

use hotslot::Runtime;

use crate::child::{self, tell};
use crate::language::{define, definition};
use crate::report::Row;
use crate::rounds::{median, quantile};
use crate::{harness, recompiled};

const COUNTS: [usize; 4] = [10, 100, 1000, 10_000];
/// Definitions that are measured, after others that warm up.
const MEASURED: usize = 101;
const WARM: usize = 10;
/// Milliseconds.
const LIMIT: f64 = 3.0;
const GROWTH: f64 = 1.2;
/// Processes whose medians are compared.
const ROUNDS: usize = 5;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let rounds = if harness::quick() { 1 } else { ROUNDS };
    let mut medians = vec![Vec::new(); COUNTS.len()];
    let mut highs = vec![0f64; COUNTS.len()];
    // In turn, so that whatever disturbs the machine disturbs all.
    for _ in 0..rounds {
        for (at, count) in COUNTS.iter().enumerate() {
            let values = child::run("definitions", &[&count.to_string()]);
            medians[at].push(values.get("median").copied().unwrap_or(f64::NAN));
            highs[at] = highs[at].max(values.get("p90").copied().unwrap_or(f64::NAN));
        }
    }
    let ours: Vec<f64> = medians.iter().map(|round| median(round)).collect();
    let mut rows = Vec::new();
    for ((count, ours), high) in COUNTS.into_iter().zip(&ours).zip(highs) {
        let theirs = recompiled::measure(count);
        let beside = match theirs {
            Some(theirs) => format!("; all in one module: {theirs:.1} ms, {:.0} times that", theirs / ours),
            None => "; all in one module: not measured".to_owned(),
        };
        rows.push(
            Row::reported(
                format!("definition to result, after {count}"),
                format!("{ours:.2} ms in the median, p90 {high:.2} ms{beside}"),
            )
            .target(format!("<= {LIMIT} ms"), *ours <= LIMIT)
            .number("ms", *ours)
            .number("recompiled_ms", theirs.unwrap_or(f64::NAN)),
        );
    }
    let growth = ours[ours.len() - 1] / ours[0];
    let row = Row::reported("the same, after 10,000 against after 10", format!("{growth:.2} times"));
    rows.push(row.target(format!("<= {GROWTH} times"), growth <= GROWTH).number("growth", growth));
    rows
}

/// Measures in a process of its own, after how many definitions.
pub fn child(arguments: &[&str]) {
    let count: usize = arguments.first().and_then(|count| count.parse().ok()).expect("a count");
    let runtime = Runtime::new().expect("this machine can run hotslot");
    for n in 0..count.saturating_sub(WARM) {
        drop(define(&runtime, &definition(n)));
    }
    let mut times = Vec::new();
    for n in count.saturating_sub(WARM)..count + MEASURED {
        let text = definition(n);
        let started = Instant::now();
        black_box(define(&runtime, &text).call(n as f64 - 1.0));
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    tell("median", median(&times[WARM..]));
    tell("p90", quantile(&times[WARM..], 0.9));
}
