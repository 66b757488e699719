//! Runs a process that somebody may lose interest in.
//!
//! Owns the processes that run under a [`Cancel`] and the order in which they are reaped: none
//! is killed whose number may be another's by then. What it writes goes to files in memory, so
//! that nobody has to read along. Does not know what is run.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// Ends what runs under it. Clones are one token. Once cancelled it stays so.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Mutex<Running>>);

#[derive(Debug, Default)]
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

impl Cancel {
    /// Kills everything that runs under this token, and whatever that has started; nothing
    /// more is started. Returns at once.
    #[cfg_attr(not(test), expect(dead_code, reason = "for a newer save"))]
    pub fn cancel(&self) {
        let mut running = self.lock();
        running.cancelled = true;
        for group in &running.groups {
            // It is there, if only as what is left of one that has ended.
            let _ = kill_process_group(*group, Signal::KILL);
        }
    }

    /// Whether it was cancelled.
    #[cfg_attr(not(test), expect(dead_code, reason = "for a newer save"))]
    pub fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Runs `command` to its end.
    pub fn run(&self, command: &mut Command) -> std::io::Result<Ended> {
        let (mut wrote, mut said) = (scratch()?, scratch()?);
        command.stdout(wrote.try_clone()?).stderr(said.try_clone()?).process_group(0);
        // Started under the lock: whoever cancels finds it.
        let mut running = self.lock();
        if running.cancelled {
            return Ok(Ended { status: None, wrote: Vec::new(), said: Vec::new() });
        }
        let mut child = command.spawn()?;
        let group = Pid::from_child(&child);
        running.groups.push(group);
        drop(running);
        // Its number stays its own until it is reaped, which nobody else does.
        let wait = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(group), wait).is_err_and(|error| error == rustix::io::Errno::INTR) {}
        let mut running = self.lock();
        running.groups.retain(|other| *other != group);
        let cancelled = running.cancelled;
        drop(running);
        let status = child.wait()?;
        if cancelled {
            return Ok(Ended { status: None, wrote: Vec::new(), said: Vec::new() });
        }
        Ok(Ended { status: Some(status), wrote: contents(&mut wrote)?, said: contents(&mut said)? })
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

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_it_wrote_comes_back() {
        let ended = Cancel::default().run(&mut shell("echo out; echo err >&2; exit 3")).unwrap();
        assert_eq!(ended.status.unwrap().code(), Some(3));
        assert_eq!((ended.wrote, ended.said), (b"out\n".to_vec(), b"err\n".to_vec()));
        assert!(Cancel::default().run(&mut Command::new("/no/such/program")).is_err());
    }

    #[test]
    fn cancelling_kills_children_of_children() {
        let cancel = Cancel::default();
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", name.display());
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let run = scope.spawn(|| cancel.run(&mut shell(&script)).unwrap());
            while !name.exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            cancel.cancel();
            assert!(run.join().unwrap().status.is_none());
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
        assert!(cancel.run(&mut shell("exit 0")).unwrap().status.is_none());
    }
}
