//! The value of an input as text, by the debug information of its code.
//!
//! Owns what is asked of the debug information: which type the value has, and where it is when
//! that is an array. How types are read is in `types.rs`, how values look in `print.rs`.

mod memory;
mod print;
mod types;

use super::text;
use types::{Kind, Types};

/// The text of the value that `object`'s code has put at `address`; nothing if it has none.
pub fn value(object: &[u8], address: u64, name_of: &dyn Fn(u64) -> Option<String>) -> Option<String> {
    let types = Types::of(object)?;
    let whole = types.pointee(types.variable(text::TYPE)?);
    match types.kind(whole) {
        Kind::Void => None,
        // What is at the address is a pointer to its first element.
        Kind::Array { .. } => {
            let at = memory::number(address, 8)?;
            Some(print::value(&types, whole, at, name_of))
        }
        _ => {
            let own = types.variable(text::VALUE).unwrap_or(whole);
            // An enumerator, or `const`, is lost on the way.
            let shown = if matches!(types.kind(whole), Kind::Function { .. }) { own } else { whole };
            Some(print::value(&types, shown, address, name_of))
        }
    }
}

/// The type of the value, in C's words.
pub fn kind(object: &[u8]) -> Option<String> {
    let types = Types::of(object)?;
    let whole = types.pointee(types.variable(text::TYPE)?);
    Some(types.spelling(whole, ""))
}
