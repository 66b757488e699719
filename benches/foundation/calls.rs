//! A hot call from one module to another, against a direct call.
//!
//! Loops from one C source (`c/calls.c`), each around one call of a function that does next
//! to nothing: direct, `call *slot(%rip)`, and `call` to the stub. All functions and loops
//! start at multiples of 64 bytes, in all of them. Times are read around 50 million calls;
//! medians of interleaved rounds.
//!
//! In a loop as small as this clang's machine LICM loads the callee's address once, before
//! the loop, and calls through a register. What it loads is the stub's address, so that the
//! call still follows a replacement; it is a call through the stub then. The slot's figure
//! is taken with that pass off, which leaves `call *slot(%rip)` as in straight code; what
//! clang makes of the loop by itself is reported beside it.

use std::hint::black_box;

use hotslot::{Function, Runtime, Source};

use crate::child::{self, tell};
use crate::objects::compile;
use crate::report::Row;
use crate::rounds::{interleave, median, thread_time};

const SOURCE: &str = include_str!("c/calls.c");
const CALLS: i64 = 50_000_000;
const ROUNDS: usize = 15;
/// Flags of every module whose calls are measured.
pub const ALIGNED: [&str; 4] = ["-O2", "-fPIC", "-falign-functions=64", "-falign-loops=64"];

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let values = child::run("call", &[]);
    let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
    let (direct, slot, stub) = (value("direct"), value("slot"), value("stub"));
    let hoisted = value("hoisted");
    let (ratio, more) = (slot / direct, stub - direct);
    vec![
        Row::reported(
            "call through a slot, hot, against a direct call",
            format!("{slot:.3} ns against {direct:.3} ns: {ratio:.3}x"),
        )
        .target("<= 1.05x", ratio <= 1.05)
        .number("direct_ns", direct)
        .number("slot_ns", slot)
        .number("ratio", ratio),
        Row::reported(
            "call through a stub, hot, against a direct call",
            format!("{stub:.3} ns: {more:+.3} ns"),
        )
        .target("<= +1 ns", more <= 1.0)
        .number("stub_ns", stub)
        .number("more_ns", more),
        Row::reported(
            "  a slot call whose address clang loads before the loop",
            format!("{hoisted:.3} ns: {:.3}x", hoisted / direct),
        )
        .number("hoisted_ns", hoisted)
        .number("ratio", hoisted / direct),
    ]
}

/// Measures in a process of its own.
pub fn child() {
    let runtime = Runtime::new().expect("this machine can run hotslot");
    let caller = |name: &str, more: &[&str]| {
        let object = compile(name, SOURCE, &[&ALIGNED[..], more].concat());
        runtime.load(name, Source::object(object)).expect("it links");
    };
    caller("callee", &["-DCALLEE=other"]);
    caller("direct", &["-DOWN", "-DCALLEE=own", "-DRUN=run_direct"]);
    let in_loop = ["-mllvm", "-disable-machine-licm", "-fno-plt"];
    caller("slot", &[&in_loop[..], &["-DCALLEE=other", "-DRUN=run_slot"]].concat());
    caller("hoisted", &["-fno-plt", "-DCALLEE=other", "-DRUN=run_hoisted"]);
    caller("stub", &["-fplt", "-DCALLEE=other", "-DRUN=run_stub"]);
    let run = |name: &str| {
        // SAFETY: the source's signature.
        let run = unsafe { runtime.function::<extern "C" fn(i64) -> i64>(name) };
        let run: Function<extern "C" fn(i64) -> i64> = run.expect("it is loaded");
        move || {
            let started = thread_time();
            let result = run.call(black_box(CALLS));
            let took = thread_time() - started;
            assert_eq!(result, CALLS);
            took / CALLS as f64
        }
    };
    let (mut direct, mut slot) = (run("run_direct"), run("run_slot"));
    let (mut stub, mut hoisted) = (run("run_stub"), run("run_hoisted"));
    let mut contenders: [&mut dyn FnMut() -> f64; 4] = [&mut direct, &mut slot, &mut stub, &mut hoisted];
    let times = interleave(ROUNDS, &mut contenders);
    for (name, times) in ["direct", "slot", "stub", "hoisted"].iter().zip(&times) {
        tell(name, median(times));
    }
}
