//! Programs whose modules are replaced all the time, by themselves: whatever they notice is
//! a mistake. Standard output, standard error and exit status must be those of the program
//! built statically by clang.
//!
//! The real programs of `real_programs.rs`, and those in `programs/stress`, which do what is
//! unpleasant to be replaced in. `./x soak` runs them for longer, see `soak.rs`.

mod common;
#[path = "stress/soak.rs"]
mod soak;

use std::time::Duration;

use common::build::{self, CLANG, Form, GCC, Variant};
use common::expected::expected;
use common::programs::{self, Program};
use common::run::{self, figure};

const BITCODE: Variant =
    Variant { name: "clang_bitcode", forms: &[Form::Bitcode("-O2 -fPIC")], lighter: false };
const BITCODE_RAW: Variant = Variant {
    name: "clang_bitcode_raw",
    forms: &[Form::Bitcode("-O2 -fPIC -Xclang -disable-llvm-passes")],
    lighter: true,
};
const CLANG_OBJECTS: Variant =
    Variant { name: "clang_objects", forms: &[Form::Object(CLANG, "-O2 -fPIC")], lighter: false };
const GCC_OBJECTS: Variant =
    Variant { name: "gcc_objects", forms: &[Form::Object(GCC, "-O2 -fPIC")], lighter: false };
/// Every module as the member of an archive.
const GCC_ARCHIVE: Variant = Variant {
    name: "gcc_archive",
    forms: &[Form::Archived(GCC, "-O1 -fPIC -fno-plt -ffunction-sections")],
    lighter: false,
};

const RELINK: &[&str] = &["--stress", "0"];
const RECOMPILE: &[&str] = &["--stress", "0", "--stress-recompile"];

/// How long a program of ours runs.
const TIME: Duration = Duration::from_millis(1500);

macro_rules! stressed {
    ($($program:ident { $($(#[$attribute:meta])* $name:ident: $variant:ident $options:ident,)* })*) => {$(
        mod $program {
            use super::*;

            $(#[test]
            $(#[$attribute])*
            fn $name() {
                compare(&programs::$program(), &$variant, $options);
            })*
        }
    )*};
}

stressed! {
    lua54 {
        bitcode_recompiled: BITCODE RECOMPILE,
        clang_objects: CLANG_OBJECTS RELINK,
        gcc_objects: GCC_OBJECTS RELINK,
    }
    zstd {
        bitcode_recompiled: BITCODE RECOMPILE,
        clang_objects: CLANG_OBJECTS RELINK,
        gcc_objects: GCC_OBJECTS RELINK,
    }
    sqlite {
        bitcode_recompiled: BITCODE_RAW RECOMPILE,
        clang_objects: CLANG_OBJECTS RELINK,
        gcc_objects: GCC_OBJECTS RELINK,
    }
    cpp {
        bitcode: BITCODE RELINK,
        bitcode_recompiled: BITCODE RECOMPILE,
        clang_objects: CLANG_OBJECTS RELINK,
        gcc_objects: GCC_OBJECTS RELINK,
    }
    calls {
        bitcode: BITCODE RELINK,
        bitcode_recompiled: BITCODE RECOMPILE,
        gcc_archive: GCC_ARCHIVE RELINK,
    }
    threads {
        bitcode: BITCODE RELINK,
        bitcode_recompiled: BITCODE RECOMPILE,
        gcc_archive: GCC_ARCHIVE RELINK,
    }
    signals {
        bitcode: BITCODE RELINK,
        clang_objects: CLANG_OBJECTS RELINK,
        gcc_archive: GCC_ARCHIVE RELINK,
    }
    contexts {
        bitcode: BITCODE RELINK,
        clang_objects: CLANG_OBJECTS RELINK,
        gcc_archive: GCC_ARCHIVE RELINK,
    }
    exceptions {
        bitcode: BITCODE RELINK,
        bitcode_recompiled: BITCODE RECOMPILE,
        gcc_archive: GCC_ARCHIVE RELINK,
    }
    processes {
        bitcode: BITCODE RELINK,
        gcc_archive: GCC_ARCHIVE RELINK,
    }
    forks {
        bitcode: BITCODE RELINK,
        gcc_archive: GCC_ARCHIVE RELINK,
    }
}

/// Runs the first case of a program under stress and compares with the reference.
fn compare(program: &Program, variant: &Variant, options: &[&str]) {
    let expected = expected(program);
    let set = build::file_set(program, variant);
    let (got, summary) = run::stressed(program, &set, &program.cases[0], options, TIME);
    let heading = format!("{} as {}, {}", program.name, variant.name, options.join(" "));
    // Seen with --nocapture.
    println!("{heading}: run {:.2?}, reference {:.2?}\n{summary}", got.took, expected[0].took);
    if let Some(difference) = run::difference(&expected[0], &got) {
        panic!("\n{heading}:\n{difference}\n{summary}");
    }
    // To compile a large module can take longer than the program.
    let is_slow = options.contains(&"--stress-recompile");
    assert!(is_slow || figure(&summary, "commits") > Some(0), "nothing was replaced: {heading}\n{summary}");
    assert_eq!(figure(&summary, "refused"), Some(0), "{heading}\n{summary}");
}
