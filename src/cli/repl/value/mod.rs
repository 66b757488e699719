//! Values as text, by the types that debug information gives.
//!
//! [`dwarf`] reads the types of an object into [`types`]; [`spelling`] writes one as C does.
//! [`show`] makes a value's text, of [`scalar`]s, by [`memory`] that may not be there, and
//! [`layout`] breaks it over lines. None of it knows whose value it is.

mod dwarf;
mod layout;
mod long_double;
mod memory;
mod scalar;
mod show;
mod spelling;
#[cfg(test)]
mod tests;
mod types;

pub use memory::pointer_at;
pub use show::show;
pub use types::Types;
