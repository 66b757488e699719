//! The front end: what clang gets, and what becomes of what it says.

use crate::place::{HELLO, Place};

#[test]
fn clangs_diagnostics_pass_through_in_order() {
    let place = Place::new(&[
        ("one.c", "int one(void) { return nowhere; }\n"),
        ("good.c", HELLO),
        ("two.c", "int two(void) { return missing; }\n"),
    ]);
    let outcome = place.run(&["one.c", "good.c", "two.c"]);
    outcome.refused(&[
        "one.c:1:24: error: use of undeclared identifier 'nowhere'",
        "two.c:1:24: error: use of undeclared identifier 'missing'",
        "hotslot: one.c: clang-19 failed (exit status: 1)",
        "hotslot: two.c: clang-19 failed (exit status: 1)",
    ]);
    let at = |text| outcome.stderr.find(text);
    assert!(at("nowhere") < at("missing"));
}

#[test]
fn warnings_do_not_stop_a_program() {
    let place = Place::new(&[("a.c", "#warning careful\nint main(void) { return 0; }\n")]);
    let outcome = place.run(&["a.c"]);
    assert_eq!(outcome.code(), 0);
    assert!(outcome.stderr.contains("careful"), "{outcome:?}");
}

#[test]
fn a_missing_compiler_comes_with_advice() {
    let place = Place::new(&[("a.c", HELLO), ("b.cc", "")]);
    let outcome = place.run(&["--cc", "no-such-cc", "a.c"]);
    outcome.refused(&["hotslot: a.c: cannot start no-such-cc: No such file or directory (os error 2)"]);
    assert!(outcome.stderr.contains("apt install clang-19"));
    let outcome = place.run(&["--cxx", "no-such-cxx", "b.cc"]);
    assert!(outcome.stderr.contains("--cxx"), "{outcome:?}");
}

#[test]
fn what_is_not_bitcode_is_refused() {
    let place = Place::new(&[("a.c", HELLO)]);
    place.run(&["--cc", "echo", "a.c"]).refused(&["hotslot: a.c: echo did not write LLVM bitcode"]);
}

#[test]
fn a_compiler_that_is_not_clang_is_named_as_such() {
    // As gcc says it, whatever is installed here.
    let place = Place::new(&[("a.c", HELLO), ("a.cc", HELLO)]);
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && { echo 'other (Maker) 12.2'; exit; }\n\
                  echo 'unknown option -Xclang' >&2\nexit 1\n";
    place.script("other", script);
    for (option, file) in [("--cc", "a.c"), ("--cxx", "a.cc")] {
        let outcome = place.run(&[option, "./other", file]);
        outcome.refused(&[&format!("hotslot: {file}: ./other is not a clang: other (Maker) 12.2")]);
        assert!(outcome.stderr.contains(&format!("leave {option} out")), "{outcome:?}");
        assert!(!outcome.stderr.contains("Xclang"), "{outcome:?}");
    }
}

#[test]
fn cflags_are_split_like_a_shell_does() {
    let place = Place::new(&[(
        "a.c",
        "#include <stdio.h>\nint main(void) { puts(TEXT); printf(\"%d\\n\", N); return 0; }\n",
    )]);
    let outcome = place.run(&["--cflags", r#"'-DTEXT="two words"' -DN=1"#, "a.c"]);
    outcome.printed("two words\n1\n");
    let outcome = place.run(&["--cflags", r#"-DTEXT=\"x\""#, "--cflags=-DN=2", "a.c"]);
    outcome.printed("x\n2\n");
}

#[test]
fn the_cpu_reaches_the_source() {
    let place =
        Place::new(&[("a.c", "#ifndef __SSE4_2__\n#error no sse\n#endif\nint main(void) { return 0; }\n")]);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(place.run(&["--cpu", "nehalem", "a.c"]).code(), 0);
    }
}
