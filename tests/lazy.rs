//! Functions that are compiled on their first call.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "common/clang.rs"]
mod clang;
#[path = "common/reclaimed.rs"]
mod reclaimed;

use std::sync::Barrier;

use clang::{bitcode, compiled, cxx_bitcode as cxx};
use hotslot::{Builder, ErrorKind, OptLevel, Runtime, Source};
use reclaimed::all_reclaimed;

fn call(rt: &Runtime, name: &str) -> i32 {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function::<extern "C" fn() -> i32>(name) }.unwrap().call()
}

fn lazy() -> Builder {
    Runtime::builder().arena_size(64 << 20).lazy(true)
}

/// The ways to compile on first calls.
fn each_way(test: impl Fn(&Runtime)) {
    for builder in [lazy(), lazy().tiered(false), lazy().opt_level(OptLevel::O0)] {
        test(&builder.build().unwrap());
    }
}

#[test]
fn only_what_is_called_is_compiled() {
    each_way(|rt| {
        let source = bitcode(
            "static int count = 5; int exported[] = {1, 2, 3};\n\
             __attribute__((noinline)) static int next(int by) { count += by; return count; }\n\
             int f(void) { return next(1); } int g(void) { return next(2) + exported[1]; }\n\
             int never(void) { return f() + g(); } __attribute__((weak)) int weak(void) { return 7; }",
        );
        let report = rt.load("m", source).unwrap();
        let module = &report.modules[0];
        assert_eq!((module.functions, module.variables, module.lazy_functions), (4, 1, 5));
        assert_eq!((module.code_bytes, rt.stats().lazy_functions), (0, 5));
        assert_eq!(call(rt, "f"), 6);
        assert_eq!(rt.stats().lazy_functions, 3);
        assert_eq!(call(rt, "f"), 7);
        rt.settle();
        // A module that is called into again is compiled in larger pieces.
        assert_eq!((call(rt, "f"), call(rt, "g")), (8, 12));
        assert_eq!(rt.stats().lazy_functions, 0);
        rt.settle();
        assert_eq!((call(rt, "f"), call(rt, "g"), call(rt, "weak")), (11, 15, 7));
        assert_eq!(rt.modules(), [("m".to_owned(), 1)]);
    });
}

#[test]
fn many_threads_call_it_first() {
    each_way(|rt| {
        rt.load(
            "m",
            bitcode(
                "static _Atomic int calls; int f(void) { return ++calls; } int n(void) { return calls; }",
            ),
        )
        .unwrap();
        let start = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    call(rt, "f");
                });
            }
        });
        assert_eq!((call(rt, "n"), rt.stats().lazy_functions), (8, 0));
        rt.settle();
        // One for each function, and better ones.
        assert!(rt.totals().upgrades <= 4, "{:?}", rt.totals());
    });
}

#[test]
fn tables_recursion_and_small_stacks() {
    each_way(|rt| {
        let report = rt
            .update()
            .load(
                "m",
                bitcode(
                    "int odd(int); int even(int n) { return n == 0 ? 1 : odd(n - 1); }\n\
                     static int one(void) { return 1; } static int two(void) { return 2; }\n\
                     static int (*const table[])(void) = {one, two}; int (*hook)(void) = two;\n\
                     int f(void) { return even(10) * 100 + table[0]() * 10 + hook(); }",
                ),
            )
            .load("n", bitcode("int even(int); int odd(int n) { return n == 0 ? 0 : even(n - 1); }"))
            .strict()
            .commit()
            .unwrap();
        assert!(report.undefined.is_empty());
        // SAFETY: as in `call`.
        let f = unsafe { rt.function::<extern "C" fn() -> i32>("f") }.unwrap();
        let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(move || f.call()).unwrap();
        assert_eq!(thread.join().unwrap(), 112);
        assert_eq!(rt.stats().lazy_functions, 0);
        rt.settle();
        assert_eq!(call(rt, "f"), 112);
    });
}

#[test]
fn a_mismatch_and_what_is_undefined_are_known_before_the_first_call() {
    each_way(|rt| {
        let error =
            rt.update().load("m", bitcode("int g(void); int f(void) { return g(); }")).strict().commit();
        assert_eq!(error.unwrap_err().symbol(), Some("g"));
        let report = rt.load("m", bitcode("int g(void); int f(void) { return g(); }")).unwrap();
        assert_eq!(report.undefined.len(), 1);
        rt.load("n", bitcode("int g(void) { return 3; }")).unwrap();
        // SAFETY: never called.
        let wrong = unsafe { rt.function::<extern "C" fn(f64) -> f64>("f") };
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Signature);
        let error = rt.replace("n", bitcode("long g(double x) { return 3; }")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Signature, "{error}");
        // A function that waits can change its type as others can.
        rt.replace("m", bitcode("int g(void); long f(double x) { return g() + x; }")).unwrap();
        // SAFETY: the type it has now.
        assert_eq!(unsafe { rt.function::<extern "C" fn(f64) -> i64>("f") }.unwrap().call(2.0), 5);
    });
}

#[test]
fn replacements_before_and_after_the_first_call() {
    let source = |n: i32, more: &str| {
        bitcode(&format!(
            "int state = 1; __attribute__((noinline)) static int inner(void) {{ return {n} + state; }}\n\
             int f(void) {{ return inner() * 10; }} int g(void) {{ return {n}; }} int same(void) {{ return 4; }} {more}"
        ))
    };
    each_way(|rt| {
        rt.load("m", source(1, "")).unwrap();
        let address = rt.address_of("f").unwrap();
        let report = rt.replace("m", source(2, "int added(void) { return 9; }")).unwrap();
        let module = &report.modules[0];
        assert_eq!(module.changed_functions, ["inner", "g"]);
        assert_eq!(module.unchanged_functions, ["f", "same"]);
        assert_eq!((module.lazy_functions, module.functions), (4, 4));
        assert_eq!((call(rt, "f"), call(rt, "added")), (30, 9));
        assert_eq!((rt.address_of("f").unwrap(), rt.stats().lazy_functions), (address, 2));
        rt.replace("m", source(3, "")).unwrap();
        assert_eq!((call(rt, "f"), call(rt, "same"), rt.stats().lazy_functions), (40, 4, 0));
        rt.settle();
        assert_eq!((call(rt, "f"), call(rt, "g")), (40, 3));
        // In generation 1 nothing has been called.
        rt.rollback("m", 1).unwrap();
        assert_eq!(rt.stats().lazy_functions, 4);
        assert_eq!((call(rt, "f"), call(rt, "g"), call(rt, "same")), (20, 1, 4));
        rt.rollback("m", 2).unwrap();
        assert_eq!((call(rt, "f"), call(rt, "g"), call(rt, "same"), call(rt, "added")), (30, 2, 4, 9));
        rt.rollback("m", 3).unwrap();
        assert_eq!((call(rt, "f"), call(rt, "g"), call(rt, "same")), (40, 3, 4));
        rt.remove("m").unwrap();
        rt.settle();
        assert!(all_reclaimed(rt), "{:?}", rt.pending());
        assert_eq!((rt.stats().lazy_functions, rt.stats().retired), (0, 0));
    });
}

#[test]
fn classes_exceptions_and_what_runs_at_the_beginning_and_the_end() {
    each_way(|rt| {
        let source = cxx("#include <stdexcept>\n#include <vector>\n#include <string>\n\
             struct Base { virtual int get() const { return 1; } virtual ~Base() {} };\n\
             struct Derived : Base { int get() const override { return 20; } };\n\
             static int made() { return 300; } struct Early { int n; Early() : n(made()) {} ~Early(); };\n\
             extern \"C\" int *ended; int *ended; Early::~Early() { if (ended) ++*ended; } static Early early; inline int many = made();\n\
             static int fails(int n) { if (n > 2) throw std::runtime_error(\"too many\"); return fails(n + 1); }\n\
             thread_local std::string local = \"four\"; template<class T> T twice(T x) { return x + x; }\n\
             extern \"C\" int f() { std::vector<const Base *> all{new Base, new Derived}; int n = early.n;\n\
             for (auto *b : all) { n += b->get(); delete b; } try { fails(0); } catch (std::exception &e) { n += e.what()[0]; }\n\
             return n + twice(1000) + many + local.size(); } extern \"C\" int unused() { return fails(1); }");
        let mut ended = 0;
        rt.load("m", source).unwrap();
        assert_eq!(call(rt, "f"), 300 + 21 + 't' as i32 + 2000 + 300 + 4);
        rt.settle();
        assert_eq!(call(rt, "f"), 300 + 21 + 't' as i32 + 2000 + 300 + 4);
        let place = rt.address_of("ended").unwrap().cast_mut().cast::<*mut i32>();
        // SAFETY: the variable has this type, and the runtime ends before `ended`.
        unsafe { place.write(&raw mut ended) };
    });
}

/// An interpreter that puts addresses of its labels into the program that it will run: they are of
/// one code of it, so there must not be another one, nor may its frame change.
#[test]
fn an_interpreter_whose_program_has_its_labels_has_one_code() {
    let source = |kind: &str, n: i32| {
        bitcode(&format!(
            "static long run(void **at, long n) {{ static {kind} table[] = {{&&add, &&twice, &&end}};\
             long a = n, b[8]; for (int i = 0; i < 8; i++) b[i] = n * i; if (!at) return (long)table; goto **at;\
             add: a += b[n & 7]; at++; goto **at; twice: a *= 2 + (b[3] > a); at++; goto **at;\
             end: return a; }}\
             void *program[4]; int prepare(void) {{ void **table = (void **)run(0, 1);\
             program[0] = table[1]; program[1] = table[0]; program[2] = table[0]; program[3] = table[2]; return 0; }}\
             int f(void) {{ return (int)run(program, 5) + {n}; }}"
        ))
    };
    for kind in ["const void *const", "const void *"] {
        each_way(|rt| {
            rt.load("m", source(kind, 0)).unwrap();
            assert_eq!(call(rt, "prepare"), 0);
            rt.settle();
            assert_eq!(call(rt, "f"), 65);
            rt.settle();
            assert_eq!(call(rt, "f"), 65);
        });
        let rt = Runtime::builder().arena_size(64 << 20).build().unwrap();
        rt.load("m", source("const void *const", 0)).unwrap();
        assert_eq!((call(&rt, "prepare"), call(&rt, "f")), (0, 65));
        rt.replace("m", source("const void *const", 100)).unwrap();
        assert_eq!(call(&rt, "f"), 165);
        rt.settle();
        assert_eq!(call(&rt, "f"), 165);
    }
}

#[test]
fn the_end_of_a_runtime_may_be_the_first_call() {
    let mut ended = 0;
    let rt = lazy().build().unwrap();
    rt.load("m", cxx("extern \"C\" int *ended; int *ended; static void note() { ++*ended; } struct E { ~E() { note(); } }; E e;"))
        .unwrap();
    let place = rt.address_of("ended").unwrap().cast_mut().cast::<*mut i32>();
    // SAFETY: the variable has this type, and the runtime ends before `ended`.
    unsafe { place.write(&raw mut ended) };
    drop(rt);
    assert_eq!(ended, 1);
}

#[test]
fn a_function_that_cannot_be_compiled_is_an_error_of_its_call() {
    let text = "define i32 @good() { ret i32 3 }\n\
                define i32 @bad() { %x = call i32 asm \"not an instruction\", \"=r\"() ret i32 %x }";
    let rt = lazy().build().unwrap();
    rt.load("m", Source::ir(text)).unwrap();
    // SAFETY: the type it has; nothing on the stack has to be dropped.
    let bad = unsafe { rt.function::<extern "C" fn() -> i32>("bad") }.unwrap();
    for _ in 0..2 {
        let error = bad.try_call().unwrap_err();
        assert_eq!(
            (error.kind(), error.symbol(), error.module()),
            (ErrorKind::Compile, Some("bad"), Some("m"))
        );
        assert!(
            error.to_string().contains("not an instruction") || error.to_string().contains("invalid"),
            "{error}"
        );
    }
    assert_eq!(call(&rt, "good"), 3);
    rt.replace("m", Source::ir(text.replace("not an instruction", "movl $$8, $0"))).unwrap();
    assert_eq!(bad.try_call().unwrap(), 8);
}

#[test]
fn members_of_archives_are_chosen_by_what_they_will_define_and_need() {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, text) in [
        ("a", "int b(void); int a(void) { return b() + 1; }"),
        ("b", "int b(void) { return 5; }"),
        ("c", "int c(void) { return 6; }"),
    ] {
        let bytes = compiled(text, "clang-19", &["-O2", "-emit-llvm"], |file| std::fs::read(file).unwrap());
        archive.extend(
            format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", format!("{name}/"), 0, 0, 0, 644, bytes.len())
                .bytes(),
        );
        archive.extend(&bytes);
        archive.extend((bytes.len() % 2 == 1).then_some(b'\n'));
    }
    let rt = lazy().build().unwrap();
    let mut update = rt.update();
    update.load("m", bitcode("int a(void); int f(void) { return a(); }"));
    update.load("lib", Source::archive(archive).on_demand()).strict().commit().unwrap();
    assert_eq!((rt.stats().modules, rt.stats().lazy_functions), (3, 3));
    assert_eq!((call(&rt, "f"), rt.stats().lazy_functions), (6, 0));
}

#[test]
fn what_is_replaced_goes_when_nobody_is_in_it() {
    let source = |n: i32| {
        bitcode(&format!(
            "int f(void) {{ return {n}; }} int g(void) {{ return f() + {n}; }} int h(void) {{ return g(); }}"
        ))
    };
    let sources: Vec<Source> = (0..20).map(source).collect();
    let rt = lazy().history(1).build().unwrap();
    rt.load("m", sources[0].clone()).unwrap();
    let mut sizes = Vec::new();
    for round in 0..10 {
        for (n, source) in sources.iter().enumerate() {
            rt.replace("m", source.clone()).unwrap();
            // What is not called in one round is in another.
            if (n + round) % 3 == 0 {
                assert_eq!(call(&rt, "h"), 2 * n as i32);
            }
            if n % 5 == 4 {
                rt.remove("m").unwrap();
                rt.load("m", source.clone()).unwrap();
            }
        }
        rt.settle();
        assert!(all_reclaimed(&rt), "{:?}", rt.pending());
        sizes.push((rt.stats().code_bytes, rt.stats().symbols));
    }
    assert!(sizes[9].0 <= sizes[3].0 + 1024 && sizes[9].1 == sizes[3].1, "{sizes:?}");
}
