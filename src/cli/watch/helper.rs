//! The process in which compilers are started for a program that runs.
//!
//! Owns what makes them invisible to the program: they are no children of its, so it neither
//! waits for them nor hears of their end; its directory, environment, limits and signals are not
//! theirs, and what it holds open they do not. The process is made before the program is loaded
//! and ends with it. Owns also what is said between the two. How is compiled is in `compile.rs`.
#![allow(unsafe_code)] // fork

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use super::Event;
use super::compile::{Made, Pool, Task};
use crate::cli::descriptors::out_of_the_way;
use crate::cli::failure::Failure;
use crate::cli::frontend::{Frontend, Language};
use crate::cli::program::{Kind, Program, Unit};

/// What the process is made with.
pub struct Compilers<'a> {
    pub frontend: Frontend,
    pub assembler: PathBuf,
    /// Finds out what the program consists of.
    pub program: &'a dyn Fn() -> Result<Program, Failure>,
}

/// The end of the line that the session holds.
pub struct Helper {
    stream: UnixStream,
    /// Nobody is at the other end.
    pub is_gone: bool,
}

/// What the session says, a line each.
#[derive(Serialize, Deserialize)]
enum Order {
    Compile { ticket: u64, unit: Wire },
    Cancel { ticket: u64 },
    Program,
}

/// A unit on its way.
#[derive(Serialize, Deserialize)]
struct Wire {
    name: String,
    path: OsString,
    kind: u8,
    flags: Vec<OsString>,
    directory: Option<OsString>,
    on_demand: bool,
}

/// What comes back, a line each.
#[derive(Serialize, Deserialize)]
enum Answer {
    /// The text and the code of these lengths follow.
    Made(Header),
    Program(Result<Vec<Wire>, String>),
}

#[derive(Serialize, Deserialize)]
struct Header {
    ticket: u64,
    ok: bool,
    code: usize,
    said: usize,
    reads: Vec<OsString>,
}

impl Helper {
    /// Makes the process. Call while this one has a single thread.
    pub fn start(compilers: Compilers<'_>, jobs: usize) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("no process for --watch: {error}"));
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let parent =
            rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty());
        let parent = parent.map_err(|error| failed(error.into()))?;
        // SAFETY: this process has a single thread by the caller's word, so the child may do
        // whatever its parent may.
        match unsafe { libc::fork() } {
            -1 => Err(failed(std::io::Error::last_os_error())),
            0 => {
                // Its own parent ends at once, so that it is nobody's child.
                // SAFETY: as above; `_exit` runs nothing of the parent's.
                unsafe {
                    match libc::fork() {
                        0 => {}
                        -1 => libc::_exit(1),
                        _ => libc::_exit(0),
                    }
                }
                drop(ours);
                serve(theirs, parent, compilers, jobs)
            }
            child => {
                let mut status = 0;
                // SAFETY: waits for the child that was just made, into a local.
                unsafe { libc::waitpid(child, &mut status, 0) };
                if status != 0 {
                    return Err(failed(std::io::ErrorKind::OutOfMemory.into()));
                }
                Ok(Self { stream: out_of_the_way(ours).map_err(failed)?.into(), is_gone: false })
            }
        }
    }

    /// Has a unit compiled.
    pub fn submit(&mut self, ticket: u64, unit: &Unit) {
        let unit = Wire::from(unit);
        self.say(&Order::Compile { ticket, unit });
    }

    /// Calls that off.
    pub fn cancel(&mut self, ticket: u64) {
        self.say(&Order::Cancel { ticket });
    }

    /// Asks what the program consists of.
    pub fn program(&mut self) {
        self.say(&Order::Program);
    }

    fn say(&mut self, order: &Order) {
        let Ok(mut line) = serde_json::to_vec(order) else { return };
        line.push(b'\n');
        // Where the process has gone whoever listens knows.
        let _ = self.stream.write_all(&line);
    }

    /// Where answers come from.
    pub fn answers(&self) -> std::io::Result<Answers> {
        Ok(Answers(BufReader::new(out_of_the_way(&self.stream)?.into())))
    }
}

/// What comes back from the process.
pub struct Answers(BufReader<UnixStream>);

impl Iterator for Answers {
    type Item = Event;

    /// Waits for the next; `None` once the process is gone.
    fn next(&mut self) -> Option<Event> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).ok()?;
        let header = match serde_json::from_slice(&line).ok()? {
            Answer::Made(header) => header,
            Answer::Program(found) => {
                let units = |units: Vec<Wire>| units.into_iter().map(Unit::from).collect();
                return Some(Event::Program(found.map(units)));
            }
        };
        let (mut said, mut code) = (vec![0; header.said], vec![0; header.code]);
        self.0.read_exact(&mut said).ok()?;
        self.0.read_exact(&mut code).ok()?;
        let result = if header.ok { Ok(code) } else { Err(String::from_utf8_lossy(&code).into_owned()) };
        let reads = header.reads.into_iter().map(PathBuf::from).collect();
        Some(Event::Made(Box::new(Made { ticket: header.ticket, result, said, reads })))
    }
}

/// The process, until the program ends.
fn serve(stream: UnixStream, parent: OwnedFd, compilers: Compilers<'_>, jobs: usize) -> ! {
    // No signals of the program's terminal, and nobody who waits for the end of its output.
    let _ = rustix::process::setsid();
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
    // A child that the program has forked may hold the stream's other end for long.
    std::thread::spawn(move || {
        let mut wait = [rustix::event::PollFd::new(&parent, rustix::event::PollFlags::IN)];
        while rustix::event::poll(&mut wait, None).is_err_and(|error| error == rustix::io::Errno::INTR) {}
        leave();
    });
    let Ok(back) = stream.as_fd().try_clone_to_owned() else { leave() };
    let back = Arc::new(Mutex::new(UnixStream::from(back)));
    let Compilers { frontend, assembler, program } = compilers;
    let made = back.clone();
    // From here on there may be threads.
    let pool = Pool::start(frontend.with_preambles(), assembler, jobs, move |one| answer(&made, one));
    let _ = POOL.set(pool.clone());
    let mut orders = BufReader::new(stream);
    let mut line = Vec::new();
    while orders.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        match serde_json::from_slice(&line) {
            Ok(Order::Compile { ticket, unit }) => pool.submit(Task { ticket, unit: unit.into() }),
            Ok(Order::Cancel { ticket }) => pool.cancel(ticket),
            Ok(Order::Program) => {
                let units = |program: Program| program.units.iter().map(Wire::from).collect();
                let found = program().map(units).map_err(|failure| failure.render());
                say(&back, &Answer::Program(found), &[]);
            }
            Err(_) => break,
        }
        line.clear();
    }
    leave()
}

/// What ends with the process.
static POOL: OnceLock<Arc<Pool>> = OnceLock::new();

/// Without compilers that go on, and without anything that is to be run at the end of the process it was forked from.
fn leave() -> ! {
    POOL.get().inspect(|pool| pool.end());
    // SAFETY: takes an integer and does not return.
    unsafe { libc::_exit(0) }
}

fn answer(back: &Mutex<UnixStream>, made: Made) {
    let (ok, code) = match made.result {
        Ok(code) => (true, code),
        Err(text) => (false, text.into_bytes()),
    };
    let reads = made.reads.into_iter().map(OsString::from).collect();
    let header = Header { ticket: made.ticket, ok, code: code.len(), said: made.said.len(), reads };
    say(back, &Answer::Made(header), &[made.said, code].concat());
}

fn say(back: &Mutex<UnixStream>, answer: &Answer, rest: &[u8]) {
    let Ok(mut text) = serde_json::to_vec(answer) else { return };
    text.push(b'\n');
    text.extend(rest);
    let mut back = back.lock().unwrap_or_else(PoisonError::into_inner);
    if back.write_all(&text).is_err() {
        leave();
    }
}

impl From<&Unit> for Wire {
    fn from(unit: &Unit) -> Self {
        let kind = match unit.kind {
            Kind::Source(Language::C) => 0,
            Kind::Source(Language::Cxx) => 1,
            Kind::Assembly => 2,
            Kind::Ready => 3,
            Kind::Archive => 4,
        };
        Self {
            name: unit.name.clone(),
            path: unit.path.clone().into(),
            kind,
            flags: unit.flags.clone(),
            directory: unit.directory.clone().map(OsString::from),
            on_demand: unit.on_demand,
        }
    }
}

impl From<Wire> for Unit {
    fn from(wire: Wire) -> Self {
        let kind = match wire.kind {
            0 => Kind::Source(Language::C),
            1 => Kind::Source(Language::Cxx),
            2 => Kind::Assembly,
            3 => Kind::Ready,
            _ => Kind::Archive,
        };
        Self {
            name: wire.name,
            path: wire.path.into(),
            kind,
            flags: wire.flags,
            directory: wire.directory.map(PathBuf::from),
            on_demand: wire.on_demand,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_arrive_as_they_are() {
        let unit = Unit {
            name: "a".to_owned(),
            path: "x/a.cc".into(),
            kind: Kind::Source(Language::Cxx),
            flags: vec!["-DX=\"y z\"".into()],
            directory: Some("/b".into()),
            on_demand: true,
        };
        let line = serde_json::to_vec(&Wire::from(&unit)).unwrap();
        assert_eq!(Unit::from(serde_json::from_slice::<Wire>(&line).unwrap()), unit);
    }
}
