//! What is left of old generations: kept variables and what they point to, exit handlers,
//! shared variables, symbols that nobody uses any more.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotslot::{ErrorKind, Function, Runtime, Source};

/// An object of `source`, from clang with `flags`.
fn object(source: &str, compiler: &str, flags: &[&str]) -> Source {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("generations");
    std::fs::create_dir_all(&dir).unwrap();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let out = dir.join(format!("{}-{number}.o", std::process::id()));
    let from = out.with_extension(if compiler.contains("++") { "cc" } else { "c" });
    std::fs::write(&from, source).unwrap();
    let status = Command::new(compiler)
        .args(["-O1", "-fPIC", "-w", "-c"])
        .args(flags)
        .arg(&from)
        .arg("-o")
        .arg(&out)
        .status();
    assert!(status.expect("the compiler is installed").success());
    let source = Source::from_path(&out).unwrap();
    std::fs::remove_file(&from).unwrap();
    std::fs::remove_file(&out).unwrap();
    source
}

fn c(source: &str) -> Source {
    object(source, "clang-19", &[])
}

fn cxx(source: &str) -> Source {
    object(source, "clang++-19", &["-std=c++17"])
}

fn runtime() -> Runtime {
    Runtime::builder().history(0).arena_size(64 << 20).build().unwrap()
}

fn function(rt: &Runtime, name: &str) -> Function<extern "C" fn() -> i32> {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

fn call(rt: &Runtime, name: &str) -> i32 {
    function(rt, name).call()
}

#[test]
fn a_kept_pointer_to_a_static_function_follows_the_replacement() {
    let rt = runtime();
    let source = |n: i32| {
        c(&format!(
            "static int handler(void) {{ return {n}; }} int (*hook)(void) = handler; int run(void) {{ return hook(); }}"
        ))
    };
    rt.load("m", source(1)).unwrap();
    let run = function(&rt, "run");
    assert_eq!(run.call(), 1);
    rt.replace("m", source(2)).unwrap();
    assert_eq!(run.call(), 2);
    // The function goes; the pointer, which is kept, still leads to its last body.
    rt.replace("m", c("int (*hook)(void); int run(void) { return hook() + 10; }")).unwrap();
    assert_eq!(run.call(), 12);
}

#[test]
fn a_word_in_kept_storage_goes_on_waiting() {
    let rt = runtime();
    let source = || c("extern int late(void); int (*fp)(void) = late; int run(void) { return fp(); }");
    rt.load("a", source()).unwrap();
    rt.replace("a", source()).unwrap();
    rt.load("l", c("int late(void) { return 3; }")).unwrap();
    assert_eq!(call(&rt, "run"), 3);
}

#[test]
fn only_a_whole_word_waits() {
    let rt = runtime();
    let source =
        object(".data\n.globl words\nwords: .long later, 0x11223344\n", "clang-19", &["-x", "assembler"]);
    let error = rt.load("m", source).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resolve);
    let text = error.to_string();
    assert!(text.contains("later") && text.contains("R_X86_64_32"), "{text}");
    let text =
        rt.load("t", c("extern int late(void); __thread int (*fp)(void) = late;")).unwrap_err().to_string();
    assert!(text.contains("late"), "{text}");
}

#[test]
fn destructors_of_what_was_removed_run_at_the_end() {
    let rt = runtime();
    static RAN: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn note() {
        RAN.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: declared with this type below.
    unsafe { rt.define_function("note", note as *const std::ffi::c_void).unwrap() };
    let removed = "void note(void); __attribute__((destructor)) static void bye(void) { note(); }";
    rt.load("removed", c(removed)).unwrap();
    rt.remove("removed").unwrap();
    let object = "extern \"C\" void note(); struct A { ~A() { note(); } }; static A a; struct B { ~B(); }; B::~B() { note(); } static B b;";
    rt.load("replaced", cxx(object)).unwrap();
    rt.replace("replaced", c("int nothing;")).unwrap();
    drop(rt);
    assert_eq!(RAN.load(Ordering::Relaxed), 3);
}

#[test]
fn common_variables_are_as_large_as_the_largest() {
    let common = |source: &str| object(source, "clang-19", &["-fcommon"]);
    let small = || common("char buf[8]; char *at_a(void) { return buf; } int victim = 7;");
    let large = || {
        common(
            "char buf[4096]; extern int victim; void *memset(void *, int, unsigned long);\n\
             int fill(void) { memset(buf, 0x41, sizeof buf); return victim; }",
        )
    };
    for order in [["small", "large"], ["large", "small"]] {
        let rt = runtime();
        let mut update = rt.update();
        for name in order {
            update.load(name, if name == "small" { small() } else { large() });
        }
        update.commit().unwrap();
        assert_eq!(call(&rt, "fill"), 7);
    }
    let rt = runtime();
    rt.load("small", small()).unwrap();
    let error = rt.load("large", large()).unwrap_err();
    assert!(error.to_string().contains("buf") && error.to_string().contains("4096"), "{error}");
}

#[test]
fn an_indirect_function_is_replaced_while_its_resolver_calls_it() {
    let rt = runtime();
    let source = |chosen: &str, n: i32, check: &str| {
        c(&format!(
            "static int {chosen}(void) {{ return {n}; }} int foo(void); int call(void);\n\
             static void *res(void) {{ {check} return {chosen}; }}\n\
             int foo(void) __attribute__((ifunc(\"res\"))); int call(void) {{ return foo(); }}"
        ))
    };
    rt.load("m", source("plain", 1, "")).unwrap();
    assert_eq!(call(&rt, "call"), 1);
    // Until the resolver has run calls go where they went: to `plain`, which is new already,
    rt.replace("m", source("plain", 2, "if (call() != 2) __builtin_trap();")).unwrap();
    assert_eq!(call(&rt, "call"), 2);
    // or is no more, and serves whoever was told of it.
    rt.replace("m", source("other", 3, "if (call() != 2) __builtin_trap();")).unwrap();
    assert_eq!(call(&rt, "call"), 3);
}

#[test]
fn a_shared_thread_local_outlives_the_module_it_came_from() {
    let rt = runtime();
    let source =
        |n: &str| cxx(&format!("inline thread_local int x = 7; extern \"C\" int get{n}() {{ return x++; }}"));
    rt.load("a", source("a")).unwrap();
    rt.load("b", source("b")).unwrap();
    assert_eq!((call(&rt, "geta"), call(&rt, "getb")), (7, 8));
    rt.remove("a").unwrap();
    // SAFETY: no other thread is in code of this runtime.
    unsafe { rt.free_retired() };
    assert_eq!(call(&rt, "getb"), 9);
}

#[test]
fn a_shared_variable_ends_with_its_last_module() {
    let rt = runtime();
    let source = || cxx("inline int n = 0; extern \"C\" int inc() { return ++n; }");
    rt.load("a", source()).unwrap();
    assert_eq!(call(&rt, "inc"), 1);
    rt.replace("a", source()).unwrap();
    assert_eq!(call(&rt, "inc"), 2);
    rt.remove("a").unwrap();
    rt.load("a", source()).unwrap();
    assert_eq!(call(&rt, "inc"), 1);
}

#[test]
fn a_weak_reference_is_zero_again_once_its_strong_companion_is_gone() {
    let rt = runtime();
    rt.load("a", c("int foo(void); int calla(void) { return foo(); }")).unwrap();
    rt.remove("a").unwrap();
    rt.load("b", c("__attribute__((weak)) int foo(void); int callb(void) { return foo ? foo() : -1; }"))
        .unwrap();
    assert_eq!(call(&rt, "callb"), -1);
    rt.load("c", c("int foo(void) { return 5; }")).unwrap();
    assert_eq!(call(&rt, "callb"), 5);
    rt.remove("c").unwrap();
    assert_eq!(call(&rt, "callb"), -1);
}

#[test]
fn two_functions_use_one_thread_local_of_a_library() {
    let rt = runtime();
    let library =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("libforeign-{}.so", std::process::id()));
    let c_file = library.with_extension("c");
    std::fs::write(&c_file, "__thread int foreign = 11;").unwrap();
    let status =
        Command::new("clang-19").args(["-shared", "-fPIC"]).arg(&c_file).arg("-o").arg(&library).status();
    assert!(status.unwrap().success());
    rt.open_library(&library).unwrap();
    std::fs::remove_file(&library).unwrap();
    std::fs::remove_file(&c_file).unwrap();
    rt.load("m", c("extern __thread int foreign; int get(void) { return foreign; } int add(void) { return ++foreign; }"))
        .unwrap();
    assert_eq!((call(&rt, "get"), call(&rt, "add"), call(&rt, "get")), (11, 12, 12));
}

#[test]
fn names_that_nobody_uses_make_room() {
    let rt = Runtime::builder().history(0).arena_size(4 << 20).build().unwrap();
    // More than the table of so small an arena has room for.
    for number in 0..6000 {
        let text = format!("define i32 @f{number}() {{ ret i32 {number} }}");
        rt.load("m", Source::ir(text).trusted()).unwrap();
        rt.remove("m").unwrap();
        // SAFETY: nothing of this runtime runs.
        unsafe { rt.free_retired() };
    }
    let stats = rt.stats();
    assert!(stats.modules == 0 && stats.symbols < 100, "{stats:?}");
}

#[test]
fn a_removal_needs_no_memory() {
    let rt = Runtime::builder().history(0).arena_size(4 << 20).build().unwrap();
    rt.load("m", c("int f(void) { return 1; } int g(void) { return 2; }")).unwrap();
    let mut number = 0;
    for size in [100_000, 1000, 10, 1] {
        // Fills the code space to the last granule.
        let bulk = format!("void bulk{{}}(void) {{ __asm__ volatile(\".fill {size}, 1, 0x90\"); }}");
        let source = c(&bulk.replace("{}", "_N"));
        while rt.load(format!("bulk{number}"), source.clone()).is_ok() {
            number += 1;
        }
    }
    rt.remove("m").unwrap();
    assert_eq!(rt.address_of("f").unwrap_err().kind(), ErrorKind::Resolve);
}

#[test]
fn a_bool_is_told_from_a_short() {
    let rt = runtime();
    rt.load("m", Source::ir("define i8 @f(i16 %a) { ret i8 1 }").trusted()).unwrap();
    // SAFETY: never called.
    unsafe {
        rt.function::<extern "C" fn(i16) -> bool>("f").unwrap();
        assert_eq!(rt.function::<extern "C" fn(i64) -> bool>("f").unwrap_err().kind(), ErrorKind::Signature);
    }
}

#[test]
fn a_child_of_fork_leaves_its_parents_modules_alone() {
    let rt = runtime();
    rt.load("m", c("int f(void) { return 1; }")).unwrap();
    let replacement = c("int f(void) { return 2; }");
    // SAFETY: the child calls into the library only, and ends by _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = rt.replace("m", replacement).is_err_and(|e| e.kind() == ErrorKind::Memory);
        let same = call(&rt, "f") == 1;
        drop(rt);
        // SAFETY: ends the child.
        unsafe { libc::_exit(if refused && same { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: our own child.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:#x}");
    assert_eq!(call(&rt, "f"), 1);
}

#[test]
fn a_check_leaves_nothing_behind_beside_loaded_modules() {
    let rt = runtime();
    rt.load("f", c("int f(void) { return 1; }")).unwrap();
    rt.load("g", c("int f(void); int g(void) { return f(); }")).unwrap();
    let before = rt.stats();
    // Without `f` a call of it needs a thunk that names it.
    rt.update().remove("f").load("h", c("int i(void); int h(void) { return i(); }")).check().unwrap();
    assert_eq!(rt.stats(), before);
    assert_eq!(call(&rt, "g"), 1);
}

#[test]
fn an_alias_of_an_alias_can_be_replaced_by_a_function() {
    let aliases = "@d1 = alias i32 (), ptr @d2\n @d2 = alias i32 (), ptr @base
        define i32 @base() { ret i32 1 }\n define i32 @use() { %r = call i32 @d1() ret i32 %r }";
    let functions =
        "define i32 @base() { ret i32 1 }\n define i32 @d2() { ret i32 2 }\n define i32 @d1() { ret i32 3 }";
    let rt = runtime();
    rt.load("m", Source::ir(aliases)).unwrap();
    let outside = "declare i32 @d1()\n define i32 @outside() { %r = call i32 @d1() ret i32 %r }";
    rt.load("n", Source::ir(outside)).unwrap();
    assert_eq!((call(&rt, "use"), call(&rt, "outside"), call(&rt, "d2")), (1, 1, 1));
    rt.replace("m", Source::ir(functions)).unwrap();
    assert_eq!((call(&rt, "outside"), call(&rt, "d2"), call(&rt, "base")), (3, 2, 1));
}

#[test]
fn a_module_whose_own_variable_another_takes_over_is_reported() {
    let rt = runtime();
    let reader = c("int x = 1; int get(void) { return x; }");
    rt.load("reader", reader.clone()).unwrap();
    let stale = |report: hotslot::Report| {
        let all = report.stale.into_iter().map(|stale| (stale.symbol, stale.module));
        all.collect::<Vec<_>>()
    };
    let over = stale(rt.load("over", c("int x = 2;")).unwrap());
    assert_eq!(over, [("x".to_owned(), "reader".to_owned())]);
    // It is the one to be read again.
    assert_eq!(stale(rt.remove("over").unwrap()), []);
    assert_eq!(call(&rt, "get"), 1);
    assert_eq!(stale(rt.replace("reader", reader).unwrap()), []);
}

#[test]
fn code_with_the_offset_of_a_thread_local_is_reported_when_that_moves() {
    let rt = runtime();
    let user =
        object("extern __thread int t; int get(void) { return t; }", "gcc", &["-ftls-model=initial-exec"]);
    let owner = |n: i32| c(&format!("__thread int t = {n};"));
    rt.update().load("owner", owner(1)).load("user", user).commit().unwrap();
    assert_eq!(call(&rt, "get"), 1);
    assert!(rt.replace("owner", owner(1)).unwrap().stale.is_empty());
    let stale = rt.load("other", owner(2)).unwrap().stale;
    assert_eq!(stale.len(), 1);
    assert_eq!((&*stale[0].symbol, &*stale[0].module), ("t", "user"));
}
