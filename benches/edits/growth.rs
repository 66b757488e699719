//! The same edit in generated programs of 10 to 10,000 modules.
//!
//! Twenty modules spread over the program, or as many as the way's time allows. Ways whose
//! cost of loading a program grows out of proportion stop at a smaller one, which the row
//! says. The first new call is a real one here: the function is called and must answer with
//! the new number.

use crate::measure::{self, Edits, Job, time};
use crate::report::Row;
use crate::ways::Level;
use crate::{inputs, quick};

/// The ways, and the largest program that each gets. Of ten thousand modules a full relink
/// takes many minutes: LLVM's loader needs time that grows with the square of the functions in
/// one object. The closure of a module is nearly all of the program, and a library or an engine
/// for each of so many modules takes as long to build. Loading ten thousand modules into hotslot at O2
/// takes minutes, too, and once is enough.
const WAYS: &[(&str, usize)] = &[
    ("hotslot", 10_000),
    ("hotslot-full", 1_000),
    ("relink", 1_000),
    ("closure", 1_000),
    ("lljit", 1_000),
    ("mcjit", 1_000),
    ("dlopen", 100),
];

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let sizes: &[usize] = if quick() { &[10, 100] } else { &[10, 100, 1_000, 10_000] };
    let (rounds, budget) = if quick() { (1, 0.5) } else { (2, 2.0) };
    let mut rows = Vec::new();
    let mut smallest: Vec<(String, f64)> = Vec::new();
    for &size in sizes {
        let program = format!("generated-{size}");
        inputs::prepare(&program);
        let known = |name: &str| crate::contenders::all().iter().any(|c| c.name == name);
        let ways = WAYS.iter().filter(|(name, most)| size <= *most && known(name));
        let job = |way| Job { program: &program, way, level: Level::O2, edits: 20, budget };
        let jobs: Vec<Job<'_>> = ways.map(|&(way, _)| job(way)).collect();
        // Loading so many modules takes longer than all edits of them.
        let rounds = if size >= 1_000 { 1 } else { rounds };
        let measured = measure::run(rounds, &jobs);
        for (job, edits) in jobs.iter().zip(&measured) {
            if size == 10 {
                smallest.push((job.way.to_owned(), edits.median()));
            }
            let first = smallest.iter().find(|(way, _)| *way == job.way).map_or(f64::NAN, |s| s.1);
            rows.push(row(job, size, edits, first));
        }
    }
    rows
}

fn row(job: &Job<'_>, size: usize, edits: &Edits, first: f64) -> Row {
    let growth = edits.median() / first;
    let figure = format!("{size} generated modules, one function edited, {}", job.way);
    let row = Row::reported(figure, format!("{}: {growth:.2}x of 10 modules", time(edits.median())))
        .number("median_us", edits.median())
        .number("growth", growth)
        .number("edits", edits.count() as f64)
        .number("load_ms", edits.load.first().copied().unwrap_or(f64::NAN));
    match job.way {
        "hotslot" if size == 10_000 => row.target("<= 1.2x", growth <= 1.2),
        _ => row,
    }
}
