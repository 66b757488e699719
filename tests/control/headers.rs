//! `hotslot.h` without hotslot: it compiles everywhere, needs no library and does nothing.

use crate::place::{Outcome, Place};

/// Uses all of it. As C and as C++.
const USES: &str = r#"
#include <hotslot.h>
#include <stdio.h>
static int calls = 0;
static void callback(unsigned long generation, void *context) { (void)generation; ++*(int *)context; }
static void carry(void *now, size_t now_size, const void *old, size_t old_size, void *context) {
    (void)now; (void)now_size; (void)old; (void)old_size; (void)context;
}
HOTSLOT_MIGRATION(thing)(void *now, size_t now_size, const void *old, size_t old_size, void *context) {
    carry(now, now_size, old, old_size, context);
}
int main(void) {
    int there = hotslot_is_there();
    unsigned long generation = hotslot_generation();
    int before = hotslot_before_update(callback, &calls), after = hotslot_after_update(callback, &calls);
    int safe = hotslot_safe_point();
    int migrate = hotslot_migrate("calls", carry, NULL);
    int forgotten = hotslot_forget(callback, &calls);
    printf("%d %lu %d %d %d %d %d %d\n", there, generation, before, after, safe, migrate, forgotten, calls);
    return 0;
}
"#;

/// What other files of the same program have of it.
const UNUSED: &str = "#include <hotslot.h>\n#include <hotslot.h>\nint unused;\n";

#[test]
fn natively_it_does_nothing() {
    let place =
        Place::new(&[("uses.c", USES), ("uses.cc", USES), ("unused.c", UNUSED), ("unused.cc", UNUSED)]);
    let header = Outcome::of(&mut place.hotslot(&["header"]));
    std::fs::write(place.dir.join("hotslot.h"), &header.stdout).unwrap();
    let strict = ["-I.", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wundef"];
    for (compiler, extension, standards) in [
        ("gcc", "c", ["-std=c99", "-std=gnu17"]),
        ("clang-19", "c", ["-std=c99", "-std=gnu17"]),
        ("g++", "cc", ["-std=c++11", "-std=c++20"]),
        ("clang++-19", "cc", ["-std=c++11", "-std=c++20"]),
    ] {
        for (standard, how) in [
            (standards[0], &["-O0", "-pedantic"][..]),
            (standards[1], &["-O2"]),
            (standards[1], &["-O2", "-fno-pie", "-no-pie"]),
            (standards[1], &["-O1", "-static"]),
            (standards[1], &["-O1", "-fPIC", "-fvisibility=hidden"]),
        ] {
            let files = [format!("uses.{extension}"), format!("unused.{extension}")];
            let words = strict.iter().chain([&standard]).chain(how).copied();
            let words: Vec<&str> =
                words.chain(files.iter().map(String::as_str)).chain(["-o", "it"]).collect();
            place.tool(compiler, &words);
            Outcome::of(&mut std::process::Command::new(place.dir.join("it"))).printed("0 0 0 0 0 0 0 0\n");
        }
    }
}

#[test]
fn the_same_object_works_with_hotslot() {
    let place = Place::new(&[("uses.c", USES), ("uses.cc", USES)]);
    let header = Outcome::of(&mut place.hotslot(&["header", "--dir"]));
    let include = format!("-I{}", header.stdout.trim());
    for (compiler, source, library) in [("gcc", "uses.c", "-lc"), ("g++", "uses.cc", "-lstdc++")] {
        for how in ["-fPIC", "-fPIE"] {
            place.tool(compiler, &[include.as_str(), "-O2", how, "-c", source, "-o", "uses.o"]);
            place.run(&["uses.o", library]).printed("1 1 1 1 0 1 2 0\n");
        }
    }
    // And of its source no flag is needed.
    place.run(&["uses.c"]).printed("1 1 1 1 0 1 2 0\n");
    place.run(&["-O0", "uses.cc"]).printed("1 1 1 1 0 1 2 0\n");
    // A program's own file of that name comes first.
    let own = Place::new(&[
        ("hotslot.h", "#define OWN 7\n"),
        ("main.c", "#include \"hotslot.h\"\nint main(void) { return OWN; }\n"),
    ]);
    assert_eq!(own.run(&["main.c"]).code(), 7);
}
