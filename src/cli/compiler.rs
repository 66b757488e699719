//! Which compiler a name means, as far as its output depends on that.
//!
//! Owns finding the program and telling one version of it from another without starting it,
//! which takes as long as finding all else in the cache.

use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hotslot::KeyBuilder;

/// Adds to `key` what tells the compiler from others; nothing where it is not known.
pub fn identify(program: &Path, key: &mut KeyBuilder) -> Option<()> {
    let found = find(program)?;
    let real = found.canonicalize().ok()?;
    // By the name clang is called it decides on language and target.
    key.bytes(program.as_os_str().as_bytes()).bytes(found.as_os_str().as_bytes());
    add(key, &real, &real.metadata().ok()?);
    let folder = real.parent()?;
    // What it is linked with, and what is configured beside it.
    beside(key, &folder.join("../lib"), |name| name.starts_with("libclang") || name.starts_with("libLLVM"));
    beside(key, folder, |name| name.ends_with(".cfg"));
    if !real.file_name()?.to_str()?.contains("clang") || !is_binary(&real) {
        // A script or another program that leads to one.
        let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
        key.bytes(&output.stdout);
    }
    Some(())
}

/// The file that is started for this name.
fn find(program: &Path) -> Option<PathBuf> {
    if program.as_os_str().as_bytes().contains(&b'/') {
        return Some(program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.metadata().is_ok_and(|data| data.is_file() && data.mode() & 0o111 != 0))
}

fn is_binary(file: &Path) -> bool {
    let mut magic = [0; 4];
    let read =
        std::fs::File::open(file).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}

fn beside(key: &mut KeyBuilder, folder: &Path, is_of_interest: impl Fn(&str) -> bool) {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = files
        .filter(|file| file.file_name().to_str().is_some_and(&is_of_interest))
        .map(|f| f.path())
        .collect();
    files.sort();
    for file in files {
        if let Ok(data) = file.metadata() {
            add(key, &file, &data);
        }
    }
}

fn add(key: &mut KeyBuilder, file: &Path, data: &Metadata) {
    key.bytes(file.as_os_str().as_bytes()).number(data.len()).number(data.ino());
    key.number(data.mtime() as u64).number(data.mtime_nsec() as u64);
}

/// The processor at hand, where the flags say to compile for that.
pub fn processor() -> Option<String> {
    let all = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let first = all.split("\n\n").next()?.lines();
    let telling = ["vendor_id", "cpu family", "model", "stepping", "flags", "Features", "CPU "];
    Some(first.filter(|line| telling.iter().any(|start| line.starts_with(start))).collect())
}
