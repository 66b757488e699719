//! Starts compilers in a process apart from the program's.
//!
//! The program that runs here may wait for its children, change its directory or close all
//! files; and compilers that wait for work (`spare.rs`) must end when nobody has any more. So a
//! process that is no child of this one starts them, and is asked through a socket. Owns that
//! process and the requests; [`server`] is its side. Without it compilers are started here.

mod server;
mod spare;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::cancel::{Cancel, Ended, Process};

pub use server::serve;

/// The hidden command that is the other side.
pub const COMMAND: &str = "start-compilers";

/// What the process is asked, one a line.
#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    Run { id: u64, call: Call },
    Cancel { id: u64 },
}

/// A command.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Call {
    program: OsString,
    arguments: Vec<OsString>,
    directory: Option<PathBuf>,
    /// Several at once are wanted, or it is the only one so far: another is likely to follow.
    again: bool,
}

/// What comes back, with what the command wrote and said behind the line.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    id: u64,
    /// Nothing if it was cancelled.
    status: Option<i32>,
    /// It could not be started.
    error: Option<i32>,
    wrote: usize,
    said: usize,
}

/// Starts commands.
pub struct Starter(Option<Arc<Client>>);

struct Client {
    socket: Mutex<UnixStream>,
    /// Who waits for which answer; nothing once there are no answers any more.
    waiting: Mutex<Option<HashMap<u64, Sender<std::io::Result<Ended>>>>>,
    next: AtomicU64,
}

impl Starter {
    /// Starts them itself.
    pub fn here() -> Self {
        Self(None)
    }

    /// Has another process do it, if there can be one.
    pub fn apart() -> Self {
        Self(Client::start().ok())
    }

    /// Has a thread do it, as the program of tests has no such command.
    #[cfg(test)]
    pub fn beside() -> Self {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        std::thread::spawn(move || server::over(theirs));
        Self(Some(Client::over(ours).expect("a thread")))
    }

    /// Runs a command to its end, of which directory and arguments count. With `again` the next
    /// one like it, with other arguments, is made to start sooner.
    pub fn run(&self, command: &mut Command, again: bool, cancel: &Cancel) -> std::io::Result<Ended> {
        if let Some(client) = &self.0 {
            let call = Call {
                program: command.get_program().to_owned(),
                arguments: command.get_args().map(OsString::from).collect(),
                directory: command
                    .get_current_dir()
                    .and_then(|directory| std::path::absolute(directory).ok()),
                again,
            };
            if let Some(ended) = client.run(call, cancel) {
                return ended;
            }
        }
        cancel.run(|| Process::start(command))
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        if let Some(client) = &self.0 {
            // The other side ends at that, and so does the thread that reads on this one.
            let _ = lock(&client.socket).shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Client {
    fn start() -> std::io::Result<Arc<Self>> {
        let (socket, theirs) = UnixStream::pair()?;
        // The shell is gone before the program starts, so what it leaves is nobody's child here.
        // In a group of its own it is not meant by what is typed on the terminal.
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec 3<&0; \"$0\" \"$1\" <&3 3<&- &"]).arg(std::env::current_exe()?).arg(COMMAND);
        shell.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).process_group(0);
        if !shell.status()?.success() {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        Self::over(socket)
    }

    fn over(socket: UnixStream) -> std::io::Result<Arc<Self>> {
        let reader = BufReader::new(socket.try_clone()?);
        let waiting = Mutex::new(Some(HashMap::new()));
        let client = Arc::new(Self { socket: Mutex::new(socket), waiting, next: AtomicU64::new(0) });
        let reads = Arc::clone(&client);
        std::thread::Builder::new().name("compilers".into()).spawn(move || {
            // Whoever waits finds out by the end of the channel.
            let _ = reads.read(reader);
            lock(&reads.waiting).take();
        })?;
        Ok(client)
    }

    fn read(&self, mut from: BufReader<UnixStream>) -> std::io::Result<()> {
        let mut line = String::new();
        while from.read_line(&mut line)? > 0 {
            let done: Done = serde_json::from_str(&line)?;
            line.clear();
            let (mut wrote, mut said) = (vec![0; done.wrote], vec![0; done.said]);
            from.read_exact(&mut wrote)?;
            from.read_exact(&mut said)?;
            let ended = match done.error {
                Some(code) => Err(std::io::Error::from_raw_os_error(code)),
                None => Ok(Ended { status: done.status.map(ExitStatus::from_raw), wrote, said }),
            };
            if let Some(waits) = lock(&self.waiting).as_mut().and_then(|waiting| waiting.remove(&done.id)) {
                // Somebody who has gone needs no answer.
                let _ = waits.send(ended);
            }
        }
        Ok(())
    }

    /// Nothing if there is nobody to ask any more.
    fn run(self: &Arc<Self>, call: Call, cancel: &Cancel) -> Option<std::io::Result<Ended>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = channel();
        lock(&self.waiting).as_mut()?.insert(id, sender);
        let client = Arc::clone(self);
        let stop = move || _ = client.send(&Ask::Cancel { id });
        let ended = cancel.during(Box::new(stop), || {
            self.send(&Ask::Run { id, call }).ok()?;
            // It may have been told to stop before it was told to start.
            if cancel.is_cancelled() {
                self.send(&Ask::Cancel { id }).ok()?;
            }
            answer.recv().ok()
        });
        match ended {
            Some(ended) => ended,
            None => Some(Ok(Ended { status: None, wrote: Vec::new(), said: Vec::new() })),
        }
    }

    fn send(&self, ask: &Ask) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(ask)?;
        line.push(b'\n');
        lock(&self.socket).write_all(&line)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn run(starter: &Starter, script: &str, cancel: &Cancel) -> Ended {
        starter.run(Command::new("sh").args(["-c", script]).stdin(Stdio::null()), true, cancel).unwrap()
    }

    #[test]
    fn what_it_wrote_comes_back() {
        let starter = Starter::beside();
        let cancel = Cancel::default();
        let ended = run(&starter, "echo out; echo err >&2; exit 3", &cancel);
        assert_eq!(ended.status.unwrap().code(), Some(3));
        assert_eq!((ended.wrote, ended.said), (b"out\n".to_vec(), b"err\n".to_vec()));
        let error = starter.run(&mut Command::new("/no/such/program"), false, &cancel).err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        let ended = starter.run(Command::new("pwd").current_dir("/usr"), false, &cancel).unwrap();
        assert_eq!(ended.wrote, b"/usr\n");
    }

    #[test]
    fn what_runs_is_cancelled() {
        let (starter, cancel) = (Starter::beside(), Cancel::default());
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let runs = [(); 3].map(|()| scope.spawn(|| run(&starter, "sleep 1000", &cancel)));
            std::thread::sleep(Duration::from_millis(20));
            cancel.cancel();
            runs.into_iter().for_each(|run| assert!(run.join().unwrap().status.is_none()));
        });
        assert!(run(&starter, "exit 0", &cancel).status.is_none());
        assert!(begun.elapsed() < Duration::from_secs(100));
        assert!(run(&starter, "exit 0", &Cancel::default()).status.unwrap().success());
    }

    #[test]
    fn without_the_other_side_it_is_done_here() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let starter = Starter(Some(Client::over(ours).unwrap()));
        drop(theirs);
        for _ in 0..2 {
            assert_eq!(run(&starter, "echo here", &Cancel::default()).wrote, b"here\n");
        }
    }
}
