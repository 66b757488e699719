//! Bitcode read without LLVM: what has changed in a module, and parts of it.
//!
//! [`bitstream`] is the container and [`writer`] the little writing of it; [`file`] finds the
//! module and its outline ([`types`], [`globals`], [`constants`]); [`slice`] makes a module of
//! some of its definitions. [`summary`] says on what the code of each function depends: it reads
//! the other tables too ([`module`], of [`attributes`], [`names`] and [`metadata`]), finds what
//! values are by their content ([`contents`]), and digests bodies ([`function`],
//! [`instructions`]) and what they lead to ([`components`]).
//!
//! Written for bitcode as LLVM 19 writes it. Anything not known is [`NotUnderstood`]; the caller
//! then does without. Nothing here knows LLVM, and nothing panics on damaged input.

mod attributes;
mod bitstream;
mod candidate;
mod components;
mod constants;
mod contents;
mod digest;
mod file;
mod frame;
mod function;
mod globals;
mod instructions;
mod metadata;
mod module;
mod names;
mod needed;
mod slice;
mod summary;
mod summing;
mod tables;
#[cfg(test)]
mod tests_again;
#[cfg(test)]
mod tests_code;
#[cfg(test)]
mod tests_input;
#[cfg(test)]
mod tests_mutations;
#[cfg(test)]
mod tests_slice;
#[cfg(test)]
mod tests_summary;
mod types;
mod uses;
mod writer;

use std::fmt;

pub(crate) use candidate::{ASKED_FOR, CALLED_ONCE, SMALL};
pub(crate) use digest::Digest;
pub(crate) use slice::{Definition, Others, slice};
#[cfg(test)]
pub(crate) use summary::summarise;
pub(crate) use summary::{Function, Linkage, Reading, Reads, Summary, Variable, summarise_after};

/// The bitcode is damaged, or of a form that is not known; what was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotUnderstood(&'static str);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bitcode is not understood: {}", self.0)
    }
}

type Understood<T> = std::result::Result<T, NotUnderstood>;
