//! `--time`, progress and `hotslot doctor`.

use crate::place::{HELLO, Outcome, Place};

#[test]
fn time_is_a_table_at_the_end_however_the_program_ends() {
    let place = Place::new(&[
        ("a.c", HELLO),
        (
            "exits.c",
            "#include <stdio.h>\n#include <stdlib.h>\n\
             static void last(void) { fputs(\"last\\n\", stderr); }\n\
             int main(void) { atexit(last); exit(6); }\n",
        ),
        ("quick.c", "#include <stdlib.h>\nint main(void) { quick_exit(7); }\n"),
        (
            "forks.c",
            "#include <stdlib.h>\n#include <sys/wait.h>\n#include <unistd.h>\n\
             int main(void) { if (fork() == 0) exit(0); wait(0); return 8; }\n",
        ),
    ]);
    for (file, code) in [("a.c", 0), ("exits.c", 6), ("quick.c", 7), ("forks.c", 8)] {
        let outcome = place.run(&["--time", file]);
        assert_eq!(outcome.code(), code, "{outcome:?}");
        let table = outcome.stderr.trim_start_matches("last\n");
        let phases: Vec<&str> = table.lines().map(|line| line.split("  ").next().unwrap()).collect();
        assert_eq!(
            phases,
            ["phase", "front end", "parse", "optimise", "code generation", "link", "publish", "run", "total"],
            "{file}"
        );
        for line in table.lines().skip(1) {
            assert!(line.ends_with(" ms"), "{line}");
        }
    }
    let outcome = place.run(&["--time", "a.c", "--entry", "nothing"]);
    assert_eq!(outcome.code(), 1);
    assert!(!outcome.stderr.contains("front end"), "{outcome:?}");
}

#[test]
fn a_pipe_sees_no_progress() {
    // A compiler that takes its time, longer than a terminal would be kept waiting.
    let place = Place::new(&[("a.c", HELLO)]);
    place.script("slow", "#!/bin/sh\nsleep 0.6\nexec clang-19 \"$@\"\n");
    place.run(&["--cc", "./slow", "a.c"]).printed("hello\n");
}

#[test]
fn the_doctor_finds_this_machine_healthy() {
    let place = Place::new(&[]);
    let outcome = Outcome::of(&mut place.hotslot(&["doctor"]));
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    for text in ["LLVM library", "clang version", "membarrier", "/proc"] {
        assert!(outcome.stdout.contains(text), "{outcome:?}");
    }
    let outcome = Outcome::of(&mut place.hotslot(&["doctor", "--json"]));
    assert_eq!(outcome.code(), 0);
    assert!(outcome.stdout.starts_with("{\n  \"ok\": true,"));
}

#[test]
fn the_doctor_says_what_to_install() {
    let place = Place::new(&[]);
    let outcome = Outcome::of(&mut place.hotslot(&["doctor", "--cc", "no-such-cc"]));
    assert_eq!(outcome.code(), 1);
    assert!(outcome.stdout.contains("MISSING  C compiler"), "{outcome:?}");
    assert!(outcome.stdout.contains("apt install clang-19"));
    let mut command = place.hotslot(&["doctor", "--json", "--cxx", "gcc"]);
    let outcome = Outcome::of(&mut command);
    assert_eq!(outcome.code(), 1);
    assert!(outcome.stdout.contains("\"detail\": \"gcc is not a clang"));
}
