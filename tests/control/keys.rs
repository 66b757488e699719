//! `--keys`, on a pseudo-terminal under a shell.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::place::Place;
use crate::running::{LIMIT, counting};

/// A shell on a terminal of its own.
struct Shell {
    child: Child,
    keyboard: File,
    /// The other side, so that it stays there when the shell ends.
    terminal: File,
    screen: Arc<Mutex<String>>,
}

impl Shell {
    fn start(place: &Place, words: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let terminal = open();
        let mut command = Command::new("setsid");
        command.arg("--ctty").args(words).current_dir(&place.dir);
        command.env("HOTSLOT", env!("CARGO_BIN_EXE_hotslot")).env("HOTSLOT_CACHE_DIR", "none");
        command.env("PS1", "$ ").env("TERM", "dumb");
        command.stdin(open()).stdout(open()).stderr(Stdio::from(OwnedFd::from(open())));
        let child = command.spawn().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let (keyboard, text) = (File::from(master), screen.clone());
        let mut reader = keyboard.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                text.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { child, keyboard, terminal, screen }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for this on the screen, and forgets all up to it.
    #[track_caller]
    fn shows(&self, text: &str) {
        self.until(text, || {
            let mut screen = self.screen.lock().unwrap();
            let at = screen.find(text);
            at.inspect(|at| _ = screen.drain(..at + text.len())).is_some()
        });
    }

    /// The same, where something else does not come before it.
    #[track_caller]
    fn shows_without(&self, text: &str, other: &str) {
        self.until(text, || {
            let screen = self.screen.lock().unwrap();
            let end = screen.find(text);
            assert!(!screen[..end.unwrap_or(screen.len())].contains(other), "{screen}");
            end.is_some()
        });
    }

    /// Whether the terminal shows what is typed and hands it on by lines.
    fn is_plain(&self) -> bool {
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    #[track_caller]
    fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is() {
            assert!(begun.elapsed() < LIMIT, "{what}: never; on the screen: {}", self.screen.lock().unwrap());
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The session's end, which all on the terminal are told of.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const RUN: &str =
    "trap : INT; \"$HOTSLOT\" run --keys main.c value.c other.c; echo \"ended $?\"; exec sleep 100";

#[test]
fn keys_do_what_they_say() {
    let place = counting();
    let mut shell = Shell::start(&place, &["sh", "-c", RUN]);
    shell.shows("keys: r rebuild");
    shell.shows("1 1");
    shell.until("keys", || !shell.is_plain());
    std::fs::write(place.dir.join("value.c"), "int value(void) { return 2; }\n").unwrap();
    shell.press("r");
    shell.shows("value.c v2 · value swapped");
    shell.shows("2 1");
    shell.press("s");
    shell.shows("module     value.c v2");
    shell.press("u");
    shell.shows("as it was");
    shell.shows("1 1");
    shell.press("x");
    shell.shows("keys: r rebuild");
    shell.press("q");
    shell.shows("ended 143");
    assert!(shell.is_plain());
}

#[test]
fn an_answer_of_the_one_that_watches_is_there_once() {
    let place = counting();
    let mut shell = Shell::start(&place, &["sh", "-c", &RUN.replace("--keys", "--keys --watch")]);
    shell.shows("keys: r rebuild");
    shell.until("keys", || !shell.is_plain());
    shell.press("u");
    shell.shows("there is no update to take back");
    std::fs::write(place.dir.join("value.c"), "int value(void) { return 2; }\n").unwrap();
    shell.shows("2 1");
    shell.press("u");
    shell.shows("live again");
    // Its answer comes after whatever else the first key's may have been.
    shell.press("u");
    shell.shows_without("there is no update to take back", "live again");
}

#[test]
fn the_terminal_is_as_it_was_after_any_end() {
    let ends = [
        ("Ctrl-C", "", "130"),
        ("kill -9", "", "137"),
        ("crash", "int value(void) { __builtin_trap(); }", "132"),
        ("_exit", "#include <unistd.h>\nint value(void) { _exit(5); }", "5"),
        ("exit", "#include <stdlib.h>\nint value(void) { exit(6); }", "6"),
        (
            "exec",
            "#include <unistd.h>\nint value(void) { return execl(\"/bin/false\", \"false\", (char *)0); }",
            "1",
        ),
    ];
    for (how, code, status) in ends {
        let place = counting();
        let mut shell = Shell::start(&place, &["sh", "-c", RUN]);
        shell.shows("1 1");
        shell.until("keys", || !shell.is_plain());
        match how {
            "Ctrl-C" => shell.press("\x03"),
            "kill -9" => {
                let children = format!("/proc/{0}/task/{0}/children", shell.child.id());
                let child = std::fs::read_to_string(children).unwrap();
                place.tool("kill", &["-9", child.trim()]);
            }
            _ => {
                std::fs::write(place.dir.join("value.c"), code).unwrap();
                shell.press("r");
            }
        }
        shell.shows(&format!("ended {status}"));
        shell.until(how, || shell.is_plain());
    }
}

#[test]
fn a_shell_gets_its_terminal_back_at_ctrl_z() {
    let place = counting();
    let mut shell = Shell::start(&place, &["bash", "--norc", "--noediting", "-i"]);
    shell.shows("$ ");
    shell.press("\"$HOTSLOT\" run --keys main.c value.c other.c | grep -v 1\n");
    shell.shows("keys: r rebuild");
    shell.until("keys", || !shell.is_plain());
    shell.press("\x1a");
    shell.shows("Stopped");
    shell.until("plain", || shell.is_plain());
    shell.press("echo 6*7=$((6*7))\n");
    shell.shows("6*7=42");
    shell.press("fg\n");
    shell.until("keys again", || !shell.is_plain());
    shell.press("s");
    shell.shows("module     value.c v1");
    shell.press("q");
    shell.until("plain again", || shell.is_plain());
    shell.press("echo 6*8=$((6*8))\n");
    shell.shows("6*8=48");
}

#[test]
fn without_a_terminal_there_are_no_keys() {
    let place = Place::new(&[("main.c", "#include <stdio.h>\nint main(void) { return getchar(); }\n")]);
    let mut command = place.hotslot(&["run", "--keys", "main.c"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"A").unwrap();
    let output = child.wait_with_output().unwrap();
    // What is no terminal is the program's.
    assert_eq!(output.status.code(), Some(i32::from(b'A')));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said, "hotslot: --keys: stdin is no terminal, no keys are taken\n");
}
