//! Compilers that have started and wait to be told what to compile.
//!
//! To load clang takes a good part of what a small file takes, and can be done before there is
//! anything to compile: clang reads arguments from files, so it is given the end of a pipe for
//! one and waits there. When this process ends, however it does, so does the pipe, and with it
//! those that wait. Owns when one is started, and how arguments are written. Belongs into a
//! process that never forks without `exec`: a copy of the pipe elsewhere would keep it open.

use std::ffi::OsString;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::cancel::{Cancel, Ended, Process};

/// Whoever has got an answer is about to make use of it, on the same processors.
const QUIET: Duration = Duration::from_millis(200);

/// They take ten megabytes each. The one used last is the last.
const MOST: usize = 8;

/// As much as goes into a pipe before somebody reads.
const ROOM: usize = 60 << 10;

/// Those that wait. They end with this.
pub struct Spares(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// What a compiler has to be started with; the rest can wait.
#[derive(Clone, PartialEq, Eq)]
struct Place {
    program: OsString,
    directory: Option<PathBuf>,
    /// Another directory may get the name of one that a compiler waits in.
    number: Option<(u64, u64)>,
}

impl Place {
    fn of(command: &Command) -> Self {
        let directory = command.get_current_dir().map(PathBuf::from);
        let number = number_of(directory.as_deref().unwrap_or(Path::new(".")));
        Self { program: command.get_program().to_owned(), directory, number }
    }
}

fn number_of(directory: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(directory).ok().map(|data| (data.dev(), data.ino()))
}

#[derive(Default)]
struct State {
    waiting: Vec<Spare>,
    wanted: Vec<Place>,
    /// How often one was taken or asked for.
    turn: u64,
    ended: bool,
}

struct Spare {
    of: Place,
    process: Process,
    arguments: PipeWriter,
    /// It may not have opened its end yet.
    theirs: PipeReader,
}

impl Spares {
    /// None yet, and a thread that starts them.
    pub fn new() -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let starts = Arc::clone(&shared);
        std::thread::Builder::new().name("compilers".into()).spawn(move || starts.work())?;
        Ok(Self(shared))
    }

    /// Runs a command, of which nothing but program, arguments and directory may be its own, and
    /// has one wait for the next like it.
    pub fn run(&self, command: &mut Command, cancel: &Cancel) -> std::io::Result<Ended> {
        let place = Place::of(command);
        let ended =
            cancel.run(|| self.0.take(&place, command).map_or_else(|| Process::start(command), Ok))?;
        if ended.status.is_some_and(|status| status.success()) {
            self.0.want(place);
        }
        Ok(ended)
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        state.waiting.drain(..).for_each(|mut spare| spare.process.end());
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// One that runs this now.
    fn take(&self, place: &Place, command: &Command) -> Option<Process> {
        let text = quoted(command);
        let mut state = self.lock();
        state.turn += 1;
        if text.len() > ROOM {
            return None;
        }
        let at = state.waiting.iter().rposition(|spare| spare.of == *place)?;
        let mut spare = state.waiting.remove(at);
        drop(state);
        if !spare.process.is_running() || spare.arguments.write_all(&text).is_err() {
            spare.process.end();
            return None;
        }
        // The end of what is written is where it starts. It may not have opened the other end yet.
        drop(spare.arguments);
        spare.process.keep(spare.theirs.into());
        Some(spare.process)
    }

    fn want(&self, place: Place) {
        let mut state = self.lock();
        state.turn += 1;
        // One for each that has run: after a header of many files as many as may wait, until
        // another place wants some.
        state.wanted.push(place);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.ended {
            if state.wanted.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let turn = state.turn;
            drop(state);
            std::thread::sleep(QUIET);
            state = self.lock();
            if state.turn != turn || state.ended {
                continue;
            }
            // The places wanted last, and no more than there is room for.
            let mut places = std::mem::take(&mut state.wanted);
            places.drain(..places.len().saturating_sub(MOST));
            for place in places {
                if state.waiting.iter().filter(|spare| spare.of == place).count() >= MOST {
                    continue;
                }
                // One that cannot be started is not there when it is looked for.
                state.waiting.extend(Spare::start(place).ok());
                if state.waiting.len() > MOST {
                    state.waiting.remove(0).process.end();
                }
            }
        }
    }
}

impl Spare {
    fn start(of: Place) -> std::io::Result<Self> {
        let (theirs, arguments) = std::io::pipe()?;
        let mut command = Command::new(&of.program);
        command.arg(format!("@/proc/{}/fd/{}", std::process::id(), theirs.as_raw_fd()));
        if let Some(directory) = &of.directory {
            command.current_dir(directory).env("PWD", directory);
        }
        let mut process = Process::start(command.stdin(Stdio::null()))?;
        if number_of(of.directory.as_deref().unwrap_or(Path::new("."))) != of.number {
            // It may have been started in another directory already.
            process.end();
            return Err(std::io::ErrorKind::NotFound.into());
        }
        Ok(Self { of, process, arguments, theirs })
    }
}

/// The arguments as they are written in a file of them.
fn quoted(command: &Command) -> Vec<u8> {
    let mut text = Vec::new();
    for argument in command.get_args() {
        text.push(b'"');
        for &byte in argument.as_bytes() {
            if matches!(byte, b'"' | b'\\') {
                text.push(b'\\');
            }
            text.push(byte);
        }
        text.extend(b"\"\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clang(argument: &str, directory: &str) -> Command {
        let mut command = Command::new("clang-19");
        command.arg(argument).current_dir(directory).stdin(Stdio::null());
        command
    }

    #[test]
    fn as_many_wait_as_were_run() {
        let spares = Spares::new().unwrap();
        let run = |mut command: Command| spares.run(&mut command, &Cancel::default()).unwrap();
        let waiting = |directory: &str| {
            let state = spares.0.lock();
            let is_there = |spare: &&Spare| spare.of.directory.as_deref() == Some(directory.as_ref());
            state.waiting.iter().filter(is_there).count()
        };
        let wait_for = |count| {
            while waiting("/") != count {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        assert!(!run(clang("-no-such-option", "/")).status.unwrap().success());
        run(clang("--version", "/"));
        run(clang("--version", "/"));
        wait_for(2);
        assert_eq!(waiting("/usr"), 0);
        // Somewhere else is not its place.
        run(clang("-dumpversion", "/usr"));
        assert_eq!(waiting("/"), 2);
        let ended = run(clang("-dumpversion", "/"));
        assert_eq!(waiting("/"), 1);
        assert!(ended.wrote.starts_with(b"19."), "{}", String::from_utf8_lossy(&ended.wrote));
        wait_for(2);
        // One that has died is not waited for.
        spares.0.lock().waiting.iter_mut().for_each(|spare| spare.process.end());
        assert!(run(clang("-dumpversion", "/")).status.unwrap().success());
    }

    #[test]
    fn no_more_wait_than_may() {
        let spares = Spares::new().unwrap();
        let place = |directory: &str| Place::of(Command::new("clang-19").current_dir(directory));
        for directory in ["/", "/usr"] {
            (0..MOST + 2).for_each(|_| spares.0.want(place(directory)));
            while !spares.0.lock().wanted.is_empty() {
                std::thread::sleep(Duration::from_millis(5));
            }
            let state = spares.0.lock();
            assert_eq!(state.waiting.len(), MOST);
            assert!(state.waiting.iter().all(|spare| spare.of == place(directory)));
        }
    }

    #[test]
    fn a_directory_that_took_anothers_name_is_another_place() {
        let place = tempfile::tempdir().unwrap();
        let (old, now) = (place.path().join("old"), place.path().join("now"));
        std::fs::create_dir(&now).unwrap();
        let spares = Spares::new().unwrap();
        let now_as_text = now.to_str().unwrap();
        spares.run(&mut clang("--version", now_as_text), &Cancel::default()).unwrap();
        while spares.0.lock().waiting.is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::fs::rename(&now, old).unwrap();
        std::fs::create_dir(&now).unwrap();
        std::fs::write(now.join("a.c"), "int a;").unwrap();
        let mut command = clang("-fsyntax-only", now_as_text);
        command.arg("a.c");
        assert!(spares.run(&mut command, &Cancel::default()).unwrap().status.unwrap().success());
    }

    #[test]
    fn one_that_waits_can_be_cancelled_and_ends_with_the_rest() {
        let spares = Spares::new().unwrap();
        spares.run(&mut clang("--version", "/"), &Cancel::default()).unwrap();
        while spares.0.lock().waiting.is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let cancel = Cancel::default();
        cancel.cancel();
        assert!(spares.run(&mut clang("--version", "/"), &cancel).unwrap().status.is_none());
        spares.run(&mut clang("--version", "/"), &Cancel::default()).unwrap();
        drop(spares);
    }
}
