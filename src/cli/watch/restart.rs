//! Starts the program anew: the same process, the same command line, the code that the files have
//! now.
//!
//! Owns what the first start was like. Code that has not changed comes from the cache.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::cli::{exit, signals};

/// How long the program's output is waited for: a thread may be reading its input, with the lock
/// that writing out takes.
const FLUSH: Duration = Duration::from_millis(200);

struct Start {
    program: Option<PathBuf>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    /// Files that were open. Those that the program has opened are closed.
    open: Vec<i32>,
}

static START: OnceLock<Start> = OnceLock::new();

/// Notes how this process was started. Call before the program can change any of it.
pub fn note() {
    signals::note();
    let _ = START.get_or_init(|| Start {
        program: std::env::current_exe().ok(),
        arguments: std::env::args_os().collect(),
        environment: std::env::vars_os().collect(),
        directory: std::env::current_dir().ok(),
        open: open(),
    });
}

/// Does not return where it succeeds; otherwise says why not.
pub fn restart() -> String {
    let Some(Start { program: Some(program), arguments, environment, directory, open: kept }) = START.get()
    else {
        return "the program cannot be started anew: where hotslot is is not known".to_owned();
    };
    let (sender, flushed) = channel();
    let flush = std::thread::Builder::new().name("hotslot-flush".to_owned());
    let _ = flush.spawn(move || {
        exit::flush_stdio();
        let _ = sender.send(());
    });
    let _ = flushed.recv_timeout(FLUSH);
    for descriptor in open().into_iter().filter(|descriptor| !kept.contains(descriptor)) {
        exit::close_on_exec(descriptor);
    }
    signals::reset();
    let mut command = Command::new(program);
    let mut words = arguments.iter();
    command.arg0(words.next().map_or_else(|| OsString::from("hotslot"), Clone::clone)).args(words);
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    directory.iter().for_each(|directory| _ = command.current_dir(directory));
    format!("the program cannot be started anew: {}", signals::as_noted(|| command.exec()))
}

/// The descriptors that are open, but for the usual three.
fn open() -> Vec<i32> {
    let files = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = files.filter_map(|file| file.file_name().to_str()?.parse().ok());
    numbers.filter(|&number| number > 2).collect()
}
