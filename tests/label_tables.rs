//! Tables of labels for computed gotos: an edit of the function that jumps by one just works.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "common/clang.rs"]
mod clang;

use std::sync::atomic::{AtomicU32, Ordering};

use clang::{bitcode, object};
use hotslot::{ErrorKind, Function, OptLevel, Runtime, Source};

type Nullary = extern "C" fn() -> i32;

fn function(rt: &Runtime, name: &str) -> Function<Nullary> {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

fn call(rt: &Runtime, name: &str) -> i32 {
    function(rt, name).call()
}

/// An interpreter of as many operations as there are `bodies`, which ends with a zero, and a
/// function beside it.
fn interpreter(kind: &str, bodies: &[&str], program: &str, other: i32) -> String {
    let labels: Vec<String> = (0..bodies.len()).map(|at| format!("&&op{at}")).collect();
    let code: String = (bodies.iter().enumerate())
        .map(|(at, body)| format!("op{at}: {body}; goto *table[(int)*p++];\n"))
        .collect();
    // Or else the compiler would see that it never changes.
    let change = if kind.is_empty() { "if (runs < 0) table[0] = &&op0;" } else { "" };
    format!(
        "int runs; int run(void) {{ static void *{kind} table[] = {{ &&end, {} }};\n\
         const char *p = \"{program}\"; int x = 1; runs++; {change}\n\
         goto *table[(int)*p++];\n\
         {code} end: return x; }} int other(void) {{ return {other}; }} int count(void) {{ return runs; }}",
        labels.join(", ")
    )
}

fn runtimes() -> Vec<Runtime> {
    let arena = || Runtime::builder().arena_size(64 << 20).history(8);
    let all = [arena(), arena().tiered(false), arena().opt_level(OptLevel::O0), arena().lazy(true)];
    all.into_iter().map(|builder| builder.build().unwrap()).collect()
}

type Compile = fn(&str) -> Source;

/// As IR, and as objects whose variables have sections of their own, or share one.
const FORMS: [(Compile, &str); 4] = [
    (bitcode, "IR"),
    (|text| object(text, "clang-19", &[]), "clang"),
    (|text| object(text, "gcc", &["-O2"]), "gcc"),
    (|text| object(text, "gcc", &["-O0", "-fno-data-sections"]), "gcc, one section"),
];

#[test]
fn every_edit_of_an_interpreter_is_seen() {
    for (compile, form) in FORMS {
        for kind in ["const", ""] {
            let source =
                |bodies: &[&str], program, other| compile(&interpreter(kind, bodies, program, other));
            let versions = [
                (source(&["x += 1", "x *= 2"], "\\1\\2\\2\\0", 1), 8),
                // The same function beside another one.
                (source(&["x += 1", "x *= 2"], "\\1\\2\\2\\0", 2), 8),
                (source(&["x += 1", "x *= 3"], "\\1\\2\\2\\0", 2), 18),
                (source(&["x *= 2", "x += 1"], "\\1\\2\\2\\0", 2), 4),
                // An operation more, and fewer.
                (source(&["x *= 2", "x += 1", "x -= 10"], "\\1\\2\\3\\0", 2), -7),
                (source(&["x += 30"], "\\1\\1\\0", 2), 61),
            ];
            for rt in runtimes() {
                let mut calls = 0;
                for (at, (source, expected)) in versions.iter().enumerate() {
                    let report = match at {
                        0 => rt.load("m", source.clone()),
                        _ => rt.replace("m", source.clone()),
                    };
                    let report = report.unwrap_or_else(|e| panic!("{form}, {kind}, {at}: {e}"));
                    let reset = &report.modules[0].reset_variables;
                    // That it starts anew is said, where that happens.
                    assert!(reset.iter().all(|name| name.contains("table")), "{reset:?}");
                    assert!(kind.is_empty() || reset.is_empty(), "{reset:?}");
                    for _ in 0..2 {
                        assert_eq!(call(&rt, "run"), *expected, "{form}, {kind}, {at}");
                        rt.settle();
                        calls += 1;
                    }
                    assert_eq!(call(&rt, "count"), calls, "{form}: other variables are kept");
                }
                for back in [1, 4, 2, 5, 3] {
                    rt.rollback("m", back).unwrap();
                    let expected = versions[back as usize - 1].1;
                    assert_eq!(call(&rt, "run"), expected, "{form}, {kind}, back to {back}");
                    rt.settle();
                    assert_eq!(call(&rt, "run"), expected, "{form}, {kind}, back to {back}");
                }
            }
        }
    }
}

#[test]
fn a_table_that_starts_anew_is_reported() {
    let source = |n: i32| interpreter("", &[&format!("x += {n}")], "\\1\\0", 1);
    for (compile, form) in FORMS {
        let rt = Runtime::builder().arena_size(64 << 20).build().unwrap();
        rt.load("m", compile(&source(1))).unwrap();
        let report = rt.replace("m", compile(&source(2))).unwrap();
        let reset = &report.modules[0].reset_variables;
        assert!(reset.len() == 1 && reset[0].contains("table"), "{form}: {reset:?}");
    }
}

/// Distances of labels leave no trace in an object, but they do in IR.
#[test]
fn tables_of_distances() {
    let source = |grow: &str, n: i32| {
        bitcode(&format!(
            "int run(int at) {{ static int table[] = {{ &&a - &&a, &&b - &&a, &&c - &&a }}; volatile int x = 0;\n\
             goto *(&&a + table[at]); a: {grow} return 1; b: {grow} return {n}; c: return x + 3; }}\n\
             int all(void) {{ return run(0) * 100 + run(1) * 10 + run(2); }}"
        ))
    };
    for rt in runtimes() {
        rt.load("m", source("", 2)).unwrap();
        assert_eq!(call(&rt, "all"), 123);
        for (grow, n) in [("x++; x += 77;", 4), ("x--; x *= x; x += 5; x++;", 5), ("", 6)] {
            rt.replace("m", source(grow, n)).unwrap();
            assert_eq!(call(&rt, "all"), 103 + n * 10);
            rt.settle();
            assert_eq!(call(&rt, "all"), 103 + n * 10);
        }
    }
}

/// What shares its section would lose its value.
#[test]
fn a_table_among_other_variables_is_refused() {
    let compile = |n: i32| {
        let text = format!(
            "static int n = 5; int *state = &n; {} int get(void) {{ return (*state)++; }}",
            interpreter("", &["x++"], "\\1\\0", n)
        );
        object(&text, "gcc", &["-fno-data-sections"])
    };
    let rt = Runtime::builder().arena_size(64 << 20).build().unwrap();
    rt.load("m", compile(1)).unwrap();
    assert_eq!((call(&rt, "get"), call(&rt, "run")), (5, 2));
    let error = rt.replace("m", compile(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    let text = format!("{error} {}", error.advice().unwrap_or_default());
    assert!(text.contains("table") && text.contains("labels") && text.contains("-fdata-sections"), "{text}");
    assert_eq!((call(&rt, "get"), call(&rt, "other")), (6, 1));
    rt.update().replace("m", compile(2)).reset_all().commit().unwrap();
    assert_eq!((call(&rt, "get"), call(&rt, "run"), call(&rt, "other")), (7, 2, 2));
}

static STAGE: AtomicU32 = AtomicU32::new(0);

extern "C" fn pause() {
    STAGE.store(1, Ordering::SeqCst);
    while STAGE.load(Ordering::SeqCst) != 2 {
        std::thread::yield_now();
    }
}

/// A thread in the middle of the old interpreter goes on by the old table.
#[test]
fn old_code_has_its_own_table() {
    for (compile, form) in FORMS {
        let rt = Runtime::builder().arena_size(64 << 20).history(0).build().unwrap();
        // SAFETY: declared with this type.
        unsafe { rt.define_function("pause", pause as *const _) }.unwrap();
        let source = |body: &str, n: i32| {
            let body = format!("{body}; x += {n}");
            compile(&format!("void pause(void); {}", interpreter("", &[&body, "x *= 2"], "\\1\\2\\2\\0", n)))
        };
        rt.load("m", source("pause()", 10)).unwrap();
        let run = function(&rt, "run");
        STAGE.store(0, Ordering::SeqCst);
        std::thread::scope(|scope| {
            let old = scope.spawn(|| run.call());
            while STAGE.load(Ordering::SeqCst) != 1 {
                std::thread::yield_now();
            }
            for n in 20..25 {
                rt.replace("m", source("", n)).unwrap();
                assert_eq!(run.call(), 4 * (n + 1), "{form}");
                rt.reclaim();
            }
            STAGE.store(2, Ordering::SeqCst);
            assert_eq!(old.join().unwrap(), 44, "{form}");
        });
        assert_eq!(run.call(), 100, "{form}");
    }
}
