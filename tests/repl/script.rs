//! What an input may be, and what comes of it.

use crate::place::Place;

#[test]
fn values_are_shown_and_statements_are_not() {
    let told = Place::new().run("1 + 1\nint n = 5;\nn = 9;\nn\nn + 1;\n");
    assert_eq!(told.lines(), ["2", "9"]);
    assert_eq!(told.err, "");
}

#[test]
fn an_input_may_have_several_lines_and_items() {
    let told = Place::new().run(
        "int sq(int x)\n{\n  // } not yet\n  return x * x;\n}\nsq(3)\n\
         int twice(int x) { return 2 * sq(x); } twice(3)\nint a = 1, b = 2;\na + b\n",
    );
    assert_eq!(told.lines(), ["9", "18", "3"]);
}

#[test]
fn headers_and_macros_count() {
    let told = Place::new().run(
        "#include <stdio.h>\n#include <string.h>\n#define N 3\n#define TWICE(x) ((x) * N)\n\
         strlen(\"abc\") == TWICE(1)\nprintf(\"out\\n\") == 4\n#define N 6\nTWICE(1)\n",
    );
    assert_eq!(told.lines(), ["1", "out", "1", "6"]);
}

#[test]
fn output_comes_before_the_value() {
    let told =
        Place::new().run("#include <stdio.h>\nputs(\"first\") > 0\nfputs(\"no newline\", stdout);\n1\n");
    assert_eq!(told.lines(), ["first", "1", "no newline1"]);
}

#[test]
fn what_does_not_compile_changes_nothing_and_is_told_with_its_place() {
    let told = Place::new().run("int n = 4;\nint n = m;\nint f(void) {\n  return\n  zero; }\nn\nf()\n");
    assert_eq!(told.lines_despite(&["input 2:1:9: error", "input 3:3:3: error", "'f'"]), ["4"]);
}

#[test]
fn the_exit_code_says_whether_an_input_failed() {
    let place = Place::new();
    assert_eq!(place.run("1\n").code, Some(0));
    assert_eq!(place.run("x\n1\n").code, Some(1));
    assert_eq!(place.run("x\n:quit 0\n").code, Some(0));
    assert_eq!(place.run(":quit 7\n").code, Some(7));
    assert_eq!(place.run("").code, Some(0));
}

#[test]
fn a_program_reads_what_follows() {
    let told = Place::new().run("#include <unistd.h>\nchar c[2]; read(0, c, 2);\nA\nc[0] - 'A'\n");
    assert_eq!(told.lines(), ["0"]);
}

#[test]
fn initialisers_may_have_to_be_run() {
    let told = Place::new().run(
        "int sq(int x) { return x * x; }\nint m = sq(2);\nm\nint a[] = {1, sq(3)};\na[1]\n\
         sizeof a / sizeof a[0] == 2\nstruct p { int x, y; };\nstruct p o = {sq(4), 5};\no.x + o.y\n\
         const int k = sq(5);\nk\nint m = m + 1;\nm\n",
    );
    assert_eq!(told.lines(), ["4", "9", "1", "21", "25", "5"]);
}

#[test]
fn kinds_of_expressions() {
    let told = Place::new().run(
        "struct b { int x : 3; } s = {-2};\ns.x\nvoid f(void) { s.x++; }\nf()\ns.x\n({ int t = 3; t * 2; })\n\
         (struct b){1}.x\ns.x == -1 ? 8 : 9\nint a[2] = {4, 5}; a[1]\n",
    );
    assert_eq!(told.lines(), ["-2", "-1", "6", "1", "8", "5"]);
}

#[test]
fn literals_live_on() {
    let told = Place::new().run(
        "const char *s;\ns = \"abc\";\nchar *t[3];\nfor (int i = 0; i < 3; i++) t[i] = \"xyz\" + i;\n1\n2\n3\n\
         s[1] - 'b'\nt[2][0] - 'z'\nint *p;\n{ static int n = 7; p = &n; }\n4\n*p\n",
    );
    assert_eq!(told.lines(), ["1", "2", "3", "0", "0", "4", "7"]);
}

#[test]
fn an_else_belongs_to_the_if_before() {
    let told = Place::new().run(
        "int x = 0;\nif (x)\n  x = 1;\nelse\n  x = 2;\nx\nif (x == 2)\n{\n  x = 3;\n}\nelse if (x)\n{\n  x = 4;\n}\nelse\n{\n  x = 5;\n}\nx\n\
         if (x) x = 6;\nelsewhere\nx\nif (x) x = 7;\n",
    );
    assert_eq!(told.lines_despite(&["'elsewhere'"]), ["2", "3", "6"]);
}

#[test]
fn a_warning_about_a_directive_is_told_once() {
    let told = Place::new().run("#define N 1\n#warning once\n#define M 2\n#include <stdio.h>\nM\n");
    assert_eq!(told.err.matches("once").count(), 2, "its heading and its line: {told:?}");
    assert_eq!(told.out, "2\n");
}

#[test]
fn a_macro_that_ends_in_the_midst_is_told_without_what_comes_behind() {
    let told = Place::new().run("#define BAD (\nint n = 1;\nBAD\nBAD;\nn\n");
    assert_eq!(told.lines_despite(&["does a macro of it end in the midst"]), ["1"]);
    assert!(!told.err.contains("__hotslot"), "{told:?}");
}
