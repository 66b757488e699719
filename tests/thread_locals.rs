//! Thread-local variables where the host's threads and the runtime end in any order.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "common/clang.rs"]
mod clang;

use std::sync::atomic::Ordering;
use std::sync::mpsc;

use clang::{c, cxx, object};
use hotslot::{Function, Runtime, Source};

type Nullary = extern "C" fn() -> i32;

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
    rt.load("objects", cxx(OBJECTS)).unwrap();
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
        // The scope by itself waits for the closure, not for the thread's end.
        scope.spawn(|| function(&rt, "touch").call()).join().unwrap();
    });
    assert_eq!(*LOG.lock(), [3, 200, 2, 1]);
}

/// A variable of `size` bytes in the static pool.
fn pooled(size: usize, value: i32) -> Source {
    c(&format!(
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
        c("static __thread int v = 4; int *at(void) { return &v; } int met(void) { return *at(); }"),
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
    rt.load("m", c("static __thread int v = 4; int get(void) { return v++; }")).unwrap();
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

/// The same as IR, as objects of clang and of gcc with a section for each variable.
const FORMS: [&str; 3] = ["bc", "clang", "gcc"];

fn form(form: &str, text: &str, more: &[&str]) -> Source {
    let (compiler, own): (_, &[&str]) = match form {
        "bc" => ("clang-19", &["-O2", "-emit-llvm"]),
        "gcc" => ("gcc", &["-O2"]),
        _ => ("clang-19", &["-O2"]),
    };
    object(text, compiler, &[own, more].concat())
}

/// A thread that calls functions when it is told to.
struct Other {
    ask: mpsc::Sender<Function<Nullary>>,
    answers: mpsc::Receiver<i32>,
}

impl Other {
    fn new() -> Self {
        let (ask, asked) = mpsc::channel::<Function<Nullary>>();
        let (answer, answers) = mpsc::channel();
        std::thread::spawn(move || asked.iter().for_each(|f| answer.send(f.call()).unwrap()));
        Self { ask, answers }
    }

    fn call(&self, rt: &Runtime, name: &str) -> i32 {
        self.ask.send(function(rt, name)).unwrap();
        self.answers.recv().unwrap()
    }
}

fn here(rt: &Runtime, name: &str) -> i32 {
    function(rt, name).call()
}

const A: &str = "static __thread int a = 4; int get_a(void) { return a++; }";
const B: &str = "__thread long b[3] = {1, 2, 3}; int get_b(void) { return b[2]++ + b[0]; }";
const C: &str = "__thread char c; int get_c(void) { return c++; } int same(void) { static __thread int n = 7; return n++; }";

#[test]
fn variables_come_and_go_and_the_others_stay() {
    for kind in FORMS {
        for model in ["-ftls-model=global-dynamic", "-ftls-model=local-dynamic", "-ftls-model=initial-exec"] {
            let flags: &[&str] = &[model, if model.contains("local") { "-fvisibility=hidden" } else { "-g" }];
            let hidden = |text: &str| text.replace("int ", "__attribute__((visibility(\"default\"))) int ");
            let source = |parts: &[&str]| {
                let text = parts.concat().replace("static __thread int", "static __thread signed");
                let text = hidden(&text).replace("signed", "int");
                form(kind, &text, flags)
            };
            let rt = runtime();
            let other = Other::new();
            // A thread that hotslot has not met has nothing in the static pool.
            rt.load("met", form("clang", "__thread int met = 9; int meet(void) { return met; }", &[]))
                .unwrap();
            assert_eq!(other.call(&rt, "meet"), 9);
            rt.load("m", source(&[A, B])).unwrap();
            assert_eq!((here(&rt, "get_a"), here(&rt, "get_b"), here(&rt, "get_b")), (4, 4, 5));
            assert_eq!((other.call(&rt, "get_a"), other.call(&rt, "get_a")), (4, 5));
            let what = format!("{kind} {model}");

            let report = rt.replace("m", source(&[C, A, B])).unwrap();
            let mut new = report.modules[0].new_variables.clone();
            new.sort();
            assert!(new.len() == 2 && new[0] == "c" && new[1].contains('n'), "{what} {new:?}");
            assert_eq!(report.modules[0].kept_storage, 2, "{what}");
            assert_eq!((here(&rt, "get_a"), here(&rt, "get_b")), (5, 6), "{what}");
            assert_eq!((here(&rt, "get_c"), here(&rt, "same")), (0, 7), "{what}");
            assert_eq!((other.call(&rt, "get_a"), other.call(&rt, "same")), (6, 7), "{what}");
            let later = Other::new();
            if model.contains("initial") {
                continue;
            }
            let all = ["get_a", "get_b", "get_c", "same"].map(|name| later.call(&rt, name));
            assert_eq!(all, [4, 4, 0, 7], "{what}");

            rt.replace("m", source(&[C, B])).unwrap();
            // SAFETY: no thread is in generated code.
            unsafe { rt.free_retired() };
            assert_eq!((here(&rt, "get_b"), other.call(&rt, "get_b")), (7, 4), "{what}");
            assert_eq!((here(&rt, "get_c"), later.call(&rt, "same")), (1, 8), "{what}");
            rt.replace("m", source(&[A, B, C])).unwrap();
            assert_eq!((here(&rt, "get_a"), other.call(&rt, "get_a")), (4, 4), "a new one: {what}");
            assert_eq!((here(&rt, "get_b"), here(&rt, "get_c")), (8, 2), "{what}");
        }
    }
}

#[test]
fn only_the_variable_that_does_not_fit_starts_anew() {
    for kind in FORMS {
        let rt = runtime();
        rt.load("m", form(kind, &[A, B].concat(), &[])).unwrap();
        let other = Other::new();
        assert_eq!((here(&rt, "get_a"), here(&rt, "get_b"), other.call(&rt, "get_b")), (4, 4, 4));
        let larger = [A, &B.replace("b[3] = {1, 2, 3}", "b[9] = {10, 2, 30}")].concat();
        let replace = |larger: &str| {
            let mut update = rt.update();
            update.replace("m", form(kind, larger, &[]));
            update
        };
        let error = replace(&larger).commit().unwrap_err().to_string();
        assert!(error.contains("variable b ") && error.contains("24 bytes before, 72 now"), "{error}");
        assert!(!error.contains("variable a"), "{error}");
        let error = replace(&larger).migrate_all(|_| unreachable!()).commit().unwrap_err();
        assert!(error.to_string().contains("cannot be migrated"), "{error}");
        assert_eq!((here(&rt, "get_a"), here(&rt, "get_b"), other.call(&rt, "get_b")), (5, 5, 5));
        let report = replace(&larger).reset("b").commit().unwrap();
        assert_eq!(report.modules[0].reset_variables, ["b"]);
        assert_eq!((here(&rt, "get_a"), here(&rt, "get_b"), other.call(&rt, "get_b")), (6, 40, 40));
        let other_value = larger.replace("{10", "{11");
        let report = replace(&other_value).commit().unwrap();
        assert_eq!(report.modules[0].ineffective, ["b"]);
        assert_eq!((here(&rt, "get_b"), Other::new().call(&rt, "get_b")), (41, 40));
    }
}

#[test]
fn a_failed_update_leaves_the_blocks() {
    let rt = runtime();
    rt.load("m", form("clang", A, &[])).unwrap();
    here(&rt, "get_a");
    for _ in 0..200 {
        // Each takes room, and gives it back.
        let mut update = rt.update();
        drop(update.replace("m", form("gcc", &[A, B].concat(), &[])).prepare().unwrap());
        if here(&rt, "get_a") > 12 {
            break;
        }
    }
    let source =
        |n: usize| format!("{A} __thread char big[{n}]; int get_b(void) {{ return big[{n} - 1]++; }}");
    let mut update = rt.update();
    update.replace("m", form("clang", &source(100_000), &[]));
    let error = update.prepare().unwrap_err().to_string();
    assert!(error.contains("used up") && error.contains("variable a "), "{error}");
    let mut update = rt.update();
    update.replace("m", form("clang", &source(100_000), &[])).reset_all();
    let report = update.commit().unwrap();
    assert_eq!(
        (&*report.modules[0].reset_variables, &*report.modules[0].new_variables),
        (&["a".to_owned()][..], &["big".to_owned()][..])
    );
    assert_eq!((here(&rt, "get_a"), here(&rt, "get_b"), here(&rt, "get_b")), (4, 0, 1));
    // There is room for some more now.
    rt.replace(
        "m",
        form(
            "clang",
            &[&source(100_000), "__thread char d[3000] = {5}; int get_d(void) { return d[0]++; }"].concat(),
            &[],
        ),
    )
    .unwrap();
    assert_eq!((here(&rt, "get_a"), here(&rt, "get_b"), here(&rt, "get_d")), (5, 2, 5));
}

#[test]
fn room_comes_back_with_what_is_freed() {
    let rt = runtime();
    let odd = form("clang", &[A, B].concat(), &[]);
    let even = form(
        "gcc",
        &[A, "__thread char pad[400] = {7}; int get_pad(void) { return pad[0]++; }"].concat(),
        &[],
    );
    rt.load("m", odd.clone()).unwrap();
    // SAFETY: no other thread is in code of this runtime. Asking them is not certain enough
    // for a test: a word on a stack may look like an address.
    let free = || unsafe { rt.free_retired() };
    for round in 0..60 {
        rt.replace("m", even.clone()).unwrap();
        assert_eq!((here(&rt, "get_pad"), here(&rt, "get_pad")), (7, 8), "{round}");
        free();
        rt.replace("m", odd.clone()).unwrap();
        assert_eq!((here(&rt, "get_b"), here(&rt, "get_a")), (4, 4 + round));
        free();
    }
}

#[test]
fn rollback_finds_thread_locals_as_they_were_left() {
    let rt = Runtime::builder().history(3).arena_size(16 << 20).build().unwrap();
    rt.load("m", form("clang", &[A, B].concat(), &[])).unwrap();
    assert_eq!((here(&rt, "get_a"), here(&rt, "get_b")), (4, 4));
    rt.replace("m", form("clang", &[C, B].concat(), &[])).unwrap();
    assert_eq!((here(&rt, "get_c"), here(&rt, "get_b")), (0, 5));
    let report = rt.rollback("m", 1).unwrap();
    assert!(report.modules[0].restored);
    assert_eq!((here(&rt, "get_a"), here(&rt, "get_b")), (5, 6));
    assert_eq!(Other::new().call(&rt, "get_a"), 4);
    rt.rollback("m", 2).unwrap();
    assert_eq!((here(&rt, "get_c"), here(&rt, "get_b")), (1, 7));
    // With `a` once more, a new one; the first generation's is another and its code cannot
    // be returned to as it is: it is linked again.
    rt.replace("m", form("clang", &[A, B, C].concat(), &[])).unwrap();
    assert_eq!(here(&rt, "get_a"), 4);
    rt.rollback("m", 1).unwrap();
    assert_eq!((here(&rt, "get_a"), here(&rt, "get_b")), (5, 8));
}

#[test]
fn a_variable_shared_by_modules_survives_all_replacements() {
    let rt = runtime();
    let source = |n: &str, more: &str| {
        cxx(&format!("inline thread_local int x = 7; {more} extern \"C\" int get{n}() {{ return x++; }}"))
    };
    rt.load("a", source("a", "")).unwrap();
    rt.load("b", source("b", "")).unwrap();
    assert_eq!((here(&rt, "geta"), here(&rt, "getb")), (7, 8));
    rt.replace("a", cxx("thread_local int other = 3; extern \"C\" int get_o() { return other++; }")).unwrap();
    // SAFETY: no other thread is in code of this runtime.
    unsafe { rt.free_retired() };
    rt.replace("a", cxx("thread_local int other = 3, more = 5, yet = 6; extern \"C\" int get_o() { return other++ + more + yet; }")).unwrap();
    assert_eq!((here(&rt, "get_o"), here(&rt, "getb")), (14, 9));
    rt.replace("b", source("b", "thread_local int own = 1;")).unwrap();
    assert_eq!(here(&rt, "getb"), 10);
    rt.remove("a").unwrap();
    rt.replace("b", source("b", "")).unwrap();
    // SAFETY: as above.
    unsafe { rt.free_retired() };
    assert_eq!(here(&rt, "getb"), 11);
}
