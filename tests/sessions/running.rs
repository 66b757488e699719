//! A program under `hotslot run --watch`: its answers, and what `--events` tells.
//!
//! Whatever happens to a test, the process ends with this value; one that ends well is checked
//! to have left no other process.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What takes longer does not happen any more.
const LIMIT: Duration = Duration::from_secs(300);
/// How often to look.
const LOOK: Duration = Duration::from_millis(4);

pub struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    folder: PathBuf,
    events: PathBuf,
    said: PathBuf,
    /// How much of the events has been read, and how many.
    read: usize,
    seen: u64,
    /// What is told when something fails.
    history: Vec<String>,
}

impl Running {
    /// Starts `hotslot run` with these arguments in `folder`; its own files go to `aside`.
    pub fn start(folder: &Path, aside: &Path, arguments: &[String]) -> Self {
        let (events, said) = (aside.join("events"), aside.join("stderr"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotslot"));
        command.args(["run", "--watch", "--events"]).arg(&events).args(arguments);
        command.current_dir(folder).env("LC_ALL", "C");
        command.env("HOTSLOT_CACHE_DIR", aside.join("cache"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(fs::File::create(&said).unwrap());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let folder = folder.to_owned();
        Self { child, input, lines, folder, events, said, read: 0, seen: 0, history: Vec::new() }
    }

    /// Does something while the program and hotslot in it stand still.
    pub fn while_stopped(&self, work: impl FnOnce()) {
        let process = Pid::from_child(&self.child);
        kill_process(process, Signal::STOP).unwrap();
        work();
        kill_process(process, Signal::CONT).unwrap();
    }

    /// Has the program do something, and returns what it writes of it.
    pub fn ask(&mut self, what: &str) -> String {
        let input = self.input.as_mut().expect("the program was not ended");
        if let Err(error) = writeln!(input, "{what}") {
            self.fail(&format!("{what}: {error}"));
        }
        let mut answer = String::new();
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) if line == "." => {
                    self.history.push(format!("{what}: {answer}"));
                    return answer;
                }
                Ok(line) => answer = answer + &line + "\n",
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("{what}: no answer")),
                Err(RecvTimeoutError::Disconnected) => self.fail(&format!("{what}: the program has ended")),
            }
        }
    }

    /// The next event, of which the others there are have been seen.
    pub fn event(&mut self) -> Value {
        let deadline = Instant::now() + LIMIT;
        loop {
            let bytes = fs::read(&self.events).unwrap_or_default();
            if let Some(length) = bytes[self.read..].iter().position(|&byte| byte == b'\n') {
                let line = &bytes[self.read..self.read + length];
                self.read += length + 1;
                self.seen += 1;
                self.history.push(String::from_utf8_lossy(line).into_owned());
                let event: Value =
                    serde_json::from_slice(line).unwrap_or_else(|error| self.fail(&error.to_string()));
                if event["v"] != 1 || event["seq"] != self.seen {
                    self.fail("an event is missing");
                }
                return event;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                self.fail(&format!("ended with {status}"));
            }
            if Instant::now() > deadline {
                self.fail("no event");
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Panics with what is known.
    pub fn fail(&self, why: &str) -> ! {
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        let said: Vec<&str> = said.lines().rev().take(40).collect();
        let said: Vec<&str> = said.into_iter().rev().collect();
        let events = &self.history[self.history.len().saturating_sub(8)..];
        panic!("{why}\n--- events\n{}\n--- stderr\n{}\n", events.join("\n"), said.join("\n"))
    }

    /// Ends the program and looks whether all is gone.
    pub fn quit(&mut self) {
        self.ask("quit");
        self.input = None;
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) if status.success() => break,
                Some(status) => self.fail(&format!("the program ended with {status}")),
                None if Instant::now() > deadline => self.fail("the program does not end"),
                None => std::thread::sleep(LOOK),
            }
        }
        while let Some(process) = works_in(&self.folder) {
            if Instant::now() > deadline {
                self.fail(&format!("process {process} is left"));
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process whose directory is in this folder.
fn works_in(folder: &Path) -> Option<String> {
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let works = |path: &Path| fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    processes.map(|entry| entry.path()).find(|path| works(path)).map(|path| path.display().to_string())
}
