//! The linker: a relocatable object becomes an image in the arena.
//!
//! [`object`] reads and checks the file, [`needs`] counts what it takes, [`place`] gives
//! every section an address: [`homes`] says which constants outlive the code, with
//! [`storage`] variables keep theirs, [`keeps`] finds code that cannot be freed, and [`escapes`]
//! addresses that the assembler has filled in.
//! [`definitions`] says what that provides. [`intern`] then finds the constants that the
//! table of [`constants`] has already, [`apply`] writes the relocations with the tables of
//! [`relocate`] and the operands of [`addresses`] and [`thread_local`], [`frames`] checks
//! the unwind information, [`lines`] keeps the line tables, [`debug`] tells debuggers and profilers,
//! and [`seal`] fills the memory that an [`image`] owns, with a
//! table of its [`functions`]. The linker knows
//! symbols only as indices of the table; it neither stores slots nor runs code.

mod addresses;
mod apply;
mod constants;
mod cycles;
mod debug;
mod definitions;
mod escapes;
mod frames;
mod functions;
mod homes;
mod image;
mod intern;
mod keeps;
mod lines;
mod needs;
mod object;
mod place;
mod prints;
mod relocate;
mod seal;
mod starts;
mod storage;
mod thread_local;
mod thread_storage;

#[cfg(test)]
mod tests;

pub(crate) use apply::link;
pub(crate) use constants::{Constant, Constants, Key};
pub(crate) use definitions::{Definition, Resolve};
#[allow(unused_imports, reason = "for reports and the rules of state")]
pub(crate) use functions::{Changes, Functions, function_hashes};
#[allow(unused_imports, reason = "for reports and the rules of state")]
pub(crate) use image::{
    CHANGED, Image, Initialiser, Shape, Storage, StorageKey, Stored, ThreadLocal, ThreadLocals, Unfit,
};
pub(crate) use intern::{Moves, Unit, intern};
#[allow(unused_imports, reason = "for reclamation")]
pub(crate) use keeps::Keeps;
pub(crate) use needs::{Needs, survey};
pub(crate) use object::{Binding, Object, Place, SymbolKind};
pub(crate) use place::{Placement, place};
pub(crate) use seal::Links;
#[allow(unused_imports, reason = "for the rules of state")]
pub(crate) use storage::{Kept, Misfit, Replaced};
