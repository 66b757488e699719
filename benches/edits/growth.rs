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
/// for each of so many modules takes as long to build. Nor does hotslot get ten thousand of them
/// at O2, of which code generation alone takes minutes: it has a line of its own at O0.
const WAYS: &[(&str, Level, usize)] = &[
    ("hotslot", Level::O2, 1_000),
    ("hotslot", Level::O0, 10_000),
    ("hotslot-full", Level::O2, 100),
    ("relink", Level::O2, 1_000),
    ("closure", Level::O2, 100),
    ("lljit", Level::O2, 1_000),
    ("mcjit", Level::O2, 100),
    ("dlopen", Level::O2, 100),
];

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let sizes: &[usize] = if quick() { &[10, 100] } else { &[10, 100, 1_000, 10_000] };
    let (rounds, budget) = if quick() { (1, 0.5) } else { (2, 2.0) };
    let mut rows = Vec::new();
    let mut smallest: Vec<(&str, Level, f64)> = Vec::new();
    for &size in sizes {
        let program = format!("generated-{size}");
        inputs::prepare(&program);
        let ways = WAYS.iter().filter(|(_, _, most)| size <= *most);
        let job = |&(way, level, _): &(&'static str, Level, usize)| Job {
            program: &program,
            way,
            level,
            edits: 20,
            budget,
        };
        let jobs: Vec<Job<'_>> = ways.clone().map(job).collect();
        // Loading so many modules takes longer than all edits of them.
        let rounds = if size >= 1_000 { 1 } else { rounds };
        let measured = measure::run(rounds, &jobs);
        for ((&(way, level, _), job), edits) in ways.zip(&jobs).zip(&measured) {
            if size == 10 {
                smallest.push((way, level, edits.median()));
            }
            let first = smallest.iter().find(|s| (s.0, s.1) == (way, level)).map_or(f64::NAN, |s| s.2);
            rows.push(row(job, size, edits, first));
        }
    }
    rows
}

fn row(job: &Job<'_>, size: usize, edits: &Edits, first: f64) -> Row {
    let growth = edits.median() / first;
    let figure = format!("{size} generated modules, one function edited, {}, {}", job.level.name(), job.way);
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
