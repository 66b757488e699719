//! The tokens of one input as the parser walks over them, and what names are types so far.
//!
//! Knows no grammar beyond brackets.

use std::collections::HashMap;

use super::lexer::{Kind, Lexed, Token, lex};
use super::words::Word;
use super::{Known, Trouble};

/// Why a walk stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// More tokens are needed: `missing` says which.
    End { missing: &'static str },
    /// No more tokens can help.
    Wrong { at: usize, message: String },
}

pub(super) struct Source<'t> {
    pub lexed: Lexed<'t>,
    known: &'t dyn Known,
    /// Names that this input has made types (or has made something else).
    own: HashMap<&'t str, bool>,
}

const END: Token = Token { kind: Kind::End, start: 0, end: 0, first: false, directed: false };

impl<'t> Source<'t> {
    pub fn new(text: &'t str, known: &'t dyn Known) -> Self {
        Self { lexed: lex(text), known, own: HashMap::new() }
    }

    pub fn len(&self) -> usize {
        self.lexed.tokens.len()
    }

    pub fn token(&self, at: usize) -> Token {
        self.lexed.tokens.get(at).copied().unwrap_or(Token {
            start: self.lexed.text.len() as u32,
            end: self.lexed.text.len() as u32,
            ..END
        })
    }

    pub fn kind(&self, at: usize) -> Kind {
        self.lexed.tokens.get(at).map_or(Kind::End, |token| token.kind)
    }

    pub fn word(&self, at: usize) -> Option<Word> {
        match self.kind(at) {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    pub fn is_name(&self, at: usize) -> bool {
        self.kind(at) == Kind::Word(Word::Name)
    }

    pub fn is(&self, at: usize, sign: u8) -> bool {
        self.kind(at) == Kind::Sign(sign)
    }

    pub fn text(&self, at: usize) -> &'t str {
        let token = self.token(at);
        &self.lexed.text[token.start as usize..token.end as usize]
    }

    /// The text from token `from` to before token `to`.
    pub fn slice(&self, from: usize, to: usize) -> &'t str {
        if from >= to {
            return "";
        }
        &self.lexed.text[self.token(from).start as usize..self.token(to - 1).end as usize]
    }

    /// The partner of the bracket at `at`; that it is missing is why to stop.
    pub fn partner(&self, at: usize) -> Result<usize, Stop> {
        match self.lexed.pair.get(at) {
            Some(&u32::MAX) | None => Err(Stop::End { missing: "a closing bracket" }),
            Some(&partner) => Ok(partner as usize),
        }
    }

    /// After the token at `at`, or after what it opens.
    pub fn over(&self, at: usize) -> Result<usize, Stop> {
        match self.kind(at) {
            Kind::Sign(b'(' | b'[' | b'{') => Ok(self.partner(at)? + 1),
            _ => Ok(at + 1),
        }
    }

    /// Whether the two brackets `[[` of an attribute begin at `at`.
    pub fn attribute(&self, at: usize) -> bool {
        self.is(at, b'[') && self.is(at + 1, b'[') && self.token(at).end == self.token(at + 1).start
    }

    /// After any attributes at `at`.
    pub fn over_attributes(&self, mut at: usize) -> Result<usize, Stop> {
        loop {
            if self.attribute(at) {
                at = self.over(at)?;
            } else if self.word(at) == Some(Word::Attribute) {
                at = self.over_arguments(at + 1)?;
            } else {
                return Ok(at);
            }
        }
    }

    /// After the round brackets at `at`, should there be any.
    pub fn over_arguments(&self, at: usize) -> Result<usize, Stop> {
        if self.is(at, b'(') { self.over(at) } else { Ok(at) }
    }

    pub fn is_type(&self, at: usize) -> bool {
        self.is_name(at) && self.names_type(self.text(at))
    }

    pub fn names_type(&self, name: &str) -> bool {
        self.own.get(name).copied().unwrap_or_else(|| self.known.is_type(name))
    }

    /// From here on `name` is a type, or is none.
    pub fn declare(&mut self, name: &'t str, is_type: bool) {
        if is_type || self.own.contains_key(name) || self.known.is_type(name) {
            self.own.insert(name, is_type);
        }
    }

    /// Whether a directive stands between two tokens of `from..to`.
    pub fn directed(&self, from: usize, to: usize) -> bool {
        self.lexed.tokens.get(from + 1..to).is_some_and(|tokens| tokens.iter().any(|token| token.directed))
    }

    pub fn wrong<T>(&self, at: usize, message: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Wrong { at: self.token(at).start as usize, message: message.into() })
    }

    /// `stop` as the user reads it.
    pub fn trouble(&self, stop: Stop) -> Trouble {
        match stop {
            Stop::Wrong { at, message } => Trouble::at(self.lexed.text, at, message),
            Stop::End { missing } => {
                let end = self.lexed.text.trim_end().len();
                Trouble::at(self.lexed.text, end, format!("the input ends before {missing}"))
            }
        }
    }
}
