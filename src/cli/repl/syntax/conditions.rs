//! Lines of directives among the tokens.
//!
//! Owns how long such a line is, and which branch of an `#if` is read: the first, unless its
//! condition is a plain `0`.

use super::lexer::{Apart, Lexer, Open};

pub(super) struct Condition {
    /// Its place in `between`; none where it is not read itself.
    index: Option<u32>,
    /// Its condition is a plain number, and so far no other has followed.
    decided: bool,
    /// A branch of it has been read.
    taken: bool,
    /// The branch we are in is not read.
    skips: bool,
    pub(super) start: usize,
}

impl Lexer<'_> {
    /// A directive: its logical line, with block comments in it over several.
    pub(super) fn directive(&mut self) {
        let start = self.at;
        self.first = false;
        let mut quote = 0;
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' => break,
                b'\\' => {
                    let rest = &self.bytes[self.at + 1..];
                    let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
                    match rest.get(blank) {
                        Some(b'\n') => self.at += blank + 2,
                        None => {
                            self.at = self.bytes.len();
                            self.out.open = Some((Open::Line, start));
                            break;
                        }
                        Some(_) => self.at = (self.at + 2).min(self.bytes.len()),
                    }
                    if self.at == self.bytes.len() {
                        self.out.open = Some((Open::Line, start));
                    }
                    continue;
                }
                b'"' | b'\'' if quote == 0 => quote = byte,
                b'"' | b'\'' if quote == byte => quote = 0,
                b'/' if quote == 0 && self.peek(1) == b'/' => {
                    self.at = self.line_end(self.at);
                    continue;
                }
                b'/' if quote == 0 && self.peek(1) == b'*' => {
                    match memchr::memmem::find(&self.bytes[self.at + 2..], b"*/") {
                        Some(length) => self.at += length + 4,
                        None => {
                            self.out.open = Some((Open::Comment, self.at));
                            self.at = self.bytes.len();
                        }
                    }
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        self.directed = true;
        let line = &self.text[start..self.at];
        let (name, rest) = super::directives::split(line);
        match name {
            "if" => self.condition(start, plain(rest)),
            "ifdef" | "ifndef" => self.condition(start, None),
            "else" | "elif" | "elifdef" | "elifndef" => self.branch(start, name),
            "endif" => self.end_condition(start),
            _ => {
                if self.skips == 0 {
                    self.between(Apart::Directive, start);
                }
            }
        }
    }

    fn condition(&mut self, start: usize, plain: Option<bool>) {
        let index = (self.skips == 0).then_some(self.out.between.len() as u32);
        if index.is_some() {
            self.between(Apart::If(None), start);
        }
        let skips = plain == Some(false);
        self.conditions.push(Condition { index, decided: plain.is_some(), taken: !skips, skips, start });
        self.skips += usize::from(skips);
    }

    fn branch(&mut self, start: usize, name: &str) {
        let Some(last) = self.conditions.last_mut() else {
            return self.wrong(start, format!("#{name} without an #if before it"));
        };
        self.skips -= usize::from(last.skips);
        last.decided &= name == "else";
        last.skips = last.taken;
        last.taken = true;
        let read = last.index.is_some();
        self.skips += usize::from(last.skips);
        if read {
            self.between(Apart::Branch, start);
        }
    }

    fn end_condition(&mut self, start: usize) {
        let Some(condition) = self.conditions.pop() else {
            return self.wrong(start, "#endif without an #if before it");
        };
        self.skips -= usize::from(condition.skips);
        let Some(index) = condition.index else { return };
        let end = self.out.between.len() as u32;
        self.between(Apart::Branch, start);
        self.out.between[index as usize].what =
            if condition.decided { Apart::Branch } else { Apart::If(Some(end)) };
    }
}

/// The value of a condition that is a plain number.
fn plain(condition: &str) -> Option<bool> {
    match super::directives::words(condition).next() {
        Some("0") if super::directives::words(condition).nth(1).is_none() => Some(false),
        Some("1") if super::directives::words(condition).nth(1).is_none() => Some(true),
        _ => None,
    }
}
