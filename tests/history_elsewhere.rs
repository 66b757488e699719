//! Returning to a generation whose code knows where things of others were.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "common/clang.rs"]
mod clang;

use clang::object;
use hotslot::{Function, OptLevel, Runtime, Source};

type Nullary = extern "C" fn() -> i64;

fn runtime(history: usize) -> Runtime {
    let builder = Runtime::builder().arena_size(64 << 20).opt_level(OptLevel::O1);
    builder.history(history).build().unwrap()
}

/// With a section for each variable, as hotslot itself makes objects: each is kept alone.
fn c(source: &str) -> Source {
    object(source, "clang-19", &["-fdata-sections"])
}

fn function(rt: &Runtime, name: &str) -> Function<Nullary> {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

fn call(rt: &Runtime, name: &str) -> i64 {
    function(rt, name).call()
}

/// Loads `sources` as generations 1, 2, … of `m`.
fn load(rt: &Runtime, sources: impl IntoIterator<Item = Source>) {
    for (number, source) in sources.into_iter().enumerate() {
        let report = match number {
            0 => rt.load("m", source),
            _ => rt.replace("m", source),
        };
        assert_eq!(report.unwrap().module("m").unwrap().generation, number as u64 + 1);
    }
}

#[test]
fn another_modules_variable_that_moved_is_found() {
    // The address is in the code itself, so the earlier generation is linked again.
    let user = |n: i64| {
        let text = format!(
            "extern long v[]; long *where(void) {{ return v; }} long get(void) {{ return v[0] + {n}; }}"
        );
        object(&text, "clang-19", &["-fPIE", "-fdirect-access-external-data"])
    };
    let rt = runtime(4);
    rt.load("v", c("long v[1] = {10};")).unwrap();
    load(&rt, [user(1), user(2)]);
    assert_eq!(call(&rt, "get"), 12);
    rt.update().reset_all().replace("v", c("long v[2] = {20, 20};")).replace("m", user(3)).commit().unwrap();
    assert_eq!(call(&rt, "get"), 23);
    rt.rollback("m", 1).unwrap();
    assert_eq!(call(&rt, "get"), 21);
}

#[test]
fn another_modules_variable_that_was_away_is_found() {
    let user = |n: i64| {
        let text = format!("extern long v[]; long get(void) {{ return v[0] + {n}; }}");
        object(&text, "clang-19", &["-fPIE", "-fdirect-access-external-data"])
    };
    let rt = runtime(4);
    rt.load("v", c("long v[1] = {10};")).unwrap();
    load(&rt, [user(1), c("long get(void) { return 0; }")]);
    // Nobody that is live names it while it goes and comes back elsewhere.
    rt.remove("v").unwrap();
    // SAFETY: nothing of this runtime runs.
    unsafe { rt.free_retired() };
    rt.load("filler", c("long filler[1] = {77};")).unwrap();
    rt.load("v", c("long v[1] = {20};")).unwrap();
    rt.rollback("m", 1).unwrap();
    assert_eq!(call(&rt, "get"), 21);
}

#[test]
fn another_modules_thread_local_that_moved_is_found() {
    let ie = |text: &str| object(text, "clang-19", &["-ftls-model=initial-exec"]);
    let user = |n: i64| ie(&format!("extern __thread long t[]; long get(void) {{ return t[0] + {n}; }}"));
    let rt = runtime(4);
    let mut update = rt.update();
    update.load("t", ie("__thread long t[1] = {10};")).load("m", user(1)).commit().unwrap();
    assert_eq!(call(&rt, "get"), 11);
    rt.replace("m", c("long get(void) { return 0; }")).unwrap();
    let wider = ie("__thread long t[2] = {20, 20}; long uses(void) { return t[1]; }");
    rt.update().reset_all().replace("t", wider).commit().unwrap();
    rt.rollback("m", 1).unwrap();
    assert_eq!((call(&rt, "get"), call(&rt, "uses")), (21, 20));
}

#[test]
fn a_variable_of_a_library_opened_meanwhile_is_found() {
    let rt = runtime(4);
    load(&rt, [c("extern long late_variable; long get(void) { return late_variable; }"), c("long other;")]);
    let library = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("liblate-{}.so", std::process::id()));
    let text = library.with_extension("c");
    std::fs::write(&text, "long late_variable = 8;").unwrap();
    let mut compiler = std::process::Command::new("clang-19");
    assert!(
        compiler.args(["-shared", "-fPIC"]).arg(&text).arg("-o").arg(&library).status().unwrap().success()
    );
    rt.open_library(&library).unwrap();
    std::fs::remove_file(&library).unwrap();
    std::fs::remove_file(&text).unwrap();
    assert!(rt.rollback("m", 1).unwrap().undefined.is_empty());
    assert_eq!(call(&rt, "get"), 8);
}
