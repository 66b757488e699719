//! Whole C and C++ programs under `hotslot run`, each compared with the same program built
//! statically by clang -O2: standard output, standard error and exit status must be equal.
//!
//! A program comes as clang bitcode, clang objects, gcc objects, sources or a mixture; each is
//! run with both forms of calls. `cargo test --test real_programs lua54::` runs one program.
//!
//! `HOTSLOT_TEST_SELF=1` links the same files natively and runs that instead of hotslot: it
//! tests the programs and this file, and needs no hotslot.

mod common;

use std::time::{Duration, Instant};

use common::build::{self, CLANG, Form, GCC, Variant};
use common::expected::expected;
use common::programs::{self, Program};
use common::run;

const CLANG_BITCODE: Variant =
    Variant { name: "clang_bitcode", forms: &[Form::Bitcode("-O2 -fPIC")], lighter: false };
/// As the front end leaves it: all optimisation is hotslot's.
const CLANG_BITCODE_RAW: Variant = Variant {
    name: "clang_bitcode_raw",
    forms: &[Form::Bitcode("-O2 -fPIC -Xclang -disable-llvm-passes")],
    lighter: true,
};
const CLANG_OBJECTS: Variant =
    Variant { name: "clang_objects", forms: &[Form::Object(CLANG, "-O2 -fPIC")], lighter: false };
/// What a debugging build gives, and more relocations of other kinds.
const CLANG_OBJECTS_O0: Variant = Variant {
    name: "clang_objects_o0",
    forms: &[Form::Object(CLANG, "-O0 -g -fPIC -fno-plt -mtls-dialect=gnu2")],
    lighter: false,
};
const GCC_OBJECTS: Variant =
    Variant { name: "gcc_objects", forms: &[Form::Object(GCC, "-O2 -fPIC")], lighter: false };
const GCC_OBJECTS_NO_PLT: Variant = Variant {
    name: "gcc_objects_no_plt",
    forms: &[Form::Object(GCC, "-O2 -fPIC -fno-plt -ffunction-sections -fdata-sections")],
    lighter: true,
};
const GCC_OBJECTS_O0: Variant = Variant {
    name: "gcc_objects_o0",
    forms: &[Form::Object(GCC, "-O0 -g -fPIC -mtls-dialect=gnu2")],
    lighter: false,
};
const GCC_OBJECTS_O3: Variant =
    Variant { name: "gcc_objects_o3", forms: &[Form::Object(GCC, "-O3 -fPIC -fno-plt")], lighter: false };
const SOURCES: Variant = Variant { name: "sources", forms: &[Form::Source], lighter: true };
/// Two compilers, every kind of file, side by side in one program.
const MIXED: Variant = Variant {
    name: "mixed",
    forms: &[
        Form::Archived(GCC, "-O2 -fPIC"),
        Form::Object(CLANG, "-O2 -fPIC -fno-plt"),
        Form::Source,
        Form::Object(GCC, "-O1 -fPIC -fno-plt -ffunction-sections"),
        Form::Bitcode("-O1 -fPIC"),
    ],
    lighter: true,
};

macro_rules! real_programs {
    ($($program:ident { $($variant:ident: $constant:ident,)* })*) => {$(
        mod $program {
            use super::*;

            $(#[test]
            fn $variant() {
                compare(&programs::$program(), &$constant);
            })*
        }
    )*};
}

real_programs! {
    lua54 {
        clang_bitcode: CLANG_BITCODE,
        clang_bitcode_raw: CLANG_BITCODE_RAW,
        clang_objects: CLANG_OBJECTS,
        gcc_objects: GCC_OBJECTS,
        gcc_objects_no_plt: GCC_OBJECTS_NO_PLT,
        sources: SOURCES,
        mixed: MIXED,
    }
    lua55 {
        clang_bitcode: CLANG_BITCODE,
        clang_objects: CLANG_OBJECTS,
        clang_objects_o0: CLANG_OBJECTS_O0,
        gcc_objects: GCC_OBJECTS,
        gcc_objects_no_plt: GCC_OBJECTS_NO_PLT,
        gcc_objects_o0: GCC_OBJECTS_O0,
        sources: SOURCES,
    }
    zstd {
        clang_bitcode: CLANG_BITCODE,
        clang_bitcode_raw: CLANG_BITCODE_RAW,
        clang_objects: CLANG_OBJECTS,
        gcc_objects: GCC_OBJECTS,
        gcc_objects_no_plt: GCC_OBJECTS_NO_PLT,
        gcc_objects_o3: GCC_OBJECTS_O3,
        mixed: MIXED,
    }
    sqlite {
        clang_bitcode: CLANG_BITCODE,
        clang_bitcode_raw: CLANG_BITCODE_RAW,
        clang_objects: CLANG_OBJECTS,
        gcc_objects: GCC_OBJECTS,
        gcc_objects_no_plt: GCC_OBJECTS_NO_PLT,
        sources: SOURCES,
    }
    zlib {
        clang_bitcode: CLANG_BITCODE,
        clang_bitcode_raw: CLANG_BITCODE_RAW,
        clang_objects: CLANG_OBJECTS,
        gcc_objects: GCC_OBJECTS,
        gcc_objects_no_plt: GCC_OBJECTS_NO_PLT,
        sources: SOURCES,
    }
    cpp {
        clang_bitcode: CLANG_BITCODE,
        clang_bitcode_raw: CLANG_BITCODE_RAW,
        clang_objects: CLANG_OBJECTS,
        clang_objects_o0: CLANG_OBJECTS_O0,
        gcc_objects: GCC_OBJECTS,
        gcc_objects_no_plt: GCC_OBJECTS_NO_PLT,
        gcc_objects_o0: GCC_OBJECTS_O0,
        gcc_objects_o3: GCC_OBJECTS_O3,
        sources: SOURCES,
        mixed: MIXED,
    }
}

/// Functions compiled on their first call, and that while modules are replaced.
mod lazily {
    use super::*;

    fn compare(program: &Program, variant: &Variant) {
        let set = build::file_set(program, variant);
        let (case, expected) = (&program.cases[0], &expected(program)[0]);
        for options in [&["--lazy"][..], &["--lazy", "--stress", "0"]] {
            let (got, summary) = run::stressed(program, &set, case, options, Duration::ZERO);
            let difference = run::difference(expected, &got);
            assert_eq!(difference, None, "{} with {options:?}\n{summary}", program.name);
        }
    }

    #[test]
    fn lua() {
        compare(&programs::lua54(), &CLANG_BITCODE_RAW);
    }

    #[test]
    fn sqlite() {
        compare(&programs::sqlite(), &CLANG_BITCODE_RAW);
    }

    #[test]
    fn cpp() {
        compare(&programs::cpp(), &CLANG_BITCODE);
    }
}

/// Runs a variant of a program with both forms of calls and compares with the reference.
fn compare(program: &Program, variant: &Variant) {
    let self_check = std::env::var_os("HOTSLOT_TEST_SELF").is_some_and(|v| v == "1");
    let expected = expected(program);
    let started = Instant::now();
    let set = build::file_set(program, variant);
    let built = started.elapsed();
    // A case costs a whole code generation where hotslot compiles, so only the first is run.
    let count = if variant.is_precompiled() { program.cases.len() } else { 1 };
    let forms: &[&str] = if self_check { &["native"] } else { &["slot", "stub"] };
    let mut failures = String::new();
    for (case, expected) in program.cases.iter().zip(expected.iter()).take(count) {
        for calls in forms {
            let got = if self_check {
                run::native(&build::native_from(program, &set), case)
            } else {
                run::hotslot(program, &set, case, calls)
            };
            let heading = format!("{} as {}, {}, {calls}", program.name, variant.name, case.name);
            // Seen with --nocapture.
            println!(
                "{heading}: files made in {built:.1?}, run {:.2?}, reference {:.2?}",
                got.took, expected.took
            );
            if let Some(difference) = run::difference(expected, &got) {
                failures += &format!("{heading}:\n{difference}");
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}
