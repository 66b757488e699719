//! Relocation types of aarch64 and the instruction fields they name.
//!
//! Types, formulas and range checks are those of "ELF for the Arm 64-bit Architecture"
//! (AAELF64), section "Relocation"; places of fields inside a word are those of the Arm
//! Architecture Reference Manual, chapter C4. Owns what is done to a word of code: the
//! page arithmetic of `adrp`, the scale of a load's offset, the choice of `movz` or
//! `movn`. It deliberately knows nothing of symbols, and does not look whether the word
//! is the instruction that the type asks for.
//!
//! `bl` and `b` reach 128 MiB, which is less than an arena may span. Such a branch is
//! [`Unwritable::Range`] here; the linker asks [`needs_veneer`] first and points it at a
//! veneer (`runtime_stubs::Arch::veneer`), which may change x16 and x17 only, as the ABI
//! grants.
//!
//! The types that count from a page of the table (`LD64_GOTPAGE_LO15`) are given
//! [`Operand::CellOffset`], which is right because the table starts on a page.

use super::{Check, Field, Howto, Operand, Unwritable, fits};

/// A field of an A64 instruction. `X` is the operand's value, `P` the word's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// `movz`, `movn`, `movk`: sixteen bits of X, or of X - P, from bit 16 * `group` on.
    /// With [`Check::Signed`] the sign makes the instruction a `movz` or a `movn`.
    Move { group: u8, relative: bool, check: Check },
    /// `adr`: X - P.
    Adr,
    /// `adrp`: the pages from P's to X's; a wrong one is left unnoticed if not `checked`.
    Adrp { checked: bool },
    /// `ldr` of a literal, in words from P.
    Literal,
    /// `tbz`, `tbnz`.
    TestBranch,
    /// `b.cond`, `cbz`, `cbnz`.
    ConditionalBranch,
    /// `b`, `bl`.
    Branch,
    /// The offset of a load, a store or an `add`: `bits` low bits of X, of which the
    /// lowest `scale` must be 0 and are not stored. The rest of X is 0 if `checked`.
    Offset { bits: u8, scale: u8, checked: bool },
    /// `add` with `lsl #12`: bits 12 to 23 of an X that has no more.
    AddHigh,
}

const fn word(bytes: u8, relative: bool, check: Check) -> Field {
    Field::Word { bytes, relative, check }
}

const fn mov(group: u8, check: Check) -> Field {
    Field::A64(Instruction::Move { group, relative: false, check })
}

const fn mov_relative(group: u8, check: Check) -> Field {
    Field::A64(Instruction::Move { group, relative: true, check })
}

/// The low twelve bits, whatever the others are: the partner of `adrp`.
const fn low(scale: u8) -> Field {
    Field::A64(Instruction::Offset { bits: 12, scale, checked: false })
}

/// All of a value that has twelve bits.
const fn low_only(scale: u8) -> Field {
    Field::A64(Instruction::Offset { bits: 12, scale, checked: true })
}

const ABS64: Field = word(8, false, Check::Any);
const OFFSET32: Field = word(4, true, Check::Signed);
const ADR: Field = Field::A64(Instruction::Adr);
const ADRP: Field = Field::A64(Instruction::Adrp { checked: true });
const ADRP_NC: Field = Field::A64(Instruction::Adrp { checked: false });
const LITERAL: Field = Field::A64(Instruction::Literal);
const TBZ: Field = Field::A64(Instruction::TestBranch);
const BCOND: Field = Field::A64(Instruction::ConditionalBranch);
const BRANCH: Field = Field::A64(Instruction::Branch);
const HIGH: Field = Field::A64(Instruction::AddHigh);
const LOW15: Field = Field::A64(Instruction::Offset { bits: 15, scale: 3, checked: true });

/// Number, name and meaning of every relocation type a static linker has to know.
#[rustfmt::skip]
const TYPES: &[(u32, &str, Operand, Field)] = &[
    (0,   "R_AARCH64_NONE",                   Operand::None,          ABS64),
    // Withdrawn, and the same as 0.
    (256, "R_AARCH64_NONE",                   Operand::None,          ABS64),
    (257, "R_AARCH64_ABS64",                  Operand::Address,       ABS64),
    (258, "R_AARCH64_ABS32",                  Operand::Address,       word(4, false, Check::Either)),
    (259, "R_AARCH64_ABS16",                  Operand::Address,       word(2, false, Check::Either)),
    (260, "R_AARCH64_PREL64",                 Operand::Address,       word(8, true, Check::Any)),
    (261, "R_AARCH64_PREL32",                 Operand::Address,       word(4, true, Check::Either)),
    (262, "R_AARCH64_PREL16",                 Operand::Address,       word(2, true, Check::Either)),
    (263, "R_AARCH64_MOVW_UABS_G0",           Operand::Address,       mov(0, Check::Unsigned)),
    (264, "R_AARCH64_MOVW_UABS_G0_NC",        Operand::Address,       mov(0, Check::Any)),
    (265, "R_AARCH64_MOVW_UABS_G1",           Operand::Address,       mov(1, Check::Unsigned)),
    (266, "R_AARCH64_MOVW_UABS_G1_NC",        Operand::Address,       mov(1, Check::Any)),
    (267, "R_AARCH64_MOVW_UABS_G2",           Operand::Address,       mov(2, Check::Unsigned)),
    (268, "R_AARCH64_MOVW_UABS_G2_NC",        Operand::Address,       mov(2, Check::Any)),
    (269, "R_AARCH64_MOVW_UABS_G3",           Operand::Address,       mov(3, Check::Any)),
    (270, "R_AARCH64_MOVW_SABS_G0",           Operand::Address,       mov(0, Check::Signed)),
    (271, "R_AARCH64_MOVW_SABS_G1",           Operand::Address,       mov(1, Check::Signed)),
    (272, "R_AARCH64_MOVW_SABS_G2",           Operand::Address,       mov(2, Check::Signed)),
    (273, "R_AARCH64_LD_PREL_LO19",           Operand::Address,       LITERAL),
    (274, "R_AARCH64_ADR_PREL_LO21",          Operand::Address,       ADR),
    (275, "R_AARCH64_ADR_PREL_PG_HI21",       Operand::Address,       ADRP),
    (276, "R_AARCH64_ADR_PREL_PG_HI21_NC",    Operand::Address,       ADRP_NC),
    (277, "R_AARCH64_ADD_ABS_LO12_NC",        Operand::Address,       low(0)),
    (278, "R_AARCH64_LDST8_ABS_LO12_NC",      Operand::Address,       low(0)),
    (279, "R_AARCH64_TSTBR14",                Operand::Branch,        TBZ),
    (280, "R_AARCH64_CONDBR19",               Operand::Branch,        BCOND),
    (282, "R_AARCH64_JUMP26",                 Operand::Branch,        BRANCH),
    (283, "R_AARCH64_CALL26",                 Operand::Branch,        BRANCH),
    (284, "R_AARCH64_LDST16_ABS_LO12_NC",     Operand::Address,       low(1)),
    (285, "R_AARCH64_LDST32_ABS_LO12_NC",     Operand::Address,       low(2)),
    (286, "R_AARCH64_LDST64_ABS_LO12_NC",     Operand::Address,       low(3)),
    (287, "R_AARCH64_MOVW_PREL_G0",           Operand::Address,       mov_relative(0, Check::Signed)),
    (288, "R_AARCH64_MOVW_PREL_G0_NC",        Operand::Address,       mov_relative(0, Check::Any)),
    (289, "R_AARCH64_MOVW_PREL_G1",           Operand::Address,       mov_relative(1, Check::Signed)),
    (290, "R_AARCH64_MOVW_PREL_G1_NC",        Operand::Address,       mov_relative(1, Check::Any)),
    (291, "R_AARCH64_MOVW_PREL_G2",           Operand::Address,       mov_relative(2, Check::Signed)),
    (292, "R_AARCH64_MOVW_PREL_G2_NC",        Operand::Address,       mov_relative(2, Check::Any)),
    (293, "R_AARCH64_MOVW_PREL_G3",           Operand::Address,       mov_relative(3, Check::Signed)),
    (299, "R_AARCH64_LDST128_ABS_LO12_NC",    Operand::Address,       low(4)),
    (300, "R_AARCH64_MOVW_GOTOFF_G0",         Operand::CellOffset,    mov(0, Check::Signed)),
    (301, "R_AARCH64_MOVW_GOTOFF_G0_NC",      Operand::CellOffset,    mov(0, Check::Any)),
    (302, "R_AARCH64_MOVW_GOTOFF_G1",         Operand::CellOffset,    mov(1, Check::Signed)),
    (303, "R_AARCH64_MOVW_GOTOFF_G1_NC",      Operand::CellOffset,    mov(1, Check::Any)),
    (304, "R_AARCH64_MOVW_GOTOFF_G2",         Operand::CellOffset,    mov(2, Check::Signed)),
    (305, "R_AARCH64_MOVW_GOTOFF_G2_NC",      Operand::CellOffset,    mov(2, Check::Any)),
    (306, "R_AARCH64_MOVW_GOTOFF_G3",         Operand::CellOffset,    mov(3, Check::Signed)),
    (307, "R_AARCH64_GOTREL64",               Operand::AddressOffset, ABS64),
    (308, "R_AARCH64_GOTREL32",               Operand::AddressOffset, word(4, false, Check::Signed)),
    (309, "R_AARCH64_GOT_LD_PREL19",          Operand::Cell,          LITERAL),
    (310, "R_AARCH64_LD64_GOTOFF_LO15",       Operand::CellOffset,    LOW15),
    (311, "R_AARCH64_ADR_GOT_PAGE",           Operand::Cell,          ADRP),
    (312, "R_AARCH64_LD64_GOT_LO12_NC",       Operand::Cell,          low(3)),
    (313, "R_AARCH64_LD64_GOTPAGE_LO15",      Operand::CellOffset,    LOW15),
    (314, "R_AARCH64_PLT32",                  Operand::Branch,        OFFSET32),
    (315, "R_AARCH64_GOTPCREL32",             Operand::Cell,          OFFSET32),
    (512, "R_AARCH64_TLSGD_ADR_PREL21",       Operand::TlsPair,       ADR),
    (513, "R_AARCH64_TLSGD_ADR_PAGE21",       Operand::TlsPair,       ADRP),
    (514, "R_AARCH64_TLSGD_ADD_LO12_NC",      Operand::TlsPair,       low(0)),
    (517, "R_AARCH64_TLSLD_ADR_PREL21",       Operand::TlsModulePair, ADR),
    (518, "R_AARCH64_TLSLD_ADR_PAGE21",       Operand::TlsModulePair, ADRP),
    (519, "R_AARCH64_TLSLD_ADD_LO12_NC",      Operand::TlsModulePair, low(0)),
    (522, "R_AARCH64_TLSLD_LD_PREL19",        Operand::TlsModulePair, LITERAL),
    (523, "R_AARCH64_TLSLD_MOVW_DTPREL_G2",    Operand::TlsBlockOffset, mov(2, Check::Signed)),
    (524, "R_AARCH64_TLSLD_MOVW_DTPREL_G1",    Operand::TlsBlockOffset, mov(1, Check::Signed)),
    (525, "R_AARCH64_TLSLD_MOVW_DTPREL_G1_NC", Operand::TlsBlockOffset, mov(1, Check::Any)),
    (526, "R_AARCH64_TLSLD_MOVW_DTPREL_G0",    Operand::TlsBlockOffset, mov(0, Check::Signed)),
    (527, "R_AARCH64_TLSLD_MOVW_DTPREL_G0_NC", Operand::TlsBlockOffset, mov(0, Check::Any)),
    (528, "R_AARCH64_TLSLD_ADD_DTPREL_HI12",   Operand::TlsBlockOffset, HIGH),
    (529, "R_AARCH64_TLSLD_ADD_DTPREL_LO12",   Operand::TlsBlockOffset, low_only(0)),
    (530, "R_AARCH64_TLSLD_ADD_DTPREL_LO12_NC", Operand::TlsBlockOffset, low(0)),
    (531, "R_AARCH64_TLSLD_LDST8_DTPREL_LO12", Operand::TlsBlockOffset, low_only(0)),
    (532, "R_AARCH64_TLSLD_LDST8_DTPREL_LO12_NC", Operand::TlsBlockOffset, low(0)),
    (533, "R_AARCH64_TLSLD_LDST16_DTPREL_LO12", Operand::TlsBlockOffset, low_only(1)),
    (534, "R_AARCH64_TLSLD_LDST16_DTPREL_LO12_NC", Operand::TlsBlockOffset, low(1)),
    (535, "R_AARCH64_TLSLD_LDST32_DTPREL_LO12", Operand::TlsBlockOffset, low_only(2)),
    (536, "R_AARCH64_TLSLD_LDST32_DTPREL_LO12_NC", Operand::TlsBlockOffset, low(2)),
    (537, "R_AARCH64_TLSLD_LDST64_DTPREL_LO12", Operand::TlsBlockOffset, low_only(3)),
    (538, "R_AARCH64_TLSLD_LDST64_DTPREL_LO12_NC", Operand::TlsBlockOffset, low(3)),
    (541, "R_AARCH64_TLSIE_ADR_GOTTPREL_PAGE21", Operand::TlsThreadCell, ADRP),
    (542, "R_AARCH64_TLSIE_LD64_GOTTPREL_LO12_NC", Operand::TlsThreadCell, low(3)),
    (543, "R_AARCH64_TLSIE_LD_GOTTPREL_PREL19", Operand::TlsThreadCell, LITERAL),
    (544, "R_AARCH64_TLSLE_MOVW_TPREL_G2",     Operand::TlsThreadOffset, mov(2, Check::Signed)),
    (545, "R_AARCH64_TLSLE_MOVW_TPREL_G1",     Operand::TlsThreadOffset, mov(1, Check::Signed)),
    (546, "R_AARCH64_TLSLE_MOVW_TPREL_G1_NC",  Operand::TlsThreadOffset, mov(1, Check::Any)),
    (547, "R_AARCH64_TLSLE_MOVW_TPREL_G0",     Operand::TlsThreadOffset, mov(0, Check::Signed)),
    (548, "R_AARCH64_TLSLE_MOVW_TPREL_G0_NC",  Operand::TlsThreadOffset, mov(0, Check::Any)),
    (549, "R_AARCH64_TLSLE_ADD_TPREL_HI12",    Operand::TlsThreadOffset, HIGH),
    (550, "R_AARCH64_TLSLE_ADD_TPREL_LO12",    Operand::TlsThreadOffset, low_only(0)),
    (551, "R_AARCH64_TLSLE_ADD_TPREL_LO12_NC", Operand::TlsThreadOffset, low(0)),
    (552, "R_AARCH64_TLSLE_LDST8_TPREL_LO12",  Operand::TlsThreadOffset, low_only(0)),
    (553, "R_AARCH64_TLSLE_LDST8_TPREL_LO12_NC", Operand::TlsThreadOffset, low(0)),
    (554, "R_AARCH64_TLSLE_LDST16_TPREL_LO12", Operand::TlsThreadOffset, low_only(1)),
    (555, "R_AARCH64_TLSLE_LDST16_TPREL_LO12_NC", Operand::TlsThreadOffset, low(1)),
    (556, "R_AARCH64_TLSLE_LDST32_TPREL_LO12", Operand::TlsThreadOffset, low_only(2)),
    (557, "R_AARCH64_TLSLE_LDST32_TPREL_LO12_NC", Operand::TlsThreadOffset, low(2)),
    (558, "R_AARCH64_TLSLE_LDST64_TPREL_LO12", Operand::TlsThreadOffset, low_only(3)),
    (559, "R_AARCH64_TLSLE_LDST64_TPREL_LO12_NC", Operand::TlsThreadOffset, low(3)),
    (560, "R_AARCH64_TLSDESC_LD_PREL19",      Operand::TlsDescriptor, LITERAL),
    (561, "R_AARCH64_TLSDESC_ADR_PREL21",     Operand::TlsDescriptor, ADR),
    (562, "R_AARCH64_TLSDESC_ADR_PAGE21",     Operand::TlsDescriptor, ADRP),
    (563, "R_AARCH64_TLSDESC_LD64_LO12",      Operand::TlsDescriptor, low(3)),
    (564, "R_AARCH64_TLSDESC_ADD_LO12",       Operand::TlsDescriptor, low(0)),
    (567, "R_AARCH64_TLSDESC_LDR",            Operand::None,          ABS64),
    (568, "R_AARCH64_TLSDESC_ADD",            Operand::None,          ABS64),
    (569, "R_AARCH64_TLSDESC_CALL",           Operand::None,          ABS64),
    (570, "R_AARCH64_TLSLE_LDST128_TPREL_LO12", Operand::TlsThreadOffset, low_only(4)),
    (571, "R_AARCH64_TLSLE_LDST128_TPREL_LO12_NC", Operand::TlsThreadOffset, low(4)),
    (572, "R_AARCH64_TLSLD_LDST128_DTPREL_LO12", Operand::TlsBlockOffset, low_only(4)),
    (573, "R_AARCH64_TLSLD_LDST128_DTPREL_LO12_NC", Operand::TlsBlockOffset, low(4)),
];

/// Types that only hand-written code of the large model uses: a thread-local cell, as an
/// offset from the table. They have a name, for the message that refuses them.
#[rustfmt::skip]
const REFUSED: &[(u32, &str)] = &[
    (515, "R_AARCH64_TLSGD_MOVW_G1"),
    (516, "R_AARCH64_TLSGD_MOVW_G0_NC"),
    (520, "R_AARCH64_TLSLD_MOVW_G1"),
    (521, "R_AARCH64_TLSLD_MOVW_G0_NC"),
    (539, "R_AARCH64_TLSIE_MOVW_GOTTPREL_G1"),
    (540, "R_AARCH64_TLSIE_MOVW_GOTTPREL_G0_NC"),
    (565, "R_AARCH64_TLSDESC_OFF_G1"),
    (566, "R_AARCH64_TLSDESC_OFF_G0_NC"),
];

fn find(kind: u32) -> Option<&'static (u32, &'static str, Operand, Field)> {
    let at = TYPES.binary_search_by_key(&kind, |&(number, ..)| number).ok()?;
    TYPES.get(at)
}

pub(crate) fn howto(kind: u32) -> Option<Howto> {
    find(kind).map(|&(_, _, operand, field)| Howto { operand, field })
}

pub(crate) fn name(kind: u32) -> Option<&'static str> {
    let refused = || REFUSED.iter().find(|&&(number, _)| number == kind);
    find(kind).map(|&(_, name, ..)| name).or_else(|| refused().map(|&(_, name)| name))
}

/// Whether a `b` or `bl` at `place` cannot reach `target`.
pub(crate) fn needs_veneer(target: u64, place: u64) -> bool {
    !fits(target.wrapping_sub(place), 28, Check::Signed)
}

/// Writes the field of the instruction at `at` of `bytes`, which will run at address
/// `place`, and leaves the other bits of the word alone. Writes nothing if it fails.
pub(crate) fn write(
    instruction: Instruction,
    bytes: &mut [u8],
    at: usize,
    value: u64,
    place: u64,
) -> Result<(), Unwritable> {
    let word = at
        .checked_add(4)
        .and_then(|end| bytes.get_mut(at..end))
        .and_then(|word| word.first_chunk_mut::<4>())
        .ok_or(Unwritable::Bounds)?;
    let patched = patch(instruction, u32::from_le_bytes(*word), value, place)?;
    *word = patched.to_le_bytes();
    Ok(())
}

fn patch(instruction: Instruction, word: u32, value: u64, place: u64) -> Result<u32, Unwritable> {
    let distance = value.wrapping_sub(place);
    match instruction {
        Instruction::Move { group, relative, check } => {
            let value = if relative { distance } else { value };
            move_wide(word, group, value, check)
        }
        Instruction::Adr => {
            ensure(fits(distance, 21, Check::Signed))?;
            Ok(put_adr(word, distance))
        }
        Instruction::Adrp { checked } => {
            let pages = (value & !0xfff).wrapping_sub(place & !0xfff);
            ensure(!checked || fits(pages, 33, Check::Signed))?;
            Ok(put_adr(word, pages >> 12))
        }
        Instruction::Literal | Instruction::ConditionalBranch => Ok(put(word, 5, 19, words(distance, 21)?)),
        Instruction::TestBranch => Ok(put(word, 5, 14, words(distance, 16)?)),
        Instruction::Branch => {
            ensure(!needs_veneer(value, place))?;
            Ok(put(word, 0, 26, words(distance, 28)?))
        }
        Instruction::Offset { bits, scale, checked } => {
            let bits = u32::from(bits);
            ensure(!checked || fits(value, bits as usize, Check::Unsigned))?;
            ensure(value.trailing_zeros() >= u32::from(scale))?;
            let stored = value & ((1 << bits) - 1);
            Ok(put(word, 10, 12, stored >> scale))
        }
        Instruction::AddHigh => {
            ensure(fits(value, 24, Check::Unsigned))?;
            Ok(put(word, 10, 12, value >> 12))
        }
    }
}

fn move_wide(word: u32, group: u8, value: u64, check: Check) -> Result<u32, Unwritable> {
    /// What `movz` has set and `movn` has not.
    const MOVZ: u32 = 1 << 30;
    /// What `movk` has set and the two have not.
    const MOVK: u32 = 1 << 29;
    let bits = 16 * (usize::from(group) + 1);
    let shift = 16 * u32::from(group);
    // The range of the signed forms is that of the bits and a sign beside them.
    let bits = if check == Check::Signed { bits + 1 } else { bits };
    ensure(fits(value, bits, check))?;
    if check != Check::Signed || word & MOVK != 0 {
        return Ok(put(word, 5, 16, value >> shift));
    }
    Ok(if (value as i64) < 0 {
        put(word & !MOVZ, 5, 16, !value >> shift)
    } else {
        put(word | MOVZ, 5, 16, value >> shift)
    })
}

/// A distance in bytes, of so many bits with its sign, as a number of words.
fn words(distance: u64, bits: usize) -> Result<u64, Unwritable> {
    ensure(distance.is_multiple_of(4) && fits(distance, bits, Check::Signed))?;
    Ok(distance >> 2)
}

/// The two parts of the 21 bits of `adr` and `adrp`.
fn put_adr(word: u32, value: u64) -> u32 {
    put(put(word, 29, 2, value), 5, 19, value >> 2)
}

/// `word` with the low `width` bits of `value` from bit `shift` on.
fn put(word: u32, shift: u32, width: u32, value: u64) -> u32 {
    let mask = ((1 << width) - 1) << shift;
    word & !mask | (value as u32) << shift & mask
}

fn ensure(ok: bool) -> Result<(), Unwritable> {
    if ok { Ok(()) } else { Err(Unwritable::Range) }
}

#[cfg(test)]
mod linked;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod tests;
