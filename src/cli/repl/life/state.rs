//! What a session's process lets its supervisor know: a file of a few numbers that both have.
//!
//! Owns its layout. It is written before and after every input, so that whoever dies in between
//! has said which one it was.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Longer inputs are known by their beginning.
const LONGEST: usize = 4000;

/// The numbers of the file, by position.
#[derive(Clone, Copy)]
enum Field {
    /// How many inputs were begun, and how many came to their end.
    Begun,
    Ended,
    /// The session's exit code plus one, once it wants to end.
    Finished,
    /// Whether all of the journal is in place again.
    Ready,
    /// The length of the input's text, which is behind the numbers.
    Length,
}

const TEXT: u64 = 8 * (Field::Length as u64 + 1);

/// The file, in either process.
pub struct State(File);

impl State {
    /// A new file, nothing begun.
    pub fn new() -> io::Result<Self> {
        let file = tempfile::tempfile()?;
        file.set_len(TEXT)?;
        Ok(Self(file))
    }

    /// The one that another process has made.
    pub fn of(file: File) -> Self {
        Self(file)
    }

    pub fn file(&self) -> &File {
        &self.0
    }

    /// Notes that an input is about to run.
    pub fn begin(&self, input: &str) -> io::Result<()> {
        let text = &input[..input.floor_char_boundary(LONGEST)];
        self.0.write_all_at(text.as_bytes(), TEXT)?;
        self.set(Field::Length, text.len() as u64)?;
        self.set(Field::Begun, self.get(Field::Begun) + 1)
    }

    /// Notes that it is over, in whichever way.
    pub fn end(&self) -> io::Result<()> {
        self.set(Field::Ended, self.get(Field::Begun))
    }

    /// Notes that the session is about to end the process.
    pub fn finish(&self, code: u8) -> io::Result<()> {
        self.set(Field::Finished, u64::from(code) + 1)
    }

    /// Notes that the definitions of an earlier process are back.
    pub fn ready(&self) -> io::Result<()> {
        self.set(Field::Ready, 1)
    }

    /// Makes it that of a new process, which has not begun anything.
    pub fn renew(&self) -> io::Result<()> {
        self.set(Field::Ended, self.get(Field::Begun))?;
        self.set(Field::Finished, 0)?;
        self.set(Field::Ready, 0)
    }

    pub fn finished(&self) -> Option<u8> {
        self.get(Field::Finished).checked_sub(1).map(|code| code as u8)
    }

    pub fn is_ready(&self) -> bool {
        self.get(Field::Ready) != 0
    }

    /// How many inputs were begun so far.
    pub fn count(&self) -> u64 {
        self.get(Field::Begun)
    }

    /// The input that was begun and has not ended.
    pub fn running(&self) -> Option<String> {
        if self.get(Field::Begun) == self.get(Field::Ended) {
            return None;
        }
        let mut text = vec![0; LONGEST.min(self.get(Field::Length) as usize)];
        self.0.read_exact_at(&mut text, TEXT).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// The process may have damaged the file, too: then there is nothing.
    fn get(&self, field: Field) -> u64 {
        let mut bytes = [0; 8];
        match self.0.read_exact_at(&mut bytes, 8 * field as u64) {
            Ok(()) => u64::from_ne_bytes(bytes),
            Err(_) => 0,
        }
    }

    fn set(&self, field: Field, value: u64) -> io::Result<()> {
        self.0.write_all_at(&value.to_ne_bytes(), 8 * field as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_did_not_end_is_known() {
        let state = State::new().unwrap();
        assert_eq!((state.running(), state.finished(), state.is_ready()), (None, None, false));
        state.begin("int a_rather_long_one;").unwrap();
        state.end().unwrap();
        assert_eq!(state.running(), None);
        state.begin("f()").unwrap();
        let other = State::of(state.file().try_clone().unwrap());
        assert_eq!(other.running().as_deref(), Some("f()"));
        other.renew().unwrap();
        assert_eq!((state.running(), state.count()), (None, 2));
        let long = "é".repeat(LONGEST);
        state.begin(&long).unwrap();
        assert_eq!(other.running().unwrap().len(), LONGEST);
        state.finish(0).unwrap();
        assert_eq!(other.finished(), Some(0));
    }
}
