//! What each part of an input is to the eye.

use super::lexer::{Apart, Kind, lex};
use super::source::Source;
use super::words::Word;
use super::{Known, directives};

/// A part's class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Plain,
    Keyword,
    Type,
    Function,
    Number,
    Text,
    Comment,
    Directive,
    Command,
}

/// The classes of the parts of `input`, in order; together the parts are the whole of it.
pub fn colours(input: &str, known: &dyn Known) -> Vec<(Class, std::ops::Range<usize>)> {
    let source = Source::new(input, known);
    let mut parts: Vec<(Class, std::ops::Range<usize>)> = Vec::new();
    for (at, token) in source.lexed.tokens.iter().enumerate() {
        parts.push((class(&source, at), token.start as usize..token.end as usize));
    }
    for between in &source.lexed.between {
        let range = between.start as usize..between.end as usize;
        if between.what == Apart::Comment {
            parts.push((Class::Comment, range));
        } else {
            directive(input, range, &mut parts);
        }
    }
    parts.sort_by_key(|(_, range)| range.start);
    fill(input, parts)
}

/// With the plain parts between, and without what lies within another.
fn fill(input: &str, parts: Vec<(Class, std::ops::Range<usize>)>) -> Vec<(Class, std::ops::Range<usize>)> {
    let mut all = Vec::with_capacity(parts.len() * 2);
    let mut end = 0;
    for (class, range) in parts {
        if range.start < end || range.is_empty() {
            continue;
        }
        if range.start > end {
            all.push((Class::Plain, end..range.start));
        }
        end = range.end;
        all.push((class, range));
    }
    if end < input.len() {
        all.push((Class::Plain, end..input.len()));
    }
    all
}

fn class(source: &Source, at: usize) -> Class {
    match source.kind(at) {
        Kind::Word(Word::Type | Word::Typeof) => Class::Type,
        Kind::Word(Word::Name) => {
            let after_tag = at > 0 && matches!(source.word(at - 1), Some(Word::Struct | Word::Enum));
            if after_tag || source.is_type(at) {
                Class::Type
            } else if source.is(at + 1, b'(') {
                Class::Function
            } else {
                Class::Plain
            }
        }
        Kind::Word(_) => Class::Keyword,
        Kind::Number => Class::Number,
        Kind::Text | Kind::Char => Class::Text,
        Kind::Command => Class::Command,
        Kind::Sign(_) | Kind::End => Class::Plain,
    }
}

/// A directive's name in its class, its comments, strings and numbers in theirs.
fn directive(input: &str, range: std::ops::Range<usize>, parts: &mut Vec<(Class, std::ops::Range<usize>)>) {
    let line = &input[range.clone()];
    let (name, rest) = directives::split(line);
    let start = range.end - rest.len();
    parts.push((Class::Directive, range.start..start));
    if name == "include" {
        let end = rest.find(['/', '\n']).filter(|&at| rest[at..].starts_with("//")).unwrap_or(rest.len());
        parts.push((Class::Text, start..start + rest[..end].trim_end().len()));
        return;
    }
    let lexed = lex(rest);
    for token in &lexed.tokens {
        let class = match token.kind {
            Kind::Number => Class::Number,
            Kind::Text | Kind::Char => Class::Text,
            _ => continue,
        };
        parts.push((class, start + token.start as usize..start + token.end as usize));
    }
    for between in lexed.between.iter().filter(|between| between.what == Apart::Comment) {
        parts.push((Class::Comment, start + between.start as usize..start + between.end as usize));
    }
}
