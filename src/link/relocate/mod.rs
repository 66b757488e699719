//! What a relocation asks for, and how its field is written.
//!
//! A relocation type is split into an [`Operand`], which address is wanted, and a
//! [`Field`], how it is stored. The operands are the same for every architecture and are
//! resolved by [`super::apply`]; each architecture's file owns its table of types and its
//! fields. Nothing here knows what a module is.

pub(crate) mod aarch64;
pub(crate) mod x86_64;

use runtime_stubs::Arch;

/// The value wanted, in the notation of the ELF supplements: S the symbol's address, A
/// the addend, G its cell in the table, L its stub, GOT the table's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operand {
    /// Nothing to write; a marker for linkers that rewrite code.
    None,
    /// S + A.
    Address,
    /// S + A where only a jump or call uses it, so L will do.
    Branch,
    /// G + A: the cell that holds the symbol's address, or its call slot.
    Cell,
    /// G + A - GOT.
    CellOffset,
    /// S + A - GOT.
    AddressOffset,
    /// L + A - GOT.
    StubOffset,
    /// GOT + A.
    TableBase,
    /// The symbol's size + A.
    Size,
    /// A pair that `__tls_get_addr` turns into the variable's address.
    TlsPair,
    /// The same for the start of the module's own thread-local block.
    TlsModulePair,
    /// A TLS descriptor.
    TlsDescriptor,
    /// A cell that holds the variable's offset from the thread pointer.
    TlsThreadCell,
    /// The variable's offset in its thread-local block, + A.
    TlsBlockOffset,
    /// The variable's offset from the thread pointer, + A.
    TlsThreadOffset,
}

/// How a value is stored: the union of what the architectures need. `X` is the operand's
/// value, `P` the field's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// The low bits of X, or of X - P, in so many bytes; checked as said.
    Word { bytes: u8, relative: bool, check: Check },
    /// An instruction of the A64 set.
    A64(aarch64::Instruction),
}

/// Which values a field can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Any: the field is as wide as an address.
    Any,
    Signed,
    Unsigned,
    /// Either signed or unsigned.
    Either,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Howto {
    pub operand: Operand,
    pub field: Field,
}

/// Why a field could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwritable {
    /// The value does not fit.
    Range,
    /// The field does not lie wholly inside its section.
    Bounds,
}

/// The meaning of a relocation type, `None` for one that hotslot does not know.
pub(crate) fn howto(arch: Arch, kind: u32) -> Option<Howto> {
    match arch {
        Arch::X86_64 => x86_64::howto(kind),
        Arch::Aarch64 => aarch64::howto(kind),
    }
}

/// The name of a relocation type, for messages.
pub(crate) fn name(arch: Arch, kind: u32) -> String {
    let known = match arch {
        Arch::X86_64 => x86_64::name(kind),
        Arch::Aarch64 => aarch64::name(kind),
    };
    known.map_or_else(|| format!("type {kind}"), str::to_owned)
}

/// Whether `field` is a branch at `place` that needs a veneer to get to `target`.
pub(crate) fn needs_veneer(field: Field, target: u64, place: u64) -> bool {
    is_far_branch(field) && aarch64::needs_veneer(target, place)
}

/// Whether `field` is a branch that may need a veneer.
pub(crate) fn is_far_branch(field: Field) -> bool {
    field == Field::A64(aarch64::Instruction::Branch)
}

/// Writes `value` into the field at `at` of `bytes`, which will run at address `place`.
pub(crate) fn write(
    field: Field,
    bytes: &mut [u8],
    at: usize,
    value: u64,
    place: u64,
) -> Result<(), Unwritable> {
    match field {
        Field::Word { bytes: width, relative, check } => {
            let width = usize::from(width);
            let end = at.checked_add(width).ok_or(Unwritable::Bounds)?;
            let to = bytes.get_mut(at..end).ok_or(Unwritable::Bounds)?;
            let value = if relative { value.wrapping_sub(place) } else { value };
            if !fits(value, width * 8, check) {
                return Err(Unwritable::Range);
            }
            to.copy_from_slice(&value.to_le_bytes()[..width]);
            Ok(())
        }
        Field::A64(instruction) => aarch64::write(instruction, bytes, at, value, place),
    }
}

fn fits(value: u64, bits: usize, check: Check) -> bool {
    if bits >= 64 {
        return true;
    }
    let signed = {
        let half = 1i64 << (bits - 1);
        (-half..half).contains(&(value as i64))
    };
    let unsigned = value < 1u64 << bits;
    match check {
        Check::Any => true,
        Check::Signed => signed,
        Check::Unsigned => unsigned,
        Check::Either => signed || unsigned,
    }
}
