//! Addresses of static functions in objects where the assembler has filled them in: they are
//! stubs as all others, so they follow a replacement and keep no code.
#![allow(unsafe_code)] // handles to generated code are made with a promise
#![cfg(target_arch = "x86_64")]

#[path = "common/reclaimed.rs"]
mod reclaimed;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotslot::{Runtime, Source};
use reclaimed::all_reclaimed;

fn object(source: &str, compiler: &str, level: &str) -> Source {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("own_addresses");
    std::fs::create_dir_all(&dir).unwrap();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let out = dir.join(format!("{}-{number}.o", std::process::id()));
    let from = out.with_extension("c");
    std::fs::write(&from, source).unwrap();
    let mut command = Command::new(compiler);
    command.args(["-w", "-c", "-fPIC", level]).arg(&from).arg("-o").arg(&out);
    assert!(command.status().expect("the compiler is installed").success());
    let source = Source::from_path(&out).unwrap();
    std::fs::remove_file(&from).unwrap();
    std::fs::remove_file(&out).unwrap();
    source
}

fn call(rt: &Runtime, name: &str) -> i32 {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function::<extern "C" fn() -> i32>(name) }.unwrap().call()
}

const KINDS: [(&str, &str); 6] = [
    ("gcc", "-O0"),
    ("gcc", "-O1"),
    ("gcc", "-O2"),
    ("clang-19", "-O0"),
    ("clang-19", "-O1"),
    ("clang-19", "-O2"),
];

fn module(n: i32) -> String {
    format!(
        "typedef unsigned long size_t; void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
        int atexit(void (*)(void)); typedef int fn(void);
        static int compare(const void *a, const void *b) {{ return {n} % 2 ? *(int *)a - *(int *)b : *(int *)b - *(int *)a; }}
        int sorted(void) {{ int v[] = {{3, 1, 2}}; qsort(v, 3, sizeof *v, compare); return v[0] * 100 + v[1] * 10 + v[2]; }}
        static int value(void) {{ return {n}; }}
        static int other(void) {{ return -{n}; }}
        static fn *const table[] = {{other, value}}; static fn *variable = value;
        fn *volatile slot; static void at_end(void) {{ slot = 0; }}
        int store(void) {{ slot = value; return atexit(at_end); }}
        int stored(void) {{ return slot(); }}
        __attribute__((noinline)) static int same(fn *a, fn *b) {{ return a == b; }}
        fn *const *volatile words = table;
        int equal(void) {{ return same(slot, value) && same(words[1], value) && same(variable, value) && !same(words[0], value); }}"
    )
}

#[test]
fn static_functions_are_stubs_however_their_address_is_taken() {
    for (compiler, level) in KINDS {
        let rt = Runtime::builder().history(0).arena_size(64 << 20).build().unwrap();
        rt.load("m", object(&module(1), compiler, level)).unwrap();
        assert_eq!(call(&rt, "store"), 0);
        assert_eq!((call(&rt, "stored"), call(&rt, "equal"), call(&rt, "sorted")), (1, 1, 123));
        rt.replace("m", object(&module(2), compiler, level)).unwrap();
        // What the old code stored is the new code's function, and its address.
        assert_eq!(
            (call(&rt, "stored"), call(&rt, "equal"), call(&rt, "sorted")),
            (2, 1, 321),
            "{compiler} {level}"
        );
    }
}

#[test]
fn callbacks_keep_no_code() {
    for (compiler, level) in KINDS {
        let rt = Runtime::builder().history(0).arena_size(64 << 20).build().unwrap();
        let versions = [object(&module(1), compiler, level), object(&module(2), compiler, level)];
        rt.load("m", versions[0].clone()).unwrap();
        assert_eq!(call(&rt, "store"), 0);
        for round in 1..=200 {
            rt.replace("m", versions[round % 2].clone()).unwrap();
            if round % 20 < 2 {
                assert_eq!(call(&rt, "sorted"), if round % 2 == 0 { 123 } else { 321 });
                rt.reclaim();
            }
        }
        assert!(all_reclaimed(&rt), "{compiler} {level}: {:?}", rt.pending());
        assert_eq!((call(&rt, "stored"), call(&rt, "equal")), (1, 1));
    }
}
