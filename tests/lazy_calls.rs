//! First calls from places that are not an ordinary call: handlers of signals, small stacks,
//! exceptions, children of fork, many threads.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // handles to generated code are made with a promise; fork

#[path = "common/clang.rs"]
mod clang;

use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::Path;
use std::sync::Barrier;

use hotslot::{Builder, Cache, CallForm, ErrorKind, OptLevel, Runtime, Source};

const BITCODE: &[&str] = &["-O2", "-Xclang", "-disable-llvm-passes", "-emit-llvm"];

/// Bitcode that is compiled in a child process.
fn strange(source: &str) -> Source {
    clang::object(source, "clang-19", BITCODE)
}

fn lazy() -> Builder {
    Runtime::builder().arena_size(64 << 20).lazy(true)
}

fn call(rt: &Runtime, name: &str) -> i32 {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function::<extern "C" fn() -> i32>(name) }.unwrap().call()
}

/// The ways to compile on first calls, each with sources that are trusted and with others.
fn each_way(test: impl Fn(&Runtime, &dyn Fn(&str) -> Source)) {
    for builder in [
        lazy(),
        lazy().tiered(false).call_form(CallForm::Stub),
        lazy().opt_level(OptLevel::O0).compile_threads(1),
        lazy().call_form(CallForm::Stub).compile_threads(8),
    ] {
        test(&builder.clone().build().unwrap(), &clang::bitcode);
        test(&builder.build().unwrap(), &strange);
    }
}

#[test]
fn a_handler_of_a_signal_may_be_the_first_to_call() {
    let main = "#include <signal.h>\n#include <stdlib.h>\nint in_handler(int); int also(int); int after(void);\n\
         static volatile int got; static void handle(int s) { got += in_handler(s); }\n\
         static void on_other_stack(int s) { got += also(s); }\n\
         int f(void) { struct sigaction a = {0}; a.sa_handler = handle; sigaction(SIGUSR1, &a, 0); raise(SIGUSR1);\n\
           static char small[32 << 10]; stack_t st = {.ss_sp = small, .ss_size = sizeof small}; sigaltstack(&st, 0);\n\
           a.sa_handler = on_other_stack; a.sa_flags = SA_ONSTACK; sigaction(SIGUSR2, &a, 0); raise(SIGUSR2);\n\
           raise(SIGUSR1); raise(SIGUSR2); st.ss_flags = SS_DISABLE; sigaltstack(&st, 0);\n\
           sigset_t none; sigprocmask(SIG_BLOCK, 0, &none); return got * 10 + after() + sigismember(&none, SIGUSR2); }";
    let other = "int in_handler(int s) { return s == 10; } int also(int s) { return s == 12 ? 100 : 0; } int after(void) { return 5; }";
    each_way(|rt, bitcode| {
        rt.update().load("main", bitcode(main)).load("other", bitcode(other)).strict().commit().unwrap();
        assert_eq!(call(rt, "f"), 2025);
        rt.settle();
        assert_eq!(call(rt, "f"), 4045);
    });
}

/// The most that a first call may take of the caller's stack, without optimisation of hotslot
/// itself: fibers have small ones.
const STACK: i32 = 10 << 10;

#[test]
fn a_first_call_needs_little_stack() {
    let source = "#include <ucontext.h>\n#include <string.h>\n#include <stdlib.h>\n\
         int other(void); static ucontext_t here, there; static int result;\n\
         int (*pointer)(void) = other; // which is not compiled ahead\n\
         __attribute__((noinline)) static int last(void) { return 3; }\n\
         static void fiber(void) { result = pointer() + last(); }\n\
         int f(void) { enum { size = 128 << 10 }; unsigned char *stack = malloc(size); memset(stack, 0xa5, size);\n\
           getcontext(&there); there.uc_stack.ss_sp = stack; there.uc_stack.ss_size = size; there.uc_link = &here;\n\
           makecontext(&there, fiber, 0); swapcontext(&here, &there);\n\
           int free_bytes = 0; while (stack[free_bytes] == 0xa5) free_bytes++;\n\
           free(stack); return result == 10 ? size - free_bytes : -1; }";
    each_way(|rt, bitcode| {
        rt.load("main", bitcode(source)).unwrap();
        rt.load("other", bitcode("int other(void) { return 7; }")).unwrap();
        let used = call(rt, "f");
        assert!((1000..STACK).contains(&used), "{used} bytes of stack");
        assert!(call(rt, "f") < 200, "a call that is not the first takes no more than itself");
    });
}

#[test]
fn exceptions_pass_through_first_calls() {
    let flags = [&["-std=c++17"], BITCODE].concat();
    let main = "extern \"C\" int thrower(int); struct Noted { int *n; ~Noted() { ++*n; } };\n\
         extern \"C\" int f() { int n = 0; for (int i = 0; i < 3; i++) try { Noted one{&n}; n += thrower(i); }\n\
           catch (int e) { n += e; } return n; }";
    let other = "struct Own { ~Own(); }; static int ended; Own::~Own() { ended += 100; }\n\
         extern \"C\" int deeper(int); extern \"C\" int thrower(int n) { Own own; return deeper(n) + ended; }";
    let deeper = "extern \"C\" int deeper(int n) { if (n != 1) throw 10; return 1000; }";
    each_way(|rt, _| {
        let source = |text| clang::object(text, "clang++-19", &flags);
        let mut update = rt.update();
        update.load("main", source(main)).load("other", source(other)).load("deeper", source(deeper));
        update.strict().commit().unwrap();
        assert_eq!(call(rt, "f"), 10 + 1100 + 10 + 3);
        rt.settle();
        assert_eq!(call(rt, "f"), 10 + 1400 + 10 + 3);
    });
}

/// Modules of functions that call one another: `f0_0` leads to all of them.
fn web(modules: usize, functions: usize) -> Vec<String> {
    let name = |at: usize| format!("f{}_{}", at / functions, at % functions);
    let all = modules * functions;
    let module = |m: usize| {
        let mut text = "static _Atomic int calls;\n".to_owned();
        for at in m * functions..(m + 1) * functions {
            // Far away, and each once.
            let next = (at + functions + 1) % all;
            let (own, next) = (name(at), name(next));
            text += &format!(
                "int {next}(int); int {own}(int n) {{ calls++; return n ? {next}(n - 1) + 1 : 0; }}\n"
            );
        }
        text + &format!("int calls{m}(void) {{ return calls; }}")
    };
    (0..modules).map(module).collect()
}

#[test]
fn many_threads_call_many_functions_of_many_modules_first() {
    let texts = web(6, 5);
    each_way(|rt, bitcode| {
        let mut update = rt.update();
        for (at, text) in texts.iter().enumerate() {
            update.load(format!("m{at}"), bitcode(text));
        }
        update.strict().commit().unwrap();
        let start = Barrier::new(12);
        std::thread::scope(|scope| {
            for thread in 0..12 {
                let (start, rt) = (&start, &rt);
                scope.spawn(move || {
                    let name = format!("f{}_{}", thread % 6, thread / 6 * 4);
                    // SAFETY: of this type.
                    let f = unsafe { rt.function::<extern "C" fn(i32) -> i32>(&name) }.unwrap();
                    start.wait();
                    assert_eq!(f.call(29), 29);
                });
            }
        });
        let calls: i32 = (0..6).map(|m| call(rt, &format!("calls{m}"))).sum();
        assert_eq!((calls, rt.stats().lazy_functions), (12 * 30, 0));
    });
}

#[test]
fn nothing_is_compiled_ahead_while_nobody_waits_and_its_errors_are_nobodys() {
    let texts = web(8, 1);
    each_way(|rt, bitcode| {
        for (at, text) in texts.iter().enumerate() {
            rt.load(format!("m{at}"), bitcode(text)).unwrap();
        }
        let bad = "define i32 @bad() { %x = call i32 asm \"no such\", \"=r\"() ret i32 %x }\n\
                   define i32 @good() { ret i32 4 }";
        rt.load("bad", Source::ir(bad)).unwrap();
        rt.load(
            "user",
            bitcode("int bad(void); int good(void); int f(int n) { return n ? bad() : good(); }"),
        )
        .unwrap();
        assert_eq!(rt.stats().lazy_functions, 16 + 2 + 1);
        // SAFETY: of these types.
        let f = unsafe { rt.function::<extern "C" fn(i32) -> i32>("f") }.unwrap();
        assert_eq!(f.call(0), 4);
        let left = rt.stats().lazy_functions;
        assert!((16..=17).contains(&left), "{left}");
        for _ in 0..2 {
            let error = f.try_call(1).unwrap_err();
            assert_eq!((error.kind(), error.symbol()), (ErrorKind::Compile, Some("bad")));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert_eq!(rt.stats().lazy_functions, 16 + 1, "nobody has called what is left");
        // SAFETY: of this type.
        let first = unsafe { rt.function::<extern "C" fn(i32) -> i32>("f0_0") }.unwrap();
        assert_eq!(first.call(20), 20);
    });
}

#[test]
fn what_was_compiled_on_first_calls_is_found_in_the_cache() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lazy-{}", std::process::id()));
    let text = "int g(int n) { return n * 3; } static int h(int n) { return g(n) + 1; } int f(void) { return h(4); }";
    for source in [clang::bitcode(text), strange(text)] {
        let mut entries = Vec::new();
        for run in 0..3 {
            let builder = lazy().cache(Cache::at(&folder)).tiered(false).compile_threads(1);
            let rt = builder.build().unwrap();
            let report = rt.load("m", source.clone()).unwrap();
            assert_eq!(report.modules[0].cached, run > 0);
            assert_eq!((call(&rt, "f"), rt.stats().lazy_functions), (13, 0));
            entries.push(Cache::at(&folder).info().entries);
        }
        assert!(entries[0] >= 2 && entries[1..] == [entries[0]; 2], "{entries:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn a_child_of_fork_says_what_it_cannot_compile() {
    let source = "#include <unistd.h>\n#include <sys/wait.h>\nextern int out; int out; int ready(void) { return 2; }\n\
         __attribute__((weak)) int later(void);\n\
         int f(void) { int pid = fork(), status; if (pid == 0) { alarm(60); dup2(out, 2); if (ready() != 2) _exit(9); _exit(later()); }\n\
           return waitpid(pid, &status, 0) == pid ? status : -1; }";
    each_way(|rt, bitcode| {
        rt.load("m", bitcode(source)).unwrap();
        rt.load("n", bitcode("int later(void) { return 40; }")).unwrap();
        // Neither thread nor child of these is in the child of fork.
        assert_eq!(call(rt, "ready"), 2);
        let mut ends = [0; 2];
        // SAFETY: room for two descriptors, which are owned from now on; the variable is an int.
        let (mut reading, writing) = unsafe {
            assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
            let out = rt.address_of("out").unwrap().cast_mut().cast::<i32>();
            let [reading, writing] = ends.map(|end| std::fs::File::from_raw_fd(end));
            out.write(writing.as_raw_fd());
            (reading, writing)
        };
        let lazy = rt.stats().lazy_functions;
        let status = call(rt, "f");
        drop(writing);
        let mut said = String::new();
        reading.read_to_string(&mut said).unwrap();
        // Another thread may have compiled it, ahead of the call.
        if libc::WIFSIGNALED(status) {
            assert_eq!(libc::WTERMSIG(status), libc::SIGABRT, "{said}");
            assert!(said.contains("later") && said.contains("child of fork"), "{said}");
            assert!(said.contains("call it before the fork"), "{said}");
        } else {
            assert!(lazy > rt.stats().lazy_functions && libc::WEXITSTATUS(status) == 40, "{status} {said}");
        }
        assert_eq!(call(rt, "later"), 40);
        assert_eq!(libc::WEXITSTATUS(call(rt, "f")), 40);
    });
}

#[test]
fn an_old_body_of_a_local_function_does_not_come_back() {
    let with = |n: i32| {
        format!(
            "static int __attribute__((noinline)) two(int x) {{ return x + {n}; }}\n\
             int f(int x) {{ return x ? two(x) : {n}; }} int g(void) {{ return f(7); }}"
        )
    };
    let without = |n: i32| format!("int f(int x) {{ return x + {n}; }} int g(void) {{ return f(7); }}");
    each_way(|rt, bitcode| {
        rt.load("m", bitcode(&with(1))).unwrap();
        rt.replace("m", bitcode(&with(2))).unwrap();
        assert_eq!(call(rt, "g"), 9);
        rt.replace("m", bitcode(&without(3))).unwrap();
        assert_eq!(call(rt, "g"), 10);
        // In the first generation nobody has called it.
        rt.rollback("m", 1).unwrap();
        for (generation, found) in [(3, 10), (1, 8), (2, 9), (3, 10)] {
            rt.rollback("m", generation).unwrap();
            assert_eq!(call(rt, "g"), found);
            rt.settle();
            rt.reclaim();
            assert_eq!(call(rt, "g"), found);
        }
    });
}
