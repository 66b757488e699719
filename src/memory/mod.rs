//! Memory for generated code and its data.
//!
//! One reservation holds everything, so that every relocation of the small code model is
//! in range; code is written through a second mapping, so that nothing is ever writable
//! and executable; blocks are smaller than pages and are returned when dropped. Layers:
//! [`backing`] is what is mapped, [`os`] maps, [`extents`] keeps the books, [`arena`] hands out blocks. None of them
//! knows what a symbol or an object file is.

mod arena;
mod backing;
mod extents;
mod os;

pub(crate) use arena::{Arena, Block, Lent, Space};
pub(crate) use backing::Tools;
