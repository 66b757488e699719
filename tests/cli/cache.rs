//! What `hotslot run` keeps from one start to the next, and what makes it compile again.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use crate::place::{Outcome, Place};

const MAIN: &str = "#include <stdio.h>\n#include \"h.h\"\nint answer(void);\n\
                    int main(void) { printf(\"%d\\n\", answer() + N); return 0; }\n";
const ANSWER: &str = "int answer(void) { return 40; }\n";

fn place() -> Place {
    Place::new(&[("main.c", MAIN), ("answer.c", ANSWER), ("h.h", "#define N 2\n")])
}

/// What was written just before hotslot starts may be written again in the same tick of the clock,
/// so nothing that was made of it is kept.
fn age() {
    std::thread::sleep(Duration::from_millis(30));
}

/// What it printed, and how many files and modules were in the cache.
fn run(place: &Place, options: &[&str]) -> (String, usize, usize) {
    age();
    let files = ["--time", "main.c", "answer.c"];
    let outcome = place.run(&[&["--cache", "kept"], options, &files].concat());
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let count = |what: &str| {
        let line = outcome.stderr.lines().find(|line| line.ends_with(&format!("{what} were in the cache")));
        line.and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{outcome:?}"))
    };
    let (files, modules) = (count("files"), count("modules"));
    (outcome.stdout, files, modules)
}

fn is(found: (String, usize, usize), expected: (&str, usize, usize)) {
    assert_eq!((found.0.trim_end(), found.1, found.2), expected);
}

#[test]
fn a_second_run_compiles_nothing() {
    let place = place();
    is(run(&place, &[]), ("42", 0, 0));
    is(run(&place, &[]), ("42", 2, 2));
    let outcome = place.run(&["--cache", "none", "--time", "main.c", "answer.c"]);
    assert!(!outcome.stderr.contains("in the cache") && outcome.stdout == "42\n", "{outcome:?}");
}

#[test]
fn what_changed_is_compiled() {
    let place = place();
    let write = |name: &str, text: &str| std::fs::write(place.dir.join(name), text).unwrap();
    run(&place, &[]);
    write("answer.c", "int answer(void) { return 50; }\n");
    is(run(&place, &[]), ("52", 1, 1));
    write("h.h", "#define N 3\n");
    is(run(&place, &[]), ("53", 1, 1));
    is(run(&place, &[]), ("53", 2, 2));
    // To take an edit back is to have it at once.
    write("h.h", "#define N 2\n");
    write("answer.c", ANSWER);
    is(run(&place, &[]), ("42", 2, 2));
    // The file is another one, what comes of it is not.
    write("h.h", "#define N 2 // with a word on it\n");
    is(run(&place, &[]), ("42", 1, 2));
    std::fs::remove_file(place.dir.join("h.h")).unwrap();
    let outcome = place.run(&["--cache", "kept", "main.c", "answer.c"]);
    assert!(outcome.code() != 0 && outcome.stderr.contains("h.h"), "{outcome:?}");
}

#[test]
fn a_file_that_was_only_touched_is_not_compiled() {
    let place = place();
    run(&place, &[]);
    for name in ["main.c", "h.h"] {
        let file = std::fs::OpenOptions::new().write(true).open(place.dir.join(name)).unwrap();
        file.set_modified(SystemTime::now()).unwrap();
    }
    is(run(&place, &[]), ("42", 2, 2));
}

#[test]
fn other_flags_and_settings_are_other_results() {
    let place = place();
    run(&place, &[]);
    is(run(&place, &["--cflags=-DX"]), ("42", 0, 2));
    is(run(&place, &["-O1"]), ("42", 0, 0));
    is(run(&place, &["--calls", "stub"]), ("42", 2, 0));
    is(run(&place, &["--cpu", "x86-64"]), ("42", 0, 0));
    is(run(&place, &["--cc", "/usr/bin/clang-19"]), ("42", 0, 2));
    // It may read what nobody knows of.
    for _ in 0..2 {
        is(run(&place, &["--cflags=-Xclang -fno-validate-pch"]), ("42", 0, 2));
    }
    is(run(&place, &[]), ("42", 2, 2));
    // From elsewhere the same name may be another file's.
    std::fs::create_dir(place.dir.join("sub")).unwrap();
    for name in ["main.c", "answer.c", "h.h"] {
        std::fs::copy(place.dir.join(name), place.dir.join("sub").join(name)).unwrap();
    }
    let mut command = place.hotslot(&["run", "--cache", "../kept", "--time", "main.c", "answer.c"]);
    let outcome = Outcome::of(command.current_dir(place.dir.join("sub")));
    assert!(outcome.stderr.contains("0 of 2 files"), "{outcome:?}");
    let mut command = place.hotslot(&["run", "--cache", "kept", "--time", "main.c", "answer.c"]);
    let outcome = Outcome::of(command.env("CPATH", "/nowhere"));
    assert!(outcome.stderr.contains("0 of 2 files"), "{outcome:?}");
}

#[test]
fn a_file_that_says_when_it_was_compiled_is_compiled_each_time() {
    let main = "#include <stdio.h>\nint answer(void);\n\
                int main(void) { return printf(\"%d\\n\", answer()) < 0 && __TIME__[0]; }\n";
    let place = Place::new(&[("main.c", main), ("answer.c", ANSWER)]);
    assert_eq!(run(&place, &[]).1, 0);
    for _ in 0..2 {
        assert_eq!(run(&place, &[]).1, 1, "the other file");
    }
}

#[test]
fn warnings_are_said_again_and_errors_found_again() {
    let warns = "#include <stdio.h>\n#warning mind the gap\nint main(void) { return 0; }\n";
    let place = Place::new(&[("main.c", warns)]);
    let both = [0, 1].map(|_| place.run(&["--cache", "kept", "main.c"]));
    assert!(both[0].stderr.contains("mind the gap"), "{both:?}");
    assert_eq!(both[0].stderr, both[1].stderr);
    std::fs::write(place.dir.join("main.c"), "int main(void) { return x; }\n").unwrap();
    for _ in 0..2 {
        let outcome = place.run(&["--cache", "kept", "main.c"]);
        assert!(outcome.code() != 0 && outcome.stderr.contains("undeclared"), "{outcome:?}");
    }
    std::fs::write(place.dir.join("main.c"), "int main(void) { return 0; }\n").unwrap();
    place.run(&["--cache", "kept", "main.c"]).printed("");
}

#[test]
fn a_folder_that_cannot_be_used_is_left_alone() {
    let place = place();
    let kept = place.dir.join("kept");
    std::fs::create_dir(&kept).unwrap();
    set_permissions(&kept, Permissions::from_mode(0o777)).unwrap();
    for _ in 0..2 {
        is(run(&place, &[]), ("42", 0, 0));
    }
    assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 0);
    for nowhere in ["/proc/nowhere", "main.c/kept"] {
        let outcome = place.run(&["--cache", nowhere, "main.c", "answer.c"]);
        outcome.printed("42\n");
    }
}

#[test]
fn the_cache_can_be_looked_at_and_cleared() {
    let place = place();
    let cache = |args: &[&str]| Outcome::of(&mut place.hotslot(args));
    assert!(cache(&["cache", "info", "--cache", "kept"]).stdout.contains("kept: 0 entries, 0.0 of 1024 MiB"));
    run(&place, &[]);
    // Of each file: what it reads, its bitcode, its object.
    let info = cache(&["cache", "info", "--cache", "kept"]).stdout;
    assert!(info.contains("kept: 6 entries"), "{info}");
    let doctor = cache(&["doctor", "--cache", "kept"]).stdout;
    assert!(doctor.contains("kept: 6 entries"), "{doctor}");
    assert_eq!(cache(&["cache", "clear", "--cache", "kept"]).stdout, "removed 6 entries\n");
    is(run(&place, &[]), ("42", 0, 0));
    let none = cache(&["cache", "info"]);
    assert!(none.code() == 1 && none.stderr.contains("there is no cache"), "{none:?}");
    // By the environment, and without it.
    let mut command = place.hotslot(&["cache", "info"]);
    let outcome = Outcome::of(command.env("HOTSLOT_CACHE_DIR", "kept"));
    assert!(outcome.stdout.contains("kept: 6 entries"), "{outcome:?}");
    let outcome = Outcome::of(command.env_remove("HOTSLOT_CACHE_DIR").env("XDG_CACHE_HOME", "/x"));
    assert!(outcome.stdout.starts_with("/x/hotslot: 0 entries"), "{outcome:?}");
}

#[test]
fn files_of_any_name_are_kept() {
    let main = "#include <iostream>\n#include \"a $b #.h\"\nint main() { std::cout << N << '\\n'; }\n";
    let place = Place::new(&[("a b$.cpp", main), ("a $b #.h", "#define N 7\n"), ("-x.c", ANSWER)]);
    let sub = place.dir.join("sub");
    std::fs::create_dir(&sub).unwrap();
    std::fs::write(sub.join("c.c"), "int c;\n").unwrap();
    age();
    for kept in [0, 3] {
        let mut command = place.hotslot(&["run", "--cache", "kept", "--time", "./a b$.cpp", "./-x.c"]);
        let outcome = Outcome::of(command.arg(sub.join("c.c")));
        assert_eq!(outcome.stdout, "7\n", "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("{kept} of 3 files were")), "{outcome:?}");
    }
    std::fs::write(place.dir.join("a $b #.h"), "#define N 8\n").unwrap();
    let outcome = place.run(&["--cache", "kept", "./a b$.cpp", "./-x.c"]);
    outcome.printed("8\n");
}

#[test]
fn what_is_embedded_counts() {
    let main = "#include <stdio.h>\nint main(void) { static const char t[] = {\n#embed \"t\"\n, 0};\n puts(t); return 0; }\n";
    let place = Place::new(&[("main.c", main), ("t", "one")]);
    for text in ["one", "two"] {
        std::fs::write(place.dir.join("t"), text).unwrap();
        for _ in 0..2 {
            place.run(&["--cache", "kept", "--cflags=-std=c23", "main.c"]).printed(&format!("{text}\n"));
        }
    }
}

/// A compiler that leads to clang, with something to do afterwards.
fn script(place: &Place, afterwards: &str) {
    let text = format!(
        "#!/bin/sh\nif [ $1 = --version ]; then cat version; exit; fi\n\
         clang-19 \"$@\"\nstatus=$?\n{afterwards}\nexit $status\n"
    );
    place.script("clang.sh", &text);
    std::fs::write(place.dir.join("version"), "clang version 19.1.7").unwrap();
}

#[test]
fn a_file_that_changes_while_it_is_compiled_is_not_kept() {
    let place = place();
    // Files are compiled side by side: only the compiler of main.c may change what main.c includes.
    script(&place, "case \"$*\" in *main.c*) echo '#define N 3' > h.h ;; esac");
    is(run(&place, &["--cc", "./clang.sh"]), ("42", 0, 0));
    // Not what was compiled with the header as it was.
    is(run(&place, &["--cc", "./clang.sh"]), ("43", 1, 1));
}

#[test]
fn another_compiler_is_another_result() {
    let place = place();
    script(&place, "");
    run(&place, &["--cc", "./clang.sh"]);
    is(run(&place, &["--cc", "./clang.sh"]), ("42", 2, 2));
    // The script is the same, what it leads to is not.
    std::fs::write(place.dir.join("version"), "clang version 19.1.8").unwrap();
    is(run(&place, &["--cc", "./clang.sh"]), ("42", 0, 2));
    script(&place, "# a new file");
    is(run(&place, &["--cc", "./clang.sh"]), ("42", 0, 2));
}
