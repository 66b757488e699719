//! Constants outlive the code they came with: pointers to them stay good once the code is
//! freed, and loading the same again takes no more memory.
#![allow(unsafe_code)] // reads what generated code points to

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotslot::{Runtime, Source};

fn object(source: &str, compiler: &str, flags: &[&str]) -> Source {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("constants");
    std::fs::create_dir_all(&dir).unwrap();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let out = dir.join(format!("{}-{number}.o", std::process::id()));
    let from = out.with_extension(if compiler.contains("++") { "cc" } else { "c" });
    std::fs::write(&from, source).unwrap();
    let mut command = Command::new(compiler);
    command.args(["-w", "-c"]).args(flags).arg(&from).arg("-o").arg(&out);
    assert!(command.status().expect("the compiler is installed").success());
    let source = Source::from_path(&out).unwrap();
    std::fs::remove_file(&from).unwrap();
    std::fs::remove_file(&out).unwrap();
    source
}

fn runtime() -> Runtime {
    Runtime::builder().history(0).arena_size(64 << 20).build().unwrap()
}

fn call(rt: &Runtime, name: &str) -> i32 {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function::<extern "C" fn() -> i32>(name) }.unwrap().call()
}

fn call_with(rt: &Runtime, name: &str, n: i32) -> i32 {
    // SAFETY: as above.
    unsafe { rt.function::<extern "C" fn(i32) -> i32>(name) }.unwrap().call(n)
}

fn pointer<T>(rt: &Runtime, name: &str) -> *const T {
    // SAFETY: as above.
    unsafe { rt.function::<extern "C" fn() -> *const c_void>(name) }.unwrap().call().cast()
}

/// Frees what is retired and writes something else over it.
fn free(rt: &Runtime) {
    // SAFETY: no thread is in code of this runtime.
    unsafe { rt.free_retired() };
    let filler = "static int bulk[16384] = {1}; const int *filler(void) { return bulk; } const int over[16384] = {-1,-1,-1};";
    let code = "int pad(int x) { __asm__ volatile(\".fill 4096, 1, 0x90\"); return x; }";
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let names = |text: &str| {
        text.replace("filler", &format!("f{number}"))
            .replace("over", &format!("o{number}"))
            .replace("pad", &format!("p{number}"))
    };
    rt.load(
        format!("filler{number}"),
        object(&names(&format!("{filler}{code}")), "clang-19", &["-O1", "-fPIC"]),
    )
    .unwrap();
}

const FLAGS: &[&[&str]] = &[
    &["-O0", "-fPIC"],
    &["-O2", "-fPIC"],
    &["-O2", "-fPIC", "-ffunction-sections", "-fdata-sections"],
    &["-O2", "-fno-pic", "-mcmodel=large"],
];

/// Everything that C puts into read-only sections, beside a table for `switch`.
fn module(version: i32) -> String {
    format!(
        "struct rec {{ const char *name; int (*fn)(int); }};
        static int add(int x) {{ return x + {version}; }}
        static const int primes[] = {{2, 3, 5, 7, 11, 13, 17}};
        const struct rec recs[] = {{{{\"alpha\", add}}, {{\"beta\", add}}}};
        const char *literal(void) {{ return \"a literal\"; }}
        const int *table(void) {{ return primes; }}
        const struct rec *records(void) {{ return recs; }}
        int sum(void) {{ int n = 0; for (const int *p = primes; p < primes + 7; p++) n += *p; return n; }}
        int e(int); int pick(int x) {{ switch (x) {{ case 0: return e(3); case 1: return e(9) + {version};
        case 2: return e(1) + 4; case 3: return e(8) * 3; case 4: return e(77); case 5: return e(5) - 1; }} return 0; }}"
    )
}

#[repr(C)]
struct Rec {
    name: *const c_char,
    function: extern "C" fn(c_int) -> c_int,
}

#[test]
fn pointers_to_constants_outlive_the_code() {
    for compiler in ["clang-19", "gcc"] {
        for &flags in FLAGS {
            let rt = runtime();
            rt.load("e", object("int e(int x) { return x; }", compiler, &["-O1", "-fPIC"])).unwrap();
            rt.load("m", object(&module(100), compiler, flags)).unwrap();
            let (literal, table) = (pointer::<c_char>(&rt, "literal"), pointer::<c_int>(&rt, "table"));
            let records = pointer::<Rec>(&rt, "records");
            let picks = |n: i32| (0..7).map(|i| call_with(&rt, "pick", i)).eq([3, 9 + n, 5, 24, 77, 4, 0]);
            assert!(picks(100) && call(&rt, "sum") == 58);
            rt.replace("m", object(&module(200), compiler, flags)).unwrap();
            if compiler == "gcc" && flags.contains(&"-fno-pic") {
                // Its table for `switch` has whole addresses, as one of labels would: such
                // code is not freed.
                assert!(picks(200) && call(&rt, "sum") == 58);
                continue;
            }
            free(&rt);
            assert!(picks(200) && call(&rt, "sum") == 58, "{compiler} {flags:?}");
            assert_eq!(pointer::<c_int>(&rt, "table"), table, "the same table: {compiler} {flags:?}");
            rt.replace("m", object("int only(void) { return 1; }", compiler, flags)).unwrap();
            free(&rt);
            // SAFETY: this is what is tested.
            unsafe {
                assert_eq!(CStr::from_ptr(literal), c"a literal", "{compiler} {flags:?}");
                assert_eq!(std::slice::from_raw_parts(table, 7), [2, 3, 5, 7, 11, 13, 17]);
                assert_eq!(CStr::from_ptr((*records).name), c"alpha");
                assert_eq!(CStr::from_ptr((*records.add(1)).name), c"beta");
            }
            rt.replace("m", object(&module(300), compiler, flags)).unwrap();
            // SAFETY: the records name a function that is there again.
            assert_eq!(unsafe { ((*records).function)(1) }, 301, "{compiler} {flags:?}");
        }
    }
}

#[test]
fn an_object_with_a_vtable_outlives_its_class_and_follows_it() {
    let source = |n: i32| {
        format!(
            "void *operator new(unsigned long, void *at) noexcept {{ return at; }}
            struct base {{ virtual int f() = 0; virtual int g() {{ return 1; }} }};
            struct derived : base {{ int f() override {{ return {n}; }} }};
            static char room[64];
            extern \"C\" void *make() {{ return new (room) derived; }}
            extern \"C\" int use(base *b) {{ return b->f() + b->g(); }}"
        )
    };
    for compiler in ["clang++-19", "g++"] {
        for flags in [["-O0", "-fPIC"], ["-O2", "-fPIC"]] {
            let rt = runtime();
            let user = "struct base { virtual int f(); virtual int g(); }; extern \"C\" int use2(base *b) { return b->f() + b->g(); }";
            rt.load("user", object(user, compiler, &["-O1", "-fPIC"])).unwrap();
            rt.load("m", object(&source(10), compiler, &flags)).unwrap();
            let made = pointer::<c_void>(&rt, "make").cast_mut();
            // SAFETY: declared so above.
            let use_it = unsafe { rt.function::<extern "C" fn(*mut c_void) -> i32>("use2") }.unwrap();
            assert_eq!(use_it.call(made), 11);
            for n in 20..24 {
                rt.replace("m", object(&source(n), compiler, &flags)).unwrap();
                free(&rt);
                assert_eq!(use_it.call(made), n + 1, "{compiler} {flags:?}");
            }
        }
    }
}

#[test]
fn the_same_constants_take_no_more_memory() {
    for (compiler, flags) in [("clang-19", FLAGS[1]), ("gcc", FLAGS[1]), ("gcc", FLAGS[2])] {
        let rt = runtime();
        rt.load("e", object("int e(int x) { return x; }", compiler, FLAGS[1])).unwrap();
        let versions = [object(&module(1), compiler, flags), object(&module(2), compiler, flags)];
        rt.load("m", versions[0].clone()).unwrap();
        // SAFETY: no thread is in code of this runtime.
        let free = || unsafe { rt.free_retired() };
        for version in versions.iter().cycle().skip(1).take(3) {
            rt.replace("m", version.clone()).unwrap();
            free();
        }
        let before = rt.stats();
        for version in versions.iter().cycle().take(1000) {
            rt.replace("m", version.clone()).unwrap();
            free();
        }
        let mut after = rt.stats();
        assert_eq!(after, before, "{compiler} {flags:?}");
        for version in versions.iter().cycle().take(100) {
            rt.remove("m").unwrap();
            rt.load("m", version.clone()).unwrap();
            free();
        }
        after = rt.stats();
        assert_eq!(after.constant_bytes, before.constant_bytes, "{compiler} {flags:?}");
        assert_eq!(after.symbols, before.symbols, "{compiler} {flags:?}");
    }
}

#[test]
fn an_update_that_fails_leaves_no_constants() {
    let rt = runtime();
    rt.load("a", object("int a(void) { return 1; }", "clang-19", FLAGS[1])).unwrap();
    let before = rt.stats();
    let text = module(1);
    rt.update().load("m", object(&text, "clang-19", FLAGS[1])).check().unwrap();
    assert_eq!(rt.stats(), before);
    let strict = rt.update().strict().load("m", object(&text, "clang-19", FLAGS[1])).commit();
    assert!(strict.unwrap_err().to_string().contains("undefined symbol: e"));
    assert_eq!(rt.stats(), before);
}

#[test]
fn modules_of_one_update_share_and_follow() {
    let source = |name: &str| {
        format!(
            "extern const int shared[]; const int *const at_{name}[] = {{ shared, shared + 1 }}; int get_{name}(void) {{ return *at_{name}[1]; }}"
        )
    };
    let rt = runtime();
    let shared = |n: i32| object(&format!("const int shared[] = {{1, {n}}};"), "clang-19", FLAGS[1]);
    let mut update = rt.update();
    // Its user comes first, so the address is known only later.
    update.load("a", object(&source("a"), "clang-19", FLAGS[0]));
    update.load("s", shared(5)).load("b", object(&source("b"), "clang-19", FLAGS[0]));
    update.commit().unwrap();
    assert_eq!((call(&rt, "get_a"), call(&rt, "get_b")), (5, 5));
    let before = rt.stats();
    rt.replace("a", object(&source("a"), "clang-19", FLAGS[0])).unwrap();
    // SAFETY: no thread is in code of this runtime.
    unsafe { rt.free_retired() };
    assert_eq!(rt.stats(), before);
    // A new value has a new address; a module that is linked again uses it.
    let mut update = rt.update();
    update.replace("s", shared(6)).replace("a", object(&source("a"), "clang-19", FLAGS[0]));
    update.commit().unwrap();
    assert_eq!((call(&rt, "get_a"), call(&rt, "get_b")), (6, 5));
}

#[test]
fn readers_of_a_named_constant_see_its_new_value() {
    let rt = runtime();
    let named = |n: i32| {
        object(&format!("const int limit = {n}; const char title[] = \"v{n}\";"), "clang-19", FLAGS[1])
    };
    rt.load("named", named(3)).unwrap();
    let reader =
        "extern const int limit; extern const char title[]; int get(void) { return limit * 100 + title[1]; }";
    rt.load("reader", object(reader, "clang-19", FLAGS[1])).unwrap();
    assert_eq!(call(&rt, "get"), 300 + i32::from(b'3'));
    rt.replace("named", named(4)).unwrap();
    assert_eq!(call(&rt, "get"), 400 + i32::from(b'4'));
    rt.replace("named", named(3)).unwrap();
    assert_eq!(call(&rt, "get"), 300 + i32::from(b'3'));
}

#[test]
fn a_word_that_waits_in_a_constant_outlives_its_module() {
    let rt = runtime();
    let waiting = "extern int late; int *const where[] = { &late }; int *const *at(void) { return where; }";
    rt.load("w", object(waiting, "clang-19", FLAGS[1])).unwrap();
    let at = pointer::<*const c_int>(&rt, "at");
    rt.replace("w", object("int nothing;", "clang-19", FLAGS[1])).unwrap();
    free(&rt);
    rt.load("late", object("int late = 7;", "clang-19", FLAGS[1])).unwrap();
    // SAFETY: this is what is tested.
    assert_eq!(unsafe { **at }, 7);
    // What was made while it waited is not taken for what is made once it is gone again.
    rt.remove("late").unwrap();
    rt.replace("w", object(waiting, "clang-19", FLAGS[1])).unwrap();
    let again = pointer::<*const c_int>(&rt, "at");
    // SAFETY: the same.
    assert!(unsafe { (*again).is_null() });
    rt.load("late", object("int late = 8;", "clang-19", FLAGS[1])).unwrap();
    // SAFETY: the same.
    assert_eq!(unsafe { **again }, 8);
}

#[test]
fn computed_gotos_and_tables_stay_with_their_code() {
    let source = |n: i32| {
        format!(
            "static const char text[] = \"kept\"; const char *text_at(void) {{ return text; }}
            int run(const char *p) {{ static const void *const l[] = {{&&a, &&b, &&c}}; int n = 0;
            goto *l[*p++ - '0']; a: n += {n}; goto *l[*p++ - '0']; b: n *= 2; goto *l[*p++ - '0']; c: return n; }}
            int start(void) {{ return run(\"00101012\"); }}"
        )
    };
    let expected = |n: i32| "0010101".bytes().fold(0, |sum, c| if c == b'0' { sum + n } else { sum * 2 });
    for compiler in ["clang-19", "gcc"] {
        for &flags in FLAGS {
            let rt = runtime();
            for n in 1..5 {
                let source = object(&source(n), compiler, flags);
                if n == 1 { rt.load("m", source) } else { rt.replace("m", source) }.unwrap();
                assert_eq!(call(&rt, "start"), expected(n), "{compiler} {flags:?}");
            }
        }
    }
}

#[test]
fn bounds_of_a_section_lead_to_one_copy_of_it() {
    let source = |n: i32| {
        format!(
            "#define REC(n) static const int r##n __attribute__((section(\"recs\"), used)) = n;
            REC(1) REC(2) REC(3)
            extern const int __start_recs[], __stop_recs[];
            int total(void) {{ int n = {n}; for (const int *p = __start_recs; p < __stop_recs; p++) n += *p; return n; }}"
        )
    };
    for compiler in ["clang-19", "gcc"] {
        let rt = runtime();
        rt.load("m", object(&source(0), compiler, FLAGS[1])).unwrap();
        assert_eq!(call(&rt, "total"), 6);
        rt.replace("m", object(&source(10), compiler, FLAGS[1])).unwrap();
        free(&rt);
        assert_eq!(call(&rt, "total"), 16);
    }
}

#[test]
fn exceptions_find_their_types_after_a_replacement() {
    let thrower =
        "struct err { int n; }; extern \"C\" void raise_it(int n) { if (n == 3) throw 7; throw err{n}; }";
    let catcher = |n: i32| {
        format!(
            "struct err {{ int n; }}; extern \"C\" void raise_it(int); extern \"C\" int caught(int x) {{
            try {{ raise_it(x); }} catch (const err &e) {{ return e.n + {n}; }} catch (int i) {{ return i; }} return -1; }}"
        )
    };
    for compiler in ["clang++-19", "g++"] {
        for flags in [["-O0", "-fPIC"], ["-O2", "-fPIC"]] {
            let rt = runtime();
            rt.load("t", object(thrower, compiler, &flags)).unwrap();
            rt.load("c", object(&catcher(0), compiler, &flags)).unwrap();
            for n in 1..4 {
                assert_eq!((call_with(&rt, "caught", 5), call_with(&rt, "caught", 3)), (4 + n, 7));
                rt.replace("c", object(&catcher(n), compiler, &flags)).unwrap();
                rt.replace("t", object(thrower, compiler, &flags)).unwrap();
                free(&rt);
            }
        }
    }
}

#[test]
fn constants_with_names_have_addresses_of_their_own() {
    let source = |name: &str| {
        format!(
            "static const int key = 0; static const int other = 0; const int *{name}(void) {{ return &key; }}
            const int *{name}2(void) {{ return &other; }} const char *{name}3(void) {{ return \"text\"; }}
            const int *{name}4(int x) {{ if (x) {{ static const int in = 5; return &in; }} static const int in = 5; return &in; }}"
        )
    };
    for compiler in ["clang-19", "gcc"] {
        for &flags in FLAGS {
            let rt = runtime();
            let objects = ["a", "b"].map(|name| (name, object(&source(name), compiler, flags)));
            for (name, object) in &objects {
                rt.load(*name, object.clone()).unwrap();
            }
            let all = || {
                let mut all: Vec<*const c_int> =
                    ["a", "a2", "b", "b2"].iter().map(|name| pointer(&rt, name)).collect();
                for name in ["a4", "b4"] {
                    // SAFETY: the test defines it with this type.
                    let four = unsafe { rt.function::<extern "C" fn(i32) -> *const c_int>(name) }.unwrap();
                    all.extend([four.call(0), four.call(1)]);
                }
                all
            };
            let first = all();
            let different: std::collections::HashSet<_> = first.iter().collect();
            assert_eq!(different.len(), 8, "{compiler} {flags:?}");
            if flags.contains(&"-fdata-sections") {
                assert_eq!(pointer::<c_char>(&rt, "a3"), pointer::<c_char>(&rt, "b3"));
            }
            let before = rt.stats().constant_bytes;
            for (name, object) in &objects {
                rt.replace(*name, object.clone()).unwrap();
                rt.remove(*name).unwrap();
                rt.load(*name, object.clone()).unwrap();
            }
            free(&rt);
            assert_eq!(all(), first, "{compiler} {flags:?}");
            // SAFETY: no thread is in code of this runtime.
            unsafe { rt.free_retired() };
            let filler = 4 * 16384;
            assert!(rt.stats().constant_bytes < before + filler + 4096, "{compiler} {flags:?}");
        }
    }
}

#[test]
fn keys_of_a_registry_by_address_are_not_mixed_up() {
    // As Lua's registry: what is stored under the address of one module's static is not found
    // under that of another's.
    let registry = "static const void *keys[8]; static int values[8]; static int n;
        void put(const void *k, int v) { for (int i = 0; i < n; i++) if (keys[i] == k) { values[i] = v; return; } keys[n] = k; values[n++] = v; }
        int get(const void *k) { for (int i = 0; i < n; i++) if (keys[i] == k) return values[i]; return -1; }";
    let user = |key: &str, n: i32| {
        format!(
            "static const int {key} = 0; void put(const void *, int); int get(const void *);
            int set_{n}(void) {{ put(&{key}, {n}); return 0; }} int get_{n}(void) {{ return get(&{key}); }}"
        )
    };
    for flags in [FLAGS[0], FLAGS[1], FLAGS[2]] {
        let rt = runtime();
        rt.load("r", object(registry, "gcc", flags)).unwrap();
        rt.load("loadlib", object(&user("CLIBS", 1), "gcc", flags)).unwrap();
        rt.load("ldblib", object(&user("HOOKKEY", 2), "gcc", flags)).unwrap();
        // The same name again.
        rt.load("third", object(&user("HOOKKEY", 3), "gcc", flags)).unwrap();
        for n in 1..4 {
            call(&rt, &format!("set_{n}"));
        }
        // A new generation finds what its predecessor stored.
        rt.replace("ldblib", object(&user("HOOKKEY", 2), "gcc", flags)).unwrap();
        for n in 1..4 {
            assert_eq!(call(&rt, &format!("get_{n}")), n, "{flags:?}");
        }
    }
}

#[test]
fn template_tags_are_told_apart_and_one_for_all_modules() {
    let source = |name: &str| {
        format!(
            "template<class T> inline constexpr char tag{{}}; inline const int shared = 3;
            extern \"C\" const void *{name}_int() {{ return &tag<int>; }}
            extern \"C\" const void *{name}_float() {{ return &tag<float>; }}
            extern \"C\" const void *{name}_shared() {{ return &shared; }}"
        )
    };
    for compiler in ["clang++-19", "g++"] {
        for flags in [["-std=c++17", "-O0", "-fPIC"], ["-std=c++17", "-O2", "-fPIC"]] {
            let rt = runtime();
            rt.load("a", object(&source("a"), compiler, &flags)).unwrap();
            rt.load("b", object(&source("b"), compiler, &flags)).unwrap();
            let at = |name: &str| pointer::<c_void>(&rt, name);
            assert_ne!(at("a_int"), at("a_float"), "{compiler} {flags:?}");
            for name in ["int", "float", "shared"] {
                let (a, b) = (at(&format!("a_{name}")), at(&format!("b_{name}")));
                assert_eq!(a, b, "{name} {compiler} {flags:?}");
            }
            let before = at("a_int");
            rt.replace("a", object(&source("a"), compiler, &flags)).unwrap();
            assert_eq!(at("a_int"), before);
        }
    }
}
