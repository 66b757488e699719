//! A session at a terminal, as a person has it.

use std::process::Command;

use crate::place::Place;
use crate::pty::Terminal;

const UP: &str = "\x1b[A";
const LEFT: &str = "\x1b[D";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// A session whose history is in `place`.
fn start(place: &Place, term: &str) -> Terminal {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotslot"));
    command.arg("repl").current_dir(place.0.path());
    command.env("TERM", term).env("XDG_STATE_HOME", place.0.path()).env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command);
    terminal.wait_for("hotslot> ");
    terminal
}

#[test]
fn lines_are_edited_go_on_and_are_remembered() {
    let place = Place::new();
    let mut terminal = start(&place, "xterm");
    // The editor goes on with the next line by itself.
    terminal.type_in("int sq(int x) {\r  return x * x;\r}\rsq(7) + 1000\r");
    terminal.wait_for("\n1049\r\n");
    // Seven becomes nine.
    terminal.type_in(&format!("sq(7) + 2000{}", LEFT.repeat(8)));
    terminal.type_in("\x7f9\r");
    terminal.wait_for("\n2081\r\n");
    // Ctrl-C throws away what was begun.
    terminal.type_in(&format!("int broken({CTRL_C}"));
    terminal.type_in("sq(2) + 3000\r");
    terminal.wait_for("\n3004\r\n");
    terminal.type_in(CTRL_D);
    assert_eq!(terminal.end(), 0);
    // Another session remembers it.
    let mut terminal = start(&place, "xterm");
    terminal.type_in("int sq(int x) { return -x; }\r");
    terminal.type_in(&format!("{UP}{UP}\r"));
    terminal.wait_for("\n2998\r\n");
    terminal.type_in(":quit 3\r");
    assert_eq!(terminal.end(), 3);
}

#[test]
fn a_loop_ends_at_ctrl_c_and_what_was_there_is_kept() {
    for term in ["xterm", "dumb"] {
        let place = Place::new();
        let mut terminal = start(&place, term);
        terminal.type_in("#include <stdio.h>\r");
        terminal.type_in("int kept = 41;\r");
        terminal.type_in("puts(\"it\" \" begins\"); for (;;) ;\r");
        terminal.wait_for("\nit begins\r\n");
        terminal.type_in(CTRL_C);
        terminal.wait_for("interrupted");
        terminal.type_in("kept + 1\r");
        terminal.wait_for("\n42\r\n");
        terminal.type_in(CTRL_D);
        terminal.end();
    }
}

#[test]
fn names_and_commands_are_completed() {
    let place = Place::new();
    let mut terminal = start(&place, "xterm");
    terminal.type_in("int a_rather_long_name = 77;\r");
    terminal.type_in("a_rath\t + 1000\r");
    terminal.wait_for("\n1077\r\n");
    terminal.type_in(":sou\t a_rather_long_name\r");
    terminal.wait_for("\nint a_rather_long_name = 77;\r\n");
    terminal.type_in(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_pasted_file_is_one_input() {
    let place = Place::new();
    let mut terminal = start(&place, "xterm");
    terminal.type_in(
        "\x1b[200~int f(void);\nint g(void) { return f() + 1; }\n\nint f(void) { return 500; }\n\x1b[201~\r",
    );
    terminal.type_in("g()\r");
    terminal.wait_for("\n501\r\n");
    terminal.type_in(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_structure_that_changes_takes_values_only_when_one_agrees() {
    let place = Place::new();
    let mut terminal = start(&place, "xterm");
    terminal.type_in("struct point { int x, y; } here = {1, 2};\r");
    terminal.type_in("here.x = 300;\r");
    terminal.type_in("struct point { int x, y, z; };\r");
    terminal.wait_for("[y/N]");
    terminal.type_in("n\r");
    terminal.type_in("here.x + (int)sizeof here\r");
    terminal.wait_for("\n308\r\n");
    terminal.type_in("struct point { int x, y, z; };\r");
    terminal.wait_for("here");
    terminal.wait_for("[y/N]");
    terminal.type_in("y\r");
    terminal.type_in("here.x + (int)sizeof here\r");
    terminal.wait_for("\n13\r\n");
    terminal.type_in(CTRL_D);
    terminal.end();
}
