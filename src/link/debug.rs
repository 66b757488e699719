//! What debuggers and profilers are told of a linked object.
//!
//! Owns relocating debug sections, which are no part of the running program: an address is that
//! of the body or the storage itself, never of a stub or a cell. Runs only where somebody asked.

use object::read::elf::ElfFile64;
use object::{
    LittleEndian, Object as _, ObjectSection as _, RelocationFlags, RelocationTarget, SectionFlags, elf,
};

use super::apply::Linker;
use super::functions::Functions;
use super::object::{Kind, Place};
use super::place::Area;
use crate::observe::{Debug, Fixup, Function, Piece, SECTIONS, section_of};

/// Where a section of debug information starts in those of its name.
#[derive(Clone, Copy)]
struct Start {
    section: usize,
    at: usize,
}

impl Linker<'_, '_> {
    /// What there is to tell of the object, all of whose sections are relocated; nothing where
    /// it has no code.
    pub(super) fn piece(&self, functions: &Functions) -> Option<Piece> {
        let detail = self.detail?;
        let code = &self.placement.code;
        let block = code.block.as_ref()?;
        let one = |(name, address, size): (&str, u64, u64)| Function { name: name.into(), address, size };
        let mut piece =
            Piece { code: block.range(), functions: functions.iter().map(one).collect(), ..Piece::default() };
        if detail.code {
            piece.bytes.clone_from(&code.bytes);
        }
        if detail.debug {
            piece.frames = self.frames();
            self.debug(&mut piece.debug);
        }
        Some(piece)
    }

    /// Objects have one section of these.
    fn frames(&self) -> Option<(u64, Vec<u8>)> {
        let sections = self.object().sections.iter().zip(&self.placement.sections);
        let (section, placed) = sections.into_iter().find(|(s, _)| s.kind == Kind::Frames && s.size > 0)?;
        let all = &self.placement.constants.bytes;
        let records = all.get(placed.offset..placed.offset + section.size as usize)?;
        Some((placed.address, records.to_vec()))
    }

    fn debug(&self, debug: &mut [Debug; SECTIONS.len()]) {
        let Ok(file) = ElfFile64::<LittleEndian>::parse(self.object().data) else { return };
        let mut starts: Vec<Option<Start>> = vec![None; self.object().sections.len()];
        for section in file.sections() {
            let (Ok(name), SectionFlags::Elf { sh_flags, .. }) = (section.name(), section.flags()) else {
                continue;
            };
            let Some(to) = section_of(name).filter(|_| !sh_flags.contains(elf::SHF_COMPRESSED)) else {
                continue;
            };
            if let (Ok(bytes), Some(start)) = (section.data(), starts.get_mut(section.index().0)) {
                *start = Some(Start { section: to, at: debug[to].bytes.len() });
                debug[to].bytes.extend_from_slice(bytes);
            }
        }
        for section in file.sections() {
            let Some(Some(start)) = starts.get(section.index().0).copied() else { continue };
            for (offset, relocation) in section.relocations() {
                let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
                let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
                let size = match (relocation.size(), r_type) {
                    (64, _) => 8,
                    (32, _) => 4,
                    (_, elf::R_X86_64_DTPOFF32) => 4,
                    (_, elf::R_X86_64_DTPOFF64 | elf::R_AARCH64_TLS_DTPREL) => 8,
                    _ => continue,
                };
                let Ok(offset) = usize::try_from(offset) else { continue };
                let at = start.at.saturating_add(offset);
                let (value, to) = self.value(symbol.0, relocation.addend() as u64, &starts);
                let part = &mut debug[start.section];
                let Some(field) = at.checked_add(size).and_then(|end| part.bytes.get_mut(at..end)) else {
                    continue;
                };
                field.copy_from_slice(&value.to_le_bytes()[..size]);
                part.fixups.extend(to.map(|to| Fixup { at, size, to }));
            }
        }
    }

    /// What the symbol and the addend are, and the section of debug information that it counts in.
    fn value(&self, symbol: usize, addend: u64, starts: &[Option<Start>]) -> (u64, Option<usize>) {
        let Some(named) = self.object().symbols.get(symbol) else { return (0, None) };
        let value = named.value.wrapping_add(addend);
        let section = match named.place {
            Place::Section(section) => section,
            Place::Absolute => return (value, None),
            Place::Common => {
                let storage = self.placement.common.get(&symbol).copied();
                return (storage.map_or(0, |at| at.wrapping_add(addend)), None);
            }
            Place::Undefined => return (0, None),
        };
        if let Some(Some(start)) = starts.get(section) {
            return (value.wrapping_add(start.at as u64), Some(start.section));
        }
        let placed = self.placement.copy_at(section, value);
        match placed.area {
            // What is not loaded is nowhere, which tools pass over.
            Area::Nowhere => (0, None),
            _ => (placed.address.wrapping_add(value), None),
        }
    }
}
