//! Lua under `hotslot run --watch`: an edit is saved, and what comes of it is timed.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::edits::Edit;
use crate::program::{Heard, Program, What};
use crate::tree::{self, Tree};

/// The command.
pub const BINARY: &str = env!("CARGO_BIN_EXE_hotslot");

/// After each edit, as between two saves by a person.
const PAUSE: Duration = Duration::from_millis(1500);

/// A running session.
pub struct Watched {
    program: Program,
    /// Holds the pipe and the cache for as long as the program runs.
    _directory: tempfile::TempDir,
}

/// What an edit took, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// From the save to the event.
    pub live: f64,
    /// From the save to the program's first answer by new code.
    pub answer: f64,
    /// As the event has it.
    pub front_end: f64,
    pub code: f64,
    pub link: f64,
    pub publish: f64,
}

impl Watched {
    /// Starts the program of a tree.
    pub fn lua(tree: &Tree, options: &[&str]) -> Self {
        let flags = tree::FLAGS.join(" ");
        let mut all = vec!["-O2", "--cflags", &flags];
        all.extend(tree::LIBRARIES.iter().flat_map(|library| ["-l", library]));
        all.extend(options);
        Self::start(&all, &tree.units())
    }

    /// Starts a program of these files, and waits until it is watched.
    pub fn start(options: &[&str], files: &[impl AsRef<Path>]) -> Self {
        Self::spawn(options, files, errors())
    }

    /// The same, for who reads what is said on stderr.
    pub fn start_with_errors(options: &[&str], files: &[impl AsRef<Path>]) -> Self {
        Self::spawn(options, files, Stdio::piped())
    }

    fn spawn(options: &[&str], files: &[impl AsRef<Path>], errors: Stdio) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let pipe = directory.path().join("events");
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo failed");
        // Both ways, so that neither side waits for the other to open it.
        let events = OpenOptions::new().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(&pipe);
        let mut command = Command::new(BINARY);
        command.args(["run", "--watch", "--events"]).arg(&pipe);
        command.arg("--cache").arg(directory.path().join("cache")).args(options);
        command.args(files.iter().map(AsRef::as_ref)).stderr(errors);
        let program = Program::start(&mut command);
        program.hear_events(events.expect("it was just made"));
        let watched = Self { program, _directory: directory };
        watched.event("started");
        watched
    }

    /// The next thing heard.
    pub fn next(&self) -> Heard {
        self.program.next()
    }

    /// The program itself.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// Waits for an event by name. Others that end an edit's story otherwise are a failure.
    pub fn event(&self, name: &str) -> (Instant, Value) {
        loop {
            let Heard { at, what } = self.program.next();
            if let What::Event(event) = what {
                if event["event"] == name {
                    return (at, event);
                }
                fail_unless_expected(&event);
            }
        }
    }

    /// Saves the next version of a file, and times it until the new code has answered. Returns
    /// when the optimised code is live as well and after the pause in which hotslot prepares for
    /// the next edit, so that nothing goes on behind what is measured next.
    pub fn edit(&mut self, tree: &Tree, edit: &Edit, original: &str) -> Took {
        let (text, number) = tree.next(edit, original);
        self.program.ask(edit.index, edit.script);
        // What the program answers to the new script is the old version's.
        while self.program.within(Duration::from_millis(30)).is_some() {}
        let aside = tree.write_aside(&text);
        let begun = Instant::now();
        aside.replace(edit.file);
        let (mut took, mut live, mut answered, mut optimised) = (Took::default(), false, false, false);
        while !(live && answered && optimised) {
            let Heard { at, what } = self.program.next();
            let after = (at - begun).as_secs_f64() * 1e3;
            match what {
                What::Answer(answer) if answer == number && !answered => {
                    (took.answer, answered) = (after, true);
                }
                What::Event(event) if event["event"] == "live" => {
                    (took.live, live) = (after, true);
                    let part = |name: &str| event["times"][name].as_f64().unwrap_or(f64::NAN);
                    took.front_end = part("front_end_ms");
                    (took.code, took.link) = (part("code_ms"), part("link_ms"));
                    took.publish = part("publish_ms");
                }
                What::Event(event) if event["event"] == "optimised" => optimised = live,
                What::Event(event) => fail_unless_expected(&event),
                What::Answer(_) | What::Text(_) => {}
            }
        }
        std::thread::sleep(PAUSE);
        took
    }
}

fn fail_unless_expected(event: &Value) {
    let name = event["event"].as_str().unwrap_or_default();
    let bad = ["compile-error", "refused", "link-error", "failed", "no-effect", "restart", "crash"];
    assert!(!bad.contains(&name), "the edit did not go live: {event:#}");
}

/// The session's own story, for those who look for where an edit went.
fn errors() -> Stdio {
    match std::env::var_os("HOTSLOT_BENCH_STORY") {
        Some(_) => Stdio::inherit(),
        None => Stdio::null(),
    }
}
