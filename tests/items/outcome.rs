//! One process: run it with a time limit, tell how it ended, compare two of them. It knows
//! nothing of what the process is.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::item::End;

const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The end and the output of one process.
pub struct Outcome {
    pub end: End,
    pub stdout: String,
    pub stderr: String,
    pub command: String,
}

/// Runs a program with `input` as its standard input, in `directory`. Output goes to files named
/// after `name`: a child the program leaves behind cannot hold them open against us.
pub fn run(mut command: Command, directory: &Path, name: &str, input: &str) -> Result<Outcome, String> {
    let shown = format!("{command:?}");
    let base = directory.join(name);
    let [stdin, stdout, stderr] = ["in", "out", "err"].map(|end| base.with_extension(end));
    fs::write(&stdin, input).map_err(|e| e.to_string())?;
    command
        .current_dir(directory)
        .stdin(Stdio::from(File::open(&stdin).map_err(|e| e.to_string())?))
        .stdout(Stdio::from(File::create(&stdout).map_err(|e| e.to_string())?))
        .stderr(Stdio::from(File::create(&stderr).map_err(|e| e.to_string())?));
    let mut child = command.spawn().map_err(|e| format!("cannot run {shown}: {e}"))?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) => break Some(status),
            None if start.elapsed() > TIME_LIMIT => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let (out, err) = (read(&stdout), read(&stderr));
    for path in [stdin, stdout, stderr] {
        let _ = fs::remove_file(path);
    }
    let Some(status) = status else {
        return Err(format!("{shown} did not end in {TIME_LIMIT:?}\nstdout: {out}\nstderr: {err}"));
    };
    let end = match status.code() {
        Some(code) => End::Code(code),
        None => End::Signal(status.signal().unwrap_or(0)),
    };
    Ok(Outcome { end, stdout: out, stderr: err, command: shown })
}

impl Outcome {
    /// All that is known, for a failure's text.
    pub fn tell(&self) -> String {
        let Outcome { end, stdout, stderr, command } = self;
        format!("{end:?}\ncommand: {command}\nstdout: {stdout}\nstderr: {stderr}")
    }
}

/// Whether hotslot's run shows what the native one shows.
pub fn same(native: &Outcome, got: &Outcome) -> Result<(), String> {
    if native.end == got.end && native.stdout == got.stdout {
        return Ok(());
    }
    let differs = native.stdout.lines().zip(got.stdout.lines()).position(|(a, b)| a != b);
    let first = differs.map_or(String::new(), |line| format!(", first in line {}", line + 1));
    Err(format!(
        "differs from the native program{first}\nexpected {:?}\nstdout: {}\ngot {}",
        native.end,
        native.stdout,
        got.tell()
    ))
}

/// A report of an error: an exit code, not a signal; the words on stderr; no output.
pub fn is_error(got: &Outcome, words: &[&str]) -> Result<(), String> {
    let missing: Vec<_> = words.iter().filter(|word| !got.stderr.contains(**word)).collect();
    let code = matches!(got.end, End::Code(code) if code != 0);
    if code && missing.is_empty() && got.stdout.is_empty() {
        return Ok(());
    }
    Err(format!("expected an error with {words:?}, missing {missing:?}\ngot {}", got.tell()))
}
