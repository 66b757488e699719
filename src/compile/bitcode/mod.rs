//! Bitcode read without LLVM: what has changed in a module, and parts of it.
//!
//! [`bitstream`] is the container and [`writer`] the little writing of it; [`file`] finds the
//! module and its outline ([`types`], [`globals`], [`constants`]); [`slice`] makes a module of
//! some of its definitions.
//!
//! Written for bitcode as LLVM 19 writes it. Anything not known is [`NotUnderstood`]; the caller
//! then does without. Nothing here knows LLVM, and nothing panics on damaged input.

mod bitstream;
mod constants;
mod digest;
mod file;
mod globals;
mod slice;
#[cfg(test)]
mod tests_input;
#[cfg(test)]
mod tests_slice;
mod types;
mod writer;

use std::fmt;

pub(crate) use slice::{Definition, slice};

/// The bitcode is damaged, or of a form that is not known; what was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotUnderstood(&'static str);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bitcode is not understood: {}", self.0)
    }
}

type Understood<T> = std::result::Result<T, NotUnderstood>;
