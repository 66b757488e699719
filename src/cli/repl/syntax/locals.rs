//! The names that a declaration uses, without those that are its own: parameters, locals, members.

use std::ops::Range;

use super::declarators::Declaration;
use super::source::Source;
use super::{Space, uses};

/// Gives `into` the names that the tokens of `parts`, which belong to `one`, mention.
pub(super) fn uses(
    source: &Source,
    one: &Declaration,
    parts: &[Range<usize>],
    into: &mut impl FnMut(Space, &str),
) {
    let _ = one;
    for part in parts {
        uses::names(source, part.start, part.end, into);
    }
}
