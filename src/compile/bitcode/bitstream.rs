//! The container of bitcode: bits, blocks, abbreviations and records.
//!
//! Reads one block at a time and hands out its records one after the other. It knows nothing of
//! what blocks and records mean. Every length is checked against what is left of the block, so
//! damaged input costs no more memory than a multiple of its size.

use std::sync::Arc;

use super::{NotUnderstood, Understood};

/// The widest field LLVM reads in one go.
const WIDEST: u64 = 32;

/// Reads bits, the lowest of each byte first.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], at: usize, end: usize) -> Self {
        Self { bytes, at, end: end.min(bytes.len().saturating_mul(8)) }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    /// At least 57 bits from where the cursor is, as far as there are any.
    #[inline]
    fn peek(&self) -> u64 {
        let byte = self.at >> 3;
        let word = match self.bytes.get(byte..byte + 8) {
            Some(&[a, b, c, d, e, f, g, h]) => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => {
                let rest = self.bytes.get(byte..).unwrap_or_default();
                rest.iter().take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
            }
        };
        word >> (self.at & 7)
    }

    #[inline]
    fn advance(&mut self, bits: usize) -> Understood<()> {
        self.at += bits;
        if self.at > self.end { Err(NotUnderstood("it ends too early")) } else { Ok(()) }
    }

    /// A field of at most 32 bits.
    #[inline]
    pub fn fixed(&mut self, width: u32) -> Understood<u64> {
        let value = self.peek() & ((1 << width) - 1);
        self.advance(width as usize)?;
        Ok(value)
    }

    /// A number in chunks of `width` bits, the highest of which says that another follows.
    #[inline]
    pub fn vbr(&mut self, width: u32) -> Understood<u64> {
        let more = 1u64 << (width - 1);
        let mut value = 0;
        let mut shift = 0;
        loop {
            let chunk = self.fixed(width)?;
            value |= (chunk & (more - 1)) << shift;
            if chunk & more == 0 {
                return Ok(value);
            }
            shift += width - 1;
            if shift >= 64 {
                return Err(NotUnderstood("a number is too long"));
            }
        }
    }

    /// Many numbers in chunks of 6 bits: most of what there is to read.
    #[inline]
    fn vbr6s(&mut self, count: usize, into: &mut Vec<u64>) -> Understood<()> {
        // What is behind the end reads as something, and is refused when all has been read.
        let (mut word, mut bits) = (self.peek(), 57);
        for _ in 0..count {
            let (mut value, mut shift) = (0, 0);
            loop {
                if bits < 6 {
                    (word, bits) = (self.peek(), 57);
                }
                let chunk = word & 63;
                (word, bits) = (word >> 6, bits - 6);
                self.at += 6;
                value |= (chunk & 31) << shift;
                if chunk & 32 == 0 {
                    break;
                }
                shift += 5;
                if shift >= 64 {
                    return Err(NotUnderstood("a number is too long"));
                }
            }
            into.push(value);
        }
        self.advance(0)
    }

    fn align(&mut self) -> Understood<()> {
        self.advance(self.at.next_multiple_of(32) - self.at)
    }

    fn left(&self) -> usize {
        self.end.saturating_sub(self.at)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Literal(u64),
    Fixed(u32),
    Vbr(u32),
    Char6,
    Array,
    Blob,
}

type Abbreviation = Arc<[Field]>;

/// The abbreviations that a BLOCKINFO block declares for blocks of other kinds.
#[derive(Default)]
pub(super) struct BlockInfo {
    of: Vec<(u32, Arc<[Abbreviation]>)>,
}

impl BlockInfo {
    fn abbreviations(&self, block: u32) -> Arc<[Abbreviation]> {
        self.of.iter().find(|(id, _)| *id == block).map(|(_, a)| a.clone()).unwrap_or_default()
    }

    /// Reads a BLOCKINFO block.
    pub fn read(&mut self, bytes: &[u8], block: &Block) -> Understood<()> {
        let mut reader = Reader::new(bytes, block, &BlockInfo::default());
        let mut record = Record::default();
        let mut current = None;
        loop {
            match reader.next(&mut record)? {
                Entry::End => return Ok(()),
                Entry::Block(_) => return Err(NotUnderstood("a block within the block information")),
                Entry::Abbreviation => {
                    // The definition is for another kind of block, not for this one.
                    let (Some(id), Some(abbreviation)) = (current, reader.abbreviations.pop()) else {
                        return Err(NotUnderstood("an abbreviation for no block"));
                    };
                    match self.of.iter_mut().find(|(of, _)| *of == id) {
                        Some((_, list)) => *list = list.iter().cloned().chain([abbreviation]).collect(),
                        None => self.of.push((id, [abbreviation].into())),
                    }
                }
                // SETBID
                Entry::Record if record.code == 1 => current = record.ops.first().map(|id| *id as u32),
                Entry::Record => {}
            }
        }
    }
}

/// A record. Kept by the caller, so that reading one allocates nothing.
#[derive(Default)]
pub(super) struct Record<'a> {
    pub code: u32,
    pub ops: Vec<u64>,
    pub blob: &'a [u8],
}

impl Record<'_> {
    pub fn op(&self, index: usize) -> Understood<u64> {
        self.ops.get(index).copied().ok_or(NotUnderstood("a record is too short"))
    }

    /// The operands from `from` on, as text.
    pub fn text(&self, from: usize) -> Vec<u8> {
        self.ops.iter().skip(from).map(|c| *c as u8).collect()
    }
}

/// Where a block lies, in bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub id: u32,
    /// Width of the abbreviation ids within.
    pub width: u32,
    /// Where the content begins, on a word.
    pub body: usize,
    /// Where the block ends, on a word.
    pub end: usize,
}

impl Block {
    /// What is in it; empty where the file is shorter.
    pub fn content<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.body / 8..self.end / 8).unwrap_or_default()
    }
}

pub(super) enum Entry {
    Block(Block),
    /// The record has been read.
    Record,
    /// An abbreviation was defined.
    Abbreviation,
    End,
}

/// Reads the entries of one block.
pub(super) struct Reader<'a> {
    cursor: Cursor<'a>,
    width: u32,
    /// Those of all blocks of the kind, and those that the block defines itself.
    common: Arc<[Abbreviation]>,
    abbreviations: Vec<Abbreviation>,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], block: &Block, info: &BlockInfo) -> Self {
        let cursor = Cursor::new(bytes, block.body, block.end);
        let common = info.abbreviations(block.id);
        Self { cursor, width: block.width, common, abbreviations: Vec::new() }
    }

    /// Reads what stands outside all blocks: only blocks.
    pub fn top_level(bytes: &'a [u8], from: usize, to: usize) -> Self {
        let (common, abbreviations) = Default::default();
        Self { cursor: Cursor::new(bytes, from, to), width: 2, common, abbreviations }
    }

    /// Where the next entry begins.
    pub fn at(&self) -> usize {
        self.cursor.at()
    }

    pub fn is_at_end(&self) -> bool {
        self.cursor.is_at_end()
    }

    /// Passes over entries that need not be read.
    pub fn skip(&mut self, bits: usize) -> Understood<()> {
        self.cursor.advance(bits)
    }

    #[inline]
    pub fn next(&mut self, record: &mut Record<'a>) -> Understood<Entry> {
        match self.cursor.fixed(self.width)? {
            0 => self.cursor.align().map(|()| Entry::End),
            1 => self.block().map(Entry::Block),
            2 => self.define().map(|()| Entry::Abbreviation),
            3 => self.unabbreviated(record).map(|()| Entry::Record),
            id => self.abbreviated(id as usize - 4, record).map(|()| Entry::Record),
        }
    }

    fn block(&mut self) -> Understood<Block> {
        let id = self.cursor.vbr(8)? as u32;
        let width = self.cursor.vbr(4)?;
        if !(2..=WIDEST).contains(&width) {
            return Err(NotUnderstood("the width of a block's abbreviation ids"));
        }
        self.cursor.align()?;
        let words = self.cursor.fixed(32)? as usize;
        let body = self.cursor.at;
        self.cursor.advance(words * 32)?;
        Ok(Block { id, width: width as u32, body, end: self.cursor.at })
    }

    fn define(&mut self) -> Understood<()> {
        let count = self.cursor.vbr(5)? as usize;
        if count > self.cursor.left() {
            return Err(NotUnderstood("an abbreviation is too long"));
        }
        let mut fields = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            if self.cursor.fixed(1)? == 1 {
                fields.push(Field::Literal(self.cursor.vbr(8)?));
                continue;
            }
            let field = match self.cursor.fixed(3)? {
                kind @ (1 | 2) => match self.cursor.vbr(5)? {
                    // LLVM reads a field of no width as nought.
                    0 => Field::Literal(0),
                    width @ 1..=WIDEST if kind == 1 => Field::Fixed(width as u32),
                    // One bit could only say that another follows.
                    width @ 2..=WIDEST => Field::Vbr(width as u32),
                    _ => return Err(NotUnderstood("the width of a field")),
                },
                3 => Field::Array,
                4 => Field::Char6,
                5 => Field::Blob,
                _ => return Err(NotUnderstood("the encoding of a field")),
            };
            fields.push(field);
        }
        // An array is the last but one, its element the last; a blob is the last.
        let well_formed = fields.iter().enumerate().all(|(index, field)| match field {
            Field::Array => {
                index > 0 && index + 2 == count && !matches!(fields[index + 1], Field::Literal(_))
            }
            Field::Blob => index > 0 && index + 1 == count && fields[index - 1] != Field::Array,
            _ => true,
        });
        if !well_formed || fields.is_empty() {
            return Err(NotUnderstood("the shape of an abbreviation"));
        }
        self.abbreviations.push(fields.into());
        Ok(())
    }

    fn unabbreviated(&mut self, record: &mut Record<'a>) -> Understood<()> {
        record.code = self.cursor.vbr(6)? as u32;
        let count = self.cursor.vbr(6)? as usize;
        if count > self.cursor.left() / 6 {
            return Err(NotUnderstood("a record is too long"));
        }
        record.ops.clear();
        record.blob = &[];
        self.cursor.vbr6s(count, &mut record.ops)
    }

    fn abbreviated(&mut self, index: usize, record: &mut Record<'a>) -> Understood<()> {
        let count = self.common.len();
        let own = || self.abbreviations.get(index - count);
        let fields = self.common.get(index).or_else(own).ok_or(NotUnderstood("an unknown abbreviation"))?;
        let cursor = &mut self.cursor;
        record.ops.clear();
        record.blob = &[];
        let [code, fields @ ..] = &fields[..] else {
            return Err(NotUnderstood("an empty abbreviation"));
        };
        record.code = scalar(cursor, *code)? as u32;
        for (index, field) in fields.iter().enumerate() {
            match field {
                Field::Fixed(width) => record.ops.push(cursor.fixed(*width)?),
                Field::Vbr(width) => record.ops.push(cursor.vbr(*width)?),
                Field::Array => {
                    let count = cursor.vbr(6)? as usize;
                    let element = fields.get(index + 1).copied().unwrap_or(Field::Literal(0));
                    if count > cursor.left() {
                        return Err(NotUnderstood("an array is too long"));
                    }
                    // Told apart once and not for every element: strings and types are long.
                    match element {
                        Field::Fixed(width) => {
                            for _ in 0..count {
                                record.ops.push(cursor.fixed(width)?);
                            }
                        }
                        Field::Vbr(6) => cursor.vbr6s(count, &mut record.ops)?,
                        element => {
                            for _ in 0..count {
                                record.ops.push(scalar(cursor, element)?);
                            }
                        }
                    }
                    break;
                }
                Field::Blob => {
                    let length = cursor.vbr(6)? as usize;
                    cursor.align()?;
                    let from = cursor.at >> 3;
                    let to = from.checked_add(length).ok_or(NotUnderstood("a blob is too long"))?;
                    record.blob = cursor.bytes.get(from..to).ok_or(NotUnderstood("a blob is too long"))?;
                    cursor.advance(length * 8)?;
                    cursor.align()?;
                }
                field => record.ops.push(scalar(cursor, *field)?),
            }
        }
        Ok(())
    }
}

#[inline]
fn scalar(cursor: &mut Cursor<'_>, field: Field) -> Understood<u64> {
    match field {
        Field::Literal(value) => Ok(value),
        Field::Fixed(width) => cursor.fixed(width),
        Field::Vbr(width) => cursor.vbr(width),
        Field::Char6 => {
            const CHARS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._";
            Ok(u64::from(CHARS[(cursor.fixed(6)? & 63) as usize]))
        }
        Field::Array | Field::Blob => Err(NotUnderstood("the shape of an abbreviation")),
    }
}

/// Takes every record of a block that has no blocks in it; `nested` says what one would be.
pub(super) fn each_record<'a>(
    bytes: &'a [u8],
    block: &Block,
    info: &BlockInfo,
    nested: &'static str,
    mut take: impl FnMut(&Record<'a>) -> Understood<()>,
) -> Understood<()> {
    let mut reader = Reader::new(bytes, block, info);
    let mut record = Record::default();
    loop {
        match reader.next(&mut record)? {
            Entry::End => return Ok(()),
            Entry::Block(_) => return Err(NotUnderstood(nested)),
            Entry::Abbreviation => {}
            Entry::Record => take(&record)?,
        }
    }
}
