//! The value of an input as text.
//!
//! Owns what is asked of the debug information: which type the value has, and where it is when
//! that is an array. How a value looks is `value`'s business.

use super::text::{TYPE, VALUE};
use super::value::{Memory, TypeId, Types, show, show_at_width};

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
    let own = types.variable(VALUE).unwrap_or(whole);
    // What is at the address of an array or a function is a pointer to it.
    if types.is_array(whole) {
        let mut pointer = [0; 8];
        let is_there = Memory::new().read(address, &mut pointer);
        return is_there.then(|| text(&types, whole, u64::from_le_bytes(pointer), name_of));
    }
    let shown = if types.is_function(whole) { own } else { whole };
    Some(text(&types, shown, address, name_of))
}

/// The type of the value, in C's words; or its definition.
pub fn kind(object: &[u8], defined: bool) -> Option<String> {
    let types = Types::of(object).ok()?;
    let whole = whole(&types)?;
    Some(if defined { types.definition(whole) } else { types.spelling(whole) })
}

fn whole(types: &Types<'_>) -> Option<TypeId> {
    types.target(types.variable(TYPE)?)
}

/// As wide as the terminal is, if it goes there.
fn text(types: &Types<'_>, kind: TypeId, address: u64, name_of: &dyn Fn(u64) -> Option<String>) -> String {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 => show_at_width(types, kind, address, name_of, size.ws_col.into()),
        _ => show(types, kind, address, name_of),
    }
}
