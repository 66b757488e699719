//! Memory of a generation that is kept to be returned to.
//!
//! The small module of the foundation's figures is replaced 2,000 times by versions that
//! differ, once with all of them kept and once with none: the difference is what keeping
//! costs, the host's records and the source included. Resident memory counts a page of code
//! twice, because it is mapped twice; proportional memory counts it once.

use hotslot::{Runtime, Source};

use crate::child::{self, tell};
use crate::objects::{self, Small};
use crate::report::Row;
use crate::resident::resident;

const GENERATIONS: usize = 2000;
const WARM: usize = 50;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let (kept, none) = (child::run("memory", &["2000000"]), child::run("memory", &["0"]));
    let value = |name: &str| {
        let value = |values: &child::Values| values.get(name).copied().unwrap_or(f64::NAN);
        (value(&kept) / GENERATIONS as f64, value(&none) / GENERATIONS as f64)
    };
    let (rss, pss, arena, source) = (value("rss"), value("pss"), value("arena"), value("source"));
    vec![
        Row::reported(
            "memory of a generation that is kept: a module of ten functions",
            format!(
                "RSS {:.2} KiB, PSS {:.2} KiB, of which {:.2} in the arena and {:.2} its source",
                rss.0, pss.0, arena.0, source.0
            ),
        )
        .number("rss_kib", rss.0)
        .number("pss_kib", pss.0)
        .number("arena_kib", arena.0)
        .number("source_kib", source.0),
        Row::reported(
            "  of one that is replaced and not kept",
            format!("RSS {:.2} KiB, PSS {:.2} KiB", rss.1, pss.1),
        )
        .number("rss_kib", rss.1)
        .number("pss_kib", pss.1),
    ]
}

/// Measures in a process of its own: how many generations to keep.
pub fn child(arguments: &[&str]) {
    let history = arguments[0].parse().expect("a number of generations");
    let small = Small::new();
    let runtime = Runtime::builder().history(history).build().expect("this machine can run hotslot");
    let source = |turn: usize| Source::object(small.object(1, turn % 2 * 2));
    runtime.load(objects::module(0), Source::object(small.object(0, 0))).expect("a small module links");
    runtime.load(objects::module(1), source(0)).expect("a small module links");
    runtime.load(objects::module(2), Source::object(small.object(2, 0))).expect("a small module links");
    let replace = |turn: usize| {
        runtime.replace(objects::module(1), source(turn)).expect("a small module links");
        let function = format!("{}_f0", objects::module(1));
        // SAFETY: the template's signature.
        let function = unsafe { runtime.function::<extern "C" fn(i64) -> i64>(&function) };
        function.expect("just loaded").call(1);
    };
    (0..WARM).for_each(replace);
    let (before, stats) = (resident(), runtime.stats());
    (WARM..WARM + GENERATIONS).for_each(replace);
    let (after, now) = (resident(), runtime.stats());
    tell("rss", after.0 - before.0);
    tell("pss", after.1 - before.1);
    let arena = now.code_bytes + now.constant_bytes - stats.code_bytes - stats.constant_bytes;
    tell("arena", arena as f64 / 1024.0);
    tell("source", (small.object(1, 0).len() * GENERATIONS) as f64 / 1024.0);
}
