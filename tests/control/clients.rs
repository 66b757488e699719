//! Clients that do what no client should.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::place::Outcome;
use crate::running::{Running, answer, counting};

#[test]
fn lines_come_in_any_pieces() {
    let place = counting();
    let run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    let mut stream = run.connect();
    for byte in b"{\"id\":1,\"ask\":\"status\"}\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(answer(&stream)["id"], 1);
    // Several at once, and an end without a line's: what is complete is answered, in order.
    stream.write_all(b"\n{\"id\":2,\"ask\":\"undo\"}\n{\"id\":3,\"ask\":\"status\"}\n{\"id\":4").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!((answer(&stream)["id"].as_u64(), answer(&stream)["id"].as_u64()), (Some(2), Some(3)));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "and then it is over");
}

#[test]
fn garbage_is_told_so() {
    let place = counting();
    let run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    let stream = run.connect();
    for (line, said) in [
        ("GET / HTTP/1.1", "no line of JSON"),
        ("\u{0}\u{1}\u{fffd}", "no line of JSON"),
        ("{\"ask\":\"dance\",\"id\":9}", "unknown variant"),
        ("{\"ask\":\"swap\",\"files\":7}", "no request"),
        ("{\"hotslot\":9,\"ask\":\"status\"}", "version 9"),
        ("{\"ask\":\"swap\",\"files\":[]}", "no file is named"),
        ("{\"ask\":\"history\",\"module\":\"x\"}", "there is no module x"),
    ] {
        let reply = run.ask(&stream, line);
        assert_eq!(reply["answer"], "failed", "{reply}");
        assert!(reply["message"].as_str().unwrap().contains(said), "{reply}");
    }
    assert_eq!(run.ask(&stream, "{\"ask\":\"status\"}")["answer"], "status", "it goes on");
}

/// What the process takes, in KiB.
fn resident(run: &Running<'_>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_line_without_end_and_one_who_never_reads() {
    let place = counting();
    let run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    let before = resident(&run);
    let chunk = vec![b'x'; 1 << 20];
    let mut endless = run.connect();
    let mut sent = 0u64;
    // A gigabyte, if it were taken.
    while sent < 1 << 30 && endless.write_all(&chunk).is_ok() {
        sent += chunk.len() as u64;
    }
    assert!(sent < 64 << 20, "{sent} bytes were taken");

    let mut deaf = run.connect();
    deaf.set_write_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    let mut asked = 0;
    while asked < 1_000_000 && deaf.write_all(b"{\"ask\":\"history\"}\n").is_ok() {
        asked += 1;
    }
    assert!(asked < 1_000_000, "somebody keeps a million requests");
    // All others are served meanwhile.
    run.write("value.c", "int value(void) { return 2; }\n");
    assert_eq!(run.ctl(&["swap", "value.c"]).code(), 0);
    run.prints("2 1");
    let grown = resident(&run).saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more");
}

#[test]
fn many_at_once() {
    let place = counting();
    let run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    let idle: Vec<UnixStream> = (0..100).map(|_| run.connect()).collect();
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let run = &run;
            scope.spawn(move || {
                let stream = run.connect();
                for number in 0..50 {
                    let id = thread * 1000 + number;
                    if number % 10 == 0 {
                        run.write("value.c", &format!("int value(void) {{ return {id}; }}\n"));
                    }
                    let ask = if number % 10 == 0 { "rebuild\",\"module\":\"value.c" } else { "status" };
                    let reply = run.ask(&stream, &format!("{{\"id\":{id},\"ask\":\"{ask}\"}}"));
                    assert_eq!(reply["id"], id, "{reply}");
                    assert_ne!(reply["answer"], "failed", "{reply}");
                }
            });
        }
    });
    drop(idle);
    // Some were asked for before the next change.
    let updates = run.json(&["status"])["updates"].as_u64().unwrap();
    assert!((1..=40).contains(&updates), "{updates}");
    let files = std::fs::read_dir(format!("/proc/{}/fd", run.child.id())).unwrap().count();
    assert!(files < 40, "{files} open files");
}

#[test]
fn one_who_leaves_does_not_stop_the_update() {
    let place = counting();
    let run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    run.write("value.c", "int value(void) { return 3; }\n");
    let mut stream = run.connect();
    stream.write_all(b"{\"ask\":\"rebuild\",\"module\":\"value.c\"}\n").unwrap();
    drop(stream);
    run.prints("3 1");
    assert_eq!(run.ctl(&["status"]).code(), 0);
}

#[test]
fn for_the_owner_alone() {
    let place = counting();
    let run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    let socket = place.dir.join("s.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    // Only root can be somebody else.
    if std::fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) != 0) {
        return;
    }
    // Somebody made it open to all, at a place that all can reach.
    let open = std::env::temp_dir().join(format!("hotslot-test-{}.sock", std::process::id()));
    std::fs::hard_link(&socket, &open).or_else(|_| std::fs::rename(&socket, &open)).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o666)).unwrap();
    let binary = std::env::temp_dir().join(format!("hotslot-test-{}", std::process::id()));
    std::fs::copy(env!("CARGO_BIN_EXE_hotslot"), &binary).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&binary);
    let outcome = Outcome::of(command.args(["ctl", open.to_str().unwrap(), "status", "--timeout", "20000"]));
    let _ = (std::fs::remove_file(&open), std::fs::remove_file(&binary));
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (1, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("the connection was lost") || outcome.stderr.contains("ended before"));
    drop(run);
}
