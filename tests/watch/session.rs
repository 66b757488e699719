//! A program under `hotslot run --watch`, what it answers, and the events.

use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Deref;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::place::Place;

/// Nothing takes as long as this, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Answers every line that it gets: how many there were, and what `step` makes of that.
pub const MAIN: &str = r#"
#include <stdio.h>
#include "step.h"
int count;
int main(void) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        count++;
        printf("%d %ld\n", count, (long)step(count));
        fflush(stdout);
    }
    return 7;
}
"#;
/// What it includes.
pub const STEP_H: &str = "int step(int);\n#define BY 2\n";
/// What it calls.
pub const STEP: &str = "#include \"step.h\"\nint step(int x) { return x * BY; }\n";
/// The three of them.
pub const FILES: [(&str, &str); 3] = [("main.c", MAIN), ("step.h", STEP_H), ("step.c", STEP)];

/// A program that runs.
pub struct Session {
    pub place: Place,
    child: Child,
    input: Option<ChildStdin>,
    events: Receiver<Value>,
    answers: Receiver<String>,
    said: Receiver<String>,
}

impl Session {
    /// Starts a program of these files, the sources among them each a module.
    pub fn start(files: &[(&str, &str)], options: &[&str]) -> Self {
        let sources: Vec<&str> =
            files.iter().map(|(name, _)| *name).filter(|name| !name.ends_with(".h")).collect();
        Self::of(Place::new(files), &[options, &sources].concat())
    }

    /// The same in a place that is there.
    pub fn of(place: Place, words: &[&str]) -> Self {
        let mut command = place.hotslot(&["run", "--watch", "--events", "-"]);
        // What is freed does not look like what it was: a use of it shows.
        command.env("MALLOC_PERTURB_", "165");
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (event, events) = channel();
        let (answer, answers) = channel();
        let (saying, said) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = match line.starts_with("{\"v\":") {
                    true => event.send(serde_json::from_str(&line).unwrap()).is_ok(),
                    false => answer.send(line).is_ok(),
                };
            }
        });
        let mut err = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            let mut all = String::new();
            let _ = err.read_to_string(&mut all);
            let _ = saying.send(all);
        });
        let input = child.stdin.take();
        let session = Self { place, child, input, events, answers, said };
        session.expect("started");
        session
    }

    /// Writes a file as a simple editor does.
    pub fn save(&self, name: &str, text: &str) {
        std::fs::write(self.place.dir.join(name), text).unwrap();
    }

    /// The next event that is not only about what is going on.
    #[track_caller]
    pub fn next(&self) -> Event {
        loop {
            let event = self.events.recv_timeout(PATIENCE).expect("an event");
            let kind = event["event"].as_str().unwrap();
            if !["compiling", "cancelled", "optimised", "unchanged"].contains(&kind) {
                return Event(event);
            }
        }
    }

    /// The same, and of which kind it has to be.
    #[track_caller]
    pub fn expect(&self, kind: &str) -> Event {
        let event = self.next();
        assert_eq!(event["event"], kind, "{:?}", event.0);
        event
    }

    /// Waits for an event of this kind, whatever comes before it.
    #[track_caller]
    pub fn wait_for(&self, kind: &str) -> Event {
        loop {
            let event = self.events.recv_timeout(PATIENCE).expect("an event");
            if event["event"] == kind {
                return Event(event);
            }
        }
    }

    /// What the program answers now.
    #[track_caller]
    pub fn ask(&mut self) -> String {
        self.send();
        self.answer()
    }

    /// Asks it, whether it answers or not.
    pub fn send(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// What it says next.
    #[track_caller]
    pub fn answer(&self) -> String {
        self.answers.recv_timeout(PATIENCE).expect("an answer")
    }

    /// Has the program end, and returns its exit code and what was on stderr.
    pub fn end(mut self) -> (i32, String) {
        drop(self.input.take());
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, self.said.recv_timeout(PATIENCE).unwrap())
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It has ended, or is to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An event.
#[derive(Debug)]
pub struct Event(pub Value);

impl Deref for Event {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Event {
    /// The names in a list of the module called `module`.
    #[track_caller]
    pub fn of(&self, module: &str, list: &str) -> Vec<String> {
        let modules = self["modules"].as_array().unwrap();
        let found = modules.iter().find(|one| one["module"] == module);
        let module = found.unwrap_or_else(|| panic!("{module}: {self:?}"));
        names(&module[list])
    }

    /// The names of all its modules.
    pub fn modules(&self) -> Vec<String> {
        let modules = self["modules"].as_array().unwrap();
        let mut names: Vec<String> =
            modules.iter().map(|one| one["module"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

/// A list of strings.
pub fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}
