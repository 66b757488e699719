//! The objects that are measured: C compiled by clang, and many small modules made from
//! one template.
//!
//! Ten thousand compiler runs would take longer than everything else, so the template is
//! compiled once with names of fixed width, and each module is a copy with other digits in
//! its names. It is a real object of clang's, unwind information included.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A module of ten functions, each of which can call one of the module before.
const TEMPLATE: &str = include_str!("c/small.c");
const OWN: &[u8] = b"hs_m00000";
const PREVIOUS: &[u8] = b"hs_p00000";

/// How many functions a small module defines.
pub const FUNCTIONS: usize = 10;

/// Small modules, as many as wanted, each with names of its own.
pub struct Small {
    object: Vec<u8>,
    own: Vec<usize>,
    previous: Vec<usize>,
}

impl Small {
    /// Compiles the template.
    pub fn new() -> Self {
        let object = compile("small", TEMPLATE, &["-O2", "-fPIC", "-fno-plt"]);
        let places = |name: &[u8]| {
            let found = object.windows(name.len()).enumerate();
            found.filter(|(_, w)| *w == name).map(|(at, _)| at).collect()
        };
        let (own, previous): (Vec<usize>, Vec<usize>) = (places(OWN), places(PREVIOUS));
        assert!(own.len() > FUNCTIONS && previous.len() >= FUNCTIONS);
        Self { object, own, previous }
    }

    /// Module number `number`, which calls module number `previous`.
    pub fn object(&self, number: usize, previous: usize) -> Vec<u8> {
        let mut object = self.object.clone();
        for (places, number) in [(&self.own, number), (&self.previous, previous)] {
            let name = module(number);
            for &at in places {
                object[at..at + name.len()].copy_from_slice(name.as_bytes());
            }
        }
        object
    }
}

/// The name of small module `number`; its functions are this with `_f0` to `_f9`.
pub fn module(number: usize) -> String {
    format!("hs_m{number:05}")
}

/// Compiles C with clang into an object.
pub fn compile(name: &str, source: &str, flags: &[&str]) -> Vec<u8> {
    let object = build(name, source, flags, "o", &["-c"]);
    std::fs::read(object).expect("clang has written it")
}

/// Compiles C with clang into a shared library.
pub fn shared_library(name: &str, source: &str, flags: &[&str], linked: &[&Path]) -> PathBuf {
    let linked = linked.iter().filter_map(|path| path.to_str());
    let how: Vec<&str> = ["-shared"].into_iter().chain(linked).collect();
    build(name, source, flags, "so", &how)
}

/// Builds a file, or finds it built: its name carries a hash of all that goes in.
fn build(name: &str, source: &str, flags: &[&str], extension: &str, how: &[&str]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (source, flags, how).hash(&mut hasher);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    let output = directory.join(format!("{name}-{:016x}.{extension}", hasher.finish()));
    if output.exists() {
        return output;
    }
    std::fs::create_dir_all(&directory).expect("Cargo's temporary directory is writable");
    let aside = directory.join(format!("{name}-new-{}", std::process::id()));
    let input = aside.with_extension("c");
    std::fs::write(&input, source).expect("Cargo's temporary directory is writable");
    let result = Command::new(crate::common::build::CLANG[0])
        .args(flags)
        .arg("-o")
        .args([&aside, &input])
        .args(how)
        .output()
        .expect("clang-19 is installed: apt install clang-19");
    let _ = std::fs::remove_file(input);
    assert!(result.status.success(), "clang failed on {name}:\n{}", String::from_utf8_lossy(&result.stderr));
    std::fs::rename(aside, &output).expect("it is in the same directory");
    output
}
