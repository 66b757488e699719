//! `include/hotslot.h` is what cbindgen makes of `src/capi`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::{WARNINGS, result, run, source};

/// The head of the header, before what cbindgen writes.
const PREAMBLE: &str = include_str!("preamble.h");

/// The header as it should be.
fn generated() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/capi");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // `mod.rs` would lead to all of them again.
    files.retain(|file| file.extension().is_some_and(|e| e == "rs") && !file.ends_with("mod.rs"));
    files.sort_by_key(|file| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        // As a reader wants to meet them.
        const ORDER: [&str; 14] = [
            "error",
            "boundary",
            "options",
            "runtime",
            "source",
            "update",
            "rules",
            "prepared",
            "symbols",
            "calls",
            "interrupt",
            "queries",
            "anonymous",
            "hooks",
        ];
        (ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len()), name)
    });
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config).with_header(PREAMBLE.trim_end());
    for file in files {
        builder = builder.with_src(file);
    }
    let mut text = Vec::new();
    builder.generate().expect("src/capi is understood").write(&mut text);
    in_plain_c(&String::from_utf8(text).unwrap())
}

/// What cbindgen cannot be told: what C89 knows, in comments and lists, and that objects which the host
/// only passes on are no constants, as Rust's `&` makes them.
fn in_plain_c(text: &str) -> String {
    let mut plain = String::new();
    for line in text.lines() {
        match line.split_once("  // ").or(line.split_once(" // ")) {
            Some((code, comment)) => plain += &format!("{code} /* {comment} */"),
            None => plain += line,
        }
        plain.push('\n');
    }
    for object in ["anonymous", "runtime", "update", "prepared", "hooks", "interrupt", "rebuilt"] {
        plain = plain.replace(&format!("const hotslot_{object} *"), &format!("hotslot_{object} *"));
    }
    plain.replace(",\n}", "\n}")
}

#[test]
fn the_header_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/hotslot.h");
    let generated = generated();
    if std::env::var_os("HOTSLOT_RENEW_HEADER").is_some_and(|value| value == "1") {
        std::fs::write(&path, &generated).unwrap();
        return;
    }
    let current = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        current == generated,
        "include/hotslot.h is not what src/capi says: renew it with\n    \
         HOTSLOT_RENEW_HEADER=1 cargo test --test capi header"
    );
}

#[test]
fn every_compiler_takes_it() {
    // The other header, which is for code, has the same name.
    let folder = result("both");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(source("src/hooks/hotslot.h"), folder.join("hooks.h")).unwrap();
    for (compiler, standard, language) in [
        ("gcc", "c99", "c"),
        ("gcc", "c11", "c"),
        ("gcc", "gnu2x", "c"),
        ("clang-19", "c99", "c"),
        ("clang-19", "c23", "c"),
        ("g++", "c++11", "c++"),
        ("g++", "c++20", "c++"),
        ("clang++-19", "c++11", "c++"),
        ("clang++-19", "c++23", "c++"),
    ] {
        let mut command = Command::new(compiler);
        command.args(WARNINGS).arg(format!("-std={standard}")).args(["-x", language, "-fsyntax-only"]);
        command.arg("-I").arg(source("include")).arg("-I").arg(&folder);
        run(command.arg(source("tests/capi/both.c")));
    }
    // The header for hosts alone is good for C of 1989, with stdint.h.
    let mut command = Command::new("gcc");
    command.args(WARNINGS).args(["-std=c90", "-x", "c", "-fsyntax-only"]);
    run(command.arg(source("include/hotslot.h")));
}
