//! One client of the socket: its lines in, the answers out.
//!
//! Owns how much of a client is kept: a line of at most [`LONGEST_LINE`], one request at a time,
//! nothing read while answers wait to be read. So nothing that a client does or leaves undone
//! takes memory or somebody's time. Does not know what requests mean.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::desk::{Desk, Later, Ready};
use super::protocol::{Answer, Ask, Reply, Request, VERSION};

/// The longest request there may be. That of a thousand files is a tenth of it.
const LONGEST_LINE: usize = 1 << 20;
/// How much is read at a time.
const CHUNK: usize = 64 << 10;

/// A client.
pub struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// The answer that is waited for, and the request's number.
    waits: Option<(Later, Option<u64>)>,
    /// Nothing more is read of it.
    ended: bool,
    /// It wants the program to end.
    pub quits: bool,
    /// When it last said something.
    pub heard: Instant,
}

impl Connection {
    /// The stream must not block.
    pub fn new(stream: UnixStream) -> Self {
        let (input, output) = Default::default();
        Self { stream, input, output, waits: None, ended: false, quits: false, heard: Instant::now() }
    }

    pub fn file(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Whether its next bytes are wanted.
    pub fn reads(&self) -> bool {
        !self.ended && self.waits.is_none() && self.output.is_empty()
    }

    /// Whether there is something for it.
    pub fn writes(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether somebody works on its request.
    pub fn is_waiting(&self) -> bool {
        self.waits.is_some()
    }

    /// Nothing will come of it any more.
    pub fn is_over(&self) -> bool {
        self.ended && self.waits.is_none() && self.output.is_empty()
    }

    /// Reads what is there, of one request at most.
    pub fn read(&mut self, desk: &Desk) {
        let mut chunk = vec![0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.ended = true,
            Ok(length) => {
                self.heard = Instant::now();
                self.input.extend_from_slice(&chunk[..length]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.ended = true,
        }
        self.work(desk);
    }

    /// Goes on with it: answers that have come, requests that have been read.
    pub fn work(&mut self, desk: &Desk) {
        if let Some((later, id)) = self.waits.take() {
            match later.look() {
                Ok((answer, _taken)) => self.say(id, answer),
                Err(later) => self.waits = Some((later, id)),
            }
        }
        while self.waits.is_none() && self.output.is_empty() {
            let Some(end) = memchr::memchr(b'\n', &self.input) else { break };
            let line: Vec<u8> = self.input.drain(..=end).collect();
            self.line(line.trim_ascii(), desk);
            self.write();
        }
        if self.input.len() > LONGEST_LINE && self.waits.is_none() && self.output.is_empty() {
            self.input = Vec::new();
            self.ended = true;
            self.say(None, Answer::failed(format!("a request is one line of at most {LONGEST_LINE} bytes")));
        }
    }

    fn line(&mut self, line: &[u8], desk: &Desk) {
        if line.is_empty() {
            return;
        }
        let (id, request) = match parse(line) {
            (id, Ok(request)) => (id, request),
            (id, Err(message)) => return self.say(id, Answer::failed(message)),
        };
        self.quits |= request.ask == Ask::Quit;
        match desk.take(request.ask) {
            Ready::Now(answer) => self.say(id, answer),
            Ready::Later(later) => self.waits = Some((later, id)),
        }
    }

    fn say(&mut self, id: Option<u64>, answer: Answer) {
        let reply = Reply { version: VERSION, id, answer };
        // All of it has a form in JSON.
        self.output.extend(serde_json::to_vec(&reply).unwrap_or_default());
        self.output.push(b'\n');
        self.write();
    }

    /// Writes what the client takes at once.
    pub fn write(&mut self) {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(length) if length > 0 => _ = self.output.drain(..length),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                _ => {
                    self.output.clear();
                    self.ended = true;
                }
            }
        }
    }
}

/// A line's number and request, or what is wrong with it.
fn parse(line: &[u8]) -> (Option<u64>, Result<Request, String>) {
    let value: serde_json::Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => return (None, Err(format!("this is no line of JSON: {error}"))),
    };
    let id = value.get("id").and_then(serde_json::Value::as_u64);
    let request = serde_json::from_value::<Request>(value);
    let request = request.map_err(|error| format!("this is no request: {error}")).and_then(|request| {
        if request.version == VERSION {
            return Ok(request);
        }
        Err(format!("version {} of the protocol is asked for, this is version {VERSION}", request.version))
    });
    (id, request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let (id, request) = parse(br#"{"id":7,"ask":"rollback","module":"a.c"}"#);
        assert_eq!(id, Some(7));
        let ask = Ask::Rollback { module: "a.c".into(), generation: None };
        assert_eq!(request.unwrap(), Request { version: VERSION, id, ask });
        for (line, problem) in [
            ("{", "no line of JSON"),
            ("[1]", "no request"),
            (r#"{"id":3,"ask":"dance"}"#, "unknown variant `dance`"),
            (r#"{"id":3,"ask":"swap"}"#, "missing field `files`"),
            (r#"{"hotslot":2,"id":3,"ask":"status"}"#, "version 2"),
        ] {
            let (id, request) = parse(line.as_bytes());
            assert_eq!(id.is_some(), line.contains("id"), "{line}");
            let message = request.unwrap_err();
            assert!(message.contains(problem), "{message}");
        }
        assert!(parse("[".repeat(100_000).as_bytes()).1.is_err());
    }
}
