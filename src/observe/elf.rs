//! An ELF file of code that is in memory already.
//!
//! Owns the form in which a debugger is told of the images of one or several updates: sections
//! of code without bytes, at their addresses, names, call frame records, and debug sections one
//! after the other, with offsets into them moved along.

use std::mem::size_of;
use std::sync::Arc;

use gimli::{BaseAddresses, CieOrFde, EhFrame, UnwindSection};
use object::elf;
use object::elf::{FileHeader64, Ident, SectionHeader64, Sym64};
use object::pod::bytes_of;
use object::{LittleEndian, U16, U32, U64};
use runtime_stubs::Arch;

use super::piece::{Piece, SECTIONS};

const LE: LittleEndian = LittleEndian;

/// A file with everything that `pieces` say.
pub(super) fn file(pieces: &[Arc<Piece>]) -> Vec<u8> {
    let mut file = File::new();
    let mut names = vec![0];
    let mut symbols = Vec::new();
    push_symbol(&mut symbols, 0, 0, (0, 0));
    for (index, piece) in pieces.iter().enumerate() {
        let flags = elf::SHF_ALLOC.0 | elf::SHF_EXECINSTR.0;
        let size = piece.code.end - piece.code.start;
        file.section(".text", elf::SHT_NOBITS, flags, (piece.code.start, size), &[]);
        for function in &piece.functions {
            push_symbol(&mut symbols, names.len(), index + 1, (function.address, function.size));
            names.extend_from_slice(function.name.as_bytes());
            names.push(0);
        }
    }
    let (address, frames) = frames(pieces);
    if !frames.is_empty() {
        let size = frames.len() as u64;
        file.section(".eh_frame", elf::SHT_PROGBITS, elf::SHF_ALLOC.0, (address, size), &frames);
    }
    for (name, bytes) in SECTIONS.iter().zip(debug(pieces)) {
        if !bytes.is_empty() {
            file.section(name, elf::SHT_PROGBITS, 0, (0, bytes.len() as u64), &bytes);
        }
    }
    let strings = file.headers.len() as u32 + 1;
    file.section(".symtab", elf::SHT_SYMTAB, 0, (0, symbols.len() as u64), &symbols);
    if let Some(header) = file.headers.last_mut() {
        // All but the first are global.
        header.sh_link = U32::new(LE, strings);
        header.sh_info = U32::new(LE, 1);
        header.sh_entsize = U64::new(LE, size_of::<Sym64<LittleEndian>>() as u64);
    }
    file.section(".strtab", elf::SHT_STRTAB, 0, (0, names.len() as u64), &names);
    file.finish()
}

fn push_symbol(symbols: &mut Vec<u8>, name: usize, section: usize, (address, size): (u64, u64)) {
    let mut symbol = Sym64::<LittleEndian> {
        st_name: U32::new(LE, name as u32),
        st_info: elf::SymbolInfo(0),
        st_other: elf::SymbolOther(0),
        st_shndx: U16::new(LE, elf::SymbolSection(section as u16)),
        st_value: U64::new(LE, address),
        st_size: U64::new(LE, size),
    };
    if section > 0 {
        symbol.set_st_info(elf::STB_GLOBAL, elf::STT_FUNC);
    }
    symbols.extend_from_slice(bytes_of(&symbol));
}

/// The debug sections of all, by their places in [`SECTIONS`].
fn debug(pieces: &[Arc<Piece>]) -> [Vec<u8>; SECTIONS.len()] {
    let mut all: [Vec<u8>; SECTIONS.len()] = Default::default();
    for piece in pieces {
        let starts: [usize; SECTIONS.len()] = std::array::from_fn(|at| all[at].len());
        for (part, into) in piece.debug.iter().zip(&mut all) {
            let start = into.len();
            into.extend_from_slice(&part.bytes);
            for fixup in part.fixups.iter().filter(|fixup| starts[fixup.to] > 0) {
                let at = start + fixup.at;
                let Some(field) = into.get_mut(at..at + fixup.size) else { continue };
                let mut word = [0; 8];
                word[..fixup.size].copy_from_slice(field);
                let moved = u64::from_le_bytes(word).wrapping_add(starts[fixup.to] as u64);
                field.copy_from_slice(&moved.to_le_bytes()[..fixup.size]);
            }
        }
    }
    all
}

/// The call frame records of all in one section, and its address. Debuggers look at one only.
fn frames(pieces: &[Arc<Piece>]) -> (u64, Vec<u8>) {
    let mut found = pieces.iter().filter_map(|piece| piece.frames.as_ref());
    let Some((address, first)) = found.next() else { return (0, Vec::new()) };
    let mut all = first.clone();
    for (from, records) in found {
        let start = all.len();
        all.extend_from_slice(records);
        // What says where a function is counts from itself, and that has moved.
        let moved = from.wrapping_sub(*address + start as u64);
        for (at, size) in relative(*from, records) {
            let Some(field) = all.get_mut(start + at..start + at + size) else { continue };
            let mut word = [0; 8];
            word[..size].copy_from_slice(field);
            let value = u64::from_le_bytes(word).wrapping_add(moved);
            field.copy_from_slice(&value.to_le_bytes()[..size]);
        }
    }
    (*address, all)
}

/// Where in `records` there are addresses of functions that count from themselves, and how long
/// they are. The records have been checked by the linker.
fn relative(address: u64, records: &[u8]) -> Vec<(usize, usize)> {
    let section = EhFrame::new(records, gimli::LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(address);
    let mut entries = section.entries(&bases);
    let mut found = Vec::new();
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let Ok(fde) = partial.parse(|section, bases, offset| section.cie_from_offset(bases, offset)) else {
            continue;
        };
        let encoding = fde.cie().fde_address_encoding().unwrap_or(gimli::DW_EH_PE_absptr);
        if encoding.application() != gimli::DW_EH_PE_pcrel {
            continue;
        }
        let size = match encoding.format() {
            gimli::DW_EH_PE_sdata4 | gimli::DW_EH_PE_udata4 => 4,
            gimli::DW_EH_PE_sdata8 | gimli::DW_EH_PE_udata8 | gimli::DW_EH_PE_absptr => 8,
            _ => continue,
        };
        // A length and a distance, of 4 bytes each, come first.
        found.push((fde.offset() + 8, size));
    }
    found
}

struct File {
    bytes: Vec<u8>,
    headers: Vec<SectionHeader64<LittleEndian>>,
    names: Vec<u8>,
}

impl File {
    fn new() -> Self {
        let mut file = Self {
            bytes: vec![0; size_of::<FileHeader64<LittleEndian>>()],
            headers: Vec::new(),
            names: vec![0],
        };
        file.header(0, elf::SHT_NULL, 0, (0, 0));
        file
    }

    fn header(&mut self, name: usize, kind: elf::SectionType, flags: u64, (address, size): (u64, u64)) {
        self.headers.push(SectionHeader64 {
            sh_name: U32::new(LE, name as u32),
            sh_type: U32::new(LE, kind),
            sh_flags: U64::new(LE, elf::SectionFlags(flags)),
            sh_addr: U64::new(LE, address),
            sh_offset: U64::new(LE, self.bytes.len() as u64),
            sh_size: U64::new(LE, size),
            sh_link: U32::new(LE, 0),
            sh_info: U32::new(LE, 0),
            sh_addralign: U64::new(LE, 1),
            sh_entsize: U64::new(LE, 0),
        });
    }

    fn section(&mut self, name: &str, kind: elf::SectionType, flags: u64, place: (u64, u64), bytes: &[u8]) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = self.names.len();
        self.names.extend_from_slice(name.as_bytes());
        self.names.push(0);
        self.header(at, kind, flags, place);
        self.bytes.extend_from_slice(bytes);
    }

    fn finish(mut self) -> Vec<u8> {
        let at = self.names.len();
        self.names.extend_from_slice(b".shstrtab\0");
        let names = std::mem::take(&mut self.names);
        self.header(at, elf::SHT_STRTAB, 0, (0, names.len() as u64));
        self.bytes.extend_from_slice(&names);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let sections = self.bytes.len() as u64;
        for header in &self.headers {
            self.bytes.extend_from_slice(bytes_of(header));
        }
        let machine = if Arch::HOST == Some(Arch::Aarch64) { elf::EM_AARCH64 } else { elf::EM_X86_64 };
        let count = self.headers.len() as u16;
        let header = FileHeader64::<LittleEndian> {
            e_ident: Ident {
                magic: elf::ELFMAG,
                class: elf::ELFCLASS64,
                data: elf::ELFDATA2LSB,
                version: elf::EV_CURRENT,
                os_abi: elf::ELFOSABI_NONE,
                abi_version: 0,
                padding: [0; 7],
            },
            // All addresses are final.
            e_type: U16::new(LE, elf::ET_EXEC),
            e_machine: U16::new(LE, machine),
            e_version: U32::new(LE, 1),
            e_entry: U64::new(LE, 0),
            e_phoff: U64::new(LE, 0),
            e_shoff: U64::new(LE, sections),
            e_flags: U32::new(LE, elf::FileFlags(0)),
            e_ehsize: U16::new(LE, size_of::<FileHeader64<LittleEndian>>() as u16),
            e_phentsize: U16::new(LE, 0),
            e_phnum: U16::new(LE, 0),
            e_shentsize: U16::new(LE, size_of::<SectionHeader64<LittleEndian>>() as u16),
            e_shnum: U16::new(LE, count),
            e_shstrndx: U16::new(LE, elf::SymbolSection(count - 1)),
        };
        let header = bytes_of(&header);
        self.bytes[..header.len()].copy_from_slice(header);
        self.bytes
    }
}
