//! Relocation types of x86-64 and the instructions around them.
//!
//! Types and formulas are those of the System V psABI for AMD64, section "Relocation",
//! and its TLS chapter. Owns what can be told from the bytes beside a field: whether a
//! reference is a call, a jump or a load. It deliberately knows nothing of symbols.

use super::{Check, Field, Howto, Operand};

const fn word(bytes: u8, relative: bool, check: Check) -> Field {
    Field::Word { bytes, relative, check }
}

const ABS64: Field = word(8, false, Check::Any);
const ABS32: Field = word(4, false, Check::Unsigned);
const ABS32S: Field = word(4, false, Check::Signed);
pub(crate) const PC32: Field = word(4, true, Check::Signed);
const PC64: Field = word(8, true, Check::Any);

/// Number, name and meaning of every relocation type a static linker has to know.
#[rustfmt::skip]
const TYPES: &[(u32, &str, Operand, Field)] = &[
    (0,  "R_X86_64_NONE",            Operand::None,            ABS64),
    (1,  "R_X86_64_64",              Operand::Address,         ABS64),
    (2,  "R_X86_64_PC32",            Operand::Address,         PC32),
    (3,  "R_X86_64_GOT32",           Operand::CellOffset,      ABS32S),
    (4,  "R_X86_64_PLT32",           Operand::Branch,          PC32),
    (9,  "R_X86_64_GOTPCREL",        Operand::Cell,            PC32),
    (10, "R_X86_64_32",              Operand::Address,         ABS32),
    (11, "R_X86_64_32S",             Operand::Address,         ABS32S),
    (12, "R_X86_64_16",              Operand::Address,         word(2, false, Check::Either)),
    (13, "R_X86_64_PC16",            Operand::Address,         word(2, true, Check::Signed)),
    (14, "R_X86_64_8",               Operand::Address,         word(1, false, Check::Either)),
    (15, "R_X86_64_PC8",             Operand::Address,         word(1, true, Check::Signed)),
    (17, "R_X86_64_DTPOFF64",        Operand::TlsBlockOffset,  ABS64),
    (18, "R_X86_64_TPOFF64",         Operand::TlsThreadOffset, ABS64),
    (19, "R_X86_64_TLSGD",           Operand::TlsPair,         PC32),
    (20, "R_X86_64_TLSLD",           Operand::TlsModulePair,   PC32),
    (21, "R_X86_64_DTPOFF32",        Operand::TlsBlockOffset,  ABS32S),
    (22, "R_X86_64_GOTTPOFF",        Operand::TlsThreadCell,   PC32),
    (23, "R_X86_64_TPOFF32",         Operand::TlsThreadOffset, ABS32S),
    (24, "R_X86_64_PC64",            Operand::Address,         PC64),
    (25, "R_X86_64_GOTOFF64",        Operand::AddressOffset,   ABS64),
    (26, "R_X86_64_GOTPC32",         Operand::TableBase,       PC32),
    (27, "R_X86_64_GOT64",           Operand::CellOffset,      ABS64),
    (28, "R_X86_64_GOTPCREL64",      Operand::Cell,            PC64),
    (29, "R_X86_64_GOTPC64",         Operand::TableBase,       PC64),
    (31, "R_X86_64_PLTOFF64",        Operand::StubOffset,      ABS64),
    (32, "R_X86_64_SIZE32",          Operand::Size,            ABS32),
    (33, "R_X86_64_SIZE64",          Operand::Size,            ABS64),
    (34, "R_X86_64_GOTPC32_TLSDESC", Operand::TlsDescriptor,   PC32),
    (35, "R_X86_64_TLSDESC_CALL",    Operand::None,            ABS64),
    (41, "R_X86_64_GOTPCRELX",       Operand::Cell,            PC32),
    (42, "R_X86_64_REX_GOTPCRELX",   Operand::Cell,            PC32),
    (43, "R_X86_64_CODE_4_GOTPCRELX", Operand::Cell,           PC32),
    (44, "R_X86_64_CODE_4_GOTTPOFF", Operand::TlsThreadCell,   PC32),
    (45, "R_X86_64_CODE_4_GOTPC32_TLSDESC", Operand::TlsDescriptor, PC32),
];

/// The table by number: relocating looks a type up for every field.
const BY_NUMBER: [Option<Howto>; 46] = {
    let mut all = [None; 46];
    let mut at = 0;
    while at < TYPES.len() {
        let (number, _, operand, field) = TYPES[at];
        all[number as usize] = Some(Howto { operand, field });
        at += 1;
    }
    all
};

pub(crate) fn howto(kind: u32) -> Option<Howto> {
    *BY_NUMBER.get(kind as usize)?
}

pub(crate) fn name(kind: u32) -> Option<&'static str> {
    TYPES.iter().find(|&&(number, ..)| number == kind).map(|&(_, name, ..)| name)
}

/// Whether the 32-bit field at `at` is the target of `call rel32`, `jmp rel32` or a
/// conditional jump. An opcode byte is told apart from the tail of another instruction by
/// nothing but its place; a mistake makes an address that is taken go to the body
/// instead of the stub, which old assemblers did for every reference.
pub(crate) fn is_direct_branch(code: &[u8], at: usize) -> bool {
    match at.checked_sub(1).and_then(|i| code.get(i)) {
        Some(0xe8 | 0xe9) => true,
        Some(0x80..=0x8f) => at >= 2 && code[at - 2] == 0x0f,
        _ => false,
    }
}

/// Whether the field at `at` is the memory operand of `call *cell(%rip)` or
/// `jmp *cell(%rip)`.
pub(crate) fn is_cell_branch(code: &[u8], at: usize) -> bool {
    at >= 2 && code.get(at - 2) == Some(&0xff) && matches!(code.get(at - 1), Some(0x15 | 0x25))
}

/// Turns `mov cell(%rip), %reg` around the field at `at` into `lea`, which takes the address
/// itself. The psABI names this rewrite for R_X86_64_REX_GOTPCRELX. Returns whether it was
/// such an instruction.
pub(crate) fn make_load_direct(code: &mut [u8], at: usize) -> bool {
    let Some([rex, opcode, modrm]) = at.checked_sub(3).and_then(|start| code.get_mut(start..at)) else {
        return false;
    };
    let is_load = *rex & 0xf8 == 0x48 && *opcode == 0x8b && *modrm & 0xc7 == 0x05;
    if is_load {
        *opcode = 0x8d;
    }
    is_load
}

/// Turns the six bytes of `call *cell(%rip)` or `jmp *cell(%rip)` around the field at
/// `at` into a direct call or jump of the same length, and returns where its 32-bit field
/// is now. The psABI names these rewrites for R_X86_64_GOTPCRELX.
pub(crate) fn make_branch_direct(code: &mut [u8], at: usize) -> usize {
    if code[at - 1] == 0x15 {
        // A REX.W prefix keeps the length. It also overrules an operand-size prefix before
        // it, as in the sequences for thread-local variables, which some processors would
        // take for a 16-bit call.
        code[at - 2] = 0x48;
        code[at - 1] = 0xe8;
        at
    } else {
        code[at - 2] = 0xe9;
        if let Some(last) = code.get_mut(at + 3) {
            *last = 0x90;
        }
        at - 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Unwritable, write};
    use super::*;

    #[test]
    fn every_type_is_found_by_its_number() {
        assert!(TYPES.iter().all(|&(number, ..)| howto(number).is_some() && name(number).is_some()));
        assert_eq!(name(41), Some("R_X86_64_GOTPCRELX"));
        assert_eq!(howto(200), None);
    }

    #[test]
    fn fields_hold_exactly_their_range() {
        let mut bytes = [0; 8];
        let place = 0x10_0000_0000;
        for (value, fits) in [
            (place + 0x7fff_ffff, true),
            (place + 0x8000_0000, false),
            (place - 0x8000_0000, true),
            (place - 0x8000_0001, false),
        ] {
            assert_eq!(write(PC32, &mut bytes, 0, value, place).is_ok(), fits, "{value:#x}");
        }
        assert!(write(ABS32, &mut bytes, 0, 0xffff_ffff, 0).is_ok());
        assert_eq!(write(ABS32S, &mut bytes, 0, 0xffff_ffff, 0), Err(Unwritable::Range));
        assert_eq!(write(ABS64, &mut bytes, 1, 0, 0), Err(Unwritable::Bounds));
    }

    #[test]
    fn tells_branches_from_loads() {
        assert!(is_direct_branch(&[0xe8, 0, 0, 0, 0], 1));
        assert!(is_direct_branch(&[0x0f, 0x84, 0, 0, 0, 0], 2));
        // lea 0(%rip), %rax
        assert!(!is_direct_branch(&[0x48, 0x8d, 0x05, 0, 0, 0, 0], 3));
        assert!(is_cell_branch(&[0xff, 0x15, 0, 0, 0, 0], 2));
        // mov 0(%rip), %rax
        assert!(!is_cell_branch(&[0x48, 0x8b, 0x05, 0, 0, 0, 0], 3));
        // mov 0(%rip), %r15
        let mut load = [0x4c, 0x8b, 0x3d, 0, 0, 0, 0];
        assert!(make_load_direct(&mut load, 3));
        assert_eq!(load[..3], [0x4c, 0x8d, 0x3d]);
        // cmp 0(%rip), %rax
        assert!(!make_load_direct(&mut [0x48, 0x3b, 0x05, 0, 0, 0, 0], 3));
        let mut call = [0xff, 0x15, 1, 2, 3, 4];
        assert_eq!(make_branch_direct(&mut call, 2), 2);
        assert_eq!(call[..2], [0x48, 0xe8]);
        let mut jump = [0xff, 0x25, 1, 2, 3, 4];
        assert_eq!(make_branch_direct(&mut jump, 2), 1);
        assert_eq!((jump[0], jump[5]), (0xe9, 0x90));
    }
}
