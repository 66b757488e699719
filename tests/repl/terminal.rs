//! A session as a person has it: keys on a pseudo-terminal, and what is on the screen.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::place::Place;

/// What takes longer never happens.
const LIMIT: Duration = Duration::from_secs(60);

/// A session on a terminal of its own.
struct Terminal {
    child: Child,
    keyboard: File,
    /// The other side, so that it stays there when the session ends.
    terminal: File,
    /// What was written, without what moves the cursor and colours.
    screen: Arc<Mutex<String>>,
    /// How often the editor has begun, and how often that was waited for.
    begun: Arc<AtomicUsize>,
    used: usize,
}

impl Terminal {
    fn start(place: &Place, kind: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let terminal = open();
        let mut command = Command::new("setsid");
        command.args(["--ctty", env!("CARGO_BIN_EXE_hotslot"), "repl"]).current_dir(place.0.path());
        command.env("TMPDIR", place.temporary());
        command.env("TERM", kind).env("XDG_STATE_HOME", place.0.path().join("state")).env_remove("NO_COLOR");
        command.stdin(open()).stdout(open()).stderr(Stdio::from(OwnedFd::from(open())));
        let child = command.spawn().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let begun = Arc::new(AtomicUsize::new(0));
        let (keyboard, shown, begins) = (File::from(master), screen.clone(), begun.clone());
        let (mut reader, mut answers) = (keyboard.try_clone().unwrap(), keyboard.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                // A terminal says where its cursor is when it is asked.
                for _ in text.matches("\x1b[6n") {
                    let _ = answers.write_all(b"\x1b[20;1R");
                }
                shown.lock().unwrap().push_str(&plain(&text));
                // It wants to be told of pastes.
                begins.fetch_add(text.matches("\x1b[?2004h").count(), Ordering::Release);
            }
        });
        Self { child, keyboard, terminal, screen, begun, used: 0 }
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

    /// Waits for the editor, which begins once for each input.
    #[track_caller]
    fn edits(&mut self) {
        let used = self.used;
        self.until("the editor", || self.begun.load(Ordering::Acquire) > used);
        self.used = self.begun.load(Ordering::Acquire);
        self.until("its keys", || !self.modes().contains(LocalModes::ICANON));
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.terminal).unwrap().local_modes
    }

    /// Enters an input at the prompt.
    #[track_caller]
    fn enter(&mut self, text: &str) {
        self.edits();
        self.press(&format!("{text}\r"));
    }

    #[track_caller]
    fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is() {
            assert!(begun.elapsed() < LIMIT, "{what}: never; on the screen: {}", self.screen.lock().unwrap());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    fn ends(&mut self, code: i32) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(code));
                break;
            }
            assert!(begun.elapsed() < LIMIT, "it does not end: {}", self.screen.lock().unwrap());
            std::thread::sleep(Duration::from_millis(2));
        }
        let all = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        assert!(self.modes().contains(all), "the terminal is not as it was");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = match after.strip_prefix('[') {
            Some(sequence) => {
                let end =
                    sequence.find(|c: char| c.is_ascii_alphabetic()).map_or(sequence.len(), |at| at + 1);
                &sequence[end..]
            }
            None => after.get(1..).unwrap_or_default(),
        };
    }
    plain + rest
}

#[test]
fn inputs_are_edited_and_remembered() {
    let place = Place::new();
    let mut session = Terminal::start(&place, "xterm");
    session.shows("hotslot> ");
    // Left, left, backspace, and a digit.
    session.enter("1 + 45\x1b[D\x1b[D\x7f2");
    session.shows("246");
    session.enter("int sq(int x) {");
    session.shows("...> ");
    session.press("return x * x; }\r");
    session.enter("sq(12)");
    session.shows("144");
    // Up.
    session.edits();
    session.press("\x1b[A");
    session.shows("sq(12)");
    session.press("\r");
    session.shows("144");
    session.edits();
    session.press("\x04");
    session.ends(0);
    let mut next = Terminal::start(&place, "xterm");
    next.edits();
    next.press("\x1b[A\x1b[A");
    next.shows("return x * x");
    next.press("\r");
    next.enter("sq(13)");
    next.shows("169");
}

#[test]
fn names_and_commands_are_completed() {
    let place = Place::new();
    place.write("some_file.c", "int of_the_file(void) { return 31; }\n");
    let mut session = Terminal::start(&place, "xterm");
    session.enter("#include <stdlib.h>");
    session.enter("int a_long_name = 77;");
    session.enter("a_lo\t");
    session.shows("77");
    session.enter(":lo\tsome_\t");
    session.enter("of_the\t()");
    session.shows("31");
    session.enter("EXIT_F\t");
    session.shows("\n1");
}

#[test]
fn ctrl_c_ends_what_runs_and_clears_what_is_typed() {
    let place = Place::new();
    let mut session = Terminal::start(&place, "xterm");
    session.enter("#include <stdio.h>");
    session.enter("int kept = 5;");
    session.enter("void spin(void) { puts(\"turns\" \" round\"); for (;;) kept = 6; }");
    session.enter("spin();");
    session.shows("turns round");
    session.press("\x03");
    session.shows("interrupted in spin (input 3, line 1)");
    session.enter("kept * 111");
    session.shows("666");
    session.edits();
    session.press("half of an inp");
    session.shows("inp");
    session.press("\x03");
    session.enter("kept * 1000");
    session.shows("6000");
    session.edits();
    session.press(":quit 3\r");
    session.ends(3);
}

#[test]
fn what_is_typed_ahead_is_not_lost() {
    let place = Place::new();
    let mut session = Terminal::start(&place, "xterm");
    session.enter("#include <unistd.h>");
    session.enter("#include <stdio.h>");
    session.enter("puts(\"sle\" \"eps\"); fflush(stdout); sleep(1);");
    session.shows("sleeps");
    session.press("int n = 6;\rn * 7\rn * 100 +");
    session.shows("42");
    session.edits();
    session.press(" 1\r");
    session.shows("601");
}

#[test]
fn a_pasted_text_is_one_input() {
    let place = Place::new();
    let mut session = Terminal::start(&place, "xterm");
    session.edits();
    session.press("\x1b[200~int f(void)\n{\n    return 41;\n}\nint g = 1;\nf() + g\n\x1b[201~\r");
    session.shows("42");
    session.enter(":history");
    session.shows("    1  int f(void)");
}

#[test]
fn values_are_lost_only_if_that_is_wanted() {
    let place = Place::new();
    let mut session = Terminal::start(&place, "xterm");
    session.enter("struct p { int x; } o = {4};");
    session.enter("o.x = 5;");
    session.enter("struct p { char c; int x; };");
    session.shows("o starts anew");
    session.shows("[y/N]");
    session.press("n\r");
    session.shows("nothing was changed");
    session.enter("o.x * 11");
    session.shows("55");
    session.enter("struct p { char c; int x; };");
    session.shows("[y/N]");
    session.press("y\r");
    session.enter("o.x * 11 + 7");
    session.shows("\n7");
}

#[test]
fn a_process_that_dies_leaves_the_terminal_and_the_definitions() {
    let place = Place::new();
    let mut session = Terminal::start(&place, "xterm");
    session.enter("#include <signal.h>");
    session.enter("int seven(void) { return 7; }");
    session.enter("raise(SIGKILL)");
    session.shows("killed (SIGKILL)");
    session.enter("seven() * 11");
    session.shows("77");
    session.edits();
    session.press("\x04");
    session.ends(1);
}

#[test]
fn a_terminal_that_can_do_nothing_gets_lines() {
    let place = Place::new();
    let mut session = Terminal::start(&place, "dumb");
    session.shows("hotslot> ");
    session.press("int f(void) {\n");
    session.shows("...> ");
    session.press("return 7; }\n");
    session.shows("hotslot> ");
    session.press("f() * 11\n");
    session.shows("77");
    session.press("\x04");
    session.ends(0);
}
