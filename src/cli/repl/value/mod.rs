//! Values as text, by the types that debug information gives.
//!
//! [`types`] is the model of a program's types, [`dwarf`] reads it from an object whose
//! [`sections`] have been relocated, [`spelling`] writes a type in C. [`show`] walks a value
//! that [`memory`] reads safely: [`scalar`] writes numbers ([`decimal`], [`wide`]), [`quote`]
//! characters and strings, [`layout`] breaks what is long over lines. Deliberately knows
//! nothing of sessions, compilers or the runtime: it is given an object and an address.

mod decimal;
mod dwarf;
mod layout;
mod memory;
mod quote;
mod scalar;
mod sections;
mod show;
mod spelling;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_cases;
#[cfg(test)]
mod tests_damage;
mod types;
mod wide;

pub use memory::Memory;
pub use show::{show, show_at_width};
pub use types::{TypeId, Types};
