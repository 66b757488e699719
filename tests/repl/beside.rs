//! The same inputs to hotslot and to clang-repl 19.
//!
//! hotslot has to do all of it. What clang-repl does is printed as the table that
//! `docs/repl.md` has, if `HOTSLOT_BESIDE` is set and there is a clang-repl.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::place::Place;

/// What is tried, the inputs, and what has to be printed in the end.
const CASES: &[(&str, &str, &str)] = &[
    ("call a function", "int f(int x) { return x + 1; }\nprintf(\"=%d\\n\", f(1));", "=2"),
    (
        "redefine a function",
        "int f(int x) { return x; }\nint f(int x) { return x + 1; }\nprintf(\"=%d\\n\", f(1));",
        "=2",
    ),
    (
        "earlier callers follow",
        "int f(int x) { return x; }\nint g(int x) { return f(x); }\nint f(int x) { return x + 1; }\nprintf(\"=%d\\n\", g(1));",
        "=2",
    ),
    (
        "stored pointers follow",
        "int f(int x) { return x; }\nint (*p)(int) = f;\nint f(int x) { return x + 1; }\nprintf(\"=%d\\n\", p(1));",
        "=2",
    ),
    (
        "a function with another signature",
        "int f(int x) { return x; }\nint f(int x, int y) { return x + y; }\nprintf(\"=%d\\n\", f(1, 2));",
        "=3",
    ),
    (
        "a signature that callers bear",
        "int f(int x) { return x; }\nint g(void) { return f(1); }\nlong f(long x) { return x + 1; }\nprintf(\"=%d\\n\", g());",
        "=2",
    ),
    (
        "a signature that a caller does not bear is refused",
        "int f(int x) { return x; }\nint g(void) { return f(1); }\nint f(int x, int y) { return x + y; }\nprintf(\"=%d\\n\", g());",
        "=1",
    ),
    ("redefine a variable", "int n = 1;\nint n = 2;\nprintf(\"=%d\\n\", n);", "=2"),
    ("a variable with another type", "int n = 1;\ndouble n = 2.5;\nprintf(\"=%g\\n\", n);", "=2.5"),
    (
        "users of that variable follow",
        "int n = 1;\ndouble half(void) { return n / 2.0; }\ndouble n = 3.0;\nprintf(\"=%g\\n\", half());",
        "=1.5",
    ),
    (
        "a structure with another field",
        "struct p { int x; };\nstruct p { int x; int y; };\nstruct p o = {1, 2};\nprintf(\"=%d\\n\", o.x + o.y);",
        "=3",
    ),
    (
        "variables of a changed structure",
        "struct p { int x; };\nstruct p o;\nstruct p { int y; int x; };\no.x = 4;\nprintf(\"=%d\\n\", o.x);",
        "=4",
    ),
    (
        "functions that use a changed structure",
        "struct p { int x; };\nint get(struct p *q) { return q->x; }\nstruct p { int y; int x; };\nstruct p o = {1, 2};\nprintf(\"=%d\\n\", get(&o));",
        "=2",
    ),
    (
        "redefine a typedef",
        "typedef int T;\nint size(void) { return sizeof(T); }\ntypedef char T;\nprintf(\"=%d\\n\", size());",
        "=1",
    ),
    ("redefine an enumeration", "enum e { A, B };\nenum e { Z, A, B };\nprintf(\"=%d\\n\", (int)B);", "=2"),
    ("redefine a macro", "#define N 1\n#define N 2\nprintf(\"=%d\\n\", N);", "=2"),
    (
        "functions follow a macro",
        "#define N 1\nint f(void) { return N; }\n#define N 2\nprintf(\"=%d\\n\", f());",
        "=2",
    ),
    (
        "an initialiser that has to be run",
        "int f(void) { return 3; }\nint n = f();\nprintf(\"=%d\\n\", n);",
        "=3",
    ),
    (
        "an array of run-time values",
        "int f(void) { return 3; }\nint a[] = {1, f()};\nprintf(\"=%d\\n\", (int)(sizeof a / sizeof a[0]) + a[1]);",
        "=5",
    ),
    ("a statement", "int n = 0;\nfor (int i = 0; i < 4; i++) n += i;\nprintf(\"=%d\\n\", n);", "=6"),
    ("an error keeps the session", "int n = 3;\nint n2 = nothing;\nprintf(\"=%d\\n\", n);", "=3"),
    (
        "two functions, one wrong: neither",
        "int f(void) { return 1; }\nint f(void) { return 2; } int g(void) { return none; }\nprintf(\"=%d\\n\", f());",
        "=1",
    ),
    ("null pointer", "int n = 3;\n*(volatile int *)0 = 1;\nprintf(\"=%d\\n\", n);", "=3"),
    (
        "null pointer in a function",
        "int n = 3;\nint f(int *p) { return *p; }\nf(0);\nprintf(\"=%d\\n\", n);",
        "=3",
    ),
    (
        "division by zero",
        "int n = 3;\nint f(int a, int b) { return a / b; }\nf(1, 0);\nprintf(\"=%d\\n\", n);",
        "=3",
    ),
    (
        "stack overflow",
        "int n = 3;\nint deep(int x) { return deep(x + 1) + 1; }\ndeep(0);\nprintf(\"=%d\\n\", n);",
        "=3",
    ),
    ("call of a bad address", "int n = 3;\n((void (*)(void))8)();\nprintf(\"=%d\\n\", n);", "=3"),
    ("abort", "int n = 3;\nabort();\nprintf(\"=%d\\n\", n);", "=3"),
    ("failed assertion", "int n = 3;\nassert(n == 4);\nprintf(\"=%d\\n\", n);", "=3"),
    ("exit", "int n = 3;\nexit(2);\nprintf(\"=%d\\n\", n);", "=3"),
    (
        "damaged heap",
        "int f(void) { return 3; }\nchar *p = (char *)malloc(24);\nfree(p);\nfree(p);\nprintf(\"=%d\\n\", f());",
        "=3",
    ),
    (
        "call of what is only declared",
        "int n = 3;\nextern int nowhere(int);\nnowhere(1);\nprintf(\"=%d\\n\", n);",
        "=3",
    ),
    (
        "define that afterwards",
        "extern int late(int);\nint f(void) { return late(2); }\nint late(int x) { return x + 1; }\nprintf(\"=%d\\n\", f());",
        "=3",
    ),
    (
        "undo a definition",
        "int f(void) { return 1; }\nint g(void) { return 2; }\n:undo\nint g(void) { return 5; }\nprintf(\"=%d\\n\", f() + g());",
        "=6",
    ),
    (
        "undo a redefinition",
        "int f(void) { return 1; }\nint f(void) { return 2; }\n:undo\nprintf(\"=%d\\n\", f());",
        "=1",
    ),
    ("a shared library", ":load libm.so.6\nprintf(\"=%d\\n\", (int)cbrt(27.0));", "=3"),
    (
        "an exception caught in an object",
        ":load -lstdc++\n:load ./libthrows.so\nextern int catches(int);\nprintf(\"=%d\\n\", catches(1));",
        "=-1",
    ),
    (
        "an exception that nothing catches",
        "int n = 3;\n:load -lstdc++\n:load ./libthrows.so\nextern int throws(int);\nthrows(1);\nprintf(\"=%d\\n\", n);",
        "=3",
    ),
    ("a value by its type", "struct p { int x; double y; };\nstruct p o = {1, 2.5};\no", "{x = 1, y = 2.5}"),
    ("an endless loop and Ctrl-C", "int n = 3;\nint f(void) { for (;;) n = 4; }\nf();", "interrupted"),
];

const HEADERS: &str = "#include <stdio.h>\n#include <stdlib.h>\n#include <assert.h>\n#include <math.h>\n";

/// What came of a case.
fn outcome(mut command: Command, place: &Place, script: &str, expected: &str) -> &'static str {
    command.current_dir(place.0.path()).env("TMPDIR", place.temporary());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // What is written last is not seen by who has ended.
    let _ = child.stdin.take().unwrap().write_all(format!("{HEADERS}{script}\n").as_bytes());
    let begun = Instant::now();
    let mut interrupted = false;
    while child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60) {
        if expected == "interrupted" && begun.elapsed() > Duration::from_secs(4) && !interrupted {
            interrupted = true;
            let all = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
            for process in all.split_whitespace().map(str::to_owned).chain([child.id().to_string()]) {
                Command::new("kill").args(["-INT", &process]).status().unwrap();
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if told.lines().any(|line| {
        line.trim_start_matches("clang-repl> ") == expected
            || expected == "interrupted" && line.starts_with(expected)
    }) {
        "yes"
    } else if std::os::unix::process::ExitStatusExt::signal(&output.status).is_some() {
        "dies"
    } else if told.contains("error:") {
        "refuses"
    } else {
        "no"
    }
}

fn place() -> Place {
    let place = Place::new();
    place.write(
        "throws.cc",
        "#include <stdexcept>\nextern \"C\" int throws(int n) { if (n) throw std::runtime_error(\"no\"); return 7; }\n\
         extern \"C\" int catches(int n) { try { return throws(n); } catch (std::exception &) { return -1; } }\n",
    );
    place.compile("clang++-19", &["-g", "-fPIC", "-shared", "throws.cc", "-o", "libthrows.so"]);
    place
}

#[test]
fn hotslot_does_all_of_it() {
    let place = place();
    assert_eq!(CASES.len(), 40);
    let table = std::env::var_os("HOTSLOT_BESIDE").is_some();
    let (mut rows, mut wrong) = (String::new(), Vec::new());
    for (what, script, expected) in CASES {
        let mut hotslot = Command::new(env!("CARGO_BIN_EXE_hotslot"));
        hotslot.arg("repl");
        let ours = outcome(hotslot, &place, script, expected);
        if ours != "yes" {
            wrong.push(*what);
        }
        if table {
            let script =
                script.replace(":undo", "%undo").replace(":load -lstdc++\n", "").replace(":load ", "%lib ");
            let script = script.replace("extern int catches", "extern \"C\" int catches");
            let script = script.replace("extern int throws", "extern \"C\" int throws");
            let theirs =
                outcome(Command::new("clang-repl-19"), &place, &format!("{script}\n%quit"), expected);
            rows.push_str(&format!("| {what} | {ours} | {theirs} |\n"));
        }
    }
    if table {
        println!("{rows}");
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
