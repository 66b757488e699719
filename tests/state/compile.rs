//! Modules for tests, compiled from C and C++ in every way that one may come.
//!
//! Owns that and calling what they define. Every test binary uses a part of it.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotslot::{Error, Function, ModuleReport, Report, Runtime, Source};

pub type Nullary = extern "C" fn() -> i32;

/// The ways a module comes: as IR, and as objects with and without types.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    Ir,
    Clang,
    ClangTypes,
    Gcc,
    GccTypes,
}
pub use Form::*;

pub const ALL: [Form; 5] = [Ir, Clang, ClangTypes, Gcc, GccTypes];
/// Those of which the types are known.
pub const TYPED: [Form; 3] = [Ir, ClangTypes, GccTypes];

/// As `hotslot run` does: clang's own passes would melt initialisers into one.
const IR: [&str; 3] = ["-emit-llvm", "-Xclang", "-disable-llvm-passes"];

pub fn compile(form: Form, extension: &str, text: &str) -> Source {
    let ir: &[&str] = if form == Ir { &IR } else { &[] };
    compile_with(form, extension, text, ir)
}

pub fn compile_with(form: Form, extension: &str, text: &str, flags: &[&str]) -> Source {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    std::fs::create_dir_all(&dir).unwrap();
    let base = dir.join(format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
    let (from, out) =
        (base.with_extension(extension), base.with_extension(if form == Ir { "bc" } else { "o" }));
    std::fs::write(&from, text).unwrap();
    let compiler = match (form, extension) {
        (Gcc | GccTypes, "c") => "gcc",
        (Gcc | GccTypes, _) => "g++",
        (_, "c") => "clang-19",
        _ => "clang++-19",
    };
    let mut command = Command::new(compiler);
    command.args(["-O1", "-fPIC", "-fdata-sections", "-w", "-c"]).args(flags);
    command.args(matches!(form, ClangTypes | GccTypes).then_some("-g"));
    assert!(command.arg(&from).arg("-o").arg(&out).status().expect("the compiler is installed").success());
    let bytes = std::fs::read(&out).unwrap();
    std::fs::remove_file(&from).unwrap();
    std::fs::remove_file(&out).unwrap();
    Source::from_bytes(bytes).unwrap()
}

pub fn c(form: Form, text: &str) -> Source {
    compile(form, "c", text)
}

pub fn cxx(form: Form, text: &str) -> Source {
    compile(form, "cc", text)
}

pub fn runtime() -> Runtime {
    Runtime::builder().history(0).tiered(false).arena_size(16 << 20).build().unwrap()
}

pub fn function(rt: &Runtime, name: &str) -> Function<Nullary> {
    // SAFETY: the tests define these functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

pub fn call(rt: &Runtime, name: &str) -> i32 {
    function(rt, name).call()
}

pub fn calls<const N: usize>(rt: &Runtime, names: [&str; N]) -> [i32; N] {
    names.map(|name| call(rt, name))
}

pub fn only(report: &Report) -> &ModuleReport {
    assert_eq!(report.modules.len(), 1);
    &report.modules[0]
}

pub fn texts(error: &Error) -> Vec<String> {
    error.problems().map(|problem| problem.to_string()).collect()
}
