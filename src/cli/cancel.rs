//! Runs a process that somebody may lose interest in.
//!
//! Owns the processes that run under a [`Cancel`] and the order in which they are reaped: none
//! is killed whose number may be another's by then. What it writes goes to files in memory, so
//! that nobody has to read along. Does not know what is run.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// Ends what runs under it. Clones are one token. Once cancelled it stays so.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    cancelled: bool,
    /// Leaders of process groups, none of them reaped.
    groups: Vec<Pid>,
}

/// A process that has ended.
pub struct Ended {
    /// How; nothing if it was cancelled.
    pub status: Option<ExitStatus>,
    /// On its stdout.
    pub wrote: Vec<u8>,
    /// On its stderr.
    pub said: Vec<u8>,
}

/// A process with what it writes, in a group of its own.
pub struct Process {
    child: Child,
    group: Pid,
    wrote: File,
    said: File,
    kept: Option<OwnedFd>,
}

impl Process {
    /// Starts one.
    pub fn start(command: &mut Command) -> std::io::Result<Self> {
        let (wrote, said) = (scratch()?, scratch()?);
        let child = command.stdout(wrote.try_clone()?).stderr(said.try_clone()?).process_group(0).spawn()?;
        Ok(Self { group: Pid::from_child(&child), child, wrote, said, kept: None })
    }

    /// Keeps a file open for as long as it runs.
    pub fn keep(&mut self, file: OwnedFd) {
        self.kept = Some(file);
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Ends it, and whatever it has started.
    pub fn end(&mut self) {
        if self.is_running() {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

impl Cancel {
    /// Kills everything that runs under this token, and whatever that has started; nothing
    /// more is started. Returns at once.
    pub fn cancel(&self) {
        let mut running = self.lock();
        running.cancelled = true;
        for group in &running.groups {
            // It is there, if only as what is left of one that has ended.
            let _ = kill_process_group(*group, Signal::KILL);
        }
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Waits for the end of the process that `start` starts.
    pub fn run(&self, start: impl FnOnce() -> std::io::Result<Process>) -> std::io::Result<Ended> {
        let nothing = || Ended { status: None, wrote: Vec::new(), said: Vec::new() };
        // Started under the lock: whoever cancels finds it.
        let mut running = self.lock();
        if running.cancelled {
            return Ok(nothing());
        }
        let mut process = start()?;
        let group = process.group;
        running.groups.push(group);
        drop(running);
        // Its number stays its own until it is reaped.
        let wait = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(group), wait).is_err_and(|error| error == rustix::io::Errno::INTR) {}
        let mut running = self.lock();
        running.groups.retain(|other| *other != group);
        let cancelled = running.cancelled;
        drop(running);
        let status = process.child.wait()?;
        if cancelled {
            return Ok(nothing());
        }
        let (wrote, said) = (contents(&mut process.wrote)?, contents(&mut process.said)?);
        Ok(Ended { status: Some(status), wrote, said })
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file in memory.
pub fn scratch() -> std::io::Result<File> {
    Ok(File::from(memfd_create("hotslot front end", MemfdFlags::CLOEXEC)?))
}

fn contents(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn run(cancel: &Cancel, script: &str) -> Ended {
        cancel.run(|| Process::start(Command::new("sh").args(["-c", script]))).unwrap()
    }

    #[test]
    fn what_it_wrote_comes_back() {
        let ended = run(&Cancel::default(), "echo out; echo err >&2; exit 3");
        assert_eq!(ended.status.unwrap().code(), Some(3));
        assert_eq!((ended.wrote, ended.said), (b"out\n".to_vec(), b"err\n".to_vec()));
        assert!(Cancel::default().run(|| Process::start(&mut Command::new("/no/such/program"))).is_err());
    }

    #[test]
    fn cancelling_kills_children_of_children() {
        let cancel = Cancel::default();
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", name.display());
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let ended = scope.spawn(|| run(&cancel, &script));
            while !name.exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            cancel.cancel();
            assert!(ended.join().unwrap().status.is_none());
        });
        assert!(begun.elapsed() < Duration::from_secs(100));
        let pid = std::fs::read_to_string(&name).unwrap();
        // Killed; it may be a moment until somebody has reaped it.
        let status = format!("/proc/{}/stat", pid.trim());
        let runs = || std::fs::read_to_string(&status).is_ok_and(|text| !text.contains(") Z "));
        while runs() && begun.elapsed() < Duration::from_secs(100) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!runs());
        // And nothing is started any more.
        assert!(cancel.is_cancelled());
        assert!(run(&cancel, "exit 0").status.is_none());
    }
}
