//! The central indirection table: every symbol's slot, address cell and stub.
//!
//! [`slots`] owns the cells in memory and who may store to them; [`names`] finds symbols;
//! [`symbols`] owns their providers and which of them wins; [`publish`] owns the order in which a
//! commit stores slots, [`gates`] the code it needs for that. None knows of object files or LLVM.

#[allow(dead_code)] // Until updates commit through it.
mod gates;
mod names;
#[allow(dead_code)] // Until updates commit through it.
mod publish;
mod slots;
mod symbols;

// Not used until updates commit through them.
#[allow(unused_imports)]
pub(crate) use gates::{Gates, Memory as GateMemory};
pub(crate) use names::Names;
#[allow(unused_imports)]
pub(crate) use publish::{Epoch, Switch};
pub(crate) use slots::Slots;
pub(crate) use symbols::{Owner, Pending, Provider, Rank, SymbolId, Symbols, Target, Want};
