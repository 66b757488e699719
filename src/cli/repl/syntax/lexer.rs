//! Text to tokens.
//!
//! Owns what is a token, a comment, a directive, a command; which brackets belong together; and
//! which branch of an `#if` is read is `conditions.rs`'s. Of the other branches only the names
//! are kept. It reads any bytes in one pass and fails on none:
//! what is wrong is noted, and what is not yet closed is said. What the tokens mean it does not
//! know.

use super::conditions::Condition;
use super::words::{Word, word};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word(Word),
    Number,
    Text,
    Char,
    /// A bracket or a separator by itself, `=`, `*`, `&`, `?`, `:`, `.`; or one of the letters
    /// below for operators of more characters.
    Sign(u8),
    /// `:load x`, a line by itself outside of all brackets.
    Command,
    /// After the last.
    End,
}

/// `->`
pub(super) const ARROW: u8 = b'>';
/// `...`
pub(super) const DOTS: u8 = b'd';
/// `++` and `--`
pub(super) const STEP: u8 = b'i';
/// `!` and `~`, which only stand before an operand.
pub(super) const NOT: u8 = b'!';
/// `+` and `-`, which also stand before an operand.
pub(super) const ADD: u8 = b'+';
/// `&&`: also the address of a label in GNU C.
pub(super) const AND: u8 = b'a';
/// Every other operator between two operands.
pub(super) const BETWEEN: u8 = b'o';
/// A byte that C has no use for.
pub(super) const STRAY: u8 = b'@';

#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
    /// It is the first on its line.
    pub first: bool,
    /// A directive stands between the token before and it.
    pub directed: bool,
}

/// What stands between tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Apart {
    Comment,
    Directive,
    /// `#if` and its like, with the place of its `#endif` in the list, or `None` while it is open.
    If(Option<u32>),
    /// An `#else`, `#elif`, `#endif`; or an `#if` that is decided: `#if 0`, `#if 1`.
    Branch,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Between {
    pub what: Apart,
    pub start: u32,
    pub end: u32,
    /// The token that follows.
    pub before: u32,
}

/// What keeps the text from ending where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    Comment,
    Line,
    Condition,
    Bracket,
}

/// What cannot become right by more text.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub at: usize,
    pub message: String,
}

#[derive(Debug)]
pub(super) struct Lexed<'t> {
    pub text: &'t str,
    pub tokens: Vec<Token>,
    /// For a bracket the token of its partner, else `u32::MAX`.
    pub pair: Vec<u32>,
    pub between: Vec<Between>,
    /// Names in branches that are not read.
    pub skipped: Vec<(u32, u32)>,
    pub wrong: Option<Wrong>,
    pub open: Option<(Open, usize)>,
}

pub(super) struct Lexer<'t> {
    pub(super) text: &'t str,
    pub(super) bytes: &'t [u8],
    pub(super) at: usize,
    pub(super) first: bool,
    pub(super) directed: bool,
    /// `?` without its `:` outside of brackets.
    questions: usize,
    brackets: Vec<u32>,
    pub(super) conditions: Vec<Condition>,
    pub(super) skips: usize,
    pub(super) out: Lexed<'t>,
}

/// The tokens of `text`. Text beyond 4 GiB is not read.
pub(super) fn lex(text: &str) -> Lexed<'_> {
    let cut = text.len().min(u32::MAX as usize - 1);
    let text = text.get(..cut).unwrap_or("");
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        first: true,
        directed: false,
        questions: 0,
        brackets: Vec::new(),
        conditions: Vec::new(),
        skips: 0,
        out: Lexed {
            text,
            tokens: Vec::with_capacity(text.len() / 4),
            pair: Vec::with_capacity(text.len() / 4),
            between: Vec::new(),
            skipped: Vec::new(),
            wrong: None,
            open: None,
        },
    };
    lexer.run();
    lexer.finish()
}

fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$' | 0x80..)
}

fn in_name(byte: u8) -> bool {
    begins_name(byte) || byte.is_ascii_digit()
}

impl<'t> Lexer<'t> {
    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' => {
                    self.first = true;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'\\' => self.backslash(),
                b'/' if matches!(self.peek(1), b'/' | b'*') => self.comment(),
                b'#' if self.first => self.directive(),
                b':' if self.first && self.commands() => self.command(),
                b'"' => self.quoted(self.at, b'"'),
                b'\'' => self.quoted(self.at, b'\''),
                b'0'..=b'9' => self.number(),
                b'.' if self.peek(1).is_ascii_digit() => self.number(),
                _ if begins_name(byte) => self.name(),
                _ => self.sign(byte),
            }
        }
    }

    fn finish(mut self) -> Lexed<'t> {
        if self.out.open.is_none() {
            if let Some(condition) = self.conditions.first() {
                self.out.open = Some((Open::Condition, condition.start));
            } else if let Some(&last) = self.brackets.last() {
                self.out.open = Some((Open::Bracket, self.out.tokens[last as usize].start as usize));
            }
        }
        self.out
    }

    pub(super) fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    pub(super) fn wrong(&mut self, at: usize, message: impl Into<String>) {
        if self.skips == 0 && self.out.wrong.is_none() {
            self.out.wrong = Some(Wrong { at, message: message.into() });
        }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let first = std::mem::take(&mut self.first);
        if self.skips > 0 {
            if kind == Kind::Word(Word::Name) {
                self.out.skipped.push((start as u32, self.at as u32));
            }
            return;
        }
        let directed = std::mem::take(&mut self.directed);
        self.out.tokens.push(Token { kind, start: start as u32, end: self.at as u32, first, directed });
        self.out.pair.push(u32::MAX);
    }

    pub(super) fn between(&mut self, what: Apart, start: usize) {
        let before = self.out.tokens.len() as u32;
        self.out.between.push(Between { what, start: start as u32, end: self.at as u32, before });
    }

    /// A line that goes on.
    fn backslash(&mut self) {
        let rest = &self.bytes[self.at + 1..];
        let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        match rest.get(blank) {
            Some(b'\n') => self.at += blank + 2,
            None => {
                self.out.open = Some((Open::Line, self.at));
                self.at = self.bytes.len();
            }
            Some(_) => self.sign(b'\\'),
        }
        if self.at == self.bytes.len() && self.out.open.is_none() && self.bytes.last() == Some(&b'\n') {
            self.out.open = Some((Open::Line, self.at - 1));
        }
    }

    fn comment(&mut self) {
        let start = self.at;
        if self.peek(1) == b'/' {
            self.at = self.line_end(start);
        } else {
            match memchr::memmem::find(&self.bytes[start + 2..], b"*/") {
                Some(length) => self.at = start + 2 + length + 2,
                None => {
                    self.at = self.bytes.len();
                    self.out.open = Some((Open::Comment, start));
                }
            }
        }
        if self.skips == 0 {
            self.between(Apart::Comment, start);
        }
    }

    /// The end of the line from `from` on, backslashes at line ends honoured.
    pub(super) fn line_end(&mut self, from: usize) -> usize {
        let mut at = from;
        loop {
            let Some(length) = memchr::memchr(b'\n', &self.bytes[at..]) else {
                let end = self.bytes.len();
                if self.bytes[from..].trim_ascii_end().ends_with(b"\\") {
                    self.out.open = Some((Open::Line, end - 1));
                }
                return end;
            };
            let line = &self.bytes[at..at + length];
            if !line.trim_ascii_end().ends_with(b"\\") {
                return at + length;
            }
            at += length + 1;
            if at >= self.bytes.len() {
                self.out.open = Some((Open::Line, at - 1));
                return self.bytes.len();
            }
        }
    }

    /// Whether a `:` at the start of a line begins a command.
    fn commands(&self) -> bool {
        self.brackets.is_empty()
            && self.questions == 0
            && self.skips == 0
            && (self.peek(1).is_ascii_alphabetic() || matches!(self.peek(1), b'?' | b'!'))
    }

    fn command(&mut self) {
        let start = self.at;
        let rest = &self.bytes[start..];
        let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        self.at = start + line.trim_ascii_end().len();
        self.push(Kind::Command, start);
    }

    /// A string or character constant that starts at `start`, its quote being at `self.at`.
    fn quoted(&mut self, start: usize, quote: u8) {
        let kind = if quote == b'"' { Kind::Text } else { Kind::Char };
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                Some(b'\\') => {
                    self.at += 2;
                    if self.peek(0) == b'\n' && self.bytes.get(self.at - 1) == Some(&b'\r') {
                        self.at += 1;
                    }
                    if self.at >= self.bytes.len() {
                        self.at = self.bytes.len();
                        if self.skips == 0 && self.out.open.is_none() {
                            self.out.open = Some((Open::Line, start));
                        }
                        break;
                    }
                    while !self.text.is_char_boundary(self.at) {
                        self.at += 1;
                    }
                }
                Some(b'\n') | None => {
                    self.wrong(start, format!("the closing {} is missing on this line", char::from(quote)));
                    break;
                }
                Some(&byte) => {
                    self.at += 1;
                    if byte == quote {
                        break;
                    }
                }
            }
        }
        self.push(kind, start);
    }

    fn number(&mut self) {
        let start = self.at;
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            let sign = matches!(byte, b'+' | b'-') && matches!(self.bytes[self.at - 1] | 0x20, b'e' | b'p');
            // 0xe+1 is one token in C as well.
            let separator = byte == b'\'' && self.peek(1).is_ascii_alphanumeric();
            if !(in_name(byte) || byte == b'.' || sign || separator) {
                break;
            }
            self.at += 1;
        }
        self.push(Kind::Number, start);
    }

    fn name(&mut self) {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|&byte| in_name(byte)) {
            self.at += 1;
        }
        let text = &self.bytes[start..self.at];
        if matches!(self.peek(0), b'"' | b'\'') && matches!(text, b"L" | b"u" | b"U" | b"u8") {
            return self.quoted(start, self.peek(0));
        }
        self.push(Kind::Word(word(text)), start);
    }

    fn sign(&mut self, byte: u8) {
        let start = self.at;
        let (next, third) = (self.peek(1), self.peek(2));
        let (sign, length) = match (byte, next, third) {
            (b'.', b'.', b'.') => (DOTS, 3),
            (b'<', b'<', b'=') | (b'>', b'>', b'=') => (BETWEEN, 3),
            (b'-', b'>', _) => (ARROW, 2),
            (b'+', b'+', _) | (b'-', b'-', _) => (STEP, 2),
            (b'&', b'&', _) => (AND, 2),
            (b'|', b'|', _) | (b'<', b'<', _) | (b'>', b'>', _) => (BETWEEN, 2),
            (b'*' | b'/' | b'%' | b'+' | b'-' | b'&' | b'|' | b'^' | b'<' | b'>' | b'=' | b'!', b'=', _) => {
                (BETWEEN, 2)
            }
            (b'+' | b'-', ..) => (ADD, 1),
            (b'!' | b'~', ..) => (NOT, 1),
            (b'/' | b'%' | b'|' | b'^' | b'<' | b'>', ..) => (BETWEEN, 1),
            (
                b'(' | b')' | b'[' | b']' | b'{' | b'}' | b';' | b',' | b':' | b'?' | b'*' | b'&' | b'='
                | b'.',
                ..,
            ) => (byte, 1),
            _ => (STRAY, 1),
        };
        self.at += length;
        self.push(Kind::Sign(sign), start);
        if self.skips > 0 {
            return;
        }
        match sign {
            b'(' | b'[' | b'{' => self.brackets.push(self.out.tokens.len() as u32 - 1),
            b')' | b']' | b'}' => self.close(sign, start),
            STRAY => {
                let shown = char::from(byte).escape_default();
                self.wrong(start, format!("`{shown}` has no meaning here"));
            }
            b'?' if self.brackets.is_empty() => self.questions += 1,
            b':' if self.brackets.is_empty() => self.questions = self.questions.saturating_sub(1),
            b';' if self.brackets.is_empty() => self.questions = 0,
            _ => {}
        }
    }

    fn close(&mut self, sign: u8, start: usize) {
        let this = self.out.tokens.len() as u32 - 1;
        let opening = match sign {
            b')' => b'(',
            b']' => b'[',
            _ => b'{',
        };
        match self.brackets.last() {
            Some(&open) if self.out.tokens[open as usize].kind == Kind::Sign(opening) => {
                self.brackets.pop();
                self.out.pair[open as usize] = this;
                self.out.pair[this as usize] = open;
            }
            Some(_) if self.out.wrong.is_some() => {}
            Some(&open) => {
                let open = self.out.tokens[open as usize];
                let found = &self.text[open.start as usize..open.end as usize];
                let line = self.text[..open.start as usize].matches('\n').count() + 1;
                self.wrong(
                    start,
                    format!("`{}` does not close the `{found}` of line {line}", char::from(sign)),
                );
            }
            None => self.wrong(start, format!("`{}` closes nothing", char::from(sign))),
        }
    }
}
