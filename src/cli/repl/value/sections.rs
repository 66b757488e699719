//! The debug sections of a relocatable object that types are read from.
//!
//! Owns relocating: references between debug sections become offsets. Addresses in the
//! program stay what they are in the file, types have no use for them.

use std::borrow::Cow;

use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionFlags, elf};

use crate::cli::failure::Failure;

/// Larger sections are not read.
const LARGEST: u64 = 1 << 28;

/// What types are read from.
pub struct Sections<'o> {
    pub info: Cow<'o, [u8]>,
    pub abbreviations: Cow<'o, [u8]>,
    pub string_offsets: Cow<'o, [u8]>,
    /// These two only so that units can be opened.
    pub addresses: &'o [u8],
    pub lines: &'o [u8],
    /// Not relocated: strings refer to nothing, and names borrow from them.
    pub strings: &'o [u8],
    pub line_strings: &'o [u8],
}

impl<'o> Sections<'o> {
    /// Finds them in an ELF object.
    pub fn of(object: &'o [u8]) -> Result<Self, Failure> {
        let file = ElfFile64::parse(object)
            .map_err(|error| Failure::new(format!("cannot read the object of a value's type: {error}")))?;
        if file.section_by_name(".debug_info").is_none() {
            let failure = Failure::new("the object of a value's type has no debug information");
            return Err(failure.hint("compile it with -g"));
        }
        Ok(Self {
            info: relocated(&file, ".debug_info")?,
            abbreviations: Cow::Borrowed(data(&file, ".debug_abbrev")?),
            string_offsets: relocated(&file, ".debug_str_offsets")?,
            addresses: data(&file, ".debug_addr")?,
            lines: data(&file, ".debug_line")?,
            strings: data(&file, ".debug_str")?,
            line_strings: data(&file, ".debug_line_str")?,
        })
    }
}

type Elf<'o> = ElfFile64<'o, object::LittleEndian>;

/// The section itself; those in groups belong to type units, which are units of their own.
fn section<'f, 'o>(file: &'f Elf<'o>, name: &str) -> Option<impl object::ObjectSection<'o> + use<'f, 'o>> {
    file.sections().find(|section| {
        let grouped = matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(elf::SHF_GROUP));
        section.name() == Ok(name) && !grouped
    })
}

fn data<'o>(file: &Elf<'o>, name: &str) -> Result<&'o [u8], Failure> {
    let Some(section) = section(file, name) else {
        return Ok(&[]);
    };
    let compressed = matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(elf::SHF_COMPRESSED));
    if compressed {
        let failure = Failure::new(format!("{name} of the object of a value's type is compressed"));
        return Err(failure.hint("compile it without -gz"));
    }
    if section.size() > LARGEST {
        return Err(Failure::new(format!("{name} of the object of a value's type is too large to read")));
    }
    section.data().map_err(|error| damaged(name, &error.to_string()))
}

fn relocated<'o>(file: &Elf<'o>, name: &str) -> Result<Cow<'o, [u8]>, Failure> {
    let mut bytes = Cow::Borrowed(data(file, name)?);
    let Some(section) = section(file, name) else {
        return Ok(bytes);
    };
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(symbol) = relocation.target() else {
            continue;
        };
        let Ok(symbol) = file.symbol_by_index(symbol) else {
            return Err(damaged(name, "a relocation without its symbol"));
        };
        let size = match relocation.size() {
            64 => 8,
            32 => 4,
            // Those of thread-local variables, whose place is not asked for.
            _ => continue,
        };
        let value = symbol.address().wrapping_add(relocation.addend() as u64);
        let field = usize::try_from(offset).ok().and_then(|at| {
            let end = at.checked_add(size)?;
            bytes.to_mut().get_mut(at..end)
        });
        match field {
            Some(field) => field.copy_from_slice(&value.to_le_bytes()[..size]),
            None => return Err(damaged(name, "a relocation outside of it")),
        }
    }
    Ok(bytes)
}

/// What is said of debug information that no compiler writes.
pub fn damaged(section: &str, what: &str) -> Failure {
    Failure::new(format!("{section} of the object of a value's type is damaged: {what}"))
}
