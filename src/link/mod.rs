//! The linker: a relocatable object becomes an image in the arena.
//!
//! [`object`] reads and checks the file, [`place`] gives every section an address,
//! [`definitions`] says what that provides, [`apply`] writes the relocations with the
//! tables of [`relocate`] and the operands of [`addresses`] and [`thread_local`],
//! [`frames`] checks the unwind information, [`seal`] fills the memory that an [`image`]
//! owns. The linker knows
//! symbols only as indices of the table; it neither stores slots nor runs code.

mod addresses;
mod apply;
mod definitions;
mod frames;
mod image;
mod object;
mod place;
mod relocate;
mod seal;
mod thread_local;

pub(crate) use apply::link;
pub(crate) use definitions::{Definition, Resolve};
pub(crate) use image::{Image, Storage, StorageKey, ThreadLocals};
pub(crate) use object::{Binding, Object, Place, SymbolKind};
pub(crate) use place::{Kept, Needs, Placement, place, survey};
pub(crate) use seal::Links;
