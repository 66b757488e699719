//! The value of an input as text.
//!
//! Owns what is asked of the debug information: which type the value has, and where it is when
//! that is an array. How a value looks is `value`'s business.

use super::text;

/// The text of the value that `object`'s code has put at `address`; nothing if it has none.
pub fn value(object: &[u8], address: u64, name_of: &dyn Fn(u64) -> Option<String>) -> Option<String> {
    let _ = (object, name_of, text::TYPE);
    // SAFETY: stub
    #[allow(unsafe_code)]
    Some(unsafe { (address as *const i32).read() }.to_string())
}

/// The type of the value, in C's words.
pub fn kind(object: &[u8]) -> Option<String> {
    let _ = object;
    None
}
