//! Inputs by lines: from a pipe or a file, or from a terminal that cannot do better.
//!
//! Owns how a script is taken apart: a line at a time, and no byte further, because what follows
//! an input is the program's to read.

use std::io::Write;

use super::syntax::{self, Known};
use super::tokens;

/// The lines of stdin.
pub struct Lines {
    /// Somebody types them, and gets a prompt.
    pub prompts: bool,
    /// Read to see whether it belongs to the input before.
    next: Option<String>,
}

impl Lines {
    /// None is read yet.
    pub fn new(prompts: bool) -> Self {
        Self { prompts, next: None }
    }

    /// The next input; nothing at the end.
    pub fn read(&mut self, known: &dyn Known) -> Option<String> {
        let mut input = String::new();
        let mut brackets = Brackets::default();
        loop {
            self.prompt(if input.is_empty() { "hotslot> " } else { "    ...> " });
            let line = self.next.take().map_or_else(line, Some)?;
            let is_end = line.is_empty();
            // Who types an empty line wants to be told what is missing.
            let is_enough = is_end || self.prompts && line.trim().is_empty();
            input.push_str(&line);
            brackets.take(&line);
            if !is_enough && brackets.are_open() {
                continue;
            }
            if is_enough || syntax::is_complete(&input, known) && !self.goes_on(&input, known) {
                return Some(input).filter(|input| !input.is_empty());
            }
        }
    }

    /// Whether the next line begins with the `else` of an `if`. Who types cannot be asked.
    fn goes_on(&mut self, input: &str, known: &dyn Known) -> bool {
        if self.prompts || !tokens::mentions(input, "if") || !syntax::may_go_on(input, known) {
            return false;
        }
        self.next = line();
        let next = self.next.as_deref().unwrap_or_default().trim_start();
        next.strip_prefix("else")
            .is_some_and(|rest| !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric()))
    }

    fn prompt(&self, prompt: &str) {
        if self.prompts {
            let mut stdout = std::io::stdout().lock();
            let _ = stdout.write_all(prompt.as_bytes()).and_then(|()| stdout.flush());
        }
    }
}

/// The brackets of a long input, so that not all of it is looked at with each line.
#[derive(Default)]
struct Brackets {
    lines: usize,
    depth: isize,
    /// A line cannot be understood by itself.
    is_unclear: bool,
}

impl Brackets {
    fn take(&mut self, line: &str) {
        self.lines += 1;
        let tokens = tokens::of(line);
        let count =
            |signs: &[&str]| tokens.iter().filter(|token| signs.contains(&token.text)).count() as isize;
        self.depth += count(&["(", "[", "{"]) - count(&[")", "]", "}"]);
        let is_begun = line.matches("/*").count() != line.matches("*/").count();
        self.is_unclear |= is_begun || line.trim_start().starts_with('#') || line.trim_end().ends_with('\\');
    }

    fn are_open(&self) -> bool {
        self.lines > 32 && self.depth > 0 && !self.is_unclear
    }
}

/// A line of stdin, with its end.
pub fn line() -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\n") {
        match rustix::io::read(rustix::stdio::stdin(), &mut byte) {
            Ok(0) => break,
            Ok(_) => bytes.push(byte[0]),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
