//! Real bitcode for the tests: from clang, of sources that are at hand, and from LLVM's own
//! assembler.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;

use super::{Definition, Others, Reads, Understood, slice, summarise_after};

#[path = "../../../tests/common/crates.rs"]
#[allow(dead_code)] // shared with tests that need more of it
pub(super) mod crates;

/// What becomes of a source: unoptimised, as a runtime that optimises by itself wants it.
const FLAGS: [&str; 7] = ["-O2", "-Xclang", "-disable-llvm-passes", "-fPIC", "-emit-llvm", "-w", "-c"];

/// Bitcode of a C or C++ text.
pub(super) fn from_text(compiler: &str, text: &str, flags: &[&str]) -> Vec<u8> {
    let language = if compiler.contains("++") { "c++" } else { "c" };
    let mut command = Command::new(compiler);
    command.args(FLAGS).args(flags).args(["-x", language, "-", "-o", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("clang-19 is installed");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    output.stdout
}

/// Bitcode of a file.
pub(super) fn from_file(path: &PathBuf, flags: &[&str]) -> Vec<u8> {
    let output = Command::new("clang-19").args(FLAGS).args(flags).arg(path).args(["-o", "-"]).output();
    let output = output.expect("clang-19 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Bitcode of IR as text, or why LLVM refuses it.
pub(super) fn from_ir(text: &str) -> Result<Vec<u8>, String> {
    let context = Context::create();
    let buffer = MemoryBuffer::create_from_memory_range_copy(text.as_bytes(), "ir");
    let module = context.create_module_from_ir(buffer).map_err(|e| e.to_string())?;
    module.verify().map_err(|e| e.to_string())?;
    Ok(module.write_bitcode_to_memory().as_slice().to_vec())
}

/// A slice that declares what it needs.
pub(super) fn sliced(bitcode: &[u8], keep: &dyn Fn(Definition, &str) -> bool) -> Understood<Vec<u8>> {
    let (_, reading) = summarise_after(None, &bitcode.into(), Reads::default())?;
    slice(&reading, Others::AsNeeded, keep)
}

/// A file of the Lua interpreter.
pub(super) fn lua(file: &str) -> PathBuf {
    crates::sub_dir(crates::crate_dir("lua-src"), "lua-5.4.").join(file)
}

/// A file of zstd.
pub(super) fn zstd(file: &str) -> PathBuf {
    crates::crate_dir("zstd-sys").join("zstd/lib").join(file)
}

pub(super) const CXX: &str = r#"
#include <string>
#include <vector>
#include <map>
#include <stdexcept>
#include <cstdio>
inline int shared_counter = 3;
inline std::string shared_name = "shared";
thread_local std::string mine = "mine";
static thread_local int plain = 4;
static std::map<std::string, int> table = {{"a", 1}, {"b", 2}};
struct Base { virtual ~Base() {} virtual int f() const { return 1; } int g() const { return f() + 1; } };
struct Derived : Base { int f() const override { return 2; } std::vector<int> v{1, 2, 3}; };
template <typename T> T sum(const std::vector<T>& v) { T s{}; for (auto& x : v) s += x; return s; }
template <typename T> struct Box { T t; static T last; Box(T x) : t(x) { last = x; } ~Box() { std::puts("~"); } };
template <typename T> T Box<T>::last = T();
int risky(int n) { if (n < 0) throw std::runtime_error("negative"); return n; }
int careful(int n) { Box<int> b(n); try { return risky(n); } catch (const std::exception& e) { std::puts(e.what()); return -1; } catch (...) { return -2; } }
static int once() { static std::string s = mine + shared_name; return s.size() + ++plain; }
int use() { Derived d; Base& b = d; return sum(d.v) + b.g() + once() + table["a"] + shared_counter + Box<int>::last; }
static void __attribute__((constructor)) early() { shared_counter++; }
extern "C" int aliased(int x) { return x; }
extern "C" int other_name(int x) __attribute__((alias("aliased")));
extern "C" int variable = 5;
extern "C" int other_variable __attribute__((alias("variable")));
"#;

/// Computed gotos, through a table of the addresses of labels.
pub(super) const GOTO: &str = r#"
int other(int x) { return x + 1; }
int run(const char *p) {
    static const void *const labels[] = {&&inc, &&dec, &&end};
    int x = 0;
    goto *labels[(int)*p];
inc: x++; goto *labels[(int)*++p];
dec: x--; goto *labels[(int)*++p];
end: return x;
}
"#;
