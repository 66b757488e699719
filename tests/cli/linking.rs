//! Symbols, libraries and kinds of files: what a linker would say and find.

use crate::place::Place;

#[test]
fn undefined_symbols_are_listed_with_who_wants_them() {
    let place = Place::new(&[
        ("a.c", "int foo(void);\nint main(void) { return foo(); }\n"),
        ("b.c", "extern int bar;\nint b(void) { return bar; }\n"),
    ]);
    place.run(&["a.c", "b.c"]).refused(&[
        "hotslot: undefined symbol: foo, wanted by a.c",
        "hotslot: undefined symbol: bar, wanted by b.c",
    ]);
}

#[test]
fn a_program_that_does_not_link_runs_no_constructor() {
    let place = Place::new(&[(
        "a.c",
        "#include <stdio.h>\nint foo(void);\n\
         __attribute__((constructor)) static void early(void) { puts(\"ran\"); fflush(stdout); }\n\
         int main(void) { return foo(); }\n",
    )]);
    place.run(&["a.c"]).refused(&["hotslot: undefined symbol: foo, wanted by a.c"]);
}

#[test]
fn multiple_definitions_are_listed() {
    let place = Place::new(&[
        ("a.c", "int foo(void) { return 1; }\nint main(void) { return foo(); }\n"),
        ("b.c", "int foo(void) { return 2; }\n"),
    ]);
    place.run(&["a.c", "b.c"]).refused(&["hotslot: multiple definitions of foo: a.c and b.c"]);
}

#[test]
fn a_weak_definition_gives_way_quietly() {
    let place = Place::new(&[
        (
            "a.c",
            "__attribute__((weak)) int foo(void) { return 1; }\n\
             __attribute__((weak)) int nobody(void);\n\
             int main(void) { return nobody ? 9 : foo(); }\n",
        ),
        ("b.c", "int foo(void) { return 2; }\n"),
    ]);
    assert_eq!(place.run(&["a.c", "b.c"]).code(), 2);
}

#[test]
fn no_entry_says_what_to_do() {
    let place = Place::new(&[("a.c", "int start(void) { return 5; }\n")]);
    let outcome = place.run(&["a.c"]);
    assert_eq!(outcome.code(), 1);
    assert!(outcome.stderr.contains("--entry"), "{outcome:?}");
    assert_eq!(place.run(&["--entry", "start", "a.c"]).code(), 5);
}

#[test]
fn libraries_are_found_like_a_linker_finds_them() {
    let place = Place::new(&[
        (
            "main.c",
            "#include <stdio.h>\n#include <math.h>\nint foo(void);\nint bar(void);\n\
             int main(int n, char **v) { printf(\"%d %d %.0f\\n\", foo(), bar(), pow(n + 1, 10)); return 0; }\n",
        ),
        ("foo.c", "int foo(void) { return 1; }\n"),
        ("bar.c", "int bar(void) { return 2; }\n"),
        ("unused.c", "int nowhere(void);\nint unused(void) { return nowhere(); }\n"),
    ]);
    place.tool("clang-19", &["-fPIC", "-shared", "-o", "libfoo.so", "foo.c"]);
    place.tool("clang-19", &["-fPIC", "-c", "bar.c", "unused.c"]);
    place.tool("ar", &["rcs", "libbar.a", "bar.o", "unused.o"]);
    place.run(&["main.c", "-L", ".", "-lfoo", "-l", "bar", "-lm"]).printed("1 2 1024\n");
    // The archive by its name, of which only the member that is wanted comes in.
    place.run(&["main.c", "libbar.a", "-L.", "-lfoo"]).printed("1 2 1024\n");
    let outcome = place.run(&["main.c", "-lno-such-library"]);
    assert_eq!(outcome.code(), 1);
    assert!(outcome.stderr.contains("no-such-library"), "{outcome:?}");
}

#[test]
fn every_kind_of_file_mixed() {
    let place = Place::new(&[
        (
            "main.c",
            "#include <stdio.h>\nint ir(int), bc(int), obj(int), lib(int);\n\
             int main(void) { printf(\"%d\\n\", ir(bc(obj(lib(1))))); return 0; }\n",
        ),
        ("ir.ll", "define i32 @ir(i32 %x) {\n  %y = add i32 %x, 1\n  ret i32 %y\n}\n"),
        ("bc.c", "int bc(int x) { return x * 2; }\n"),
        ("obj.c", "int obj(int x) { return x + 3; }\n"),
        ("lib.c", "int lib(int x) { return x * 5; }\n"),
    ]);
    place.tool("clang-19", &["-O2", "-fPIC", "-emit-llvm", "-c", "bc.c"]);
    place.tool("gcc", &["-O2", "-fPIC", "-c", "obj.c"]);
    place.tool("clang-19", &["-O2", "-fPIC", "-c", "lib.c"]);
    place.tool("ar", &["rcs", "lib.a", "lib.o"]);
    // lib 5, obj 8, bc 16, ir 17
    place.run(&["main.c", "ir.ll", "bc.bc", "obj.o", "lib.a"]).printed("17\n");
}

#[test]
fn malformed_files_are_named() {
    let place = Place::new(&[
        ("bad.ll", "define i32 @f( {\n"),
        ("bad.bc", "not bitcode"),
        ("bad.o", "\x7fELF and no more"),
        ("bad.a", "!<arch>\nno archive"),
    ]);
    for file in ["bad.ll", "bad.bc", "bad.o", "bad.a"] {
        let outcome = place.run(&[file]);
        assert_eq!(outcome.code(), 1, "{outcome:?}");
        assert!(outcome.stderr.starts_with("hotslot: "), "{outcome:?}");
        assert!(outcome.stderr.contains(file), "{outcome:?}");
    }
}

#[test]
fn files_of_the_wrong_kind_come_with_advice() {
    let place = Place::new(&[("a.c", "int main(void) { return 0; }\n")]);
    place.tool("clang-19", &["-m32", "-c", "a.c", "-o", "narrow.o"]);
    let outcome = place.run(&["narrow.o"]);
    outcome.refused(&["hotslot: narrow.o: a 32-bit object", "hotslot: hint: compile it with -m64"]);
    place.tool("clang-19", &["-emit-llvm", "-c", "a.c", "-o", "a.bc"]);
    let bytes = std::fs::read(place.dir.join("a.bc")).unwrap();
    for length in [4, 100, bytes.len() / 2] {
        std::fs::write(place.dir.join("short.bc"), &bytes[..length]).unwrap();
        let outcome = place.run(&["short.bc"]);
        outcome.refused(&[]);
        for text in ["hotslot: short.bc: cannot read the module", "hint: it may be truncated"] {
            assert!(outcome.stderr.contains(text), "{outcome:?}");
        }
    }
}
