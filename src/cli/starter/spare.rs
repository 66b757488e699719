//! Compilers that have started and wait to be told what to compile.
//!
//! To load clang takes a good part of what a small file takes, and can be done before there is
//! anything to compile: clang reads arguments from files, so it is given the end of a pipe for
//! one and waits there. Owns when one is started, and how arguments are written. Belongs into a
//! process that never forks without `exec`: a copy of the pipe elsewhere would keep it open.

use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::super::cancel::Process;
use super::server::command;
use super::{Call, lock};

/// Whoever has got an answer is about to make use of it, on the same processors.
const QUIET: Duration = Duration::from_millis(200);

/// They take memory. The one used last is the last.
const MOST: usize = 4;

/// As much as goes into a pipe before somebody reads.
const ROOM: usize = 60 << 10;

/// Those that wait.
pub struct Spares {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Spare>,
    wanted: Vec<Call>,
    /// How often one was taken or asked for.
    turn: u64,
    ended: bool,
}

struct Spare {
    of: Call,
    process: Process,
    arguments: PipeWriter,
    /// It may not have opened its end yet.
    _theirs: PipeReader,
}

impl Spares {
    /// None yet, and a thread that starts them.
    pub fn new() -> Arc<Self> {
        let spares = Arc::new(Self { state: Mutex::default(), changed: Condvar::new() });
        let starts = Arc::clone(&spares);
        std::thread::spawn(move || starts.work());
        spares
    }

    /// One that runs this now.
    pub fn take(&self, call: &Call) -> Option<Process> {
        let mut state = lock(&self.state);
        state.turn += 1;
        let text = quoted(call);
        if text.len() > ROOM {
            return None;
        }
        let at = state.waiting.iter().rposition(|spare| spare.serves(call))?;
        let mut spare = state.waiting.remove(at);
        drop(state);
        if !spare.process.is_running() || spare.arguments.write_all(&text).is_err() {
            spare.process.end();
            return None;
        }
        // The end of what is written is where it starts. Its own end stays open for as long as it
        // may take to open it: until it has ended.
        drop(spare.arguments);
        spare.process.keep(spare._theirs.into());
        Some(spare.process)
    }

    /// Has one wait for the next call like this one.
    pub fn want(&self, call: &Call) {
        let mut state = lock(&self.state);
        state.turn += 1;
        state.wanted.push(call.clone());
        self.changed.notify_all();
    }

    /// Ends them all.
    pub fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        state.waiting.drain(..).for_each(|mut spare| spare.process.end());
        self.changed.notify_all();
    }

    fn work(&self) {
        let mut state = lock(&self.state);
        while !state.ended {
            if state.wanted.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
                continue;
            }
            let turn = state.turn;
            drop(state);
            std::thread::sleep(QUIET);
            state = lock(&self.state);
            if state.turn != turn || state.ended {
                continue;
            }
            while let Some(call) = state.wanted.pop() {
                if state.waiting.iter().any(|spare| spare.serves(&call)) {
                    continue;
                }
                // One that cannot be started is not there when it is looked for.
                state.waiting.extend(Spare::start(call).ok());
                if state.waiting.len() > MOST {
                    state.waiting.remove(0).process.end();
                }
            }
        }
    }
}

impl Spare {
    fn start(of: Call) -> std::io::Result<Self> {
        let (theirs, arguments) = std::io::pipe()?;
        let name = format!("@/proc/{}/fd/{}", std::process::id(), theirs.as_raw_fd());
        let process = Process::start(command(&of).arg(name))?;
        Ok(Self { of, process, arguments, _theirs: theirs })
    }

    fn serves(&self, call: &Call) -> bool {
        self.of.program == call.program && self.of.directory == call.directory
    }
}

/// The arguments as they are written in a file of them.
fn quoted(call: &Call) -> Vec<u8> {
    let mut text = Vec::new();
    for argument in &call.arguments {
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
    use std::ffi::OsString;

    use super::super::super::cancel::Cancel;
    use super::*;

    fn call(arguments: &[&str]) -> Call {
        let arguments = arguments.iter().map(OsString::from).collect();
        Call { program: "clang-19".into(), arguments, directory: Some("/".into()), again: true }
    }

    #[test]
    fn one_waits_after_one_was_wanted() {
        let spares = Spares::new();
        let version = call(&["--version"]);
        assert!(spares.take(&version).is_none());
        spares.want(&version);
        spares.want(&version);
        let process = (0..1000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10).max(2 * QUIET));
            spares.take(&call(&["-dumpversion", ""][..1]))
        });
        let ended = Cancel::default().run(|| Ok(process.expect("one waits"))).unwrap();
        assert!(ended.wrote.starts_with(b"19."), "{}", String::from_utf8_lossy(&ended.wrote));
        assert!(spares.take(&version).is_none());
        let elsewhere = Call { directory: None, ..version.clone() };
        spares.want(&version);
        std::thread::sleep(3 * QUIET);
        assert!(spares.take(&elsewhere).is_none());
        spares.end();
        assert!(spares.take(&version).is_none());
    }
}
