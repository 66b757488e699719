//! Whether an input is complete, or goes on with the next line.
//!
//! Owns the rule: what more lines could make valid is incomplete; what nothing can mend is
//! complete, so that its author is told.

use super::Known;
use super::items::Walk;
use super::source::{Source, Stop};

/// Whether `input` can be read as it is.
pub fn is_complete(input: &str, known: &dyn Known) -> bool {
    let mut source = Source::new(input, known);
    if source.lexed.wrong.is_some() {
        return true;
    }
    if source.lexed.open.is_some() {
        return false;
    }
    let mut walk = Walk::default();
    match walk.run(&mut source) {
        Err(Stop::End { .. }) => false,
        Err(Stop::Wrong { .. }) => true,
        // `pritn x` is no beginning of a declaration, but a slip.
        Ok(()) => walk.unfinished != Some(true),
    }
}

/// Whether an `else` would still belong to `input`, which is complete.
pub fn may_go_on(input: &str, known: &dyn Known) -> bool {
    let mut source = Source::new(input, known);
    let mut walk = Walk::default();
    walk.run(&mut source).is_ok() && walk.may_go_on
}
