//! Who handles a fault when others handle it as well. Each case is a process of its own, in which
//! no call was guarded before.
#![allow(unsafe_code)] // handles to generated code are made with a promise; fork

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotslot::{ErrorKind, Function, Interrupt, OptLevel, Runtime, Source};

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

#[test]
fn a_signal_that_somebody_sent_is_no_fault() {
    extern "C" fn earlier(signal: i32) {
        // SAFETY: ends the process.
        unsafe { libc::_exit(40 + signal) };
    }
    let child = forked::fork(|| {
        // SAFETY: a handler that ends the process.
        unsafe { libc::signal(libc::SIGFPE, earlier as *const () as usize) };
        let rt = runtime(OptLevel::O0);
        rt.load("m", source("#include <signal.h>\nlong sends(long n) { return raise(SIGFPE); }")).unwrap();
        // SAFETY: as in `function`.
        i32::from(unsafe { function(&rt, "sends").try_call(1) }.is_err())
    });
    assert_eq!(forked::wait(child), 40 + libc::SIGFPE);
}

#[test]
fn a_host_recovers_from_faults_of_its_own_on_many_threads() {
    /// Makes the page usable, as those do that keep track of what is written.
    extern "C" fn recovers(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: a fault of the threads below, which have their own pages.
        unsafe {
            let page = (*info).si_addr().map_addr(|at| at & !4095);
            libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_WRITE);
        }
    }
    fn write_and_protect(rounds: usize) {
        // SAFETY: a page of this thread's.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let page = libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, flags, -1, 0);
            for _ in 0..rounds {
                libc::mprotect(page, 4096, libc::PROT_READ);
                page.cast::<u8>().write_volatile(1);
            }
        }
    }
    let child = forked::fork(|| {
        // SAFETY: zeroes are a valid value; a handler of this type.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = recovers as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut());
            libc::alarm(60);
        }
        let rt = runtime(OptLevel::O0);
        rt.load("fine", source("long fine(long n) { return n; }")).unwrap();
        rt.report_crashes(|_| ()).unwrap();
        std::thread::scope(|scope| {
            for number in 0..6 {
                let fine = function(&rt, "fine");
                scope.spawn(move || {
                    // Some have a stack to look at faults on, and the others share one.
                    if number % 2 == 0 {
                        // SAFETY: as in `function`.
                        unsafe { fine.try_call(1) }.unwrap();
                    }
                    write_and_protect(3000);
                });
            }
        });
        0
    });
    assert_eq!(forked::wait(child), 0);
}

const SPIN: &str = "volatile long c; long spin(long n) { for (;;) c++; }\nlong host(long);\n\
    long asks(long n) { return host(n); }\n\
    int *volatile null; long faults(long n) { return *null; }";

fn spins(rt: &Runtime) -> Option<ErrorKind> {
    let spin = function(rt, "spin");
    // SAFETY: as in `function`.
    unsafe { spin.guarded().deadline(Duration::from_millis(20)).call(1) }.err().map(|e| e.kind())
}

#[test]
fn deadlines_survive_that_a_program_resets_every_signal() {
    let child = forked::fork(|| {
        let rt = runtime(OptLevel::O0);
        rt.load("m", source(SPIN)).unwrap();
        for handler in [libc::SIG_DFL, libc::SIG_IGN] {
            assert_eq!(spins(&rt), Some(ErrorKind::Interrupted));
            // One is left to be taken.
            for signal in libc::SIGRTMIN() + 1..=libc::SIGRTMAX() {
                // SAFETY: no handler of the program's.
                unsafe { libc::signal(signal, handler) };
            }
        }
        assert_eq!(spins(&rt), Some(ErrorKind::Interrupted));
        0
    });
    assert_eq!(forked::wait(child), 0);
}

#[test]
fn a_call_with_limits_returns_in_a_child_of_fork() {
    /// Returns in both processes.
    extern "C" fn forks(_: i64) -> i64 {
        // SAFETY: the child returns and ends.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::alarm(20);
            }
            i64::from(child)
        }
    }
    let child = forked::fork(|| {
        let rt = runtime(OptLevel::O0);
        // SAFETY: the type that the module declares.
        unsafe { rt.define_function("host", forks as *const _) }.unwrap();
        rt.load("m", source(SPIN)).unwrap();
        let (asks, handle, done) = (function(&rt, "asks"), Interrupt::new(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Takes the handle's lock, as often as can be.
                while !done.load(Ordering::Relaxed) {
                    std::hint::black_box(format!("{handle:?}"));
                }
            });
            for _ in 0..100 {
                // SAFETY: as in `function`.
                let child = unsafe { asks.guarded().interrupt(&handle).call(0) }.unwrap();
                if child == 0 {
                    let limited = spins(&rt);
                    // SAFETY: ends the child, whose other threads are the parent's.
                    unsafe { libc::_exit(if limited == Some(ErrorKind::Host) { 0 } else { 1 }) };
                }
                assert_eq!(forked::wait(child as i32), 0);
            }
            done.store(true, Ordering::Relaxed);
        });
        0
    });
    assert_eq!(forked::wait(child), 0);
}

#[test]
fn limits_need_no_containment_and_are_refused_where_there_is_no_room() {
    let outcome = |guarded_before: bool| {
        forked::wait(forked::fork(move || {
            let build = || {
                let builder = Runtime::builder().contain_faults(false).arena_size(16 << 20);
                builder.tiered(false).compile_threads(1).build().unwrap()
            };
            let rt = build();
            rt.load("m", source(SPIN)).unwrap();
            assert_eq!(spins(&rt), Some(ErrorKind::Interrupted));
            let many: Vec<Runtime> = (0..64).map(|_| build()).collect();
            let last = many.last().unwrap();
            last.load("m", source(SPIN)).unwrap();
            assert_eq!(spins(last), Some(ErrorKind::Host));
            drop(many);
            if guarded_before {
                let other = runtime(OptLevel::O0);
                other.load("m", source(SPIN)).unwrap();
                // SAFETY: as in `function`.
                assert!(unsafe { function(&other, "faults").try_call(1) }.is_err());
            }
            // SAFETY: as above: the process ends.
            i32::from(unsafe { function(&rt, "faults").try_call(1) }.is_err())
        }))
    };
    assert_eq!([outcome(false), outcome(true)], [-libc::SIGSEGV; 2]);
}
