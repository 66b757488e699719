//! The model of a program's types.
//!
//! Owns what a type is and the questions with one answer: its size, what is behind names and
//! qualifiers. Types refer to each other by number, and numbers may go in circles in damaged
//! input, so every walk is bounded. Deliberately knows neither where types come from nor how
//! they look.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::cli::failure::Failure;

/// Longest chain of names, qualifiers and dimensions that is followed.
const LONGEST_CHAIN: u32 = 256;

/// A type of one [`Types`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeId(pub(super) u32);

/// The types of one object.
#[derive(Debug)]
pub struct Types<'o> {
    pub(super) all: Vec<Kind<'o>>,
    pub(super) variables: HashMap<Cow<'o, str>, TypeId>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'o> {
    Void,
    Base {
        name: Cow<'o, str>,
        encoding: Encoding,
        size: u64,
    },
    /// `nullptr_t`.
    Null,
    Pointer(TypeId),
    Qualified(Qualifier, TypeId),
    Named(Cow<'o, str>, TypeId),
    /// One dimension.
    Array {
        element: TypeId,
        count: Count,
        vector: bool,
    },
    Record {
        union: bool,
        name: Option<Cow<'o, str>>,
        /// Not known of a type that is only declared.
        size: Option<u64>,
        members: Vec<Member<'o>>,
    },
    Enumeration {
        name: Option<Cow<'o, str>>,
        base: Option<TypeId>,
        size: Option<u64>,
        /// By name, the low bits of each value.
        enumerators: Vec<(Cow<'o, str>, u64)>,
    },
    Function(Function),
    /// Not described, or in a way that is not understood.
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Function {
    pub result: TypeId,
    pub parameters: Vec<TypeId>,
    pub variadic: bool,
    pub prototyped: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member<'o> {
    /// None of a structure or union in place.
    pub name: Option<Cow<'o, str>>,
    pub kind: TypeId,
    pub place: Place,
}

/// Where a member is in its structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Bytes(u64),
    /// A bit field: its first bit, counted from the least significant of byte 0, and how many.
    Bits {
        first: u64,
        count: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Boolean,
    Signed,
    Unsigned,
    /// `char`.
    Character,
    /// Of C++ and the like, where they are types of their own.
    Utf,
    Float,
    Complex,
    ComplexInteger,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Qualifier {
    Const,
    Volatile,
    Restrict,
    Atomic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    Known(u64),
    /// `[]`
    Open,
    /// Known when the program runs.
    Variable,
}

impl<'o> Types<'o> {
    /// Reads the debug information of an ELF object.
    ///
    /// # Errors
    ///
    /// The object is none, has no debug information or a damaged one.
    pub fn of(object: &'o [u8]) -> Result<Self, Failure> {
        super::dwarf::read(object)
    }

    /// The type of a variable, or of a function, by its name. What is at file scope goes before
    /// what is in functions.
    pub fn variable(&self, name: &str) -> Option<TypeId> {
        self.variables.get(name).copied()
    }

    /// How many bytes a value takes; none where C has no `sizeof`, or not a constant one.
    pub fn size(&self, of: TypeId) -> Option<u64> {
        let mut at = of;
        let mut times = 1u64;
        for _ in 0..LONGEST_CHAIN {
            let size = match self.kind(at) {
                Kind::Void | Kind::Function(_) | Kind::Unknown => return None,
                Kind::Base { size, .. } => *size,
                Kind::Null | Kind::Pointer(_) => 8,
                Kind::Qualified(_, inner) | Kind::Named(_, inner) => {
                    at = *inner;
                    continue;
                }
                Kind::Array { element, count: Count::Known(count), vector } => {
                    times = times.checked_mul(*count)?;
                    // A vector of three is as large as one of four.
                    if *vector && !count.is_power_of_two() {
                        times = times.checked_div(*count)?.checked_mul(count.checked_next_power_of_two()?)?;
                    }
                    at = *element;
                    continue;
                }
                Kind::Array { .. } => return None,
                Kind::Record { size, .. } => (*size)?,
                Kind::Enumeration { size, .. } => (*size)?,
            };
            return times.checked_mul(size);
        }
        None
    }

    /// What a pointer points at or an array consists of.
    pub fn target(&self, of: TypeId) -> Option<TypeId> {
        match self.kind(self.bare(of)) {
            Kind::Pointer(target) => Some(*target),
            Kind::Array { element, .. } => Some(*element),
            _ => None,
        }
    }

    /// Whether it is an array, by whatever name; a vector is none.
    pub fn is_array(&self, of: TypeId) -> bool {
        matches!(self.kind(self.bare(of)), Kind::Array { vector: false, .. })
    }

    /// Whether there are no values of it.
    pub fn is_void(&self, of: TypeId) -> bool {
        matches!(self.kind(self.bare(of)), Kind::Void)
    }

    /// Whether it is that of functions.
    pub fn is_function(&self, of: TypeId) -> bool {
        matches!(self.kind(self.bare(of)), Kind::Function(_))
    }

    pub(super) fn kind(&self, of: TypeId) -> &Kind<'o> {
        self.all.get(of.0 as usize).unwrap_or(&Kind::Unknown)
    }

    /// The type behind names and qualifiers.
    pub(super) fn bare(&self, of: TypeId) -> TypeId {
        let mut at = of;
        for _ in 0..LONGEST_CHAIN {
            match self.kind(at) {
                Kind::Qualified(_, inner) | Kind::Named(_, inner) => at = *inner,
                _ => break,
            }
        }
        at
    }

    /// Whether one of the names that a type goes by is this.
    pub(super) fn goes_by(&self, of: TypeId, wanted: &str) -> bool {
        let mut at = of;
        for _ in 0..LONGEST_CHAIN {
            match self.kind(at) {
                Kind::Named(name, _) if name == wanted => return true,
                Kind::Qualified(_, inner) | Kind::Named(_, inner) => at = *inner,
                Kind::Base { name, .. } => return name == wanted,
                _ => return false,
            }
        }
        false
    }

    /// Whether integers of this type have a sign.
    pub(super) fn is_signed(&self, of: TypeId) -> bool {
        match self.kind(self.bare(of)) {
            Kind::Base { encoding, .. } => *encoding == Encoding::Signed,
            Kind::Enumeration { base: Some(base), .. } => match self.kind(self.bare(*base)) {
                Kind::Base { encoding, .. } => *encoding == Encoding::Signed,
                _ => false,
            },
            Kind::Enumeration { base: None, size, enumerators, .. } => {
                let sign =
                    1u64.checked_shl(size.unwrap_or(8).saturating_mul(8).saturating_sub(1).min(63) as u32);
                enumerators.iter().any(|(_, value)| sign.is_some_and(|sign| value & sign != 0))
            }
            _ => false,
        }
    }
}
