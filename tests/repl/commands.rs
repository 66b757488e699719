//! What begins with a colon.

use std::process::Command;

use crate::place::Place;

#[test]
fn undo_goes_back_as_far_as_it_is_told() {
    let told = Place::new().run(
        "int f(void) { return 1; }\nint g(void) { return f(); }\nint f(void) { return 2; }\ng()\n:undo\ng()\n\
         int h(void) { return 3; }\nint n = 4;\n:undo 2\nint h(void) { return n; }\n:undo 9\n:undo x\n",
    );
    let refused = ["undeclared identifier 'n'", "there are 2 inputs to undo", "not x"];
    let expected = [
        "2",
        "undone: int f(void) { return 2; }",
        "1",
        "undone: int n = 4;",
        "undone: int h(void) { return 3; }",
    ];
    assert_eq!(told.lines_despite(&refused), expected);
}

#[test]
fn definitions_and_inputs_are_listed() {
    let told = Place::new()
        .run("#define N 3\nint sq(int x) {\n  return x * x;\n}\nint n = N;\n:list\n:source sq\n:history\n");
    let expected = [
        "input 1         #define N 3",
        "input 2         int sq(int x);",
        "input 3         int n;",
        "int sq(int x) {",
        "  return x * x;",
        "}",
        "    1  #define N 3",
        "    2  int sq(int x) {",
        "         return x * x;",
        "       }",
        "    3  int n = N;",
        "    4  :list",
        "    5  :source sq",
        "    6  :history",
    ];
    assert_eq!(told.lines(), expected);
}

#[test]
fn code_is_shown() {
    let told = Place::new().run("int sq(int x) { return x * x; }\n:ir sq\n:asm sq\n");
    assert!(told.out.contains("define") && told.out.contains("@sq(i32"), "{told:?}");
    assert!(told.out.contains("imul") && told.out.contains("sq:"), "{told:?}");
}

#[test]
fn time_is_taken() {
    let told = Place::new().run("int sq(int x) { return x * x; }\n:time sq(3)\n:bench sq(3)\n:bench sq(\n");
    let lines = told.lines_despite(&["error"]);
    assert_eq!(lines[0], "9");
    assert!(lines[1].starts_with("took ") && lines[2].contains(" each: the median of "), "{lines:?}");
}

#[test]
fn what_was_saved_compiles_and_does_the_same() {
    let place = Place::new();
    let told = place.run(
        "#include <stdio.h>\ntypedef struct node node;\nstruct node { node *next; int n; };\nint sq(int x);\nint six = 6;\n\
         static int sq(int x) { return x * x; }\nint m = sq(2);\nint a[] = {1, sq(3)};\nnode last = {0, 4};\nnode first = {&last, 1};\n\
         const int k = sq(5);\nint (*table[])(int) = {sq};\nenum e { A = 3 } e = A;\n\
         enum { B = 8 } nameless;\nenum { B = 8 } nameless = B;\n\
         static struct { int x, y; } pairs[] = {{1, 2}, {3, 4}}, other = {7, 8};\nstruct { int x; } run = { sq(2) };\n\
         int sum(void) { return nameless + pairs[1].y + other.y + run.x; }\n\
         int main(void) { printf(\"%d %d %d %d %d %d %d %d\\n\", m, a[1], first.next->n, k, table[0](6), e, six, sum()); return 0; }\n\
         main()\n:save out.c\n",
    );
    let lines = told.lines();
    assert_eq!(lines[0], "4 9 4 25 36 3 6 24");
    for compiler in ["clang-19", "gcc"] {
        place.compile(compiler, &["-Wall", "-Wno-main", "out.c", "-o", "out"]);
        let output = Command::new(place.0.path().join("out")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), lines[0], "{compiler}");
    }
}

#[test]
fn definitions_are_dropped_and_variables_reset() {
    let told = Place::new().run(
        "int n = 3;\nint get(void) { return n; }\n:drop n\nn = 4;\n:reset n\nget()\nint z;\nz = 5;\n:reset z\nz\n:drop get\n:drop n\nn\n:reset\nz\n",
    );
    assert_eq!(told.lines_despite(&["n is used by get", "identifier 'n'", "identifier 'z'"]), ["3", "0"]);
}

#[test]
fn an_unknown_command_is_told_what_it_may_have_been() {
    let told = Place::new().run(":lsit\n:xyzzy\n:help lo\n");
    let lines = told.lines_despite(&["did you mean :list?", "there is no command :xyzzy: see :help"]);
    assert!(lines[0].contains(":load"), "{lines:?}");
}
