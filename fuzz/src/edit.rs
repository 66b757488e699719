//! Damage with an aim: fields of the tables of a valid object, not only bytes.
//!
//! A random byte mostly hits code or a string. What the linker decides by are section
//! headers, symbols, relocations and unwind records, so an edit names one of them. The
//! tables' places are read from the undamaged seed.

use std::sync::LazyLock;

use arbitrary::Arbitrary;

/// The objects of the corpus. Nothing in them runs by itself.
const SEEDS: &[&[u8]] = &[
    include_bytes!("../corpus/object/c-clang-O2-pic.o"),
    include_bytes!("../corpus/object/c-gcc-O2-pic.o"),
    include_bytes!("../corpus/object/c-gcc-O1-sections-pic.o"),
    include_bytes!("../corpus/object/cc-clang-O1-pic.o"),
    include_bytes!("../corpus/object/cc-gcc-O2-pic.o"),
    include_bytes!("../corpus/object/tls-clang-O2-pic.o"),
    include_bytes!("../corpus/object/tls-gcc-O2-pic.o"),
    include_bytes!("../corpus/object/tls-gcc-O2-tlsdesc.o"),
    include_bytes!("../corpus/object/tls-clang-O1-initial-exec.o"),
    include_bytes!("../corpus/object/odd-clang-O1-pic.o"),
    include_bytes!("../corpus/object/odd-gcc-O1-pic.o"),
    include_bytes!("../corpus/object/common-gcc-O1-pic.o"),
];

/// One change. Indices are taken modulo the number of things there are.
#[derive(Debug, Arbitrary)]
pub enum Edit {
    /// A field of a section header: type, flags, size, link, alignment and so on.
    Header {
        index: u8,
        field: u8,
        value: Value,
    },
    /// A field of a symbol.
    Symbol {
        index: u8,
        field: u8,
        value: Value,
    },
    /// Offset, type, symbol or addend of a relocation.
    Relocation {
        section: u8,
        index: u16,
        field: u8,
        value: Value,
    },
    /// A byte of a section.
    Byte {
        section: u8,
        at: u16,
        value: u8,
    },
    /// Bits of any byte.
    Flip {
        at: u16,
        bits: u8,
    },
    Truncate {
        by: u16,
    },
}

/// A number: random ones are seldom close to a border.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Value {
    Small(u8),
    Negative(u8),
    /// Near a power of two.
    Power {
        shift: u8,
        less: u8,
    },
    /// What stood there, changed a little.
    Near(i8),
    Any(u64),
}

/// A seed with edits.
#[derive(Debug, Arbitrary)]
pub struct Damaged {
    pub seed: u8,
    pub edits: Vec<Edit>,
}

#[derive(Clone, Copy)]
struct Table {
    at: usize,
    size: usize,
}

struct Seed {
    bytes: &'static [u8],
    headers: Table,
    symbols: Table,
    relocations: Vec<Table>,
    sections: Vec<Table>,
}

static TABLES: LazyLock<Vec<Seed>> = LazyLock::new(|| SEEDS.iter().map(|bytes| Seed::read(bytes)).collect());

/// Offset and width of each field of a section header, a symbol, a relocation.
const HEADER: &[(usize, usize)] =
    &[(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)];
const SYMBOL: &[(usize, usize)] = &[(0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8)];
const RELOCATION: &[(usize, usize)] = &[(0, 8), (8, 4), (12, 4), (16, 8)];

fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    let mut word = [0; 8];
    word[..width].copy_from_slice(&bytes[at..at + width]);
    u64::from_le_bytes(word)
}

impl Seed {
    fn read(bytes: &'static [u8]) -> Self {
        let at = number(bytes, 0x28, 8) as usize;
        let headers = Table { at, size: number(bytes, 0x3c, 2) as usize * 64 };
        let mut seed =
            Self { bytes, headers, symbols: Table { at, size: 0 }, relocations: vec![], sections: vec![] };
        for header in (at..at + headers.size).step_by(64) {
            let size = number(bytes, header + 32, 8) as usize;
            let table = Table { at: number(bytes, header + 24, 8) as usize, size };
            match number(bytes, header + 4, 4) {
                2 => seed.symbols = table,
                4 if size > 0 => seed.relocations.push(table),
                1 if size > 0 => seed.sections.push(table),
                _ => {}
            }
        }
        assert!(seed.symbols.size > 0 && !seed.relocations.is_empty() && !seed.sections.is_empty());
        seed
    }
}

impl Value {
    fn get(self, old: u64) -> u64 {
        match self {
            Self::Small(n) => n.into(),
            Self::Negative(n) => u64::from(n).wrapping_neg(),
            Self::Power { shift, less } => (1u64 << (shift % 64)).wrapping_sub((less % 3).into()),
            Self::Near(by) => old.wrapping_add_signed(by.into()),
            Self::Any(n) => n,
        }
    }
}

fn set(bytes: &mut [u8], table: Table, width: usize, index: usize, field: (usize, usize), value: Value) {
    let at = table.at + index % (table.size / width) * width + field.0;
    let value = value.get(number(bytes, at, field.1));
    bytes[at..at + field.1].copy_from_slice(&value.to_le_bytes()[..field.1]);
}

impl Damaged {
    /// The undamaged seed.
    pub fn seed(&self) -> &'static [u8] {
        SEEDS[usize::from(self.seed) % SEEDS.len()]
    }

    pub fn bytes(&self) -> Vec<u8> {
        let seed = &TABLES[usize::from(self.seed) % SEEDS.len()];
        let mut bytes = seed.bytes.to_vec();
        let mut length = bytes.len();
        for edit in &self.edits {
            match *edit {
                Edit::Header { index, field, value } => {
                    let field = HEADER[usize::from(field) % HEADER.len()];
                    set(&mut bytes, seed.headers, 64, index.into(), field, value);
                }
                Edit::Symbol { index, field, value } => {
                    let field = SYMBOL[usize::from(field) % SYMBOL.len()];
                    set(&mut bytes, seed.symbols, 24, index.into(), field, value);
                }
                Edit::Relocation { section, index, field, value } => {
                    let table = seed.relocations[usize::from(section) % seed.relocations.len()];
                    let field = RELOCATION[usize::from(field) % RELOCATION.len()];
                    set(&mut bytes, table, 24, index.into(), field, value);
                }
                Edit::Byte { section, at, value } => {
                    let table = seed.sections[usize::from(section) % seed.sections.len()];
                    bytes[table.at + usize::from(at) % table.size] = value;
                }
                Edit::Flip { at, bits } => {
                    let at = usize::from(at) % bytes.len();
                    bytes[at] ^= bits;
                }
                Edit::Truncate { by } => length = bytes.len().saturating_sub(by.into()),
            }
        }
        bytes.truncate(length);
        bytes
    }
}

/// Objects that a runtime may hold while others are checked against them.
pub fn seeds() -> &'static [&'static [u8]] {
    SEEDS
}
