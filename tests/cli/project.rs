//! `-p`: real projects, configured and built by the real cmake, ninja and make, and databases as
//! bear writes them. What hotslot runs prints what the project's own program prints.

use std::path::Path;
use std::process::Command;

use crate::place::{Outcome, Place};

/// The project with a bit of everything.
const WORLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/world");

/// Configures the project at `source` into `build`.
fn configure(place: &Place, source: &str, generator: &str) {
    place
        .tool("cmake", &["-S", source, "-B", "build", "-G", generator, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"]);
}

/// A place with these files, in folders too.
fn tree(files: &[(&str, &str)]) -> Place {
    let place = Place::new(&[]);
    for (name, text) in files {
        let path = place.dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    place
}

/// Builds the world with a generator, and compares what hotslot makes of it.
fn world(generator: &str) {
    let place = Place::new(&[]);
    configure(&place, WORLD, generator);
    // Nothing is built yet: a source is still to be generated.
    let early = place.run(&["-p", "build", "--target", "world"]);
    assert_eq!(early.code(), 1, "{early:?}");
    let file = place.dir.join("build/generated/names.c");
    assert!(
        early.stderr.contains(&format!("{}: a source of world, and not there", file.display())),
        "{early:?}"
    );
    assert!(early.stderr.contains("build the project once: cmake --build "), "{early:?}");
    place.tool("cmake", &["--build", "build", "-j2"]);

    let several = place.run(&["-p", "build"]);
    assert!(
        several.stderr.contains("several programs are built here: mktable, selftest, world\n"),
        "{several:?}"
    );
    assert!(several.stderr.contains("--target"), "{several:?}");
    let library = place.run(&["-p", "build", "--target", "report"]);
    assert!(library.stderr.contains("report is a library ("), "{library:?}");
    assert!(library.stderr.contains("there is: mktable, selftest, world"), "{library:?}");

    let words = ["--steps", "12"];
    let native = Outcome::of(Command::new(place.dir.join("build/world")).args(words));
    let run =
        place.run(&[&["--cache", "kept", "-p", "build", "--target", "world", "--"][..], &words].concat());
    assert_eq!(run.stdout, native.stdout, "{}", run.stderr);
    assert!(native.stdout.lines().count() > 20);
    // All that the projects' own compiler takes and clang does not, once.
    let note = "hotslot: note: -fipa-pta is left out in 52 files: clang does not know it\n";
    assert!(run.stderr.is_empty() || run.stderr == note, "{run:?}");

    // What the program is told by the path of the build, and a failure's exit code.
    let native = Outcome::of(Command::new(place.dir.join("build/world")).arg("--odd"));
    let run =
        place.run(&["--cache", "kept", "-p", "build", "--target", "build/world", "--lazy", "--", "--odd"]);
    assert_eq!((run.code(), &run.stdout), (native.code(), &native.stdout));
    assert!(run.stderr.ends_with(&native.stderr) && native.code() == 2, "{run:?}");
}

#[test]
fn a_world_that_cmake_builds_with_make() {
    world("Unix Makefiles");
}

#[test]
fn a_world_that_cmake_builds_with_ninja() {
    world("Ninja");
}

/// A database of these commands, started in `directory`.
fn database(place: &Place, directory: &Path, commands: &[&[&str]]) {
    let entry = |words: &&[&str]| {
        serde_json::json!({
            "directory": directory, "arguments": words, "file": words.last().unwrap(),
        })
    };
    let entries: Vec<_> = commands.iter().map(entry).collect();
    std::fs::write(place.dir.join("compile_commands.json"), serde_json::to_vec(&entries).unwrap()).unwrap();
}

const SAY: &str = "#include <stdio.h>\nint other(int);\n\
    int main(int c, char **v) { printf(\"%s %s %d\\n\", __FILE__, NAME, other(c)); return 0; }\n";

#[test]
fn a_database_without_cmake_is_one_program() {
    let place =
        tree(&[("src/main.c", SAY), ("src/sub/b.cc", "extern \"C\" int other(int n) { return n * N; }\n")]);
    let directory = place.dir.join("src");
    let twice: &[&[&str]] = &[
        &["gcc", "-DNAME=\"one\"", "-Werror", "-c", "-o", "main.o", "main.c"],
        &["g++", "-DN=3", "-fPIC", "-c", "-o", "sub/.libs/b.o", "sub/b.cc"],
        &["g++", "-DN=7", "-c", "-osub/b.o", "sub/b.cc"],
        &["gcc", "-DNAME=\"two words\"", "-c", "-o", "main.o", "../src/main.c"],
    ];
    database(&place, &directory, twice);
    let run = place.run(&["-p", ".", "--", "x"]);
    // A file is called what its compiler was told, and of a file compiled twice the last counts.
    assert_eq!(run.stdout, "../src/main.c two words 14\n", "{run:?}");
    assert!(run.stderr.contains("sub/b.cc: compiled twice, the last is taken"), "{run:?}");
    let target = place.run(&["-p", ".", "--target", "x"]);
    assert!(target.stderr.contains("--link") && target.code() == 1, "{target:?}");
}

#[test]
fn a_link_command_says_which_objects() {
    let files = &[
        ("main.c", SAY),
        ("test.c", "int main(void) { return 9; }\n"),
        ("other.c", "#include <math.h>\nint other(int n) { return (int)floor(n * 2.5); }\n"),
        ("far.c", "int far(void) { return nowhere(); }\n"),
    ];
    let place = tree(files);
    let compile =
        |name: &'static str, object: &'static str| ["cc", "-DNAME=\"n\"", "-w", "-c", "-o", object, name];
    let commands = [
        compile("main.c", "main.o"),
        compile("test.c", "test.o"),
        compile("other.c", "other.o"),
        compile("far.c", "far.o"),
    ];
    database(&place, &place.dir, &commands.each_ref().map(|words| &words[..]));
    let both = place.run(&["-p", "."]);
    assert!(both.stderr.contains("multiple definitions of main"), "{both:?}");
    // The archive is the project's own: its sources are taken, and only those that are needed.
    let line = "ar rc libo.a other.o far.o && cc -o prog main.o -L. -lo -lm";
    place.run(&["-p", ".", "--link", line]).printed("main.c n 2\n");
    let missing = place.run(&["-p", ".", "--link", "cc -o prog main.o other.o gone.o"]);
    let gone = place.dir.join("gone.o");
    missing.refused(&[&format!(
        "hotslot: {}: prog is linked with it, which no command in compile_commands.json makes and which is not there",
        gone.display()
    )]);
    let no_link = place.run(&["-p", ".", "--link", "make all"]);
    no_link.refused(&["hotslot: --link: not a command that links a program"]);
}

#[test]
fn two_libraries_with_a_file_in_common() {
    let cmake = "cmake_minimum_required(VERSION 3.16)\nproject(p C)\n\
        add_library(plug SHARED plug.c common.c)\nadd_executable(prog main.c common.c)\n\
        target_link_libraries(prog plug)\n";
    let place = tree(&[
        ("CMakeLists.txt", cmake),
        (
            "main.c",
            "#include <stdio.h>\nint next(void), plug(void);\nint main(void) { int a = next(), b = plug(); printf(\"%d %d\\n\", a, b); }\n",
        ),
        ("plug.c", "int next(void);\nint plug(void) { return 10 * next(); }\n"),
        ("common.c", "static int count;\nint next(void) { return ++count; }\n"),
    ]);
    configure(&place, ".", "Ninja");
    place.tool("cmake", &["--build", "build"]);
    let native = Outcome::of(&mut Command::new(place.dir.join("build/prog")));
    let run = place.run(&["-p", "build"]);
    assert_eq!(run.stdout, native.stdout);
    assert!(run.stderr.contains("common.c: part of prog and of plug, loaded once"), "{run:?}");
}

#[test]
fn what_is_no_project() {
    let place =
        tree(&[("bad/compile_commands.json", "{}"), ("empty/x", ""), ("none/compile_commands.json", "[]")]);
    for (folder, message, advice) in [
        ("nowhere", "no such directory", "-p takes the directory"),
        ("bad", "not a compilation database", ""),
        ("empty", "compile_commands.json: No such file", "CMAKE_EXPORT_COMPILE_COMMANDS=ON"),
        ("none", "no file of it is C, C++ or assembler", "Configure it again"),
    ] {
        let run = place.run(&["-p", folder]);
        assert_eq!(run.code(), 1, "{run:?}");
        assert!(run.stderr.contains(folder) && run.stderr.contains(message), "{run:?}");
        assert!(run.stderr.contains(advice), "{run:?}");
    }
    let with_files = place.run(&["-p", "none", "a.c"]);
    assert!(with_files.stderr.contains("cannot be used with"), "{with_files:?}");
    let nothing = place.run(&["--target", "x", "a.c"]);
    assert!(nothing.stderr.contains("with -p"), "{nothing:?}");
}

#[test]
fn a_file_that_cannot_be_compiled_before_the_first_build() {
    let cmake = "cmake_minimum_required(VERSION 3.16)\nproject(p C)\nadd_executable(prog main.c)\n";
    let place = tree(&[
        ("CMakeLists.txt", cmake),
        ("main.c", "#include \"generated.h\"\nint main(void) { return X; }\n"),
    ]);
    configure(&place, ".", "Unix Makefiles");
    let run = place.run(&["-p", "build"]);
    assert_eq!(run.code(), 1);
    assert!(run.stderr.contains("fatal error: 'generated.h' file not found"), "{run:?}");
    assert!(
        run.stderr.contains("was never built; if a generated file is missing, build once: cmake --build"),
        "{run:?}"
    );
}
