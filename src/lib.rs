//! hotslot: a JIT runtime for code that changes while it runs.
//!
//! A host hands in modules: LLVM IR, bitcode, inkwell modules, ELF objects, static archives.
//! hotslot compiles them with LLVM, links them with a linker of its own, and reaches every
//! function that another module can call through one slot of a central table. To replace a
//! module is to link new code beside the old and to store new targets into slots. No caller
//! is touched, nobody stops, and whatever holds a function's address keeps it.
//!
//! ```
//! use hotslot::{Runtime, Source};
//!
//! let runtime = Runtime::new()?;
//! runtime.load("shape", Source::ir(
//!     "define i64 @area(i64 %side) {
//!        %area = mul i64 %side, %side
//!        ret i64 %area
//!      }"))?;
//! // SAFETY: `area` has this type, in every version, and its code is sound.
//! let area = unsafe { runtime.function::<extern "C" fn(i64) -> i64>("area")? };
//! assert_eq!(area.call(5), 25);
//!
//! runtime.replace("shape", Source::ir(
//!     "define i64 @area(i64 %side) {
//!        %area = mul i64 %side, 3
//!        ret i64 %area
//!      }"))?;
//! assert_eq!(area.call(5), 15);
//! # Ok::<(), hotslot::Error>(())
//! ```
//!
//! - [`Runtime`] loads, replaces and removes modules; [`Builder`] has its settings.
//! - [`Source`] is the code of a module.
//! - [`Update`] changes several modules in one step: all of it happens or nothing. It can be
//!   prepared first ([`PreparedUpdate`]), and taken back later ([`Runtime::rollback`]).
//! - [`Function`] is a typed handle. It is checked against the function's type where that is
//!   known, and leads to the newest version for as long as it lives.
//! - [`Anonymous`] is a module without a name, for code that is run once and freed: a line at a prompt.
//!   [`Runtime::symbols`] lists what a new module can use. The guide for such hosts is `docs/embedding.md`.
//! - [`Hooks`] let the code itself say where it may be updated, and hear of it.
//! - [`Report`] says what an update did, [`Error`] why it did nothing. The library prints
//!   nothing, with one exception: a call of a function that nothing defines cannot return. It
//!   ends the guarded call it is in with an error; where there is none, it says which function
//!   that was, who defined it last and who called it, and aborts.
//!
//! # Limits
//!
//! Code runs on x86-64 Linux with glibc only. A replacement from IR or bitcode compiles those
//! functions again whose code can be another; one that comes as an object is linked anew.
//! What updates guarantee, and where that ends, is in `docs/guarantees.md`.

mod builtins;
mod cache;
mod compile;
mod error;
mod fault;
mod faults;
mod fork_gate;
mod hooks;
mod libraries;
mod link;
mod memory;
mod observe;
mod process;
mod reclaim;
mod runtime;
mod scoped;
mod seeded;
mod table;
mod tls;
mod unwind;

pub use cache::{Cache, CacheInfo, CacheKey, KeyBuilder};
pub use compile::{CallForm, OptLevel, Source, llvm_version};
pub use error::{Error, ErrorKind, Fault, Frame, Result};
pub use faults::Interrupt;
pub use hooks::{Applied, Hooks};
pub use observe::Profiler;
pub use runtime::{
    AbiType, Anonymous, Builder, Function, Generation, Guarded, Holder, Migrated, ModuleReport, Origin,
    Pending, PreparedUpdate, Reclaimed, Report, Runtime, Shadowed, Signature, StaleReader, Stats, Symbol,
    SymbolKind, Times, Totals, TypesFrom, Undefined, Update,
};

/// Makes tests of the code in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
