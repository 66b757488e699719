//! What a session survives, and what it says of it.

use std::io::{BufRead, BufReader, Write};

use rustix::process::{Pid, Signal, kill_process};

use crate::place::Place;

#[test]
fn faults_are_told_with_function_and_line() {
    let told = Place::new().run(
        "int n = 5;\nint at(int *p) {\n  return *p;\n}\nn = 6;\nat(0)\nat((int *)16)\nn\nint down(int a, int b) { return a / b; }\ndown(1, 0)\n\
         int deep(int n) {\n  return deep(n + 1) + 1;\n}\ndeep(0)\nn\n",
    );
    let expected = [
        "null pointer: SIGSEGV in at (input 2, line 2)",
        "null pointer (at 0x10): SIGSEGV in at (input 2, line 2)",
        "division by zero or overflow: SIGFPE in down (input 7, line 1)",
        "stack overflow in deep (input 9, line ",
    ];
    assert_eq!(told.lines_despite(&expected), ["6", "6"]);
}

#[test]
fn the_ends_of_the_process_are_contained() {
    let told = Place::new().run(
        "#include <stdlib.h>\n#include <assert.h>\nint n = 1;\nn = 2;\nvoid f(void) { abort(); }\nf();\nexit(3);\nassert(n == 1);\nn\n",
    );
    let expected = ["SIGABRT in f (input 5, line 1)", "exit(3) was called", "an assertion failed"];
    assert_eq!(told.lines_despite(&expected), ["2"]);
    assert!(!told.err.contains("has ended the session's process"), "{told:?}");
}

#[test]
fn a_process_that_ends_is_followed_by_another() {
    let told = Place::new().run(
        "#include <unistd.h>\n#include <signal.h>\nint f(void) { return 3; }\nstruct p { int x; } o = {4};\nint m = f();\no.x = 5;\n\
         kill(getpid(), SIGKILL);\nf() + o.x\nm\nraise(SIGSEGV);\nf()\n",
    );
    let expected = [
        "killed (SIGKILL)",
        "variables have their first values",
        "all bytes of m are 0",
        "bad pointer (SIGSEGV)",
    ];
    assert_eq!(told.lines_despite(&expected), ["7", "0", "3"]);
}

#[test]
fn a_damaged_heap_is_survived() {
    let told = Place::new().run(
        "#include <stdlib.h>\nint f(void) { return 3; }\n{ char *p = malloc(24); free(p); free(p); }\nf()\n",
    );
    assert_eq!(told.lines_despite(&["has ended the session's process"]), ["3"]);
}

#[test]
fn an_exception_that_nothing_catches_is_told() {
    let place = Place::new();
    place.write(
        "t.cc",
        "#include <stdexcept>\nextern \"C\" int thrower(int n) { if (n) throw std::runtime_error(\"no\"); return 7; }\n\
         extern \"C\" int catcher(int n) { try { return thrower(n); } catch (std::exception &) { return -1; } }\n",
    );
    place.compile("clang++-19", &["-c", "-g", "-fPIC", "t.cc"]);
    let told = place.run(
        ":load -lstdc++\n:load t.o\nint thrower(int), catcher(int);\nthrower(0)\ncatcher(1)\nint n = 3;\nn = 4;\nthrower(1)\nn\n",
    );
    assert_eq!(told.lines_despite(&["an exception that nothing catches"]), ["7", "-1", "4"]);
    assert!(!told.err.contains("has ended the session's process"), "{told:?}");
}

#[test]
fn a_loop_is_ended_when_its_time_is_over() {
    let told =
        Place::new().run_with(&["--limit", "0.2"], "int n = 1;\nvoid f(void) { for (;;) n = 2; }\nf();\nn\n");
    assert_eq!(told.lines_despite(&["ended by --limit in f (input 2, line 1)"]), ["2"]);
}

#[test]
fn a_loop_is_interrupted() {
    let place = Place::new();
    let mut child = place.start(&[]);
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    input.write_all(b"#include <stdio.h>\nvoid spin(void) {\n  puts(\"spins\"); fflush(stdout);\n  for (;;);\n}\nspin();\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "spins");
    // What is typed at a terminal reaches both processes.
    let session = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let session = session.split_whitespace().next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(session).unwrap(), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("interrupted in spin (input 2, line 3)"), "{said}");
    assert_eq!(output.status.code(), Some(130));
}

#[test]
fn whoever_ends_it_nothing_is_left() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let place = Place::new();
        let mut child = place.start(&[]);
        let mut input = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        input.write_all(b"#include <stdio.h>\n{ puts(\"spins\"); fflush(stdout); for (;;); }\n").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "spins");
        let files = || std::fs::read_dir(place.temporary()).unwrap().count();
        assert_eq!(files(), 1);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(lines.next().is_none(), "the session's process goes too");
        assert_eq!(files(), 0);
    }
}

#[test]
fn a_variable_that_is_only_declared_is_named() {
    let told = Place::new().run(
        "extern int later, environ;\nint get(void) { return later; }\nget()\nlater\nint *p;\n*p\nint later = 4;\nget()\n*p\n",
    );
    assert_eq!(told.lines_despite(&["null pointer"]), ["4"]);
    assert_eq!(told.err.matches("note: later is declared, but not defined").count(), 3, "{told:?}");
    assert!(!told.err.contains("environ"), "{told:?}");
}

#[test]
fn a_fork_is_no_second_session() {
    let told = Place::new().run(
        "#include <unistd.h>\n#include <sys/wait.h>\nint n = 1;\nint once(void) { if (fork() == 0) { n = 2; return 5; } wait(0); return 6; }\n\
         once()\nn\n",
    );
    assert_eq!(told.lines(), ["5", "6", "1"]);
}

#[test]
fn what_cannot_be_interrupted_is_ended_with_its_process() {
    let place = Place::new();
    let mut child = place.start(&[]);
    let mut input = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    input
        .write_all(
            b"#include <stdio.h>\n#include <signal.h>\nint seven(void) { return 7; }\n\
              { sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, 0); puts(\"deaf\"); fflush(stdout); for (;;); }\nseven()\n",
        )
        .unwrap();
    drop(input);
    assert_eq!(out.next().unwrap().unwrap(), "deaf");
    let begun = std::time::Instant::now();
    let ended = std::thread::spawn(move || out.next().map(Result::unwrap));
    // A terminal sends it to both.
    while !ended.is_finished() && begun.elapsed().as_secs() < 60 {
        let _ = kill_process(Pid::from_child(&child), Signal::INT);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(ended.join().unwrap().as_deref(), Some("7"));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("Ctrl-C again ends the session's process") && said.contains("killed (SIGKILL)"),
        "{said}"
    );
}
