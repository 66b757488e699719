//! What is refused before any work, and the help.

use crate::place::{HELLO, Outcome, Place};

#[test]
fn no_file_is_a_usage_error() {
    let outcome = Place::new(&[]).run(&[]);
    outcome.refused(&["hotslot: the following required arguments were not provided:"]);
    assert!(outcome.stderr.contains("Usage: hotslot run"));
}

#[test]
fn help_and_version_succeed() {
    let place = Place::new(&[]);
    for (args, text) in [
        (&["--help"][..], "Usage: hotslot"),
        (&["run", "--help"], "--entry"),
        (&["doctor", "--help"], "--json"),
        (&["--version"], "hotslot 0."),
    ] {
        let outcome = Outcome::of(&mut place.hotslot(args));
        assert_eq!(outcome.code(), 0);
        assert!(outcome.stdout.contains(text), "{outcome:?}");
    }
    assert_eq!(Outcome::of(&mut place.hotslot(&[])).code(), 1);
}

#[test]
fn files_are_checked_by_name_before_any_work() {
    let place = Place::new(&[("a.c", HELLO), ("script.py", "")]);
    let outcome = place.run(&["a.c", "a.c", "script.py", "gone.c", "a"]);
    outcome.refused(&[
        "hotslot: a.c: given twice",
        "hotslot: script.py: unknown kind of file",
        "hotslot: gone.c: No such file or directory (os error 2)",
        "hotslot: a: unknown kind of file",
    ]);
    assert!(outcome.stderr.contains("hint: files end in .c"));
}

#[test]
fn wrong_values_are_named() {
    let place = Place::new(&[("a.c", HELLO)]);
    for (args, text) in [
        (&["-O4", "a.c"][..], "invalid value '4'"),
        (&["--calls", "both", "a.c"], "invalid value 'both'"),
        (&["--arena", "1T", "a.c"], "unknown unit `T`"),
        (&["--arena", "1M", "a.c"], "at least 4M and less than 2G"),
        (&["--arena=2G", "a.c"], "at least 4M and less than 2G"),
        (&["--cflags", "'open", "a.c"], "--cflags: a ' is not closed"),
        (&["--nonsense", "a.c"], "'--nonsense'"),
    ] {
        let outcome = place.run(args);
        assert_eq!(outcome.code(), 1, "{outcome:?}");
        assert!(outcome.stderr.starts_with("hotslot: "), "{outcome:?}");
        assert!(outcome.stderr.contains(text), "{outcome:?}");
    }
}

#[test]
fn a_compilers_option_is_sent_to_cflags() {
    let place = Place::new(&[("a.c", HELLO)]);
    for option in ["-g", "-Wall", "-std=c11", "-DNDEBUG"] {
        let outcome = place.run(&[option, "a.c"]);
        outcome.refused(&[]);
        assert!(outcome.stderr.contains(&format!("--cflags={option};")), "{outcome:?}");
        assert!(!outcome.stderr.contains("tip:"), "{outcome:?}");
    }
    // Other commands have no such option.
    let outcome = Outcome::of(&mut place.hotslot(&["doctor", "-g"]));
    assert!(outcome.stderr.contains("'-g'") && !outcome.stderr.contains("cflags"), "{outcome:?}");
}
