//! What would end the process ends a guarded call instead, where the host wants that.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::time::Duration;

use hotslot::{Error, ErrorKind, Interrupt, Runtime, Source};

#[path = "common/alone.rs"]
mod alone;
#[path = "common/clang.rs"]
mod clang;
#[path = "common/forked.rs"]
mod forked;

type Kind = unsafe extern "C" fn(i64) -> i64;

/// The number of each line counts: see KINDS.
const CODE: &str = r#"
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>
volatile int zero; int *volatile null; volatile long forever = 1;
long quits(long n) { exit(n); }
long quits_at_once(long n) { _exit(n); }
long quits_quickly(long n) { quick_exit(n); }
long aborts(long n) { abort(); }
long asserts(long n) { assert(n == 0); return n; }
long raises(long n) { raise(SIGABRT); return n + 1; }
static int compare(const void *a, const void *b) { exit(7); }
long in_callback(long n) { int list[4] = {4, 3, 2, 1}; qsort(list, 4, sizeof *list, compare); return n; }
long write_null(long n) { *null = n; return 1; }
long divide(long n) { return (int)n / zero; }
long deep(long n) { volatile char room[400]; room[n % 400] = 1; return deep(n + 1) + room[n % 400]; }
long loops(long n) { while (forever) n++; return n; }
long host(long n);
long asks_host(long n) { return host(n) + 1; }
long in_child(long n) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) { if (n == 1) _exit(41); if (n == 2) exit(42); abort(); }
    waitpid(child, &status, 0);
    return status;
}
long in_vfork(long n) {
    int status = 0;
    pid_t child = vfork();
    if (child == 0) _exit(43);
    waitpid(child, &status, 0);
    return status;
}
long frees(long n) { void *p = malloc(40); free(p); free(p); return n; }
long fine(long n) { return n + 1; }
"#;

/// Function, its status, line, and a word of the message.
const KINDS: [(&str, Option<i32>, u32, &str); 7] = [
    ("quits", Some(1), 8, "exit(1) was called in quits"),
    ("quits_at_once", Some(1), 9, "exit(1)"),
    ("quits_quickly", Some(1), 10, "exit(1)"),
    ("aborts", None, 11, "aborted by abort"),
    ("asserts", None, 12, "aborted by __assert_fail"),
    ("raises", None, 13, "aborted by"),
    ("in_callback", Some(7), 14, "exit(7) was called in compare"),
];

fn runtime() -> Runtime {
    let rt = Runtime::builder().arena_size(64 << 20).contain_aborts(true).build().unwrap();
    let flags = &["-g", "-O0", "-fno-builtin", "-emit-llvm", "-Wno-everything"];
    rt.load("kinds", clang::object(CODE, "clang-19", flags).trusted()).unwrap();
    rt
}

fn run(rt: &Runtime, name: &str, n: i64) -> Result<i64, Error> {
    // SAFETY: the tests' functions have this type. What they do wrong is what is tested.
    unsafe { rt.function::<Kind>(name).unwrap().try_call(n) }
}

#[test]
fn every_end_is_told_and_survived() {
    let rt = runtime();
    for (name, status, line, word) in KINDS {
        let error = run(&rt, name, 1).expect_err(name);
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Aborted, "{name}: {text}");
        assert_eq!(error.exit_code(), status, "{name}: {text}");
        assert!(text.contains(word), "{name}: {text}");
        let fault = error.fault().unwrap();
        let culprit = fault.culprit().unwrap();
        assert_eq!(culprit.line.as_ref().map(|l| l.1), Some(line), "{name}: {text}");
        assert_eq!(fault.signal, if status.is_some() { 0 } else { libc::SIGABRT }, "{name}");
        assert_eq!(run(&rt, "fine", 1).unwrap(), 2);
    }
    let error = run(&rt, "in_callback", 1).unwrap_err();
    let frames = error.fault().unwrap().frames.iter();
    let generated: Vec<_> =
        frames.filter(|f| f.module.is_some()).filter_map(|f| f.function.clone()).collect();
    assert_eq!(generated, ["compare", "in_callback"]);
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn a_thousand_of_each_kind_leave_nothing_behind() {
    alone::alone("a_thousand_of_each_kind_leave_nothing_behind", || {
        let rt = runtime();
        let kinds = [
            ("write_null", ErrorKind::Fault),
            ("divide", ErrorKind::Fault),
            ("deep", ErrorKind::Fault),
            ("aborts", ErrorKind::Aborted),
            ("quits", ErrorKind::Aborted),
            ("loops", ErrorKind::Interrupted),
        ];
        let stop = Interrupt::new();
        for (name, kind) in kinds {
            // SAFETY: as in `run`.
            let function = unsafe { rt.function::<Kind>(name) }.unwrap();
            let mut first = 0;
            for round in 0..1000 {
                // SAFETY: as in `run`.
                let result = match kind {
                    ErrorKind::Interrupted => std::thread::scope(|scope| {
                        let button = stop.clone();
                        let presses = scope.spawn(move || while button.interrupt() == 0 {});
                        let call = function.guarded().interrupt(&stop).deadline(Duration::from_secs(60));
                        // SAFETY: as in `run`.
                        let result = unsafe { call.call(1) };
                        presses.join().unwrap();
                        result
                    }),
                    _ => unsafe { function.try_call(1) },
                };
                let error = result.expect_err(name);
                assert_eq!(error.kind(), kind, "{name}, round {round}: {error}");
                if round == 200 {
                    first = resident();
                }
            }
            let last = resident();
            assert!(last < first + (2 << 20), "{name}: {first} bytes, then {last}");
            assert_eq!(run(&rt, "fine", 1).unwrap(), 2);
        }
    });
}

#[test]
fn lines_that_fault_are_freed() {
    alone::alone("lines_that_fault_are_freed", || {
        let rt = runtime();
        let lines = [
            "define i64 @f() { store i64 1, ptr null ret i64 0 }",
            "declare void @abort() define i64 @f() { call void @abort() ret i64 0 }",
            "declare void @exit(i32) define i64 @f() { call void @exit(i32 3) ret i64 0 }",
        ];
        let run = |rounds: usize| {
            for text in lines.into_iter().cycle().take(rounds) {
                let line = rt.anonymous(Source::ir(text).trusted()).unwrap();
                // SAFETY: it has this type.
                let function = unsafe { line.function::<extern "C" fn() -> i64>("f") }.unwrap();
                let error = function.try_call().unwrap_err();
                let module = error.module().unwrap_or_default();
                assert!(module.starts_with("anonymous "), "{error}");
            }
            (0..20).for_each(|_| _ = rt.reclaim());
            let stats = rt.stats();
            (stats.symbols, stats.code_bytes, stats.constant_bytes, stats.retired)
        };
        let before = run(300);
        assert_eq!(run(3000), before);
    });
}

#[test]
fn a_function_of_the_host_gives_up() {
    let rt = runtime();
    static RUNTIME: std::sync::OnceLock<Runtime> = std::sync::OnceLock::new();
    let _ = RUNTIME.set(rt.clone());
    unsafe extern "C" fn host(n: i64) -> i64 {
        let rt = RUNTIME.get().unwrap();
        if n == 0 {
            return 5;
        }
        // SAFETY: nothing in these frames has to be dropped.
        let error = unsafe { rt.give_up("the host has no such thing") };
        assert_eq!(error.kind(), ErrorKind::GivenUp);
        std::mem::forget(error);
        n
    }
    // SAFETY: it has this type, and stays.
    unsafe { rt.define::<unsafe extern "C" fn(i64) -> i64>("host", host) }.unwrap();
    assert_eq!(run(&rt, "asks_host", 0).unwrap(), 6);
    for _ in 0..100 {
        let error = run(&rt, "asks_host", 1).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (ErrorKind::GivenUp, None));
        assert!(error.to_string().contains("the host has no such thing"), "{error}");
        let culprit = error.fault().unwrap().culprit().unwrap();
        assert_eq!(culprit.function.as_deref(), Some("asks_host"));
    }
    // SAFETY: as in `run`; nobody guards this call.
    assert_eq!(
        unsafe { rt.function::<Kind>("asks_host").unwrap().call(1) },
        2,
        "there is nothing to give up"
    );
}

#[test]
fn children_end_as_they_do() {
    let rt = runtime();
    assert_eq!(libc::WEXITSTATUS(run(&rt, "in_child", 1).unwrap() as i32), 41);
    assert_eq!(libc::WEXITSTATUS(run(&rt, "in_vfork", 1).unwrap() as i32), 43);
    let status = run(&rt, "in_child", 3).unwrap() as i32;
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT);
}

#[test]
fn without_a_guard_or_the_setting_the_process_ends() {
    let status = |work: fn()| {
        forked::wait(forked::fork(|| {
            work();
            0
        }))
    };
    let exits = status(|| {
        let rt = runtime();
        // SAFETY: as in `run`; nobody guards this call.
        unsafe { rt.function::<Kind>("quits_at_once").unwrap().call(9) };
    });
    assert_eq!(exits, 9);
    let exits = status(|| {
        let rt = Runtime::builder().arena_size(64 << 20).build().unwrap();
        let text = "declare void @_exit(i32) define i64 @f(i64 %n) { call void @_exit(i32 8) ret i64 0 }";
        rt.load("m", Source::ir(text).trusted()).unwrap();
        let _ = run(&rt, "f", 1);
    });
    assert_eq!(exits, 8);
    // The allocator's own abort is no end that can be survived.
    let ends = status(|| _ = run(&runtime(), "frees", 1));
    assert_eq!(ends, -libc::SIGABRT);
}

const THROWS: &str = r#"
#include <stdexcept>
static long alive;
struct Counted { Counted() { alive++; } ~Counted() { alive--; } };
struct Own { long text[50]; Counted counted; };
extern "C" long counted(long) { return alive; }
extern "C" long throws_int(long n) { throw (int)n; }
extern "C" long throws_error(long n) { Counted c; throw std::runtime_error("out of luck"); }
extern "C" long throws_own(long n) { Counted c; throw Own(); }
extern "C" long catches(long n) { try { throws_own(n); } catch (Own &) { return 77; } return 0; }
extern "C" long terminates(long n) noexcept { throws_int(n); return 0; }
struct Bad { ~Bad() { *(volatile int *)8 = 1; } };
extern "C" long throws_bad(long n) { throw Bad(); }
"#;

#[test]
fn an_exception_that_nothing_catches_ends_the_call() {
    alone::alone("an_exception_that_nothing_catches_ends_the_call", || {
        let rt = Runtime::builder().arena_size(64 << 20).contain_aborts(true).build().unwrap();
        let flags = &["-g", "-O0", "-std=c++17", "-emit-llvm", "-Wno-everything"];
        rt.load("throws", clang::object(THROWS, "clang++-19", flags).trusted()).unwrap();
        let kinds = [
            ("throws_int", "int", 7),
            ("throws_error", "std::runtime_error", 8),
            ("throws_own", "Own", 9),
            ("throws_bad", "Bad", 13),
        ];
        let mut first = 0;
        for round in 0..1000 {
            for (name, kind, line) in kinds {
                let error = run(&rt, name, 1).expect_err(name);
                let text = error.to_string();
                assert_eq!(error.kind(), ErrorKind::Aborted, "{name}: {text}");
                assert!(
                    text.contains(&format!("an exception of type {kind}, which nothing catches")),
                    "{text}"
                );
                let fault = error.fault().unwrap();
                let place = fault.culprit().and_then(|frame| frame.line.as_ref());
                assert_eq!(place.map(|l| l.1), Some(line), "{name}: {}", fault.backtrace());
            }
            assert_eq!(run(&rt, "catches", 1).unwrap(), 77);
            // Destructors on the way, and of the exceptions, were run.
            assert_eq!(run(&rt, "counted", 1).unwrap(), 0);
            if round == 200 {
                first = resident();
            }
        }
        assert!(resident() < first + (2 << 20), "{first} bytes, then {}", resident());
        let error = run(&rt, "terminates", 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Aborted, "{error}");
    });
}

#[test]
fn a_panic_of_the_host_passes() {
    let rt = runtime();
    unsafe extern "C-unwind" fn host(_: i64) -> i64 {
        std::panic::panic_any(5)
    }
    // SAFETY: it has the type that the module declares, and unwinds through code that bears it.
    unsafe { rt.define_function("host", host as *const std::ffi::c_void) }.unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&rt, "asks_host", 1)));
    assert_eq!(*caught.unwrap_err().downcast::<i32>().unwrap(), 5);
    assert_eq!(run(&rt, "fine", 1).unwrap(), 2);
}
