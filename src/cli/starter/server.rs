//! The process that starts compilers: reads requests, answers them in whatever order they end.
//!
//! Owns what it has started: when the socket ends, so does all of that. It is told what to start
//! and does not know what for.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};

use super::super::cancel::{Cancel, Ended, Process};
use super::spare::Spares;
use super::{Ask, Call, Done, lock};

struct Server {
    socket: Mutex<UnixStream>,
    running: Mutex<HashMap<u64, Cancel>>,
    spares: Arc<Spares>,
}

/// Serves the socket that is stdin.
pub fn serve() -> ExitCode {
    // Whoever calls this by hand has no socket there.
    match std::io::stdin().as_fd().try_clone_to_owned() {
        Ok(socket) => over(socket.into()),
        Err(_) => ExitCode::FAILURE,
    }
}

/// Serves a socket until its other end is closed.
pub fn over(reader: UnixStream) -> ExitCode {
    let Ok(socket) = reader.try_clone() else { return ExitCode::FAILURE };
    let server = Server { socket: Mutex::new(socket), running: Mutex::default(), spares: Spares::new() };
    let server = Arc::new(server);
    for line in BufReader::new(reader).split(b'\n') {
        match line.ok().and_then(|line| serde_json::from_slice(&line).ok()) {
            Some(Ask::Run { id, call }) => {
                // Known before the next line is read, which may be of this one's end.
                let cancel = Cancel::default();
                lock(&server.running).insert(id, cancel.clone());
                let server = Arc::clone(&server);
                std::thread::spawn(move || server.run(id, &call, &cancel));
            }
            Some(Ask::Cancel { id }) => {
                if let Some(cancel) = lock(&server.running).get(&id) {
                    cancel.cancel();
                }
            }
            None => break,
        }
    }
    lock(&server.running).values().for_each(Cancel::cancel);
    server.spares.end();
    ExitCode::SUCCESS
}

impl Server {
    fn run(&self, id: u64, call: &Call, cancel: &Cancel) {
        let ended = cancel.run(|| match self.spares.take(call) {
            Some(process) => Ok(process),
            None => start(call),
        });
        lock(&self.running).remove(&id);
        let (error, ended) = match ended {
            Ok(ended) => (None, ended),
            Err(error) => {
                let code = error.raw_os_error().unwrap_or_default();
                (Some(code), Ended { status: None, wrote: Vec::new(), said: Vec::new() })
            }
        };
        let status = ended.status.map(ExitStatusExt::into_raw);
        let done = Done { id, status, error, wrote: ended.wrote.len(), said: ended.said.len() };
        if let Ok(mut line) = serde_json::to_vec(&done) {
            line.push(b'\n');
            let mut socket = lock(&self.socket);
            // Nobody is left to be told.
            let _ = [&line, &ended.wrote, &ended.said].map(|bytes| socket.write_all(bytes));
        }
        if call.again && ended.status.is_some_and(|status| status.success()) {
            self.spares.want(call);
        }
    }
}

fn start(call: &Call) -> std::io::Result<Process> {
    Process::start(command(call).args(&call.arguments))
}

/// Without its arguments.
pub fn command(call: &Call) -> Command {
    let mut command = Command::new(&call.program);
    if let Some(directory) = &call.directory {
        command.current_dir(directory).env("PWD", directory);
    }
    command.stdin(Stdio::null());
    command
}
