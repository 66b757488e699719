//! Random inputs that a session has to survive: its process lives, its definitions and variables
//! are there, and every fault is told.
//!
//! `HOTSLOT_HOSTILE` says how many there are.

use std::io::{BufRead, BufReader, Write};

use crate::place::Place;

/// An input, what stderr has of it, and whether it is an expression that is well.
type Hostile = (String, &'static str);

fn input(random: &mut fastrand::Rng, at: usize) -> Hostile {
    let n = random.u32(1..1000);
    let text = |text: &str| text.replace("$", &n.to_string()).replace("%", &at.to_string());
    match random.usize(..22) {
        0 => (text("*(volatile int *)0 = $;"), "null pointer"),
        1 => (text("crash((int *)$)"), "SIGSEGV"),
        2 => (text("divide($, 0)"), "SIGFPE"),
        3 => (text("deep($)"), "stack overflow"),
        4 => (text("abort();"), "SIGABRT"),
        5 => (text("exit($);"), "exit("),
        6 => (text("assert(state == -$);"), "assertion"),
        7 => (text("for (;;) state = 42;"), "--limit"),
        8 => (text("spin();"), "--limit"),
        9 => (text("((void (*)(void))$)();"), "SIGSEGV"),
        10 => (text("int x% = ;"), "error"),
        11 => (text("int crash(int *p, int q) { return $; } this is not C"), "error"),
        12 => (text("struct { int x; } y% = {.z = $};"), "error"),
        13 => (text(")))) $ {{{"), "error"),
        14 => (text("memset(0, 1, $);"), "SIGSEGV"),
        15 => (text("strlen((char *)$)"), "SIGSEGV"),
        16 => (text("undefined_function($)"), "error"),
        17 => (text("raise(SIGABRT);"), "SIGABRT"),
        18 => (text("__builtin_trap();"), "SIGILL"),
        19 => (text("int steps(int n) { return n + $; }"), ""),
        20 => (text("never(1)"), "not defined"),
        _ => (text("state = state * 1 + 0;"), ""),
    }
}

const SETUP: &str = "#include <stdlib.h>\n#include <string.h>\n#include <assert.h>\n#include <signal.h>\n\
    int state = 41;\nint never(int);\nint crash(int *p) { return *p; }\nint divide(int a, int b) { return a / b; }\n\
    int deep(int n) { return deep(n + 1) + 1; }\nvoid spin(void) { for (;;); }\nint marker(void) { return 7; }\nstate = 42;\n";

#[test]
fn random_hostile_inputs() {
    let count = std::env::var("HOTSLOT_HOSTILE").ok().and_then(|n| n.parse().ok()).unwrap_or(120);
    let mut random = fastrand::Rng::with_seed(count as u64);
    let place = Place::new();
    let mut child = place.start(&["--limit", "0.5"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut err = child.stderr.take().unwrap();
    // Somebody has to read what is said.
    let said = std::thread::spawn(move || {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut err, &mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    });
    stdin.write_all(SETUP.as_bytes()).unwrap();
    let mut expected = Vec::new();
    for at in 0..count {
        let (text, says) = input(&mut random, at);
        writeln!(stdin, "{text}\nstate + marker() * 100 + {at} * 10000 + 10000").unwrap();
        let want = ((at + 1) * 10000 + 742).to_string();
        loop {
            let line = out.next().unwrap_or_else(|| panic!("the session has ended after {text}")).unwrap();
            if line == want {
                break;
            }
            assert!(line.len() < want.len(), "{text}: {line}, not {want}");
        }
        expected.push((text, says));
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let said = said.join().unwrap();
    assert!(!said.contains("has ended the session's process"), "{said}");
    let mut rest = said.as_str();
    for (text, says) in expected {
        let at = rest.find(says).unwrap_or_else(|| panic!("{text}: {says} was not told: {rest}"));
        rest = &rest[at + says.len()..];
    }
}
