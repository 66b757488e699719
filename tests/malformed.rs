//! Damaged objects, archives, IR and bitcode: an error, nothing loaded, nothing leaked.
//!
//! The corpus is made here from real compiler output: every truncation at a coarse step,
//! and many files with a few bits flipped, by a generator with a fixed seed. Updates are
//! only checked, not committed: what a flipped bit made of the code must not run.

use std::path::PathBuf;
use std::process::Command;

use hotslot::{Runtime, Source};

/// A small program with much of what an object can hold.
const PROGRAM: &str = r#"
#include <stdexcept>
#include <string>
struct Shape { virtual ~Shape() {} virtual int area() const = 0; };
struct Square : Shape { int side; explicit Square(int s) : side(s) {} int area() const override { return side * side; } };
inline int shared = 3;
thread_local int mine = 4;
static thread_local int own;
extern "C" int outside(int);
__attribute__((weak)) int maybe(int);
int common_looking;
const char *const names[] = {"one", "two", "three"};
int pick(int n) {
    switch (n) { case 0: return 7; case 1: return outside(1); case 2: return 11; case 3: return own++; case 4: return 13; }
    return mine += n;
}
int work(int n) {
    try {
        if (n > 3) throw std::runtime_error(names[n % 3]);
        Square s(n + shared);
        const Shape &shape = s;
        return shape.area() + (maybe ? maybe(n) : pick(n));
    } catch (const std::exception &e) {
        return static_cast<int>(std::string(e.what()).size());
    }
}
"#;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn compile(name: &str, flags: &[&str]) -> Vec<u8> {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("malformed");
    std::fs::create_dir_all(&dir).unwrap();
    let source = dir.join(format!("{name}.cc"));
    let out = dir.join(name);
    std::fs::write(&source, PROGRAM).unwrap();
    let status = Command::new("clang++-19").args(flags).arg("-o").arg(&out).arg(&source).status();
    assert!(status.expect("clang++-19 is installed").success());
    std::fs::read(&out).unwrap()
}

/// Variants of `bytes`: truncated, and with a few bits flipped.
fn damaged(bytes: &[u8], truncations: usize, flips: usize) -> impl Iterator<Item = Vec<u8>> {
    let step = (bytes.len() / truncations).max(1);
    let cut = (0..bytes.len()).step_by(step).map(|end| bytes[..end].to_vec());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let flipped = (0..flips).map(move |_| {
        let mut copy = bytes.to_vec();
        for _ in 0..[1, 1, 2, 8][random.below(4)] {
            // Half of them in the headers and tables, where they do most harm.
            let part = if random.below(2) == 0 { copy.len() } else { copy.len().min(256) };
            let at =
                if random.below(4) == 0 { copy.len() - 1 - random.below(part) } else { random.below(part) };
            copy[at] ^= 1 << random.below(8);
        }
        copy
    });
    cut.chain(flipped)
}

/// Checks every variant; returns how many were refused.
fn check_all(variants: impl Iterator<Item = Vec<u8>>, source: impl Fn(Vec<u8>) -> Source) -> (usize, usize) {
    let rt = Runtime::builder().arena_size(64 << 20).build().unwrap();
    let _ = rt.update().load("warm", source(Vec::new())).check();
    let before = rt.stats();
    let (mut refused, mut all) = (0, 0);
    for variant in variants {
        all += 1;
        if let Err(error) = rt.update().load("damaged", source(variant)).check() {
            refused += 1;
            assert!(!error.to_string().is_empty());
            assert!(error.to_string().contains("damaged"), "names no module or file: {error}");
        }
        assert_eq!(rt.stats(), before, "something was left behind");
    }
    (refused, all)
}

#[test]
fn objects() {
    for flags in
        [&["-O2", "-fPIC", "-c"][..], &["-O0", "-g", "-fPIC", "-fno-plt", "-ffunction-sections", "-c"]]
    {
        let bytes = compile("object.o", flags);
        let (refused, all) = check_all(damaged(&bytes, 200, 4000), |b| Source::object(b).label("damaged.o"));
        assert!(refused > all / 10, "{refused} of {all}");
    }
}

#[test]
fn archives() {
    let object = compile("member.o", &["-O1", "-fPIC", "-c"]);
    let mut bytes = b"!<arch>\n".to_vec();
    for name in ["a.o/", "b.o/"] {
        bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, object.len()).bytes());
        bytes.extend(&object);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    let (refused, all) = check_all(damaged(&bytes, 100, 500), |b| Source::archive(b).label("damaged.a"));
    assert!(refused > all / 10, "{refused} of {all}");
}

#[test]
fn bitcode() {
    let bytes = compile("module.bc", &["-O1", "-fPIC", "-emit-llvm", "-c"]);
    let (refused, all) = check_all(damaged(&bytes, 20, 120), |b| Source::bitcode(b).label("damaged.bc"));
    assert!(refused > all / 4, "{refused} of {all}");
}

#[test]
fn textual_ir() {
    let bytes = compile("module.ll", &["-O1", "-fPIC", "-emit-llvm", "-S"]);
    let (refused, all) = check_all(damaged(&bytes, 20, 60), |b| Source::ir(b).label("damaged.ll"));
    assert!(refused > all / 4, "{refused} of {all}");
}
