//! Replacements of functions whose code hangs together with other code in ways that are easy to
//! miss.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "common/clang.rs"]
mod clang;

use hotslot::{ModuleReport, OptLevel, Runtime, Source};

fn compile(source: &str, more: &[&str]) -> Source {
    let flags = [&["-O2", "-Xclang", "-disable-llvm-passes", "-emit-llvm"][..], more].concat();
    clang::object(source, "clang-19", &flags).trusted()
}

fn c(source: &str) -> Source {
    compile(source, &[])
}

fn cxx(source: &str) -> Source {
    let flags = &["-O2", "-std=c++17", "-Xclang", "-disable-llvm-passes", "-emit-llvm"];
    clang::object(source, "clang++-19", flags).trusted()
}

fn call(rt: &Runtime, name: &str) -> i32 {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function::<extern "C" fn() -> i32>(name) }.unwrap().call()
}

/// The three ways to compile what changed, and whether the better code is waited for.
fn each_way(test: impl Fn(&Runtime, &dyn Fn())) {
    let arena = || Runtime::builder().arena_size(64 << 20).verify_diff(true);
    for (builder, settle) in [
        (arena(), false),
        (arena(), true),
        (arena().tiered(false), false),
        (arena().opt_level(OptLevel::O0), false),
    ] {
        let rt = builder.build().unwrap();
        test(&rt, &|| {
            if settle {
                rt.settle();
            }
        });
    }
}

fn replace(rt: &Runtime, source: Source) -> ModuleReport {
    let report = rt.replace("m", source).unwrap();
    (*report.modules[0]).clone()
}

/// Functions of every size are copied, or not, by the same rule everywhere.
#[test]
fn functions_of_any_size() {
    for size in (1..40).step_by(3) {
        let source = |n: i32| {
            let body: String = (0..size).map(|i| format!("x = x * 3 + g[{i} & 3];")).collect();
            c(&format!(
                "int g[4]; static int s(int x) {{ {body} return x * 0 + {n}; }} int (*hook)(int) = s;\n\
                 int one(void) {{ return s(1); }} int two(void) {{ return s(2) + 1; }}"
            ))
        };
        let rt = Runtime::builder().arena_size(64 << 20).build().unwrap();
        rt.load("m", source(10)).unwrap();
        assert_eq!((call(&rt, "one"), call(&rt, "two")), (10, 11));
        replace(&rt, source(20));
        assert_eq!((call(&rt, "one"), call(&rt, "two")), (20, 21), "{size}");
    }
}

/// Static functions that must stay static have no slot, whoever has their address.
#[test]
fn static_functions_that_stay() {
    let source = |a: i32, s: i32, t: i32| {
        c(&format!(
            "static int t(void) {{ return {t}; }}\n\
             __attribute__((used, noinline)) static int s(void) {{ return {s} + t(); }}\n\
             int (*hook)(void) = s; int one(void) {{ return s() + {a}; }} int two(void) {{ return s(); }}\n\
             int hooked(void) {{ return hook(); }}"
        ))
    };
    each_way(|rt, settle| {
        rt.load("m", source(0, 10, 100)).unwrap();
        let all = |rt: &Runtime| (call(rt, "one"), call(rt, "two"), call(rt, "hooked"));
        assert_eq!(all(rt), (110, 110, 110));
        replace(rt, source(0, 20, 100));
        assert_eq!(all(rt), (120, 120, 120));
        settle();
        assert_eq!(all(rt), (120, 120, 120));
        replace(rt, source(1, 20, 100));
        settle();
        assert_eq!(all(rt), (121, 120, 120));
        replace(rt, source(1, 20, 200));
        assert_eq!(all(rt), (221, 220, 220));
        settle();
        replace(rt, source(1, 30, 200));
        settle();
        assert_eq!(all(rt), (231, 230, 230));
        rt.rollback("m", 1).unwrap();
        assert_eq!(all(rt), (110, 110, 110));
    });
}

#[test]
fn static_functions_that_stay_and_nobody_has_the_address_of() {
    let source = |a: i32, s: i32, t: i32| {
        c(&format!(
            "static int t(void) {{ return {t}; }}\n\
             __attribute__((used, noinline)) static int s(void) {{ return {s} + t(); }}\n\
             int one(void) {{ return s() + {a}; }} int two(void) {{ return s(); }}"
        ))
    };
    let all = |rt: &Runtime| (call(rt, "one"), call(rt, "two"));
    each_way(|rt, settle| {
        rt.load("m", source(0, 10, 100)).unwrap();
        // Its callers are compiled at different times, and so at different levels.
        replace(rt, source(1, 10, 100));
        settle();
        assert_eq!(all(rt), (111, 110));
        replace(rt, source(1, 10, 200));
        assert_eq!(all(rt), (211, 210));
        settle();
        replace(rt, source(2, 10, 200));
        replace(rt, source(2, 20, 200));
        assert_eq!(all(rt), (222, 220));
        settle();
        assert_eq!(all(rt), (222, 220));
    });
}

/// A copy of a function refers directly to what the function does.
#[test]
fn copies_of_what_refers_to_static_functions_that_stay() {
    let source = |s: i32| {
        c(&format!(
            "__attribute__((used, noinline)) static int s(void) {{ return {s}; }}\n\
             static int middle(void) {{ return s() + 1; }} int (*hook)(void) = middle;\n\
             int one(void) {{ return middle() + 1; }} int hooked(void) {{ return hook(); }}"
        ))
    };
    each_way(|rt, settle| {
        rt.load("m", source(10)).unwrap();
        for s in [20, 30] {
            replace(rt, source(s));
            assert_eq!((call(rt, "one"), call(rt, "hooked")), (s + 2, s + 1));
            settle();
            assert_eq!((call(rt, "one"), call(rt, "hooked")), (s + 2, s + 1));
        }
    });
}

/// What is hidden, or said to be the only definition, may not be looked into either.
#[test]
fn hidden_functions() {
    let flags: [&[&str]; 5] = [
        &["-fvisibility=hidden"],
        &["-fvisibility=protected"],
        &["-fno-semantic-interposition"],
        &["-fPIE"],
        &["-fno-pic", "-fvisibility=hidden"],
    ];
    for flags in flags {
        let source = |n: i32, k: i32| {
            compile(
                &format!(
                    "int s(void) {{ return {n}; }} extern const int c; const int c = {k};\n\
                     int one(void) {{ return s() + 1; }} int two(void) {{ return s() + c; }}"
                ),
                flags,
            )
        };
        let all = |rt: &Runtime| (call(rt, "one"), call(rt, "two"));
        each_way(|rt, settle| {
            rt.load("m", source(10, 0)).unwrap();
            assert_eq!(all(rt), (11, 10), "{flags:?}");
            replace(rt, source(20, 0));
            assert_eq!(all(rt), (21, 20), "{flags:?}");
            settle();
            replace(rt, source(20, 5));
            assert_eq!(all(rt), (21, 25), "{flags:?}");
            settle();
            replace(rt, source(30, 5));
            settle();
            assert_eq!(all(rt), (31, 35), "{flags:?}");
        });
    }
}

#[test]
fn assembly_of_the_module() {
    let source = |n: i32| {
        c(&format!(
            "asm(\".text\\n.globl seven\\n.type seven,@function\\nseven: movl $7, %eax\\nret\\n.size seven, .-seven\\n\
             .data\\n.globl counter\\n.type counter,@object\\n.size counter,4\\ncounter: .long 5\\n.text\");\n\
             int seven(void); extern int counter; int up(void) {{ return ++counter; }}\n\
             int edited(void) {{ return seven() * {n} + counter; }}"
        ))
    };
    each_way(|rt, settle| {
        rt.load("m", source(1)).unwrap();
        assert_eq!((call(rt, "up"), call(rt, "edited")), (6, 13));
        replace(rt, source(10));
        settle();
        assert_eq!((call(rt, "up"), call(rt, "edited"), call(rt, "seven")), (7, 77, 7));
    });
}

/// Records in a section of their own, which code walks over from its start to its end.
#[test]
fn sets_of_records() {
    let source = |n: i32| {
        c(&format!(
            "#define RECORD(x) static int r##x __attribute__((section(\"records\"), used)) = x\n\
             RECORD(1); RECORD(20); RECORD(300); extern int __start_records[], __stop_records[];\n\
             int touch(void) {{ return r20 + 0; }}\n\
             int edited(void) {{ int sum = {n}; for (int *p = __start_records; p < __stop_records; p++) sum += *p; return sum; }}\n\
             int bump(void) {{ return ++r1; }}"
        ))
    };
    each_way(|rt, settle| {
        rt.load("m", source(0)).unwrap();
        assert_eq!(call(rt, "edited"), 321);
        assert_eq!(call(rt, "bump"), 2);
        replace(rt, source(1000));
        settle();
        assert_eq!(call(rt, "edited"), 1322);
        assert_eq!(call(rt, "bump"), 3);
        assert_eq!(call(rt, "edited"), 1323);
    });
}

/// A function that jumps to addresses of its labels is never copied.
#[test]
fn computed_jumps() {
    let source = |kind: &str, n: i32, k: i32| {
        c(&format!(
            "static int run(const char *p) {{ static void *{kind} const_or_not[] = {{&&inc, &&dbl, &&end}};\n\
             int x = {k}; goto *const_or_not[(int)*p++]; inc: x++; goto *const_or_not[(int)*p++];\n\
             dbl: x *= 2; goto *const_or_not[(int)*p++]; end: return x; }}\n\
             int one(void) {{ return run(\"\\0\\1\\1\\2\") + {n}; }} int two(void) {{ return run(\"\\1\\0\\2\"); }}"
        ))
    };
    for kind in ["const", ""] {
        each_way(|rt, settle| {
            let all = |rt: &Runtime| (call(rt, "one"), call(rt, "two"));
            rt.load("m", source(kind, 0, 1)).unwrap();
            assert_eq!(all(rt), (8, 3));
            replace(rt, source(kind, 1, 1));
            settle();
            assert_eq!(all(rt), (9, 3));
            replace(rt, source(kind, 1, 2));
            settle();
            assert_eq!(all(rt), (13, 5));
        });
    }
}

/// Static constants are told apart by their addresses, and keep them.
#[test]
fn addresses_of_static_constants() {
    let source = |n: i32| {
        c(&format!(
            "static const int a = 7, b = 7; static const char *const names[] = {{\"x\", \"y\"}};\n\
             const void *stored_a = &a; const void *stored_n;\n\
             int keep(void) {{ stored_n = names; return 0; }}\n\
             int edited(void) {{ return (stored_a == &a) * 1 + (stored_a != &b) * 2 + (stored_n == names) * 4 + {n}; }}\n\
             int other(void) {{ return (stored_a == &a) + (&b != stored_a); }}"
        ))
    };
    each_way(|rt, settle| {
        rt.load("m", source(0)).unwrap();
        call(rt, "keep");
        assert_eq!((call(rt, "edited"), call(rt, "other")), (7, 2));
        replace(rt, source(10));
        assert_eq!((call(rt, "edited"), call(rt, "other")), (17, 2));
        settle();
        assert_eq!((call(rt, "edited"), call(rt, "other")), (17, 2));
    });
}

#[test]
fn thread_locals_with_initialisers() {
    let source = |n: i32| {
        cxx(&format!(
            "int made; int make(int x) {{ made++; return x; }} thread_local int t = make(5); inline thread_local int u = make(6);\n\
             struct S {{ int x; S() : x(make(9)) {{}} ~S() {{ made--; }} }}; extern \"C\" int times() {{ return made; }}\n\
             extern \"C\" int edited() {{ static thread_local S s; return t++ * 100 + u++ * 10 + s.x + {n}; }}\n\
             extern \"C\" int other() {{ return t * 10 + u; }}"
        ))
    };
    each_way(|rt, settle| {
        rt.load("m", source(0)).unwrap();
        assert_eq!((call(rt, "edited"), call(rt, "other"), call(rt, "times")), (569, 67, 3));
        replace(rt, source(1000));
        assert_eq!((call(rt, "edited"), call(rt, "other"), call(rt, "times")), (1679, 78, 3));
        settle();
        assert_eq!((call(rt, "edited"), call(rt, "other"), call(rt, "times")), (1789, 89, 3));
        let t = std::thread::scope(|s| s.spawn(|| (call(rt, "edited"), call(rt, "other"))).join().unwrap());
        assert_eq!(t, (1569, 67));
    });
}

#[test]
fn exceptions_cross_layers() {
    let source = |a: i32, b: i32, k: i32| {
        cxx(&format!(
            "struct E {{ int x; }}; struct D {{ int *p; ~D() {{ ++*p; }} }}; static int ended;\n\
             __attribute__((noinline)) void thrower(int x) {{ D d{{&ended}}; if (x > {k}) throw E{{x + {a}}}; }}\n\
             __attribute__((noinline)) static void middle(int x) {{ D d{{&ended}}; thrower(x + {b}); }}\n\
             extern \"C\" int catcher() {{ try {{ middle(5); return 0; }} catch (E &e) {{ return e.x * 100 + ended; }} }}\n\
             extern \"C\" int rethrow() {{ try {{ try {{ middle(6); }} catch (...) {{ throw; }} return 0; }} catch (const E &e) {{ return e.x; }} }}"
        ))
    };
    each_way(|rt, settle| {
        rt.load("m", source(0, 0, 0)).unwrap();
        assert_eq!((call(rt, "catcher"), call(rt, "rethrow")), (502, 6));
        replace(rt, source(1, 0, 0));
        assert_eq!((call(rt, "catcher"), call(rt, "rethrow")), (606, 7));
        settle();
        replace(rt, source(1, 10, 0));
        settle();
        assert_eq!((call(rt, "catcher"), call(rt, "rethrow")), (1610, 17));
        replace(rt, source(1, 10, 1000));
        assert_eq!((call(rt, "catcher"), call(rt, "rethrow")), (0, 0));
        rt.rollback("m", 2).unwrap();
        assert_eq!((call(rt, "catcher"), call(rt, "rethrow")), (618, 7));
    });
}

/// One name for different things in turn.
#[test]
fn names_that_become_something_else() {
    let bodies = [
        "static int x(void) { return 1; } int f(void) { return x(); }",
        "int x(void) { return 2; } int f(void) { return x(); }",
        "inline int x(void) { return 3; } extern inline int x(void); int f(void) { return x(); }",
        "static int x(void) { return 4; } int f(void) { return x(); }",
        "static int x = 5; int f(void) { return x; }",
        "int x = 5; int f(void) { return x + 1; }",
        "__attribute__((weak)) int x(void) { return 7; } int f(void) { return x(); }",
        "static int y(void) { return 8; } int x(void) __attribute__((alias(\"y\"))); int f(void) { return x() + y() - 8; }",
        "static int y(void) { return 9; } static int x(void) { return y(); } int f(void) { return x(); }",
        "#define f g\nstatic int x(void) { return 4; } int g(void) { return x(); }\n#undef f\nint f(void) { return g() + 6; }",
    ];
    let source = |i: usize| {
        c(&format!("int hooks;\n{} int (*hook)(void) = f; int hooked(void) {{ return hook(); }}", bodies[i]))
    };
    each_way(|rt, settle| {
        rt.load("m", source(0)).unwrap();
        let mut generation = 1;
        for step in [1, 3, 7, 9] {
            for i in 1..=bodies.len() {
                let at = i * step % bodies.len();
                rt.replace("m", source(at)).unwrap_or_else(|e| panic!("{at}: {e}"));
                generation += 1;
                assert_eq!((call(rt, "f"), call(rt, "hooked")), (at as i32 + 1, at as i32 + 1));
                settle();
                assert_eq!((call(rt, "f"), call(rt, "hooked")), (at as i32 + 1, at as i32 + 1));
            }
        }
        rt.rollback("m", generation - 1).unwrap();
        assert_eq!(call(rt, "f"), 2);
    });
}

#[test]
fn two_modules_with_functions_of_one_name() {
    let source = |name: &str, n: i32, extra: &str| {
        c(&format!(
            "__attribute__((noinline)) static int helper(void) {{ return {n}; }} {extra}\n\
             int {name}(void) {{ return helper(); }} int {name}_2(void) {{ return helper() + 1; }}"
        ))
    };
    each_way(|rt, settle| {
        rt.load("m", source("a", 1, "")).unwrap();
        rt.load("n", source("b", 2, "")).unwrap();
        replace(rt, source("a", 3, "static int b_2(void) { return 9; } int use(void) { return b_2(); }"));
        rt.replace("n", source("b", 4, "")).unwrap();
        settle();
        let all = ["a", "a_2", "b", "b_2", "use"].map(|name| call(rt, name));
        assert_eq!(all, [3, 4, 4, 5, 9]);
    });
}

/// What the program can see of a module is what all its code sees, however it is put together.
#[test]
fn private_variables_of_ir() {
    let source = |n: i32| {
        Source::ir(format!(
            "@x = private global i32 5\n@0 = private global i32 7\n\
             define i32 @edited() {{ %a = load i32, ptr @x %b = load i32, ptr @0 %c = add i32 %a, %b %d = add i32 %c, {n} store i32 %d, ptr @x store i32 %d, ptr @0 ret i32 %d }}\n\
             define i32 @other() {{ %a = load i32, ptr @x %b = load i32, ptr @0 %c = add i32 %a, %b ret i32 %c }}"
        ))
    };
    each_way(|rt, settle| {
        rt.load("m", source(0)).unwrap();
        assert_eq!((call(rt, "edited"), call(rt, "other")), (12, 24));
        replace(rt, source(1));
        settle();
        assert_eq!((call(rt, "edited"), call(rt, "other")), (25, 50));
    });
}

/// Variables that share a section keep their places in it.
#[test]
fn variables_of_one_section() {
    let source = |n: i32| {
        c(&format!(
            "#define IN __attribute__((section(\"mine\")))\n\
             IN int a = 1; IN static int b = 2; IN int c = 3; int *at = &b;\n\
             int edited(void) {{ return ++b + {n}; }} int all(void) {{ return a * 100 + b * 10 + c; }} int at_b(void) {{ return *at; }}"
        ))
    };
    each_way(|rt, settle| {
        rt.load("m", source(0)).unwrap();
        assert_eq!((call(rt, "edited"), call(rt, "all"), call(rt, "at_b")), (3, 133, 3));
        replace(rt, source(10));
        assert_eq!((call(rt, "edited"), call(rt, "all"), call(rt, "at_b")), (14, 143, 4));
        settle();
        assert_eq!((call(rt, "edited"), call(rt, "all"), call(rt, "at_b")), (15, 153, 5));
    });
}
