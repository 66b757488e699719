//! Lines that do what cannot be, 1,000 of each kind: how many are told, and what stays behind.

use std::time::{Duration, Instant};

use hotslot::{ErrorKind, Interrupt, Runtime, Source};

use crate::child::{self, tell};
use crate::report::Row;
use crate::resident::resident;
use crate::rounds::median;

const EACH: usize = 1000;
/// How much more memory there may be after all of one kind, in KiB.
const LIMIT: f64 = 1024.0;

const KINDS: [(&str, &str, ErrorKind); 6] = [
    ("null pointer", "define i64 @f() { store volatile i64 1, ptr null ret i64 0 }", ErrorKind::Fault),
    (
        "division by zero",
        "@z = global i64 0 define i64 @f() { %z = load volatile i64, ptr @z %q = sdiv i64 1, %z ret i64 %q }",
        ErrorKind::Fault,
    ),
    (
        "stack overflow",
        "define i64 @f() { %r = alloca [64 x i64] store volatile i64 1, ptr %r %d = call i64 @f() \
         %v = load volatile i64, ptr %r %s = add i64 %d, %v ret i64 %s }",
        ErrorKind::Fault,
    ),
    ("abort", "declare void @abort() define i64 @f() { call void @abort() ret i64 0 }", ErrorKind::Aborted),
    (
        "exit",
        "declare void @exit(i32) define i64 @f() { call void @exit(i32 3) ret i64 0 }",
        ErrorKind::Aborted,
    ),
    ("endless loop", "define i64 @f() { br label %l l: br label %l }", ErrorKind::Interrupted),
];

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let row = |(at, (name, ..)): (usize, &(&str, &str, ErrorKind))| {
        let values = child::run("faults", &[&at.to_string()]);
        let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
        let (told, grown) = (value("told"), value("grown"));
        Row::reported(
            format!("{name}, {EACH} times"),
            format!("{told:.0} told, {grown:+.0} KiB, {:.2} ms each in the median", value("median")),
        )
        .target(format!("all, <= {LIMIT} KiB"), told == EACH as f64 && grown <= LIMIT)
        .number("told", told)
        .number("grown_kib", grown)
        .number("ms", value("median"))
    };
    KINDS.iter().enumerate().map(row).collect()
}

/// Measures one kind in a process of its own.
pub fn child(arguments: &[&str]) {
    let at: usize = arguments.first().and_then(|at| at.parse().ok()).expect("a kind");
    let (_, text, kind) = KINDS[at];
    let runtime = Runtime::builder().contain_aborts(true).build().expect("this machine can run hotslot");
    let (mut told, mut times) = (0, Vec::new());
    let stop = Interrupt::new();
    let mut line = || {
        let started = Instant::now();
        let module = runtime.anonymous(Source::ir(text).trusted()).expect("it loads");
        // SAFETY: it has this type; what it does wrong is what is measured.
        let function = unsafe { module.function::<extern "C" fn() -> i64>("f") }.expect("it has it");
        let result = match kind {
            ErrorKind::Interrupted => std::thread::scope(|scope| {
                scope.spawn(|| while stop.interrupt() == 0 {});
                function.guarded().interrupt(&stop).deadline(Duration::from_secs(60)).call()
            }),
            _ => function.try_call(),
        };
        times.push(started.elapsed().as_secs_f64() * 1e3);
        usize::from(result.is_err_and(|error| error.kind() == kind && error.fault().is_some()))
    };
    (0..100).for_each(|_| _ = line());
    let before = resident().1;
    (0..EACH).for_each(|_| told += line());
    tell("told", told as f64);
    tell("grown", resident().1 - before);
    tell("median", median(&times));
}
