//! What an input is made of: whether it is complete, its items, what they define and use.
//!
//! Pure text: neither the compiler nor the session is known here. C is read as far as names
//! need it, GNU's extensions included, and macros are guessed at. What is read wrongly is
//! refused by the compiler later, with its own message.

mod beginnings;
mod colours;
mod completeness;
mod conditions;
mod declarators;
mod directives;
mod items;
mod lexer;
mod names;
mod source;
mod split;
mod statements;
#[cfg(test)]
mod tests;
mod uses;
mod words;

use std::collections::BTreeSet;
use std::ops::Range;

pub use colours::{Class, colours};
pub use completeness::{is_complete, may_go_on};
pub use items::parse;
pub use names::names_declared;

/// C's name spaces at file scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Functions, variables, typedefs, enumerators, and macros.
    Ordinary,
    /// After `struct`, `union`, `enum`.
    Tag,
}

/// A name in its name space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Where it is looked up.
    pub space: Space,
    /// Its spelling.
    pub text: String,
}

impl Name {
    /// The name of a function, variable, typedef, enumerator or macro.
    pub fn ordinary(text: impl Into<String>) -> Self {
        Self { space: Space::Ordinary, text: text.into() }
    }

    /// The tag of a struct, union or enum.
    pub fn tag(text: impl Into<String>) -> Self {
        Self { space: Space::Tag, text: text.into() }
    }
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `#include`, `#define` and so on; also a whole `#if` ... `#endif` of directives, types and
    /// prototypes.
    Directive,
    /// A definition of a type; also a `constexpr` object, which every module needs as it is.
    Type,
    /// A function with its body.
    Function,
    /// A variable that is defined, with or without an initialiser.
    Variable,
    /// A declaration that defines nothing: `int f(int);`, `extern int x;`, `struct s;`.
    Prototype,
    /// Something to run.
    Statement,
    /// Something to run whose value is shown: an expression without its `;`.
    Expression,
    /// `:load x`: a line for the REPL itself.
    Command,
}

/// One thing that an input consists of.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// As it was typed, with the comments before and after it (an expression, a statement and a
    /// command without these). A part of a declaration that was split is made whole again.
    pub text: String,
    /// The line of the input where `text` starts, from 1 on.
    pub line: usize,
    /// The names that it introduces at file scope.
    pub defines: Vec<Name>,
    /// The names that it mentions, its own locals and members left out as far as they are easily
    /// known.
    pub uses: BTreeSet<Name>,
    /// What other modules say of it: `int f(int a);`, `extern int a[];`. None where there is
    /// nothing to say.
    pub declaration: Option<String>,
    /// For a function, variable or prototype the place of its name in `text`.
    pub name: Option<Range<usize>>,
    /// For a variable its initialiser in `text`, without the `=`.
    pub initialiser: Option<Range<usize>>,
    /// The storage classes in `text` and `inline`: what must be blank for the name to be seen
    /// by other modules.
    pub storage: Vec<Range<usize>>,
}

/// What names are types, from earlier inputs and headers.
pub trait Known {
    /// Whether `name` is a typedef's.
    fn is_type(&self, name: &str) -> bool;
}

/// Why an input cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The line of the input, from 1 on.
    pub line: usize,
    /// The character in that line, from 1 on.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Trouble {
    fn at(text: &str, at: usize, message: impl Into<String>) -> Self {
        let before = &text[..at.min(text.len())];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{}:{}: {}", self.line, self.column, self.message)
    }
}
