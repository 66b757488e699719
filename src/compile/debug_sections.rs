//! The debug sections of an object and its symbols, as far as types need them.
//!
//! Owns relocating: a reference to another debug section becomes an offset, one to the
//! program a number that stands for a place in it. Deliberately knows nothing of what debug
//! information says.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, elf};
use object::{RelocationFlags, RelocationTarget, SectionFlags, SectionIndex, SymbolKind};

pub(super) type Elf<'d> = ElfFile64<'d, object::LittleEndian>;

/// Larger sections are not read.
const LARGEST: u64 = 1 << 28;

/// The bytes of a section, where each address in the program is the number, from one, of
/// its entry in `places`: section and offset.
pub(super) fn relocated<'d>(
    file: &Elf<'d>,
    name: &str,
    places: &mut Vec<(SectionIndex, u64)>,
) -> Option<Cow<'d, [u8]>> {
    // Type units have sections of the same name, in groups of their own.
    let mut named = file.sections().filter(|section| section.name() == Ok(name));
    let is_grouped =
        |flags| matches!(flags, SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(elf::SHF_GROUP));
    let Some(section) = named.find(|section| !is_grouped(section.flags())) else {
        return Some(Cow::Borrowed(&[]));
    };
    let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
        return None;
    };
    if sh_flags.contains(elf::SHF_COMPRESSED) || section.size() > LARGEST {
        return None;
    }
    let mut bytes = Cow::Borrowed(section.data().ok()?);
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(symbol) = relocation.target() else {
            continue;
        };
        let Ok(symbol) = file.symbol_by_index(symbol) else {
            continue;
        };
        let RelocationFlags::Elf { r_type } = relocation.flags() else {
            continue;
        };
        let to = symbol.address().wrapping_add(relocation.addend() as u64);
        let in_program = symbol.section_index().filter(|index| {
            file.section_by_index(*index).is_ok_and(|section| {
                matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(elf::SHF_ALLOC))
            })
        });
        let value = match in_program {
            Some(section) => {
                places.push((section, to));
                places.len() as u64
            }
            None => to,
        };
        let size = match (relocation.size(), r_type) {
            (64, _) => 8,
            (32, _) => 4,
            (_, elf::R_X86_64_DTPOFF32) => 4,
            (_, elf::R_X86_64_DTPOFF64 | elf::R_AARCH64_TLS_DTPREL) => 8,
            _ => continue,
        };
        let at = usize::try_from(offset).ok()?;
        let field = bytes.to_mut().get_mut(at..at.checked_add(size)?)?;
        field.copy_from_slice(&value.to_le_bytes()[..size]);
    }
    Some(bytes)
}

/// The object's symbols, by what is asked of them.
pub(super) struct Symbols {
    places: Vec<(SectionIndex, u64)>,
    pub functions: HashMap<(SectionIndex, u64), Vec<String>>,
    pub variables: HashMap<(SectionIndex, u64), Vec<String>>,
    pub defined: HashSet<String>,
    pub undefined: HashSet<String>,
}

impl Symbols {
    pub(super) fn of(file: &Elf<'_>, places: Vec<(SectionIndex, u64)>) -> Self {
        let mut symbols = Self {
            places,
            functions: HashMap::new(),
            variables: HashMap::new(),
            defined: HashSet::new(),
            undefined: HashSet::new(),
        };
        for symbol in file.symbols() {
            let Ok(name) = symbol.name() else {
                continue;
            };
            if name.is_empty() {
                continue;
            }
            let Some(section) = symbol.section_index() else {
                if symbol.is_undefined() {
                    symbols.undefined.insert(name.to_owned());
                }
                continue;
            };
            let place = (section, symbol.address());
            match symbol.kind() {
                SymbolKind::Text if symbol.is_global() => {
                    symbols.defined.insert(name.to_owned());
                    symbols.functions.entry(place).or_default().push(name.to_owned());
                }
                SymbolKind::Data | SymbolKind::Tls => {
                    symbols.variables.entry(place).or_default().push(name.to_owned());
                }
                _ => {}
            }
        }
        symbols
    }

    pub(super) fn place(&self, address: u64) -> Option<(SectionIndex, u64)> {
        self.places.get(usize::try_from(address.checked_sub(1)?).ok()?).copied()
    }
}
