//! The table of real programs: their files, their flags, the runs that are compared.
//!
//! A program is described once; which compiler makes which kind of file of it is the matter
//! of `build`.

use std::path::{Path, PathBuf};

use super::crates::{crate_dir, entries, files_in, sub_dir};

/// One program that the tests run natively and under hotslot.
pub struct Program {
    /// Short name, used for the cache directory.
    pub name: &'static str,
    /// All source files, in link order.
    pub sources: Vec<PathBuf>,
    /// Include directories.
    pub includes: Vec<PathBuf>,
    /// Macros, as `NAME` or `NAME=VALUE`.
    pub defines: &'static [&'static str],
    /// Libraries for `-l`.
    pub libs: &'static [&'static str],
    /// Files of ours, hashed by content to know when to build again. Files of crates are
    /// known by their path, which has the crate's version in it.
    pub own_dir: PathBuf,
    /// The optimiser's level where a test need not use -O2: `-O1` for what compiles too long.
    pub lighter: &'static str,
    /// The runs to compare. The first is the full workload, the rest are short.
    pub cases: Vec<Case>,
}

/// One run of a program.
pub struct Case {
    /// For messages.
    pub name: &'static str,
    /// The program's arguments after argv[0].
    pub args: Vec<String>,
    /// What it reads.
    pub stdin: &'static str,
    /// How the native run must end: a case that breaks in both worlds proves nothing.
    pub ends: Ends,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ends {
    /// With this exit code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

const SIGABRT: Ends = Ends::Signal(6);

impl Case {
    fn new(name: &'static str, args: &[&str], ends: Ends) -> Self {
        Case { name, args: args.iter().map(|&a| a.to_owned()).collect(), stdin: "", ends }
    }
}

fn own(dir: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(dir)
}

/// The whole Lua interpreter with a small host of ours.
fn lua(name: &'static str, version: &str) -> Program {
    let lua = sub_dir(crate_dir("lua-src"), version);
    let own_dir = own("lua");
    let mut sources = files_in(&lua, "c");
    sources.push(own_dir.join("lua_main.c"));
    // Every script runs in a fresh state of one process; the last one ends the process.
    let scripts = files_in(&own_dir.join("scripts"), "lua");
    Program {
        name,
        sources,
        includes: vec![lua],
        defines: &["LUA_USE_LINUX"],
        libs: &["m", "dl"],
        own_dir,
        lighter: "-O2",
        cases: vec![
            Case {
                name: "scripts",
                args: scripts.iter().map(|s| s.display().to_string()).collect(),
                stdin: "first line\n42 0x10 -7.25\nthe rest\nof the input",
                ends: Ends::Exit(23),
            },
            Case::new("error", &["-e", "local t; t.x = 1"], Ends::Exit(1)),
            Case::new("abort", &["-e", "host.abort('last words')"], SIGABRT),
        ],
    }
}

/// Lua 5.4.
pub fn lua54() -> Program {
    lua("lua54", "lua-5.4.")
}

/// Lua 5.5.
pub fn lua55() -> Program {
    lua("lua55", "lua-5.5.")
}

/// The zstd library, single-threaded, without its assembly file, which is no input of hotslot.
pub fn zstd() -> Program {
    let lib = crate_dir("zstd-sys").join("zstd/lib");
    let own_dir = own("zstd");
    let mut sources = Vec::new();
    for part in ["common", "compress", "decompress", "dictBuilder"] {
        sources.extend(files_in(&lib.join(part), "c"));
    }
    sources.push(own_dir.join("zstd_main.c"));
    Program {
        name: "zstd",
        sources,
        includes: vec![lib.clone(), lib.join("common")],
        defines: &["ZSTD_DISABLE_ASM"],
        libs: &[],
        own_dir,
        lighter: "-O2",
        cases: vec![Case::new("round trips", &["1", "3", "9", "19"], Ends::Exit(0))],
    }
}

/// SQLite: one file of nine megabytes, and two of ours.
pub fn sqlite() -> Program {
    let sqlite = crate_dir("libsqlite3-sys").join("sqlite3");
    let own_dir = own("sqlite");
    Program {
        name: "sqlite",
        sources: vec![
            sqlite.join("sqlite3.c"),
            own_dir.join("sqlite_functions.c"),
            own_dir.join("sqlite_main.c"),
        ],
        includes: vec![sqlite],
        defines: &[
            "SQLITE_THREADSAFE=1",
            "SQLITE_ENABLE_FTS5",
            "SQLITE_ENABLE_RTREE",
            "SQLITE_ENABLE_MATH_FUNCTIONS",
            "SQLITE_ENABLE_API_ARMOR",
            "SQLITE_DEFAULT_FOREIGN_KEYS=1",
            "HAVE_USLEEP=1",
        ],
        libs: &["m", "dl", "pthread"],
        own_dir,
        lighter: "-O1",
        cases: vec![Case::new("statements", &["sqlite.db", "8000"], Ends::Exit(0))],
    }
}

/// zlib with its gzip file layer.
pub fn zlib() -> Program {
    let zlib = crate_dir("libz-sys").join("src/zlib");
    let own_dir = own("zlib");
    let mut sources = files_in(&zlib, "c");
    sources.push(own_dir.join("zlib_main.c"));
    Program {
        name: "zlib",
        sources,
        includes: vec![zlib],
        defines: &["_LARGEFILE64_SOURCE=1", "HAVE_UNISTD_H=1"],
        libs: &[],
        own_dir,
        lighter: "-O2",
        cases: vec![Case::new("round trips", &["zlib.gz"], Ends::Exit(0))],
    }
}

/// Our C++ program of several files, with one C file.
pub fn cpp() -> Program {
    let own_dir = own("cpp");
    let mut sources = files_in(&own_dir, "cpp");
    sources.extend(files_in(&own_dir, "c"));
    Program {
        name: "cpp",
        sources,
        includes: vec![own_dir.clone()],
        defines: &[],
        libs: &["stdc++", "m", "pthread"],
        own_dir,
        lighter: "-O2",
        cases: vec![
            Case {
                name: "everything",
                args: vec!["all".into(), "an argument".into()],
                stdin: "three words here\n",
                ends: Ends::Exit(0),
            },
            Case::new("exit from a callback", &["exit"], Ends::Exit(9)),
            Case::new("quick_exit", &["quick_exit"], Ends::Exit(5)),
            Case::new("uncaught exception", &["uncaught"], SIGABRT),
            Case::new("exception leaves noexcept", &["noexcept"], SIGABRT),
            Case::new("pure virtual call", &["pure_virtual"], SIGABRT),
            Case::new("fork", &["fork"], Ends::Exit(4)),
        ],
    }
}

/// One of our programs that are unpleasant to replace while they run.
fn unpleasant(name: &'static str, dir: &str, ends: Ends) -> Program {
    // With the header that all of them use.
    let own_dir = own("stress");
    let mut sources = entries(&own_dir.join(dir));
    sources.retain(|path| path.extension().is_some_and(|e| e == "c" || e == "cpp"));
    Program {
        name,
        sources,
        includes: vec![own_dir.clone()],
        defines: &[],
        libs: &["stdc++", "pthread"],
        own_dir,
        lighter: "-O1",
        cases: vec![Case::new("everything", &[], ends)],
    }
}

/// Recursion, pointers to functions, jumps, computed goto, literals that are kept.
pub fn calls() -> Program {
    unpleasant("stress_calls", "calls", Ends::Exit(7))
}

/// Threads that come and go, sleep in old code or never leave it; thread-locals.
pub fn threads() -> Program {
    unpleasant("stress_threads", "threads", Ends::Exit(0))
}

/// A timer's signals on a stack of their own, and faults that are jumped out of.
pub fn signals() -> Program {
    unpleasant("stress_signals", "signals", Ends::Exit(0))
}

/// Coroutines by `makecontext`.
pub fn contexts() -> Program {
    unpleasant("stress_contexts", "contexts", Ends::Exit(0))
}

/// C++ exceptions, virtual functions, function objects, statics with guards.
pub fn exceptions() -> Program {
    unpleasant("stress_exceptions", "exceptions", Ends::Exit(0))
}

/// Other programs by `popen`, `system` and `vfork`.
pub fn processes() -> Program {
    unpleasant("stress_processes", "processes", Ends::Exit(0))
}

/// Children by `fork` that go on in the program's own code.
pub fn forks() -> Program {
    unpleasant("stress_forks", "forks", Ends::Exit(0))
}
