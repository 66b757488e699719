//! `--keys`: keys of the terminal that ask for what `hotslot ctl` asks for.
//!
//! Owns the terminal while the program runs. Whether a program will read its terminal cannot be
//! known, so it is not guessed: with `--keys` the program's stdin is empty, and without it no key
//! is taken. Keys come at once and are not shown; signals of the terminal (Ctrl-C, Ctrl-Z) and
//! all output are as ever. That the terminal is left as it was is `guard.rs`'s business too.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use super::super::descriptors::out_of_the_way;
use super::super::failure::Failure;
use super::desk::{Desk, Ready};
use super::life::Life;
use super::protocol::{Answer, Ask};
use super::{forks, guard, readable};

/// How often to look whether the terminal is ours again, and whether the program is there.
const LOOK: Duration = Duration::from_millis(500);
/// How often to look for an answer.
const SOON: Duration = Duration::from_millis(5);

const HELP: &str = "keys: r rebuild · u undo the last update · s status · q quit\n";

/// A terminal that is ours.
pub struct Terminal {
    file: OwnedFd,
    /// Open for as long as this program runs, which the guard hears of.
    _alive: OwnedFd,
    before: Termios,
}

impl Terminal {
    /// Takes stdin, if that is a terminal. Call before the program is loaded.
    pub fn take() -> Result<Option<Self>, Failure> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            // Not worth a stop: a script runs the same command without a terminal.
            let _ =
                std::io::stderr().write_all(b"hotslot: --keys: stdin is no terminal, no keys are taken\n");
            return Ok(None);
        }
        let failed = |error: std::io::Error| Failure::new(format!("--keys: {error}"));
        let file = out_of_the_way(&stdin).map_err(failed)?;
        let before = tcgetattr(&file).map_err(|error| failed(error.into()))?;
        let alive = guard::start(file.try_clone().map_err(failed)?).map_err(failed)?;
        let alive = out_of_the_way(alive).map_err(failed)?;
        forks::close_this_in_children(alive.as_fd());
        let nothing = File::open("/dev/null").map_err(failed)?;
        rustix::stdio::dup2_stdin(nothing).map_err(|error| failed(error.into()))?;
        Ok(Some(Self { file, _alive: alive, before }))
    }

    fn restore(&self) {
        if is_ours(&self.file) {
            set(&self.file, &self.before);
        }
    }
}

/// Whether this process may use the terminal now: it is in the foreground.
pub fn is_ours(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

/// Has keys come one by one, unseen; `before` is how the terminal was.
pub fn take_keys(terminal: impl AsFd, before: &Termios) {
    set(terminal, &for_keys(before));
}

/// Whether the terminal is as `take_keys` leaves it.
pub fn is_for_keys(terminal: impl AsFd, before: &Termios) -> bool {
    tcgetattr(terminal).is_ok_and(|now| now.local_modes == for_keys(before).local_modes)
}

fn for_keys(before: &Termios) -> Termios {
    let mut modes = before.clone();
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    modes
}

/// Sets the terminal's modes.
pub fn set(terminal: impl AsFd, modes: &Termios) {
    // Of a terminal that is gone nobody sees the modes.
    let _ = tcsetattr(terminal, OptionalActions::Now, modes);
}

/// Serves keys until the program ends.
pub fn serve(terminal: &Terminal, desk: &Desk, life: &Life) {
    if is_ours(&terminal.file) {
        take_keys(&terminal.file, &terminal.before);
        say(HELP);
    }
    while !life.is_over() {
        let mut keys = [0; 64];
        match read(terminal, life, &mut keys) {
            Some(count) => {
                for key in &keys[..count] {
                    serve_key(*key, terminal, desk, life);
                }
            }
            None => break,
        }
    }
    terminal.restore();
}

/// The keys that have been pressed, if any; nothing when the terminal is gone.
fn read(terminal: &Terminal, life: &Life, keys: &mut [u8]) -> Option<usize> {
    let time = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK.subsec_nanos()) };
    let wanted = is_ours(&terminal.file);
    let mut files = vec![PollFd::from_borrowed_fd(life.bell(), PollFlags::IN)];
    if wanted {
        files.push(PollFd::new(&terminal.file, PollFlags::IN));
    }
    match poll(&mut files, Some(&time)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(_) => return None,
    }
    let ready = files.get(1).map_or(PollFlags::empty(), PollFd::revents);
    if ready.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
        return None;
    }
    // In the background all there is to get is an error.
    if !ready.contains(PollFlags::IN) || !is_ours(&terminal.file) {
        return Some(0);
    }
    match rustix::io::read(&terminal.file, keys) {
        // Ctrl-D, where a line had been begun.
        Ok(count) => Some(count),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Some(0),
        Err(_) => None,
    }
}

fn serve_key(key: u8, terminal: &Terminal, desk: &Desk, life: &Life) {
    let ask = match key {
        b'r' => Ask::Rebuild { module: None },
        b'u' => Ask::Undo,
        b's' => Ask::Status,
        b'q' => Ask::Quit,
        b'\n' | b'\r' => return,
        _ => return say(HELP),
    };
    let answer = match desk.take(ask) {
        Ready::Now(answer) => answer,
        Ready::Later(mut later) => loop {
            match later.look() {
                Ok((answer, _taken)) => break answer,
                Err(_) if life.is_over() => return,
                Err(waits) => later = waits,
            }
            std::thread::sleep(SOON);
        },
    };
    // What the session has told is on the terminal already.
    let is_told = matches!(&answer, Answer::Told { event, .. } if !event.is_null());
    if !is_told {
        say(&(readable::text(&answer) + &readable::complaint(&answer)));
    }
    if answer == Answer::Quitting {
        terminal.restore();
        life.quit();
    }
}

fn say(text: &str) {
    // Nobody is left to tell when stderr is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
