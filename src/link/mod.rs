//! The linker: a relocatable object becomes an image in the arena.
//!
//! [`object`] reads and checks the file, [`place`] gives every section an address,
//! [`apply`] writes the relocations with the tables of [`relocate`], [`frames`] checks the
//! unwind information, [`image`] is what remains and owns the memory. The linker knows
//! symbols only as indices of the table; it neither stores slots nor runs code.

mod apply;
mod frames;
mod image;
mod object;
mod place;
mod relocate;

pub(crate) use apply::{Definition, Resolve, link};
pub(crate) use image::{Image, Storage, StorageKey, ThreadLocals};
pub(crate) use object::{Binding, Object, Place, SymbolKind};
pub(crate) use place::{Kept, Needs, Placement, place, survey};
