//! Gives the compile stage's source a number, which is part of every key of the cache on disk:
//! code that another version of it has made is not this one's, even where nobody thought of
//! counting a version up.

use std::path::{Path, PathBuf};

fn main() {
    let mut files = Vec::new();
    collect(Path::new("src/compile"), &mut files);
    files.sort();
    // FNV-1a: nobody is to be kept from finding two sources with one number.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for file in &files {
        add(file.as_os_str().as_encoded_bytes());
        add(&std::fs::read(file).unwrap_or_default());
    }
    println!("cargo::rustc-env=HOTSLOT_COMPILE_STAGE={hash:016x}");
    println!("cargo::rerun-if-changed=src/compile");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
