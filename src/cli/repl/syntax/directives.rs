//! Lines that begin with `#`: their name, and what they define.
//!
//! Knows `#define` and the words of a line; what conditions mean is the compiler's.

use super::lexer::lex;
use super::{Name, Space};

/// The directive's name and the rest of its line: `# include <a.h>` is `("include", "<a.h>")`.
/// The null directive and line markers have an empty name.
pub(super) fn split(line: &str) -> (&str, &str) {
    let rest = skip(line.strip_prefix('#').unwrap_or(line));
    let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(length);
    if name.starts_with(|c: char| c.is_ascii_digit()) { ("", line) } else { (name, skip(rest)) }
}

/// Without the space, continued lines and comments in front.
fn skip(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix("\\\n").or_else(|| text.strip_prefix("\\\r\n")) {
            text = rest;
        } else if let Some((_, rest)) = text.strip_prefix("/*").and_then(|rest| rest.split_once("*/")) {
            text = rest;
        } else {
            return text;
        }
    }
}

/// The words of a condition, comments at its end left out.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let end = text.find("//").into_iter().chain(text.find("/*")).min().unwrap_or(text.len());
    text[..end].split_whitespace()
}

/// The name that a `#define` line defines.
pub(super) fn defined(line: &str) -> Option<&str> {
    let ("define", rest) = split(line) else { return None };
    let length = rest.find(|c: char| c.is_ascii() && !(c.is_ascii_alphanumeric() || matches!(c, '_' | '$')));
    let name = &rest[..length.unwrap_or(rest.len())];
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}

/// The names that a directive mentions beside the one it defines; not those of an `#include`.
pub(super) fn used(line: &str) -> impl Iterator<Item = Name> {
    let (name, rest) = split(line);
    let own = defined(line).unwrap_or("");
    let read =
        if matches!(name, "include" | "embed" | "pragma" | "error" | "warning" | "") { "" } else { rest };
    super::uses::words(&lex(read))
        .into_iter()
        .filter(move |name| name.text != own || name.space == Space::Tag)
}
