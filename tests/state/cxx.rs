//! Initialisers, destructors, guards and what C++ modules share.

use std::process::Command;

use super::compile::*;
use hotslot::{Runtime, Source};
use parking_lot::Mutex;

/// A log for each test: they run at the same time.
macro_rules! log {
    ($log:ident, $note:ident) => {
        static $log: Mutex<Vec<i32>> = Mutex::new(Vec::new());
        extern "C" fn $note(id: i32) {
            $log.lock().push(id);
        }
    };
}

fn with(note: extern "C" fn(i32)) -> Runtime {
    let rt = runtime();
    // SAFETY: declared with this type below.
    unsafe { rt.define_function("note", note as *const _) }.unwrap();
    rt
}

const NOTED: &str = r#"
    extern "C" void note(int);
    struct A { int id; A(int id) : id(id) { note(id); } ~A() { note(-id); } };
"#;

fn noted(form: Form, text: &str) -> Source {
    cxx(form, &format!("{NOTED}{text}"))
}

#[test]
fn constructors_run_for_new_variables_only() {
    log!(LOG, note);
    let rt = with(note);
    rt.load("m", noted(Ir, "static A a(1); A b(2); extern \"C\" int f() { return a.id++ + b.id++; }"))
        .unwrap();
    assert_eq!((call(&rt, "f"), std::mem::take(&mut *LOG.lock())), (3, vec![1, 2]));
    let source = "int made(int n) { note(n); return n; }
        A c(3); static A a(10); static int d = made(4); A b(20); static A e(a.id * 100);
        extern \"C\" int f() { return a.id++ + b.id++ + c.id + d + e.id; }";
    let report = rt.replace("m", noted(Ir, source)).unwrap();
    // In the order of the source; the last sees the value that was kept.
    assert_eq!(std::mem::take(&mut *LOG.lock()), [3, 4, 200]);
    assert_eq!(call(&rt, "f"), 2 + 3 + 3 + 4 + 200);
    let mut new = only(&report).new_variables.clone();
    new.sort();
    assert_eq!(new, ["_ZL1d", "_ZL1e", "c"]);
    rt.replace("m", noted(Ir, source)).unwrap();
    assert!(LOG.lock().is_empty());
    drop(rt);
    // Each once, the last that was made first.
    assert_eq!(*LOG.lock(), [-200, -3, -4, -3]);
}

#[test]
fn a_variable_that_starts_anew_is_constructed_again() {
    log!(LOG, note);
    let rt = with(note);
    rt.load("m", noted(Ir, "static A a(1); A b(2); extern \"C\" int f() { return a.id + b.id; }")).unwrap();
    let source = noted(
        Ir,
        "struct B : A { int more = 5; B(int n) : A(n) {} }; static B a(7); A b(2); extern \"C\" int f() { return a.id + a.more + b.id; }",
    );
    let mut update = rt.update();
    update.replace("m", source).reset("_ZL1a").commit().unwrap();
    assert_eq!((call(&rt, "f"), LOG.lock().clone()), (14, vec![1, 2, 7]));
    drop(rt);
    assert_eq!(LOG.lock()[3..], [-7, -2, -1], "the old object too, by its own destructor");
}

#[test]
fn constructors_of_the_source_run_when_they_are_new() {
    for form in ALL {
        log!(LOG, note);
        let rt = with(note);
        let source = |more: &str| {
            c(
                form,
                &format!(
                    "void note(int); __attribute__((constructor)) void first(void) {{ note(1); }} {more}"
                ),
            )
        };
        rt.load("m", source("")).unwrap();
        rt.replace("m", source("__attribute__((constructor(200))) static void second(void) { note(2); } __attribute__((destructor)) static void bye(void) { note(3); }")).unwrap();
        assert_eq!(*LOG.lock(), [1, 2]);
        drop(rt);
        assert_eq!(*LOG.lock(), [1, 2, 3]);
        LOG.lock().clear();
    }
}

#[test]
fn objects_skip_the_initialisers_of_what_is_kept() {
    log!(LOG, note);
    let rt = with(note);
    for form in [Clang, Gcc] {
        let source = || noted(form, "static A a(1); extern \"C\" int f() { return a.id++; }");
        rt.load("m", source()).unwrap();
        assert_eq!(call(&rt, "f"), 1);
        let report = rt.replace("m", source()).unwrap();
        assert_eq!((call(&rt, "f"), only(&report).skipped_initialisers), (2, 1));
        rt.remove("m").unwrap();
    }
    assert_eq!(*LOG.lock(), [1, 1]);
}

#[test]
fn what_may_lack_its_constructor_is_told() {
    log!(LOG, note);
    for form in ALL {
        let rt = with(note);
        let optimised = |text: &str| match form {
            Ir => compile_with(form, "cc", &format!("{NOTED}{text}"), &["-emit-llvm"]),
            _ => noted(form, text),
        };
        let source = |more: &str| {
            optimised(&format!("static A a(1); {more} extern \"C\" int f() {{ return a.id++; }}"))
        };
        rt.load("m", source("")).unwrap();
        assert_eq!(call(&rt, "f"), 1);
        let report = rt.replace("m", source("A b(2);")).unwrap();
        assert_eq!(
            (call(&rt, "f"), &only(&report).uninitialised[..]),
            (2, &["b".to_owned()][..]),
            "{form:?}"
        );
        let report = rt.replace("m", source("A b(2); int plain = 3;")).unwrap();
        let expected: &[&str] = if form == Ir { &[] } else { &["plain"] };
        assert_eq!(
            (call(&rt, "f"), only(&report).uninitialised.iter().map(|s| &**s).eq(expected.iter().copied())),
            (3, true),
            "{form:?}"
        );
        drop(rt);
        assert_eq!(std::mem::take(&mut *LOG.lock()), [1, -4], "{form:?}");
    }
}

#[test]
fn statics_of_functions_are_made_once() {
    log!(LOG, note);
    for form in [Ir, ClangTypes, Gcc] {
        let rt = with(note);
        let source = |n: i32, more: &str| {
            noted(
                form,
                &format!(
                    "extern \"C\" int f() {{ static A a(5); {more} return a.id++ * {n}; }} inline int next() {{ static A shared(40); return shared.id++; }} extern \"C\" int g() {{ return next(); }}"
                ),
            )
        };
        rt.load("m", source(1, "")).unwrap();
        assert_eq!(calls(&rt, ["f", "g"]), [5, 40]);
        rt.replace("m", source(10, "static A b(6); note(b.id);")).unwrap();
        assert_eq!(calls(&rt, ["f", "f", "g"]), [60, 70, 41], "{form:?}");
        drop(rt);
        assert_eq!(std::mem::take(&mut *LOG.lock()), [5, 40, 6, 6, 6, -6, -42, -8], "{form:?}");
    }
}

#[test]
fn inline_variables_and_templates_are_shared() {
    for form in ALL {
        let rt = runtime();
        let source = |name: &str, more: &str| {
            cxx(
                form,
                &format!(
                    "inline int count = 3; template <class T> struct S {{ static T value; }}; template <class T> T S<T>::value = 50; extern \"C\" int {name}() {{ {more} return count++ + S<int>::value++; }}"
                ),
            )
        };
        rt.load("m", source("f", "")).unwrap();
        rt.load("n", source("g", "")).unwrap();
        assert_eq!(calls(&rt, ["f", "g"]), [53, 55], "{form:?}");
        rt.replace("m", source("f", "count += 100;")).unwrap();
        assert_eq!(calls(&rt, ["f", "g"]), [157, 159], "{form:?}");
        rt.remove("m").unwrap();
        rt.replace("n", source("g", "count += 1000;")).unwrap();
        assert_eq!(call(&rt, "g"), 1161, "{form:?}");
        // One whose size another module relies on cannot change under it.
        rt.load("m", source("f", "")).unwrap();
        let wide = cxx(form, "inline long count = 3; extern \"C\" int f() { return count; }");
        let error = rt.replace("m", wide).unwrap_err().to_string();
        assert!(error.contains("count") && error.contains("4 bytes before, 8 now"), "{error}");
    }
}

/// What the child process of [`exits_are_clean`] does: prints the log when it ends.
fn child(form: Form) {
    extern "C" fn say(id: i32) {
        eprintln!("note {id}");
    }
    let rt = with(say);
    rt.load("m", noted(form, "static A a(1); struct B { int n = 2; ~B() { note(-n); } }; B b; void late() { note(-3); } extern \"C\" int atexit(void (*)()); extern \"C\" int f() { static A s(4); atexit(late); return a.id++; }")).unwrap();
    assert_eq!(call(&rt, "f"), 1);
    // The class, its destructor and the function are gone, then the module.
    rt.load("class", noted(form, "int use() { A a(0); return a.id; }")).unwrap();
    rt.replace("m", c(form, "int f(void) { return 8; } int big[1000];")).unwrap();
    assert_eq!(call(&rt, "f"), 8);
    rt.reclaim();
    for i in 0..50 {
        rt.load(
            format!("fill{i}"),
            c(form, &format!("int fill{i}[4096] = {{-1, -1}};int g{i}(void) {{ return {i}; }}")),
        )
        .unwrap();
    }
    rt.remove("m").unwrap();
    rt.reclaim();
    std::mem::forget(rt);
    // SAFETY: as the C library's function says.
    unsafe { libc::exit(7) };
}

#[test]
fn thread_local_objects_that_are_new_are_made_in_threads_that_run() {
    log!(LOG, note);
    let rt = with(note);
    let source =
        |objects: &str, sum: &str| noted(Ir, &format!("{objects} extern \"C\" int f() {{ return {sum}; }}"));
    rt.load("m", source("static thread_local A a(1); thread_local A b(2);", "a.id++ + b.id++")).unwrap();
    let new = || {
        source(
            "thread_local A c(30); static thread_local A a(10); thread_local A b(20); thread_local A d(c.id + a.id);",
            "a.id++ + b.id++ + c.id + d.id",
        )
    };
    assert_eq!((call(&rt, "f"), std::mem::take(&mut *LOG.lock())), (3, vec![1, 2]));
    rt.replace("m", new()).unwrap();
    assert_eq!((call(&rt, "f"), std::mem::take(&mut *LOG.lock())), (2 + 3 + 30 + 32, vec![30, 32]));
    std::thread::scope(|scope| {
        let later = scope.spawn(|| call(&rt, "f"));
        assert_eq!(later.join().unwrap(), 10 + 20 + 30 + 40);
    });
    assert_eq!(std::mem::take(&mut *LOG.lock())[..4], [30, 10, 20, 40]);
    rt.replace("m", new()).unwrap();
    assert_eq!(call(&rt, "f"), 3 + 4 + 30 + 32);
    LOG.lock().clear();
    drop(rt);
    assert_eq!(*LOG.lock(), [-32, -30, -5, -4]);
}

#[test]
fn objects_of_threads_outlive_their_variables() {
    for form in [Ir, Gcc] {
        log!(LOG, note);
        let rt = with(note);
        // The destructor stays: another module has it, too.
        rt.load("class", noted(form, "int use() { A a(0); return a.id; }")).unwrap();
        rt.load("m", noted(form, "struct B { int n = 8; ~B() { note(-n); } }; static thread_local A a(5); static thread_local B b; extern \"C\" int f() { return a.id += b.n; }")).unwrap();
        std::thread::scope(|scope| {
            let (ask, asked) = std::sync::mpsc::channel::<hotslot::Function<Nullary>>();
            let (answer, answers) = std::sync::mpsc::channel();
            let thread = scope.spawn(move || asked.iter().for_each(|f| answer.send(f.call()).unwrap()));
            ask.send(function(&rt, "f")).unwrap();
            assert_eq!(answers.recv().unwrap(), 13);
            rt.replace("m", c(form, "static __thread int n = 3; int f(void) { return n++; }")).unwrap();
            rt.reclaim();
            rt.replace("m", c(form, "static __thread int n = 3; __thread int x[9] = {4, 4, 4, 4, 4, 4}; int f(void) { return n++ + x[2]++; }")).unwrap();
            ask.send(function(&rt, "f")).unwrap();
            assert_eq!(answers.recv().unwrap(), 7);
            drop(ask);
            thread.join().unwrap();
        });
        let mut log = std::mem::take(&mut *LOG.lock());
        assert_eq!(log.split_off(1), [-8, -13], "{form:?} {log:?}");
    }
}

#[test]
fn exits_are_clean() {
    const WHICH: &str = "HOTSLOT_TEST_EXITS";
    let forms = [Ir, Clang, Gcc];
    if let Ok(which) = std::env::var(WHICH) {
        return child(forms[which.parse::<usize>().unwrap()]);
    }
    for (index, form) in forms.into_iter().enumerate() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "cxx::exits_are_clean", "--nocapture"]).env(WHICH, index.to_string());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        let notes: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("note ")).collect();
        assert_eq!(
            (output.status.code(), &notes[..]),
            (Some(7), &["1", "4", "-3", "-4", "-2", "-2"][..]),
            "{form:?}: {text}"
        );
    }
}
