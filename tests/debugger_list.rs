//! What debuggers are told of, read from the process's own list.
#![allow(unsafe_code)] // the list is a C structure, and its functions are called by address

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use hotslot::{OptLevel, Runtime, Source};

#[path = "common/clang.rs"]
mod clang;

#[repr(C)]
struct Entry {
    next: *const Entry,
    previous: *const Entry,
    file: *const u8,
    size: u64,
}

#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *const Entry,
    first: *const Entry,
}

/// The functions that a file has call frame information of.
fn framed(file: &object::File<'_>) -> BTreeSet<u64> {
    use gimli::UnwindSection as _;
    use object::{Object as _, ObjectSection as _};
    let section = file.section_by_name(".eh_frame").expect("all of them have some");
    let frames = gimli::EhFrame::new(section.data().unwrap(), gimli::LittleEndian);
    let bases = gimli::BaseAddresses::default().set_eh_frame(section.address());
    let mut entries = frames.entries(&bases);
    let mut found = BTreeSet::new();
    while let Some(entry) = entries.next().unwrap() {
        if let gimli::CieOrFde::Fde(partial) = entry {
            let fde = partial.parse(|section, bases, at| section.cie_from_offset(bases, at)).unwrap();
            found.insert(fde.initial_address());
        }
    }
    found
}

/// The names of functions in each file that a debugger would be told of, and their addresses.
fn registered() -> Vec<Vec<(String, u64)>> {
    use object::{Object as _, ObjectSymbol as _};
    // SAFETY: a name with a terminator.
    let descriptor = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__jit_debug_descriptor".as_ptr()) };
    assert!(!descriptor.is_null());
    let mut files = Vec::new();
    // SAFETY: the form of the interface; nothing changes it meanwhile.
    unsafe {
        let mut next = (*descriptor.cast::<Descriptor>()).first;
        while let Some(entry) = next.as_ref() {
            let bytes = std::slice::from_raw_parts(entry.file, entry.size as usize);
            let file = object::File::parse(bytes).unwrap();
            let symbols = file.symbols().map(|s| (s.name().unwrap().to_owned(), s.address()));
            let functions: Vec<_> = symbols.filter(|(name, _)| !name.is_empty()).collect();
            assert_eq!(framed(&file), functions.iter().map(|(_, at)| *at).collect::<BTreeSet<u64>>());
            files.push(functions);
            next = entry.next;
        }
    }
    files
}

fn sorted(files: &[Vec<(String, u64)>]) -> Vec<Vec<&str>> {
    let mut all: Vec<Vec<&str>> = Vec::new();
    for file in files {
        let mut names: Vec<&str> = file.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        all.push(names);
    }
    all.sort();
    all
}

/// The list is the process's.
static LIST: Mutex<()> = Mutex::new(());

fn module(name: &str, value: i32) -> Source {
    Source::ir(format!(
        "define i32 @{name}() uwtable {{ ret i32 {value} }} define i32 @{name}_2() uwtable {{ ret i32 0 }}"
    ))
}

fn call_all(files: &[Vec<(String, u64)>]) {
    for (name, address) in files.iter().flatten().filter(|(name, _)| name.starts_with('c')) {
        // SAFETY: all of these functions have this type.
        let code = unsafe { std::mem::transmute::<u64, extern "C" fn() -> i32>(*address) };
        let value = name.strip_suffix("_2").map_or_else(|| name[1..].parse().unwrap(), |_| 0);
        assert_eq!(code(), value, "{name}");
    }
}

#[test]
fn files_end_with_the_code_they_are_of() {
    let _one_at_a_time = LIST.lock().unwrap_or_else(|e| e.into_inner());
    let rt = Runtime::builder().arena_size(16 << 20).debugger(true).history(0).tiered(false).build().unwrap();
    rt.update().load("a", module("a", 1)).load("b", module("b", 1)).commit().unwrap();
    // One file an update.
    assert_eq!(sorted(&registered()), [["a", "a_2", "b", "b_2"]]);
    rt.replace("a", module("a", 2)).unwrap();
    // `a_2` is the code of before.
    assert_eq!(sorted(&registered()), [vec!["a"], vec!["a", "a_2", "b", "b_2"]]);
    rt.remove("a").unwrap();
    rt.reclaim();
    assert_eq!(sorted(&registered()), [["b", "b_2"]]);
    let before = registered();
    // A refused update tells nobody.
    rt.replace("b", Source::ir("define i32 @b( {")).unwrap_err();
    drop(rt.update().replace("b", module("b", 3)).prepare().unwrap());
    assert_eq!(registered(), before);
    // Many files become few.
    for value in 0..100 {
        rt.load(format!("c{value}"), module(&format!("c{value}"), value)).unwrap();
    }
    let files = registered();
    assert!(files.len() < 25, "{} files", files.len());
    assert_eq!(files.iter().map(Vec::len).sum::<usize>(), 202);
    // On a stack that is gone when threads are asked.
    std::thread::spawn(move || call_all(&files)).join().unwrap();
    for value in 0..100 {
        rt.remove(format!("c{value}")).unwrap();
    }
    rt.reclaim();
    assert_eq!(sorted(&registered()), [["b", "b_2"]]);
    drop(rt);
    assert!(registered().is_empty());
}

#[test]
fn nobody_is_told_unless_asked() {
    let _one_at_a_time = LIST.lock().unwrap_or_else(|e| e.into_inner());
    let rt = Runtime::builder().arena_size(16 << 20).build().unwrap();
    rt.load("a", module("a", 1)).unwrap();
    rt.replace("a", module("a", 2)).unwrap();
    assert!(registered().is_empty());
    let map = format!("/tmp/perf-{}.map", std::process::id());
    assert!(!Path::new(&map).exists());
}

/// `cargo test --release --test debugger_list -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
fn what_an_update_costs() {
    use std::time::{Duration, Instant};
    let _one_at_a_time = LIST.lock().unwrap_or_else(|e| e.into_inner());
    // 200 functions of which one is edited.
    let text = |value: i32| {
        let mut text = "struct item { int a; long b; char name[16]; };\n".to_owned();
        for number in 0..200 {
            let add = if number == 100 { value } else { number };
            text.push_str(&format!(
                "int f{number}(struct item *item, int n) {{\n  long sum = 0;\n  for (int i = 0; i < n; i++)\n    \
                 sum += item[i].a * item[i].b + {add};\n  return sum;\n}}\n"
            ));
        }
        text
    };
    let versions: Vec<Source> = (1000..1010)
        .map(|value| clang::object(&text(value), "clang-19", &["-g", "-O0", "-emit-llvm"]).trusted())
        .collect();
    for whole in [false, true] {
        for debugger in [false, true] {
            let builder = Runtime::builder().arena_size(256 << 20).tiered(false).opt_level(OptLevel::O0);
            let rt = builder.debugger(debugger).build().unwrap();
            let (mut best, mut link) = (Duration::MAX, Duration::MAX);
            rt.load("m", versions[0].clone()).unwrap();
            for at in 0..100 {
                let source = &versions[(at + 1) % versions.len()];
                // An object has all of the functions.
                let source = if whole { rt.compile(source).unwrap() } else { source.clone() };
                let begun = Instant::now();
                let report = rt.replace("m", source).unwrap();
                (best, link) = (best.min(begun.elapsed()), link.min(report.times.link));
            }
            let files = if debugger { registered_bytes() } else { (0, 0) };
            println!(
                "whole {whole}, debugger {debugger}: update {best:?}, of it link {link:?}; {} files of {} bytes",
                files.0, files.1
            );
        }
    }
}

fn registered_bytes() -> (usize, u64) {
    // SAFETY: as in `registered`.
    unsafe {
        let descriptor = libc::dlsym(libc::RTLD_DEFAULT, c"__jit_debug_descriptor".as_ptr());
        let mut next = (*descriptor.cast::<Descriptor>()).first;
        let (mut files, mut bytes) = (0, 0);
        while let Some(entry) = next.as_ref() {
            (files, bytes) = (files + 1, bytes + entry.size);
            next = entry.next;
        }
        (files, bytes)
    }
}

#[test]
fn the_code_of_a_runtime_that_has_ended_is_forgotten() {
    let _one_at_a_time = LIST.lock().unwrap_or_else(|e| e.into_inner());
    let runtime = || Runtime::builder().arena_size(16 << 20).debugger(true).tiered(false).build().unwrap();
    let (stays, ends) = (runtime(), runtime());
    // Their updates become one file.
    for value in 0..8 {
        stays.load(format!("stays{value}"), module(&format!("stays{value}"), 0)).unwrap();
        ends.load(format!("ends{value}"), module(&format!("ends{value}"), 0)).unwrap();
    }
    assert_eq!(registered().len(), 1);
    drop(ends);
    let names: Vec<(String, u64)> = registered().into_iter().flatten().collect();
    assert_eq!(names.len(), 16, "{names:?}");
    assert!(names.iter().all(|(name, _)| name.starts_with("stays")), "{names:?}");
}
