//! A session that reads a script, in a folder of its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A folder.
pub struct Place(pub TempDir);

/// What a session said, and how it ended.
#[derive(Debug)]
pub struct Told {
    pub out: String,
    pub err: String,
    pub code: Option<i32>,
}

impl Place {
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.temporary()).unwrap();
        place
    }

    /// Where sessions have their own files.
    pub fn temporary(&self) -> PathBuf {
        self.0.path().join(".temporary")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs a compiler here, which has to succeed.
    pub fn compile(&self, compiler: &str, arguments: &[&str]) {
        let output = Command::new(compiler).args(arguments).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotslot"));
        command.arg("repl").args(arguments).current_dir(self.0.path()).env("LC_ALL", "C");
        command.env("TMPDIR", self.temporary());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub fn run_with(&self, arguments: &[&str], script: &str) -> Told {
        let mut child = self.start(arguments);
        let mut input = child.stdin.take().unwrap();
        let text = script.to_owned();
        // A session that has ended reads no more.
        let writer = std::thread::spawn(move || _ = input.write_all(text.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Told { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
    }

    pub fn run(&self, script: &str) -> Told {
        self.run_with(&[], script)
    }
}

impl Told {
    /// The lines of stdout, where nothing went wrong.
    #[track_caller]
    pub fn lines(&self) -> Vec<&str> {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out.lines().collect()
    }

    /// The lines of stdout, where something did, and was told so.
    #[track_caller]
    pub fn lines_despite(&self, told: &[&str]) -> Vec<&str> {
        assert_eq!(self.code, Some(1), "{self:?}");
        for text in told {
            assert!(self.err.contains(text), "{text} is not in: {}", self.err);
        }
        self.out.lines().collect()
    }
}
