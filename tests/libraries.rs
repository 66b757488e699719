//! Libraries of a runtime: shared ones opened early and late, archives and their members,
//! linker scripts.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotslot::{ErrorKind, OptLevel, Runtime, Source};

/// A directory of its own for a test.
fn place(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libraries").join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn clang(flags: &[&str], text: &str, output: &Path) {
    let source = output.with_extension("c");
    std::fs::write(&source, text).unwrap();
    let mut command = Command::new("clang-19");
    command.args(["-O1", "-fPIC", "-w"]).args(flags).arg(&source).arg("-o").arg(output);
    assert!(command.status().unwrap().success());
    std::fs::remove_file(source).unwrap();
}

fn shared(place: &Path, file: &str, text: &str) -> PathBuf {
    let path = place.join(file);
    // The name keeps the dynamic linker from taking one test's library for another's.
    let name = format!("-Wl,-soname,{}", path.display());
    clang(&["-shared", &name], text, &path);
    path
}

fn archive(place: &Path, file: &str, members: &[(&str, &str)]) -> PathBuf {
    let path = place.join(file);
    let _ = std::fs::remove_file(&path);
    let mut command = Command::new("ar");
    command.arg("rcs").arg(&path);
    for (name, text) in members {
        clang(&["-c"], text, &place.join(name));
        command.arg(place.join(name));
    }
    assert!(command.status().unwrap().success());
    path
}

fn runtime() -> Runtime {
    Runtime::builder().opt_level(OptLevel::O1).arena_size(64 << 20).build().unwrap()
}

fn ir(text: &str) -> Source {
    Source::ir(text).trusted()
}

/// A function `name` that calls `callee`.
fn caller(name: &str, callee: &str) -> Source {
    ir(&format!(
        "declare i32 @{callee}()\ndefine i32 @{name}() {{\n %r = call i32 @{callee}()\n ret i32 %r\n}}"
    ))
}

fn constant(name: &str, value: i32) -> Source {
    ir(&format!("define i32 @{name}() {{ ret i32 {value} }}"))
}

fn call(rt: &Runtime, name: &str) -> i32 {
    // SAFETY: the tests define these functions with this type.
    unsafe { rt.function::<extern "C" fn() -> i32>(name) }.unwrap().call()
}

fn modules(rt: &Runtime) -> Vec<String> {
    let mut names: Vec<_> = rt.modules().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

#[test]
fn a_library_opened_late_serves_modules_loaded_before() {
    let place = place("late");
    let path = shared(
        &place,
        "liblate.so",
        "int late_value = 40; int late_f(void) { return 2; } int late_g(void) { return 3; }",
    );
    let rt = runtime();
    let text = "declare i32 @late_f()\n@late_value = external global i32\n\
        @hook = global ptr @late_f\n@at = global ptr @late_value\n\
        declare extern_weak i32 @late_g()\n\
        define i32 @direct() {\n %a = call i32 @late_f()\n %v = load i32, ptr @late_value\n %s = add i32 %a, %v\n ret i32 %s\n}\n\
        define i32 @through() {\n %f = load ptr, ptr @hook\n %a = call i32 %f()\n %p = load ptr, ptr @at\n %v = load i32, ptr %p\n %s = add i32 %a, %v\n ret i32 %s\n}\n\
        define i32 @weak() {\n %n = icmp eq ptr @late_g, null\n br i1 %n, label %no, label %yes\nno: ret i32 -1\nyes: %r = call i32 @late_g()\n ret i32 %r\n}";
    let report = rt.load("m", ir(text)).unwrap();
    assert_eq!(report.undefined.len(), 2, "{report:?}");
    assert_eq!(call(&rt, "weak"), -1);
    rt.open_library(&path).unwrap();
    assert_eq!((call(&rt, "direct"), call(&rt, "through"), call(&rt, "weak")), (42, 42, 3));
    // A module's own definition still comes first, and gives way again.
    rt.load("own", constant("late_f", 100)).unwrap();
    assert_eq!(call(&rt, "direct"), 140);
    rt.remove("own").unwrap();
    assert_eq!(call(&rt, "direct"), 42);
}

#[test]
fn constructors_of_a_library_may_use_the_runtime() {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn constructed() {
        let rt = RUNTIME.get().unwrap();
        let name = format!("of constructor {}", CALLS.fetch_add(1, Ordering::Relaxed));
        rt.load(name, constant("made", 1)).unwrap();
    }
    let place = place("constructor");
    let text = |value: i32| {
        let at = constructed as *const () as usize;
        format!(
            "__attribute__((constructor)) static void init(void) {{ ((void (*)(void)){at}ul)(); }} int busy{value}(void) {{ return {value}; }}"
        )
    };
    let rt = RUNTIME.get_or_init(runtime);
    rt.open_library(shared(&place, "libbusy1.so", &text(1))).unwrap();
    shared(&place, "libbusy2.so", &text(2));
    rt.find_library("busy2", std::slice::from_ref(&place)).unwrap();
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
    rt.load("m", caller("start", "busy2")).unwrap();
    assert_eq!(call(rt, "start"), 2);
}

#[test]
fn linker_scripts_are_followed() {
    let place = place("script");
    shared(&place, "libscript_x.so.1", "int script_x(void) { return 1; }");
    shared(&place, "libscript_y.so", "int script_y(void) { return 2; }");
    archive(&place, "libscript_z.a", &[("z.o", "int script_z(void) { return 3; }")]);
    let script = "/* INPUT(no.so) */ OUTPUT_FORMAT(elf64-x86-64)\nINPUT(libscript_x.so.1 AS_NEEDED ( -lscript_y ) -l:libscript_z.a)";
    std::fs::write(place.join("libscripted.so"), script).unwrap();
    let rt = runtime();
    for name in ["x", "y", "z"] {
        rt.load(name, caller(&format!("call_{name}"), &format!("script_{name}"))).unwrap();
    }
    rt.find_library("scripted", std::slice::from_ref(&place)).unwrap();
    assert_eq!(["x", "y", "z"].map(|name| call(&rt, &format!("call_{name}"))), [1, 2, 3]);

    let refused = [
        ("INPUT(libscript_none.so)", ErrorKind::Resolve, "libscript_none.so"),
        ("INPUT(-lscript_none)", ErrorKind::Resolve, "-lscript_none"),
        ("OUTPUT_FORMAT(elf64-x86-64)", ErrorKind::Read, "names one"),
        ("INPUT(-lrefused)", ErrorKind::Read, "without end"),
        ("", ErrorKind::Read, "names one"),
    ];
    for (script, kind, words) in refused {
        std::fs::write(place.join("librefused.so"), script).unwrap();
        let error = rt.find_library("refused", std::slice::from_ref(&place)).unwrap_err();
        assert_eq!(error.kind(), kind, "{script}: {error}");
        assert!(error.to_string().contains(words), "{script}: {error}");
    }
}

#[test]
fn the_highest_version_is_taken() {
    let place = place("versions");
    for version in ["9", "10", "2.50"] {
        let value = version.split('.').next().unwrap();
        shared(&place, &format!("libmany.so.{version}"), &format!("int many(void) {{ return {value}; }}"));
    }
    std::fs::write(place.join("libmany.so.11"), "not a library").unwrap();
    let rt = runtime();
    rt.load("m", caller("start", "many")).unwrap();
    rt.find_library("many", &[place]).unwrap();
    assert_eq!(call(&rt, "start"), 10);
}
