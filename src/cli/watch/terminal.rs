//! Writes lines for the user while the program writes to the same place.
//!
//! Owns that they are never mixed: what belongs together is one write, and on a terminal it
//! begins on a line of its own even when the program has left one unfinished. What is written is
//! not its business.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;

use super::events::{Log, What};
use super::story::{self, Paint};
use crate::cli::descriptors::out_of_the_way;

/// Tells everybody who wants to know.
pub struct Teller {
    /// Our own stderr: the program may close its own, or send it elsewhere.
    to: Option<File>,
    terminal: bool,
    log: Log,
}

impl Teller {
    /// To stderr as it is now, and to `log`.
    pub fn new(log: Log) -> Self {
        let to = out_of_the_way(std::io::stderr()).ok();
        Self { to: to.map(|own: OwnedFd| own.into()), terminal: std::io::stderr().is_terminal(), log }
    }

    /// Tells of an event. What the compiler has said comes first, as it is; the lines that the
    /// user reads come back without colours.
    pub fn tell(&mut self, what: &What, said: &[u8]) -> (String, serde_json::Value) {
        let text = story::tell(what, Paint(self.terminal));
        self.write(&[said, text.as_bytes()].concat());
        let line = self.log.write(what);
        (story::tell(what, Paint(false)), serde_json::to_value(line).unwrap_or_default())
    }

    fn write(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let Some(to) = &mut self.to else { return };
        let start = if self.terminal { fresh_line(to) } else { missing_end(to) };
        // A closed stderr must not stop anything.
        let _ = to.write_all(&[&start, bytes].concat());
    }
}

/// Brings a terminal's cursor to the start of a line that is empty: as many spaces as a line has
/// columns, less one, stay on a line that is empty and end on the next one otherwise.
fn fresh_line(to: &File) -> Vec<u8> {
    let columns = rustix::termios::tcgetwinsize(to).map_or(80, |size| usize::from(size.ws_col)).max(2);
    let mut bytes = vec![b' '; columns - 1];
    // What the spaces are on in the end is cleared.
    bytes.extend(b" \r\x1b[K");
    bytes
}

/// The end of a line that the program has begun in a file.
fn missing_end(to: &File) -> Vec<u8> {
    let unfinished = || {
        let data = to.metadata().ok().filter(|data| data.is_file() && data.len() > 0)?;
        // It may be open for writing only.
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(to));
        let mut file = File::open(path).ok()?;
        file.seek(SeekFrom::Start(data.len() - 1)).ok()?;
        let mut last = [0];
        file.read_exact(&mut last).ok()?;
        Some(last != *b"\n")
    };
    if unfinished() == Some(true) { b"\n".to_vec() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_the_program_began_is_ended_first() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let mut file = File::options().append(true).open(&path).unwrap();
        assert_eq!(missing_end(&file), b"");
        file.write_all(b"half").unwrap();
        assert_eq!(missing_end(&file), b"\n");
        file.write_all(b" and whole\n").unwrap();
        assert_eq!(missing_end(&file), b"");
    }
}
