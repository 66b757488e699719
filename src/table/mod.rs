//! The central indirection table: every symbol's slot, address cell and stub.
//!
//! [`slots`] owns the cells in memory and who may store to them; [`names`] finds symbols;
//! [`symbol`] owns a symbol's providers and which of them wins, [`symbols`] all of them and
//! what their cells must hold; [`signatures`] the types of functions. [`publish`] owns the order
//! in which a commit stores slots, [`gates`] the code it needs for that. None of them knows
//! of object files or LLVM.

mod gates;
mod handles;
mod names;
mod publish;
mod signatures;
mod slots;
mod symbol;
mod symbols;

pub(crate) use gates::{Gates, Memory as GateMemory};
pub(crate) use names::Names;
pub(crate) use publish::{Epoch, Switch};
pub(crate) use signatures::{SignatureId, Signatures};
pub(crate) use slots::Slots;
pub(crate) use symbol::{Owner, Pending, Provider, Rank, Symbol, SymbolId, Target, Want};
pub(crate) use symbols::Symbols;
