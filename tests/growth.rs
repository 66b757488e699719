//! Nothing grows: thousands of replacements leave memory, mappings and descriptors as they were.
//!
//! Alone in its process, one test at a time: what others map would be counted too.
#![allow(unsafe_code)] // handles to generated code, threads of the C library

#[path = "common/reclaimed.rs"]
mod reclaimed;

use std::ffi::c_void;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hotslot::{Function, OptLevel, Runtime, Source};
use reclaimed::reclaimed;

/// Whether threads are asked before code is freed. Without that the host has to promise that
/// no thread is in it.
const ASKS_THREADS: bool = true;

const WARM_UP: i64 = 1_500;
const CYCLES: i64 = 10_000;

type Nullary = extern "C" fn() -> i64;

/// One test at a time, and memory that is counted as it is used: where huge pages are made of
/// what has been touched here and there, resident memory grows by megabytes at any moment.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // SAFETY: numbers.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    ALONE.lock().unwrap_or_else(|e| e.into_inner())
}

fn runtime() -> Runtime {
    let builder = Runtime::builder().arena_size(64 << 20).opt_level(OptLevel::O0);
    builder.history(2).process_symbols(true).build().unwrap()
}

fn function(rt: &Runtime, name: &str) -> Function<Nullary> {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

fn ir(text: String) -> Source {
    Source::ir(text).trusted()
}

/// A function, a constant, a string, variables and a static function by its address, of which
/// a part is different in each cycle. Constants are kept for good, by their content, so there
/// are only so many different ones.
fn module(cycle: i64) -> Source {
    let constant = cycle % 64;
    ir(format!(
        "@text = private unnamed_addr constant [16 x i8] c\"number {:08}\\00\"\n\
         @table = internal constant [4 x i64] [i64 {constant}, i64 2, i64 3, i64 4]\n\
         @kept = global i64 0\n@other = internal global [8 x i64] zeroinitializer\n\
         @hook = global ptr @local\n\
         define internal i64 @local() {{ ret i64 {cycle} }}\n\
         declare i64 @strlen(ptr)\n declare i64 @absent()\n\
         define i64 @run() uwtable {{ %k = load i64, ptr @kept\n %n = add i64 %k, 1\n \
           store i64 %n, ptr @kept\n %l = call i64 @strlen(ptr @text)\n %t = load i64, ptr @table\n \
           %h = load ptr, ptr @hook\n %c = call i64 %h()\n %d = sub i64 %c, %t\n \
           %e = sub i64 %d, {more}\n %s = add i64 %l, %e\n ret i64 %s }}\n\
         define i64 @kept_so_far() {{ %k = load i64, ptr @kept\n ret i64 %k }}\n\
         define i64 @uses_absent() {{ %r = call i64 @absent()\n ret i64 %r }}",
        constant,
        more = cycle - constant,
    ))
}

/// Resident memory in KiB, mappings, descriptors.
#[derive(Debug, Clone, Copy)]
struct Usage {
    resident: usize,
    mappings: usize,
    descriptors: usize,
}

fn usage() -> Usage {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    Usage {
        resident: line.split_whitespace().nth(1).unwrap().parse().unwrap(),
        mappings: maps.lines().count(),
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
    }
}

/// What the heap may still come to use after the warm-up, in KiB.
const MORE_MEMORY: usize = 1 << 10;
const MORE_MAPPINGS: usize = 8;

#[track_caller]
fn assert_flat(before: Usage, after: Usage) {
    println!("{before:?}, then {after:?}");
    assert!(after.resident <= before.resident + MORE_MEMORY, "{before:?}, then {after:?}");
    assert!(after.mappings <= before.mappings + MORE_MAPPINGS, "{before:?}, then {after:?}");
    assert!(after.descriptors <= before.descriptors, "{before:?}, then {after:?}");
}

/// Frees what is retired, every so many cycles where the runtime does not do so by itself.
fn tidy(rt: &Runtime, cycle: i64) {
    if !ASKS_THREADS && cycle % 64 == 0 {
        free_all(rt);
    }
}

fn free_all(rt: &Runtime) {
    if ASKS_THREADS {
        rt.reclaim();
    } else {
        // SAFETY: no other thread runs code of the runtime, and the only function that is no
        // longer defined is reached by nobody.
        unsafe { rt.free_retired() };
    }
}

/// Replaces `m` so often; `each` is run after every commit.
fn replace_many(rt: &Runtime, cycles: i64, source: impl Fn(i64) -> Source, mut each: impl FnMut(i64)) {
    for cycle in 0..cycles {
        match cycle % 16 {
            // Some of the older ones, too.
            7 => rt.rollback("m", rt.history("m").unwrap()[0].number).unwrap(),
            _ => rt.replace("m", source(cycle)).unwrap(),
        };
        tidy(rt, cycle);
        each(cycle);
    }
}

#[test]
fn replacing_grows_nothing() {
    let _alone = alone();
    let rt = runtime();
    rt.load("m", module(0)).unwrap();
    let (run, kept) = (function(&rt, "run"), function(&rt, "kept_so_far"));
    let mut calls = 0;
    let mut each = |_| {
        // The hook is a kept variable, and leads to the newest body of the static function.
        assert_eq!(run.call(), 15);
        calls += 1;
        assert_eq!(kept.call(), calls);
    };
    replace_many(&rt, WARM_UP, module, &mut each);
    let (before, stats) = (usage(), rt.stats());
    replace_many(&rt, CYCLES - WARM_UP, module, &mut each);
    assert_flat(before, usage());
    let now = rt.stats();
    assert_eq!((now.symbols, now.variable_bytes), (stats.symbols, stats.variable_bytes));
    assert!(
        now.retired <= 400 && now.code_bytes <= stats.code_bytes + (512 << 10),
        "{stats:?}, then {now:?}"
    );
}

#[test]
fn loading_and_removing_grows_nothing() {
    let _alone = alone();
    let rt = runtime();
    let object = |n: i64| {
        let text = format!(
            "@v{n} = global i64 {n}\n@t{n} = thread_local global i64 {n}\n\
             define i64 @f{n}() uwtable {{ %t = load i64, ptr @t{n}\n %v = load i64, ptr @v{n}\n \
             %s = add i64 %t, %v\n ret i64 %s }}"
        );
        rt.compile(&ir(text)).unwrap()
    };
    // Names come and go as well.
    let objects: Vec<Source> = (0..64).map(object).collect();
    let cycle = |cycle: i64| {
        let at = cycle % 64;
        rt.load("m", objects[at as usize].clone()).unwrap();
        assert_eq!(function(&rt, &format!("f{at}")).call(), 2 * at);
        rt.update().load("n", objects[(at as usize + 1) % 64].clone()).check().unwrap();
        rt.remove("m").unwrap();
        tidy(&rt, cycle);
    };
    (0..WARM_UP).for_each(cycle);
    free_all(&rt);
    let (before, stats) = (usage(), rt.stats());
    (0..CYCLES - WARM_UP).for_each(cycle);
    free_all(&rt);
    assert_flat(before, usage());
    assert_eq!(rt.stats(), stats);
}

/// Waits until `done`, not for ever.
fn wait_for(what: &str, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(300), "{what} did not happen");
        std::thread::yield_now();
    }
}

fn this_thread() -> i32 {
    // SAFETY: has no conditions.
    unsafe { libc::gettid() }
}

/// Nobody holds anything, but for what this thread's own stack may have left of calls.
fn assert_released(rt: &Runtime) {
    let by_us = |p: &hotslot::Pending| p.holders.iter().all(|holder| holder.thread == this_thread());
    let is_released = |rt: &Runtime| rt.pending().len() <= 2 && rt.pending().iter().all(by_us);
    assert!(reclaimed(rt, is_released), "{:?}", rt.pending());
}

fn pipe() -> (OwnedFd, std::fs::File) {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors, which are new and owned by nobody else.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(ends[0]), std::fs::File::from(OwnedFd::from_raw_fd(ends[1])))
    }
}

/// Code that waits: in a system call, and in a loop. It tells when it is inside by `@inside`.
fn waiting(version: i64) -> Source {
    ir(format!(
        "@inside = global i64 0\n@go_on = global i64 0\n@buffer = global i64 0\n\
         declare i64 @read(i32, ptr, i64)\n\
         define i64 @blocked(i32 %fd) uwtable {{ %o = atomicrmw add ptr @inside, i64 1 seq_cst\n \
           %r = call i64 @read(i32 %fd, ptr @buffer, i64 1)\n %v = add i64 %r, {version}\n ret i64 %v }}\n\
         define i64 @loops() uwtable {{ %o = atomicrmw add ptr @inside, i64 1 seq_cst\n br label %l\n\
         l:\n %g = load atomic i64, ptr @go_on acquire, align 8\n %z = icmp eq i64 %g, 0\n \
           br i1 %z, label %l, label %e\n\
         e:\n ret i64 {version} }}\n\
         define i64 @run() {{ ret i64 {version} }}"
    ))
}

#[test]
fn threads_in_old_code_hold_only_that() {
    let _alone = alone();
    let rt = Runtime::builder().arena_size(64 << 20).opt_level(OptLevel::O0).history(0).build().unwrap();
    rt.load("m", waiting(1)).unwrap();
    // SAFETY: the types are those above.
    let blocked = unsafe { rt.function::<extern "C" fn(i32) -> i64>("blocked") }.unwrap();
    let (loops, run) = (function(&rt, "loops"), function(&rt, "run"));
    let word = |name: &str| {
        let at = rt.address_of(name).unwrap();
        // SAFETY: a variable of this size, in place for as long as the runtime.
        unsafe { &*at.cast::<AtomicI64>() }
    };
    let (read, write) = pipe();
    /// Lets the threads go, also where the test fails.
    struct LetGo<'a>(std::fs::File, &'a AtomicI64);
    impl Drop for LetGo<'_> {
        fn drop(&mut self) {
            self.0.write_all(b"x").unwrap();
            self.1.store(1, Ordering::Release);
        }
    }
    std::thread::scope(|scope| {
        let let_go = LetGo(write, word("go_on"));
        let first = scope.spawn(|| blocked.call(read.as_raw_fd()));
        wait_for("the first thread's call", || word("inside").load(Ordering::SeqCst) == 1);
        rt.replace("m", waiting(2)).unwrap();
        let second = scope.spawn(|| loops.call());
        wait_for("the second thread's call", || word("inside").load(Ordering::SeqCst) == 2);
        let replace = |cycles| {
            for cycle in 0..cycles {
                rt.replace("m", waiting(3 + cycle)).unwrap();
                assert_eq!(run.call(), 3 + cycle);
            }
        };
        replace(500);
        rt.reclaim();
        let before = usage();
        replace(2_000);
        assert_flat(before, usage());
        let hold_only_that = |rt: &Runtime| {
            let pending = rt.pending();
            let is_held = |(generation, function)| {
                let held = pending.iter().find(|p| p.module == "m" && p.generation == generation);
                let by =
                    |holder: &hotslot::Holder| holder.function == function && holder.thread != this_thread();
                held.is_some_and(|held| held.holders.iter().any(by))
            };
            pending.len() <= 4 && [(1, "blocked"), (2, "loops")].into_iter().all(is_held)
        };
        assert!(reclaimed(&rt, hold_only_that), "{:?}", rt.pending());
        // They go on in the code they are in.
        drop(let_go);
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (2, 2));
    });
    assert_released(&rt);
}

#[test]
fn a_thread_that_dies_in_a_call_holds_nothing() {
    let _alone = alone();
    let rt = Runtime::builder().arena_size(64 << 20).opt_level(OptLevel::O0).history(0).build().unwrap();
    // The thread ends by the bare system call, with the frame of `dies` still there.
    let source = |version: i64| {
        ir(format!(
            "declare i64 @syscall(i64, ...)\n\
             define ptr @dies(ptr %p) {{ %r = call i64 (i64, ...) @syscall(i64 {exit}, i64 0)\n ret ptr %p }}\n\
             define ptr @leaves(ptr %p) uwtable {{ call void @pthread_exit(ptr %p)\n ret ptr %p }}\n\
             declare void @pthread_exit(ptr)\n\
             define i64 @run() {{ ret i64 {version} }}",
            exit = libc::SYS_exit,
        ))
    };
    rt.load("m", source(0)).unwrap();
    type Start = extern "C" fn(*mut c_void) -> *mut c_void;
    let start = |name: &str| {
        // SAFETY: a function of the type that the C library calls.
        let function = unsafe { rt.function::<Start>(name) }.unwrap().as_ptr();
        let mut thread = 0;
        // SAFETY: the runtime outlives the thread, which is joined below.
        let started =
            unsafe { libc::pthread_create(&mut thread, std::ptr::null(), function, std::ptr::null_mut()) };
        assert_eq!(started, 0);
        thread
    };
    let run = function(&rt, "run");
    let cycle = |cycle: i64| {
        let threads = ["dies", "leaves"].map(start);
        rt.replace("m", source(cycle)).unwrap();
        for thread in threads {
            // SAFETY: started above, and joined once.
            assert_eq!(unsafe { libc::pthread_join(thread, std::ptr::null_mut()) }, 0);
        }
        assert_eq!(run.call(), cycle);
    };
    (0..300).for_each(cycle);
    rt.reclaim();
    let before = usage();
    (0..1_000).for_each(cycle);
    rt.reclaim();
    assert_flat(before, usage());
    assert_released(&rt);
}
