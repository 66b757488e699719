//! Replacing one small module in a program of 10,000 modules, against one of 10.
//!
//! The modules are the small ones of the foundation's figures: ten functions, each calling
//! into the module before. Both programs are in one process and take turns. Two ways: the
//! same module over and over, as somebody edits it, and another one each time, which finds
//! every record of a large program cold in the cache. The second keeps no past generations:
//! otherwise the large program would take new memory with each update, and the small one
//! that of generations it has freed. All is linked from objects made in advance, of which a
//! module has two that differ.

use std::time::Instant;

use hotslot::{Runtime, Source};

use crate::child::{self, tell};
use crate::objects::{self, Small};
use crate::report::Row;
use crate::rounds::{interleave, median};

const MANY: usize = 10_000;
const FEW: usize = 10;
const ROUNDS: usize = 3000;
const REPETITIONS: usize = 3;
const ARENA: usize = 1 << 30;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let row = |way: &str, what: &str| {
        let runs: Vec<_> = (0..REPETITIONS).map(|_| child::run("size", &[way])).collect();
        let value = |name: &str| {
            let values: Vec<f64> = runs.iter().filter_map(|run| run.get(name).copied()).collect();
            median(&values)
        };
        let (few, many) = (value("few"), value("many"));
        let row = Row::reported(what, format!("{many:.1} us against {few:.1} us: {:.2}x", many / few))
            .number("many_us", many)
            .number("few_us", few)
            .number("ratio", many / few);
        (row, many / few)
    };
    let (same, ratio) = row("same", "replacement of one small module among 10,000, against among 10");
    let (other, _) = row("other", "  the same, another module each time");
    vec![same.target("<= 1.2x", ratio <= 1.2), other]
}

/// Measures in a process of its own.
pub fn child(arguments: &[&str]) {
    let small = Small::new();
    let other_each_time = arguments == ["other"];
    let history = if other_each_time { 0 } else { 4 };
    let (few, many) = (program(&small, FEW, history), program(&small, MANY, history));
    let replace = |runtime: &Runtime, count: usize, turn: usize| {
        // Spread over all of the program, and the same ones in every run.
        let number = if other_each_time { turn * 7919 % count } else { count / 2 };
        let previous = number.saturating_sub(1 + turn % 2);
        let source = Source::object(small.object(number, previous));
        let name = objects::module(number);
        let started = Instant::now();
        let report = runtime.replace(name, source);
        let took = started.elapsed().as_secs_f64() * 1e6;
        report.expect("a small module links");
        took
    };
    let (mut first, mut second) = (0, 0);
    let mut in_few = || {
        first += 1;
        replace(&few, FEW, first)
    };
    let mut in_many = || {
        second += 1;
        replace(&many, MANY, second)
    };
    let mut contenders: [&mut dyn FnMut() -> f64; 2] = [&mut in_few, &mut in_many];
    let times = interleave(ROUNDS, &mut contenders);
    tell("few", median(&times[0]));
    tell("many", median(&times[1]));
}

fn program(small: &Small, count: usize, history: usize) -> Runtime {
    let builder = Runtime::builder().arena_size(ARENA).history(history);
    let runtime = builder.build().expect("this machine can run hotslot");
    for number in 0..count {
        let source = Source::object(small.object(number, number.saturating_sub(1)));
        runtime.load(objects::module(number), source).expect("a small module links");
    }
    runtime
}
