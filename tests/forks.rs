//! Children of fork: they keep the code they were born with, and change nothing of their
//! parent's.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // handles to generated code are made with a promise; fork

#[path = "common/clang.rs"]
mod clang;
#[path = "common/forked.rs"]
mod forked;

use std::ffi::c_void;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use clang::{c, cxx, object};
use forked::{fork, wait};
use hotslot::{ErrorKind, Function, Runtime, Source};
use parking_lot::{Mutex, MutexGuard};

type Nullary = extern "C" fn() -> i32;
type Unary = extern "C" fn(i32) -> i32;

/// One test at a time: a child has a copy of everything that another would be doing.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock()
}

fn runtime() -> Runtime {
    Runtime::builder().history(0).arena_size(64 << 20).build().unwrap()
}

fn function(rt: &Runtime, name: &str) -> Function<Nullary> {
    // SAFETY: the tests define these functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

fn call(rt: &Runtime, name: &str) -> i32 {
    function(rt, name).call()
}

/// A word that children share with their parent.
fn shared() -> &'static AtomicU32 {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: fresh zeroed memory, which stays mapped.
    unsafe { &*libc::mmap(std::ptr::null_mut(), 4096, access, kind, -1, 0).cast::<AtomicU32>() }
}

/// Version `n`: exceptions, constants, thread-locals, function pointers, all of which say `n`.
fn work(n: usize) -> Source {
    cxx(&format!(
        r#"
        #include <stdexcept>
        #include <string>
        extern "C" int helper();
        extern "C" void note();
        extern "C" int atexit(void (*)());
        static const int table[] = {{ {n}, {n} + 1, {n} + 2 }};
        const char *text = "version {n}";
        thread_local int mine = {n};
        static thread_local std::string object("{n}");
        static int count;
        static void thrower() {{ throw std::runtime_error(std::to_string({n})); }}
        void (*volatile pointer)() = thrower;
        static int caught() {{
            try {{ pointer(); }} catch (std::exception &e) {{ return std::stoi(e.what()); }}
            return -1;
        }}
        static void at_end() {{ if (caught() >= 0) note(); }}
        extern "C" int registers() {{ return atexit(at_end); }}
        extern "C" int touch() {{ return mine + std::stoi(object); }}
        // The version, if everything is of one.
        extern "C" int version() {{
            int n = {n};
            volatile int at = count++ & 1;
            if (table[at] != n + at || caught() != n || helper() != n) return -1;
            mine += 1;
            object = std::to_string(std::stoi(object) + 1);
            if (mine != std::stoi(object)) return -2;
            return n;
        }}
        "#
    ))
}

fn helper(n: usize) -> Source {
    c(&format!("static const volatile int a[2] = {{{n}, 7}}; int helper(void) {{ return a[0]; }}"))
}

static NOTES: Mutex<Option<&'static AtomicU32>> = Mutex::new(None);
extern "C" fn note() {
    NOTES.lock().inspect(|notes| _ = notes.fetch_add(1, Ordering::Relaxed));
}

fn loaded() -> Runtime {
    let rt = runtime();
    // SAFETY: of the type that it is declared with.
    unsafe { rt.define_function("note", note as *const c_void) }.unwrap();
    rt.update().load("work", work(0)).load("helper", helper(0)).commit().unwrap();
    assert_eq!(call(&rt, "version"), 0);
    rt
}

#[test]
fn a_child_keeps_the_code_it_was_born_with() {
    let _alone = alone();
    let rt = loaded();
    let notes = shared();
    *NOTES.lock() = Some(notes);
    call(&rt, "registers");
    let version = function(&rt, "version");
    let (mut told, mut tell) = std::io::pipe().unwrap();
    let child = fork(|| {
        let checks = |rounds| (0..rounds).all(|_| version.call() == 0);
        let before = checks(5000);
        told.read_exact(&mut [0]).unwrap();
        // By now the parent has freed that code. On another thread, too.
        let elsewhere = std::thread::scope(|scope| scope.spawn(|| version.call()).join().unwrap());
        if before && checks(1000) && elsewhere == 0 {
            // SAFETY: ends the process, as programs do.
            unsafe { libc::exit(3) };
        }
        4
    });
    let versions: Vec<(Source, Source)> = (1..5).map(|n| (work(n), helper(n))).collect();
    for round in 0..1000 {
        let (work, helper) = &versions[round % versions.len()];
        rt.update().replace("work", work.clone()).replace("helper", helper.clone()).commit().unwrap();
        assert_eq!(call(&rt, "version") as usize, round % versions.len() + 1);
    }
    rt.reclaim();
    assert!(rt.totals().reclaimed > 900, "{:?}", rt.totals());
    tell.write_all(&[1]).unwrap();
    assert_eq!(wait(child), 3);
    assert_eq!(notes.load(Ordering::Relaxed), 1, "exit handlers run in a child");
    drop((rt, version));
    assert_eq!(notes.load(Ordering::Relaxed), 2);
    *NOTES.lock() = None;
}

#[test]
fn a_child_changes_nothing() {
    let _alone = alone();
    let rt = loaded();
    rt.replace("helper", helper(1)).unwrap();
    rt.replace("helper", helper(0)).unwrap();
    let observed = |rt: &Runtime| (format!("{:?} {:?}", rt.stats(), rt.totals()), call(rt, "version"));
    let before = observed(&rt);
    let prepared = |n| rt.update().replace("helper", helper(n)).prepare().unwrap();
    let (committed, dropped) = (prepared(2), prepared(3));
    let (fresh, other) = (c("int fresh(void) { return 8; }"), work(9));
    let libm = "libm.so.6";
    let child = fork(|| {
        let mut left = 0;
        let mut refused = |what: u32, error: Option<hotslot::Error>| {
            let is_refused = error.is_some_and(|error| error.to_string().contains("a child of fork"));
            left |= i32::from(!is_refused) << what;
        };
        refused(0, rt.load("fresh", fresh).err());
        refused(0, rt.replace("work", other).err());
        refused(1, rt.remove("helper").err());
        refused(1, rt.rollback("helper", 1).err());
        // SAFETY: not called.
        refused(2, unsafe { rt.define_function("helper", note as *const c_void) }.err());
        // SAFETY: as above.
        refused(3, unsafe { rt.function::<Unary>("toupper") }.err());
        refused(4, rt.open_library(libm).err());
        refused(5, committed.commit().err());
        drop(dropped);
        rt.reclaim();
        // SAFETY: nobody is in code that is retired, were it freed.
        unsafe { rt.free_retired() };
        let works = call(&rt, "version") == 0;
        drop(rt.clone());
        let missing = rt.address_of("version").is_err();
        left | i32::from(!works || missing) << 6
    });
    assert_eq!(wait(child), 0);
    assert_eq!(observed(&rt), before);
    rt.load("fresh", c("int fresh(void) { return 8; }")).unwrap();
    assert_eq!((call(&rt, "fresh"), call(&rt, "version")), (8, 0));
    // SAFETY: of that type.
    assert_eq!(unsafe { rt.function::<Unary>("toupper") }.unwrap().call(97), 65);
}

#[test]
fn a_child_may_end_the_runtime() {
    let _alone = alone();
    let notes = shared();
    *NOTES.lock() = Some(notes);
    let rt = loaded();
    call(&rt, "registers");
    let mut rt = Some(rt);
    let child = fork(|| {
        rt.take();
        // A runtime of its own works.
        let own = loaded();
        own.replace("helper", helper(0)).unwrap();
        call(&own, "version")
    });
    assert_eq!(wait(child), 0);
    assert_eq!(notes.load(Ordering::Relaxed), 1);
    let rt = rt.unwrap();
    assert_eq!(call(&rt, "version"), 0);
    rt.replace("helper", helper(0)).unwrap();
    assert_eq!(call(&rt, "version"), 0);
    *NOTES.lock() = None;
}

#[test]
fn forks_while_others_commit() {
    let _alone = alone();
    let (rt, other) = (loaded(), loaded());
    rt.load("caller", c("int nowhere(void); int lost(void) { return nowhere() + 1; }")).unwrap();
    let versions: Vec<(Source, Source)> = (0..3).map(|n| (work(n), helper(n))).collect();
    let (version, lost) = (function(&rt, "version"), function(&rt, "lost"));
    let elsewhere = function(&other, "version");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (rt, from) in [(&rt, 0), (&rt, 1), (&other, 2)] {
            let (stop, versions) = (&stop, &versions);
            scope.spawn(move || {
                for round in from.. {
                    let (work, helper) = versions[round % 3].clone();
                    rt.update().replace("work", work).replace("helper", helper).commit().unwrap();
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        for _ in 0..200 {
            let child = fork(|| {
                let (first, there) = (version.call(), elsewhere.call());
                let same = |_| version.call() == first && elsewhere.call() == there;
                // Takes the runtime's lock.
                let missing = lost.try_call().is_err_and(|error| error.kind() == ErrorKind::Resolve);
                let changed = rt.reclaim().bytes > 0 || rt.remove("work").is_ok();
                i32::from(first < 0 || !(0..100).all(same) || !missing || changed)
            });
            let status = wait(child);
            stop.store(status != 0, Ordering::Relaxed);
            assert_eq!(status, 0);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn fork_handlers_of_generated_code_touch_thread_locals() {
    let _alone = alone();
    let rt = runtime();
    let source = r"int pthread_atfork(void (*)(void), void (*)(void), void (*)(void));
        __thread int before = 1, after = 2; int sum;
        static void prepare(void) { sum += before++; }
        static void child(void) { sum += after++; }
        int setup(void) { return pthread_atfork(prepare, child, child); }
        int total(void) { return sum; }";
    // Registered before anything has a thread-local.
    rt.load("handlers", c(source)).unwrap();
    assert_eq!(call(&rt, "setup"), 0);
    let total = function(&rt, "total");
    let forks = std::thread::spawn(move || wait(fork(|| total.call())));
    let started = std::time::Instant::now();
    while !forks.is_finished() {
        assert!(started.elapsed() < Duration::from_secs(300), "the fork waits for itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(forks.join().unwrap(), 3);
}

#[test]
fn initial_values_reach_the_thread_that_commits() {
    let _alone = alone();
    let rt = runtime();
    let source = "static __thread int n = 42, seen; __attribute__((constructor)) \
        static void start(void) { seen = n; } int get(void) { return seen * 100 + n; }";
    let source = object(source, "clang-19", &["-ftls-model=initial-exec"]);
    let prepared = rt.update().load("local", source).prepare().unwrap();
    let there = rt.clone();
    let committed = std::thread::spawn(move || {
        prepared.commit().unwrap();
        call(&there, "get")
    });
    assert_eq!(committed.join().unwrap(), 4242);
    assert_eq!(call(&rt, "get") % 100, 42);
}

/// `cargo test --release --test forks -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
fn what_a_fork_costs() {
    let _alone = alone();
    for megabytes in [1, 50] {
        let rt = Runtime::builder().arena_size(512 << 20).build().unwrap();
        let text = format!(
            "const char big[{megabytes} << 20] = {{1, 2, 3}}; const char *at(void) {{ return big; }}"
        );
        rt.load("big", c(&text)).unwrap();
        rt.load("helper", helper(0)).unwrap();
        let new = helper(1);
        let mut times = [[Duration::MAX; 3]; 2];
        for _ in 0..10 {
            for (forked, best) in [false, true].into_iter().zip(&mut times) {
                let now = std::time::Instant::now;
                let start = now();
                let child = forked.then(|| fork(|| 0));
                let forked = now();
                let prepared = rt.update().replace("helper", new.clone()).prepare().unwrap();
                let linked = now();
                prepared.commit().unwrap();
                let took = [forked - start, linked - forked, linked.elapsed()];
                for (best, time) in best.iter_mut().zip(took) {
                    *best = time.min(*best);
                }
                child.map(wait);
            }
        }
        println!(
            "{megabytes} MB: fork, prepare, commit without a fork {:.1?}, after one {:.1?}",
            times[0], times[1]
        );
    }
}

#[test]
fn a_child_calls_what_was_compiled_and_is_told_of_the_rest() {
    let _alone = alone();
    let rt = Runtime::builder().arena_size(64 << 20).lazy(true).build().unwrap();
    rt.load("m", Source::ir("define i32 @f() { ret i32 1 } define i32 @g() { ret i32 2 }").trusted())
        .unwrap();
    assert_eq!(call(&rt, "f"), 1);
    let (f, g) = (function(&rt, "f"), function(&rt, "g"));
    let child = fork(|| match (f.call(), g.try_call()) {
        (1, Err(error)) if error.symbol() == Some("g") && error.kind() == ErrorKind::Memory => 7,
        _ => 8,
    });
    assert_eq!(wait(child), 7);
    assert_eq!((f.call(), g.call()), (1, 2));
}
