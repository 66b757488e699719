//! Names of C++ as people write them.
//!
//! Owns finding them in text that people read. What programs read has the symbols as they are.

use std::borrow::Cow;

use cpp_demangle::{DemangleOptions, Symbol};

/// Symbols of C++ begin so.
const PREFIX: &str = "_Z";
/// A name is not made longer than this: templates within templates tell nobody anything.
const LONGEST: usize = 200;

/// `text` with the symbols of C++ in it as names.
pub fn readable(text: &str) -> Cow<'_, str> {
    if !text.contains(PREFIX) {
        return text.into();
    }
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.');
    let mut result = String::with_capacity(text.len());
    let mut left = text;
    while let Some(at) = left.find(PREFIX) {
        let (before, rest) = left.split_at(at);
        let whole = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        // The end of a sentence is none of a name.
        let symbol = whole.trim_end_matches('.');
        result.push_str(before);
        left = &rest[symbol.len()..];
        // Files may have such names.
        let alone = !before.ends_with(|c| is_part(c) || c == '/') && !left.starts_with('/');
        match of(symbol).filter(|_| alone) {
            Some(name) => result.push_str(&name),
            None => result.push_str(symbol),
        }
    }
    (result + left).into()
}

/// The name that a symbol stands for.
fn of(symbol: &str) -> Option<String> {
    let options = DemangleOptions::new().no_return_type();
    let name = Symbol::new(symbol).ok()?.demangle_with_options(&options).ok()?;
    // "{vtable(n::Shape)}"
    let name = match name.strip_prefix("{vtable(").and_then(|name| name.strip_suffix(")}")) {
        Some(class) => class.to_owned(),
        None => name,
    };
    match name.char_indices().nth(LONGEST) {
        Some((at, _)) => Some(format!("{}…", &name[..at])),
        None => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_text() {
        for (text, shown) in [
            ("nothing", "nothing"),
            ("in _ZN4game4stepEi+0x12 at step.cc:3", "in game::step(int)+0x12 at step.cc:3"),
            ("undefined symbol: _Z3addii, wanted by a.cc", "undefined symbol: add(int, int), wanted by a.cc"),
            ("_ZN1n5Shape4areaEv and _ZTVN1n5ShapeE.", "n::Shape::area() and n::Shape."),
            ("a_Z3addii, /src/_Zoo/x.c, _Z", "a_Z3addii, /src/_Zoo/x.c, _Z"),
            ("`_Z5twiceIiET_S0_`", "`twice<int>(int)`"),
            ("_ZN12_GLOBAL__N_14tickEv", "(anonymous namespace)::tick()"),
        ] {
            assert_eq!(readable(text), shown);
        }
    }

    #[test]
    fn names_end_somewhere() {
        let long = format!("_Z3addI300{}Evv", "B".repeat(300));
        let shown = readable(&long);
        assert!(shown.starts_with("add<BBB") && shown.ends_with("B…"), "{shown}");
        assert_eq!(shown.chars().count(), LONGEST + 1);
    }
}
