//! Whether an input is complete, or goes on with the next line.
//!
//! Owns the rule: what more lines could make valid is incomplete; what nothing can mend is
//! complete, so that its author is told.

use super::Known;
use super::items::Walk;
use super::source::{Source, Stop};

/// How far an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It can be read as it is.
    Complete,
    /// It is a whole statement, but an `else` would still belong to it.
    MayGoOn,
    /// More lines are needed.
    Incomplete,
}

/// Whether `input` can be read as it is.
pub fn is_complete(input: &str, known: &dyn Known) -> bool {
    completeness(input, known) != Completeness::Incomplete
}

/// How far `input` is.
pub fn completeness(input: &str, known: &dyn Known) -> Completeness {
    let mut source = Source::new(input, known);
    if source.lexed.wrong.is_some() {
        return Completeness::Complete;
    }
    if source.lexed.open.is_some() {
        return Completeness::Incomplete;
    }
    let mut walk = Walk::default();
    match walk.run(&mut source) {
        Err(Stop::End { .. }) => Completeness::Incomplete,
        Err(Stop::Wrong { .. }) => Completeness::Complete,
        // `pritn x` is no beginning of a declaration, but a slip.
        Ok(()) if walk.unfinished == Some(true) => Completeness::Incomplete,
        Ok(()) if walk.may_go_on => Completeness::MayGoOn,
        Ok(()) => Completeness::Complete,
    }
}
