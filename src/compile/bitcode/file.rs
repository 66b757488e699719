//! A bitcode file: its header, its blocks outside all others, and the module's outline.
//!
//! The outline is what both a slice and a summary begin with: types, global values and
//! constants, and where the function bodies lie. Metadata and attributes are left to the
//! summary.

use std::collections::VecDeque;

use super::bitstream::{Block, BlockInfo, Entry, Reader, Record};
use super::constants::{BLOCK_ADDRESS, Constant, Constants, Operand, operands};
use super::globals::{Global, code};
use super::types::Types;
use super::{NotUnderstood, Understood};

/// Kinds of blocks.
pub(super) mod block {
    pub const INFO: u32 = 0;
    pub const MODULE: u32 = 8;
    pub const ATTRIBUTES: u32 = 9;
    pub const ATTRIBUTE_GROUPS: u32 = 10;
    pub const CONSTANTS: u32 = 11;
    pub const FUNCTION: u32 = 12;
    pub const IDENTIFICATION: u32 = 13;
    pub const VALUE_NAMES: u32 = 14;
    pub const METADATA: u32 = 15;
    pub const ATTACHMENTS: u32 = 16;
    pub const TYPES: u32 = 17;
    pub const USE_LISTS: u32 = 18;
    pub const SUMMARY: u32 = 20;
    pub const BUNDLE_TAGS: u32 = 21;
    pub const METADATA_KINDS: u32 = 22;
    pub const STRTAB: u32 = 23;
    pub const FULL_SUMMARY: u32 = 24;
    pub const SYMTAB: u32 = 25;
    pub const SYNC_SCOPES: u32 = 26;
}

pub(super) const MAGIC: [u8; 4] = *b"BC\xc0\xde";
const WRAPPER: [u8; 4] = [0xde, 0xc0, 0x17, 0x0b];

/// The parts of a file.
pub(super) struct File<'a> {
    /// The file without a wrapper, so that words lie on words.
    pub bytes: &'a [u8],
    pub identification: Option<Block>,
    pub module: Block,
    pub strtab: &'a [u8],
    pub strtab_block: Block,
}

impl<'a> File<'a> {
    pub fn read(bytes: &'a [u8]) -> Understood<Self> {
        let bytes = unwrapped(bytes)?;
        if bytes.get(..4) != Some(&MAGIC[..]) {
            return Err(NotUnderstood("it is not bitcode"));
        }
        // LLVM ignores what does not fill a word.
        let end = bytes.len() / 4 * 32;
        let mut reader = Reader::top_level(bytes, 32, end);
        let mut record = Record::default();
        let (mut identification, mut module, mut strtab) = (None, None, None);
        while !reader.is_at_end() {
            let Entry::Block(found) = reader.next(&mut record)? else {
                return Err(NotUnderstood("something outside of all blocks"));
            };
            let before = match found.id {
                block::IDENTIFICATION => identification.replace(found),
                block::MODULE => module.replace(found),
                block::STRTAB => strtab.replace(found),
                block::SYMTAB => None,
                _ => return Err(NotUnderstood("an unknown block")),
            };
            if before.is_some() {
                return Err(NotUnderstood("more than one module"));
            }
        }
        let (Some(module), Some(strtab_block)) = (module, strtab) else {
            return Err(NotUnderstood("no module or no string table"));
        };
        if let Some(found) = &identification {
            check_epoch(bytes, found)?;
        }
        let strtab = blob_of(bytes, &strtab_block)?;
        Ok(Self { bytes, identification, module, strtab, strtab_block })
    }
}

/// What a wrapper header wraps.
fn unwrapped(bytes: &[u8]) -> Understood<&[u8]> {
    if bytes.get(..4) != Some(&WRAPPER[..]) {
        return Ok(bytes);
    }
    let field = |at: usize| -> Option<usize> {
        let word = bytes.get(at..at + 4)?;
        Some(u32::from_le_bytes(word.try_into().ok()?) as usize)
    };
    let range = field(8).zip(field(12)).and_then(|(offset, size)| Some(offset..offset.checked_add(size)?));
    range.and_then(|range| bytes.get(range)).ok_or(NotUnderstood("the wrapper is damaged"))
}

fn check_epoch(bytes: &[u8], found: &Block) -> Understood<()> {
    let mut reader = Reader::new(bytes, found, &BlockInfo::default());
    let mut record = Record::default();
    loop {
        match reader.next(&mut record)? {
            Entry::End => return Ok(()),
            Entry::Block(_) => return Err(NotUnderstood("a block within the identification")),
            // EPOCH
            Entry::Record if record.code == 2 && record.op(0)? != 0 => {
                return Err(NotUnderstood("another epoch of bitcode"));
            }
            Entry::Record | Entry::Abbreviation => {}
        }
    }
}

fn blob_of<'a>(bytes: &'a [u8], found: &Block) -> Understood<&'a [u8]> {
    let mut reader = Reader::new(bytes, found, &BlockInfo::default());
    let mut record = Record::default();
    loop {
        match reader.next(&mut record)? {
            Entry::Record if record.code == 1 => return Ok(record.blob),
            Entry::Record | Entry::Abbreviation => {}
            Entry::End | Entry::Block(_) => return Err(NotUnderstood("no string table")),
        }
    }
}

/// Types, globals, constants and bodies of a module.
#[derive(Default)]
pub(super) struct Outline {
    pub info: BlockInfo,
    pub types: Types,
    pub globals: Vec<Global>,
    pub constants: Constants,
    /// For each global whether it is a function with a body, and where that is.
    pub bodies: Vec<Option<Block>>,
    unmet: VecDeque<usize>,
    /// Constants of the function being read, and the number of the first.
    pub local: Constants,
    pub local_base: u64,
}

impl Outline {
    /// Takes a block if it belongs to the outline.
    pub fn block<'a>(&mut self, bytes: &'a [u8], found: Block, record: &mut Record<'a>) -> Understood<bool> {
        match found.id {
            block::INFO => self.info.read(bytes, &found)?,
            block::TYPES => self.types.read(bytes, &found, &self.info)?,
            block::CONSTANTS => self.constants.read(bytes, &found, &self.info, record)?,
            // Bodies come in the order of the functions that have one.
            block::FUNCTION => match self.unmet.pop_front() {
                Some(function) => self.bodies[function] = Some(found),
                None => return Err(NotUnderstood("a body without a function")),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes a record if it belongs to the outline.
    pub fn record(&mut self, record: &Record<'_>, strtab: &[u8]) -> Understood<bool> {
        if record.code == code::VERSION && record.op(0)? != 2 {
            return Err(NotUnderstood("names are not in a string table"));
        }
        let Some(global) = Global::read(record, strtab)? else {
            return Ok(false);
        };
        if !self.constants.list.is_empty() {
            return Err(NotUnderstood("a global value after the constants"));
        }
        if global.has_body() {
            self.unmet.push_back(self.globals.len());
        }
        self.globals.push(global);
        self.bodies.push(None);
        Ok(true)
    }

    pub fn finish(&self) -> Understood<()> {
        if self.unmet.is_empty() { Ok(()) } else { Err(NotUnderstood("a function without its body")) }
    }

    /// A constant by its number, its operands, and its place among all constants.
    pub fn constant(&self, value: u64) -> Understood<(&Constant, &[u64], usize)> {
        let unknown = NotUnderstood("an unknown constant");
        let index = value.checked_sub(self.globals.len() as u64).ok_or(unknown)?;
        let count = self.constants.list.len() as u64;
        if index < count {
            let constant = &self.constants.list[index as usize];
            return Ok((constant, self.constants.ops(constant), index as usize));
        }
        let local = value.checked_sub(self.local_base).ok_or(unknown)?;
        let constant =
            usize::try_from(local).ok().and_then(|local| self.local.list.get(local)).ok_or(unknown)?;
        Ok((constant, self.local.ops(constant), (count + local) as usize))
    }

    /// Calls `visit` for every global that the constant `from` is made of.
    ///
    /// `seen` keeps what has been visited; its users decide how long.
    pub fn reach(
        &self,
        from: u64,
        seen: &mut Seen,
        visit: &mut impl FnMut(Reached) -> Understood<()>,
    ) -> Understood<()> {
        let globals = self.globals.len() as u64;
        seen.stack.clear();
        seen.stack.push(from);
        while let Some(value) = seen.stack.pop() {
            if value < globals {
                visit(Reached::Global(value as usize))?;
                continue;
            }
            let (constant, ops, index) = self.constant(value)?;
            if !seen.mark(index) {
                continue;
            }
            if constant.code == BLOCK_ADDRESS {
                visit(Reached::BlockOf(ops.get(1).copied().unwrap_or(u64::MAX)))?;
            }
            let first = seen.stack.len();
            operands(constant.code, ops, &mut |operand| {
                if let Operand::Value(value) = operand {
                    seen.stack.push(value);
                }
                Ok(())
            })?;
            // So that operands are met in their order.
            seen.stack[first..].reverse();
        }
        Ok(())
    }
}

/// What a constant leads to.
pub(super) enum Reached {
    Global(usize),
    /// The address of a block of a function, in a constant with this index.
    BlockOf(u64),
}

/// Which constants have been visited in the current round.
#[derive(Default)]
pub(super) struct Seen {
    round: u32,
    at: Vec<u32>,
    stack: Vec<u64>,
}

impl Seen {
    /// Begins a round in which nothing has been visited.
    pub fn forget(&mut self) {
        self.round += 1;
    }

    fn mark(&mut self, index: usize) -> bool {
        if self.at.len() <= index {
            self.at.resize(index + 1, 0);
        }
        std::mem::replace(&mut self.at[index], self.round) != self.round
    }
}
