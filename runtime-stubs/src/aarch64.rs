//! aarch64 encoders: addresses in, bytes out.
//!
//! Knows instruction words and the reach of `adrp`. Does not know what the cells hold.
//!
//! Encodings are those of the Arm Architecture Reference Manual (DDI 0487), chapter C6. Instructions
//! are little-endian words always; the addresses stored beside them assume little-endian data.
//! `adrp` counts in pages of 4 KiB and reaches from -4 GiB to 4 GiB - 1 page.
//!
//! The only registers used are `x16` and `x17`. A jump through them may land on `bti c`; through
//! any other register it could not.
//!
//! A stub is `bti c` and three more instructions and so has no room for a trap behind the last jump.
//! The next stub starts there, and nothing falls through an unconditional branch.

use crate::{CONTEXT_SIZE, GATE_SIZE, OutOfRange, STUB_SIZE, THUNK_SIZE, VENEER_SIZE};

/// `brk #0`
const BRK: u32 = 0xd420_0000;
/// `bti c`, a hint: a no-op where it means nothing.
const BTI_C: u32 = 0xd503_245f;
/// `stp x16,x17,[sp,#-16]!`
const PUSH_X16_X17: u32 = 0xa9bf_47f0;

/// The first of the two registers a veneer may change.
const X16: u32 = 16;
/// The second.
const X17: u32 = 17;

/// A fixed-size piece of code under construction, pre-filled with traps.
struct Code<const N: usize> {
    bytes: [u8; N],
    at: u64,
    len: usize,
}

impl<const N: usize> Code<N> {
    fn new(at: u64) -> Self {
        let mut bytes = [0; N];
        trap_fill(&mut bytes);
        Code { bytes, at, len: 0 }
    }

    fn put_bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
        self
    }

    fn put(self, word: u32) -> Self {
        self.put_bytes(&word.to_le_bytes())
    }

    /// `adrp register,to`
    fn page_of(self, register: u32, to: u64) -> Result<Self, OutOfRange> {
        let error = OutOfRange { from: self.at, to };
        if !self.at.is_multiple_of(4) {
            return Err(error);
        }
        let here = self.at.wrapping_add(self.len as u64);
        // An arithmetic shift of the difference of two page starts: whole pages, with their sign.
        let pages = ((to & !0xfff).wrapping_sub(here & !0xfff) as i64) >> 12;
        if !(-(1 << 20)..1 << 20).contains(&pages) {
            return Err(error);
        }
        let pages = pages as u32;
        Ok(self.put(0x9000_0000 | (pages & 3) << 29 | ((pages >> 2) & 0x7_ffff) << 5 | register))
    }

    /// `adrp x16,cell; ldr register,[x16,:lo12:cell]`
    fn load_cell(self, register: u32, cell: u64) -> Result<Self, OutOfRange> {
        if !cell.is_multiple_of(8) {
            return Err(OutOfRange { from: self.at, to: cell });
        }
        let scaled = (cell & 0xfff) as u32 / 8;
        Ok(self.page_of(X16, cell)?.put(0xf940_0000 | scaled << 10 | X16 << 5 | register))
    }

    /// `adrp x16,to; add x16,x16,:lo12:to`
    fn address_in_x16(self, to: u64) -> Result<Self, OutOfRange> {
        let low = (to & 0xfff) as u32;
        Ok(self.page_of(X16, to)?.put(0x9100_0000 | low << 10 | X16 << 5 | X16))
    }

    /// `ldr x16,` the eight bytes that start at `offset` of this piece of code.
    fn load_literal(self, offset: usize) -> Self {
        let words = (offset - self.len) as u32 / 4;
        self.put(0x5800_0000 | words << 5 | X16)
    }

    /// `br register`
    fn jump(self, register: u32) -> Self {
        self.put(0xd61f_0000 | register << 5)
    }

    /// Leaves a gap of traps up to `offset` and stores an address there.
    fn literal(mut self, offset: usize, value: u64) -> Self {
        self.len = offset;
        self.put_bytes(&value.to_le_bytes())
    }
}

/// `bti c; adrp x16,slot; ldr x17,[x16,:lo12:slot]; br x17`
pub fn stub(at: u64, slot: u64) -> Result<[u8; STUB_SIZE], OutOfRange> {
    let code = Code::new(at).put(BTI_C).load_cell(X17, slot)?.jump(X17);
    Ok(code.bytes)
}

/// `bti c; movz w17,#low; movk w17,#high,lsl #16; adrp x16,cell; ldr x16,[x16,:lo12:cell]; br x16`
pub fn missing_thunk(at: u64, index: u32, entry_cell: u64) -> Result<[u8; THUNK_SIZE], OutOfRange> {
    let code = Code::new(at)
        .put(BTI_C)
        .put(0x5280_0000 | (index & 0xffff) << 5 | X17)
        .put(0x72a0_0000 | (index >> 16) << 5 | X17)
        .load_cell(X16, entry_cell)?
        .jump(X16);
    Ok(code.bytes)
}

/// `bti c; ldr x16,context; stp x16,x17,[sp,#-16]!; ldr x16,entry; br x16`, then, from byte 24, the
/// two addresses.
pub fn context_thunk(context: u64, entry: u64) -> [u8; CONTEXT_SIZE] {
    Code::new(0)
        .put(BTI_C)
        .load_literal(24)
        .put(PUSH_X16_X17)
        .load_literal(32)
        .jump(X16)
        .literal(24, context)
        .literal(32, entry)
        .bytes
}

/// `bti c; adrp x16,word; add x16,x16,:lo12:word; ldar w17,[x16]; ldr x16,old; cbz w17,1f;
/// ldr x16,new; 1: br x16`, then, from byte 32, the two targets.
pub fn gate_thunk(at: u64, word: u64, old: u64, new: u64) -> Result<[u8; GATE_SIZE], OutOfRange> {
    // A load-acquire of a misaligned word faults.
    if !word.is_multiple_of(4) {
        return Err(OutOfRange { from: at, to: word });
    }
    let code = Code::new(at)
        .put(BTI_C)
        .address_in_x16(word)?
        // ldar w17,[x16]
        .put(0x88df_fc00 | X16 << 5 | X17)
        .load_literal(32)
        // cbz w17, two words on
        .put(0x3400_0000 | 2 << 5 | X17)
        .load_literal(40)
        .jump(X16)
        .literal(32, old)
        .literal(40, new);
    Ok(code.bytes)
}

/// `adrp x16,target; add x16,x16,:lo12:target; br x16`
pub fn veneer(at: u64, target: u64) -> Result<[u8; VENEER_SIZE], OutOfRange> {
    let code = Code::new(at).address_in_x16(target)?.jump(X16);
    Ok(code.bytes)
}

/// `ldr x16,target; br x16`, then the target.
pub fn far_jump(target: u64) -> [u8; VENEER_SIZE] {
    Code::new(0).load_literal(8).jump(X16).literal(8, target).bytes
}

/// `brk #0`, over and over.
pub fn trap_fill(bytes: &mut [u8]) {
    let trap = BRK.to_le_bytes();
    for word in bytes.chunks_mut(4) {
        word.copy_from_slice(&trap[..word.len()]);
    }
}
