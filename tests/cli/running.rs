//! The program's side: arguments, input, exit and signals, as natively.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::place::{Outcome, Place};

#[test]
fn the_programs_exit_code_is_ours() {
    let place = Place::new(&[("a.c", "int main(void) { return 42; }\n")]);
    for level in ["-O0", "-O1", "-O2", "-O3"] {
        for calls in ["slot", "stub"] {
            assert_eq!(place.run(&[level, "--calls", calls, "a.c"]).code(), 42);
        }
    }
}

#[test]
fn a_program_of_many_files_in_both_call_forms() {
    let place = Place::new(&[
        (
            "main.c",
            "#include <stdio.h>\nint twice(int), count;\n\
             int main(void) { printf(\"%d %d\\n\", twice(21), count); return 0; }\n",
        ),
        ("twice.c", "extern int count;\nint twice(int x) { count++; return 2 * x; }\n"),
    ]);
    for level in ["-O0", "-O2"] {
        for calls in ["slot", "stub"] {
            place.run(&[level, "--calls", calls, "main.c", "twice.c"]).printed("42 1\n");
        }
    }
}

const ECHO: &str = r#"
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv, char **envp) {
    for (int i = 0; i < argc; i++) printf("%d=%s\n", i, argv[i]);
    printf("end=%d env=%s envp=%d\n", argv[argc] == NULL, getenv("HOTSLOT_TEST"), envp[0] != NULL);
    char line[64];
    while (fgets(line, sizeof line, stdin)) printf("in=%s", line);
    return 0;
}
"#;

#[test]
fn the_program_sees_its_arguments_environment_and_input() {
    let place = Place::new(&[("echo.c", ECHO)]);
    let mut child = place
        .hotslot(&["run", "./echo.c", "--", "-x", "two words", "--"])
        .env("HOTSLOT_TEST", "here")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"a\nb\n").unwrap();
    Outcome::from(child.wait_with_output().unwrap())
        .printed("0=./echo.c\n1=-x\n2=two words\n3=--\nend=1 env=here envp=1\nin=a\nin=b\n");
    let mut command = place.hotslot(&["run", "--argv0", "other", "echo.c"]);
    Outcome::of(command.env("HOTSLOT_TEST", "x")).printed("0=other\nend=1 env=x envp=1\n");
}

#[test]
fn arguments_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new(&[("a.c", "int main(int n, char **v) { return (unsigned char)v[1][0]; }\n")]);
    let mut command = place.hotslot(&["run", "a.c", "--"]);
    let outcome = Outcome::of(command.arg(OsStr::from_bytes(b"\xfe")));
    assert_eq!(outcome.code(), 0xfe);
}

const LEAVER: &str = r#"
#include <stdio.h>
#include <stdlib.h>
static void first(void) { puts("first"); }
static void second(void) { puts("second"); }
__attribute__((constructor)) static void constructed(void) { puts("constructor"); }
__attribute__((destructor)) static void destructed(void) { puts("destructor"); }
void leave(int code);
int main(void) {
    atexit(first);
    atexit(second);
    printf("no newline, ");
    leave(3);
    return 0;
}
"#;

#[test]
fn exit_from_a_nested_function_is_a_whole_exit() {
    let place = Place::new(&[
        ("main.c", LEAVER),
        ("leave.c", "#include <stdlib.h>\nvoid leave(int code) { exit(code); }\n"),
    ]);
    let outcome = place.run(&["main.c", "leave.c"]);
    assert_eq!(outcome.code(), 3);
    assert_eq!(outcome.stdout, "constructor\nno newline, second\nfirst\ndestructor\n");
}

#[test]
fn signals_end_the_program_as_they_do_natively() {
    let place = Place::new(&[
        ("abort.c", "#include <stdlib.h>\nint main(void) { abort(); }\n"),
        ("fault.c", "int main(void) { *(volatile int *)8 = 1; return 0; }\n"),
        ("raise.c", "#include <signal.h>\nint main(void) { raise(SIGTERM); return 0; }\n"),
        (
            "deep.c",
            "int main(int n, char **v) { volatile char a[4096]; a[0] = n; return main(n + 1, v) + a[0]; }\n",
        ),
    ]);
    for (file, signal) in [
        ("abort.c", libc::SIGABRT),
        ("fault.c", libc::SIGSEGV),
        ("raise.c", libc::SIGTERM),
        ("deep.c", libc::SIGSEGV),
    ] {
        let outcome = place.run(&["-O0", file]);
        assert_eq!(outcome.output.status.signal(), Some(signal), "{outcome:?}");
        let reported = outcome.stderr.starts_with("hotslot: the program crashed: ");
        assert_eq!(reported, signal == libc::SIGSEGV, "{file}: {}", outcome.stderr);
        assert!(reported || outcome.stderr.is_empty(), "{file}");
    }
}

#[test]
fn a_closed_pipe_ends_the_program() {
    let place = Place::new(&[("yes.c", "#include <stdio.h>\nint main(void) { for (;;) puts(\"y\"); }\n")]);
    let mut child = place.hotslot(&["run", "yes.c"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGPIPE));
}

#[test]
fn an_ignored_pipe_signal_stays_ignored() {
    let place = Place::new(&[(
        "yes.c",
        "#include <stdio.h>\nint main(void) { while (puts(\"y\") >= 0) {} return 9; }\n",
    )]);
    let hotslot = env!("CARGO_BIN_EXE_hotslot");
    let line = format!("trap '' PIPE; exec '{hotslot}' run --cache none yes.c");
    let mut child = Command::new("sh")
        .args(["-c", &line])
        .current_dir(&place.dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn pthread_exit_in_main_leaves_the_other_threads_running() {
    let place = Place::new(&[(
        "a.c",
        "#include <pthread.h>\n#include <stdio.h>\n#include <unistd.h>\n\
         static void *work(void *x) { usleep(20000); puts(\"worked\"); return x; }\n\
         int main(void) { pthread_t t; pthread_create(&t, 0, work, 0); pthread_exit(0); }\n",
    )]);
    place.run(&["a.c"]).printed("worked\n");
}
