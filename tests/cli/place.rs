//! A directory to run `hotslot` in, and what came out of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory with source files, gone at the end of the test.
pub struct Place {
    /// Where it is.
    pub dir: PathBuf,
}

impl Place {
    /// A new one with these files in it.
    pub fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            std::fs::write(dir.join(name), text).unwrap();
        }
        Self { dir }
    }

    /// A program to run here, of these lines. Written by another process: one that a test beside
    /// this one is just starting would have the file open for a moment longer, and what is open
    /// for writing cannot be run.
    #[allow(dead_code)] // not every test has some
    pub fn script(&self, name: &str, text: &str) {
        let written = self.dir.join("script");
        std::fs::write(&written, text).unwrap();
        self.tool("install", &["-m", "755", "script", name]);
        std::fs::remove_file(written).unwrap();
    }

    /// `hotslot` with these arguments, run here.
    pub fn hotslot(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotslot"));
        command.args(args).current_dir(&self.dir).stdin(Stdio::null());
        // Tests of the cache say otherwise.
        command.env("HOTSLOT_CACHE_DIR", "none");
        command
    }

    /// `hotslot run` with these arguments to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.hotslot(&["run"]).args(args))
    }

    /// Another program, which must succeed.
    pub fn tool(&self, program: &str, args: &[&str]) {
        let outcome = Outcome::of(Command::new(program).args(args).current_dir(&self.dir));
        assert_eq!(outcome.code(), 0, "{program} {args:?}: {outcome:?}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed lies in cargo's target directory, where it is no harm.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// How a process ended and what it wrote.
#[derive(Debug)]
pub struct Outcome {
    pub output: Output,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("the program starts"))
    }

    /// Its exit code; a signal is a failed test.
    #[track_caller]
    pub fn code(&self) -> i32 {
        match self.output.status.code() {
            Some(code) => code,
            None => panic!("ended by a signal: {self:?}"),
        }
    }

    /// Ran to its end with this on stdout and nothing on stderr.
    #[track_caller]
    pub fn printed(&self, text: &str) {
        assert_eq!((self.stderr.as_str(), self.stdout.as_str()), ("", text), "{:?}", self.output.status);
        assert_eq!(self.code(), 0);
    }

    /// Refused, with each of these lines on stderr and nothing on stdout.
    #[track_caller]
    pub fn refused(&self, lines: &[&str]) {
        assert_eq!(self.code(), 1, "{self:?}");
        assert_eq!(self.stdout, "");
        for line in lines {
            assert!(self.stderr.lines().any(|found| found == *line), "no line `{line}` in:\n{}", self.stderr);
        }
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { stdout: text(&output.stdout), stderr: text(&output.stderr), output }
    }
}

/// The smallest program with something to see.
#[allow(dead_code)] // not every test has use for it
pub const HELLO: &str = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";
