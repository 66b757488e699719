//! The little writing of bitcode that a slice needs.
//!
//! Copies stretches of bits and whole blocks of another file, and writes records without
//! abbreviations. It knows nothing of what it copies.

use super::bitstream::Block;

pub(super) struct Writer {
    out: Vec<u8>,
    /// Bits that do not fill a word yet, and how many they are.
    bits: u64,
    filled: u32,
}

/// A block whose length is not known yet.
pub(super) struct Open {
    length_at: usize,
}

impl Writer {
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), bits: 0, filled: 0 }
    }

    pub fn fixed(&mut self, value: u64, width: u32) {
        debug_assert!(width <= 32);
        self.bits |= (value & ((1 << width) - 1)) << self.filled;
        self.filled += width;
        if self.filled >= 32 {
            self.out.extend_from_slice(&(self.bits as u32).to_le_bytes());
            self.bits >>= 32;
            self.filled -= 32;
        }
    }

    pub fn vbr(&mut self, mut value: u64, width: u32) {
        let more = 1 << (width - 1);
        while value >= more {
            self.fixed((value & (more - 1)) | more, width);
            value >>= width - 1;
        }
        self.fixed(value, width);
    }

    pub fn align(&mut self) {
        if self.filled > 0 {
            self.fixed(0, 32 - self.filled);
        }
    }

    /// A record that names its code and its number of operands itself.
    pub fn record(&mut self, width: u32, code: u32, ops: &[u64]) {
        self.fixed(3, width);
        self.vbr(u64::from(code), 6);
        self.vbr(ops.len() as u64, 6);
        for op in ops {
            self.vbr(*op, 6);
        }
    }

    /// The bits `from..to` of `bytes`, wherever they stand. Blobs must not be among them: where
    /// those begin depends on the place.
    pub fn bits(&mut self, bytes: &[u8], from: usize, to: usize) {
        let mut at = from;
        while at < to {
            let width = (8 - at % 8).min(to - at);
            let byte = bytes.get(at / 8).copied().unwrap_or(0) >> (at % 8);
            self.fixed(u64::from(byte), width as u32);
            at += width;
        }
    }

    /// Begins a block within one whose abbreviation ids have `width` bits.
    pub fn enter(&mut self, width: u32, id: u32, inner_width: u32) -> Open {
        self.fixed(1, width);
        self.vbr(u64::from(id), 8);
        self.vbr(u64::from(inner_width), 4);
        self.align();
        let length_at = self.out.len();
        self.fixed(0, 32);
        Open { length_at }
    }

    /// Ends a block whose abbreviation ids have `width` bits.
    pub fn end(&mut self, open: Open, width: u32) {
        self.fixed(0, width);
        self.align();
        let words = (self.out.len() - open.length_at) / 4 - 1;
        self.out[open.length_at..open.length_at + 4].copy_from_slice(&(words as u32).to_le_bytes());
    }

    /// A whole block as it is.
    pub fn block(&mut self, bytes: &[u8], width: u32, block: &Block) {
        let open = self.enter(width, block.id, block.width);
        // Both begin on a word, so this is a plain copy.
        let content = block.content(bytes);
        self.out.extend_from_slice(content);
        let words = (content.len() / 4) as u32;
        self.out[open.length_at..open.length_at + 4].copy_from_slice(&words.to_le_bytes());
    }

    /// A block up to bit `to` of `bytes`, to be ended by the caller.
    pub fn begin_of_block(&mut self, bytes: &[u8], width: u32, block: &Block, to: usize) -> Open {
        let open = self.enter(width, block.id, block.width);
        // Words that are whole go first: blobs keep their place.
        let whole = to / 32 * 32;
        self.out.extend_from_slice(bytes.get(block.body / 8..whole / 8).unwrap_or_default());
        self.bits(bytes, whole, to);
        open
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.align();
        self.out
    }
}
