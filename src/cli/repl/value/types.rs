//! Types as C has them.
//!
//! Owns the model: types by number, of which any may lead to any other, also to itself. Whoever
//! follows it does so for a limited number of steps.

use std::collections::HashMap;

/// How many typedefs and qualifiers are followed: what has more was not written by a compiler.
const STEPS: usize = 200;

/// A type of a [`Types`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeId(pub(super) usize);

/// The types that an object's debug information tells of, as far as they are needed, and the
/// variables that they are of.
#[derive(Debug, Default)]
pub struct Types {
    pub(super) all: Vec<Type>,
    pub(super) variables: HashMap<String, TypeId>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Void,
    Base {
        name: String,
        size: u64,
        encoding: Encoding,
    },
    Pointer(TypeId),
    /// No count: of unknown length, as a flexible array member.
    Array {
        of: TypeId,
        count: Option<u64>,
        vector: bool,
    },
    Record {
        keyword: &'static str,
        name: Option<String>,
        size: Option<u64>,
        members: Vec<Member>,
    },
    Enum {
        name: Option<String>,
        size: u64,
        enumerators: Vec<(String, i128)>,
    },
    Function {
        returns: TypeId,
        parameters: Vec<TypeId>,
        variadic: bool,
        prototyped: bool,
    },
    Named {
        name: String,
        of: TypeId,
    },
    Qualified {
        word: &'static str,
        of: TypeId,
    },
    /// What C has no word for, or what is damaged.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Signed,
    Unsigned,
    /// Of `char` and its like.
    Char {
        signed: bool,
    },
    Bool,
    Float,
    ComplexFloat,
    /// `_BitInt` and whatever comes.
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    pub name: Option<String>,
    pub of: TypeId,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// So many bytes from the start.
    Byte(u64),
    /// A bit-field: its first bit from the start, and how many it has.
    Bits { first: u64, count: u64 },
}

impl Types {
    pub(super) fn get(&self, id: TypeId) -> &Type {
        self.all.get(id.0).unwrap_or(&Type::Unknown)
    }

    /// The type of a variable.
    pub fn variable(&self, name: &str) -> Option<TypeId> {
        self.variables.get(name).copied()
    }

    /// What a pointer of this type leads to; nothing for another type.
    pub fn pointee(&self, id: TypeId) -> Option<TypeId> {
        match self.get(self.plain(id)) {
            Type::Pointer(to) => Some(*to),
            _ => None,
        }
    }

    /// Whether it has no value.
    pub fn is_void(&self, id: TypeId) -> bool {
        matches!(self.get(self.plain(id)), Type::Void)
    }

    /// Whether it is an array, which as a value is a pointer to its first element.
    pub fn is_array(&self, id: TypeId) -> bool {
        matches!(self.get(self.plain(id)), Type::Array { vector: false, .. })
    }

    /// Whether it is a function, which as a value is its address.
    pub fn is_function(&self, id: TypeId) -> bool {
        matches!(self.get(self.plain(id)), Type::Function { .. })
    }

    /// The same without typedefs and qualifiers.
    pub(super) fn plain(&self, mut id: TypeId) -> TypeId {
        for _ in 0..STEPS {
            match self.get(id) {
                Type::Named { of, .. } | Type::Qualified { of, .. } => id = *of,
                _ => break,
            }
        }
        id
    }

    /// The size in bytes, where it is known.
    pub fn size(&self, id: TypeId) -> Option<u64> {
        let (mut id, mut factor) = (id, 1u64);
        for _ in 0..STEPS {
            let size = match self.get(self.plain(id)) {
                Type::Base { size, .. } | Type::Enum { size, .. } => *size,
                Type::Pointer(_) => 8,
                Type::Record { size, .. } => (*size)?,
                Type::Array { of, count, vector } => {
                    // A vector of three takes as much as one of four.
                    let count = (*count)?;
                    factor = factor.checked_mul(if *vector {
                        count.checked_next_power_of_two()?
                    } else {
                        count
                    })?;
                    id = *of;
                    continue;
                }
                Type::Void
                | Type::Function { .. }
                | Type::Named { .. }
                | Type::Qualified { .. }
                | Type::Unknown => {
                    return None;
                }
            };
            return size.checked_mul(factor);
        }
        None
    }

    /// The name by which a character type is known, of those for text: `char`, or the typedef of a
    /// wider one.
    pub(super) fn text(&self, mut id: TypeId) -> Option<(&str, u64)> {
        for _ in 0..STEPS {
            match self.get(id) {
                Type::Named { name, .. } if matches!(&**name, "wchar_t" | "char16_t" | "char32_t") => {
                    return Some((name, self.size(id)?));
                }
                Type::Named { of, .. } | Type::Qualified { of, .. } => id = *of,
                Type::Base { name, size: 1, encoding: Encoding::Char { .. } } if name == "char" => {
                    return Some((name, 1));
                }
                _ => break,
            }
        }
        None
    }
}
