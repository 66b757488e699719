//! The central indirection table: every symbol's slot, address cell and stub.
//!
//! [`slots`] owns the cells in memory and who may store to them; [`names`] finds symbols;
//! [`symbols`] owns their providers and which of them wins. Neither knows of object files or LLVM.

mod handles;
mod names;
mod slots;
mod symbols;

pub(crate) use names::Names;
pub(crate) use slots::Slots;
pub(crate) use symbols::{Owner, Pending, Provider, Rank, SymbolId, Symbols, Target, Version, Want};
