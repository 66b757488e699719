//! One session of one tool: inputs into its pipe, everything it prints, and its end.
//!
//! Owns the process and its files. Does not know what the inputs are good for.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cases::{Case, ENDLESS};

/// How long a session may take; the loop and a tool that hangs end with it.
const LIMIT: Duration = Duration::from_secs(60);
/// How long the endless loop runs before Ctrl-C.
const LOOP: Duration = Duration::from_secs(2);

/// Who is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Hotslot,
    ClangReplC,
    ClangReplCxx,
}

impl Tool {
    fn command(self, here: &Path) -> Command {
        let mut command;
        match self {
            Self::Hotslot => {
                command = Command::new(env!("CARGO_BIN_EXE_hotslot"));
                command.args(["repl", "--interactive", "--yes"]);
            }
            Self::ClangReplC | Self::ClangReplCxx => {
                command = Command::new("clang-repl-19");
                if self == Self::ClangReplC {
                    command.args(["-Xcc", "-xc"]);
                }
            }
        }
        command.current_dir(here).process_group(0);
        command
    }

    /// What this tool calls what stands in a case with an `@`.
    fn spelled(self, input: &str, here: &Path) -> String {
        let words: Vec<&str> = input.split_whitespace().collect();
        let path = |name: &str| here.join(name).display().to_string();
        match (self, &words[..]) {
            (Self::Hotslot, ["@undo", count @ ..]) => format!(":undo {}", count.concat()),
            (_, ["@undo"]) => "%undo".to_owned(),
            (_, ["@undo", count]) => vec!["%undo"; count.parse().unwrap_or(1)].join("\n"),
            (Self::Hotslot, ["@load", "edited"]) => format!(":load {}", path("edited.c")),
            (Self::Hotslot, ["@load", "thrower"]) => format!(":load {}", path("thrower.o")),
            (Self::Hotslot, ["@load", name]) => format!(":load {}", path(&format!("lib{name}.so"))),
            (_, ["@load", "edited"]) => format!("#include \"{}\"", path("edited.c")),
            (_, ["@load", name]) => format!("%lib {}", path(&format!("lib{name}.so"))),
            _ => input.to_owned(),
        }
    }

    fn last(self) -> &'static str {
        if self == Self::Hotslot { ":quit" } else { "%quit" }
    }
}

/// Whether `tool` did what `case` asks, and all that it printed.
pub fn run(tool: Tool, case: &Case) -> (bool, String) {
    let here = tempfile::tempdir().expect("a directory");
    files(here.path());
    let mut session = Session::start(tool.command(here.path()));
    session.send("#include <stdio.h>\n#include <stdlib.h>");
    session.send("setvbuf(stdout, 0, _IONBF, 0);");
    for input in case.inputs {
        match *input {
            "@edit" => {
                session.reach();
                std::fs::write(here.path().join("edited.c"), "int edited(void) { return 2; }\n")
                    .expect("writable");
            }
            ENDLESS => {
                session.reach();
                session.send(input);
                std::thread::sleep(LOOP);
                session.interrupt();
            }
            _ => session.send(&tool.spelled(input, here.path())),
        }
    }
    session.send(tool.last());
    let output = session.end();
    let mut rest = output.as_str();
    let seen = case.expect.iter().all(|expected| match rest.find(expected) {
        Some(at) => {
            rest = &rest[at + expected.len()..];
            true
        }
        None => false,
    });
    (seen, output)
}

/// What some cases load.
fn files(here: &Path) {
    let write = |name: &str, text: &str| std::fs::write(here.join(name), text).expect("writable");
    write("edited.c", "int edited(void) { return 1; }\n");
    write("library.c", "int library(int x) { return x + 100; }\n");
    write("thrower.cc", "extern \"C\" void thrower(int x) { throw x; }\n");
    let compile = |compiler: &str, arguments: &[&str]| {
        let status = Command::new(compiler).args(arguments).current_dir(here).status();
        assert!(status.is_ok_and(|status| status.success()), "{compiler} {arguments:?}");
    };
    compile("clang-19", &["-shared", "-fPIC", "library.c", "-o", "liblibrary.so"]);
    compile("clang++-19", &["-c", "thrower.cc", "-o", "thrower.o"]);
    compile("clang++-19", &["-shared", "-fPIC", "thrower.cc", "-o", "libthrower.so"]);
}

struct Session {
    process: Child,
    printed: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
    marks: usize,
    due: Instant,
}

impl Session {
    fn start(mut command: Command) -> Self {
        let (mut ours, theirs) = std::io::pipe().expect("a pipe");
        command.stdin(Stdio::piped()).stdout(theirs.try_clone().expect("a descriptor")).stderr(theirs);
        let process = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        drop(command);
        let printed = Arc::<Mutex<String>>::default();
        let into = printed.clone();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = ours.read(&mut buffer) {
                into.lock().expect("no panic").push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self { process, printed, reader, marks: 0, due: Instant::now() + LIMIT }
    }

    /// A tool that has died is not an error here: what it printed says so.
    fn send(&mut self, text: &str) {
        if let Some(pipe) = &mut self.process.stdin {
            let _ = pipe.write_all(text.as_bytes()).and_then(|()| pipe.write_all(b"\n"));
        }
    }

    /// Waits until all inputs so far have run, or the tool has ended.
    fn reach(&mut self) {
        self.marks += 1;
        self.send(&format!(r#"printf("%s%d\n", "mark-", {});"#, self.marks));
        let mark = format!("mark-{}", self.marks);
        while !self.printed.lock().expect("no panic").contains(&mark) && Instant::now() < self.due {
            if matches!(self.process.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// As the terminal does for Ctrl-C.
    fn interrupt(&self) {
        self.signal(libc::SIGINT);
    }

    fn signal(&self, signal: i32) {
        // SAFETY: its process group is its own, and it is not waited for yet.
        unsafe { libc::kill(-(self.process.id() as i32), signal) };
    }

    fn end(mut self) -> String {
        drop(self.process.stdin.take());
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > self.due {
                self.signal(libc::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // What it may have left behind has the pipe, too.
        self.signal(libc::SIGKILL);
        let _ = self.reader.join();
        let printed = self.printed.lock().expect("no panic");
        printed.clone()
    }
}
