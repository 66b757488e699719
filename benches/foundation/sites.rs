//! Calls at 2,048 places to 2,048 functions: more than the branch predictor likes.
//!
//! One function calls 2,048 others in turn. Beside the three forms of hotslot stand the
//! same calls between two shared libraries, which is what a program has without hotslot:
//! through the procedure linkage table bound lazily (the default), bound at load, and
//! without a table (-fno-plt).

use std::ffi::{CString, c_void};
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use hotslot::{Runtime, Source};

use crate::calls::ALIGNED;
use crate::child::{self, tell};
use crate::objects::{compile, shared_library};
use crate::report::Row;
use crate::rounds::{interleave, median, thread_time};

const SITES: usize = 2048;
const TURNS: i64 = 2000;
const ROUNDS: usize = 9;
/// Where code lies decides which calls share an entry of the branch predictor, and is
/// another in every process: the medians of several are compared, their range is shown.
const PROCESSES: usize = 5;

const WAYS: [(&str, &str); 6] = [
    ("direct", "direct, in one module"),
    ("slot", "hotslot, slot"),
    ("stub", "hotslot, stub"),
    ("lazy", "shared library, PLT bound lazily"),
    ("now", "shared library, PLT bound at load"),
    ("no_plt", "shared library, -fno-plt"),
];

/// The row of the table.
pub fn figure() -> Vec<Row> {
    let runs: Vec<_> = (0..PROCESSES).map(|_| child::run("sites", &[])).collect();
    let rows = WAYS.iter().map(|&(name, what)| {
        let mut times: Vec<f64> = runs.iter().filter_map(|run| run.get(name).copied()).collect();
        times.sort_by(f64::total_cmp);
        let (low, middle, high) = (times[0], median(&times), times[times.len() - 1]);
        Row::reported(
            format!("{SITES} callees at {SITES} places: {what}"),
            format!("{middle:.2} ns a call ({low:.2} to {high:.2})"),
        )
        .number("ns", middle)
        .number("lowest_ns", low)
        .number("highest_ns", high)
    });
    rows.collect()
}

/// Measures in a process of its own.
pub fn child() {
    let runtime = Runtime::new().expect("this machine can run hotslot");
    let load = |name: &str, source: &str, flags: &[&str]| {
        let object = compile(name, source, &[&ALIGNED[..], flags].concat());
        runtime.load(name, Source::object(object)).expect("it links");
    };
    load("callees", &callees(""), &[]);
    load("direct", &(callees("static __attribute__((noinline))") + &callers("run_direct")), &[]);
    load("slot", &(declarations() + &callers("run_slot")), &["-fno-plt"]);
    load("stub", &(declarations() + &callers("run_stub")), &["-fplt"]);
    let mut runs: Vec<Box<dyn FnMut() -> f64>> = Vec::new();
    for name in ["run_direct", "run_slot", "run_stub"] {
        // SAFETY: the source's signature.
        let run = unsafe { runtime.function::<extern "C" fn(i64) -> i64>(name) };
        let run = run.expect("it is loaded");
        runs.push(Box::new(move || timed(|turns| run.call(turns))));
    }

    let callees = shared_library("callees", &callees(""), &ALIGNED, &[]);
    for (name, flags) in [
        ("run_lazy", ["-fplt", "-Wl,-z,lazy"]),
        ("run_now", ["-fplt", "-Wl,-z,now"]),
        ("run_no_plt", ["-fno-plt", "-Wl,-z,now"]),
    ] {
        let flags = [&ALIGNED[..], &flags].concat();
        let source = declarations() + &callers(name);
        let library = shared_library(name, &source, &flags, &[&callees]);
        let run = open(&library, name);
        runs.push(Box::new(move || timed(|turns| run(turns))));
    }
    let mut contenders: Vec<&mut dyn FnMut() -> f64> = Vec::new();
    contenders.extend(runs.iter_mut().map(|run| &mut **run as &mut dyn FnMut() -> f64));
    let times = interleave(ROUNDS, &mut contenders);
    for ((name, _), times) in WAYS.iter().zip(&times) {
        tell(name, median(times));
    }
}

fn timed(run: impl Fn(i64) -> i64) -> f64 {
    let started = thread_time();
    let result = run(black_box(TURNS));
    let took = thread_time() - started;
    assert_eq!(result, TURNS * (SITES * (SITES - 1) / 2) as i64);
    took / (TURNS as f64 * SITES as f64)
}

fn callees(prefix: &str) -> String {
    let mut text = String::new();
    for i in 0..SITES {
        let body = format!("__asm__ volatile(\"\" : \"+r\"(x)); return x + {i};");
        let _ = writeln!(text, "{prefix} long callee{i}(long x) {{ {body} }}");
    }
    text
}

fn declarations() -> String {
    let mut text = String::new();
    for i in 0..SITES {
        let _ = writeln!(text, "extern long callee{i}(long);");
    }
    text
}

fn callers(run: &str) -> String {
    let mut text = format!("long {run}(long n) {{\n  long x = 0;\n  while (n-- > 0) {{\n");
    for i in 0..SITES {
        let _ = writeln!(text, "    x = callee{i}(x);");
    }
    text + "  }\n  return x;\n}\n"
}

/// A function of a shared library, which stays open.
fn open(library: &Path, name: &str) -> extern "C" fn(i64) -> i64 {
    let path = CString::new(library.as_os_str().as_encoded_bytes()).unwrap_or_default();
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: C strings; the library has no constructors. RTLD_LAZY leaves the choice to
    // how the library was linked.
    let address: *mut c_void = unsafe {
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL);
        assert!(!handle.is_null(), "cannot open {}", library.display());
        libc::dlsym(handle, name.as_ptr())
    };
    assert!(!address.is_null());
    // SAFETY: the source's signature.
    unsafe { std::mem::transmute::<*mut c_void, extern "C" fn(i64) -> i64>(address) }
}
