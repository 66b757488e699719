//! Code that cannot be shown to be unreachable.
//!
//! Old code is freed once no thread's stack leads into it. Owns the search of an object
//! for what makes that no proof: stacks that are put aside, and addresses inside of
//! functions that may be anywhere. It errs on the side of keeping.

use object::LittleEndian;
use runtime_stubs::Arch;

use super::homes::{Homes, leads_to_stub};
use super::object::{Binding, Kind, Object, Place, Section, SymbolKind};
use super::relocate::{self, Field, Operand};
use super::starts::{Starts, is_coroutine_part};
use crate::table::SymbolId;

const LE: LittleEndian = LittleEndian;

/// Why code is never freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// It loads the stack pointer from elsewhere: there are stacks that no thread is on.
    Stacks,
    /// It has coroutines, whose frames hold addresses of it.
    Coroutines,
    /// It takes the address of a label, or of code that has no stub.
    Labels,
    /// Its constants cannot be told from tables of its code.
    Constants,
}

impl Keeps {
    /// To follow "is kept because it".
    #[allow(dead_code, reason = "for reports")]
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Stacks => "switches stacks",
            Self::Coroutines => "has coroutines",
            Self::Labels => "takes addresses inside of functions",
            Self::Constants => "has constants among tables of code addresses",
        }
    }
}

/// Why the code of `object` has to be kept, if it has. `unclear` says that [`super::escapes`]
/// has found addresses in code of which it does not know what they are.
pub(super) fn find(
    object: &Object<'_>,
    ids: &[Option<SymbolId>],
    starts: &Starts,
    homes: &Homes,
    labels_stay: bool,
    unclear: bool,
) -> Option<Keeps> {
    let coroutine = |s: &super::object::Symbol<'_>| {
        s.kind == SymbolKind::Function && s.binding == Binding::Local && is_coroutine_part(s.name)
    };
    if object.symbols.iter().any(coroutine) {
        return Some(Keeps::Coroutines);
    }
    let code = || object.sections.iter().enumerate().filter(|(_, s)| s.kind == Kind::Code);
    let x86 = object.arch == Arch::X86_64;
    let start = |section: usize, at: usize| {
        starts.around(section, at as u64).map_or(0, |(_, into)| at.saturating_sub(into as usize))
    };
    if x86 && code().any(|(index, section)| switches_stacks(section.bytes, |at| start(index, at))) {
        return Some(Keeps::Stacks);
    }
    if unclear {
        return Some(Keeps::Labels);
    }
    let escapes = |section: &Section<'_>| names_a_label(object, ids, starts, homes, section);
    if !labels_stay && object.sections.iter().any(escapes) {
        return Some(Keeps::Labels);
    }
    homes.keeps
}

/// Whether a relocation of code or of variables leads to the middle of code, or to a
/// table of such places.
fn names_a_label(
    object: &Object<'_>,
    ids: &[Option<SymbolId>],
    starts: &Starts,
    homes: &Homes,
    from: &Section<'_>,
) -> bool {
    let code = match from.kind {
        Kind::Code => true,
        Kind::Variable | Kind::ThreadLocal => false,
        _ => return false,
    };
    from.relocations.iter().any(|relocation| {
        let index = relocation.r_sym(LE, false) as usize;
        let symbol = &object.symbols[index];
        let Place::Section(section) = symbol.place else { return false };
        let kind = object.sections[section].kind;
        let to_code = kind == Kind::Code;
        if !to_code && (code || kind != Kind::Constant) {
            return false;
        }
        let howto = relocate::howto(object.arch, relocation.r_type(LE, false).0);
        let Some(howto) = howto.filter(|howto| howto.operand == Operand::Address) else { return false };
        let at = relocation.r_offset.get(LE) as usize;
        let addend = relocation.r_addend.get(LE) as u64;
        let relative = matches!(howto.field, Field::Word { relative: true, .. });
        let x86 = object.arch == Arch::X86_64;
        if code && x86 && relocate::x86_64::is_direct_branch(from.bytes, at) {
            return false;
        }
        let bias = if code && x86 && relative { 4 } else { 0 };
        let offset = symbol.value.wrapping_add(addend).wrapping_add(bias);
        if !to_code {
            return !super::homes::is_exception_table(object.sections[section].name)
                && object.sections[section].size > 0
                && homes.is_private(section, offset);
        }
        match ids[index] {
            Some(_) if symbol.kind != SymbolKind::Data => {
                addend.wrapping_add(bias) != 0 && (code || !relative)
            }
            _ => !leads_to_stub(object, ids, starts, index, section, offset),
        }
    })
}

/// Whether a word of a section of variables is the address of a place inside of a function.
pub(super) fn holds_labels(object: &Object<'_>, starts: &Starts, from: &Section<'_>) -> bool {
    from.relocations.iter().any(|relocation| {
        let symbol = &object.symbols[relocation.r_sym(LE, false) as usize];
        let Place::Section(section) = symbol.place else { return false };
        let howto = relocate::howto(object.arch, relocation.r_type(LE, false).0);
        let is_address = howto.is_some_and(|howto| {
            let relative = matches!(howto.field, Field::Word { relative: true, .. });
            howto.operand == Operand::Address && !relative
        });
        let offset = symbol.value.wrapping_add(relocation.r_addend.get(LE) as u64);
        let inside = || starts.around(section, offset).is_some_and(|(_, into)| into > 0);
        is_address && object.sections[section].kind == Kind::Code && inside()
    })
}

/// Whether there is code that sets the stack pointer to what is neither on the stack nor
/// made from it: `mov memory, %rsp` but not from the frame, `xchg` with it, and `mov` from
/// the registers of the first two arguments in a function without a frame pointer. With one
/// that is how room for an array is made on the stack. `start` says where the function of
/// an offset starts.
fn switches_stacks(code: &[u8], start: impl Fn(usize) -> usize) -> bool {
    // mov %rsp, %rbp
    let framed = |at: usize| memchr::memmem::find(&code[start(at)..at], &[0x48, 0x89, 0xe5]).is_some();
    let wide = |at: usize| matches!(code[at - 1], 0x48..=0x4b);
    // mov r/m64, %rsp
    let load = |at: usize| {
        let modrm = code[at + 1];
        if !wide(at) || modrm & 0x38 != 0x20 {
            return false;
        }
        let extended = code[at - 1] & 1 != 0;
        match (modrm >> 6, modrm & 7) {
            (3, base) => !extended && matches!(base, 6 | 7) && !framed(at),
            (0, 5) => true,
            (_, 5) => extended,
            // With a SIB byte: a base of rsp, or one of rbp with a displacement.
            (mode, 4) => match code[at + 2] & 7 {
                4 => extended,
                5 => mode == 0 || extended,
                _ => true,
            },
            _ => true,
        }
    };
    // mov %rdi, %rsp and mov %rsi, %rsp; xchg.
    let store = |at: usize| code[at - 1] == 0x48 && matches!(code[at + 1], 0xfc | 0xf4) && !framed(at);
    let exchange = |at: usize| {
        let modrm = code[at + 1];
        let register = modrm & 0x38 == 0x20 && code[at - 1] & 4 == 0;
        wide(at) && register || modrm >> 6 == 3 && modrm & 7 == 4 && matches!(code[at - 1], 0x48 | 0x4c)
    };
    // The opcodes are a tenth of all bytes; with such operands they are rare.
    let likely = |prefix: u8, opcode: u8, modrm: u8| {
        let operands = (opcode == 0x8b) & (modrm & 0x38 == 0x20)
            | (opcode == 0x89) & (modrm & 0xf7 == 0xf4)
            | (opcode == 0x87);
        (prefix & 0xf8 == 0x48) & operands
    };
    any_place(code, likely, |at| match code[at] {
        0x8b => load(at),
        0x89 => store(at),
        _ => exchange(at),
    })
}

/// Whether there is a place in `code` where three bytes pass `test`, given the middle one's
/// place `found` agrees, and two bytes are behind it. Many places are tested at once.
#[inline(always)]
fn any_place(code: &[u8], test: impl Fn(u8, u8, u8) -> bool, mut found: impl FnMut(usize) -> bool) -> bool {
    const AT_ONCE: usize = 32;
    let end = code.len().saturating_sub(2);
    let mut start = 1;
    while start < end {
        let stop = end.min(start + AT_ONCE);
        let part = |from: usize| code.get(from..)?.first_chunk::<AT_ONCE>();
        let mut passes = [0u8; AT_ONCE];
        match (part(start - 1), part(start), part(start + 1)) {
            (Some(before), Some(at), Some(after)) if stop - start == AT_ONCE => {
                for i in 0..AT_ONCE {
                    passes[i] = u8::from(test(before[i], at[i], after[i]));
                }
            }
            _ => {
                for (i, at) in (start..stop).enumerate() {
                    passes[i] = u8::from(test(code[at - 1], code[at], code[at + 1]));
                }
            }
        }
        for (eight, bytes) in passes.as_chunks::<8>().0.iter().enumerate() {
            let mut left = u64::from_le_bytes(*bytes);
            while left != 0 {
                if found(start + eight * 8 + left.trailing_zeros() as usize / 8) {
                    return true;
                }
                left &= left - 1;
            }
        }
        start = stop;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::switches_stacks;

    #[test]
    fn loads_of_the_stack_pointer_are_told_from_a_frames_end() {
        let yes: &[&[u8]] = &[
            &[0x48, 0x8b, 0x27, 0xc3],             // mov (%rdi), %rsp
            &[0x48, 0x8b, 0x66, 0x08, 0xc3],       // mov 8(%rsi), %rsp
            &[0x49, 0x8b, 0x65, 0x00, 0xc3],       // mov 0(%r13), %rsp
            &[0x49, 0x8b, 0x24, 0x24, 0xc3],       // mov (%r12), %rsp
            &[0x48, 0x8b, 0x25, 0, 0, 0, 0, 0xc3], // mov x(%rip), %rsp
            &[0x48, 0x89, 0xfc, 0xc3],             // mov %rdi, %rsp
            &[0x48, 0x87, 0x27, 0xc3],             // xchg %rsp, (%rdi)
        ];
        for code in yes {
            assert!(switches_stacks(code, |_| 0), "{code:x?}");
            // Anywhere in a larger piece.
            for before in 0..70 {
                let padded = [&vec![0x90; before], *code, &[0x90; 70]].concat();
                assert!(switches_stacks(&padded, |_| 0), "{code:x?} at {before}");
            }
        }
        let no: &[&[u8]] = &[
            &[0x48, 0x8b, 0x65, 0xf0, 0xc3],                         // mov -16(%rbp), %rsp
            &[0x48, 0x8b, 0x64, 0x24, 0x08, 0xc3],                   // mov 8(%rsp), %rsp
            &[0x48, 0x89, 0xec, 0x5d, 0xc3],                         // mov %rbp, %rsp
            &[0x4c, 0x8b, 0x27, 0xc3],                               // mov (%rdi), %r12
            &[0x48, 0x89, 0xe5, 0x48, 0x29, 0xc7, 0x48, 0x89, 0xfc], // an array's room
            &[0x48, 0x8b, 0xe5, 0x5d, 0xc3],                         // mov %rbp, %rsp
        ];
        for code in no {
            assert!(!switches_stacks(code, |_| 0), "{code:x?}");
            assert!(!switches_stacks(&[&[0x90; 40], *code, &[0x90; 70]].concat(), |_| 0), "{code:x?}");
        }
    }
}
