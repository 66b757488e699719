//! Thread-local variables where the host's threads and the runtime end in any order.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use hotslot::{Function, Runtime, Source};

type Nullary = extern "C" fn() -> i32;

fn compile(extension: &str, text: &str) -> Source {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let base = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("thread_locals_{number}"));
    let (source, object) = (base.with_extension(extension), base.with_extension("o"));
    std::fs::write(&source, text).unwrap();
    let mut clang = Command::new("clang-19");
    assert!(
        clang.args(["-O1", "-fPIC", "-c"]).arg(&source).arg("-o").arg(&object).status().unwrap().success()
    );
    Source::object(std::fs::read(object).unwrap())
}

fn runtime() -> Runtime {
    Runtime::builder().history(0).arena_size(16 << 20).build().unwrap()
}

fn function(rt: &Runtime, name: &str) -> Function<Nullary> {
    // SAFETY: the tests define these functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

/// Objects that write to `log` of the runtime's host when they are destroyed.
const OBJECTS: &str = r#"
    extern "C" void note(int);
    struct A { int id; A(int id) : id(id) {} ~A() { note(id); } };
    thread_local A second(2);
    struct B { ~B() { note(3); note(second.id * 100); } };
    extern "C" int touch() {
        thread_local A first(1);
        int id = first.id + second.id;
        thread_local B last;
        return id;
    }
"#;

/// A destructor count for each test: they run at the same time.
macro_rules! log {
    ($log:ident, $note:ident) => {
        static $log: parking_lot::Mutex<Vec<i32>> = parking_lot::Mutex::new(Vec::new());
        extern "C" fn $note(id: i32) {
            $log.lock().push(id);
        }
    };
}

fn with_objects(note: extern "C" fn(i32)) -> Runtime {
    let rt = runtime();
    // SAFETY: the function has the type that the code calls it with.
    unsafe { rt.define_function("note", note as *const _) }.unwrap();
    rt.load("objects", compile("cc", OBJECTS)).unwrap();
    rt
}

#[test]
fn objects_go_before_their_code() {
    log!(LOG, note);
    std::thread::spawn(|| {
        let rt = with_objects(note);
        assert_eq!(function(&rt, "touch").call(), 3);
        assert!(LOG.lock().is_empty());
        drop(rt);
        assert_eq!(*LOG.lock(), [3, 200, 2, 1]);
    })
    .join()
    .unwrap();
    assert_eq!(LOG.lock().len(), 4, "nothing is destroyed twice");
}

#[test]
fn objects_of_other_threads_outlive_the_runtime() {
    log!(LOG, note);
    let rt = with_objects(note);
    let touch = function(&rt, "touch");
    let (touched, when_touched) = mpsc::channel();
    let (ended, when_ended) = mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        touch.call();
        drop(touch);
        touched.send(()).unwrap();
        let _ = when_ended.recv();
    });
    when_touched.recv().unwrap();
    drop(rt);
    drop(ended);
    other.join().unwrap();
    assert!(LOG.lock().is_empty(), "the code that destroys them is gone");
}

#[test]
fn a_thread_destroys_its_objects_at_its_end() {
    log!(LOG, note);
    let rt = with_objects(note);
    std::thread::scope(|scope| {
        scope.spawn(|| function(&rt, "touch").call());
    });
    // The scope waits for the closure, not for the thread's end.
    for _ in 0..1000 {
        if LOG.lock().len() == 4 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(*LOG.lock(), [3, 200, 2, 1]);
}

/// A variable of `size` bytes in the static pool.
fn pooled(size: usize, value: i32) -> Source {
    compile(
        "c",
        &format!(
            "__thread struct {{ int x; char rest[{}]; }} v __attribute__((tls_model(\"initial-exec\"))) = {{ {value}, {{0}} }};
             int get(void) {{ return v.x; }}
             int dirt(void) {{ int sum = 0; for (int i = 0; i < sizeof v.rest; i++) {{ sum += v.rest[i]; v.rest[i] = 1; }} return sum; }}",
            size - 4
        ),
    )
}

/// One test, because the pool is the process's and a part of it is large.
#[test]
fn the_static_pool_is_returned_and_cleaned() {
    let rt = runtime();
    for i in 0..10 {
        rt.load("m", pooled(3000, i)).unwrap();
        assert_eq!(function(&rt, "get").call(), i);
        assert_eq!(function(&rt, "dirt").call(), 0, "old bytes are seen");
        assert!(rt.load("n", pooled(3000, i)).is_err(), "two do not fit");
        rt.remove("m").unwrap();
        // SAFETY: no thread runs generated code.
        unsafe { rt.free_retired() };
    }
}

#[test]
fn threads_met_before_get_initial_values() {
    let rt = runtime();
    rt.load(
        "d",
        compile(
            "c",
            "static __thread int v = 4; int *at(void) { return &v; } int met(void) { return *at(); }",
        ),
    )
    .unwrap();
    let (load, when_loaded) = mpsc::channel::<Function<Nullary>>();
    let (met, when_met) = mpsc::channel();
    let first = function(&rt, "met");
    let other = std::thread::spawn(move || {
        met.send(first.call()).unwrap();
        when_loaded.recv().unwrap().call()
    });
    assert_eq!(when_met.recv().unwrap(), 4);
    rt.load("m", pooled(16, 77)).unwrap();
    load.send(function(&rt, "get")).unwrap();
    assert_eq!(other.join().unwrap(), 77);
}

#[test]
fn a_forked_process_can_touch_new_variables() {
    let rt = runtime();
    rt.load("m", compile("c", "static __thread int v = 4; int get(void) { return v++; }")).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Keeps the registry's lock busy.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::thread::scope(|inner| {
                    inner.spawn(|| function(&rt, "get").call());
                });
            }
        });
        let get = function(&rt, "get");
        for _ in 0..200 {
            // SAFETY: the child only calls generated code and ends.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // Not stopped by the lock of a thread that the child does not have.
                // SAFETY: as above.
                unsafe { libc::alarm(20) };
                let value = get.call();
                // SAFETY: as above.
                unsafe { libc::_exit(value) };
            }
            let mut status = 0;
            // SAFETY: `status` is valid for a write.
            unsafe { libc::waitpid(child, &mut status, 0) };
            assert!(libc::WIFEXITED(status), "{status:#x}");
            assert_eq!(libc::WEXITSTATUS(status), 4);
        }
        stop.store(true, Ordering::Relaxed);
    });
}
