//! Calls that are ended from outside: by a handle, and when their time is over.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotslot::{Error, ErrorKind, Function, Interrupt, OptLevel, Runtime};

#[path = "common/clang.rs"]
mod clang;

type Kind = unsafe extern "C" fn(i64) -> i64;

const CODE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <poll.h>
volatile long counter;
long spin(long n) { for (;;) counter++; return n; }
long step(long n) { return counter += n; }
long calls(long n) { for (;;) step(n); }
long sleeps(long n) { sleep(1000); return n; }
long polls(long n) { poll(0, 0, -1); return n; }
long naps(long n) { for (;;) usleep(50); return n; }
long reads(long n) { int ends[2]; char byte; pipe(ends); return read(ends[0], &byte, 1) + n; }
long allocates(long n) { for (;;) { void *volatile p = malloc(counter++ % 5000); memset(p, 1, 10); free(p); } }
long prints(long n) { char b[200]; for (;;) snprintf(b, 200, "%ld %f", counter++, 1.5); }
long busy(long n) { for (long i = 0; i < n; i++) counter++; return n; }
long host(long);
long waits(long n) { return host(n) + 1; }
"#;

fn runtime(level: OptLevel) -> Runtime {
    extern "C" fn host(n: i64) -> i64 {
        let end = Instant::now() + Duration::from_millis(n as u64);
        while Instant::now() < end {
            std::hint::black_box(vec![0u8; 100]);
        }
        n
    }
    let builder = Runtime::builder().opt_level(level).arena_size(64 << 20);
    let rt = builder.tiered(false).compile_threads(1).build().unwrap();
    // SAFETY: the type that the module declares.
    unsafe { rt.define_function("host", host as *const _) }.unwrap();
    let flags = &["-g", "-O2", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-Wno-everything"];
    rt.load("loops", clang::object(CODE, "clang-19", flags).trusted()).unwrap();
    rt
}

fn function(rt: &Runtime, name: &str) -> Function<Kind> {
    // SAFETY: the module's functions have this type, and bear to be left.
    unsafe { rt.function(name) }.unwrap()
}

fn late(function: &Function<Kind>, limit: u64, argument: i64) -> Result<i64, Error> {
    // SAFETY: as in `function`.
    unsafe { function.guarded().deadline(Duration::from_millis(limit)).call(argument) }
}

const ENDLESS: [&str; 8] = ["spin", "calls", "sleeps", "polls", "naps", "reads", "allocates", "prints"];

#[test]
fn a_deadline_ends_what_never_ends() {
    for level in [OptLevel::O0, OptLevel::O2] {
        let rt = runtime(level);
        for name in ENDLESS {
            let begun = Instant::now();
            let error = late(&function(&rt, name), 20, 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{name}: {error}");
            assert!(error.to_string().contains("the time for the call was over"), "{error}");
            let culprit = error.fault().unwrap().culprit().unwrap();
            assert_eq!(culprit.module, Some(("loops".to_owned(), 1)), "{name}: {error}");
            let took = begun.elapsed();
            assert!(took >= Duration::from_millis(20) && took < Duration::from_secs(5), "{name}: {took:?}");
        }
        // The allocator and everything else goes on.
        assert_eq!(late(&function(&rt, "busy"), 10_000, 1000).unwrap(), 1000);
    }
}

#[test]
fn a_handle_ends_calls_of_any_thread() {
    let rt = runtime(OptLevel::O2);
    let handle = Interrupt::new();
    assert_eq!(handle.interrupt(), 0, "nothing runs");
    std::thread::scope(|scope| {
        let threads: Vec<_> = ["spin", "sleeps", "allocates"]
            .into_iter()
            .map(|name| {
                let (function, handle) = (function(&rt, name), handle.clone());
                // SAFETY: as in `function`.
                scope.spawn(move || unsafe { function.guarded().interrupt(&handle).call(1) })
            })
            .collect();
        let mut ended = 0;
        while threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(30));
            ended += handle.interrupt();
        }
        assert!(ended >= 3);
        for thread in threads {
            let error = thread.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
            assert!(error.to_string().contains("interrupted in"), "{error}");
        }
    });
    assert_eq!(handle.interrupt(), 0, "nothing runs any more");
    // SAFETY: as in `function`.
    assert_eq!(unsafe { function(&rt, "busy").guarded().interrupt(&handle).call(5) }.unwrap(), 5);
}

#[test]
fn an_interrupt_races_with_the_return() {
    const ROUNDS: usize = 3000;
    let rt = runtime(OptLevel::O2);
    let (busy, handle, done) = (function(&rt, "busy"), Interrupt::new(), AtomicBool::new(false));
    let (mut ended, mut returned) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0u64;
            while !done.load(Ordering::Relaxed) {
                handle.interrupt();
                n = n.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                std::thread::sleep(Duration::from_micros(n >> 58));
            }
        });
        for round in 0..ROUNDS {
            // SAFETY: as in `function`.
            match unsafe { busy.guarded().interrupt(&handle).call(20_000 + round as i64 % 7 * 9000) } {
                Ok(value) => {
                    assert_eq!(value, 20_000 + round as i64 % 7 * 9000);
                    returned += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
                    ended += 1;
                }
            }
            // A late signal ends nothing else.
            // SAFETY: as in `function`.
            assert_eq!(unsafe { busy.try_call(50) }.unwrap(), 50);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(ended + returned, ROUNDS);
    assert!(ended > 20 && returned > 20, "{ended} ended, {returned} returned");
}

#[test]
fn code_of_the_host_is_not_left() {
    let rt = runtime(OptLevel::O2);
    let begun = Instant::now();
    let result = late(&function(&rt, "waits"), 10, 150);
    assert!(begun.elapsed() >= Duration::from_millis(150), "it came to its end");
    // What is left of the generated code is a few instructions.
    assert!(result.is_err_and(|e| e.kind() == ErrorKind::Interrupted) || begun.elapsed().as_millis() < 5000);
}

#[test]
fn deadlines_of_nested_calls_end_the_right_one() {
    static RUNTIME: std::sync::OnceLock<Runtime> = std::sync::OnceLock::new();
    extern "C" fn inner(n: i64) -> i64 {
        let rt = RUNTIME.get().unwrap();
        i64::from(late(&function(rt, "spin"), 20, n).is_err())
    }
    let rt = runtime(OptLevel::O2);
    RUNTIME.set(rt.clone()).unwrap();
    // SAFETY: the type that the module declares.
    unsafe { rt.define_function("host", inner as *const _) }.unwrap();
    assert_eq!(late(&function(&rt, "waits"), 60_000, 1).unwrap(), 2);
    // The outer one's time is over first: both are given up.
    static INNER: std::sync::LazyLock<Interrupt> = std::sync::LazyLock::new(Interrupt::new);
    // SAFETY: the type that the module declares.
    unsafe { rt.define_function("host", endless as *const _) }.unwrap();
    extern "C" fn endless(n: i64) -> i64 {
        let rt = RUNTIME.get().unwrap();
        let spin = function(rt, "spin");
        // SAFETY: as in `function`.
        let result = unsafe { spin.guarded().deadline(Duration::from_secs(600)).interrupt(&INNER).call(n) };
        i64::from(result.is_err())
    }
    let begun = Instant::now();
    assert_eq!(late(&function(&rt, "waits"), 30, 1).unwrap_err().kind(), ErrorKind::Interrupted);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(INNER.interrupt(), 0, "the inner one is over as well");
}

#[test]
fn a_wait_of_the_host_goes_on() {
    static RESULT: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);
    /// Waits for a byte without a limit, as long as it takes.
    extern "C" fn waits(ms: i64) -> i64 {
        let mut ends = [0; 2];
        // SAFETY: valid for writes; descriptors of this function.
        unsafe { libc::pipe(ends.as_mut_ptr()) };
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(ms as u64));
            // SAFETY: a byte.
            unsafe { libc::write(ends[1], [1u8].as_ptr().cast(), 1) };
        });
        let mut poll = libc::pollfd { fd: ends[0], events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor.
        RESULT.store(unsafe { libc::poll(&mut poll, 1, -1) }, Ordering::Relaxed);
        writer.join().unwrap();
        ms
    }
    let rt = runtime(OptLevel::O2);
    // SAFETY: the type that the module declares.
    unsafe { rt.define_function("host", waits as *const _) }.unwrap();
    let begun = Instant::now();
    let _ = late(&function(&rt, "waits"), 10, 150);
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert_eq!(RESULT.load(Ordering::Relaxed), 1, "not ended by our signal");
}
