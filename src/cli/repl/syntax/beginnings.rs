//! Whether a declaration begins where a statement could.
//!
//! Owns the guesses: which names are types that nobody has told of, and which are macros.

use super::lexer::Kind;
use super::source::{Source, Stop};
use super::words::Word;

/// Whether a declaration begins at `at`, where a statement could begin as well.
pub(super) fn declares(source: &Source, at: usize) -> Result<bool, Stop> {
    let mut at = at;
    let mut led = false;
    loop {
        let next = source.over_attributes(at)?;
        led |= next > at;
        at = next;
        if source.word(at) != Some(Word::Extension) {
            break;
        }
        at += 1;
    }
    let Some(word) = source.word(at) else {
        // `__attribute__((fallthrough));` is a statement; the end may yet bring a declaration.
        return Ok(led && source.kind(at) == Kind::End);
    };
    if word.declares() {
        return Ok(true);
    }
    if word != Word::Name {
        return Ok(false);
    }
    if source.is_type(at) {
        return Ok(match source.kind(at + 1) {
            Kind::Word(word) => !word.leads_statement(),
            Kind::Sign(b'*') | Kind::End => true,
            Kind::Sign(b';') => true,
            // `T (x);` declares x, and so does `T (*f)(int);`
            Kind::Sign(b'(') => true,
            Kind::Sign(b'[') => source.attribute(at + 1),
            _ => false,
        });
    }
    unknown(source, at)
}

/// Whether a name that is no known type begins a declaration.
fn unknown(source: &Source, at: usize) -> Result<bool, Stop> {
    match source.kind(at + 1) {
        // `foo bar`: foo must be a type or a macro that stands for words of a declaration.
        Kind::Word(word) => {
            let apart = source.token(at + 1).first;
            if word == Word::Name {
                // On a line of its own it is an expression, or a macro's name.
                return Ok(!apart || (is_macro(source.text(at)) && declares_here(source, at + 1)));
            }
            let declares = word.declares() || matches!(word, Word::Attribute | Word::Extension);
            Ok(declares && (!apart || is_macro(source.text(at))))
        }
        Kind::Sign(b'*') => {
            // `foo *bar = 1`, `foo *bar(...) {`: no expression.
            let mut next = at + 1;
            while source.is(next, b'*') || source.word(next) == Some(Word::Qualifier) {
                next += 1;
            }
            if next > at + 2 && source.word(next - 1) == Some(Word::Qualifier) {
                return Ok(true);
            }
            if !source.is_name(next) {
                return Ok(false);
            }
            Ok(source.is(next + 1, b'=')
                || (source.is(next + 1, b'(') && {
                    let after = source.over(next + 1)?;
                    source.is(after, b'{') || source.word(after) == Some(Word::Attribute)
                }))
        }
        // `main() {` and `main(void) {`: a function without its type, which the compiler refuses.
        Kind::Sign(b'(') => {
            let after = source.over(at + 1)?;
            let empty = after == at + 3 || (after == at + 4 && source.text(at + 2) == "void");
            Ok(empty && source.is(after, b'{'))
        }
        _ => Ok(false),
    }
}

/// One step of `declares` for the word after a macro.
fn declares_here(source: &Source, at: usize) -> bool {
    source.is_type(at) || source.is_name(at + 1)
}

/// Whether `name` looks as macros do.
pub(super) fn is_macro(name: &str) -> bool {
    name.len() > 1 && !name.bytes().any(|byte| byte.is_ascii_lowercase())
}
