//! What the program must not notice of being watched.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::place::{Outcome, Place};
use crate::session::{FILES, STEP, Session};

#[test]
fn compilers_are_no_children_of_the_program() {
    let main = "#include <errno.h>\n#include <signal.h>\n#include <stdio.h>\n#include <sys/wait.h>\n#include <unistd.h>\n\
                int step(int);\nstatic volatile int heard;\nstatic void hear(int s) { heard++; }\n\
                int main(void) {\n    signal(SIGCHLD, hear);\n    char line[64];\n    int n = 0;\n\
                    while (fgets(line, sizeof line, stdin)) {\n\
                        int status, other = waitpid(-1, &status, WNOHANG);\n\
                        printf(\"%d %d %d %d\\n\", ++n, step(n), other == -1 && errno == ECHILD, heard);\n\
                        fflush(stdout);\n    }\n    return 0;\n}\n";
    let step = "int step(int x) { return x; }\n";
    let mut session = Session::start(&[("main.c", main), ("step.c", step)], &[]);
    assert_eq!(session.ask(), "1 1 1 0");
    for n in 2..5 {
        session.save("step.c", &step.replace("return x", &format!("return x * {n}")));
        session.expect("live");
        assert_eq!(session.ask(), format!("{n} {} 1 0", n * n));
    }
}

#[test]
fn the_directory_the_environment_and_the_streams_are_the_programs() {
    let main = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\nint step(int);\n\
                int main(void) {\n    char line[64];\n    int n = 0;\n    chdir(\"/\");\n    clearenv();\n    close(2);\n\
                    while (fgets(line, sizeof line, stdin)) { printf(\"%d\\n\", step(++n)); fflush(stdout); }\n    return 0;\n}\n";
    let step = "#include \"step.h\"\nint step(int x) { return x * BY; }\n";
    let mut session = Session::start(&[("main.c", main), FILES[1], ("step.c", step)], &[]);
    assert_eq!(session.ask(), "2");
    session.save("step.c", &step.replace("x * BY", "x * 100 + BY"));
    session.expect("live");
    assert_eq!(session.ask(), "202");
    let (_, said) = session.end();
    assert!(said.starts_with("✔ step.c v2"), "{said}");
}

#[test]
fn signals_are_the_programs_own() {
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
    let outcome = place.run(&["--watch", "a.c"]);
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (0, "waits\n"), "{outcome:?}");
}

#[test]
fn the_end_is_the_programs() {
    let ends = [
        ("return 3;", 3),
        ("exit(4);", 4),
        ("quick_exit(5);", 5),
        ("_exit(6);", 6),
        ("pthread_exit(0);", 0),
        ("pthread_t t; pthread_create(&t, 0, other, 0); pthread_exit(0);", 0),
        // Longer than it takes to look whether the program is gone.
        ("pthread_t t; pthread_create(&t, 0, late, 0); pthread_exit(0);", 11),
        ("pthread_t t; pthread_create(&t, 0, leaves, 0); for (;;) pause();", 9),
        ("execl(\"/bin/sh\", \"sh\", \"-c\", \"exit 8\", (char *)0);", 8),
        ("if (fork() == 0) exit(1); int s; wait(&s); return WEXITSTATUS(s) + 1;", 2),
    ];
    for (end, code) in ends {
        let text = format!(
            "#include <pthread.h>\n#include <stdlib.h>\n#include <sys/wait.h>\n#include <unistd.h>\n\
             static void *other(void *x) {{ usleep(20000); return x; }}\n\
             static void *late(void *x) {{ sleep(3); exit(11); }}\n\
             static void *leaves(void *x) {{ exit(9); }}\n\
             int main(void) {{ {end} }}\n"
        );
        let place = Place::new(&[("a.c", &text)]);
        let outcome = place.run(&["--watch", "a.c"]);
        assert_eq!((outcome.code(), outcome.stderr.as_str()), (code, ""), "{end}");
    }
}

/// The destructors of what LLVM makes at its first use must not run while it is at work. With all
/// of the program from the cache that use is the edit's.
#[test]
fn it_ends_well_while_its_new_code_is_optimised() {
    let step = |by: &str| {
        let mut text = "#include \"step.h\"\nint step(int x) { return x * BY; }\n".to_owned();
        for n in 0..100 {
            text += &format!(
                "int f{n}(int x, int *y) {{ int s = 0; for (int i = 0; i < x; i++) switch ((y[i] + {n}) % 9) {{\n\
                 case 0: s += y[i] * 3; break; case 3: s ^= y[i] / {by}; break; case 5: s -= i; break;\n\
                 case 7: s = s * y[i] + {n}; break; default: s += y[i] >> 2; }} return s; }}\n"
            );
        }
        text
    };
    let place = Place::new(&[FILES[0], FILES[1], ("step.c", &step("7"))]);
    let words = ["-O2", "--cache", "cache", "main.c", "step.c"];
    let run = place.run(&words);
    assert_eq!(run.code(), 7, "{run:?}");
    let mut session = Session::of(place, &words);
    session.save("step.c", &step("9"));
    session.expect("live");
    assert_eq!(session.ask(), "1 2");
    let begun = Instant::now();
    assert_eq!(session.end().0, 7);
    // LLVM may as well loop for ever; nobody waits for more than a minute then.
    assert!(begun.elapsed() < Duration::from_secs(50), "the optimiser has not come to rest");
}

#[test]
fn nothing_is_left_of_a_program_that_is_killed() {
    let session = Session::start(&FILES, &[]);
    let dir = session.place.dir.clone();
    let ours = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter(|one| std::fs::read_link(one.path().join("cwd")).is_ok_and(|at| at == dir)).count()
    };
    assert!(ours() >= 2);
    let process = session.process().to_string();
    let killed = std::process::Command::new("kill").args(["-KILL", &process]).stdin(Stdio::null()).status();
    assert!(killed.unwrap().success());
    let begun = Instant::now();
    // The one that is not reaped yet has no directory any more.
    while ours() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} left", ours());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let place = Place::new(&FILES);
    for option in [["--debounce", "soon"], ["--on-incompatible", "maybe"], ["--jobs", "0"], ["--keep", "-1"]]
    {
        let mut command = place.hotslot(&["run", "--watch"]);
        let outcome = Outcome::of(command.args([option.join("=").as_str(), "main.c"]));
        assert_eq!((outcome.code(), outcome.stdout.as_str()), (1, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(option[0]), "{outcome:?}");
    }
    let outcome = place.run(&["--events", "x", "main.c", "step.c"]);
    assert!(outcome.code() == 1 && outcome.stderr.contains("--watch"), "{outcome:?}");
    let outcome = place.run(&["--watch", "--events", "no/such/dir/x", "main.c", "step.c"]);
    assert!(outcome.code() == 1 && outcome.stderr.contains("--events no/such/dir/x: "), "{outcome:?}");
    let _ = STEP;
}
