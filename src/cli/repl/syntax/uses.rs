//! The names that a piece of text mentions.
//!
//! Errs on the side of too many: what is a local name here and something else at file scope may
//! be named although it is not meant.

use super::lexer::{ARROW, Kind, Lexed};
use super::source::Source;
use super::words::Word;
use super::{Name, Space};

/// The names among the tokens `from..to` and in the branches between them that are not read.
pub(super) fn names(source: &Source, from: usize, to: usize, into: &mut impl FnMut(Space, &str)) {
    let lexed = &source.lexed;
    for at in from..to.min(lexed.tokens.len()) {
        if let Some(space) = mentioned(lexed, at) {
            into(space, source.text(at));
        }
    }
    if from >= to || lexed.skipped.is_empty() {
        return;
    }
    let (start, end) = (source.token(from).start, source.token(to - 1).end);
    let first = lexed.skipped.partition_point(|&(at, _)| at < start);
    for &(start, to) in lexed.skipped[first..].iter().take_while(|&&(_, to)| to <= end) {
        into(Space::Ordinary, &lexed.text[start as usize..to as usize]);
    }
}

/// Every name in `lexed`.
pub(super) fn words(lexed: &Lexed) -> Vec<Name> {
    (0..lexed.tokens.len())
        .filter_map(|at| {
            let space = mentioned(lexed, at)?;
            let token = lexed.tokens[at];
            Some(Name { space, text: lexed.text[token.start as usize..token.end as usize].to_owned() })
        })
        .collect()
}

/// The name space of the name at `at`; none for a member, a label, and what is no name.
fn mentioned(lexed: &Lexed, at: usize) -> Option<Space> {
    let kind = |at: usize| lexed.tokens.get(at).map_or(Kind::End, |token| token.kind);
    if kind(at) != Kind::Word(Word::Name) {
        return None;
    }
    match at.checked_sub(1).map(kind) {
        Some(Kind::Word(Word::Struct | Word::Enum)) => Some(Space::Tag),
        Some(Kind::Word(Word::Goto)) => None,
        Some(Kind::Sign(b'.' | ARROW)) => None,
        _ => Some(Space::Ordinary),
    }
}
