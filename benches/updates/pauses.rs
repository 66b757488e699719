//! What a thread that calls code notices of the code being replaced.
//!
//! One thread calls a function in a tight loop and notes the time between each two calls.
//! Another one, on another processor, replaces the function's module (ten functions) 10,000
//! times: at a rate of 1,000 a second, and as fast as it can. "The same run without" is a
//! thread that does the same except that it drops each update instead of committing it; that
//! takes the same memory traffic and the same system calls, commits nothing and retires
//! nothing. Beside it stand a thread that only burns time and one that sleeps, which show
//! what the machine does by itself. The ways take turns of a tenth each.
//!
//! Two readings of a caller's longest pause: the 99.9th percentile of all times between two
//! calls, and that of the longest one in each millisecond. The second sees what happens to a
//! caller once in ten thousand calls: interrupts of the kernel, and the signals by which
//! replaced code is reclaimed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotslot::{Function, Runtime, Source};

use crate::callers::stay_on;
use crate::child::{self, tell};
use crate::generations::{MODULE, version};
use crate::report::Row;
use crate::rounds::quantile;

const FUNCTIONS: usize = 10;
const ROUNDS: usize = 10;
/// Updates of each way, all rounds together.
const UPDATES: usize = 10_000;
const RATE: u32 = 1000;

/// What the other thread does.
const WAYS: [(&str, &str); 6] = [
    ("idle", "sleeps"),
    ("spin", "burns time"),
    ("dropped", "prepares 1,000 updates a second"),
    ("committed", "commits 1,000 updates a second"),
    ("dropped_fast", "prepares updates as fast as it can"),
    ("committed_fast", "commits updates as fast as it can"),
];

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let values = child::run("pause", &[]);
    let value = |way: &str, what: &str| values.get(&format!("{way}_{what}")).copied().unwrap_or(f64::NAN);
    let mut rows = Vec::new();
    for (what, of) in [("call", "between two calls"), ("longest", "the longest in each millisecond")] {
        for (with, without, rate) in [
            ("committed", "dropped", "1,000 updates a second"),
            ("committed_fast", "dropped_fast", "as many as it can"),
        ] {
            let (ours, theirs) = (value(with, what), value(without, what));
            let ratio = ours / theirs;
            let row = Row::reported(
                format!("pause of a caller, p99.9 of {of}, {rate}, against without the commit"),
                format!("{ours:.0} ns against {theirs:.0} ns: {ratio:.3}x"),
            );
            let row = row.number("ns", ours).number("without_ns", theirs).number("ratio", ratio);
            rows.push(row.target("<= 1.05x", ratio <= 1.05));
        }
    }
    rows.extend(WAYS.iter().map(|&(way, what)| {
        let part = |name: &str| value(way, name);
        Row::reported(
            format!("  pauses while another thread {what}"),
            format!(
                "p50 {:.0}, p99 {:.0}, p99.9 {:.0}, p99.99 {:.0} ns; longest in a ms: p50 {:.1}, p99.9 {:.1} us; \
                 {:.0} updates a second",
                part("p50"),
                part("p99"),
                part("call"),
                part("p9999"),
                part("longest_p50") / 1e3,
                part("longest") / 1e3,
                part("rate"),
            ),
        )
        .number("p50_ns", part("p50"))
        .number("p99_ns", part("p99"))
        .number("p999_ns", part("call"))
        .number("p9999_ns", part("p9999"))
        .number("longest_p50_ns", part("longest_p50"))
        .number("longest_p999_ns", part("longest"))
        .number("updates_per_second", part("rate"))
    }));
    rows
}

/// Measures in a process of its own.
pub fn child() {
    let runtime = Runtime::new().expect("this machine can run hotslot");
    let sources = [1, 2].map(|number| version(&runtime, FUNCTIONS, number));
    runtime.load(MODULE, sources[0].clone()).expect("it links");
    // SAFETY: the type of the functions that `generations` makes.
    let function = unsafe { runtime.function::<extern "C" fn(i64) -> i64>("f0") }.expect("it is loaded");
    let tick = nanoseconds_a_tick();
    let mut seen: Vec<Pauses> = WAYS.iter().map(|_| Pauses::new((1e6 / tick) as u64)).collect();
    let mut spent = [Duration::ZERO; WAYS.len()];
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    stay_on(0);
    for round in 0..ROUNDS {
        for turn in 0..WAYS.len() {
            let index = (round + turn) % WAYS.len();
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let other = scope.spawn(|| {
                    stay_on(1 % processors);
                    let took = other(WAYS[index].0, &runtime, &sources);
                    done.store(true, Ordering::Release);
                    took
                });
                seen[index].watch(&function, &done);
                spent[index] += other.join().expect("its updates succeed");
            });
        }
    }
    for (((way, _), pauses), spent) in WAYS.iter().zip(&mut seen).zip(spent) {
        let name = |what: &str| format!("{way}_{what}");
        for (what, part) in [("p50", 0.5), ("p99", 0.99), ("call", 0.999), ("p9999", 0.9999)] {
            tell(&name(what), pauses.quantile(part) * tick);
        }
        tell(&name("longest_p50"), quantile(&pauses.longest, 0.5) * tick);
        tell(&name("longest"), quantile(&pauses.longest, 0.999) * tick);
        let updates = if matches!(*way, "idle" | "spin") { 0 } else { UPDATES };
        tell(&name("rate"), updates as f64 / spent.as_secs_f64());
    }
}

/// One turn of the thread that is not watched; how long it took.
fn other(way: &str, runtime: &Runtime, sources: &[Source; 2]) -> Duration {
    let (share, pace) = (UPDATES / ROUNDS, Duration::from_secs(1) / RATE);
    let started = Instant::now();
    match way {
        "idle" => std::thread::sleep(pace * share as u32),
        "spin" => wait_until(started, pace * share as u32),
        _ => {
            for turn in 0..share {
                let source = sources[turn % 2].clone();
                let update = runtime.update().replace(MODULE, source).prepare().expect("it links");
                if way.starts_with("committed") {
                    update.commit().expect("nothing came between");
                } else {
                    drop(update);
                }
                if !way.ends_with("fast") {
                    wait_until(started, pace * (turn as u32 + 1));
                }
            }
        }
    }
    started.elapsed()
}

/// Does not sleep: all ways but one keep their processor busy.
fn wait_until(started: Instant, after: Duration) {
    while started.elapsed() < after {
        std::hint::spin_loop();
    }
}

/// The times between calls, in ticks: exact up to a limit, within 1.6% above.
struct Pauses {
    counts: Vec<u64>,
    /// The longest one of each window of a millisecond.
    longest: Vec<f64>,
    window: u64,
}

const EXACT: u64 = 1 << 12;
/// Parts of each power of two above that.
const PARTS: u64 = 1 << 6;

impl Pauses {
    fn new(window: u64) -> Self {
        Self { counts: vec![0; (EXACT + 52 * PARTS) as usize], longest: Vec::with_capacity(1 << 16), window }
    }

    /// Calls `function` until told that it is enough.
    fn watch(&mut self, function: &Function<extern "C" fn(i64) -> i64>, done: &AtomicBool) {
        let (mut last, mut value) = (ticks(), 0);
        let (mut end, mut longest) = (last + self.window, 0);
        while !done.load(Ordering::Relaxed) {
            value = function.call(value);
            let now = ticks();
            let pause = now - last;
            last = now;
            self.counts[Self::place(pause)] += 1;
            longest = longest.max(pause);
            if now >= end {
                self.longest.push(longest as f64);
                (end, longest) = (now + self.window, 0);
            }
        }
        std::hint::black_box(value);
    }

    fn place(pause: u64) -> usize {
        if pause < EXACT {
            return pause as usize;
        }
        let power = u64::from(pause.ilog2());
        let part = (pause >> (power - 6)) - PARTS;
        (EXACT + (power - 12) * PARTS + part) as usize
    }

    /// The smallest pause of a place.
    fn pause(place: u64) -> u64 {
        match place.checked_sub(EXACT) {
            None => place,
            Some(above) => (PARTS + above % PARTS) << (above / PARTS + 6),
        }
    }

    fn quantile(&self, part: f64) -> f64 {
        let all: u64 = self.counts.iter().sum();
        let mut left = (all as f64 * part) as u64;
        for (place, &count) in self.counts.iter().enumerate() {
            if count > left {
                return Self::pause(place as u64) as f64;
            }
            left -= count;
        }
        f64::NAN
    }
}

/// A clock that is read in a few nanoseconds.
#[cfg(target_arch = "x86_64")]
fn ticks() -> u64 {
    // SAFETY: every such processor has it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> u64 {
    use std::sync::LazyLock;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

fn nanoseconds_a_tick() -> f64 {
    let (started, first) = (Instant::now(), ticks());
    std::thread::sleep(Duration::from_millis(100));
    started.elapsed().as_nanos() as f64 / (ticks() - first) as f64
}
