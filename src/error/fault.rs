//! What is told of a fault or an interrupt of generated code.
//!
//! Owns the description and its words. It deliberately knows nothing of how faults are caught.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// How many functions of a recursion that call each other are told as one, and how often they have
/// to be there.
const LONGEST_TURN: usize = 8;
const LEAST_TURNS: usize = 3;

/// Where generated code was when it was ended, and why that was.
///
/// Part of an [`Error`](super::Error) of kind [`Fault`](super::ErrorKind::Fault),
/// [`Interrupted`](super::ErrorKind::Interrupted), [`Aborted`](super::ErrorKind::Aborted) or
/// [`GivenUp`](super::ErrorKind::GivenUp), see [`Error::fault`](super::Error::fault).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Fault {
    /// The signal's number; 0 where there was none: for a call that was interrupted, an `exit`.
    pub signal: i32,
    /// The address that could not be read, written or called, where the signal is about one.
    pub address: Option<u64>,
    /// The stack had no room for another frame.
    pub stack_overflow: bool,
    /// The innermost frames, this first. The first that is of generated code is where the
    /// fault is told to be.
    pub frames: Vec<Frame>,
    /// There are more frames than those.
    pub more_frames: bool,
    /// Generated code had called the C library's allocator, and was met in that: the heap is damaged, most
    /// likely, and what is done next may fail for that reason.
    pub in_allocator: bool,
    /// The last update changed the function at fault, so long ago.
    pub changed_before: Option<Duration>,
}

/// A function that was being run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Frame {
    /// Where its code was: of a caller, the end of its call.
    pub address: u64,
    /// Its name, as far as it has one.
    pub function: Option<String>,
    /// How many bytes behind its start that is.
    pub offset: u64,
    /// Of generated code: its module and the number of the generation.
    pub module: Option<(String, u64)>,
    /// Of generated code with line tables: the source file and the line, 0 if that has none.
    pub line: Option<(String, u32)>,
    /// Of other code: the file that it was loaded from.
    pub library: Option<String>,
}

impl Fault {
    /// The frame at fault: the innermost of generated code.
    pub fn culprit(&self) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.module.is_some()).or(self.frames.first())
    }

    /// The signal's name, as in `SIGSEGV`.
    pub fn signal_name(&self) -> &'static str {
        match self.signal {
            libc::SIGSEGV => "SIGSEGV",
            libc::SIGBUS => "SIGBUS",
            libc::SIGFPE => "SIGFPE",
            libc::SIGILL => "SIGILL",
            libc::SIGTRAP => "SIGTRAP",
            libc::SIGABRT => "SIGABRT",
            _ => "a signal",
        }
    }

    /// The frames, one a line; those that are there again and again, of a recursion, once.
    pub fn backtrace(&self) -> String {
        let mut text = String::new();
        let frames: Vec<String> = self.frames.iter().map(Frame::to_string).collect();
        let mut number = 0;
        while number < frames.len() {
            let (length, turns) = turns(&frames[number..]);
            for (place, frame) in frames[number..number + length].iter().enumerate() {
                let _ = writeln!(text, "  #{:<2} {frame}", number + place);
            }
            number += length * turns;
            let and_more = if self.more_frames && number == frames.len() { " at least" } else { "" };
            let what = if length == 1 { "this".to_owned() } else { format!("these {length},") };
            if turns > 1 {
                let _ = writeln!(text, "      ... {what} {} more times{and_more}", turns - 1);
            }
        }
        if self.more_frames {
            text.push_str("  ... and more\n");
        }
        text
    }
}

/// How many of the first frames there are again and again, and how often; 1 and 1 where they are not.
fn turns(frames: &[String]) -> (usize, usize) {
    let of = |length: usize| {
        let (first, rest) = frames.split_at(length);
        1 + rest.chunks_exact(length).take_while(|next| *next == first).count()
    };
    let lengths = 1..=LONGEST_TURN.min(frames.len());
    let found = lengths.map(|length| (length, of(length))).find(|&(_, turns)| turns >= LEAST_TURNS);
    found.unwrap_or((1, 1))
}

impl fmt::Display for Frame {
    /// As in `area in shape v7 at shape.c:12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(name) => f.write_str(name)?,
            None => write!(f, "{:#x}", self.address)?,
        }
        if self.function.is_some() && self.line.is_none() {
            write!(f, "+{:#x}", self.offset)?;
        }
        if let Some((module, generation)) = &self.module {
            write!(f, " in {module} v{generation}")?;
        }
        if let Some((file, line)) = &self.line {
            write!(f, " at {file}:{line}")?;
        }
        if let Some(library) = &self.library {
            write!(f, " ({library})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_named_as_far_as_they_are_known() {
        let bare = Frame { address: 0x10, ..Frame::default() };
        assert_eq!(bare.to_string(), "0x10");
        let module = Some(("m.c".to_owned(), 3));
        let named = Frame { function: Some("f".to_owned()), offset: 4, module, ..bare };
        assert_eq!(named.to_string(), "f+0x4 in m.c v3");
        let lined = Frame { line: Some(("src/m.c".to_owned(), 7)), ..named };
        assert_eq!(lined.to_string(), "f in m.c v3 at src/m.c:7");
        let fault = Fault { signal: 11, frames: vec![Frame::default(), lined], ..Fault::default() };
        assert_eq!(fault.culprit().unwrap().function.as_deref(), Some("f"));
        assert_eq!(fault.backtrace().lines().count(), 2);
    }

    #[test]
    fn a_recursion_is_told_once() {
        let frame = |name: &str| Frame { function: Some(name.to_owned()), ..Frame::default() };
        let told = |names: &str, more_frames| {
            let frames = names.split(' ').map(frame).collect();
            Fault { frames, more_frames, ..Fault::default() }.backtrace().replace("+0x0", "")
        };
        assert_eq!(told("a a b", false), "  #0  a\n  #1  a\n  #2  b\n");
        assert_eq!(told("a b b b b c", false), "  #0  a\n  #1  b\n      ... this 3 more times\n  #5  c\n");
        assert_eq!(
            told("x a b a b a b a", true),
            "  #0  x\n  #1  a\n  #2  b\n      ... these 2, 2 more times\n  #7  a\n  ... and more\n"
        );
        let all = ["a"; 64].join(" ");
        assert_eq!(told(&all, true), "  #0  a\n      ... this 63 more times at least\n  ... and more\n");
    }
}
