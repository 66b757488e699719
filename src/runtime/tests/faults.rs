//! Every step of preparing an update fails once: nothing must be left of it.

use super::super::Runtime;
use super::super::update::Update;
use super::snapshot::{self, differences, winner};
use crate::compile::{OptLevel, Source};
use crate::error::ErrorKind;
use crate::fault::inject;
use crate::tls;

fn ir(text: &str) -> Source {
    Source::ir(text).trusted()
}

/// Bytes of thread-local variables that no other test has.
const BLOCK: usize = 808;
const STATIC_BLOCK: usize = 408;

/// Thread-local blocks of these tests. Only one test may have them at a time.
fn blocks() -> (usize, usize) {
    (tls::registered(BLOCK), tls::registered(STATIC_BLOCK))
}

/// A module with a bit of everything: `n` is different in each generation.
fn replaced(n: u64) -> Source {
    ir(&format!(
        "@count = global i64 {n}\n\
         @hidden = internal global i64 {n}\n\
         @handlers = global [2 x ptr] [ptr @local, ptr @unknown]\n\
         @tls = thread_local global [101 x i64] zeroinitializer\n\
         @only{n} = global i64 {n}\n\
         declare i64 @unknown()\n declare i64 @helped()\n declare i64 @leaves()\n\
         define internal i64 @local() {{ %h = load i64, ptr @hidden\n ret i64 %h }}\n\
         define i64 @run() uwtable {{ %c = load i64, ptr @count\n %u = call i64 @helped()\n \
           %t = load i64, ptr @tls\n %x = call i64 @leaves()\n store i64 %c, ptr @hidden\n ret i64 {n} }}\n\
         define weak i64 @weakly() {{ ret i64 {n} }}"
    ))
}

fn returning(n: u64) -> Source {
    ir(&format!(
        "@state = global i64 {n}\n declare i64 @elsewhere()\n\
         define i64 @back() {{ %s = load i64, ptr @state\n %r = call i64 @elsewhere()\n ret i64 {n} }}\n\
         define i64 @only_back{n}() {{ ret i64 {n} }}"
    ))
}

/// Its variable has another size in each generation, so returning is linking again.
fn resized(n: u64) -> Source {
    ir(&format!(
        "@size = global [{n} x i64] zeroinitializer\n\
         define i64 @first() {{ %v = load i64, ptr @size\n ret i64 %v }}"
    ))
}

fn leaving() -> Source {
    ir("@shared = common global [16 x i8] zeroinitializer\n\
        define i64 @leaves() { ret i64 1 }\n define i64 @weakly() { ret i64 9 }")
}

fn runtime() -> Runtime {
    let builder = Runtime::builder().arena_size(64 << 20).history(2).compile_threads(1);
    let rt = builder.opt_level(OptLevel::O0).process_symbols(false).build().unwrap();
    rt.load("replaced", replaced(1)).unwrap();
    rt.load("leaving", leaving()).unwrap();
    rt.load("returning", returning(1)).unwrap();
    rt.load("resized", resized(1)).unwrap();
    for n in 2..4 {
        let mut update = rt.update();
        update.reset_all().replace("replaced", replaced(n)).replace("returning", returning(n));
        update.replace("resized", resized(n)).commit().unwrap();
    }
    rt
}

/// Everything that an update can consist of.
fn rich(rt: &Runtime) -> Update<'_> {
    let first = "@shared = common global [16 x i8] zeroinitializer\n\
         @fixed = thread_local(initialexec) global [51 x i64] zeroinitializer\n\
         @late = global ptr @not_yet\n declare i64 @not_yet()\n declare i64 @missing()\n\
         declare i64 @second()\n\
         define weak i64 @weakly() { ret i64 7 }\n\
         define i64 @helped() uwtable { %a = call i64 @missing()\n %b = call i64 @second()\n \
           %f = load i64, ptr @fixed\n ret i64 %b }\n\
         @chosen = ifunc i64 (), ptr @choose\n\
         define internal ptr @choose() { ret ptr @second }\n\
         @llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] \
           [{ i32, ptr, ptr } { i32 65535, ptr @start, ptr null }]\n\
         define internal void @start() { ret void }";
    let second = "@tls = external thread_local global [101 x i64]\n\
         define i64 @second() { %t = load i64, ptr @tls\n ret i64 %t }\n\
         define i64 @only_back1() { ret i64 50 }";
    let mut update = rt.update();
    update.load("first", ir(first)).load("second", ir(second)).replace("replaced", replaced(4));
    update.restore("returning", 1).restore("resized", 2).remove("leaving").reset_all();
    update
}

/// What a rich update has done.
fn assert_committed(rt: &Runtime) {
    for (name, there) in [("run", true), ("only4", true), ("only3", false), ("leaves", false)] {
        assert_eq!(winner(rt, name).is_some(), there, "{name}");
    }
    for (module, number) in [("replaced", 4), ("returning", 1), ("resized", 2), ("first", 1)] {
        let live = rt.history(module).unwrap().into_iter().find(|g| g.live).unwrap();
        assert_eq!(live.number, number, "{module}");
    }
    assert!(rt.history("leaving").is_err());
}

/// Steps that the update has beside those that fail: without room for a thunk of its own a
/// missing symbol shares one.
const MAY_SUCCEED: &str = "arena";

#[test]
fn a_failure_at_any_step_changes_nothing() {
    preparing_fails();
    committing_late_fails();
}

fn preparing_fails() {
    let rt = runtime();
    let (before, blocks_before) = (snapshot::of(&rt), blocks());
    let mut failed = Vec::new();
    for n in 1.. {
        let (result, at) = inject(n, || rich(&rt).prepare());
        match (&result, at) {
            (Err(error), Some(step)) => {
                assert_eq!(error.kind(), ErrorKind::Memory, "{error}");
                assert!(error.to_string().contains(&format!("injected: {step}")), "{error}");
                failed.push(step);
            }
            (Ok(_), Some(step)) => assert_eq!(step, MAY_SUCCEED, "step {n} failed unnoticed"),
            (Ok(_), None) => break,
            (Err(error), None) => panic!("without a fault: {error}"),
        }
        drop(result);
        let different = differences(&before, &snapshot::of(&rt));
        assert!(different.is_empty(), "step {n}, {at:?}:\n{different}");
        assert_eq!(blocks(), blocks_before, "step {n}, {at:?}");
    }
    for step in [
        "arena",
        "slot",
        "pair",
        "thread-locals",
        "survey",
        "link",
        "unwind information",
        "gates",
        "compile",
        "parse",
        "checks",
    ] {
        assert!(failed.contains(&step), "{step} was not among {failed:?}");
    }
    let prepared = rich(&rt).prepare().unwrap();
    drop(prepared);
    assert_eq!(differences(&before, &snapshot::of(&rt)), "");
    rich(&rt).commit().unwrap();
    assert_committed(&rt);
}

/// The same for an update that another has overtaken: it is linked again under its commit.
fn committing_late_fails() {
    let rt = runtime();
    // But for the count of commits, which is what makes it late.
    let all = || {
        let mut all = snapshot::of(&rt);
        all.remove("order");
        all
    };
    let (before, blocks_before) = (all(), blocks());
    for n in 1.. {
        let prepared = rich(&rt).prepare().unwrap();
        rt.inner.state.lock().epoch.advance();
        assert!(!prepared.is_current());
        let (result, at) = inject(n, || prepared.commit());
        if result.is_ok() {
            assert!(at.is_none_or(|step| step == MAY_SUCCEED), "step {n}, {at:?}, failed unnoticed");
            break;
        }
        let different = differences(&before, &all());
        assert!(at.is_some() && different.is_empty(), "step {n}, {at:?}: {result:?}\n{different}");
        assert_eq!(blocks(), blocks_before, "step {n}, {at:?}");
    }
    assert_committed(&rt);
}
