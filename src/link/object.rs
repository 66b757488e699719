//! Reading a relocatable ELF object.
//!
//! Owns the check that an object is well formed: after [`Object::parse`] every section
//! index, symbol index and relocation offset is in bounds, every alignment a power of
//! two. It deliberately knows nothing of where anything will be placed.

use object::elf;
use object::read::elf::{FileHeader, Rela, SectionHeader, Sym};
use object::{LittleEndian, SectionIndex, SymbolIndex};
use runtime_stubs::Arch;

use super::lines;
use crate::error::{Error, ErrorKind, Result};

type Header = elf::FileHeader64<LittleEndian>;
pub(crate) type Relocation = elf::Rela64<LittleEndian>;
const LE: LittleEndian = LittleEndian;

/// The linker's name for the start of an object's thread-local block.
pub(super) const BLOCK_START: &str = "_TLS_MODULE_BASE_";

/// SHN_X86_64_LCOMMON of the psABI: COMMON of the medium and large models.
const LARGE_COMMON: elf::SymbolSection = elf::SymbolSection(0xff02);

/// The largest alignment a section may ask for, in bytes.
const MAX_ALIGN: u64 = 1 << 24;

/// What a section holds, which decides where it is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    /// Constants, and data that only relocations write (`.data.rel.ro`).
    Constant,
    /// Variables, with or without initial bytes.
    Variable,
    ThreadLocal,
    /// Function pointers run after loading (`.init_array`, `.ctors`).
    Init,
    /// Function pointers run at the end (`.fini_array`, `.dtors`).
    Fini,
    /// Call frame information for unwinding.
    Frames,
    /// Not part of the running program: debug information, notes, tables of the linker.
    Skipped,
}

pub(crate) struct Section<'d> {
    pub name: &'d str,
    pub kind: Kind,
    pub align: u64,
    pub size: u64,
    /// The initial bytes; empty for a zeroed section.
    pub bytes: &'d [u8],
    pub relocations: &'d [Relocation],
    /// Part of a COMDAT group: other objects may hold the same.
    pub comdat: bool,
    /// How long each of its constants is, where all are alike; for strings the length of
    /// a character. 0 where they are not.
    pub entry: u64,
    pub strings: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Undefined,
    Absolute,
    /// A COMMON symbol; the value is its alignment.
    Common,
    Section(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    Local,
    Global,
    Weak,
    /// `STB_GNU_UNIQUE`: one definition in the whole process.
    Unique,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SymbolKind {
    Unknown,
    Function,
    Data,
    ThreadLocal,
    /// The value is a function that returns the function to use.
    IndirectFunction,
    Section,
}

pub(crate) struct Symbol<'d> {
    pub name: &'d str,
    pub place: Place,
    pub value: u64,
    pub size: u64,
    pub binding: Binding,
    pub kind: SymbolKind,
    /// Only this module knows it, although its references go through the table.
    pub scoped: bool,
}

pub(crate) struct Object<'d> {
    pub arch: Arch,
    /// The whole file.
    pub data: &'d [u8],
    pub sections: Vec<Section<'d>>,
    pub symbols: Vec<Symbol<'d>>,
    /// Its line table, with the relocations that are applied to nothing else.
    pub lines: Option<(usize, &'d [Relocation])>,
    /// Sections whose bounds the object refers to by `__start_` and `__stop_` symbols.
    pub bounded: Vec<&'d str>,
}

fn malformed(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Parse, format!("malformed object file: {what}"))
        .hint("it may be truncated or damaged: build it again")
}

impl<'d> Object<'d> {
    /// An object with nothing in it.
    pub(crate) fn empty(arch: Arch) -> Self {
        let (sections, symbols, bounded) = (Vec::new(), Vec::new(), Vec::new());
        Self { arch, data: &[], sections, symbols, lines: None, bounded }
    }

    pub(crate) fn parse(data: &'d [u8]) -> Result<Self> {
        if data.get(..5) == Some(&[0x7f, b'E', b'L', b'F', elf::ELFCLASS32.0]) {
            return Err(Error::new(ErrorKind::Parse, "a 32-bit object").hint("compile it with -m64"));
        }
        let header = Header::parse(data).map_err(malformed)?;
        if header.e_ident().data != elf::ELFDATA2LSB || header.e_ident().class != elf::ELFCLASS64 {
            return Err(Error::new(ErrorKind::Parse, "not a 64-bit little-endian ELF object"));
        }
        let arch = match header.e_machine(LE) {
            elf::EM_X86_64 => Arch::X86_64,
            elf::EM_AARCH64 => Arch::Aarch64,
            other => {
                return Err(Error::new(
                    ErrorKind::Parse,
                    format!("ELF machine {} is not supported", other.0),
                )
                .hint("hotslot links x86-64 and aarch64 objects"));
            }
        };
        if header.e_type(LE) != elf::ET_REL {
            return Err(Error::new(ErrorKind::Parse, "not a relocatable object")
                .hint("pass the output of `cc -c`; open a shared library with open_library or -l"));
        }
        let mut object = Self { data, ..Self::empty(arch) };
        object.read(header, data)?;
        // A compiler's own form of code, with nothing that can be run beside it.
        let is_empty = |section: &Section<'_>| section.kind == Kind::Skipped || section.size == 0;
        if object.sections.iter().any(|section| section.name.starts_with(".gnu.lto_"))
            && object.sections.iter().all(is_empty)
        {
            return Err(Error::new(ErrorKind::Parse, "the object has no code, only what gcc's -flto needs")
                .hint("compile it with -ffat-lto-objects, or without -flto"));
        }
        object.define_linker_symbols();
        Ok(object)
    }

    fn read(&mut self, header: &Header, data: &'d [u8]) -> Result<()> {
        let sections = header.sections(LE, data).map_err(malformed)?;
        self.sections.reserve(sections.len());
        for section in sections.iter() {
            let name = sections.section_name(LE, section).map_err(malformed)?;
            let name = std::str::from_utf8(name).map_err(malformed)?;
            if name == ".note.GNU-stack" && section.sh_flags(LE).contains(elf::SHF_EXECINSTR) {
                // It would run until it calls what it has put there.
                return Err(Error::new(ErrorKind::Parse, "the object needs an executable stack").hint(
                    "gcc puts code on the stack where the address of a nested function is taken: pass such \
                     a function what it needs instead; assemble with -Wa,--noexecstack what needs none",
                ));
            }
            self.sections.push(read_section(name, section, data)?);
        }
        let table = sections.symbols(LE, data, elf::SHT_SYMTAB).map_err(malformed)?;
        self.symbols.reserve(table.len());
        for (index, symbol) in table.enumerate() {
            // The null symbol, and section symbols, have no name.
            let name = symbol.name(LE, table.strings()).map_err(malformed)?;
            let name = std::str::from_utf8(name).map_err(malformed)?;
            let section = table.symbol_section(LE, symbol, index).map_err(malformed)?;
            self.symbols.push(self.read_symbol(name, symbol, section)?);
        }
        for section in sections.iter() {
            match section.sh_type(LE) {
                elf::SHT_RELA => {
                    let target = section.info_link(LE);
                    self.attach_relocations(target, section, data, table.section())?;
                }
                elf::SHT_REL => {
                    let target = section.info_link(LE).0;
                    if self.sections.get(target).is_some_and(|s| s.kind != Kind::Skipped) {
                        return Err(malformed("relocations without addends (SHT_REL)"));
                    }
                }
                elf::SHT_GROUP => {
                    let Some((flags, members)) = section.group(LE, data).map_err(malformed)? else {
                        continue;
                    };
                    if flags.contains(elf::GRP_COMDAT) {
                        for member in members {
                            let member = member.get(LE) as usize;
                            let section = self
                                .sections
                                .get_mut(member)
                                .ok_or_else(|| malformed("a group names a section that does not exist"))?;
                            section.comdat = true;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_symbol(
        &self,
        name: &'d str,
        symbol: &elf::Sym64<LittleEndian>,
        section: Option<SectionIndex>,
    ) -> Result<Symbol<'d>> {
        let place = match (symbol.st_shndx(LE), section) {
            (elf::SHN_ABS, _) => Place::Absolute,
            (elf::SHN_COMMON, _) => Place::Common,
            (LARGE_COMMON, _) if self.arch == Arch::X86_64 => Place::Common,
            (_, Some(SectionIndex(index))) => Place::Section(index),
            (_, None) => Place::Undefined,
        };
        let binding = match symbol.st_bind() {
            elf::STB_LOCAL => Binding::Local,
            elf::STB_GLOBAL => Binding::Global,
            elf::STB_WEAK => Binding::Weak,
            elf::STB_GNU_UNIQUE => Binding::Unique,
            other => return Err(malformed(format!("symbol {name} has unknown binding {}", other.0))),
        };
        let kind = match symbol.st_type() {
            elf::STT_FUNC => SymbolKind::Function,
            elf::STT_OBJECT | elf::STT_COMMON => SymbolKind::Data,
            elf::STT_TLS => SymbolKind::ThreadLocal,
            elf::STT_GNU_IFUNC => SymbolKind::IndirectFunction,
            elf::STT_SECTION => SymbolKind::Section,
            _ => SymbolKind::Unknown,
        };
        let (value, size) = (symbol.st_value(LE), symbol.st_size(LE));
        match place {
            Place::Section(index) => {
                let section = self
                    .sections
                    .get(index)
                    .ok_or_else(|| malformed(format!("symbol {name} is in a section that does not exist")))?;
                if section.kind != Kind::Skipped && value > section.size {
                    return Err(malformed(format!("symbol {name} lies outside section {}", section.name)));
                }
            }
            Place::Common if !value.max(1).is_power_of_two() || value > MAX_ALIGN => {
                return Err(malformed(format!("common symbol {name} has alignment {value}")));
            }
            _ => {}
        }
        if binding != Binding::Local && name.is_empty() && place != Place::Undefined {
            return Err(malformed("a global symbol without a name"));
        }
        // Parts that the compiler made of such a function have the prefix too.
        let plain = crate::scoped::plain(name);
        let scoped = plain.is_some() && binding != Binding::Local;
        let name = plain.unwrap_or(name);
        Ok(Symbol { name, place, value, size, binding, kind, scoped })
    }

    fn attach_relocations(
        &mut self,
        target: SectionIndex,
        section: &elf::SectionHeader64<LittleEndian>,
        data: &'d [u8],
        symbols: SectionIndex,
    ) -> Result<()> {
        let symbol_count = self.symbols.len();
        let Some(to) = self.sections.get_mut(target.0) else {
            return Err(malformed("relocations of a section that does not exist"));
        };
        let lines = to.kind == Kind::Skipped && to.name == lines::SECTION && self.lines.is_none();
        if to.kind == Kind::Skipped && !lines {
            return Ok(());
        }
        let Some((relocations, link)) = section.rela(LE, data).map_err(malformed)? else { return Ok(()) };
        if link != symbols {
            return Err(malformed("relocations name a symbol table that is not the object's"));
        }
        for relocation in relocations {
            let symbol = relocation.symbol(LE, false).unwrap_or(SymbolIndex(0)).0;
            if symbol >= symbol_count {
                return Err(malformed(format!(
                    "a relocation of {} names symbol {symbol} of {symbol_count}",
                    to.name
                )));
            }
        }
        if lines {
            self.lines = Some((target.0, relocations));
            return Ok(());
        }
        if !to.relocations.is_empty() {
            return Err(malformed(format!("section {} has two tables of relocations", to.name)));
        }
        if !relocations.is_empty() && to.bytes.is_empty() {
            return Err(malformed(format!("section {} has relocations but no bytes", to.name)));
        }
        to.relocations = relocations;
        Ok(())
    }
}

fn read_section<'d>(
    name: &'d str,
    header: &elf::SectionHeader64<LittleEndian>,
    data: &'d [u8],
) -> Result<Section<'d>> {
    let kind = classify(name, header);
    let (mut align, mut size, mut bytes) = (1, 0, &data[..0]);
    if kind != Kind::Skipped {
        align = header.sh_addralign(LE).max(1);
        size = header.sh_size(LE);
        if !align.is_power_of_two() || align > MAX_ALIGN {
            return Err(malformed(format!("section {name} has alignment {align}")));
        }
        if size > u64::from(u32::MAX) / 2 {
            return Err(malformed(format!("section {name} is {size} bytes long")));
        }
        if header.sh_type(LE) == elf::SHT_NOBITS
            && !matches!(kind, Kind::Variable | Kind::ThreadLocal)
            && size > 1 << 20
        {
            return Err(malformed(format!("section {name} is {size} bytes of nothing")));
        }
        if header.sh_type(LE) != elf::SHT_NOBITS {
            bytes = header.data(LE, data).map_err(malformed)?;
        }
        if header.sh_flags(LE).contains(elf::SHF_COMPRESSED) {
            return Err(malformed(format!("section {name} is loaded and compressed")));
        }
    } else if lines::are_of(name) && !header.sh_flags(LE).contains(elf::SHF_COMPRESSED) {
        bytes = header.data(LE, data).unwrap_or_default();
    }
    let flags = header.sh_flags(LE);
    let entry = if flags.contains(elf::SHF_MERGE) { header.sh_entsize(LE) } else { 0 };
    let strings = entry > 0 && flags.contains(elf::SHF_STRINGS);
    Ok(Section { name, kind, align, size, bytes, relocations: &[], comdat: false, entry, strings })
}

fn classify(name: &str, header: &elf::SectionHeader64<LittleEndian>) -> Kind {
    let flags = header.sh_flags(LE);
    if !flags.contains(elf::SHF_ALLOC) {
        return Kind::Skipped;
    }
    let is =
        |family: &str| name == family || name.strip_prefix(family).is_some_and(|rest| rest.starts_with('.'));
    match header.sh_type(LE) {
        elf::SHT_INIT_ARRAY => Kind::Init,
        elf::SHT_FINI_ARRAY => Kind::Fini,
        elf::SHT_PREINIT_ARRAY => Kind::Init,
        elf::SHT_X86_64_UNWIND => Kind::Frames,
        elf::SHT_NOTE | elf::SHT_GROUP => Kind::Skipped,
        elf::SHT_PROGBITS | elf::SHT_NOBITS => {
            if is(".ctors") || is(".init_array") {
                Kind::Init
            } else if is(".dtors") || is(".fini_array") {
                Kind::Fini
            } else if name == ".eh_frame" {
                Kind::Frames
            } else if name.starts_with(".note.") {
                Kind::Skipped
            } else if flags.contains(elf::SHF_TLS) {
                Kind::ThreadLocal
            } else if flags.contains(elf::SHF_EXECINSTR) {
                Kind::Code
            } else if flags.contains(elf::SHF_WRITE) && !is(".data.rel.ro") {
                Kind::Variable
            } else {
                Kind::Constant
            }
        }
        _ => Kind::Skipped,
    }
}

impl Object<'_> {
    /// Whether section `index` becomes part of the running program.
    pub(crate) fn is_loaded(&self, index: usize) -> bool {
        self.sections[index].kind != Kind::Skipped
    }

    /// Whether the object has a loaded section of that name.
    pub(crate) fn has_section(&self, name: &str) -> bool {
        self.sections.iter().any(|s| s.name == name && s.kind != Kind::Skipped)
    }

    /// Defines what linkers define: `__start_NAME` and `__stop_NAME` are the bounds of the
    /// object's own section NAME, `_TLS_MODULE_BASE_` the start of its thread-local block.
    fn define_linker_symbols(&mut self) {
        for symbol in &mut self.symbols {
            if symbol.place != Place::Undefined {
                continue;
            }
            if symbol.name == BLOCK_START {
                // Any of the block's sections: it stands for none of them.
                let first = self.sections.iter().position(|s| s.kind == Kind::ThreadLocal);
                if let Some(section) = first {
                    (symbol.place, symbol.binding) = (Place::Section(section), Binding::Local);
                }
                continue;
            }
            let (name, at_end) =
                match (symbol.name.strip_prefix("__start_"), symbol.name.strip_prefix("__stop_")) {
                    (Some(name), _) => (name, false),
                    (_, Some(name)) => (name, true),
                    _ => continue,
                };
            let found = self.sections.iter().position(|s| s.name == name && s.kind != Kind::Skipped);
            if let Some(section) = found {
                self.bounded.push(name);
                symbol.place = Place::Section(section);
                symbol.value = if at_end { self.sections[section].size } else { 0 };
                symbol.binding = Binding::Local;
            }
        }
    }
}
