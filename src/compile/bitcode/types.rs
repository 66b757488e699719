//! The types of a module, by number.
//!
//! A type's digest is that of its structure: names of structs do not count, because LLVM makes
//! them unique by numbers that any other type can shift. With opaque pointers no type contains
//! itself, and LLVM writes what a type is made of first.

use std::ops::Range;

use super::bitstream::{Block, BlockInfo, Entry, Reader, Record};
use super::digest::{Content, Digest};
use super::{NotUnderstood, Understood};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Void,
    Label,
    Metadata,
    Function { variadic: bool, result: u32 },
    Other,
}

pub(super) struct Type {
    pub kind: Kind,
    pub digest: Digest,
    parameters: Range<u32>,
}

#[derive(Default)]
pub(super) struct Types {
    list: Vec<Type>,
    pool: Vec<u32>,
    pointer: Option<u64>,
}

impl Types {
    pub fn get(&self, id: u64) -> Understood<&Type> {
        usize::try_from(id).ok().and_then(|id| self.list.get(id)).ok_or(NotUnderstood("an unknown type"))
    }

    /// The types of a function type's parameters.
    pub fn parameters(&self, of: &Type) -> &[u32] {
        self.pool.get(of.parameters.start as usize..of.parameters.end as usize).unwrap_or_default()
    }

    /// The type of ordinary pointers, if it is among them.
    pub fn pointer(&self) -> Option<u64> {
        self.pointer
    }

    /// Reads a TYPE block.
    pub fn read(&mut self, bytes: &[u8], block: &Block, info: &BlockInfo) -> Understood<()> {
        let mut reader = Reader::new(bytes, block, info);
        let mut record = Record::default();
        let mut content = Content::default();
        let mut name = Vec::new();
        loop {
            match reader.next(&mut record)? {
                Entry::End => return Ok(()),
                Entry::Block(_) => return Err(NotUnderstood("a block within the types")),
                Entry::Abbreviation => {}
                // NUMENTRY, STRUCT_NAME
                Entry::Record if record.code == 1 => {}
                Entry::Record if record.code == 19 => name = record.text(0),
                Entry::Record => {
                    let r#type = self.one(&record, &name, &mut content)?;
                    if (record.code, &record.ops[..]) == (25, &[0]) {
                        self.pointer = Some(self.list.len() as u64);
                    }
                    self.list.push(r#type);
                    name.clear();
                }
            }
        }
    }

    fn one(&mut self, record: &Record<'_>, name: &[u8], content: &mut Content) -> Understood<Type> {
        let ops = &record.ops[..];
        content.number(u64::from(record.code));
        let start = self.pool.len() as u32;
        let mut kind = Kind::Other;
        match (record.code, ops) {
            (2, []) => kind = Kind::Void,
            (5, []) => kind = Kind::Label,
            (16, []) => kind = Kind::Metadata,
            // Floating point, MMX and AMX, tokens.
            (3 | 4 | 10 | 13 | 14 | 15 | 17 | 22 | 23 | 24, []) => {}
            // INTEGER, OPAQUE_POINTER
            (7 | 25, [number]) => content.number(*number),
            // OPAQUE: has no structure.
            (6, _) => content.bytes(name),
            // ARRAY, VECTOR
            (11 | 12, [count, element, rest @ ..]) => {
                content.number(*count);
                content.digest(self.get(*element)?.digest);
                content.numbers(rest);
            }
            // STRUCT_ANON, STRUCT_NAMED: no difference but the name.
            (18 | 20, [packed, elements @ ..]) => {
                content.finish();
                content.number(18);
                content.number(*packed);
                content.number(elements.len() as u64);
                for element in elements {
                    content.digest(self.get(*element)?.digest);
                }
            }
            // FUNCTION
            (21, [variadic, result, parameters @ ..]) => {
                kind = Kind::Function { variadic: *variadic != 0, result: *result as u32 };
                content.number(*variadic);
                content.digest(self.get(*result)?.digest);
                content.number(parameters.len() as u64);
                for parameter in parameters {
                    content.digest(self.get(*parameter)?.digest);
                    self.pool.push(*parameter as u32);
                }
            }
            // TARGET_TYPE: the number of its types, them, its numbers.
            (26, [count, rest @ ..]) if *count <= rest.len() as u64 => {
                let (types, numbers) = rest.split_at(*count as usize);
                content.bytes(name);
                content.number(*count);
                for inner in types {
                    content.digest(self.get(*inner)?.digest);
                }
                content.numbers(numbers);
            }
            _ => return Err(NotUnderstood("an unknown kind of type")),
        }
        Ok(Type { kind, digest: content.finish(), parameters: start..self.pool.len() as u32 })
    }
}
