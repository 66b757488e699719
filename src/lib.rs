//! hotslot: a stub-table hot-swap JIT runtime.

mod builtins;
mod compile;
mod error;
mod link;
mod memory;
mod process;
mod runtime;
mod table;
mod tls;
mod unwind;

pub use compile::{CallForm, OptLevel, Source, llvm_version};
pub use error::{Error, ErrorKind, Result};
pub use runtime::{
    AbiType, Builder, Function, ModuleReport, Report, Runtime, Shadowed, Signature, Stats, Times, Undefined,
    Update,
};
