//! The optimiser behind, against everything else that can happen to its modules.
//!
//! Each test goes on for a second or two. A version of the module says its number in several
//! functions that call each other, some of which are in layers that stay when others change.
#![allow(unsafe_code)] // handles to generated code are made with a promise; fork

#[path = "common/clang.rs"]
mod clang;
#[path = "common/forked.rs"]
mod forked;
#[path = "common/reclaimed.rs"]
mod reclaimed;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use clang::bitcode;
use forked::{fork, wait};
use hotslot::{Builder, ErrorKind, Function, Runtime, Source};
use reclaimed::all_reclaimed;

type Nullary = extern "C" fn() -> i32;

const TIME: Duration = Duration::from_millis(1500);
const VERSIONS: usize = 6;

/// One test at a time: each has threads enough, and a child has a copy of what others do.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|e| e.into_inner())
}

/// Versions of module `name`: two in a row differ in one function or the other, every third in all.
fn versions(name: &str) -> Vec<Source> {
    let version = |n: usize| {
        let (a, b) = (n, n / 2 * 2);
        bitcode(&format!(
            "static int one(void) {{ return {a}; }} __attribute__((noinline)) static int two(int x) {{ return x + {b}; }}\n\
             int (*{name}_hook)(int) = two; int {name}_calls; static const int table[] = {{ {a}, {b}, {} }};\n\
             int {name}(void) {{ {name}_calls++; return one() * 100 + two(table[2] * 0); }}\n\
             int {name}_hooked(void) {{ return {name}_hook(0); }} int {name}_same(void) {{ return 7; }}",
            n / 3
        ))
    };
    (0..VERSIONS).map(version).collect()
}

/// What `name` of that version returns.
fn answer(n: usize) -> i32 {
    (n * 100 + n / 2 * 2) as i32
}

fn builders() -> [Builder; 2] {
    let arena = || Runtime::builder().arena_size(64 << 20).history(3);
    [arena(), arena().lazy(true)]
}

fn function(rt: &Runtime, name: &str) -> Function<Nullary> {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

/// What one thread does until the time is over.
fn until(end: Instant, mut work: impl FnMut(usize)) {
    let mut round = 0;
    while Instant::now() < end {
        work(round);
        round += 1;
    }
}

/// Nothing but that another update came first.
#[track_caller]
fn overtaken<T>(result: Result<T, hotslot::Error>) -> bool {
    match result {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Update, "{error}");
            true
        }
    }
}

#[test]
fn replacements_rollbacks_removals_and_reclaiming() {
    let _alone = alone();
    for builder in builders() {
        let rt = builder.build().unwrap();
        let (m, n) = (versions("m"), versions("n"));
        rt.update().load("m", m[0].clone()).load("n", n[0].clone()).commit().unwrap();
        let (call, same) = (function(&rt, "m"), function(&rt, "m_same"));
        let end = Instant::now() + TIME;
        let commits = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for first in 0..2 {
                let (rt, m, commits) = (&rt, &m, &commits);
                scope.spawn(move || {
                    until(end, |round| {
                        let version = m[(first * 3 + round) % VERSIONS].clone();
                        let done = rt.replace("m", version);
                        commits.fetch_add(usize::from(!overtaken(done)), Ordering::Relaxed);
                        // The optimiser gets there sometimes before, sometimes after.
                        if round % 7 == first {
                            rt.settle();
                        }
                    });
                });
            }
            scope.spawn(|| {
                until(end, |round| {
                    let history = rt.history("m").unwrap();
                    _ = overtaken(rt.rollback("m", history[round % history.len()].number));
                });
            });
            scope.spawn(|| {
                until(end, |round| {
                    match round % 3 {
                        0 => drop(rt.replace("n", n[round % VERSIONS].clone()).unwrap()),
                        1 => drop(rt.remove("n").unwrap()),
                        _ => drop(rt.load("n", n[round % VERSIONS].clone()).unwrap()),
                    };
                });
            });
            scope.spawn(|| until(end, |_| _ = rt.reclaim()));
            scope.spawn(|| {
                until(end, |_| {
                    let found = call.call();
                    let (a, b) = (found / 100, found % 100);
                    // One function after the other: each of a version there was.
                    assert!(
                        (0..VERSIONS as i32).contains(&a) && b % 2 == 0 && b < VERSIONS as i32,
                        "{found}"
                    );
                    assert_eq!(same.call(), 7);
                });
            });
        });
        assert!(commits.load(Ordering::Relaxed) > 0);
        // Whatever came last, the next one counts.
        for n in [3, 1] {
            rt.replace("m", m[n].clone()).unwrap();
            for _ in 0..2 {
                assert_eq!((call.call(), function(&rt, "m_hooked").call()), (answer(n), n as i32 / 2 * 2));
                rt.settle();
            }
        }
        assert!(rt.totals().upgrades > 0, "{:?}", rt.totals());
        // Whoever was told of the address of its hook could call that of a module that is gone.
        if !rt.modules().iter().any(|(name, _)| name == "n") {
            rt.load("n", n[0].clone()).unwrap();
        }
        assert!(all_reclaimed(&rt), "{:?}", rt.pending());
    }
}

#[test]
fn the_end_of_a_runtime() {
    let _alone = alone();
    let m = versions("m");
    for builder in builders() {
        let end = Instant::now() + TIME;
        until(end, |round| {
            let rt = builder.clone().build().unwrap();
            rt.load("m", m[0].clone()).unwrap();
            let call = function(&rt, "m");
            assert_eq!(call.call(), answer(0));
            rt.replace("m", m[1 + round % (VERSIONS - 1)].clone()).unwrap();
            if round % 2 == 0 {
                rt.replace("m", m[2].clone()).unwrap();
            }
            // With the optimiser at work, and with it just done.
            if round % 3 != 0 {
                std::thread::sleep(Duration::from_micros(500 * (round as u64 % 23)));
            }
            match round % 4 {
                0 => drop((rt, call)),
                1 => {
                    drop(rt);
                    call.call();
                }
                2 => {
                    let clone = rt.clone();
                    let waits = std::thread::spawn(move || clone.settle());
                    drop((call, rt));
                    waits.join().unwrap();
                }
                _ => drop(rt.remove("m").map(|_| rt)),
            }
        });
    }
}

#[test]
fn forks() {
    let _alone = alone();
    let rt = Runtime::builder().arena_size(64 << 20).history(1).build().unwrap();
    let m = versions("m");
    rt.load("m", m[0].clone()).unwrap();
    let (call, same) = (function(&rt, "m"), function(&rt, "m_same"));
    let stop = AtomicBool::new(false);
    let end = Instant::now() + TIME;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                rt.replace("m", m[round % VERSIONS].clone()).unwrap();
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        // In the middle of waiting for the optimiser, with whatever locks that takes.
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    rt.settle();
                }
            });
        }
        // And of an update that is taken back.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                rt.update().replace("m", m[1].clone()).check().unwrap();
            }
        });
        until(end, |round| {
            let status = wait(fork(|| {
                let first = call.call();
                rt.settle();
                let mut all = (0..200).all(|_| call.call() == first && same.call() == 7);
                all &= rt.replace("m", m[0].clone()).is_err();
                if round % 2 == 0 {
                    drop(rt.clone());
                }
                rt.settle();
                i32::from(!all)
            }));
            stop.store(status != 0, Ordering::Relaxed);
            assert_eq!(status, 0, "round {round}");
        });
        stop.store(true, Ordering::Relaxed);
    });
    rt.settle();
    rt.replace("m", m[5].clone()).unwrap();
    rt.settle();
    assert_eq!(call.call(), answer(5));
}

/// The last handle of a runtime may be dropped by a child.
#[test]
fn a_child_ends_the_runtime_while_its_parents_optimiser_works() {
    let _alone = alone();
    let m = versions("m");
    let end = Instant::now() + TIME;
    until(end, |round| {
        let rt = Arc::new(Mutex::new(Some(Runtime::builder().arena_size(16 << 20).build().unwrap())));
        let with = |work: &dyn Fn(&Runtime)| work(rt.lock().unwrap().as_ref().unwrap());
        with(&|rt| drop(rt.load("m", m[0].clone()).unwrap()));
        with(&|rt| drop(rt.replace("m", m[1 + round % 5].clone()).unwrap()));
        let child = rt.clone();
        let status = wait(fork(move || {
            let taken = child.lock().unwrap().take();
            i32::from(taken.is_none())
        }));
        assert_eq!(status, 0);
        with(&|rt| assert_eq!(function(rt, "m").call(), answer(1 + round % 5)));
    });
}
