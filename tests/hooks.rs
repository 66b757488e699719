//! The library's side of `hotslot.h`: `Hooks` in a host that is no command.

#[path = "common/clang.rs"]
mod clang;

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotslot::{ErrorKind, Hooks, Runtime, Source};

use clang::object;

/// An object of C code that includes the header.
fn code(source: &str) -> Source {
    let header = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/src/hooks");
    object(&format!("#include <hotslot.h>\n{source}"), "clang-19", &[header])
}

fn call(runtime: &Runtime, name: &str) -> c_int {
    // SAFETY: all functions of these tests are of this type.
    #[allow(unsafe_code)]
    let function = unsafe { runtime.function::<extern "C" fn() -> c_int>(name) };
    function.unwrap().call()
}

#[test]
fn the_thread_that_comes_by_applies_the_update() {
    let runtime = Runtime::new().unwrap();
    let hooks = Hooks::install(&runtime).unwrap();
    let poll = "int poll(void) { return hotslot_safe_point(); }
                int generation(void) { return (int)hotslot_generation(); }";
    runtime.load("poll", code(poll)).unwrap();
    runtime.load("value", code("int value(void) { return 1; }")).unwrap();
    assert_eq!((call(&runtime, "poll"), call(&runtime, "generation")), (0, 1));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut update = runtime.update();
            let applied =
                hooks.commit(update.replace("value", code("int value(void) { return 2; }"))).unwrap();
            assert_eq!((applied.generation, applied.report.modules.len()), (2, 1));
            assert!(applied.waited >= Duration::from_millis(20), "{applied:?}");
            done.store(true, Ordering::Release);
        });
        while !hooks.is_waiting() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(call(&runtime, "value"), 1);
        assert!(!done.load(Ordering::Acquire));
        assert_eq!(
            (call(&runtime, "poll"), call(&runtime, "value"), call(&runtime, "generation")),
            (1, 2, 2)
        );
    });
    assert_eq!(call(&runtime, "poll"), 0);
    let hooks = hooks.with_patience(Duration::from_millis(10));
    let mut update = runtime.update();
    let late = hooks.commit(update.replace("value", code("int value(void) { return 3; }"))).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::SafePoint);
    assert_eq!((call(&runtime, "value"), call(&runtime, "generation")), (2, 2));
}

#[test]
fn two_runtimes_have_hooks_of_their_own() {
    let generation = "int generation(void) { return (int)hotslot_generation(); }";
    let both: Vec<(Runtime, Hooks)> = (0..2)
        .map(|_| {
            let runtime = Runtime::new().unwrap();
            let hooks = Hooks::install(&runtime).unwrap();
            runtime.load("m", code(generation)).unwrap();
            (runtime, hooks)
        })
        .collect();
    let (runtime, hooks) = &both[0];
    hooks.commit(runtime.update().replace("m", code(generation))).unwrap();
    assert_eq!((call(&both[0].0, "generation"), call(&both[1].0, "generation")), (2, 1));
    // Without any the header's functions do nothing.
    let without = Runtime::new().unwrap();
    without.load("m", code(generation)).unwrap();
    assert_eq!(call(&without, "generation"), 0);
}

#[test]
fn callbacks_that_register_and_end_themselves() {
    let runtime = Runtime::new().unwrap();
    let hooks = Hooks::install(&runtime).unwrap();
    let source = "static int calls;
        static void second(unsigned long g, void *c) { calls += 100; }
        static void first(unsigned long g, void *c) {
            calls++; hotslot_forget(first, 0); hotslot_after_update(second, 0);
        }
        int start(void) { return hotslot_before_update(first, 0); }
        int seen(void) { return calls; }";
    runtime.load("m", code(source)).unwrap();
    runtime.load("n", code("int n(void) { return 1; }")).unwrap();
    assert_eq!(call(&runtime, "start"), 1);
    for seen in [101, 201] {
        hooks.commit(runtime.update().replace("n", code("int n(void) { return 1; }"))).unwrap();
        assert_eq!(call(&runtime, "seen"), seen);
    }
}

/// A program whose safe point is in a function that is called by a guard, and whose callback and
/// migration crash, or call what nothing defines.
const BROKEN: &str = "int *volatile nowhere; int absent(void); int how;
    static void broken(unsigned long g, void *c) { if (how == 1) *nowhere = 1; if (how == 2) absent(); }
    void carry(void *n, size_t ns, const void *o, size_t os, void *c) { *nowhere = 1; }
    int start(void) {
        hotslot_migrate(\"state\", carry, 0);
        return hotslot_before_update(broken, 0) + hotslot_after_update(broken, 0);
    }
    int set(void) { return ++how; }
    int poll(void) { return hotslot_safe_point(); }";

#[test]
fn a_callback_that_crashes_leaves_the_update_to_go_on() {
    let runtime = Runtime::new().unwrap();
    let hooks = Hooks::install(&runtime).unwrap();
    runtime.load("m", code(BROKEN)).unwrap();
    let value = |value: usize| {
        let state = if value == 3 { 9 } else { 2 };
        code(&format!("int state[{state}] = {{1}}; int value(void) {{ return {value}; }}"))
    };
    runtime.load("value", value(1)).unwrap();
    call(&runtime, "start");
    // SAFETY: the type it has.
    #[allow(unsafe_code)]
    let poll = unsafe { runtime.function::<extern "C" fn() -> c_int>("poll") }.unwrap();
    poll.call();
    for (next, failed) in [(2, 2), (3, 3)] {
        call(&runtime, "set");
        std::thread::scope(|scope| {
            let updater = scope.spawn(|| hooks.commit(runtime.update().replace("value", value(next))));
            while !updater.is_finished() {
                assert!(poll.try_call().is_ok(), "its guard is not the callback's");
                std::thread::yield_now();
            }
            let applied = updater.join().unwrap().unwrap();
            assert_eq!((applied.failed.len(), applied.generation), (failed, next as u64), "{applied:?}");
            let kind = if next == 2 { ErrorKind::Fault } else { ErrorKind::Resolve };
            assert_eq!(applied.failed[0].kind(), kind, "{applied:?}");
        });
        assert_eq!(call(&runtime, "value"), next as c_int);
    }
}

#[test]
fn a_callback_that_an_edit_deletes_is_told_once() {
    let runtime = Runtime::new().unwrap();
    let hooks = Hooks::install(&runtime).unwrap();
    let source =
        "void told(unsigned long g, void *c) {} int start(void) { return hotslot_after_update(told, 0); }";
    runtime.load("m", code(source)).unwrap();
    call(&runtime, "start");
    let without = || code("int other(void) { return 1; }");
    let applied = hooks.commit(runtime.update().replace("m", without())).unwrap();
    assert!(applied.failed[0].to_string().contains("told, which is no longer defined"), "{applied:?}");
    assert_eq!(applied.failed.len(), 1);
    let applied = hooks.commit(runtime.update().replace("m", without())).unwrap();
    assert!(applied.failed.is_empty(), "{applied:?}");
}

/// Counts what it is told, and has safe points.
const COUNTS: &str = "static int befores, afters, last;
    static void before(unsigned long g, void *c) { befores++; }
    static void after(unsigned long g, void *c) { afters++; last = (int)g; }
    int start(void) { return hotslot_before_update(before, 0) + hotslot_after_update(after, 0); }
    int told(void) { return befores * 10000 + afters * 100 + last; }
    int poll(void) { return hotslot_safe_point(); }";

#[test]
fn what_is_overtaken_while_it_waits_is_made_anew_before_anybody_is_told() {
    let runtime = Runtime::new().unwrap();
    let hooks = Hooks::install(&runtime).unwrap();
    runtime.load("m", code(COUNTS)).unwrap();
    let value = |value: i32| code(&format!("int value(void) {{ return {value}; }}"));
    let two = |name: &str| code(&format!("int {name}(void) {{ return 2; }}"));
    runtime.load("value", value(1)).unwrap();
    call(&runtime, "start");
    call(&runtime, "poll");
    let overtaken = |update: &(dyn Fn() -> hotslot::Result<bool> + Sync), meanwhile: &dyn Fn()| {
        std::thread::scope(|scope| {
            let updater = scope.spawn(update);
            while !hooks.is_waiting() {
                std::thread::yield_now();
            }
            meanwhile();
            while !updater.is_finished() {
                call(&runtime, "poll");
                std::thread::yield_now();
            }
            updater.join().unwrap()
        })
    };
    let loads = || hooks.commit(runtime.update().load("two", two("two"))).map(|_| true);
    assert!(overtaken(&loads, &|| _ = runtime.replace("value", value(2)).unwrap()).unwrap());
    assert_eq!(call(&runtime, "told"), 1_01_02);
    // What is refused then was told to nobody.
    let loads = || hooks.commit(runtime.update().load("three", two("three"))).map(|_| true);
    let refused = overtaken(&loads, &|| _ = runtime.load("three", two("other")).unwrap());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Update);
    assert_eq!(call(&runtime, "told"), 1_01_02);
    // What is newest then is undone, and nothing else.
    runtime.replace("value", value(3)).unwrap();
    let undoes = || hooks.undo().map(|undone| undone.is_some());
    assert!(overtaken(&undoes, &|| _ = runtime.replace("value", value(4)).unwrap()).unwrap());
    assert_eq!((call(&runtime, "value"), call(&runtime, "told")), (3, 2_02_03));
}

#[test]
fn a_crash_is_undone_at_once_and_told() {
    let runtime = Runtime::new().unwrap();
    let hooks = Hooks::install(&runtime).unwrap();
    runtime.load("m", code(COUNTS)).unwrap();
    runtime.load("value", code("int value(void) { return 1; }")).unwrap();
    call(&runtime, "start");
    call(&runtime, "poll");
    runtime.replace("value", code("int *volatile n; int value(void) { return *n; }")).unwrap();
    // SAFETY: the type it has.
    #[allow(unsafe_code)]
    let value = unsafe { runtime.function::<extern "C" fn() -> c_int>("value") }.unwrap();
    let error = value.try_call().unwrap_err();
    std::thread::scope(|scope| {
        // It waits for this thread to come by.
        let updater =
            scope.spawn(|| hooks.commit(runtime.update().load("x", code("int x(void) { return 1; }"))));
        while !hooks.is_waiting() {
            std::thread::yield_now();
        }
        let applied = hooks.undo_cause(&error).unwrap().unwrap();
        assert_eq!((applied.generation, value.call(), call(&runtime, "told")), (2, 1, 1_01_02));
        assert!(hooks.undo_cause(&error).unwrap().is_none());
        while !updater.is_finished() {
            call(&runtime, "poll");
        }
        assert_eq!(updater.join().unwrap().unwrap().generation, 3);
    });
    assert_eq!(call(&runtime, "told"), 2_02_03);
}
