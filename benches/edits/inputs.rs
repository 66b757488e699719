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
use crate::ways::{Module, Program};

/// What `hotslot run` itself asks of clang for a C file.
pub const FLAGS: &str = "-O2 -fPIC -fsemantic-interposition -Xclang -disable-llvm-passes";

/// Names that a library hides, as Lua does, would be hidden from its own other modules where
/// each is a library of its own.
const VISIBLE: Variant = Variant {
    name: "edits_visible",
    forms: &[Form::Bitcode(
        "-O2 -fPIC -fsemantic-interposition -Xclang -disable-llvm-passes -Dvisibility(kind)=",
    )],
    lighter: false,
};

const BITCODE: Variant = Variant { name: "edits_bitcode", forms: &[Form::Bitcode(FLAGS)], lighter: false };

/// The sources of a C program.
fn sources(name: &str) -> Sources {
    let mut sources = match name {
        "lua" => programs::lua54(),
        "zstd" => programs::zstd(),
        _ => programs::sqlite(),
    };
    sources.name = match name {
        "lua" => "edits_lua",
        "zstd" => "edits_zstd",
        _ => "edits_sqlite",
    };
    if name == "lua" {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/edits/c");
        sources.sources.pop();
        sources.sources.push(own.join("lua.c"));
        sources.own_dir = own;
    }
    sources
}

/// Compiles what is not in the cache, before anything is measured.
pub fn prepare(name: &str) {
    match name.strip_prefix("generated-") {
        Some(count) => drop(generated::pack(count.parse().expect("a number of modules"))),
        None => {
            build::file_set(&sources(name), &BITCODE);
            build::file_set(&sources(name), &VISIBLE);
        }
    }
}

/// A program by its name, `lua`, `zstd`, `sqlite`, `generated-N`, for one way. All ways get the
/// same bitcode, but for shared libraries hidden names have to be visible to other modules.
pub fn program(name: &str, way: &str) -> Program {
    if let Some(count) = name.strip_prefix("generated-") {
        return generated::program(count.parse().expect("a number of modules"));
    }
    let sources = sources(name);
    let set: FileSet = build::file_set(&sources, if way == "dlopen" { &VISIBLE } else { &BITCODE });
    let module = |file: &std::path::PathBuf| {
        let bitcode = std::fs::read(file).expect("the cache holds what it was built from");
        Module {
            name: file.file_stem().map(|s| s.to_string_lossy().into()).unwrap_or_default(),
            bitcode: llvm::with(&bitcode, llvm::write).into(),
            // Native builds start from bitcode as well: nobody runs the front end.
            file: None,
        }
    };
    Program {
        modules: set.files.iter().map(module).collect(),
        libraries: sources.libs.iter().map(|&lib| lib.to_owned()).collect(),
        ..Program::default()
    }
}

/// The script that Lua runs for figures of speed.
pub fn script() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/foundation/programs/work.lua").display().to_string()
}

/// The files of Lua for the command line, in link order, and its libraries.
pub fn lua_files() -> (Vec<std::path::PathBuf>, &'static [&'static str]) {
    let sources = sources("lua");
    (build::file_set(&sources, &BITCODE).files, sources.libs)
}

/// The native build of Lua by clang -O2, with a main that runs the program's own when told to.
pub fn native_lua() -> std::path::PathBuf {
    let clock = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/foundation/programs/clock.c");
    let mut sources = sources("lua");
    sources.name = "edits_lua_native";
    sources.sources.push(clock);
    sources.defines = &["LUA_USE_LINUX", "main=program_main"];
    build::reference(&sources)
}
