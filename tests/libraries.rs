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

/// An archive of which `used` is needed by the module loaded with it.
fn partly_used(name: &str) -> (Runtime, PathBuf) {
    let members = [
        ("used.o", "int used(void) { return 1; }"),
        ("unused.o", "int unused(void) { return 2; }"),
        ("start.o", "int used(void); int start(void) { return used() + 10; }"),
    ];
    let path = archive(&place(name), "libparts.a", &members);
    let rt = runtime();
    rt.load("m", caller("call_used", "used")).unwrap();
    rt.load("lib", Source::from_path(&path).unwrap().on_demand()).unwrap();
    assert_eq!(modules(&rt), ["lib(used.o)", "m"]);
    (rt, path)
}

#[test]
fn an_archive_is_what_was_loaded_of_it() {
    let (rt, path) = partly_used("partly");
    let again = || Source::from_path(&path).unwrap().on_demand();
    assert_eq!(rt.load("lib", again()).unwrap_err().kind(), ErrorKind::Update);
    rt.replace("lib", again()).unwrap();
    assert_eq!(modules(&rt), ["lib(used.o)", "m"]);
    // What is needed by now comes with the replacement; the whole archive with another.
    rt.load("n", caller("call_unused", "unused")).unwrap();
    rt.replace("lib", again()).unwrap();
    assert_eq!(modules(&rt), ["lib(unused.o)", "lib(used.o)", "m", "n"]);
    assert_eq!((call(&rt, "call_used"), call(&rt, "call_unused")), (1, 2));
    rt.replace("lib", Source::from_path(&path).unwrap()).unwrap();
    assert_eq!(modules(&rt), ["lib(start.o)", "lib(unused.o)", "lib(used.o)", "m", "n"]);
    assert_eq!(rt.remove("lib").unwrap().removed.len(), 3);
    assert_eq!(modules(&rt), ["m", "n"]);
    rt.load("lib", again()).unwrap();
    assert_eq!(modules(&rt), ["lib(unused.o)", "lib(used.o)", "m", "n"]);
}

#[test]
fn a_removed_member_leaves_its_archive() {
    let (rt, path) = partly_used("member");
    rt.remove("lib(used.o)").unwrap();
    assert_eq!(modules(&rt), ["m"]);
    // Somebody else's module, though it has the name.
    rt.load("lib(used.o)", constant("used", 7)).unwrap();
    rt.remove("lib").unwrap();
    assert_eq!(modules(&rt), ["lib(used.o)", "m"]);
    assert_eq!(call(&rt, "call_used"), 7);
    assert_eq!(rt.remove("lib").unwrap_err().kind(), ErrorKind::Update);
    rt.remove("lib(used.o)").unwrap();
    rt.load("lib", Source::from_path(&path).unwrap()).unwrap();
    // A member replaced by hand is a member still.
    rt.replace("lib(used.o)", constant("used", 8)).unwrap();
    assert_eq!(call(&rt, "start"), 18);
    assert_eq!(rt.remove("lib").unwrap().removed.len(), 3);
}

#[test]
fn archives_and_modules_do_not_share_names() {
    let (rt, path) = partly_used("names");
    let source = || Source::from_path(&path).unwrap();
    assert_eq!(rt.load("lib", constant("x", 1)).unwrap_err().kind(), ErrorKind::Update);
    assert_eq!(rt.load("m", source()).unwrap_err().kind(), ErrorKind::Update);
    assert_eq!(rt.replace("m", source()).unwrap_err().kind(), ErrorKind::Update);
    let twice = rt.update().load("a", source().on_demand()).load("a", source().on_demand()).commit();
    assert!(twice.unwrap_err().to_string().contains("twice"));
    let both = rt.update().load("a", source().on_demand()).load("a", constant("x", 1)).commit();
    assert_eq!(both.unwrap_err().kind(), ErrorKind::Update);
    assert_eq!(modules(&rt), ["lib(used.o)", "m"]);
}

#[test]
fn of_two_threads_that_load_an_archive_one_does() {
    let path = archive(&place("threads"), "libonce.a", &[("once.o", "int once(void) { return 1; }")]);
    for _ in 0..20 {
        let rt = runtime();
        let load = || rt.load("lib", Source::from_path(&path).unwrap()).map(|_| ());
        let results =
            std::thread::scope(|scope| [scope.spawn(load), scope.spawn(load)].map(|t| t.join().unwrap()));
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        assert_eq!(rt.remove("lib").unwrap().removed, ["lib(once.o)"]);
    }
}

#[test]
fn what_is_wanted_is_pulled_in() {
    let (_, path) = partly_used("wanted");
    let source = || Source::from_path(&path).unwrap().on_demand();
    let rt = runtime();
    let mut update = rt.update();
    update.load("lib", source()).want("start").want("nowhere").strict();
    update.check().unwrap();
    update.commit().unwrap();
    assert_eq!(modules(&rt), ["lib(start.o)", "lib(used.o)"]);
    assert_eq!(call(&rt, "start"), 11);
    // Nothing is wanted unless somebody says so.
    let place = place("nobody");
    archive(&place, "libmain.a", &[("main.o", "int main(void) { return 3; }")]);
    let rt = runtime();
    rt.load("lib", Source::from_path(place.join("libmain.a")).unwrap().on_demand()).unwrap();
    assert_eq!(modules(&rt), [""; 0]);
}

#[test]
fn a_static_library_gives_more_when_more_is_needed() {
    let members =
        [("first.o", "int grow_1(void) { return 1; }"), ("second.o", "int grow_2(void) { return 2; }")];
    let place = place("grows");
    archive(&place, "libgrows.a", &members);
    let rt = runtime();
    let find = || rt.find_library("grows", std::slice::from_ref(&place)).unwrap();
    for (index, count) in [(0, 0), (1, 2), (2, 4)] {
        if index > 0 {
            rt.load(format!("m{index}"), caller(&format!("go_{index}"), &format!("grow_{index}"))).unwrap();
        }
        find();
        find();
        assert_eq!(modules(&rt).len(), count);
    }
    assert_eq!((call(&rt, "go_1"), call(&rt, "go_2")), (1, 2));
    let archive = place.join("libgrows.a").display().to_string();
    assert_eq!(rt.remove(archive).unwrap().removed.len(), 2);
}
