//! Replacements of which only the functions that changed are compiled.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "common/clang.rs"]
mod clang;
#[path = "common/reclaimed.rs"]
mod reclaimed;

use clang::{bitcode, cxx_bitcode as cxx};
use hotslot::{ModuleReport, OptLevel, Runtime, Source};
use reclaimed::all_reclaimed;

fn call(rt: &Runtime, name: &str) -> i32 {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function::<extern "C" fn() -> i32>(name) }.unwrap().call()
}

/// The three ways to compile what changed.
fn each_way(test: impl Fn(&Runtime)) {
    let arena = || Runtime::builder().arena_size(64 << 20);
    for builder in [arena(), arena().tiered(false), arena().opt_level(OptLevel::O0)] {
        test(&builder.build().unwrap());
    }
}

fn replace(rt: &Runtime, source: Source) -> ModuleReport {
    let report = rt.replace("m", source).unwrap();
    (*report.modules[0]).clone()
}

#[test]
fn only_what_changed_is_compiled() {
    let source = |n: i32, before: &str| {
        bitcode(&format!(
            "{before} int printf(const char *, ...); static int count; int table[] = {{1, 2, 3}};\n\
             __attribute__((noinline)) static int helper(int x) {{ return x * 3 + table[x % 3] + ++count; }}\n\
             int edited(void) {{ return helper({n}); }}\n\
             int other(void) {{ return helper(7) + 1; }} const char *name(void) {{ return \"name\"; }}"
        ))
    };
    each_way(|rt| {
        rt.load("m", source(1, "")).unwrap();
        assert_eq!((call(rt, "edited"), call(rt, "other")), (6, 26));
        let other = rt.address_of("other").unwrap();
        let report = replace(rt, source(2, ""));
        assert_eq!(report.changed_functions, ["edited"]);
        assert_eq!(report.unchanged_functions, ["helper", "other", "name"]);
        // The static variable goes on counting, in old code and new.
        assert_eq!((call(rt, "edited"), call(rt, "other")), (12, 28));
        rt.settle();
        assert_eq!((call(rt, "edited"), call(rt, "other")), (14, 30));
        assert_eq!(rt.address_of("other").unwrap(), other);
        // Names that the compiler makes up, lines, and what nobody uses do not count.
        let moved = "\n\nconst char *more(void) { return \"more\"; } static int unused = 3;\n";
        let report = replace(rt, source(2, moved));
        assert_eq!((report.changed_functions, report.new_functions), (vec![], vec!["more".to_owned()]));
        assert_eq!((call(rt, "edited"), call(rt, "other")), (16, 32));
        let report = replace(rt, source(2, moved));
        assert_eq!((report.code_bytes, report.changed_functions), (0, vec![]));
        assert_eq!((call(rt, "edited"), call(rt, "other")), (18, 34));
        rt.rollback("m", 1).unwrap();
        assert_eq!((call(rt, "edited"), call(rt, "other")), (16, 36));
    });
}

#[test]
fn whoever_has_a_copy_changes_with_the_original() {
    let source = |n: i32| {
        bitcode(&format!(
            "static int small(void) {{ return {n}; }} int one(void) {{ return small() + 1; }}\n\
             int two(void) {{ return one() + 1; }} int (*hook)(void) = small; int call(void) {{ return hook(); }}"
        ))
    };
    each_way(|rt| {
        rt.load("m", source(10)).unwrap();
        assert_eq!((call(rt, "one"), call(rt, "two"), call(rt, "call")), (11, 12, 10));
        for n in [20, 30, 40] {
            let report = replace(rt, source(n));
            assert!(report.unchanged_functions.contains(&"two".to_owned()), "{report:?}");
            assert_eq!((call(rt, "one"), call(rt, "two"), call(rt, "call")), (n + 1, n + 2, n));
            if n != 30 {
                rt.settle();
                assert_eq!((call(rt, "one"), call(rt, "two"), call(rt, "call")), (n + 1, n + 2, n));
            }
        }
        rt.rollback("m", 2).unwrap();
        assert_eq!((call(rt, "one"), call(rt, "two"), call(rt, "call")), (21, 22, 20));
    });
}

#[test]
fn users_of_a_constant_table_are_not_compiled_with_what_it_names() {
    let source = |n: i32| {
        bitcode(&format!(
            "static int small(void) {{ return {n}; }} static int other(void) {{ return 1; }}\n\
             static int (*const table[])(void) = {{small, other}};\n\
             int first(void) {{ return table[0](); }}\n\
             int sum(void) {{ int all = 0; for (int i = 0; i < 2; i++) all += table[i](); return all; }}\n\
             int same(void) {{ return table[0] == small && table[1] != small; }}"
        ))
    };
    each_way(|rt| {
        rt.load("m", source(10)).unwrap();
        assert_eq!((call(rt, "first"), call(rt, "sum"), call(rt, "same")), (10, 11, 1));
        for n in [20, 30] {
            let report = replace(rt, source(n));
            for name in ["first", "sum"] {
                assert!(report.unchanged_functions.contains(&name.to_owned()), "{report:?}");
            }
            assert_eq!((call(rt, "first"), call(rt, "sum"), call(rt, "same")), (n, n + 1, 1));
            rt.settle();
            assert_eq!((call(rt, "first"), call(rt, "sum"), call(rt, "same")), (n, n + 1, 1));
        }
    });
}

#[test]
fn functions_come_and_go() {
    let source = |body: &str| bitcode(&format!("int x = 5; int get(void) {{ return x++; }}\n{body}"));
    each_way(|rt| {
        rt.load("m", source("int f(void) { return 1; }")).unwrap();
        let report =
            replace(rt, source("static int g(int a) { return a + 1; } int f(void) { return g(1); }"));
        assert_eq!(report.new_functions, ["g"]);
        assert_eq!((call(rt, "f"), call(rt, "get")), (2, 5));
        let report = replace(rt, source("int y = 9; int h(void) { return get() * 10 + y; }"));
        assert_eq!(
            (report.removed_functions, report.new_functions),
            (vec!["f".to_owned(), "g".to_owned()], vec!["h".to_owned()])
        );
        assert!(rt.address_of("f").is_err());
        assert_eq!((call(rt, "h"), call(rt, "get")), (69, 7));
        rt.settle();
        assert_eq!((call(rt, "h"), call(rt, "get")), (89, 9));
        rt.rollback("m", 1).unwrap();
        assert_eq!((call(rt, "f"), call(rt, "get")), (1, 10));
    });
}

#[test]
fn aliases_follow_what_they_are_for() {
    let source = |n: i32| {
        cxx(&format!(
            "struct A {{ int x; A(int); virtual int get() {{ return x; }} virtual ~A(); }};\n\
             A::A(int y) : x(y + {n}) {{}} A::~A() {{}} inline int twice(int x) {{ return x * {n}; }}\n\
             struct B : A {{ B() : A(1) {{}} int get() override {{ return A::get() * 100 + twice(2); }} }};\n\
             extern \"C\" int make() {{ B b; A *a = &b; return a->get(); }} thread_local int t = {n};\n\
             extern \"C\" int local() {{ return t++; }} static B global; extern \"C\" int old() {{ A *a = &global; return a->get(); }}"
        ))
    };
    each_way(|rt| {
        rt.load("m", source(1)).unwrap();
        assert_eq!((call(rt, "make"), call(rt, "old"), call(rt, "local")), (202, 202, 1));
        replace(rt, source(2));
        assert_eq!((call(rt, "make"), call(rt, "old"), call(rt, "local")), (304, 204, 2));
        rt.settle();
        assert_eq!((call(rt, "make"), call(rt, "old"), call(rt, "local")), (304, 204, 3));
        rt.rollback("m", 1).unwrap();
        assert_eq!((call(rt, "make"), call(rt, "old"), call(rt, "local")), (202, 202, 4));
    });
}

#[test]
fn a_thousand_edits_leave_nothing() {
    let source = |n: i32| {
        bitcode(&format!(
            "static int a(void) {{ return {}; }} static int b(void) {{ return {}; }} int f(void) {{ return a() + b(); }}\n\
             __attribute__((noinline)) static int c(void) {{ return {}; }} int g(void) {{ return f() + c(); }}",
            n,
            n % 7,
            n % 3
        ))
    };
    each_way(|rt| {
        rt.load("m", source(0)).unwrap();
        let sources: Vec<Source> = (0..21).map(source).collect();
        let mut sizes = Vec::new();
        for n in 0..210 {
            replace(rt, sources[n % 21].clone());
            let n = n as i32 % 21;
            assert_eq!(call(rt, "g"), n + n % 7 + n % 3);
            if n == 20 {
                rt.settle();
                assert!(all_reclaimed(rt), "{:?}", rt.pending());
                sizes.push(rt.stats().code_bytes);
            }
        }
        assert!(sizes[9] <= sizes[3] + 4096, "{sizes:?}");
    });
}

#[test]
fn what_is_caught_may_change() {
    // The compiler writes a pointer to each type that is caught into a section of their own.
    let source = |one: &str, more: &str| {
        cxx(&format!(
            "struct A {{ int n; }}; struct B {{ int n; }}; static int thrown(int n) {{ if (n) throw A{{5}}; throw B{{7}}; }}\n\
             extern \"C\" int f() {{ try {{ return thrown(1); }} catch ({one} &x) {{ return x.n; }} catch (...) {{ return 1; }} }}\n\
             extern \"C\" int g() {{ try {{ return thrown(0); }} catch (B &x) {{ return x.n; }} {more} catch (...) {{ return 2; }} }}"
        ))
    };
    each_way(|rt| {
        rt.load("m", source("A", "")).unwrap();
        assert_eq!((call(rt, "f"), call(rt, "g")), (5, 7));
        replace(rt, source("B", ""));
        assert_eq!((call(rt, "f"), call(rt, "g")), (1, 7));
        replace(rt, source("B", "catch (A &) { return 3; }"));
        assert_eq!((call(rt, "f"), call(rt, "g")), (1, 7));
        rt.settle();
        assert_eq!((call(rt, "f"), call(rt, "g")), (1, 7));
        rt.rollback("m", 1).unwrap();
        assert_eq!((call(rt, "f"), call(rt, "g")), (5, 7));
    });
}

#[test]
fn a_return_to_code_that_was_never_optimised_optimises_it() {
    let source = |n: i32| bitcode(&format!("int f(void) {{ return {n}; }} int g(void) {{ return 1; }}"));
    let rt = Runtime::builder().arena_size(64 << 20).build().unwrap();
    rt.load("m", source(1)).unwrap();
    for n in 2..4 {
        replace(&rt, source(n));
    }
    // Whatever of it the optimiser has got to by now.
    rt.rollback("m", 2).unwrap();
    assert_eq!(call(&rt, "f"), 2);
    rt.settle();
    let upgrades = rt.totals().upgrades;
    assert_eq!(call(&rt, "f"), 2);
    rt.rollback("m", 3).unwrap();
    rt.settle();
    assert_eq!(call(&rt, "f"), 3);
    assert!(rt.totals().upgrades >= upgrades && upgrades > 0);
    // By now both are: nothing is left to do.
    let upgrades = rt.totals().upgrades;
    rt.rollback("m", 2).unwrap();
    rt.settle();
    assert_eq!(rt.totals().upgrades, upgrades);
}
