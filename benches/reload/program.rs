//! The program while it runs, under hotslot or natively: what it is asked, what it answers, and
//! when each answer and each event came.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was heard, and when.
pub struct Heard {
    pub at: Instant,
    pub what: What,
}

/// A line of the program or of hotslot.
pub enum What {
    /// The number that the edited function has left.
    Answer(i64),
    /// A line of `--events`.
    Event(Value),
    /// Something else on stdout.
    Text(String),
}

/// A process that answers.
pub struct Program {
    child: Child,
    heard: Receiver<Heard>,
    sender: Sender<Heard>,
}

impl Program {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, heard) = channel();
        let output = child.stdout.take().expect("it is piped");
        listen(output, sender.clone(), |line| match line.parse() {
            Ok(number) => What::Answer(number),
            Err(_) => What::Text(line.to_owned()),
        });
        Self { child, heard, sender }
    }

    /// Hears of events as well, from a pipe by name.
    pub fn hear_events(&self, pipe: impl Read + Send + 'static) {
        listen(pipe, self.sender.clone(), |line| What::Event(serde_json::from_str(line).unwrap_or_default()));
    }

    /// Has it run this script from now on.
    pub fn ask(&mut self, index: usize, script: &str) {
        let input = self.child.stdin.as_mut().expect("it is piped");
        writeln!(input, "{index} {script}").expect("the program reads its commands");
    }

    /// The next thing heard.
    pub fn next(&self) -> Heard {
        self.within(PATIENCE).expect("the program goes on")
    }

    /// The next thing heard, if it comes in this time.
    pub fn within(&self, time: Duration) -> Option<Heard> {
        match self.heard.recv_timeout(time) {
            Ok(heard) => Some(heard),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("a program holds its own sender"),
        }
    }

    /// When this answer comes.
    pub fn wait_for(&self, number: i64) -> Instant {
        loop {
            let Heard { at, what } = self.next();
            if matches!(what, What::Answer(answer) if answer == number) {
                return at;
            }
        }
    }

    /// What it says on stderr, where that is piped; once.
    pub fn errors(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("it is piped")
    }

    /// Whether it goes on.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(from: impl Read + Send + 'static, to: Sender<Heard>, read: fn(&str) -> What) {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from).lines();
        while let Some(Ok(line)) = lines.next() {
            let at = Instant::now();
            if to.send(Heard { at, what: read(&line) }).is_err() {
                return;
            }
        }
    });
}
