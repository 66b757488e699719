//! Objects from clang, for tests that need more than IR says.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotslot::Source;

/// An object of `source`, from `compiler` with `flags`.
pub fn object(source: &str, compiler: &str, flags: &[&str]) -> Source {
    compiled(source, compiler, flags, |file| Source::from_path(file).unwrap())
}

/// What `take` makes of the file that `compiler` writes.
pub fn compiled<T>(source: &str, compiler: &str, flags: &[&str], take: impl FnOnce(&Path) -> T) -> T {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clang");
    std::fs::create_dir_all(&dir).unwrap();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let out = dir.join(format!("{}-{number}.o", std::process::id()));
    let from = out.with_extension(if compiler.contains("++") { "cc" } else { "c" });
    std::fs::write(&from, source).unwrap();
    let mut command = Command::new(compiler);
    command.args(["-O1", "-fPIC", "-fdata-sections", "-w", "-c"]).args(flags).arg(&from).arg("-o").arg(&out);
    assert!(command.status().expect("the compiler is installed").success());
    let taken = take(&out);
    std::fs::remove_file(&from).unwrap();
    std::fs::remove_file(&out).unwrap();
    taken
}

/// Bitcode as clang makes it for O2, before any passes, compiled in this process.
#[allow(dead_code)] // not every test has bitcode
pub fn bitcode(source: &str) -> Source {
    object(source, "clang-19", &["-O2", "-Xclang", "-disable-llvm-passes", "-emit-llvm"]).trusted()
}

/// The same of C++.
#[allow(dead_code)] // not every test has bitcode
pub fn cxx_bitcode(source: &str) -> Source {
    let flags = &["-O2", "-std=c++17", "-Xclang", "-disable-llvm-passes", "-emit-llvm"];
    object(source, "clang++-19", flags).trusted()
}

#[allow(dead_code)] // not every test has C alone
pub fn c(source: &str) -> Source {
    object(source, "clang-19", &[])
}

#[allow(dead_code)] // not every test has C++
pub fn cxx(source: &str) -> Source {
    object(source, "clang++-19", &["-std=c++17"])
}
