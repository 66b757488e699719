//! Faults of generated code under a guard: each comes back as an error that says where, and
//! nothing is worse afterwards.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::sync::atomic::{AtomicUsize, Ordering};

use hotslot::{Error, ErrorKind, Function, OptLevel, Runtime, Source};

#[path = "common/clang.rs"]
mod clang;
#[path = "common/forked.rs"]
mod forked;

type Kind = unsafe extern "C" fn(i64) -> i64;

/// The number of each line counts: see LINES.
const CODE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
#include <sys/mman.h>
volatile int zero; int *volatile null; void (*volatile nowhere)(void);
long write_null(long n) { *null = n; return 1; }
long divide(long n) { return (int)n / zero; }
long trap(long n) { if (n >= 0) __builtin_trap(); return n; }
long call_null(long n) { nowhere = 0; nowhere(); return n + 1; }
long call_data(long n) { static char data[64]; nowhere = (void (*)(void))data; nowhere(); return n + 1; }
long deep(long n) { volatile char room[400]; room[n % 400] = 1; return deep(n + 1) + room[n % 400]; }
long in_memcpy(long n) { char *volatile to = (char *)8; char from[900]; memset(from, 1, 900); memcpy(to, from, 800 + n); return *to + 1; }
long in_printf(long n) { char b[90]; char *volatile text = (char *)16; return snprintf(b, 90, "%ld %s", n, text) + 1; }
long in_free(long n) { void *volatile wild = (void *)0x1230; free(wild); return n; }
static char *_Atomic closed;
long in_closed_page(long n) { if (!closed) closed = mmap(0, 4096, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); return closed[n] + 1; }
static void handler(int s) { *null = s; }
long in_handler(long n) { signal(SIGUSR1, handler); raise(SIGUSR1); return n; }
static int compare(const void *a, const void *b) { return *null + *(int *)a; }
long in_callback(long n) { int list[4] = {4, 3, 2, 1}; qsort(list, 4, sizeof *list, compare); return n; }
long inner(long n) { return write_null(n) + 1; }
long middle(long n) { return inner(n) + 1; }
long outer(long n) { return middle(n) + 1; }
long fine(long n) { return n + 1; }
"#;

/// Function, signal, line, and a word of the message.
const KINDS: [(&str, i32, u32, &str); 13] = [
    ("write_null", libc::SIGSEGV, 9, "at address 0x0"),
    ("divide", libc::SIGFPE, 10, "SIGFPE"),
    ("trap", libc::SIGILL, 11, "SIGILL"),
    ("call_null", libc::SIGSEGV, 12, "it called 0x0, where there is no code"),
    ("call_data", libc::SIGSEGV, 13, "SIGSEGV"),
    ("deep", libc::SIGSEGV, 14, "stack overflow"),
    ("in_memcpy", libc::SIGSEGV, 15, "which it called"),
    ("in_printf", libc::SIGSEGV, 16, "which it called"),
    ("in_free", libc::SIGSEGV, 17, "which it called"),
    ("in_closed_page", libc::SIGSEGV, 19, "SIGSEGV"),
    ("handler", libc::SIGSEGV, 20, "SIGSEGV"),
    ("compare", libc::SIGSEGV, 22, "SIGSEGV"),
    ("write_null", libc::SIGSEGV, 9, "SIGSEGV"),
];

/// What to call for each of them.
const CALLS: [&str; 13] = [
    "write_null",
    "divide",
    "trap",
    "call_null",
    "call_data",
    "deep",
    "in_memcpy",
    "in_printf",
    "in_free",
    "in_closed_page",
    "in_handler",
    "in_callback",
    "outer",
];

fn runtime(level: OptLevel) -> Runtime {
    let builder = Runtime::builder().opt_level(level).arena_size(64 << 20);
    builder.tiered(false).compile_threads(1).build().unwrap()
}

fn source(code: &str) -> Source {
    let flags =
        &["-g", "-fno-builtin", "-O2", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-Wno-everything"];
    clang::object(code, "clang-19", flags).trusted()
}

fn function(rt: &Runtime, name: &str) -> Function<Kind> {
    // SAFETY: the tests' functions have this type. What they do wrong is what is tested.
    unsafe { rt.function(name) }.unwrap()
}

fn fault(rt: &Runtime, name: &str) -> Error {
    // SAFETY: as above.
    unsafe { function(rt, name).try_call(1) }.expect_err("it faults")
}

#[test]
fn every_kind_of_fault_is_told_and_survived() {
    for level in [OptLevel::O0, OptLevel::O2] {
        let rt = runtime(level);
        rt.load("kinds", source(CODE)).unwrap();
        for (call, (name, signal, line, word)) in CALLS.into_iter().zip(KINDS) {
            let error = fault(&rt, call);
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Fault, "{call}: {text}");
            let fault = error.fault().unwrap();
            assert_eq!(fault.signal, signal, "{call}: {text}");
            assert!(text.contains(word), "{call}: {text}");
            let culprit = fault.culprit().unwrap();
            assert_eq!(culprit.module, Some(("kinds".to_owned(), 1)), "{call}: {text}");
            // The optimiser may make one function of several, and a call of a null pointer
            // the last thing that one does.
            if level == OptLevel::O0 || !matches!(call, "outer" | "call_null" | "call_data") {
                assert_eq!(culprit.function.as_deref(), Some(name), "{call}: {text}");
                assert_eq!(culprit.line.as_ref().map(|l| l.1), Some(line), "{call}: {text}");
            }
            assert_eq!(fault.stack_overflow, call == "deep", "{text}");
        }
        // SAFETY: adds.
        assert_eq!(unsafe { function(&rt, "fine").try_call(1) }.unwrap(), 2);
    }
}

#[test]
fn a_backtrace_names_every_generated_frame() {
    let rt = runtime(OptLevel::O0);
    rt.load("kinds", source(CODE)).unwrap();
    let names = |error: &Error| -> Vec<String> {
        let frames = error.fault().unwrap().frames.iter();
        frames.filter(|f| f.module.is_some()).filter_map(|f| f.function.clone()).collect()
    };
    let error = fault(&rt, "outer");
    assert_eq!(names(&error), ["write_null", "inner", "middle", "outer"], "{error}");
    let error = fault(&rt, "in_handler");
    assert_eq!(names(&error), ["handler", "in_handler"], "{}", error.fault().unwrap().backtrace());
    let error = fault(&rt, "in_callback");
    assert_eq!(names(&error), ["compare", "in_callback"], "{}", error.fault().unwrap().backtrace());
    let frames = &error.fault().unwrap().frames;
    assert!(frames.iter().any(|frame| frame.library.as_deref().is_some_and(|l| l.contains("libc"))));
    assert!(fault(&rt, "deep").fault().unwrap().more_frames);
}

fn blocked(signal: i32) -> bool {
    // SAFETY: valid for writes; nothing is changed.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
        libc::sigismember(&set, signal) == 1
    }
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn faults_in_a_row_on_several_threads_leave_nothing_behind() {
    const ROUNDS: usize = 120;
    for level in [OptLevel::O0, OptLevel::O2] {
        let rt = runtime(level);
        rt.load("kinds", source(CODE)).unwrap();
        let (count, first) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let functions = CALLS.map(|name| function(&rt, name));
                    for round in 0..ROUNDS {
                        for (name, function) in CALLS.iter().zip(&functions) {
                            // Signals of the process: only one thread at a time can have them.
                            // SAFETY: as in `function`.
                            let error = unsafe { function.try_call(1) }.expect_err(name);
                            assert_eq!(error.kind(), ErrorKind::Fault, "{name}: {error}");
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                        assert!(!blocked(libc::SIGUSR1), "round {round}");
                        assert!(!blocked(libc::SIGSEGV), "round {round}");
                        if round == ROUNDS / 4 {
                            first.fetch_max(resident(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 3 * ROUNDS * CALLS.len());
        let (first, last) = (first.into_inner(), resident());
        assert!(last < first + (4 << 20), "{first} bytes, then {last}");
        rt.replace("kinds", source(&CODE.replace("return n + 1; }\n", "return n + 2; }\n"))).unwrap();
    }
}

#[test]
fn guards_nest_and_generations_are_told_apart() {
    let rt = runtime(OptLevel::O2);
    rt.load("kinds", source(CODE)).unwrap();
    // SAFETY: defined as declared below; called by generated code that is guarded.
    extern "C" fn guarded_inside(n: i64) -> i64 {
        let rt = RUNTIME.get().unwrap();
        assert_eq!(fault(rt, "write_null").kind(), ErrorKind::Fault);
        n + 1
    }
    static RUNTIME: std::sync::OnceLock<Runtime> = std::sync::OnceLock::new();
    RUNTIME.set(rt.clone()).unwrap();
    // SAFETY: the type that the module declares.
    unsafe { rt.define_function("inside", guarded_inside as *const _) }.unwrap();
    let code = |k: i32| {
        format!(
            "long inside(long); int *volatile p;\nlong both(long n) {{ long r = inside(n);\n *p = {k}; return r; }}"
        )
    };
    rt.load("both", source(&code(1))).unwrap();
    for generation in 1..5 {
        let error = fault(&rt, "both");
        let culprit = error.fault().unwrap().culprit().unwrap().clone();
        assert_eq!(culprit.module, Some(("both".to_owned(), generation)), "{error}");
        assert_eq!(culprit.line.map(|line| line.1), Some(3), "{error}");
        assert_eq!(error.fault().unwrap().changed_before.is_some(), generation > 1);
        rt.replace("both", source(&code(generation as i32 + 1))).unwrap();
    }
    rt.replace("kinds", source(&CODE.replace("return n + 1; }\n", "return n + 2; }\n"))).unwrap();
    assert!(fault(&rt, "both").fault().unwrap().changed_before.is_none(), "it was not the last update");
}

#[test]
fn exceptions_work_before_and_after() {
    let rt = runtime(OptLevel::O2);
    let code = "struct Guard { long *at; ~Guard() { ++*at; } }; int *volatile null; static long count;\n\
        static long throws(long n) { Guard guard{&count}; if (n == 0) throw 7L; if (n < 0) return *null; \
          return throws(n - 1) + 1; }\n\
        extern \"C\" long catches(long n) { try { return throws(n); } catch (long m) { return m + count; } }\n";
    rt.load("cxx", clang::cxx(code)).unwrap();
    let catches = function(&rt, "catches");
    for round in 1..100 {
        // SAFETY: as in `function`.
        assert_eq!(unsafe { catches.try_call(40) }.unwrap(), 7 + round * 41);
        // SAFETY: as above.
        let error = unsafe { catches.try_call(-1) }.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fault, "{error}");
    }
}

#[test]
fn a_jump_into_freed_code_and_through_a_damaged_slot_is_contained() {
    let rt = runtime(OptLevel::O0);
    rt.load("gone", source("long gone(long n) { return n; }\nlong body(void) { return (long)&gone; }"))
        .unwrap();
    let jump = "long jump(long n) { long (*volatile at)(long) = (void *)n; return at(1) + 1; }";
    rt.load("jump", source(jump)).unwrap();
    let (start, jump) = (rt.address_of("gone").unwrap() as i64, function(&rt, "jump"));
    // Behind the stubs: memory that no code has been in.
    for address in [start + (8 << 20), start + (8 << 20) + 3] {
        // SAFETY: whatever is there is not code of anything.
        let error = unsafe { jump.try_call(address) }.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fault, "{error}");
        assert!(error.fault().unwrap().frames.len() >= 2, "{error}");
    }
}

#[test]
fn a_fault_of_the_host_is_not_ours() {
    extern "C" fn host_faults(n: i64) -> i64 {
        // SAFETY: deliberately none.
        unsafe { std::ptr::dangling::<i64>().read_volatile() + n }
    }
    let rt = runtime(OptLevel::O2);
    // SAFETY: the type that the module declares.
    unsafe { rt.define_function("host_faults", host_faults as *const _) }.unwrap();
    rt.load("calls", source("long host_faults(long); long calls(long n) { return host_faults(n) + 1; }"))
        .unwrap();
    let calls = function(&rt, "calls");
    let child = forked::fork(|| {
        silence();
        // SAFETY: ends the process.
        i32::from(unsafe { calls.try_call(1) }.is_ok())
    });
    assert_eq!(forked::wait(child), -libc::SIGSEGV);
}

fn silence() {
    // SAFETY: this process is about to end.
    unsafe { libc::close(2) };
}

#[test]
fn a_fault_in_a_child_of_fork_is_contained_there() {
    let rt = runtime(OptLevel::O2);
    rt.load("kinds", source(CODE)).unwrap();
    let calls = CALLS.map(|name| function(&rt, name));
    // SAFETY: as in `function`.
    assert!(unsafe { calls[0].try_call(1) }.is_err());
    for _ in 0..3 {
        let child = forked::fork(|| {
            // SAFETY: as in `function`.
            let contained = calls.iter().all(|call| unsafe { call.try_call(1) }.is_err());
            i32::from(!contained)
        });
        assert_eq!(forked::wait(child), 0);
    }
}

#[test]
fn a_fault_in_a_constructor_is_not_contained() {
    let code = "int *volatile null; __attribute__((constructor)) static void start(void) { *null = 1; }";
    let child = forked::fork(|| {
        silence();
        let rt = runtime(OptLevel::O0);
        rt.load("kinds", source(CODE)).unwrap();
        if fault(&rt, "write_null").kind() != ErrorKind::Fault {
            return 2;
        }
        i32::from(rt.load("starts", source(code)).is_ok())
    });
    assert_eq!(forked::wait(child), -libc::SIGSEGV);
}

#[test]
fn faults_are_not_contained_where_that_is_turned_off() {
    let child = forked::fork(|| {
        silence();
        let rt = Runtime::builder().contain_faults(false).arena_size(64 << 20).build().unwrap();
        rt.load("kinds", source(CODE)).unwrap();
        let _ = fault(&rt, "write_null");
        0
    });
    assert_eq!(forked::wait(child), -libc::SIGSEGV);
}
