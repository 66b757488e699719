//! The process that a session's process is a child of.
//!
//! Owns the life of a session: it starts the process, gives the terminal back as it was when that
//! ends, says what ended it, and starts another one which takes over the definitions. It runs none
//! of the session's code, and knows nothing of C.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::journal;
use super::state::State;
use crate::cli::failure::Failure;
use crate::cli::signals;

/// How often Ctrl-C has to be pressed, and in which time, for a process to be ended that does not
/// listen.
const PRESSES: usize = 3;
const WITHIN: Duration = Duration::from_secs(3);

/// How many processes may end in a row before one is ready for inputs.
const ATTEMPTS: usize = 2;

/// The option of the session's own process; the numbers of its files follow, with a comma.
pub const OPTION: &str = "--session-files";

/// Runs a session to its end in processes of its own, which get the arguments of this one.
pub fn run() -> Result<ExitCode, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot start the session: {error}"));
    let mut life = Life::new().map_err(failed)?;
    let mut in_vain = 0;
    loop {
        let status = life.run_once().map_err(failed)?;
        if let Some(code) = life.state.finished() {
            return Ok(ExitCode::from(code));
        }
        if life.asked_to_end {
            return Ok(ExitCode::from(128 + libc::SIGTERM as u8));
        }
        in_vain = if life.state.is_ready() { 0 } else { in_vain + 1 };
        life.tell(&status);
        if in_vain == ATTEMPTS {
            return Err(Failure::new("the session's process ends before it is ready")
                .hint("start a new session; `hotslot doctor` says whether something is missing"));
        }
        life.state.renew().map_err(failed)?;
    }
}

struct Life {
    state: State,
    journal: File,
    signals: File,
    /// How the terminal was before the session, if there is one.
    terminal: Option<Termios>,
    asked_to_end: bool,
}

impl Life {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            state: State::new()?,
            journal: journal::new_file()?,
            signals: signals::as_file([libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGCHLD])?,
            terminal: tcgetattr(std::io::stdin()).ok(),
            asked_to_end: false,
        })
    }

    /// One process, from its start to its end.
    fn run_once(&mut self) -> std::io::Result<ExitStatus> {
        let mut command = Command::new(std::env::current_exe()?);
        let (state, journal) = (self.state.file(), &self.journal);
        command.args(std::env::args_os().skip(1));
        command.arg(format!("{OPTION}={},{}", state.as_raw_fd(), journal.as_raw_fd()));
        for file in [state, journal] {
            inherited(file.as_fd(), true)?;
        }
        let child = command.spawn();
        for file in [state, journal] {
            inherited(file.as_fd(), false)?;
        }
        let status = self.wait(child?)?;
        if let Some(before) = &self.terminal {
            // It may be gone, or somebody else's by now.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
        Ok(status)
    }

    fn wait(&mut self, mut child: Child) -> std::io::Result<ExitStatus> {
        let mut presses: Vec<(Instant, u64)> = Vec::new();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            match signals::read(&mut self.signals)? {
                libc::SIGINT => {
                    // The process gets it from the terminal as well. What counts are those during one
                    // and the same input.
                    let (now, count) = (Instant::now(), self.state.count());
                    presses.retain(|(then, of)| *of == count && now - *then < WITHIN);
                    presses.push((now, count));
                    if presses.len() >= PRESSES && self.state.running().is_some() {
                        child.kill()?;
                    }
                }
                libc::SIGTERM | libc::SIGHUP => {
                    self.asked_to_end = true;
                    child.kill()?;
                }
                _ => {}
            }
        }
    }

    /// Says what has ended the process, and what becomes of the session.
    fn tell(&self, status: &ExitStatus) {
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("it ended with exit code {code}"),
            (None, Some(signal)) => format!("it was ended by signal {signal}{}", name(signal)),
            (None, None) => status.to_string(),
        };
        let mut text = format!("hotslot: the session's process is gone: {how}\n");
        if let Some(input) = self.state.running() {
            let first = input.lines().next().unwrap_or_default();
            let more = if first.len() < input.trim_end().len() { " ..." } else { "" };
            text.push_str(&format!("hotslot: while this ran: {first}{more}\n"));
        }
        text.push_str("hotslot: a new one takes over the definitions; variables have their initial values\n");
        // Nobody is left to tell where stderr is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// Whether the file stays open in a program that this process starts.
fn inherited(file: BorrowedFd<'_>, stays: bool) -> std::io::Result<()> {
    let flags = if stays { FdFlags::empty() } else { FdFlags::CLOEXEC };
    Ok(fcntl_setfd(file, flags)?)
}

/// What the signal is called.
fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGTRAP => " (SIGTRAP)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGTERM => " (SIGTERM)",
        libc::SIGPIPE => " (SIGPIPE)",
        libc::SIGALRM => " (SIGALRM)",
        _ => "",
    }
}
