//! `--stress`: its options, its summary, and what the program must not notice.

use std::os::unix::process::ExitStatusExt;

use crate::place::{Outcome, Place};

/// The lines of a summary begin with these.
const LINES: [&str; 12] = [
    "stress ",
    "commits ",
    "replaced ",
    "rolled back ",
    "dropped ",
    "refused ",
    "held back ",
    "reclaimed ",
    "pending ",
    "resident ",
    "mappings ",
    "open files ",
];

/// The summary, after what the program wrote to stderr.
#[track_caller]
fn summary<'o>(outcome: &'o Outcome, before: &str) -> &'o str {
    let text = outcome.stderr.strip_prefix(before).unwrap_or_else(|| panic!("{outcome:?}"));
    // What holds old code, if anything does, is different each time.
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("held  ")).collect();
    assert_eq!(lines.len(), LINES.len(), "{outcome:?}");
    for (line, start) in lines.iter().zip(LINES) {
        assert!(line.starts_with(start), "{line}");
    }
    text
}

/// The number in the line that begins with `name`.
#[track_caller]
fn figure(summary: &str, name: &str) -> u64 {
    let line = summary.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let word = line.split_whitespace().next().unwrap().trim_end_matches(',');
    word.parse().unwrap_or_else(|_| panic!("{line}"))
}

/// `hotslot run` with these arguments. The program goes on for longer and longer until there was
/// `enough`: on a busy machine the thread that replaces may have to wait for its turn.
fn run_until(place: &Place, args: &[&str], enough: impl Fn(&Outcome) -> bool) -> Outcome {
    let run = |ms: &str| Outcome::of(place.hotslot(&["run"]).args(args).env("MS", ms));
    let mut outcome = run("100");
    for ms in ["500", "3000", "20000"] {
        if enough(&outcome) {
            break;
        }
        outcome = run(ms);
    }
    outcome
}

/// Something was replaced.
fn has_commits(outcome: &Outcome) -> bool {
    let line = outcome.stderr.lines().find_map(|line| line.strip_prefix("commits "));
    line.is_some_and(|line| !line.trim_start().starts_with("0 "))
}

const ENDS: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
void leave(const char *how);
static void last(void) { usleep(20000); fputs("last\n", stderr); }
static void *other(void *how) {
    usleep(atoi(getenv("MS")) * 1000);
    puts("other");
    if (!strcmp(how, "elsewhere")) exit(5);
    return 0;
}
int main(int count, char **words) {
    atexit(last);
    at_quick_exit(last);
    pthread_t thread;
    pthread_create(&thread, 0, other, words[1]);
    if (!strcmp(words[1], "pthread_exit")) pthread_exit(0);
    if (!strcmp(words[1], "elsewhere")) for (;;) pause();
    pthread_join(thread, 0);
    fflush(stdout);
    leave(words[1]);
    return 4;
}
"#;

const LEAVE: &str = r#"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
void leave(const char *how) {
    if (!strcmp(how, "exit")) exit(3);
    if (!strcmp(how, "quick_exit")) quick_exit(6);
    if (!strcmp(how, "_exit")) _exit(8);
    if (!strcmp(how, "abort")) abort();
    if (!strcmp(how, "exec")) execl("/bin/sh", "sh", "-c", "exit 9", (char *)0);
}
"#;

#[test]
fn a_summary_comes_last_however_the_program_exits() {
    let place = Place::new(&[("main.c", ENDS), ("leave.c", LEAVE)]);
    for (how, code) in [("return", 4), ("exit", 3), ("quick_exit", 6), ("pthread_exit", 0), ("elsewhere", 5)]
    {
        let outcome = run_until(&place, &["--stress", "0", "main.c", "leave.c", "--", how], has_commits);
        assert_eq!((outcome.code(), outcome.stdout.as_str()), (code, "other\n"), "{how}: {outcome:?}");
        let text = summary(&outcome, "last\n");
        assert!(figure(text, "commits ") > 0, "{text}");
        assert_eq!(figure(text, "refused "), 0, "{text}");
        assert!(text.contains(", 2 modules, "), "{text}");
    }
}

#[test]
fn a_process_that_does_not_exit_prints_no_summary() {
    let place = Place::new(&[("main.c", ENDS), ("leave.c", LEAVE)]);
    for (how, code, signal) in
        [("_exit", Some(8), None), ("exec", Some(9), None), ("abort", None, Some(libc::SIGABRT))]
    {
        let outcome = run_until(&place, &["--stress", "0", "main.c", "leave.c", "--", how], |_| true);
        let status = outcome.output.status;
        assert_eq!((status.code(), status.signal()), (code, signal), "{outcome:?}");
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("other\n", ""));
    }
}

#[test]
fn a_child_of_the_program_prints_no_summary() {
    let place = Place::new(&[(
        "a.c",
        "#include <stdlib.h>\n#include <sys/wait.h>\n#include <unistd.h>\n\
         int main(void) {\n\
             for (int i = 0; i < 20; i++) {\n\
                 int status, child = fork();\n\
                 if (child == 0) exit(i);\n\
                 if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != i) return 1;\n\
             }\n\
             return 8;\n\
         }\n",
    )]);
    let outcome = place.run(&["--stress", "0", "a.c"]);
    assert_eq!(outcome.code(), 8, "{outcome:?}");
    summary(&outcome, "");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let place = Place::new(&[("a.c", crate::place::HELLO)]);
    for rate in ["-1", "often", "nan"] {
        let outcome = place.run(&[&format!("--stress={rate}"), "a.c"]);
        assert_eq!((outcome.code(), outcome.stdout.as_str()), (1, ""), "{outcome:?}");
        assert!(outcome.stderr.contains("--stress <HZ>"), "{outcome:?}");
    }
    for option in ["--stress-recompile", "--stress-seed=1"] {
        let outcome = place.run(&[option, "a.c"]);
        assert_eq!((outcome.code(), outcome.stdout.as_str()), (1, ""), "{outcome:?}");
        assert!(outcome.stderr.contains("--stress <HZ>"), "{outcome:?}");
    }
}

const BUSY: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int next(int);
static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}
int main(void) {
    int count = 0;
    for (double end = now() + atoi(getenv("MS")) / 1e3; now() < end;) count = next(count);
    puts(count ? "counted" : "not counted");
    return 0;
}
"#;

#[test]
fn the_rate_and_the_seed_are_kept() {
    let place = Place::new(&[("main.c", BUSY), ("next.c", "int next(int x) { return x % 1000 + 1; }\n")]);
    let args = ["--stress", "20", "--stress-seed", "77", "--stress-recompile", "main.c", "next.c"];
    let outcome = run_until(&place, &args, has_commits);
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (0, "counted\n"), "{outcome:?}");
    let text = summary(&outcome, "");
    assert!(text.starts_with("stress      20 Hz, seed 77, 2 modules, "), "{text}");
    // Fewer where the machine is busy, never more than at the start and twenty a second.
    let seconds: f64 = text.lines().next().unwrap().rsplit(' ').nth(1).unwrap().parse().unwrap();
    let updates = figure(text, "commits ") + figure(text, "dropped ");
    assert!(updates > 0 && updates as f64 <= 20.0 * seconds + 2.0, "{text}");
}

#[test]
fn members_of_archives_and_libraries_are_modules() {
    let place = Place::new(&[
        ("main.c", BUSY),
        ("next.c", "int step(void);\nint next(int x) { return x % 1000 + step(); }\n"),
        ("step.c", "int step(void) { return 1; }\n"),
        ("unused.c", "int unused(void) { return 1; }\n"),
    ]);
    place.tool("clang-19", &["-O1", "-fPIC", "-c", "next.c", "unused.c", "step.c"]);
    place.tool("clang-19", &["-O1", "-fPIC", "-emit-llvm", "-c", "main.c"]);
    place.tool("ar", &["rcs", "libnext.a", "next.o", "unused.o"]);
    place.tool("ar", &["rcs", "step.a", "step.o"]);
    let outcome = run_until(&place, &["--stress", "0", "main.bc", "step.a", "-L.", "-lnext"], has_commits);
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (0, "counted\n"), "{outcome:?}");
    let text = summary(&outcome, "");
    assert!(text.contains(", 3 modules, "), "{text}");
    assert!(figure(text, "commits ") > 0 && figure(text, "refused ") == 0, "{text}");
}

#[test]
fn signals_are_the_programs_own() {
    // Blocked in every thread of the program, the signal has to wait.
    let place = Place::new(&[(
        "a.c",
        "#include <signal.h>\n#include <stdio.h>\n#include <unistd.h>\n\
         int main(void) {\n\
             sigset_t all, open;\n\
             sigfillset(&all);\n\
             sigprocmask(SIG_BLOCK, &all, 0);\n\
             kill(getpid(), SIGTERM);\n\
             usleep(100000);\n\
             sigpending(&open);\n\
             puts(sigismember(&open, SIGTERM) ? \"waits\" : \"taken\");\n\
             return 0;\n\
         }\n",
    )]);
    let outcome = place.run(&["--stress", "0", "a.c"]);
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (0, "waits\n"), "{outcome:?}");
}

#[test]
fn updates_that_are_refused_are_counted_and_named() {
    // The generations that are kept to be returned to do not fit beside each other.
    let big = "int next(int x) {\n\
                   if (x < 0) __asm__ volatile(\".fill 1000000, 1, 0x90\");\n\
                   return x % 1000 + 1;\n\
               }\n";
    let place = Place::new(&[("main.c", BUSY), ("next.c", big)]);
    let args = ["--stress", "0", "--arena", "8M", "main.c", "next.c"];
    let outcome = run_until(&place, &args, |outcome| outcome.stderr.contains(", first: "));
    // The program goes on, and its end is its own.
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (0, "counted\n"), "{outcome:?}");
    let text = summary(&outcome, "");
    let refused = text.lines().find(|line| line.starts_with("refused ")).unwrap();
    assert!(refused.contains(", first: next.c: the arena has no room for "), "{text}");
}

#[test]
fn time_and_stress_go_together() {
    let place = Place::new(&[("main.c", BUSY), ("next.c", "int next(int x) { return x % 1000 + 1; }\n")]);
    let outcome = run_until(&place, &["--stress", "5", "--time", "main.c", "next.c"], |_| true);
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (0, "counted\n"), "{outcome:?}");
    let (stress, time) = outcome.stderr.split_once("phase ").expect("both tables");
    assert!(stress.starts_with("stress ") && stress.lines().count() >= LINES.len(), "{outcome:?}");
    assert!(time.contains("\nrun "), "{outcome:?}");
}
