//! Taking updates back: which one, and how far.

use hotslot::{Error, ErrorKind, Function, Runtime, Source};

type Kind = extern "C" fn() -> i64;

/// `step` and its like return a value, or fault.
fn module(name: &str, value: i64) -> Source {
    let body = match value {
        0 => "%r = load volatile i64, ptr null".to_owned(),
        value => format!("%r = add i64 {value}, 0"),
    };
    Source::ir(format!("define i64 @{name}() uwtable {{ {body}\n ret i64 %r }}")).trusted()
}

fn function(rt: &Runtime, name: &str) -> Function<Kind> {
    // SAFETY: the type of all of them.
    #[allow(unsafe_code)]
    unsafe { rt.function(name) }.unwrap()
}

fn crash(rt: &Runtime, name: &str) -> Error {
    function(rt, name).try_call().unwrap_err()
}

#[test]
fn each_undo_goes_one_further_back() {
    let rt = Runtime::builder().history(10).build().unwrap();
    rt.update().load("step", module("step", 1)).keep().commit().unwrap();
    for value in 2..5 {
        rt.replace("step", module("step", value)).unwrap();
    }
    rt.load("more", module("more", 9)).unwrap();
    // Without effect, so not what is undone, but undone with what was before.
    rt.replace("step", module("step", 4)).unwrap();
    let step = function(&rt, "step");
    let removed = rt.undo().unwrap().unwrap().removed;
    assert_eq!((step.call(), removed), (4, vec!["more".to_owned()]));
    rt.undo().unwrap().unwrap();
    assert_eq!(step.call(), 3);
    rt.replace("step", module("step", 7)).unwrap();
    for value in [3, 2, 1] {
        assert!(rt.undo().unwrap().is_some());
        assert_eq!(step.call(), value);
    }
    // The load is kept.
    assert!(rt.undo().unwrap().is_none());
    assert_eq!(step.call(), 1);
}

#[test]
fn what_was_removed_is_loaded_again() {
    let rt = Runtime::builder().history(10).build().unwrap();
    rt.update().load("step", module("step", 1)).load("more", module("more", 8)).keep().commit().unwrap();
    rt.replace("more", module("more", 9)).unwrap();
    rt.update().replace("step", module("step", 2)).remove("more").commit().unwrap();
    let report = rt.undo().unwrap().unwrap();
    let mut names: Vec<&str> = report.modules.iter().map(|module| &*module.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["more", "step"]);
    assert_eq!((function(&rt, "step").call(), function(&rt, "more").call()), (1, 9));
    // Its earlier generations went with it.
    let error = rt.undo().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    assert!(error.to_string().contains("generation 1 of more"), "{error}");
    assert_eq!(function(&rt, "more").call(), 9);
}

#[test]
fn two_crashes_in_the_same_code_take_it_back_once() {
    let rt = Runtime::new().unwrap();
    rt.load("step", module("step", 1)).unwrap();
    rt.load("other", module("other", 1)).unwrap();
    rt.replace("step", module("step", 2)).unwrap();
    rt.replace("step", module("step", 0)).unwrap();
    let (one, two) = (crash(&rt, "step"), crash(&rt, "step"));
    assert!(rt.undo_cause(&one).unwrap().is_some());
    assert!(rt.undo_cause(&two).unwrap().is_none());
    assert_eq!(function(&rt, "step").call(), 2);
    // An update between the crash and the undo is not to blame.
    rt.replace("step", module("step", 0)).unwrap();
    let early = crash(&rt, "step");
    rt.replace("other", module("other", 2)).unwrap();
    assert!(rt.undo_cause(&early).unwrap().is_none());
    assert_eq!(function(&rt, "other").call(), 2);
    rt.undo().unwrap().unwrap();
    assert!(rt.undo_cause(&early).unwrap().is_some());
    assert_eq!((function(&rt, "step").call(), function(&rt, "other").call()), (2, 1));
}

#[test]
fn a_call_of_nothing_has_a_cause_too() {
    let rt = Runtime::new().unwrap();
    let calls = |callee: &str| {
        let text = format!(
            "declare i64 @{callee}()\ndefine i64 @step() {{ %r = call i64 @{callee}()\n ret i64 %r }}"
        );
        Source::ir(text).trusted()
    };
    rt.load("part", module("part", 5)).unwrap();
    rt.update().load("step", calls("part")).keep().commit().unwrap();
    // The callee goes.
    rt.replace("part", module("another", 5)).unwrap();
    let (one, two) = (crash(&rt, "step"), crash(&rt, "step"));
    assert!(rt.undo_cause(&one).unwrap().is_some());
    assert!(rt.undo_cause(&two).unwrap().is_none());
    assert_eq!(function(&rt, "step").call(), 5);
    // The call comes.
    rt.replace("step", calls("absent")).unwrap();
    let (one, two) = (crash(&rt, "step"), crash(&rt, "step"));
    assert!(rt.undo_cause(&one).unwrap().is_some());
    assert!(rt.undo_cause(&two).unwrap().is_none());
    assert_eq!(function(&rt, "step").call(), 5);
}

#[test]
fn threads_that_crash_together() {
    let rt = Runtime::new().unwrap();
    rt.load("step", module("step", 1)).unwrap();
    for round in 0..20 {
        let before = round % 5 + 1;
        rt.replace("step", module("step", before)).unwrap();
        rt.replace("step", module("step", 0)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    if let Err(error) = function(&rt, "step").try_call() {
                        rt.undo_cause(&error).unwrap();
                    }
                });
            }
        });
        assert_eq!(function(&rt, "step").call(), before);
    }
}
