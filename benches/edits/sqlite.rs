//! One function of SQLite's amalgamation edited, against compiling the module again.
//!
//! Twenty of its some 2,500 functions, at even steps in the order of their size, the largest
//! one included, or as many of them as ten seconds allow. Compiling again, once, is LLVM alone, in
//! process, at the same level: read the module's bitcode, run the passes, generate an object;
//! nothing is linked.

use std::time::Instant;

use crate::child::{self, Values, tell};
use crate::llvm::{self, Machine};
use crate::measure::time;
use crate::report::Row;
use crate::rounds::median;
use crate::ways::{Level, Program};
use crate::{changes, contenders, inputs, quick, record};

/// How many functions are edited.
const FUNCTIONS: usize = 20;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    inputs::prepare("sqlite");
    let levels: &[Level] = if quick() { &[Level::O0] } else { &[Level::O2, Level::O0] };
    levels.iter().flat_map(|&level| at(level)).collect()
}

fn at(level: Level) -> Vec<Row> {
    let budget = if quick() { "5" } else { "10" };
    let again = child::run("recompile", &[level.name()]);
    let phase = |name: &str| again.get(name).copied().unwrap_or(f64::NAN);
    let all = phase("parse") + phase("optimise") + phase("code");
    // What a user waits for, and the same with the function optimised before it goes live.
    let ways: &[&str] = if level == Level::O0 { &["hotslot"] } else { &["hotslot", "hotslot-full"] };
    let mut rows = Vec::new();
    for way in ways {
        let values = child::run("sqlite", &[way, level.name(), budget]);
        rows.extend(of_way(way, level, &values, all));
    }
    rows.push(Row::reported(
        format!("  compiling it again, {}, once", level.name()),
        format!(
            "parse {}, optimise {}, code {}",
            time(phase("parse")),
            time(phase("optimise")),
            time(phase("code"))
        ),
    ));
    rows
}

fn of_way(way: &str, level: Level, values: &Values, again: f64) -> [Row; 2] {
    let ending = |end: &str| -> Vec<f64> {
        values.iter().filter(|(name, _)| name.ends_with(end)).map(|(_, &value)| value).collect()
    };
    let (times, sizes) = (ending(".total"), ending(".size"));
    let middle = if times.is_empty() { f64::NAN } else { median(&times) };
    let (least, most) = times.iter().fold((f64::NAN, f64::NAN), |(l, m), &t| (t.min(l), t.max(m)));
    record::sqlite(way, level, again, &sizes, &times);
    let (ratio, name) = (again / middle, level.name());
    let row = Row::reported(
        format!("SQLite, one function edited, {name}, {way}, against compiling the module again"),
        format!("{} against {}: {ratio:.1}x", time(middle), time(again)),
    )
    .number("median_us", middle)
    .number("again_us", again)
    .number("ratio", ratio);
    [
        row.target("hotslot >= 100x faster", ratio >= 100.0),
        Row::reported(
            "  fastest and slowest of its functions",
            format!("{} to {}, {} functions", time(least), time(most), times.len()),
        )
        .number("least_us", least)
        .number("most_us", most)
        .number("functions", times.len() as f64),
    ]
}

/// The program, and which of its modules is the amalgamation.
fn amalgamation() -> (Program, usize) {
    let program = inputs::program("sqlite", "hotslot");
    let largest = (0..program.modules.len()).max_by_key(|&index| program.modules[index].bitcode.len());
    (program, largest.unwrap_or_default())
}

/// Edits functions with hotslot, in a process of its own: way, level, seconds.
pub fn child(arguments: &[&str]) {
    let [way, level, budget] = arguments else { panic!("way, level, seconds") };
    let budget: f64 = budget.parse().expect("a number of seconds");
    let (program, module) = amalgamation();
    let mut hotslot = contenders::load(way, &program, contenders::level(level)).expect("it loads SQLite");
    let mut all = changes::candidates(&program.modules[module]);
    all.retain(|candidate| !candidate.entry.is_empty());
    let begun = Instant::now();
    let mut counted = false;
    for turn in 0..=FUNCTIONS {
        // The first is made twice, for it finds everything cold, unless it takes long anyway.
        if turn == 1 && counted {
            continue;
        }
        // Steps of seven are spread, too.
        let number = turn.saturating_sub(1) * 7 % FUNCTIONS;
        let function = &all[(number + 1) * (all.len() - 1) / FUNCTIONS];
        let edit = changes::of_function(&program, module, function, turn as i32 + 1);
        let split = hotslot.edit(&edit).expect("hotslot takes the edit");
        hotslot.settle();
        counted = turn > 0 || split.total.as_secs_f64() > 0.5;
        if counted {
            tell(&format!("{number:02}.total"), split.total.as_secs_f64() * 1e6);
            tell(&format!("{number:02}.size"), function.size as f64);
        }
        if begun.elapsed().as_secs_f64() > budget {
            break;
        }
    }
    std::mem::forget(hotslot);
}

/// Compiles the module again, in a process of its own: level.
pub fn recompile(arguments: &[&str]) {
    let [level] = arguments else { panic!("level") };
    let (program, module) = amalgamation();
    let machine = Machine::new(contenders::level(level));
    let begun = Instant::now();
    llvm::with(&program.modules[module].bitcode, |module| {
        let mut last = begun;
        let mut lap = |name: &str| {
            tell(name, last.elapsed().as_secs_f64() * 1e6);
            last = Instant::now();
        };
        lap("parse");
        machine.optimise(module);
        lap("optimise");
        machine.generate(module);
        lap("code");
    });
}
