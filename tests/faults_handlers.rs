//! Who handles a fault when others handle it as well. Each case is a process of its own, in which
//! no call was guarded before.
#![allow(unsafe_code)] // handles to generated code are made with a promise; fork

use hotslot::{Function, OptLevel, Runtime, Source};

#[path = "common/clang.rs"]
mod clang;
#[path = "common/forked.rs"]
mod forked;

type Kind = unsafe extern "C" fn(i64) -> i64;

fn runtime(level: OptLevel) -> Runtime {
    let builder = Runtime::builder().opt_level(level).arena_size(64 << 20);
    builder.tiered(false).compile_threads(1).build().unwrap()
}

fn source(code: &str) -> Source {
    clang::c(code)
}

fn function(rt: &Runtime, name: &str) -> Function<Kind> {
    // SAFETY: the tests' functions have this type. What they do wrong is what is tested.
    unsafe { rt.function(name) }.unwrap()
}

#[test]
fn handlers_from_before_and_of_the_program_are_respected() {
    extern "C" fn earlier(signal: i32) {
        // SAFETY: ends the process.
        unsafe { libc::_exit(40 + signal) };
    }
    let code = "#include <signal.h>\n#include <unistd.h>\nint *volatile null;\n\
        static void own(int s) { _exit(20 + s); }\n\
        long installs(long n) { signal(SIGSEGV, own); return *null; }\n\
        long faults(long n) { return *null; }";
    let outcome = |name: &'static str, guarded: bool| {
        forked::wait(forked::fork(move || {
            // SAFETY: a handler that ends the process.
            unsafe { libc::signal(libc::SIGSEGV, earlier as *const () as usize) };
            let rt = runtime(OptLevel::O0);
            rt.load("m", source(code)).unwrap();
            let function = function(&rt, name);
            if guarded {
                // SAFETY: as in `function`.
                return i32::from(unsafe { function.try_call(1) }.is_err());
            }
            rt.load("fine", source("long fine(long n) { return n; }")).unwrap();
            // SAFETY: as in `function`.
            unsafe { self::function(&rt, "fine").try_call(1) }.unwrap();
            // SAFETY: as above: the process ends.
            unsafe { function.call(1) };
            0
        }))
    };
    assert_eq!(outcome("faults", true), 1, "contained");
    assert_eq!(outcome("faults", false), 40 + libc::SIGSEGV, "the handler from before");
    assert_eq!(outcome("installs", true), 20 + libc::SIGSEGV, "the program's own");
}
