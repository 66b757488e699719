//! Ten thousand small modules: time of the last against that of the first, and mappings.
//!
//! Each module has ten functions and calls into the one before. A warm-up of 300 modules
//! in another runtime of the same process comes first, so that the first hundred do not
//! pay for cold caches and a cold heap; the objects are made outside of the measured time.
//! Each repetition is a process of its own; the figure is the median of the repetitions.

use std::time::Instant;

use hotslot::{Runtime, Source};

use crate::child::{self, tell};
use crate::objects::{self, FUNCTIONS, Small};
use crate::report::Row;
use crate::rounds::{mean, median};

const MODULES: usize = 10_000;
const WARM: usize = 300;
const REPETITIONS: usize = 7;
const ARENA: usize = 1 << 30;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let runs: Vec<_> = (0..REPETITIONS).map(|_| child::run("scale", &[])).collect();
    let value = |name: &str| {
        let values: Vec<f64> = runs.iter().filter_map(|run| run.get(name).copied()).collect();
        median(&values)
    };
    let ratio = |name: &str| value(name) / value("first");
    let (last, thousand) = (ratio("last"), ratio("thousand"));
    let most = runs.iter().map(|run| run["after"] - run["before"]).fold(0.0, f64::max);
    let arena = runs.iter().map(|run| run["arena_after"] - run["arena_before"]).fold(0.0, f64::max);
    let functions = MODULES * FUNCTIONS;
    vec![
        Row::reported(
            format!("mappings after {MODULES} modules and after 1"),
            format!(
                "{} and {}; of the arena {} and {}",
                value("after"),
                value("before"),
                value("arena_after"),
                value("arena_before")
            ),
        )
        .target("equal", most == 0.0 && arena == 0.0)
        .number("after", value("after"))
        .number("before", value("before"))
        .number("arena_after", value("arena_after"))
        .number("arena_before", value("arena_before")),
        Row::reported(
            format!("{MODULES} modules, {functions} functions: the last 100 against the first 100"),
            format!("{:.1} us against {:.1} us a module: {last:.2}x", value("last"), value("first")),
        )
        .target("<= 1.20x", last <= 1.2)
        .number("first_us", value("first"))
        .number("last_us", value("last"))
        .number("ratio", last),
        Row::reported(
            "  the same, the last 1,000 against the first 100",
            format!("{:.1} us: {thousand:.2}x", value("thousand")),
        )
        .target("<= 1.20x", thousand <= 1.2)
        .number("last_us", value("thousand"))
        .number("ratio", thousand),
        Row::reported(
            "  the same, means instead of medians",
            format!(
                "last 100 {:.2}x, last 1,000 {:.2}x, all {:.2}x",
                value("mean_last") / value("mean_first"),
                value("mean_thousand") / value("mean_first"),
                value("mean_all") / value("mean_first")
            ),
        )
        .number("ratio_last", value("mean_last") / value("mean_first"))
        .number("ratio_thousand", value("mean_thousand") / value("mean_first"))
        .number("ratio_all", value("mean_all") / value("mean_first"))
        .number("worst_us", value("worst")),
    ]
}

/// Measures in a process of its own.
pub fn child() {
    let small = Small::new();
    // The records of this measurement shall not add mappings between the two readings.
    let mut times = vec![0.0; MODULES];
    let mut maps = vec![0u8; 1 << 20];
    let (runtime, warm) = (build(), build());
    let mut ignored = vec![0.0; WARM];
    load(&warm, &small, 0..WARM, &mut ignored);

    load(&runtime, &small, 0..1, &mut times);
    let before = mappings(&mut maps);
    load(&runtime, &small, 1..MODULES, &mut times);
    let after = mappings(&mut maps);
    // SAFETY: the template's signature.
    let last = unsafe {
        runtime.function::<extern "C" fn(i64) -> i64>(&format!("{}_f9", objects::module(MODULES - 1)))
    };
    // Through a thousand modules and back: they are linked to each other.
    last.expect("just loaded").call(1000);

    // The very first module has nothing to refer to.
    let (first, tail, thousand) = (&times[1..101], &times[MODULES - 100..], &times[MODULES - 1000..]);
    tell("first", median(first));
    tell("last", median(tail));
    tell("thousand", median(thousand));
    tell("mean_first", mean(first));
    tell("mean_last", mean(tail));
    tell("mean_thousand", mean(thousand));
    tell("mean_all", mean(&times));
    tell("worst", times.iter().copied().fold(0.0, f64::max));
    tell("before", before.0);
    tell("after", after.0);
    tell("arena_before", before.1);
    tell("arena_after", after.1);
}

fn build() -> Runtime {
    Runtime::builder().arena_size(ARENA).build().expect("this machine can run hotslot")
}

/// Loads modules and notes how long each took, in microseconds.
fn load(runtime: &Runtime, small: &Small, numbers: std::ops::Range<usize>, times: &mut [f64]) {
    for number in numbers {
        let source = Source::object(small.object(number, number.saturating_sub(1)));
        let name = objects::module(number);
        let started = Instant::now();
        let report = runtime.load(name, source);
        times[number] = started.elapsed().as_secs_f64() * 1e6;
        report.expect("a small module links");
    }
}

/// How many lines /proc/self/maps has, and how many of them are of the memory file.
fn mappings(buffer: &mut [u8]) -> (f64, f64) {
    use std::io::Read;
    let mut file = std::fs::File::open("/proc/self/maps").expect("there is /proc");
    let mut length = 0;
    while let Ok(read @ 1..) = file.read(&mut buffer[length..]) {
        length += read;
    }
    let text = String::from_utf8_lossy(&buffer[..length]);
    let arena = text.lines().filter(|line| line.contains("memfd:hotslot")).count();
    (text.lines().count() as f64, arena as f64)
}
