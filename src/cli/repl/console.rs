//! What a session says, and to whom.
//!
//! Owns the streams: values and what was asked for go to stdout, all else to stderr. Knows whether
//! somebody is there to answer a question.

use std::io::Write;

use super::script;

/// Where a session's words go.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// A person is at it.
    pub interactive: bool,
    /// Whatever is asked is answered by yes.
    pub agreed: bool,
}

impl Console {
    /// What was asked for.
    pub fn answer(&self, text: &str) {
        write(&mut std::io::stdout().lock(), text);
    }

    /// Something that is of interest, but was not asked for.
    pub fn note(&self, text: &str) {
        self.tell("note: ", text);
    }

    /// Why something was not done.
    pub fn error(&self, text: &str) {
        self.tell("error: ", text);
    }

    /// The compiler's or others' words as they are.
    pub fn tell(&self, kind: &str, text: &str) {
        if !text.is_empty() {
            write(&mut std::io::stderr().lock(), &format!("{kind}{text}"));
        }
    }

    /// Whether it is to be done. A script is not asked: it goes on, and has been told.
    pub fn asks(&self, question: &str) -> bool {
        if !self.interactive || self.agreed {
            return true;
        }
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
        script::line().is_some_and(|line| matches!(line.trim(), "y" | "Y" | "yes"))
    }
}

fn write(to: &mut dyn Write, text: &str) {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    // Nobody is left to tell when the stream itself is gone.
    let _ = to.write_all(format!("{text}{end}").as_bytes());
    let _ = to.flush();
}
