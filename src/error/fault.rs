//! What is told of a fault or an interrupt of generated code.
//!
//! Owns the description and its words. It deliberately knows nothing of how faults are caught.

use std::fmt;
use std::time::Duration;

/// Where generated code was when it was ended, and why that was.
///
/// Part of an [`Error`](super::Error) of kind [`Fault`](super::ErrorKind::Fault) or
/// [`Interrupted`](super::ErrorKind::Interrupted), see [`Error::fault`](super::Error::fault).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Fault {
    /// The signal's number; 0 for a call that was interrupted.
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
            _ => "a signal",
        }
    }

    /// The frames, one a line.
    pub fn backtrace(&self) -> String {
        let mut text = String::new();
        for (number, frame) in self.frames.iter().enumerate() {
            let _ = fmt::Write::write_fmt(&mut text, format_args!("  #{number:<2} {frame}\n"));
        }
        if self.more_frames {
            text.push_str("  ... and more\n");
        }
        text
    }
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
}
