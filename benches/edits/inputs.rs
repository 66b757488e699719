//! The programs that are edited, as bitcode: Lua, zstd and SQLite by clang's front end, and
//! generated ones.
//!
//! The C programs get the flags with which `hotslot run` calls clang. All bitcode has gone
//! through LLVM's reader and writer once, so that a module and its edited version come from
//! the same writer.

use std::path::Path;

use crate::common::build::{self, FileSet, Form, Variant};
use crate::common::programs::{self, Program as Sources};
use crate::generated;
use crate::llvm;
use crate::ways::{File, Module, Program};

/// What `hotslot run` itself asks of clang for a C file.
pub const FLAGS: &str = "-O2 -fPIC -fsemantic-interposition -Xclang -disable-llvm-passes";

const BITCODE: Variant = Variant { name: "edits_bitcode", forms: &[Form::Bitcode(FLAGS)], lighter: false };

/// The sources of a C program, its `main` under another name.
fn sources(name: &str) -> Sources {
    let mut sources = match name {
        "lua" => programs::lua54(),
        "zstd" => programs::zstd(),
        _ => programs::sqlite(),
    };
    (sources.name, sources.defines) = match name {
        "lua" => ("edits_lua", &["LUA_USE_LINUX", "main=program_main"]),
        "zstd" => ("edits_zstd", &["ZSTD_DISABLE_ASM", "main=program_main"]),
        _ => ("edits_sqlite", SQLITE),
    };
    sources
}

const SQLITE: &[&str] = &[
    "SQLITE_THREADSAFE=1",
    "SQLITE_ENABLE_FTS5",
    "SQLITE_ENABLE_RTREE",
    "SQLITE_ENABLE_MATH_FUNCTIONS",
    "HAVE_USLEEP=1",
    "main=program_main",
];

/// Compiles what is not in the cache, before anything is measured.
pub fn prepare(name: &str) {
    match name.strip_prefix("generated-") {
        Some(count) => drop(generated::pack(count.parse().expect("a number of modules"))),
        None => drop(build::file_set(&sources(name), &BITCODE)),
    }
}

/// A program by its name: `lua`, `zstd`, `sqlite`, `generated-N`.
pub fn program(name: &str) -> Program {
    if let Some(count) = name.strip_prefix("generated-") {
        return generated::program(count.parse().expect("a number of modules"));
    }
    let sources = sources(name);
    let set: FileSet = build::file_set(&sources, &BITCODE);
    let flags = build::program_flags(&sources);
    let module = |(file, source): (&std::path::PathBuf, &std::path::PathBuf)| {
        let bitcode = std::fs::read(file).expect("the cache holds what it was built from");
        Module {
            name: file.file_stem().map(|s| s.to_string_lossy().into()).unwrap_or_default(),
            bitcode: llvm::with(&bitcode, llvm::write).into(),
            file: Some(File { path: source.clone(), cxx: false, flags: flags.clone() }),
        }
    };
    Program {
        modules: set.files.iter().zip(&sources.sources).map(module).collect(),
        libraries: sources.libs.iter().map(|&lib| lib.to_owned()).collect(),
        ..Program::default()
    }
}

/// The script that Lua runs for figures of speed.
pub fn script() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/foundation/programs/work.lua").display().to_string()
}

/// The native build of Lua by clang -O2, with a main that runs the program's own when told to.
pub fn native_lua() -> std::path::PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/foundation/programs");
    let mut sources = sources("lua");
    sources.name = "edits_lua_native";
    sources.sources.push(own.join("clock.c"));
    sources.own_dir = own;
    build::reference(&sources)
}
