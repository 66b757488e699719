//! Static functions of modules that came as IR: replaced with their module, reached by stored
//! pointers, and never by a name.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "common/reclaimed.rs"]
mod reclaimed;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotslot::{CallForm, Function, OptLevel, Runtime, Source};
use reclaimed::reclaimed;

/// What clang makes of `source`, with `flags`.
fn compiled(source: &str, compiler: &str, flags: &[&str]) -> Source {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("static_functions");
    std::fs::create_dir_all(&dir).unwrap();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let out = dir.join(format!("{}-{number}.out", std::process::id()));
    let from = out.with_extension(if compiler.contains("++") { "cc" } else { "c" });
    std::fs::write(&from, source).unwrap();
    let mut command = Command::new(compiler);
    command.args(["-fPIC", "-w", "-c"]).args(flags).arg(&from).arg("-o").arg(&out);
    assert!(command.status().expect("the compiler is installed").success());
    let source = Source::from_path(&out).unwrap();
    std::fs::remove_file(&from).unwrap();
    std::fs::remove_file(&out).unwrap();
    source
}

const IR: [&str; 4] = ["-O2", "-emit-llvm", "-Xclang", "-disable-llvm-passes"];

fn c(source: &str) -> Source {
    compiled(source, "clang-19", &IR)
}

/// Runtimes with both forms of calls, optimised and not.
fn runtimes() -> Vec<Runtime> {
    let mut all = Vec::new();
    for form in [CallForm::Slot, CallForm::Stub] {
        for level in [OptLevel::O0, OptLevel::O2] {
            let builder = Runtime::builder().history(1).arena_size(64 << 20);
            all.push(builder.call_form(form).opt_level(level).build().unwrap());
        }
    }
    all
}

fn function(rt: &Runtime, name: &str) -> Function<extern "C" fn() -> i32> {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

fn call(rt: &Runtime, name: &str) -> i32 {
    function(rt, name).call()
}

#[test]
fn a_pointer_in_another_modules_table_follows_replacement_rollback_and_objects() {
    for rt in runtimes() {
        let text = |n: i32| {
            format!(
                "extern void put(int (*)(void)); static int value(void) {{ return {n}; }}
                 __attribute__((noinline)) static int large(void) {{ return value() + 100; }}
                 int offer(void) {{ put(value); return 0; }} int direct(void) {{ return large(); }}"
            )
        };
        rt.load("t", c("static int (*kept)(void); void put(int (*f)(void)) { kept = f; } int get(void) { return kept(); }"))
            .unwrap();
        rt.load("m", c(&text(1))).unwrap();
        _ = call(&rt, "offer");
        let both = || (call(&rt, "get"), call(&rt, "direct"));
        assert_eq!(both(), (1, 101));
        let report = rt.replace("m", c(&text(2))).unwrap();
        assert_eq!(both(), (2, 102));
        // Reports have plain names, and count what others can use.
        let module = &report.modules[0];
        assert_eq!(module.functions, 2);
        assert!(module.changed_functions.contains(&"value".to_owned()), "{module:?}");
        let all = format!("{report:?}");
        assert!(!all.contains("hotslot.local") && !all.contains('\0'), "{all}");
        rt.rollback("m", 1).unwrap();
        assert_eq!(both(), (1, 101));
        // An object's static function of that name is the same one.
        rt.replace("m", compiled(&text(3), "clang-19", &["-O1"])).unwrap();
        assert_eq!(both(), (3, 103));
        rt.replace("m", c(&text(4))).unwrap();
        assert_eq!(both(), (4, 104));
    }
}

#[test]
fn two_modules_have_static_functions_of_one_name() {
    for rt in runtimes() {
        let text = |name: &str, n: i32| {
            c(&format!(
                "__attribute__((noinline)) static int f(void) {{ return {n}; }} int {name}(void) {{ return f(); }}"
            ))
        };
        rt.load("a", text("a", 1)).unwrap();
        rt.load("b", text("b", 2)).unwrap();
        rt.load("c", c("int f(void) { return 3; } int c(void) { return f(); }")).unwrap();
        assert_eq!(["a", "b", "c"].map(|name| call(&rt, name)), [1, 2, 3]);
        rt.replace("a", text("a", 4)).unwrap();
        rt.remove("c").unwrap();
        assert_eq!(["a", "b"].map(|name| call(&rt, name)), [4, 2]);
        // Nobody finds one by its name, whichever that is.
        for name in ["f", "hotslot.local.f", "f\0a"] {
            // SAFETY: never called.
            assert!(unsafe { rt.function::<extern "C" fn() -> i32>(name) }.is_err(), "{name:?}");
        }
        // A reference of another module is no reference to them.
        let wants = rt.load("d", c("extern int f(void); int d(void) { return f(); }")).unwrap();
        assert_eq!(wants.undefined.len(), 1);
        assert_eq!(wants.undefined[0].symbol, "f");
    }
}

#[test]
fn a_removed_one_serves_its_address_and_holds_memory_only_then() {
    for rt in runtimes() {
        rt.load("t", c("static int (*kept)(void); void put(int (*f)(void)) { kept = f; } int get(void) { return kept(); }"))
            .unwrap();
        let taken = "extern void put(int (*)(void));
            __attribute__((noinline)) static int inner(void) { return 5; }
            static int given(void) { return inner() + 1; } int offer(void) { put(given); return 0; }";
        rt.load("m", c(taken)).unwrap();
        _ = call(&rt, "offer");
        rt.remove("m").unwrap();
        let by_address = |rt: &Runtime| {
            let pending = rt.pending();
            pending.len() == 1 && pending[0].kept_because.starts_with("the address of given was taken")
        };
        assert!(reclaimed(&rt, by_address), "{:?}", rt.pending());
        assert_eq!(call(&rt, "get"), 6);
        // Loaded again, it is the same function.
        rt.load("m", c(&taken.replace("return 5", "return 8"))).unwrap();
        assert_eq!(call(&rt, "get"), 9);
        // One that is only called ends with its module.
        rt.load(
            "n",
            c("__attribute__((noinline)) static int only(int x) { return x * 2; } int n(void) { return only(4); }"),
        )
        .unwrap();
        assert_eq!(call(&rt, "n"), 8);
        rt.remove("n").unwrap();
        assert!(reclaimed(&rt, |rt| rt.pending().iter().all(|p| p.module != "n")), "{:?}", rt.pending());
    }
}

/// A layer that stays may hold the last call of a function that is gone, in code that is dead.
#[test]
fn one_that_comes_changes_its_caller_and_goes_leaves_no_reference() {
    let texts = [
        "int other(void) { return 100; } int f(void) { return 1; }",
        "static int helper(int x) { return x * 2; } int other(void) { return 100; } int f(void) { return helper(2); }",
        "static int helper(int x) { return x * 2; } int other(void) { return 100; } int f(void) { return helper(2) + 1; }",
        "int other(void) { return 100; } int f(void) { return 6; }",
        "static int again(int x) { return x * 7; } int other(void) { return 100; } int f(void) { return again(1); }",
        "int other(void) { return 101; } int f(void) { return 8; }",
    ];
    let found = [1, 4, 5, 6, 7, 8];
    for rt in runtimes() {
        for flags in [&["-O0", "-emit-llvm"][..], &IR] {
            for (text, found) in texts.iter().zip(found) {
                let source = compiled(text, "clang-19", flags);
                let mut update = rt.update();
                match found {
                    1 => update.load("m", source),
                    _ => update.replace("m", source),
                };
                update.strict().commit().unwrap_or_else(|error| panic!("{found}: {error}"));
                assert_eq!(call(&rt, "f"), found);
                rt.settle();
                assert_eq!(call(&rt, "f"), found);
            }
            assert_eq!(call(&rt, "other"), 101);
            rt.remove("m").unwrap();
        }
    }
}

#[test]
fn a_static_function_may_change_its_type_with_its_callers() {
    for rt in runtimes() {
        let one =
            "__attribute__((noinline)) static int f(int x) { return x; } int run(void) { return f(1); }";
        let two = "__attribute__((noinline)) static int f(int x, const char *s, double d) { return x + s[1] + (int)d; }
            int run(void) { return f(1, \"ab\", 2.5); }";
        rt.load("m", c(one)).unwrap();
        assert_eq!(call(&rt, "run"), 1);
        rt.replace("m", c(two)).unwrap();
        assert_eq!(call(&rt, "run"), 101);
        rt.rollback("m", 1).unwrap();
        assert_eq!(call(&rt, "run"), 1);
    }
}

#[test]
fn recursion_tables_variable_arguments_and_tail_calls_work() {
    let source = "#include <stdarg.h>
        static int even(int n); static int odd(int n) { if (n == 0) return 0; __attribute__((musttail)) return even(n - 1); }
        static int even(int n) { if (n == 0) return 1; __attribute__((musttail)) return odd(n - 1); }
        int parity(void) { return even(1000000) * 10 + odd(7); }
        static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); } int fibs(void) { return fib(15); }
        static int sum(int n, ...) { va_list l; va_start(l, n); int s = 0; while (n--) s += va_arg(l, int); va_end(l); return s; }
        int sums(void) { return sum(3, 1, 2, 3) + sum(1, 30); }
        static int a(void) { return 1; } static int b(void) { return 2; }
        static int (*const table[])(void) = { a, b, a };
        int from(volatile int *i) { return table[*i](); }
        int tables(void) { volatile int i = 1; int s = from(&i); i = 2; return s * 10 + from(&i); }";
    for rt in runtimes() {
        rt.load("m", c(source)).unwrap();
        for again in 0..2 {
            assert_eq!(["parity", "fibs", "sums", "tables"].map(|name| call(&rt, name)), [11, 610, 36, 21]);
            let unoptimised = compiled(source, "clang-19", &["-O0", "-emit-llvm"]);
            rt.replace("m", if again == 0 { unoptimised } else { c(source) }).unwrap();
        }
    }
}

#[test]
fn exceptions_pass_functions_of_an_anonymous_namespace() {
    let source = |n: i32| {
        let text = format!(
            "namespace {{ struct Mine {{ int n; ~Mine() {{}} }}; struct Guard {{ int &n; ~Guard() {{ n += 1; }} }};
             void __attribute__((noinline)) thrower(int x) {{ throw Mine{{x}}; }}
             int __attribute__((noinline)) pass(int x) {{ int count = {n}; try {{ Guard g{{count}}; thrower(x); }}
               catch (Mine &m) {{ return m.n + count; }} return -1; }}
             struct Base {{ virtual int get() {{ return 1; }} virtual ~Base() {{}} }};
             struct Own : Base {{ int get() override {{ return {n}; }} }}; }}
             extern \"C\" int run() {{ return pass(100); }}
             static Base *object; extern \"C\" int make() {{ object = new Own; return 0; }}
             extern \"C\" int get() {{ return object->get(); }}"
        );
        compiled(&text, "clang++-19", &IR)
    };
    for rt in runtimes() {
        rt.load("m", source(5)).unwrap();
        assert_eq!(call(&rt, "run"), 106);
        _ = call(&rt, "make");
        rt.replace("m", source(20)).unwrap();
        assert_eq!((call(&rt, "run"), call(&rt, "get")), (121, 20));
    }
}

#[test]
fn initialisers_and_destructors_of_static_functions_run_once() {
    let source = |n: i32| {
        let text = format!(
            "namespace {{ struct Counted {{ int n; Counted() : n({n}) {{}} }}; }}
             int started; __attribute__((constructor)) static void start() {{ started++; }}
             static Counted counted; extern \"C\" int get() {{ return counted.n * 10 + started; }}"
        );
        compiled(&text, "clang++-19", &IR)
    };
    for rt in runtimes() {
        rt.load("m", source(4)).unwrap();
        assert_eq!(call(&rt, "get"), 41);
        rt.replace("m", source(7)).unwrap();
        assert_eq!(call(&rt, "get"), 41);
    }
}
