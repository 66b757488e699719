//! The value of an input as text.
//!
//! Owns what is asked of the debug information: which type the value has, and where it is when
//! that is an array. How a value looks is `value`'s business.

use super::text;
use super::value::{Memory, TypeId, Types, show};

/// The text of the value that `object`'s code has put at `address`; nothing if it has none.
pub fn value(object: &[u8], address: u64, name_of: &dyn Fn(u64) -> Option<String>) -> Option<String> {
    let types = match Types::of(object) {
        Ok(types) => types,
        Err(failure) => return Some(failure.lines().join("\n")),
    };
    let whole = whole(&types)?;
    if types.is_void(whole) {
        return None;
    }
    let own = types.variable(text::VALUE).unwrap_or(whole);
    // What is at the address of an array or a function is a pointer to it.
    if types.is_array(whole) {
        let mut pointer = [0; 8];
        let is_there = Memory::new().read(address, &mut pointer);
        return is_there.then(|| show(&types, whole, u64::from_le_bytes(pointer), name_of));
    }
    let shown = if types.is_function(whole) { own } else { whole };
    Some(show(&types, shown, address, name_of))
}

/// The type of the value, in C's words.
pub fn kind(object: &[u8]) -> Option<String> {
    let types = Types::of(object).ok()?;
    Some(types.spelling(whole(&types)?))
}

fn whole(types: &Types<'_>) -> Option<TypeId> {
    types.target(types.variable(text::TYPE)?)
}
