//! Functions that change their type under modules and handles compiled against the old one.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "state/compile.rs"]
mod compile;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use compile::*;
use hotslot::{Error, ErrorKind, Runtime, Source, TypesFrom};
use parking_lot::Mutex;

fn refused(error: &Error, symbol: &str, words: &[&str]) {
    let problem = error.problems().find(|problem| problem.symbol() == Some(symbol));
    let problem = problem.unwrap_or_else(|| panic!("{symbol} in {error}"));
    assert_eq!(problem.kind(), ErrorKind::Signature, "{problem}");
    let text = problem.to_string();
    for word in words {
        assert!(text.contains(word), "{word} in {text}");
    }
}

#[test]
fn callers_are_named_with_both_types() {
    for defines in TYPED {
        for calls in TYPED {
            let rt = runtime();
            rt.load("lib", c(defines, "int f(int x) { return x + 1; } long g(void) { return 4; }")).unwrap();
            let user = |name: &str| {
                c(calls, &format!("int f(int); long g(void); int {name}(void) {{ return f(1) + g(); }}"))
            };
            rt.load("one", user("one")).unwrap();
            rt.load("two", user("two")).unwrap();
            rt.load("none", c(calls, "int alone(void) { return 1; }")).unwrap();
            let changed = || c(defines, "int f(long x, int y) { return x + y; } char *g(void) { return 0; }");
            let error = rt.replace("lib", changed()).unwrap_err();
            assert_eq!(error.problems().count(), 2, "{error}");
            let both = "module one, module two";
            refused(&error, "f", &["from i32 (i32) to i32 (i64, i32)", both, "rebuild_callers"]);
            refused(&error, "g", &["from i64 () to ptr ()", both]);
            assert!(!error.to_string().contains("none"), "{error}");
            assert_eq!(compile::calls(&rt, ["one", "two"]), [6, 6]);

            // With some of the callers only the others are named.
            let new = |name: &str| {
                c(
                    calls,
                    &format!(
                        "int f(long, int); char *g(void); int {name}(void) {{ return f(5, 1) + (g() != 0); }}"
                    ),
                )
            };
            let mut update = rt.update();
            let error = update.replace("lib", changed()).replace("one", new("one")).prepare().unwrap_err();
            refused(&error, "f", &["old one: module two"]);
            // As old as before, in the same update, is no better.
            let mut update = rt.update();
            let error = update
                .replace("lib", changed())
                .replace("one", user("one"))
                .remove("two")
                .prepare()
                .unwrap_err();
            refused(&error, "f", &["old one: module one of this update"]);
            let mut update = rt.update();
            update
                .replace("lib", changed())
                .replace("one", new("one"))
                .replace("two", new("two"))
                .commit()
                .unwrap();
            assert_eq!(compile::calls(&rt, ["one", "two"]), [6, 6], "{defines:?} {calls:?}");
            rt.remove("one").unwrap();
            rt.remove("two").unwrap();
            rt.replace("lib", c(defines, "void f(void) {} int g(int x) { return x; }")).unwrap();
        }
    }
}

#[test]
fn types_that_nobody_knows_are_not_checked() {
    for (defines, calls) in [(Clang, Ir), (Gcc, ClangTypes), (Ir, Gcc), (GccTypes, Clang)] {
        let rt = runtime();
        let report = rt.load("lib", c(defines, "int f(int x) { return x + 1; }")).unwrap();
        let types = match defines {
            Ir => TypesFrom::Ir,
            GccTypes => TypesFrom::DebugInfo,
            _ => TypesFrom::Unchecked,
        };
        assert_eq!(only(&report).types, types);
        rt.load("user", c(calls, "int f(int); int use(void) { return f(1); }")).unwrap();
        rt.replace("lib", c(defines, "int f(int x, int y, int z) { return 9; }")).unwrap();
        assert_eq!(call(&rt, "use"), 9);
    }
}

/// Definition before and after, declaration and use, and whether that is refused.
#[derive(Clone, Copy, PartialEq)]
enum Refused {
    Always,
    Never,
    /// Debug information says too little: nothing of parameters without prototype, and of a
    /// struct not how it is passed.
    ByIr,
}
use Refused::*;

const CASES: &[(&str, &str, &str, Refused)] = &[
    // Only what the code is called with counts.
    (
        "int f(int a) { return a; }",
        "int f(int other) { return 2; }",
        "int f(int); int u(void) { return f(1); }",
        Never,
    ),
    (
        "int f(int a) { return a; }",
        "int f(unsigned a) { return 2; }",
        "int f(int); int u(void) { return f(1); }",
        Never,
    ),
    (
        "int f(int a) { return a; }",
        "int f(float a) { return 2; }",
        "int f(int); int u(void) { return f(1); }",
        Always,
    ),
    (
        "int f(char *a) { return 1; }",
        "int f(long *a) { return 2; }",
        "int f(char *); int u(void) { return f(0); }",
        Never,
    ),
    (
        "int f(char *a) { return 1; }",
        "int f(long a) { return 2; }",
        "int f(char *); int u(void) { return f(0); }",
        Always,
    ),
    (
        "_Bool f(_Bool a) { return a; }",
        "unsigned char f(unsigned char a) { return 2; }",
        "_Bool f(_Bool); int u(void) { return f(1); }",
        Never,
    ),
    (
        "_Bool f(_Bool a) { return a; }",
        "int f(_Bool a) { return 2; }",
        "_Bool f(_Bool); int u(void) { return f(1); }",
        Always,
    ),
    // Variadic functions, and calls without prototype.
    (
        "int f(int a, ...) { return a; }",
        "int f(int a, ...) { return 2; }",
        "int f(int, ...); int u(void) { return f(1, 2, 3.0); }",
        Never,
    ),
    (
        "int f(int a, ...) { return a; }",
        "int f(int a, int b) { return 2; }",
        "int f(int, ...); int u(void) { return f(1, 2); }",
        Always,
    ),
    (
        "int f(int a, ...) { return a; }",
        "int f(long a, ...) { return 2; }",
        "int f(int, ...); int u(void) { return f(1, 2); }",
        Always,
    ),
    (
        "int f(a) int a; { return a; }",
        "int f(int a) { return 2; }",
        "int f(); int u(void) { return f(1); }",
        Never,
    ),
    (
        "int f(a) int a; { return a; }",
        "int f(int a, int b) { return 2; }",
        "int f(int); int u(void) { return f(1); }",
        ByIr,
    ),
    // Structs: what is in them, and how they are passed.
    (
        "typedef struct { int a, b; } S; int f(S s) { return s.a; }",
        "typedef struct { int c, d; } T; int f(T s) { return 2; }",
        "typedef struct { int a, b; } S; int f(S); int u(void) { S s = {1, 1}; return f(s); }",
        Never,
    ),
    (
        "typedef struct { int a, b; } S; int f(S s) { return s.a; }",
        "typedef struct { float a, b; } T; int f(T s) { return 2; }",
        "typedef struct { int a, b; } S; int f(S); int u(void) { S s = {1, 1}; return f(s); }",
        ByIr,
    ),
    (
        "typedef struct { long a[5]; } S; int f(S s) { return s.a[0]; }",
        "typedef struct { long a[6]; } S; int f(S s) { return 2; }",
        "typedef struct { long a[5]; } S; int f(S); int u(void) { S s = {{1}}; return f(s); }",
        ByIr,
    ),
    (
        "typedef struct { long a[5]; } S; S f(void) { S s = {{1}}; return s; }",
        "int f(void) { return 2; }",
        "typedef struct { long a[5]; } S; S f(void); int u(void) { return f().a[0]; }",
        ByIr,
    ),
];

#[test]
fn what_counts_as_another_type() {
    for form in TYPED {
        for (number, &(before, after, user, is_refused)) in CASES.iter().enumerate() {
            let is_refused = is_refused == Always || is_refused == ByIr && form == Ir;
            let rt = runtime();
            let update = || {
                rt.load("lib", c(form, before))?;
                rt.load("user", c(form, user))?;
                assert_eq!(call(&rt, "u"), 1, "{number} {form:?}");
                rt.replace("lib", c(form, after))
            };
            match update() {
                Ok(_) => assert!(!is_refused, "{number} {form:?} is not refused: {before} / {after}"),
                Err(error) => {
                    assert!(is_refused, "{number} {error}");
                    refused(&error, "f", &["module user"]);
                    assert_eq!(call(&rt, "u"), 1);
                }
            }
        }
    }
}

#[test]
fn cxx_names_hold_their_types() {
    for form in TYPED {
        let rt = runtime();
        // The parameters are in the name: another function. The result is not.
        rt.load("lib", cxx(form, "int f(int x) { return x; } struct S { int v; int get() const; }; int S::get() const { return v; }")).unwrap();
        rt.load("user", cxx(form, "int f(int); struct S { int v; int get() const; }; extern \"C\" int u() { S s{4}; return f(1) + s.get(); }")).unwrap();
        assert_eq!(call(&rt, "u"), 5);
        let error = rt.replace("lib", cxx(form, "long f(int x) { return x; } struct S { int v; long get() const; }; long S::get() const { return v; }")).unwrap_err();
        refused(&error, "_Z1fi", &["i64 (i32)", "module user"]);
        refused(&error, "_ZNK1S3getEv", &["module user"]);
        assert_eq!(call(&rt, "u"), 5);
    }
}

#[test]
fn callers_are_rebuilt_in_the_same_step() {
    for form in TYPED {
        let rt = Runtime::builder().history(2).arena_size(16 << 20).build().unwrap();
        // What a build system has: the header that everybody includes.
        let header = Arc::new(Mutex::new("typedef int T;".to_owned()));
        let built = Arc::new(AtomicUsize::new(0));
        let from = |text: &'static str| {
            let (header, built) = (header.clone(), built.clone());
            let make = move || {
                built.fetch_add(1, Ordering::Relaxed);
                Ok(c(form, &format!("{} {text}", header.lock())))
            };
            make().unwrap().rebuilt_by(make)
        };
        rt.load("lib", from("T low(T x) { return x + 1; }")).unwrap();
        // Its own type changes with that of what it calls.
        rt.load("middle", from("T low(T); T high(T x) { return low(x) * 2; }")).unwrap();
        rt.load("user", from("T high(T); int u(void) { return high(3); }")).unwrap();
        rt.load("other", from("int alone(void) { return 1; }")).unwrap();
        assert_eq!((call(&rt, "u"), built.load(Ordering::Relaxed)), (8, 4));
        let u = function(&rt, "u");
        *header.lock() = "typedef double T;".to_owned();
        let changed = || c(form, "double low(double x) { return x + 1.5; }");
        let error = rt.replace("lib", changed()).unwrap_err();
        refused(&error, "low", &["module middle"]);
        let mut update = rt.update();
        let report = update.rebuild_callers().replace("lib", changed()).commit().unwrap();
        assert_eq!((u.call(), built.load(Ordering::Relaxed)), (9, 6), "{form:?}");
        let mut changed: Vec<_> = report.modules.iter().map(|m| &*m.name).collect();
        changed.sort_unstable();
        assert_eq!(changed, ["lib", "middle", "user"]);
        // Back again, and nobody is outdated that was not.
        *header.lock() = "typedef int T;".to_owned();
        let source = from("T low(T x) { return x + 1; }");
        rt.update().rebuild_callers().replace("lib", source).commit().unwrap();
        assert_eq!(u.call(), 8);
    }
}

#[test]
fn callers_that_cannot_be_rebuilt_are_named() {
    let rt = runtime();
    rt.load("lib", c(Ir, "int f(int x) { return x + 1; }")).unwrap();
    let user = || c(Ir, "int f(int); int u(void) { return f(1); }");
    let changed = || c(Ir, "int f(long x) { return x + 5; }");
    // The same bytes again are as old as before.
    rt.load("user", user()).unwrap();
    let error = rt.update().rebuild_callers().replace("lib", changed()).commit().unwrap_err();
    refused(&error, "f", &["module user"]);
    rt.replace("user", user().rebuilt_by(|| Source::from_path("/nonexistent/user.bc"))).unwrap();
    let error = rt.update().rebuild_callers().replace("lib", changed()).commit().unwrap_err();
    assert_eq!((error.kind(), error.module()), (ErrorKind::Read, Some("user")), "{error}");
    assert_eq!((call(&rt, "u"), rt.modules()[0].1), (2, 1));
}

#[test]
fn handles_of_the_host_count() {
    for form in TYPED {
        let rt = runtime();
        rt.load("lib", c(form, "int f(int x) { return x + 1; } int g(int x) { return x; }")).unwrap();
        // SAFETY: defined with this type above.
        let handle = unsafe { rt.function::<extern "C" fn(i32) -> i32>("f") }.unwrap();
        let again = handle.clone();
        let changed = || c(form, "int f(long x) { return x + 5; } int g(long x) { return x; }");
        let error = rt.replace("lib", changed()).unwrap_err();
        refused(&error, "f", &["the host", "Function"]);
        assert_eq!(error.problems().count(), 1, "nobody holds g: {error}");
        // The host cannot be rebuilt.
        let error = rt.update().rebuild_callers().replace("lib", changed()).commit().unwrap_err();
        refused(&error, "f", &["the host"]);
        drop(handle);
        assert!(rt.replace("lib", changed()).is_err());
        assert_eq!(again.call(4), 5);
        drop(again);
        rt.replace("lib", changed()).unwrap();
        // SAFETY: as above; this is refused.
        let error = unsafe { rt.function::<extern "C" fn(i32) -> i32>("f") }.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Signature);
        // SAFETY: defined with this type now.
        assert_eq!(unsafe { rt.function::<extern "C" fn(i64) -> i32>("f") }.unwrap().call(4), 9);
    }
}

#[test]
fn a_declaration_that_never_matched_is_nobodys_fault() {
    for form in TYPED {
        let rt = Runtime::builder().arena_size(64 << 20).check_declarations(false).build().unwrap();
        let user = c(
            form,
            "float f(float); int g(int); int u(void) { return 3; } float v(void) { return f(1) + g(2); }",
        );
        // In either order.
        rt.load("user", user).unwrap();
        rt.load("lib", c(form, "int f(int x) { return x + 1; } int g(int x) { return x; }")).unwrap();
        rt.load("late", c(form, "char *f(void); char *w(void) { return f(); }")).unwrap();
        rt.replace("lib", c(form, "int f(int x, int y) { return x; } int g(int x) { return 2 * x; }"))
            .unwrap();
        // To what they took it for.
        rt.replace("lib", c(form, "float f(float x) { return x; } int g(int x) { return x; }")).unwrap();
        // Now it is relied on.
        let error =
            rt.replace("lib", c(form, "int f(int x) { return x; } int g(int x) { return x; }")).unwrap_err();
        refused(&error, "f", &["old one: module user;"]);
        assert_eq!(call(&rt, "u"), 3);
    }
}

#[test]
fn a_function_that_moves_or_comes_back_is_checked_too() {
    for form in TYPED {
        let rt = runtime();
        let f = |n: &str| c(form, &format!("int f({n} x) {{ return x + sizeof x; }}"));
        rt.load("a", f("int")).unwrap();
        rt.load("user", c(form, "int f(int); int u(void) { return f(1); }")).unwrap();
        // In one step, from one module to another.
        let mut update = rt.update();
        let error = update.remove("a").load("b", f("long")).commit().unwrap_err();
        refused(&error, "f", &["module user"]);
        rt.update().remove("a").load("b", f("int")).commit().unwrap();
        assert_eq!(call(&rt, "u"), 5);
        // A newer one of another module takes its place.
        let error = rt.load("c", f("long")).unwrap_err();
        refused(&error, "f", &["module user"]);
        // Whose place another one takes when it goes.
        rt.load("c", f("int")).unwrap();
        rt.remove("b").unwrap();
        rt.remove("c").unwrap();
        // Nothing defines it at the moment; its caller is still there.
        rt.reclaim();
        let error = rt.load("d", f("long")).unwrap_err();
        refused(&error, "f", &["from i32 (i32) to i32 (i64)", "module user"]);
        rt.load("d", f("int")).unwrap();
        assert_eq!(call(&rt, "u"), 5);
        rt.remove("d").unwrap();
        rt.remove("user").unwrap();
        rt.load("d", f("long")).unwrap();
    }
}

#[test]
fn a_weaker_definition_that_wins_again_is_checked() {
    let rt = runtime();
    rt.load("weak", c(Ir, "__attribute__((weak)) long f(long x) { return x; }")).unwrap();
    rt.load("strong", c(Ir, "int f(int x) { return x + 1; }")).unwrap();
    rt.load("user", c(Ir, "int f(int); int u(void) { return f(1); }")).unwrap();
    let error = rt.remove("strong").unwrap_err();
    refused(&error, "f", &["i32 (i32) to i64 (i64)", "module user"]);
    let error = rt.replace("strong", c(Ir, "int other;")).unwrap_err();
    refused(&error, "f", &["module user"]);
    assert_eq!(call(&rt, "u"), 2);
    let new = c(Ir, "long f(long); int u(void) { return f(1); }");
    rt.update().remove("strong").replace("user", new).commit().unwrap();
    assert_eq!(call(&rt, "u"), 1);
    rt.remove("weak").unwrap();
}

#[test]
fn rollback_is_gated_too() {
    for form in TYPED {
        let rt = Runtime::builder().history(4).arena_size(16 << 20).build().unwrap();
        let lib = |n: &str| c(form, &format!("int f({n} x) {{ return x + sizeof x; }}"));
        let user = |n: &str| c(form, &format!("int f({n}); int u(void) {{ return f(1); }}"));
        rt.load("lib", lib("int")).unwrap();
        rt.load("user", user("int")).unwrap();
        rt.update().replace("lib", lib("long")).replace("user", user("long")).commit().unwrap();
        assert_eq!(call(&rt, "u"), 9);
        for module in ["lib", "user"] {
            let result = rt.rollback(module, 1);
            // A caller that is wrong about what is there is not the gate's.
            if module == "lib" {
                refused(&result.unwrap_err(), "f", &["module user", "from i32 (i64) to i32 (i32)"]);
            } else {
                assert!(result.is_ok());
                rt.rollback("user", 2).unwrap();
            }
        }
        assert_eq!(call(&rt, "u"), 9);
        rt.update().restore("lib", 1).restore("user", 1).commit().unwrap();
        assert_eq!(call(&rt, "u"), 5, "{form:?}");
    }
}
