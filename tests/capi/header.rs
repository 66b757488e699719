//! `include/hotslot.h` is what cbindgen makes of `src/capi`.

use std::path::{Path, PathBuf};

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
        const ORDER: [&str; 13] = [
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

/// What cbindgen cannot be told: comments that C89 knows too, and that objects which the host only
/// passes on are no constants, as Rust's `&` makes them.
fn in_plain_c(text: &str) -> String {
    let mut plain = String::new();
    for line in text.lines() {
        match line.split_once("  // ").or(line.split_once(" // ")) {
            Some((code, comment)) => plain += &format!("{code} /* {comment} */"),
            None => plain += line,
        }
        plain.push('\n');
    }
    for object in ["runtime", "update", "prepared", "hooks", "interrupt", "rebuilt"] {
        plain = plain.replace(&format!("const hotslot_{object} *"), &format!("hotslot_{object} *"));
    }
    plain
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
