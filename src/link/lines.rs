//! Which source line code is of: an object's line table, kept as it is.
//!
//! Owns its bytes with the addresses of the code filled in, and the search in them, which
//! happens after a fault only. Nothing else of the debug information is kept here.

use gimli::{AttributeValue, DebugLine, DebugLineOffset, DebugLineStr, EndianSlice, LineProgramHeader};
use object::LittleEndian;

use super::object::{Kind, Place};
use super::place::Placement;

const LE: LittleEndian = LittleEndian;

type Reader<'a> = EndianSlice<'a, gimli::LittleEndian>;

pub(super) const SECTION: &str = ".debug_line";
const STRINGS: &str = ".debug_line_str";

/// Whether a section of this name is kept.
pub(super) fn are_of(section: &str) -> bool {
    section == SECTION || section == STRINGS
}

/// Larger tables are not kept.
const LARGEST: usize = 1 << 26;

/// The line table of an image.
#[derive(Debug)]
pub(crate) struct Lines {
    table: Box<[u8]>,
    strings: Box<[u8]>,
}

impl Lines {
    pub(super) fn of(placement: &Placement<'_>) -> Option<Self> {
        let object = &placement.object;
        let (section, relocations) = object.lines?;
        let table = object.sections.get(section)?.bytes;
        let mut named = object.sections.iter().filter(|section| section.name == STRINGS);
        let strings = named.next().map_or(&[][..], |section| section.bytes);
        if table.is_empty() || table.len().max(strings.len()) > LARGEST {
            return None;
        }
        let mut table: Box<[u8]> = table.into();
        for relocation in relocations {
            let symbol = &object.symbols[relocation.r_sym(LE, false) as usize];
            let Place::Section(to) = symbol.place else { continue };
            let value = symbol.value.wrapping_add(relocation.r_addend.get(LE) as u64);
            let (value, size) = match object.sections[to].kind {
                Kind::Code => (placement.sections[to].address.wrapping_add(value), 8),
                // An offset into a section of strings.
                Kind::Skipped => (value, 4),
                _ => continue,
            };
            let at = usize::try_from(relocation.r_offset.get(LE)).ok()?;
            table.get_mut(at..at.checked_add(size)?)?.copy_from_slice(&value.to_le_bytes()[..size]);
        }
        Some(Self { table, strings: strings.into() })
    }

    /// The file and line of the instruction that `address` is in.
    pub(crate) fn at(&self, address: u64) -> Option<(String, u32)> {
        let all = DebugLine::new(&self.table, gimli::LittleEndian);
        let mut offset = 0;
        while offset < self.table.len() {
            let program = all.program(DebugLineOffset(offset), 8, None, None).ok()?;
            // The unit's length is that of what follows the field.
            let length = program.header().unit_length();
            let field = if program.header().format() == gimli::Format::Dwarf64 { 12 } else { 4 };
            offset = offset.checked_add(length)?.checked_add(field)?;
            let mut rows = program.rows();
            let mut before: Option<(u64, u64, u64)> = None;
            while let Ok(Some((header, row))) = rows.next_row() {
                if let Some((start, file, line)) = before
                    && (start..row.address()).contains(&address)
                {
                    return Some((self.file(header, file)?, u32::try_from(line).unwrap_or_default()));
                }
                let line = row.line().map_or(0, u64::from);
                before = (!row.end_sequence()).then(|| (row.address(), row.file_index(), line));
            }
        }
        None
    }

    fn file(&self, header: &LineProgramHeader<Reader<'_>>, index: u64) -> Option<String> {
        let file = header.file(index)?;
        let name = self.text(&file.path_name())?;
        // Entry 0 is where the compiler ran: what is there is named as it was given.
        let directory = (file.directory_index() != 0).then(|| file.directory(header)).flatten();
        match directory.and_then(|directory| self.text(&directory)) {
            Some(directory) if !name.starts_with('/') => Some(format!("{directory}/{name}")),
            _ => Some(name),
        }
    }

    fn text(&self, value: &AttributeValue<Reader<'_>>) -> Option<String> {
        let bytes = match value {
            AttributeValue::String(text) => text.slice(),
            AttributeValue::DebugLineStrRef(offset) => {
                let strings = DebugLineStr::from(EndianSlice::new(&self.strings, gimli::LittleEndian));
                strings.get_str(*offset).ok()?.slice()
            }
            _ => return None,
        };
        Some(String::from_utf8_lossy(bytes).into_owned())
    }
}
