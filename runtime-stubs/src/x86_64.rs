//! x86-64 encoders: addresses in, bytes out.
//!
//! Knows instruction bytes and the reach of a 32-bit displacement. Does not know what the cells hold.
//!
//! Encodings are those of the Intel 64 Software Developer's Manual, volume 2. A displacement counts
//! from the end of its instruction, immediate included, so it reaches from -2 GiB to 2 GiB - 1.

use crate::{CONTEXT_SIZE, GATE_SIZE, OutOfRange, STUB_SIZE, THUNK_SIZE, VENEER_SIZE};

/// `int3`, one byte: any offset into filled memory traps.
const INT3: u8 = 0xcc;

const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// A fixed-size piece of code under construction, pre-filled with traps.
///
/// Always inlined: an update encodes hundreds of these, and each step would copy the piece.
struct Code<const N: usize> {
    bytes: [u8; N],
    at: u64,
    len: usize,
}

impl<const N: usize> Code<N> {
    #[inline(always)]
    fn new(at: u64) -> Self {
        Code { bytes: [INT3; N], at, len: 0 }
    }

    #[inline(always)]
    fn put(mut self, bytes: &[u8]) -> Self {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
        self
    }

    /// An opcode, a displacement to `to`, and `immediate` behind it.
    #[inline(always)]
    fn put_relative(self, opcode: &[u8], to: u64, immediate: &[u8]) -> Result<Self, OutOfRange> {
        let end = self.at.wrapping_add((self.len + opcode.len() + 4 + immediate.len()) as u64);
        let distance = to.wrapping_sub(end) as i64;
        let displacement = i32::try_from(distance).map_err(|_| OutOfRange { from: self.at, to })?;
        Ok(self.put(opcode).put(&displacement.to_le_bytes()).put(immediate))
    }

    /// `jmp *cell(%rip)`
    #[inline(always)]
    fn jump_through(self, cell: u64) -> Result<Self, OutOfRange> {
        self.put_relative(&[0xff, 0x25], cell, &[])
    }
}

/// A cell that is loaded or changed as one unit must not straddle a cache line.
fn aligned(at: u64, cell: u64, alignment: u64) -> Result<(), OutOfRange> {
    if cell.is_multiple_of(alignment) { Ok(()) } else { Err(OutOfRange { from: at, to: cell }) }
}

/// `endbr64; jmp *slot(%rip)`
pub fn stub(at: u64, slot: u64) -> Result<[u8; STUB_SIZE], OutOfRange> {
    aligned(at, slot, 8)?;
    let code = Code::new(at).put(&ENDBR64).jump_through(slot)?;
    Ok(code.bytes)
}

/// `lock incq counter(%rip); jmp *slot(%rip)`
pub fn counting_stub(at: u64, slot: u64, counter: u64) -> Result<[u8; STUB_SIZE], OutOfRange> {
    aligned(at, slot, 8)?;
    aligned(at, counter, 8)?;
    let code = Code::new(at).put_relative(&[0xf0, 0x48, 0xff, 0x05], counter, &[])?.jump_through(slot)?;
    Ok(code.bytes)
}

/// `endbr64; mov $index,%r11d; jmp *entry_cell(%rip)`
pub fn missing_thunk(at: u64, index: u32, entry_cell: u64) -> Result<[u8; THUNK_SIZE], OutOfRange> {
    aligned(at, entry_cell, 8)?;
    let code =
        Code::new(at).put(&ENDBR64).put(&[0x41, 0xbb]).put(&index.to_le_bytes()).jump_through(entry_cell)?;
    Ok(code.bytes)
}

/// `endbr64; push %r11; movabs $context,%r11; push %r11; movabs $entry,%r11; jmp *%r11`
pub fn context_thunk(context: u64, entry: u64) -> [u8; CONTEXT_SIZE] {
    Code::new(0)
        .put(&ENDBR64)
        .put(&[0x41, 0x53])
        .put(&[0x49, 0xbb])
        .put(&context.to_le_bytes())
        .put(&[0x41, 0x53])
        .put(&[0x49, 0xbb])
        .put(&entry.to_le_bytes())
        .put(&[0x41, 0xff, 0xe3])
        .bytes
}

/// `endbr64; cmpl $0,word(%rip); jne 1f; jmp *old(%rip); 1: jmp *new(%rip)`, then, from byte 32, the
/// two targets.
///
/// A plain load has acquire order on this architecture.
pub fn gate_thunk(at: u64, word: u64, old: u64, new: u64) -> Result<[u8; GATE_SIZE], OutOfRange> {
    aligned(at, word, 4)?;
    let targets = at.wrapping_add(32);
    let mut code = Code::new(at)
        .put(&ENDBR64)
        .put_relative(&[0x83, 0x3d], word, &[0])?
        // Over the six bytes of the next jump.
        .put(&[0x75, 6])
        .jump_through(targets)?
        .jump_through(targets.wrapping_add(8))?;
    code.len = 32;
    let code = code.put(&old.to_le_bytes()).put(&new.to_le_bytes());
    Ok(code.bytes)
}

/// `jmp target`
pub fn veneer(at: u64, target: u64) -> Result<[u8; VENEER_SIZE], OutOfRange> {
    let code = Code::new(at).put_relative(&[0xe9], target, &[])?;
    Ok(code.bytes)
}

/// `jmp *2(%rip)`, two traps, then the target.
pub fn far_jump(target: u64) -> [u8; VENEER_SIZE] {
    Code::new(0).put(&[0xff, 0x25, 2, 0, 0, 0]).put(&[INT3, INT3]).put(&target.to_le_bytes()).bytes
}

/// `int3`, over and over.
pub fn trap_fill(bytes: &mut [u8]) {
    bytes.fill(INT3);
}
