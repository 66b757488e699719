//! What the program does not notice of its control, and what is left of that at the end.

use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;

use crate::place::{Outcome, Place};
use crate::running::{Running, counting};

/// Runs until the file `go` is there, then ends as it is told.
const ENDS: &str = r#"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void *other(void *how) {
    while (access("go", F_OK)) usleep(2000);
    printf("%d\n", open("/dev/null", O_RDONLY));
    fflush(stdout);
    if (!strcmp(how, "elsewhere")) exit(5);
    return 0;
}
int main(int count, char **words) {
    if (count > 2 && fork() == 0) { for (;;) pause(); }
    pthread_t thread;
    pthread_create(&thread, 0, other, words[1]);
    if (!strcmp(words[1], "pthread_exit")) pthread_exit(0);
    pthread_join(thread, 0);
    if (!strcmp(words[1], "exit")) exit(3);
    if (!strcmp(words[1], "quick_exit")) quick_exit(6);
    return 4;
}
"#;

#[test]
fn the_socket_goes_however_the_program_exits() {
    for (how, code) in [("return", 4), ("exit", 3), ("quick_exit", 6), ("pthread_exit", 0), ("elsewhere", 5)]
    {
        let place = Place::new(&[("main.c", ENDS)]);
        let mut run = Running::start(&place, &["main.c", "--", how]);
        // Somebody is connected.
        let stream = run.connect();
        assert_eq!(run.ask(&stream, "{\"ask\":\"status\"}")["answer"], "status");
        run.write("go", "");
        // The lowest descriptor is the program's, as it is natively.
        run.until("a number", || !run.lines().is_empty());
        assert_eq!(run.lines(), ["3"], "{how}");
        assert_eq!(run.end().code(), Some(code), "{how}");
        assert!(!place.dir.join("s.sock").exists(), "{how}");
    }
}

#[test]
fn a_killed_programs_socket_is_replaced_and_a_live_ones_is_not() {
    let place = counting();
    let files = ["main.c", "value.c", "other.c"];
    let mut run = Running::start(&place, &files);
    place
        .run(&[&["--control", "s.sock"], &files[..]].concat())
        .refused(&["hotslot: --control s.sock: another program listens there"]);
    run.child.kill().unwrap();
    assert_eq!(run.end().signal(), Some(libc::SIGKILL));
    assert!(place.dir.join("s.sock").exists());
    let again = Running::start(&place, &files);
    again.prints("1 1");
    drop(again);
    place
        .run(&[&["--control", "main.c"], &files[..]].concat())
        .refused(&["hotslot: --control main.c: there is a file that is no socket"]);
    // One that cannot be loaded leaves nothing.
    std::fs::remove_file(place.dir.join("s.sock")).unwrap();
    place.run(&["--control", "s.sock", "main.c"]).refused(&[]);
    assert!(!place.dir.join("s.sock").exists());
}

#[test]
fn a_fork_does_not_hold_the_socket() {
    let place = Place::new(&[("main.c", ENDS)]);
    let mut run = Running::start(&place, &["main.c", "--", "return", "fork"]);
    let child = || {
        let text = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.child.id())).ok()?;
        text.split_whitespace().next()?.parse::<i32>().ok()
    };
    run.until("a child", || child().is_some());
    let child = child().unwrap();
    run.child.kill().unwrap();
    run.end();
    let refused = UnixStream::connect(place.dir.join("s.sock"));
    place.tool("kill", &["-9", &child.to_string()]);
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn its_threads_take_no_signals() {
    let place = counting();
    let run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    let tasks = format!("/proc/{}/task", run.child.id());
    let mut seen = Vec::new();
    for task in std::fs::read_dir(tasks).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        if field("Name:").starts_with("hotslot-") {
            let blocked = u64::from_str_radix(&field("SigBlk:"), 16).unwrap();
            // All but those that cannot be and those of the C library.
            let wanted =
                [libc::SIGINT, libc::SIGTERM, libc::SIGCHLD, libc::SIGUSR1, libc::SIGALRM, libc::SIGWINCH];
            assert!(wanted.iter().all(|signal| blocked & 1 << (signal - 1) != 0), "{status}");
            seen.push(field("Name:"));
        }
    }
    seen.sort();
    assert_eq!(seen, ["hotslot-control", "hotslot-update"]);
}

#[test]
fn the_end_does_not_wait_for_a_compiler() {
    let place = Place::new(&[("main.c", ENDS)]);
    place.script("slow", "#!/bin/sh\nif [ -e slowly ]; then sleep 100; fi\nexec clang-19 \"$@\"\n");
    let mut run = Running::start(&place, &["--cc", "./slow", "main.c", "--", "return"]);
    run.write("slowly", "");
    let stream = run.connect();
    std::io::Write::write_all(&mut &stream, b"{\"ask\":\"rebuild\"}\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let begun = std::time::Instant::now();
    run.write("go", "");
    assert_eq!(run.end().code(), Some(4));
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn a_program_that_takes_sigterm_and_goes_on_is_served_as_before() {
    let place = Place::new(&[(
        "main.c",
        "#include <signal.h>\n#include <stdio.h>\n#include <unistd.h>\n\
         static void hears(int s) { puts(\"heard\"); fflush(stdout); }\n\
         int main(void) { signal(SIGTERM, hears); for (;;) pause(); }\n",
    )]);
    let run = Running::start(&place, &["main.c"]);
    assert_eq!(run.json(&["quit"])["answer"], "quitting");
    run.prints("heard");
    assert_eq!(run.json(&["status"])["answer"], "status");
    // Whoever asks and does not wait for an answer is heard, too.
    let before = run.lines().len();
    let stream = run.connect();
    std::io::Write::write_all(&mut &stream, b"{\"ask\":\"quit\"}\n").unwrap();
    drop(stream);
    run.until("it hears again", || run.lines().len() > before);
}

#[test]
fn a_program_that_takes_sigterm_is_asked_to_end() {
    let place = Place::new(&[(
        "main.c",
        "#include <signal.h>\n#include <unistd.h>\n#include <stdlib.h>\n\
         static void ends(int s) { _exit(s == SIGTERM ? 17 : 1); }\n\
         int main(void) { signal(SIGTERM, ends); for (;;) pause(); }\n",
    )]);
    let mut run = Running::start(&place, &["main.c"]);
    assert_eq!(run.json(&["quit"])["answer"], "quitting");
    assert_eq!(run.end().code(), Some(17));
    let late = Outcome::of(&mut place.hotslot(&["ctl", "s.sock", "status"]));
    assert_eq!(late.code(), 1);
}
