//! The example language, as a user has it: as a script, and at a terminal.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

#[path = "common/pty.rs"]
mod pty;

/// The example, built as this test was: cargo does that by itself only where all tests are run.
fn program() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let test = std::env::current_exe().unwrap();
        // target/PROFILE/deps/TEST
        let profile = test.ancestors().nth(2).unwrap();
        let mut command = Command::new(env!("CARGO"));
        command.args(["build", "--quiet", "--example", "kaleidoscope", "--target-dir"]);
        command.arg(profile.parent().unwrap());
        command.args(profile.ends_with("release").then_some("--release"));
        assert!(command.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
        profile.join("examples/kaleidoscope")
    };
    BUILT.get_or_init(build).clone()
}

/// What a script writes, its errors, and its exit status.
fn script(text: &str) -> (String, String, i32) {
    let mut command = Command::new(program());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap_or(-1))
}

fn fine(text: &str, expected: &str) {
    let (out, errors, status) = script(text);
    assert_eq!((errors.as_str(), status), ("", 0), "{text}");
    assert_eq!(out, expected, "{text}");
}

#[test]
fn the_language_is_that_of_the_tutorial() {
    fine("1 + 2 * 3; 4 - 3 - 2\n(1 < 2) - (2 < 1) # a comment\n", "7\n-1\n1\n");
    fine("def fib(x)\n  if x < 3 then\n    1\n  else\n    fib(x - 1) + fib(x - 2)\nfib(20)\n", "6765\n");
    fine(
        "def unary!(v) if v then 0 else 1\ndef unary-(v) 0 - v\n\
         def binary> 10 (a b) b < a\ndef binary| 5 (a b) if a then 1 else if b then 1 else 0\n\
         !0 | 0\n-3 + 10\n1 > 2 | 3 > 2\n",
        "1\n7\n1\n",
    );
    fine(
        "def binary : 1 (x y) y;\n\
         def fibi(x)\n  var a = 1, b = 1, c in\n  (for i = 3, i < x in\n    c = a + b :\n    a = b :\n    b = c) :\n  b;\n\
         fibi(10)\nvar a = 1 in (var a = 2 in a) + a\nvar a, b in a = b = 5 : a + b\n",
        "55\n3\n10\n",
    );
    fine(
        "extern putchard(c); extern printd(x); extern sin(x)\n\
         def stars(n) for i = 1, i < n, 1.0 in putchard(42)\nstars(10)\nputchard(10)\nprintd(sin(0))\n",
        "**********0\n\n0\n0\n0\n",
    );
}

#[test]
fn a_definition_changes_and_its_callers_follow() {
    fine(
        "def f(x) x + 1\ndef g(x) f(x) * 2\ndef h(x) g(x) + f(x)\nh(1)\ndef f(x) x + 100\nh(1)\ndef g(x) 0\nh(1)\n",
        "6\n303\n101\n",
    );
}

#[test]
fn errors_keep_the_session() {
    let (out, errors, status) = script(
        "def f(x) x\ndef g(x) f(x)\ndef f(x y) x\ng(3)\nnothing(1)\nf(1, 2)\nextern nothing(x)\nv\n1 = 2\n)\n\
         def f(x) g(\n1 2)\n1.2.3\ng(4)\n1 +\n",
    );
    assert_eq!(out, "3\n4\n");
    let expected = [
        "f changes its type from double (double) to double (double, double)",
        "there is no function nothing",
        "f has 1 parameters, not 2",
        "nothing defines nothing",
        "there is no variable v",
        "line 9: only a variable can be assigned to",
        "line 10: an expression belongs here, not )",
        "line 12: , belongs here, not 2",
        "line 13: a number belongs here, not 1.2.3",
        "line 15: the input ends in the middle of this",
    ];
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{errors}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{line} is not {expected}");
    }
    assert_eq!(status, 1);
}

#[test]
fn a_crash_ends_the_expression_and_not_the_session() {
    let (out, errors, status) = script(
        "def down(x) down(x + 1) + 1\nextern abort()\nextern exit(status)\ndown(1)\nabort()\ndown(1)\n7\n",
    );
    assert_eq!(out, "7\n");
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 3, "{errors}");
    assert!(lines[0].contains("stack overflow (SIGSEGV) in down"), "{errors}");
    assert!(lines[1].contains("aborted by abort"), "{errors}");
    assert_eq!(status, 1);
}

#[test]
fn a_thousand_definitions_and_expressions() {
    let mut text = String::from("def f0(x) x\n");
    for n in 1..1000 {
        text += &format!("def f{n}(x) f{}(x) + 1\nf{n}(1)\n", n - 1);
    }
    let (out, errors, status) = script(&text);
    assert_eq!((errors.as_str(), status), ("", 0));
    let expected: String = (2..=1000).map(|n| format!("{n}\n")).collect();
    assert_eq!(out, expected);
}

#[test]
fn at_a_terminal_ctrl_c_stops_what_runs_and_drops_what_is_typed() {
    let mut terminal = pty::Terminal::start(Command::new(program()));
    terminal.wait_for("ready> ");
    terminal.type_in("def turn(n) for i = 0, 0 < n in 0\n");
    terminal.wait_for("ready> ");
    // What it writes first says that it runs.
    terminal.type_in("printd(5) + turn(1)\n");
    terminal.wait_for("5\r\n");
    terminal.type_in("\x03");
    terminal.wait_for("interrupted in turn");
    terminal.wait_for("ready> ");
    // In the middle of an input.
    terminal.type_in("1 +\n");
    terminal.wait_for("     > ");
    terminal.type_in("\x03");
    terminal.wait_for("ready> ");
    terminal.type_in("40 + 2\n");
    terminal.wait_for("42\r\n");
    terminal.wait_for("ready> ");
    terminal.type_in("\x04");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn the_example_is_short() {
    let mut lines = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/kaleidoscope")).unwrap() {
        let mut text = String::new();
        std::fs::File::open(file.unwrap().path()).unwrap().read_to_string(&mut text).unwrap();
        lines += text.lines().count();
    }
    assert!(lines <= 600, "{lines} lines");
}
