//! The records of a module's functions, variables, aliases and ifuncs.
//!
//! Owns the places of the operands. What they mean for a digest or a slice is said there.

use std::sync::Arc;

use super::bitstream::Record;
use super::{NotUnderstood, Understood};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Variable,
    Function,
    Alias,
    Ifunc,
}

/// Codes of the records within a MODULE block.
pub(super) mod code {
    pub const VERSION: u32 = 1;
    pub const TRIPLE: u32 = 2;
    pub const DATALAYOUT: u32 = 3;
    pub const ASM: u32 = 4;
    pub const SECTIONNAME: u32 = 5;
    pub const GLOBALVAR: u32 = 7;
    pub const FUNCTION: u32 = 8;
    pub const GCNAME: u32 = 11;
    pub const COMDAT: u32 = 12;
    pub const VSTOFFSET: u32 = 13;
    pub const ALIAS: u32 = 14;
    pub const SOURCE_FILENAME: u32 = 16;
    pub const HASH: u32 = 17;
    pub const IFUNC: u32 = 18;
}

/// Where the operands stand.
pub(super) mod place {
    pub const NAME: usize = 0;
    pub const TYPE: usize = 2;
    pub const LINKAGE: usize = 5;

    pub mod function {
        pub const CALL_CONVENTION: usize = 3;
        pub const IS_DECLARATION: usize = 4;
        pub const ATTRIBUTES: usize = 6;
        pub const SECTION: usize = 8;
        pub const VISIBILITY: usize = 9;
        pub const GC: usize = 10;
        pub const PROLOGUE: usize = 12;
        pub const DLL: usize = 13;
        pub const COMDAT: usize = 14;
        pub const PREFIX: usize = 15;
        pub const PERSONALITY: usize = 16;
        pub const DSO_LOCAL: usize = 17;
        pub const ADDRESS_SPACE: usize = 18;
        pub const PARTITION: usize = 19;
        pub const COUNT: usize = 21;
    }

    pub mod variable {
        pub const FLAGS: usize = 3;
        pub const INITIALISER: usize = 4;
        pub const SECTION: usize = 7;
        pub const VISIBILITY: usize = 8;
        pub const THREAD_LOCAL: usize = 9;
        pub const DLL: usize = 12;
        pub const COMDAT: usize = 13;
        pub const ATTRIBUTES: usize = 14;
        pub const DSO_LOCAL: usize = 15;
        pub const PARTITION: usize = 16;
        /// What is usual for all that follows is left out.
        pub const SHORT: usize = 8;
        pub const COUNT: usize = 20;
    }

    pub mod alias {
        pub const ADDRESS_SPACE: usize = 3;
        pub const OF: usize = 4;
        pub const THREAD_LOCAL: usize = 8;
        pub const PARTITION: usize = 11;
        pub const COUNT: usize = 13;
    }

    pub mod ifunc {
        pub const PARTITION: usize = 8;
        pub const COUNT: usize = 10;
    }
}

/// Linkages as they are written.
pub(super) mod linkage {
    pub const EXTERNAL: u64 = 0;
    pub const APPENDING: u64 = 2;
    pub const INTERNAL: u64 = 3;
    pub const EXTERN_WEAK: u64 = 7;
    pub const COMMON: u64 = 8;
    pub const PRIVATE: u64 = 9;
    pub const AVAILABLE_EXTERNALLY: u64 = 12;
    pub const WEAK: u64 = 16;
    pub const WEAK_ODR: u64 = 17;
    pub const LINKONCE: u64 = 18;
    pub const LINKONCE_ODR: u64 = 19;
}

/// A global value: its number is its place in the list.
pub(super) struct Global {
    pub kind: Kind,
    pub name: Arc<str>,
    /// All operands, those of the name included.
    pub ops: Vec<u64>,
}

impl Global {
    /// The global of a record, or `None` when it is a record of something else.
    pub fn read(record: &Record<'_>, strtab: &[u8]) -> Understood<Option<Self>> {
        let count = record.ops.len();
        let (kind, known) = match record.code {
            code::GLOBALVAR => {
                (Kind::Variable, count == place::variable::SHORT || count == place::variable::COUNT)
            }
            code::FUNCTION => (Kind::Function, count == place::function::COUNT),
            code::ALIAS => (Kind::Alias, count == place::alias::COUNT),
            code::IFUNC => (Kind::Ifunc, count == place::ifunc::COUNT),
            _ => return Ok(None),
        };
        if !known {
            return Err(NotUnderstood("a global value with more or less said of it"));
        }
        let name = string(&record.ops, place::NAME, strtab)?;
        let name = std::str::from_utf8(name).map_err(|_| NotUnderstood("a name is not text"))?;
        let global = Self { kind, name: name.into(), ops: record.ops.clone() };
        match global.linkage() {
            linkage::EXTERNAL
            | linkage::APPENDING
            | linkage::INTERNAL
            | linkage::EXTERN_WEAK
            | linkage::COMMON
            | linkage::PRIVATE
            | linkage::AVAILABLE_EXTERNALLY
            | linkage::WEAK
            | linkage::WEAK_ODR
            | linkage::LINKONCE
            | linkage::LINKONCE_ODR => {}
            _ => return Err(NotUnderstood("an unknown linkage")),
        }
        // An explicit type and not that of a typed pointer.
        if kind == Kind::Variable && global.op(place::variable::FLAGS) & 2 == 0 {
            return Err(NotUnderstood("a variable without a type"));
        }
        Ok(Some(global))
    }

    /// An operand; what is left out is 0.
    pub fn op(&self, place: usize) -> u64 {
        self.ops.get(place).copied().unwrap_or(0)
    }

    pub fn linkage(&self) -> u64 {
        self.op(place::LINKAGE)
    }

    pub fn is_local(&self) -> bool {
        matches!(self.linkage(), linkage::INTERNAL | linkage::PRIVATE)
    }

    pub fn is_function(&self) -> bool {
        self.kind == Kind::Function
    }

    pub fn has_body(&self) -> bool {
        self.is_function() && self.op(place::function::IS_DECLARATION) == 0
    }

    /// Another string than its name belongs to it.
    pub fn has_partition(&self) -> bool {
        let partition = match self.kind {
            Kind::Function => place::function::PARTITION,
            Kind::Variable => place::variable::PARTITION,
            Kind::Alias => place::alias::PARTITION,
            Kind::Ifunc => place::ifunc::PARTITION,
        };
        self.op(partition + 1) > 0
    }

    /// The value number of a variable's initialiser.
    pub fn initialiser(&self) -> Option<u64> {
        if self.kind == Kind::Variable { self.op(place::variable::INITIALISER).checked_sub(1) } else { None }
    }

    pub fn is_constant(&self) -> bool {
        self.kind == Kind::Variable && self.op(place::variable::FLAGS) & 1 != 0
    }

    /// What an alias or an ifunc leads to.
    pub fn aliasee(&self) -> Option<u64> {
        matches!(self.kind, Kind::Alias | Kind::Ifunc).then(|| self.op(place::alias::OF))
    }
}

/// A string of the string table, given by its offset and length at `at`.
pub(super) fn string<'a>(ops: &[u64], at: usize, strtab: &'a [u8]) -> Understood<&'a [u8]> {
    let [offset, length, ..] = ops.get(at..).unwrap_or_default() else {
        return Err(NotUnderstood("a name is missing"));
    };
    let range =
        usize::try_from(*offset).ok().zip(offset.checked_add(*length).and_then(|e| e.try_into().ok()));
    range
        .and_then(|(from, to)| strtab.get(from..to))
        .ok_or(NotUnderstood("a name is outside the string table"))
}
