//! What both are asked to do.
//!
//! Owns the inputs and what has to be seen. All that is looked for is printed by the code itself
//! or is a value, so that neither tool's own words count.

/// A session of its own: what is typed, and whether it did what was asked.
pub struct Case {
    pub group: &'static str,
    pub what: &'static str,
    /// One line each, unless the case is about more lines. `@undo` and `@load FILE` stand for
    /// what the tool at hand calls that.
    pub inputs: &'static [&'static str],
    /// All of it has to be printed, in this order.
    pub expect: &'static [&'static str],
}

/// The input during which Ctrl-C is sent.
pub const ENDLESS: &str = "for (;;) { volatile int i = 0; i++; }";

const fn case(
    group: &'static str,
    what: &'static str,
    inputs: &'static [&'static str],
    expect: &'static [&'static str],
) -> Case {
    Case { group, what, inputs, expect }
}

const REDEFINE: &str = "redefinition";
const TYPES: &str = "types";
const UNDO: &str = "undo and errors";
const VALUES: &str = "values";
const INPUT: &str = "input";
const FAULTS: &str = "faults";
const FILES: &str = "files";

pub const CASES: &[Case] = &[
    case(
        REDEFINE,
        "a function again, called",
        &["int f(int x) { return x + 1; }", "int f(int x) { return x + 20; }", r#"printf("<%d>\n", f(1));"#],
        &["<21>"],
    ),
    case(
        REDEFINE,
        "earlier callers follow",
        &[
            "int f(int x) { return x + 1; }",
            "int g(int x) { return f(x) * 2; }",
            "int f(int x) { return x + 20; }",
            r#"printf("<%d>\n", g(1));"#,
        ],
        &["<42>"],
    ),
    case(
        REDEFINE,
        "a pointer taken before follows",
        &[
            "int f(int x) { return x + 1; }",
            "int (*pointer)(int) = f;",
            "int f(int x) { return x + 20; }",
            r#"printf("<%d>\n", pointer(1));"#,
        ],
        &["<21>"],
    ),
    case(
        REDEFINE,
        "two that call each other, one again",
        &[
            "int odd(int n); int even(int n) { return n == 0 ? 1 : odd(n - 1); }",
            "int odd(int n) { return n == 0 ? 0 : even(n - 1); }",
            r#"printf("<%d>\n", even(10));"#,
            "int odd(int n) { return 7; }",
            r#"printf("<%d>\n", even(10));"#,
        ],
        &["<1>", "<7>"],
    ),
    case(
        REDEFINE,
        "a variable again, with another value",
        &[
            "int level = 3;",
            "int twice(void) { return level * 2; }",
            "int level = 50;",
            r#"printf("<%d>\n", twice());"#,
        ],
        &["<100>"],
    ),
    case(
        REDEFINE,
        "a variable again, with another type",
        &[
            "int level = 3;",
            "double twice(void) { return level * 2; }",
            "double level = 2.25;",
            r#"printf("<%.1f>\n", twice());"#,
        ],
        &["<4.5>"],
    ),
    case(
        REDEFINE,
        "another signature, no callers",
        &[
            "int f(int x) { return x; }",
            "double f(double x, double y) { return x + y; }",
            r#"printf("<%.1f>\n", f(1.5, 2));"#,
        ],
        &["<3.5>"],
    ),
    case(
        REDEFINE,
        "another signature, its callers rebuilt",
        &[
            "int f(int x) { return x; }",
            "double g(void) { return f(2.75); }",
            "double f(double x) { return x; }",
            r#"printf("<%.2f>\n", g());"#,
        ],
        &["<2.75>"],
    ),
    case(
        REDEFINE,
        "another signature that a caller does not bear is refused, the old one stays",
        &[
            "int f(int x) { return x + 1; }",
            "int g(void) { return f(2); }",
            "int f(int x, int y) { return x + y; }",
            r#"printf("<%d>\n", g());"#,
        ],
        &["<3>"],
    ),
    case(
        REDEFINE,
        "a macro again, its users follow",
        &[
            "#define SCALE 2",
            "int f(int x) { return x * SCALE; }",
            "#undef SCALE",
            "#define SCALE 10",
            r#"printf("<%d>\n", f(4));"#,
        ],
        &["<40>"],
    ),
    case(
        TYPES,
        "a struct gets a field",
        &[
            "struct point { int x, y; };",
            "int size(void) { return sizeof(struct point); }",
            "struct point { int x, y, z; };",
            r#"printf("<%d>\n", size());"#,
        ],
        &["<12>"],
    ),
    case(
        TYPES,
        "a struct with a variable of it",
        &[
            "struct point { int x, y; };",
            "struct point here = {1, 2};",
            "int last(void) { return here.y; }",
            "struct point { int w, x, y; };",
            "here.y = 9;",
            r#"printf("<%d %d>\n", last(), (int)sizeof here);"#,
        ],
        &["<9 12>"],
    ),
    case(
        TYPES,
        "a typedef again",
        &[
            "typedef int number;",
            "int size(void) { return sizeof(number); }",
            "typedef double number;",
            r#"printf("<%d>\n", size());"#,
        ],
        &["<8>"],
    ),
    case(
        TYPES,
        "an enum again",
        &[
            "enum state { OFF, ON };",
            "int on(void) { return ON; }",
            "enum state { OFF, IDLE, ON };",
            r#"printf("<%d>\n", on());"#,
        ],
        &["<2>"],
    ),
    case(
        TYPES,
        "a union in a struct, changed",
        &[
            "struct cell { union { int i; float f; } as; };",
            "int size(void) { return sizeof(struct cell); }",
            "struct cell { union { int i; double d; } as; int kind; };",
            r#"printf("<%d>\n", size());"#,
        ],
        &["<16>"],
    ),
    case(
        UNDO,
        "undo of a definition",
        &[
            "int f(void) { return 1; }",
            "@undo",
            "double f(double x) { return x; }",
            r#"printf("<%.1f>\n", f(2.5));"#,
        ],
        &["<2.5>"],
    ),
    case(
        UNDO,
        "undo of a redefinition",
        &["int f(void) { return 1; }", "int f(void) { return 2; }", "@undo", r#"printf("<%d>\n", f());"#],
        &["<1>"],
    ),
    case(
        UNDO,
        "undo of two inputs",
        &[
            "int f(void) { return 1; }",
            "int f(void) { return 2; }",
            "int f(void) { return 3; }",
            "@undo 2",
            r#"printf("<%d>\n", f());"#,
        ],
        &["<1>"],
    ),
    case(
        UNDO,
        "an error changes nothing",
        &["int f(void) { return 4; }", "int f(void) { return nobody; }", r#"printf("<%d>\n", f());"#],
        &["<4>"],
    ),
    case(
        UNDO,
        "a syntax error, then on",
        &["int f(void) { return 4 +; }", r#"printf("<%d>\n", 5);"#],
        &["<5>"],
    ),
    case(VALUES, "an integer", &["6 * 7"], &["42"]),
    case(VALUES, "a double", &["1.0 / 8"], &["0.125"]),
    case(VALUES, "a string", &["const char *name = \"Ada\";", "name"], &["\"Ada\""]),
    case(
        VALUES,
        "a struct by field",
        &["struct point { int x, y; } here = {31, 47};", "here"],
        &["x", "31", "y", "47"],
    ),
    case(VALUES, "an array", &["int row[3] = {71, 82, 93};", "row"], &["71", "82", "93"]),
    case(
        VALUES,
        "an enumerator by name",
        &["enum colour { RED, GREEN } paint = GREEN;", "paint"],
        &["GREEN"],
    ),
    case(
        INPUT,
        "a loop as a statement",
        &["int sum = 0;", "for (int i = 1; i <= 4; i++) sum += i;", r#"printf("<%d>\n", sum);"#],
        &["<10>"],
    ),
    case(
        INPUT,
        "a function over five lines",
        &["int f(int x)\n{\n  if (x > 2)\n    return 30;\n  return 3;\n}", r#"printf("<%d>\n", f(3));"#],
        &["<30>"],
    ),
    case(
        INPUT,
        "a computed initial value",
        &["int f(int x) { return x * x; }", "int start = f(9);", r#"printf("<%d>\n", start);"#],
        &["<81>"],
    ),
    case(INPUT, "a header, later", &["#include <math.h>", r#"printf("<%.3f>\n", sqrt(2.0));"#], &["<1.414>"]),
    case(
        INPUT,
        "C that is not C++",
        &[
            "int *numbers = malloc(3 * sizeof *numbers);",
            "int class = 5;",
            r#"printf("<%d %d>\n", class, numbers != 0);"#,
        ],
        &["<5 1>"],
    ),
    case(
        FAULTS,
        "null pointer, variables kept",
        &["int kept = 11;", "kept = 12;", "int *nowhere = 0;", "*nowhere = 1;", r#"printf("<%d>\n", kept);"#],
        &["<12>"],
    ),
    case(
        FAULTS,
        "division by zero",
        &["int kept = 11;", "volatile int zero = 0;", "int bad = 1 / zero;", r#"printf("<%d>\n", kept);"#],
        &["<11>"],
    ),
    case(
        FAULTS,
        "stack overflow",
        &[
            "int kept = 11;",
            "int deep(volatile int n) { volatile int m = n; return deep(m + 1) + m; }",
            "deep(0);",
            r#"printf("<%d>\n", kept);"#,
        ],
        &["<11>"],
    ),
    case(FAULTS, "abort", &["int kept = 11;", "abort();", r#"printf("<%d>\n", kept);"#], &["<11>"]),
    case(FAULTS, "exit", &["int kept = 11;", "exit(3);", r#"printf("<%d>\n", kept);"#], &["<11>"]),
    case(
        FAULTS,
        "endless loop, Ctrl-C",
        &["int kept = 11;", ENDLESS, r#"printf("<%d>\n", kept);"#],
        &["<11>"],
    ),
    case(
        FILES,
        "an exception out of a loaded C++ object",
        &[
            "int kept = 11;",
            "@load thrower",
            "void thrower(int);",
            "thrower(3);",
            r#"printf("<%d>\n", kept);"#,
        ],
        &["<11>"],
    ),
    case(
        FILES,
        "a C file loaded, edited, loaded again",
        &[
            "@load edited",
            r#"printf("<%d>\n", edited());"#,
            "@edit",
            "@load edited",
            r#"printf("<%d>\n", edited());"#,
        ],
        &["<1>", "<2>"],
    ),
    case(
        FILES,
        "a call into a shared library",
        &["@load library", "int library(int);", r#"printf("<%d>\n", library(5));"#],
        &["<105>"],
    ),
];
