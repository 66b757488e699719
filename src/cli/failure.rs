//! Why a command stopped: one message, perhaps several lines of findings, and a
//! hint that says what to do.
//!
//! It knows how a failure looks on stderr, not where it came from.

use super::names;

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    lines: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// A failure with one message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { lines: vec![message.into()], hint: None }
    }

    /// Several findings of equal rank, as a linker lists them.
    pub fn list(lines: Vec<String>) -> Self {
        Self { lines, hint: None }
    }

    /// Several failures as one, with the first hint among them; `None` when there
    /// are none.
    pub fn all(failures: Vec<Failure>) -> Option<Self> {
        failures.into_iter().reduce(|mut all, next| {
            all.lines.extend(next.lines);
            all.hint = all.hint.or(next.hint);
            all
        })
    }

    /// Adds what the user can do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What was found, a line each.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What the user can do about it.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The text for stderr: each finding and the hint on a line of its own with
    /// the command's name in front.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str("hotslot: ");
            text.push_str(&names::readable(line));
            text.push('\n');
        }
        if let Some(hint) = &self.hint {
            text.push_str("hotslot: hint: ");
            text.push_str(&names::readable(hint));
            text.push('\n');
        }
        text
    }
}

impl From<hotslot::Error> for Failure {
    fn from(error: hotslot::Error) -> Self {
        // A line a problem, and what to do about them once, not with each.
        let mut hints: Vec<&str> = error.problems().filter_map(hotslot::Error::advice).collect();
        hints.dedup();
        let failure = Self::list(error.problems().map(|problem| format!("{problem:#}")).collect());
        match hints.as_slice() {
            [] => failure,
            hints => failure.hint(hints.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_carries_the_prefix() {
        let failure = Failure::list(vec!["one".into(), "two".into()]).hint("do this");
        assert_eq!(failure.render(), "hotslot: one\nhotslot: two\nhotslot: hint: do this\n");
    }
}
