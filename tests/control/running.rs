//! A program that runs while it is asked to change.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::{Outcome, Place};

/// Nothing of all this takes so long.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Prints what `value()` is, again and again.
pub const MAIN: &str = r#"
#include <stdio.h>
#include <unistd.h>
int value(void);
int other(void);
int main(void) {
    for (;;) {
        printf("%d %d\n", value(), other());
        fflush(stdout);
        usleep(2000);
    }
}
"#;
pub const VALUE: &str = "int value(void) { return 1; }\n";
pub const OTHER: &str = "int other(void) { return 1; }\n";

/// The program of these three.
pub fn counting() -> Place {
    Place::new(&[("main.c", MAIN), ("value.c", VALUE), ("other.c", OTHER)])
}

/// A program, until it is dropped.
pub struct Running<'p> {
    pub place: &'p Place,
    pub child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl<'p> Running<'p> {
    /// `hotslot run --control s.sock` with these arguments, once it answers.
    pub fn start(place: &'p Place, args: &[&str]) -> Self {
        let mut command = place.hotslot(&["run", "--control", "s.sock"]);
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, list) = (BufReader::new(child.stdout.take().unwrap()), lines.clone());
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).for_each(|line| list.lock().unwrap().push(line));
        });
        let this = Self { place, child, lines };
        this.until("it answers", || this.ctl(&["status"]).output.status.success());
        this
    }

    /// Waits for something.
    #[track_caller]
    pub fn until(&self, what: &str, is: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is() {
            assert!(begun.elapsed() < LIMIT, "{what}: never; it printed {:?}", self.last());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until the program prints this line.
    #[track_caller]
    pub fn prints(&self, line: &str) {
        let from = self.lines.lock().unwrap().len().saturating_sub(1);
        self.until(line, || self.lines.lock().unwrap()[from..].iter().any(|found| found == line));
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub fn last(&self) -> String {
        self.lines.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// `hotslot ctl s.sock` with these arguments.
    pub fn ctl(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.place.hotslot(&["ctl", "s.sock"]).args(args))
    }

    /// The same with `--json`.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let outcome = self.ctl(&[&["--json"], args].concat());
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.place.dir.join(file), text).unwrap();
    }

    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.place.dir.join("s.sock")).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// A line there, a line back.
    pub fn ask(&self, stream: &UnixStream, line: &str) -> Value {
        let mut writer = stream;
        writer.write_all(format!("{line}\n").as_bytes()).unwrap();
        answer(stream)
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < LIMIT, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The next line of a socket.
pub fn answer(stream: &UnixStream) -> Value {
    let mut line = Vec::new();
    // Not a byte more than the line: the next one is for somebody else to read.
    let mut byte = [0];
    while std::io::Read::read(&mut &*stream, &mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    serde_json::from_slice(&line)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&line)))
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
