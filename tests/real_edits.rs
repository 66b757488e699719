//! Edits of real sources: what is not compiled again is what it would be.
//!
//! Nothing is run. Each edit is made at every level and checked by `Builder::verify_diff`, which
//! compiles the whole module and compares.

#[path = "common/clang.rs"]
mod clang;
#[path = "common/crates.rs"]
mod crates;

use std::path::{Path, PathBuf};

use hotslot::{ModuleReport, OptLevel, Runtime, Source};

/// A file and what it includes.
struct Real {
    path: PathBuf,
    flags: Vec<String>,
}

impl Real {
    fn compile(&self, text: &str) -> Source {
        let mut flags = vec!["-O2", "-w", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-DLUA_USE_LINUX"];
        flags.extend(self.flags.iter().map(String::as_str));
        clang::object(text, "clang-19", &flags).trusted()
    }
}

fn lua(file: &str) -> Real {
    let dir = crates::sub_dir(crates::crate_dir("lua-src"), "lua-5.4.");
    Real { path: dir.join(file), flags: vec![format!("-I{}", dir.display())] }
}

fn zstd(file: &str) -> Real {
    let dir = crates::crate_dir("zstd-sys").join("zstd/lib");
    let path = dir.join(file);
    let include = |dir: &Path| format!("-I{}", dir.display());
    Real { flags: vec![include(path.parent().unwrap()), include(&dir)], path }
}

/// The source with the `n`-th `from`, as a share of a hundred, made `to`.
fn change(text: &str, from: &str, to: &str, share: usize) -> String {
    let line_of = |at: usize| text[..at].rfind('\n').map_or(0, |start| start + 1);
    // Conditions of the preprocessor, and macros, may not compile any more.
    let is_code = |&at: &usize| !text[line_of(at)..at].contains('#') && !text[line_of(at)..at].contains('*');
    let all: Vec<usize> = text.match_indices(from).map(|(at, _)| at).filter(is_code).collect();
    let Some(&at) = all.get(all.len() * share / 100) else { return text.to_owned() };
    format!("{}{to}{}", &text[..at], &text[at + from.len()..])
}

/// A sequence of edits, each of the one before.
fn edits(text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    let mut add = |edit: &dyn Fn(&str) -> String| all.push(edit(all.last().unwrap()));
    add(&|text| format!("/* moved */\n\n\n{text}"));
    add(&|text| change(text, " + 1", " + 2", 10));
    add(&|text| change(text, " == ", " != ", 50));
    add(&|text| {
        format!(
            "{text}\nint hs_new(int x) {{ static int n; return n += x; }} const char *hs_name(void) {{ return \"new\"; }}"
        )
    });
    add(&|text| change(text, " < ", " <= ", 30));
    add(&|text| change(text, " && ", " || ", 80));
    add(&|text| change(text, "\nstatic int ", "\nstatic __attribute__((noinline)) int ", 40));
    add(&|text| change(text, " - 1", " - 3", 60));
    add(&|text| change(text, " != ", " == ", 20));
    add(&|text| text.replace("return n += x;", "return n -= x * 2;"));
    add(&|text| change(text, "(\"", "(\"hs ", 90));
    add(&|text| text.replace("const char *hs_name(void) { return \"new\"; }", ""));
    all
}

fn replace(rt: &Runtime, source: Source) -> ModuleReport {
    (*rt.replace("m", source).unwrap_or_else(|e| panic!("{e}")).modules[0]).clone()
}

fn check(files: &[Real]) {
    for file in files {
        let name = file.path.display();
        let text = std::fs::read_to_string(&file.path).unwrap();
        let runtime = || Runtime::builder().arena_size(64 << 20).verify_diff(true);
        let ways = [runtime().opt_level(OptLevel::O0).build().unwrap(), runtime().build().unwrap()];
        let sources: Vec<Source> = edits(&text).iter().map(|text| file.compile(text)).collect();
        for (at, way) in ways.iter().enumerate() {
            way.load("m", sources[0].clone()).unwrap();
            for (number, source) in sources.iter().enumerate().skip(1) {
                let report = replace(way, source.clone());
                let (changed, same) = (report.changed_functions.len(), report.unchanged_functions.len());
                assert!(changed <= same, "{name}, edit {number}, {at}: {changed} of {same} functions");
                if number == 1 {
                    assert_eq!(report.changed_functions, [""; 0], "{name}: lines do not count");
                }
                // Some edits follow each other at once.
                if number % 3 != 0 {
                    way.settle();
                }
            }
        }
    }
}

#[test]
fn lua_files() {
    check(&["ltable.c", "lvm.c"].map(lua));
}

#[test]
#[ignore = "takes minutes"]
fn more_files() {
    check(&["lgc.c", "lcode.c", "liolib.c", "lstrlib.c", "lparser.c"].map(lua));
    check(&["decompress/zstd_decompress.c"].map(zstd));
}

#[test]
fn zstd_files() {
    check(&["compress/huf_compress.c"].map(zstd));
}
