//! What two versions of a module have in common, bit by bit.
//!
//! Owns telling whether all that is outside of function bodies is the same, and whether a body
//! is. A body names types, values, metadata and attributes by numbers; where the rest of the
//! module is the same these mean the same. What does not count is passed over: where in the file
//! bodies are, orders of uses, the name of the source. It knows nothing of what is written there.

use super::bitstream::{Block, BlockInfo, Cursor, Entry, Reader, Record};
use super::file::{File, block};
use super::globals::code;

/// The parts of a MODULE block, in order.
#[derive(Clone, Copy)]
enum Piece {
    /// Records one after the other, from bit to bit.
    Records(usize, usize),
    /// One that is defined is needed to read on.
    Abbreviation(usize, usize),
    Block(Block),
    Body,
    Passed,
}

/// Where everything of a module is.
#[derive(Default)]
pub(super) struct Frame {
    pieces: Vec<Piece>,
    /// How much of the string table has names in it; behind them are strings for linkers.
    names: usize,
}

fn passed_record(code: u32) -> bool {
    matches!(code, code::VSTOFFSET | code::SOURCE_FILENAME | code::HASH)
}

fn passed_block(id: u32) -> bool {
    matches!(id, block::VALUE_NAMES | block::USE_LISTS | block::SUMMARY | block::FULL_SUMMARY)
}

impl Frame {
    /// Notes the entry of the MODULE block that was read from bit `from` to bit `to`.
    pub fn note(&mut self, entry: &Entry, record: &Record<'_>, from: usize, to: usize) {
        let piece = match entry {
            Entry::End => return,
            Entry::Abbreviation => Piece::Abbreviation(from, to),
            Entry::Block(found) if found.id == block::FUNCTION => Piece::Body,
            Entry::Block(found) if passed_block(found.id) => Piece::Passed,
            Entry::Block(found) => Piece::Block(*found),
            Entry::Record if passed_record(record.code) => Piece::Passed,
            Entry::Record => {
                if let Some(Piece::Records(_, end)) = self.pieces.last_mut() {
                    *end = to;
                    return;
                }
                Piece::Records(from, to)
            }
        };
        self.pieces.push(piece);
    }

    /// Names are in the string table up to `end`.
    pub fn names_until(&mut self, end: usize) {
        self.names = self.names.max(end);
    }

    /// Where the bodies of `is` are, if it is the same as `was`, which has this frame, but for
    /// bodies; and its own frame.
    pub fn find_in(&self, was: &File<'_>, is: &File<'_>) -> Option<(Self, Vec<Block>)> {
        let names = was.strtab.get(..self.names)?;
        if was.module.width != is.module.width || is.strtab.get(..self.names)? != names {
            return None;
        }
        let mut reader = Reader::new(is.bytes, &is.module, &BlockInfo::default());
        let mut record = Record::default();
        let mut frame = Self { pieces: Vec::with_capacity(self.pieces.len()), names: self.names };
        let mut bodies = Vec::new();
        for &piece in &self.pieces {
            let at = reader.at();
            frame.pieces.push(match piece {
                Piece::Records(from, to) => {
                    if !same_bits((was.bytes, from), (is.bytes, at), to - from) {
                        return None;
                    }
                    reader.skip(to - from).ok()?;
                    Piece::Records(at, reader.at())
                }
                piece => match (piece, reader.next(&mut record).ok()?) {
                    (Piece::Abbreviation(from, to), Entry::Abbreviation) => {
                        let same = same_bits((was.bytes, from), (is.bytes, at), to - from);
                        if !same || reader.at() - at != to - from {
                            return None;
                        }
                        Piece::Abbreviation(at, reader.at())
                    }
                    (Piece::Block(before), Entry::Block(found)) => {
                        let kind = |block: &Block| (block.id, block.width);
                        if kind(&before) != kind(&found)
                            || before.content(was.bytes) != found.content(is.bytes)
                        {
                            return None;
                        }
                        Piece::Block(found)
                    }
                    (Piece::Body, Entry::Block(found)) if found.id == block::FUNCTION => {
                        bodies.push(found);
                        piece
                    }
                    (Piece::Passed, Entry::Block(found)) if passed_block(found.id) => piece,
                    (Piece::Passed, Entry::Record) if passed_record(record.code) => piece,
                    _ => return None,
                },
            });
        }
        matches!(reader.next(&mut record), Ok(Entry::End)).then_some((frame, bodies))
    }
}

/// Whether the body `is` says what `was` says in the `length` bits that its instructions have,
/// and what belongs to them. Orders of uses may follow.
pub(super) fn is_same_body(was: (&[u8], &Block), length: usize, is: (&[u8], &Block)) -> bool {
    if was.1.width != is.1.width || length > is.1.end - is.1.body {
        return false;
    }
    if !same_bits((was.0, was.1.body), (is.0, is.1.body), length) {
        return false;
    }
    let rest = Block { body: is.1.body + length, ..*is.1 };
    let mut reader = Reader::new(is.0, &rest, &BlockInfo::default());
    let mut record = Record::default();
    // What is not one of these two is more than there was.
    loop {
        match reader.next(&mut record) {
            Ok(Entry::Block(found)) if found.id == block::USE_LISTS => {}
            Ok(Entry::End) => return true,
            _ => return false,
        }
    }
}

/// Whether `count` bits are the same, from the given places on.
fn same_bits(a: (&[u8], usize), b: (&[u8], usize), count: usize) -> bool {
    let (mut left, mut right) = (Cursor::new(a.0, a.1, a.1 + count), Cursor::new(b.0, b.1, b.1 + count));
    let mut equal = |width: usize| match (left.fixed(width as u32), right.fixed(width as u32)) {
        (Ok(left), Ok(right)) => left == right,
        _ => false,
    };
    if a.1 % 8 != b.1 % 8 {
        return (0..count / 32).all(|_| equal(32)) && equal(count % 32);
    }
    // The bits before whole bytes, these, and the bits behind.
    let head = (a.1.next_multiple_of(8) - a.1).min(count);
    let (whole, tail) = ((count - head) / 8, (count - head) % 8);
    let (from, other) = ((a.1 + head) / 8, (b.1 + head) / 8);
    let (Some(from), Some(other)) = (a.0.get(from..from + whole), b.0.get(other..other + whole)) else {
        return false;
    };
    let behind = |(bytes, at): (&[u8], usize)| {
        let at = at + count - tail;
        Cursor::new(bytes, at, at + tail).fixed(tail as u32).ok()
    };
    equal(head) && from == other && behind(a) == behind(b)
}
