//! The value of an input as text, by the debug information of its code.
//!
//! Owns what is asked of the debug information: which type the value has, and where it is when
//! that is an array. How a value looks is `value`'s business.

use super::text;
use super::value::{Types, pointer_at, show};

/// The text of the value that `object`'s code has put at `address`; nothing if it has none.
pub fn value(object: &[u8], address: u64, name_of: &dyn Fn(u64) -> Option<String>) -> Option<String> {
    let types = types(object)?;
    let whole = types.pointee(types.variable(text::TYPE)?)?;
    if types.is_void(whole) {
        return None;
    }
    let own = types.variable(text::VALUE).unwrap_or(whole);
    if types.is_array(whole) {
        // What is at the address is a pointer to its first element.
        let first = pointer_at(address)?;
        return Some(show(&types, whole, first, name_of));
    }
    // An enumerator, or `const`, is lost on the way; a function has become its address.
    let kind = if types.is_function(whole) { own } else { whole };
    Some(show(&types, kind, address, name_of))
}

/// The type of the value, in C's words.
pub fn kind(object: &[u8]) -> Option<String> {
    let types = types(object)?;
    Some(types.spelling(types.pointee(types.variable(text::TYPE)?)?))
}

fn types(object: &[u8]) -> Option<Types> {
    Types::of(object, |name| name == text::TYPE || name == text::VALUE).ok()
}
