//! Crashes of the program: what is said, and what becomes of it.

use std::os::unix::process::ExitStatusExt;

use crate::place::{Outcome, Place};

const CRASH: &str = "#include <stdio.h>\n\
int *volatile null; int zero;\n\
int step(int n) {\n  return *null + n;\n}\n\
int divide(int n) { return n / zero; }\n\
int deep(int n) { volatile char room[300]; room[n % 300] = 1; return deep(n + 1) + room[n % 300]; }\n\
int main(int argc, char **argv) {\n\
  puts(\"begins\"); fflush(stdout);\n\
  switch (argv[1][0]) { case 's': return step(1); case 'd': return divide(1); case 'o': return deep(1); }\n\
  __builtin_trap();\n}\n";

#[track_caller]
fn ended_by(outcome: &Outcome, signal: i32) {
    // A shell says 128 and the number.
    assert_eq!(outcome.output.status.signal(), Some(signal), "{outcome:?}");
    assert_eq!(outcome.stdout, "begins\n");
}

#[track_caller]
fn says(outcome: &Outcome, words: &[&str]) {
    for word in words {
        assert!(outcome.stderr.contains(word), "no `{word}` in:\n{}", outcome.stderr);
    }
}

#[test]
fn a_crash_is_reported_and_ends_the_program_as_its_signal_does() {
    let place = Place::new(&[("a.c", CRASH)]);
    for level in ["-O0", "-O2"] {
        let run = |case| place.run(&[level, "--cflags", "-g -fno-inline", "a.c", "--", case]);
        let outcome = run("s");
        ended_by(&outcome, libc::SIGSEGV);
        says(
            &outcome,
            &["hotslot: the program crashed: SIGSEGV at address 0x0 in step in a.c v1 at ", "a.c:4\n"],
        );
        if level == "-O0" {
            says(&outcome, &["\n  #0  step in a.c v1", "\n  #1  main in a.c v1"]);
        }
        assert!(!outcome.stderr.contains("last update"), "nothing was updated: {}", outcome.stderr);
        let outcome = run("d");
        ended_by(&outcome, libc::SIGFPE);
        says(&outcome, &["SIGFPE in divide"]);
        let outcome = run("t");
        ended_by(&outcome, libc::SIGILL);
        says(&outcome, &["SIGILL in main"]);
    }
    let outcome = place.run(&["-O0", "a.c", "--", "o"]);
    ended_by(&outcome, libc::SIGSEGV);
    says(&outcome, &["stack overflow in deep+0x", "  ... this 62 more times at least\n  ... and more\n"]);
    let outcome = place.run(&["--on-crash", "exit", "a.c", "--", "s"]);
    ended_by(&outcome, libc::SIGSEGV);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn names_of_cxx_are_told_as_they_are_written() {
    let place = Place::new(&[(
        "a.cc",
        "#include <cstdio>\nnamespace game { int step(int *p) { return *p; } int gone(long); }\n\
         int main(int argc, char **) { std::puts(\"begins\"); std::fflush(stdout); return game::step(nullptr) MORE; }\n",
    )]);
    let outcome = place.run(&["-O0", "--cflags", "-DMORE=", "a.cc"]);
    ended_by(&outcome, libc::SIGSEGV);
    says(&outcome, &["SIGSEGV at address 0x0 in game::step(int*)+0x", "  #0  game::step(int*)+0x"]);
    let outcome = place.run(&["--cflags", "-DMORE=+game::gone(2)", "a.cc"]);
    says(&outcome, &["hotslot: undefined symbol: game::gone(long), wanted by a.cc\n"]);
}

#[test]
fn threads_of_the_program_are_reported_too() {
    let place = Place::new(&[(
        "a.c",
        "#include <pthread.h>\n#include <stdio.h>\n\
         static int deep(int n) { volatile char room[300]; room[0] = n; return deep(n + 1) + room[0]; }\n\
         static void *body(void *p) { deep(1); return p; }\n\
         int main(void) { pthread_t t; puts(\"begins\"); fflush(stdout);\n\
         pthread_create(&t, 0, body, 0); pthread_join(t, 0); return 0; }\n",
    )]);
    let outcome = place.run(&["-O0", "a.c"]);
    ended_by(&outcome, libc::SIGSEGV);
    says(&outcome, &["stack overflow in deep"]);
}

#[test]
fn the_programs_own_handlers_win() {
    let place = Place::new(&[(
        "a.c",
        "#include <signal.h>\n#include <setjmp.h>\n#include <stdio.h>\n\
         static sigjmp_buf back; int *volatile null;\n\
         static void own(int s) { siglongjmp(back, s); }\n\
         int main(void) { signal(SIGSEGV, own); int s = sigsetjmp(back, 1);\n\
         if (!s) return *null; printf(\"caught %d\\n\", s); return 0; }\n",
    )]);
    place.run(&["a.c"]).printed("caught 11\n");
}

const GUARDED: &str = "#include <stdio.h>\n\
int hotslot_guarded(void (*)(void *), void *);\n\
int *volatile null; static int frames;\n\
void frame(void *p) { frames++; if (frames % 2) *null = 1; }\n\
int main(void) {\n\
  int crashed = 0;\n\
  for (int i = 0; i < 200; i++) crashed += hotslot_guarded(frame, 0);\n\
  printf(\"%d of %d\\n\", crashed, frames);\n\
  return 0;\n}\n";

#[test]
fn a_guarded_call_of_the_program_survives() {
    let place = Place::new(&[("a.c", GUARDED)]);
    let outcome = place.run(&["--cflags", "-g", "a.c"]);
    assert_eq!((outcome.stdout.as_str(), outcome.code()), ("100 of 200\n", 0), "{}", outcome.stderr);
    says(&outcome, &["SIGSEGV at address 0x0 in frame in a.c v1 at "]);
    assert_eq!(outcome.stderr.matches("the program crashed").count(), 100);
    let outcome = place.run(&["--on-crash", "exit", "a.c"]);
    outcome.printed("100 of 200\n");
    // There has to be an update that can be undone: one has put `here` to another place.
    let late = GUARDED.replacen(
        "int main(void) {\n",
        "__attribute__((noinline)) void *at(void) { return __builtin_return_address(0); }\n\
         __attribute__((noinline)) void *here(void) { void *p = at(); return *(void *volatile *)&p; }\n\
         int usleep(unsigned);\n\
         int main(void) {\nfor (void *first = here(); here() == first;) usleep(100);\n",
        1,
    );
    std::fs::write(place.dir.join("late.c"), late).unwrap();
    let outcome = place.run(&["--on-crash", "rollback", "--stress", "0", "late.c"]);
    assert_eq!((outcome.stdout.as_str(), outcome.code()), ("100 of 200\n", 0), "{}", outcome.stderr);
    says(&outcome, &["hotslot: the last update is undone: late.c v"]);
    // The load of the program is no update that could be undone.
    let outcome = place.run(&["--on-crash", "rollback", "a.c"]);
    assert_eq!((outcome.stdout.as_str(), outcome.code()), ("100 of 200\n", 0), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("there is no update to undo").count(), 100);
}
