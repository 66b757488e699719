//! Calls of functions that are gone: an error to a guarded call, else a message and an abort.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hotslot::{CallForm, Error, ErrorKind, Function, Runtime, Signature, Source};

type Nullary = extern "C" fn() -> i32;
type Unary = extern "C" fn(i64) -> i64;

/// An object of `source`, optimised.
fn object(compiler: &str, source: &str) -> Source {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("removal");
    std::fs::create_dir_all(&dir).unwrap();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let out = dir.join(format!("{}-{number}.o", std::process::id()));
    let from = out.with_extension(if compiler.contains("++") { "cc" } else { "c" });
    std::fs::write(&from, source).unwrap();
    let mut command = Command::new(compiler);
    command.args(["-O2", "-fPIC", "-w", "-c"]).arg(&from).arg("-o").arg(&out);
    assert!(command.status().expect("the compiler is installed").success());
    let source = Source::from_path(&out).unwrap();
    std::fs::remove_file(&from).unwrap();
    std::fs::remove_file(&out).unwrap();
    source
}

fn c(source: &str) -> Source {
    object("clang-19", source)
}

fn runtime() -> Runtime {
    Runtime::builder().arena_size(64 << 20).build().unwrap()
}

fn function<F: Signature>(rt: &Runtime, name: &str) -> Function<F> {
    // SAFETY: the tests define their functions with these types.
    unsafe { rt.function(name) }.unwrap()
}

fn host(rt: &Runtime, name: &str, address: *const c_void) {
    // SAFETY: the tests declare their callbacks with the types they have.
    unsafe { rt.define_function(name, address) }.unwrap();
}

/// A missing function's error, with these words in its text.
#[track_caller]
fn names<T>(result: Result<T, Error>, symbol: &str, words: &[&str]) {
    let Err(error) = result else { panic!("the call came through") };
    let text = error.to_string();
    assert_eq!((error.kind(), error.symbol()), (ErrorKind::Resolve, Some(symbol)), "{text}");
    assert!(error.advice().is_some(), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

const USER: &str = "int area(int); static __attribute__((noinline)) int inner(int n) { return area(n) + 1; }\n\
                    int use(void) { return area(3) + 1; } int deep(void) { return inner(4) + 2; }";

#[test]
fn an_error_says_symbol_owner_and_caller() {
    for form in [CallForm::Slot, CallForm::Stub] {
        let rt = Runtime::builder().arena_size(64 << 20).call_form(form).build().unwrap();
        rt.load("user", c(USER).label("user.c")).unwrap();
        let (used, deep) = (function::<Nullary>(&rt, "use"), function::<Nullary>(&rt, "deep"));
        names(used.try_call(), "area", &["user.c (module user): use called area", "never defined"]);
        rt.load("shape", c("int area(int n) { return n * n; }")).unwrap();
        assert_eq!(used.try_call().unwrap(), 10);
        rt.replace("shape", c("int area(int n) { return n; }")).unwrap();
        let area = function::<extern "C" fn(i32) -> i32>(&rt, "area");
        assert_eq!((used.try_call().unwrap(), area.try_call(8).unwrap()), (4, 8));

        rt.remove("shape").unwrap();
        rt.load("other", c("int other(void) { return 1; }")).unwrap();
        let owner = "no longer defined: module shape (generation 2) had it last";
        names(used.try_call(), "area", &["use called area", owner]);
        names(deep.try_call(), "area", &["module user", "code of the module called area", owner]);
        names(area.try_call(1), "area", &["host code called area", owner]);
        // SAFETY: nothing runs, and nothing of the removed module is kept.
        unsafe { rt.free_retired() };
        names(used.try_call(), "area", &[owner]);
        // A replacement without the function removes it as well.
        rt.load("third", c("int area(int n) { return 2 * n; }")).unwrap();
        assert_eq!((used.try_call().unwrap(), area.call(1)), (7, 2));
        let report = rt.replace("third", c("int unrelated(void) { return 1; }")).unwrap();
        assert_eq!(report.undefined.len(), 1);
        let error = used.try_call().unwrap_err();
        assert_eq!(error.module(), Some("user"));
        names(Err::<(), _>(error), "area", &["module third (generation 1) had it last", "as third did"]);
    }
}

#[test]
fn every_type_of_argument_and_result_passes_a_guard() {
    let rt = runtime();
    rt.load(
        "m",
        c("#include <stdbool.h>\n#include <stdint.h>\n\
           int64_t sum(int8_t a, uint16_t b, int32_t c, int64_t d, double e, float f, void *g, bool h, \
                       int64_t i, int64_t j, double k, int64_t l) {\n\
             return a + b + c + d + (int64_t)(e * 2) + (int64_t)(f * 4) + *(int *)g + h + i * 3 + j * 5 + \
                    (int64_t)(k * 8) + l * 7; }\n\
           float half(float x) { return x / 2; } double third(double x) { return x / 3; }\n\
           bool positive(int64_t x) { return x > 0; } void set(int *p) { *p = 9; }\n\
           int8_t low(int8_t x) { return x - 1; } void *same(void *p) { return p; }"),
    )
    .unwrap();
    type Sum = extern "C" fn(i8, u16, i32, i64, f64, f32, *const i32, bool, i64, i64, f64, i64) -> i64;
    let (mut seven, sum) = (7, function::<Sum>(&rt, "sum"));
    let expected = -1 + 2 + 3 + 4 + 3 + 5 + 7 + 1 + 30 + 55 + 100 + 91;
    let arguments = || sum.try_call(-1, 2, 3, 4, 1.5, 1.25, &seven, true, 10, 11, 12.5, 13);
    assert_eq!(arguments().unwrap(), expected);
    assert_eq!(sum.call(-1, 2, 3, 4, 1.5, 1.25, &seven, true, 10, 11, 12.5, 13), expected);
    assert_eq!(function::<extern "C" fn(f32) -> f32>(&rt, "half").try_call(5.0).unwrap(), 2.5);
    assert_eq!(function::<extern "C" fn(f64) -> f64>(&rt, "third").try_call(1.5).unwrap(), 0.5);
    let positive = function::<extern "C" fn(i64) -> bool>(&rt, "positive");
    assert_eq!((positive.try_call(1).unwrap(), positive.try_call(0).unwrap()), (true, false));
    assert_eq!(function::<extern "C" fn(i8) -> i8>(&rt, "low").try_call(-128).unwrap(), 127);
    let same = function::<extern "C" fn(*mut i32) -> *mut i32>(&rt, "same");
    assert_eq!(same.try_call(&raw mut seven).unwrap(), &raw mut seven);
    let set = function::<unsafe extern "C" fn(*mut i32)>(&rt, "set");
    // SAFETY: an int to write to.
    unsafe { set.try_call(&raw mut seven) }.unwrap();
    assert_eq!(seven, 9);
    rt.remove("m").unwrap();
    names(sum.try_call(-1, 2, 3, 4, 1.5, 1.25, &seven, true, 10, 11, 12.5, 13), "sum", &[]);
    names(positive.try_call(1), "positive", &["host code"]);
    // SAFETY: as above.
    names(unsafe { set.try_call(&raw mut seven) }, "set", &["module m (generation 1)"]);
}

thread_local! {
    /// What callbacks call, and what they have seen.
    static INNER: RefCell<Option<Function<Unary>>> = const { RefCell::new(None) };
    static ERRORS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Calls the inner function under a guard, from generated code; 1000 stands for an error.
extern "C-unwind" fn guarded(n: i64) -> i64 {
    // Nothing to drop is left in this frame during the call.
    let inner = INNER.with_borrow(|inner| inner.as_ref().map(std::ptr::from_ref)).unwrap();
    // SAFETY: set before, and until after, the calls.
    match unsafe { (*inner).try_call(n) } {
        Ok(value) => value,
        Err(error) => {
            ERRORS.with_borrow_mut(|errors| errors.push(error.to_string()));
            1000
        }
    }
}

/// Every register that a callee keeps is in use over the calls.
const REGISTERS: &str = "long callback(long), gone(long);\n#define APART __attribute__((noinline))\n\
    APART long level3(long a, long b, long c, long d, long e, long f) {\n\
      long x = a * 3, y = b * 5, z = c * 7, u = d * 11, v = e * 13, w = f * 17;\n\
      long r = gone(a + f); return r + x + y * z - u * v + w + a + b + c + d + e + f; }\n\
    APART long level2(long a, long b, long c, long d, long e, long f) {\n\
      long r = level3(f, e, d, c, b, a) + 1; return r * a + b - c * d + e * f; }\n\
    APART long level1(long n) { long r = level2(n, n + 1, n + 2, n + 3, n + 4, n + 5); return r + n; }\n\
    APART long outer(long n) {\n\
      long a = n * 3, b = n * 5, c = n * 7, d = n ^ 11, e = n - 13, f = n * n; double g = n / 2.0;\n\
      long r = callback(n); r += callback(n + 1);\n\
      return r + a * 2 + b * 3 + c * 4 + d * 5 + e * 6 + f * 7 + (long)(g * 8); }\n\
    long last(long n) { long r = outer(n); return r + gone(r); }";

#[test]
fn what_a_callee_keeps_is_as_before_a_call_that_failed_deep_below() {
    let rt = runtime();
    host(&rt, "callback", guarded as *const c_void);
    rt.load("m", c(REGISTERS)).unwrap();
    INNER.set(Some(function(&rt, "level1")));
    let outer = function::<Unary>(&rt, "outer");
    let expected =
        |n: i64, r: i64| r + n * 6 + n * 15 + n * 28 + (n ^ 11) * 5 + (n - 13) * 6 + n * n * 7 + n * 4;
    for n in 0..100 {
        assert_eq!(outer.call(n), expected(n, 2000), "under no guard of its own");
        assert_eq!(outer.try_call(n).unwrap(), expected(n, 2000), "under one of its own");
    }
    assert_eq!(ERRORS.take().len(), 400);
    // Nested: the inner guard gets two errors, and the outer one the third.
    names(function::<Unary>(&rt, "last").try_call(5), "gone", &["last called gone"]);
    let errors = ERRORS.take();
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().all(|e| e.contains("level3 called gone")), "{errors:?}");
    rt.load("gone", c("long gone(long n) { return 0; }")).unwrap();
    let through = outer.try_call(1).unwrap();
    assert!(through != expected(1, 2000) && ERRORS.take().is_empty());
    INNER.set(None);
}

extern "C-unwind" fn unguarded(n: i64) -> i64 {
    let inner = INNER.with_borrow(|inner| inner.as_ref().map(std::ptr::from_ref)).unwrap();
    // SAFETY: as in `guarded`; this frame has nothing to drop either.
    unsafe { (*inner).call(n) }
}

#[test]
fn a_failure_goes_past_callbacks_to_the_runtimes_own_guard() {
    let (one, two) = (runtime(), runtime());
    host(&one, "callback", unguarded as *const c_void);
    one.load("m", c(REGISTERS)).unwrap();
    INNER.set(Some(function(&one, "level1")));
    let outer = function::<Unary>(&one, "outer");
    names(outer.try_call(3), "gone", &["level3 called gone"]);
    // Through a guard of another runtime, which has no part in it, and is over afterwards.
    host(&two, "callback", outer.as_ptr() as *const c_void);
    two.load(
        "m",
        c("long callback(long), gone(long); long run(long n) { return callback(n) + 1; }\n\
                     long fail(long n) { return gone(n) + 1; }"),
    )
    .unwrap();
    let (run, fail) = (function::<Unary>(&two, "run"), function::<Unary>(&two, "fail"));
    INNER.set(Some(run.clone()));
    host(&one, "callback", guarded as *const c_void);
    let middle = function::<Unary>(&one, "outer");
    host(&two, "callback", function::<Unary>(&one, "level1").as_ptr() as *const c_void);
    names(middle.try_call(3), "gone", &["level3 called gone"]);
    assert!(ERRORS.take().is_empty(), "the other runtime's guard got it");
    INNER.set(Some(fail));
    assert_eq!(middle.try_call(0).unwrap(), 2000 + 55 - 78);
    assert_eq!(ERRORS.take().len(), 2, "its own guard got it");
    INNER.set(None);
}

extern "C-unwind" fn panics(n: i64) -> i64 {
    std::panic::resume_unwind(Box::new(n))
}

extern "C-unwind" fn catches(n: i64) -> i64 {
    *std::panic::catch_unwind(|| guarded(n)).unwrap_err().downcast::<i64>().unwrap()
}

#[test]
fn panics_and_exceptions_pass_a_guard_and_end_it() {
    let rt = runtime();
    for (name, address) in
        [("panics", panics as *const c_void), ("catches", catches as _), ("guarded", guarded as _)]
    {
        host(&rt, name, address);
    }
    rt.load(
        "m",
        object(
            "clang++-19",
            "extern \"C\" {\n long panics(long), catches(long), guarded(long), gone(long);\n\
             long thrower(long n) { throw n; }  long panicker(long n) { return panics(n) + 1; }\n\
             long catcher(long n) { try { guarded(n); return 0; } catch (long e) { return e; } }\n\
             long then(long n) { long r = n < 0 ? catches(n) : catcher(n); gone(r); return r; } }",
        ),
    )
    .unwrap();
    let then = function::<Unary>(&rt, "then");
    let catcher = function::<Unary>(&rt, "catcher");
    INNER.set(Some(function(&rt, "thrower")));
    assert_eq!(catcher.try_call(6).unwrap(), 6, "caught further out");
    names(then.try_call(6), "gone", &["then called gone"]);
    INNER.set(Some(function(&rt, "panicker")));
    names(then.try_call(-6), "gone", &["then called gone"]);
    let caught = std::panic::catch_unwind(|| guarded(77)).unwrap_err();
    assert_eq!(*caught.downcast::<i64>().unwrap(), 77);
    assert!(ERRORS.take().is_empty());
    rt.load("gone", c("long gone(long n) { return 0; }")).unwrap();
    assert_eq!(then.try_call(-6).unwrap(), -6);
    INNER.set(None);
}

#[test]
fn a_call_on_its_way_to_the_trap_goes_on_to_a_definition_made_meanwhile() {
    let rt = runtime();
    let define = || rt.load("f", c("long f(long n) { return n + 1; }")).unwrap();
    define();
    let f = function::<Unary>(&rt, "f");
    rt.remove("f").unwrap();
    // What a caller has loaded from the slot and not jumped to yet. A stub is a landing pad of
    // four bytes and a jump through the slot, relative to the jump's end.
    let stub = f.as_ptr() as usize;
    // SAFETY: the stub's bytes, and the slot they name.
    let loaded = unsafe {
        let distance = std::ptr::with_exposed_provenance::<i32>(stub + 6).read_unaligned();
        let slot = (stub + 10).wrapping_add_signed(distance as isize);
        std::ptr::with_exposed_provenance::<usize>(slot).read()
    };
    host(&rt, "late", std::ptr::with_exposed_provenance(loaded));
    let late = function::<Unary>(&rt, "late");
    names(late.try_call(5), "f", &["module f (generation 1)"]);
    define();
    assert_eq!(late.try_call(5).unwrap(), 6);
    assert_eq!(late.call(5), 6);
}

#[test]
fn threads_fail_and_succeed_while_a_function_comes_and_goes() {
    let rt = runtime();
    rt.load("m", c(REGISTERS)).unwrap();
    let (done, level1) = (AtomicBool::new(false), function::<Unary>(&rt, "level1"));
    let rounds: Vec<[usize; 2]> = std::thread::scope(|scope| {
        let caller = || {
            let mut seen = [0; 2];
            while !done.load(Ordering::Relaxed) || seen.contains(&0) {
                match level1.try_call(1) {
                    Ok(value) => {
                        assert_eq!(value, level3_of_one());
                        seen[0] += 1;
                    }
                    Err(error) => {
                        assert_eq!(error.symbol(), Some("gone"));
                        seen[1] += 1;
                    }
                }
            }
            seen
        };
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(caller)).collect();
        let gone = c("long gone(long n) { return n; }");
        for _ in 0..200 {
            rt.load("gone", gone.clone()).unwrap();
            std::thread::yield_now();
            rt.remove("gone").unwrap();
        }
        done.store(true, Ordering::Relaxed);
        while threads.iter().any(|thread| !thread.is_finished()) {
            rt.load("gone", gone.clone()).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1));
            rt.remove("gone").unwrap();
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(rounds.iter().flatten().all(|&n| n > 0));
}

/// `level1(1)` where `gone` returns its argument.
fn level3_of_one() -> i64 {
    let [a, b, c, d, e, f] = [6, 5, 4, 3, 2, 1];
    let level3 = (a + f) + a * 3 + b * 5 * (c * 7) - d * 11 * (e * 13) + f * 17 + (a + b + c + d + e + f);
    let [a, b, c, d, e, f] = [1, 2, 3, 4, 5, 6];
    (level3 + 1) * a + b - c * d + e * f + 1
}

thread_local! {
    static RUNTIME: Cell<*const Runtime> = const { Cell::new(std::ptr::null()) };
}

extern "C-unwind" fn replace_user() {
    // SAFETY: set by the test below for as long as it runs.
    let rt = unsafe { &*RUNTIME.get() };
    rt.replace("user", c("int user(void) { return 0; }")).unwrap();
}

#[test]
fn old_code_that_is_still_running_is_named_as_such() {
    let rt = runtime();
    RUNTIME.set(&raw const rt);
    host(&rt, "replace_user", replace_user as *const c_void);
    rt.load(
        "user",
        c("void replace_user(void); int gone(void);\n\
                       int user(void) { replace_user(); return gone() + 1; }"),
    )
    .unwrap();
    let user = function::<Nullary>(&rt, "user");
    names(user.try_call(), "gone", &["replaced or removed code called gone"]);
    assert_eq!(user.try_call().unwrap(), 0);
    RUNTIME.set(std::ptr::null());
}

/// Runs the test `name` of this file in a process of its own, where [`is_child`] holds.
fn child(name: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env("HOTSLOT_REMOVAL_CHILD", name).output().unwrap()
}

fn is_child(name: &str) -> bool {
    std::env::var("HOTSLOT_REMOVAL_CHILD").is_ok_and(|child| child == name)
}

/// Aborted, with these words in one line.
#[track_caller]
fn aborted(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    let line = text.lines().find(|line| line.starts_with("hotslot: ")).unwrap_or_else(|| panic!("{text}"));
    for word in words {
        assert!(line.contains(word), "no {word:?} in: {line}");
    }
}

#[test]
fn without_a_guard_the_message_names_all_three() {
    const NAME: &str = "without_a_guard_the_message_names_all_three";
    if is_child(NAME) {
        let rt = runtime();
        rt.load("shape", c("int area(int n) { return n; }")).unwrap();
        rt.load("user", c(USER)).unwrap();
        let used = function::<Nullary>(&rt, "use");
        assert_eq!(used.try_call().unwrap(), 4);
        rt.remove("shape").unwrap();
        names(used.try_call(), "area", &[]);
        used.call(); // The guard is over.
        return;
    }
    let words =
        ["module user", "use called area", "module shape (generation 1) had it last", "load a module"];
    aborted(&child(NAME), &words);
}

extern "C-unwind" fn load_more() {
    // SAFETY: set by the test below for as long as it runs.
    let rt = unsafe { &*RUNTIME.get() };
    let _ = rt
        .load("more", c("int gone(void), x; __attribute__((constructor)) void begin(void) { x = gone(); }"));
}

#[test]
fn an_update_is_never_given_up_halfway() {
    const NAME: &str = "an_update_is_never_given_up_halfway";
    if is_child(NAME) {
        let rt = runtime();
        RUNTIME.set(&raw const rt);
        host(&rt, "load_more", load_more as *const c_void);
        rt.load("m", c("void load_more(void); int run(void) { load_more(); return 1; }")).unwrap();
        let _ = function::<Nullary>(&rt, "run").try_call();
        return;
    }
    aborted(&child(NAME), &["module more", "gone", "never defined"]);
}

#[test]
fn another_threads_guard_is_no_guard() {
    const NAME: &str = "another_threads_guard_is_no_guard";
    if is_child(NAME) {
        let rt = runtime();
        rt.load(
            "m",
            c("#include <pthread.h>\nvoid gone(void);\nstatic void *start(void *p) { gone(); return p; }\n\
               int run(void) { pthread_t t; pthread_create(&t, 0, start, 0); pthread_join(t, 0); return 0; }"),
        )
        .unwrap();
        let _ = function::<Nullary>(&rt, "run").try_call();
        return;
    }
    aborted(&child(NAME), &["gone, which was never defined"]);
}
