//! The types that an object's debug information knows.
//!
//! Owns reading them, all at once: an input's object is small. Types are numbers here, so that they
//! may refer to each other in circles.

use std::borrow::Cow;
use std::collections::HashMap;

use gimli::{AttributeValue, DebuggingInformationEntry, Dwarf, EndianSlice, LittleEndian, Unit, UnitOffset};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget};

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// A type's place in [`Types`]; 0 is void.
pub type Id = usize;

/// What a type is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Void,
    Base { name: String, encoding: u8 },
    Pointer(Id),
    Array { of: Id, count: Option<u64>, vector: bool },
    Struct { keyword: &'static str, name: Option<String>, members: Vec<Member> },
    Enum { name: Option<String>, values: Vec<(String, i64)>, of: Id },
    Typedef { name: String, of: Id },
    Qualified { by: &'static str, of: Id },
    Function { result: Id, parameters: Vec<Id>, open: bool },
    Unknown(String),
}

/// A part of a structure.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub name: Option<String>,
    pub of: Id,
    pub at: u64,
    /// First bit and how many.
    pub bits: Option<(u64, u64)>,
}

/// All types of an object.
#[derive(Debug, Default)]
pub struct Types {
    kinds: Vec<(Kind, Option<u64>)>,
    variables: HashMap<String, Id>,
}

impl Types {
    /// Reads them.
    pub fn of(object: &[u8]) -> Option<Self> {
        let file = object::File::parse(object).ok()?;
        let load = |id: gimli::SectionId| Ok::<_, gimli::Error>(section(&file, id.name()));
        let sections = gimli::DwarfSections::load(load).ok()?;
        let dwarf = sections.borrow(|bytes| EndianSlice::new(bytes, LittleEndian));
        let mut types = Self { kinds: vec![(Kind::Void, None)], variables: HashMap::new() };
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            let unit = dwarf.unit(header).ok()?;
            Reading { dwarf: &dwarf, unit: &unit, types: &mut types, seen: HashMap::new() }.all()?;
        }
        Some(types)
    }

    /// The type of a variable.
    pub fn variable(&self, name: &str) -> Option<Id> {
        self.variables.get(name).copied()
    }

    /// What a type is called by other names.
    pub fn kind(&self, id: Id) -> &Kind {
        match &self.kinds[id].0 {
            Kind::Typedef { of, .. } | Kind::Qualified { of, .. } => self.kind(*of),
            kind => kind,
        }
    }

    pub fn pointee(&self, id: Id) -> Id {
        match self.kind(id) {
            Kind::Pointer(of) => *of,
            _ => 0,
        }
    }

    /// In bytes.
    pub fn size(&self, id: Id) -> Option<u64> {
        match &self.kinds[id] {
            (_, Some(size)) => Some(*size),
            (Kind::Pointer(_), None) => Some(8),
            (Kind::Typedef { of, .. } | Kind::Qualified { of, .. }, None) => self.size(*of),
            (Kind::Array { of, count, .. }, None) => self.size(*of)?.checked_mul((*count)?),
            _ => None,
        }
    }

    /// A declaration of `name` with this type, in C's words; of nothing, the type alone.
    pub fn spelling(&self, id: Id, name: &str) -> String {
        let spaced = |base: &str| match name.is_empty() {
            true => base.to_owned(),
            false => format!("{base} {name}"),
        };
        match &self.kinds[id].0 {
            Kind::Void => spaced("void"),
            Kind::Base { name, .. } | Kind::Typedef { name, .. } | Kind::Unknown(name) => spaced(name),
            Kind::Struct { keyword, name, .. } => spaced(&tagged(keyword, name.as_deref())),
            Kind::Enum { name, .. } => spaced(&tagged("enum", name.as_deref())),
            Kind::Qualified { by, of } if matches!(self.kinds[*of].0, Kind::Pointer(_)) => {
                self.spelling(*of, spaced(by).as_str())
            }
            Kind::Qualified { by, of } => format!("{by} {}", self.spelling(*of, name)),
            Kind::Pointer(of) => match self.kinds[*of].0 {
                Kind::Array { .. } | Kind::Function { .. } => self.spelling(*of, &format!("(*{name})")),
                _ => self.spelling(*of, &format!("*{name}")),
            },
            Kind::Array { of, count, .. } => {
                let count = count.map(|count| count.to_string()).unwrap_or_default();
                let space = if name.is_empty() { " " } else { "" };
                self.spelling(*of, &format!("{space}{name}[{count}]")).replace("  ", " ")
            }
            Kind::Function { result, parameters, open } => {
                let mut all: Vec<String> = parameters.iter().map(|of| self.spelling(*of, "")).collect();
                if *open {
                    all.push("...".to_owned());
                }
                let all = if all.is_empty() { "void".to_owned() } else { all.join(", ") };
                let space = if name.is_empty() { " " } else { "" };
                self.spelling(*result, &format!("{space}{name}({all})")).replace("  ", " ")
            }
        }
    }
}

fn tagged(keyword: &str, name: Option<&str>) -> String {
    name.map_or_else(|| format!("{keyword} {{...}}"), |name| format!("{keyword} {name}"))
}

/// The bytes of a section, with what the linker would have filled in.
fn section<'d>(file: &object::File<'d>, name: &str) -> Cow<'d, [u8]> {
    let Some(section) = file.section_by_name(name) else { return Cow::default() };
    let mut bytes = section.uncompressed_data().unwrap_or_default();
    for (at, relocation) in section.relocations() {
        let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
        let base = file.symbol_by_index(symbol).map_or(0, |symbol| symbol.address());
        let value = base.wrapping_add_signed(relocation.addend()).to_le_bytes();
        let size = usize::from(relocation.size() / 8);
        let at = at as usize;
        if let Some(place) = bytes.to_mut().get_mut(at..at + size.min(8)) {
            place.copy_from_slice(&value[..size.min(8)]);
        }
    }
    bytes
}

struct Reading<'r, 'd> {
    dwarf: &'r Dwarf<Reader<'d>>,
    unit: &'r Unit<Reader<'d>>,
    types: &'r mut Types,
    seen: HashMap<UnitOffset, Id>,
}

type Entry<'d> = DebuggingInformationEntry<Reader<'d>>;

impl<'d> Reading<'_, 'd> {
    fn all(&mut self) -> Option<()> {
        let mut entries = self.unit.entries();
        let mut found = Vec::new();
        while let Ok(Some(entry)) = entries.next_dfs() {
            if entry.tag() == gimli::DW_TAG_variable {
                found.push((self.name(entry), entry.attr_value(gimli::DW_AT_type)));
            }
        }
        for (name, of) in found {
            let of = self.referred(of);
            if let Some(name) = name {
                self.types.variables.entry(name).or_insert(of);
            }
        }
        Some(())
    }

    fn name(&self, entry: &Entry<'d>) -> Option<String> {
        let value = entry.attr_value(gimli::DW_AT_name)?;
        let text = self.dwarf.attr_string(self.unit, value).ok()?;
        Some(String::from_utf8_lossy(text.slice()).into_owned())
    }

    fn referred(&mut self, value: Option<AttributeValue<Reader<'d>>>) -> Id {
        match value {
            Some(AttributeValue::UnitRef(offset)) => self.read(offset).unwrap_or(0),
            _ => 0,
        }
    }

    fn read(&mut self, offset: UnitOffset) -> Option<Id> {
        if let Some(id) = self.seen.get(&offset) {
            return Some(*id);
        }
        let id = self.types.kinds.len();
        self.seen.insert(offset, id);
        self.types.kinds.push((Kind::Unknown("a type".to_owned()), None));
        let entry = self.unit.entry(offset).ok()?;
        let name = self.name(&entry);
        let number = |name| entry.attr_value(name).and_then(|value| value.udata_value());
        let size = number(gimli::DW_AT_byte_size);
        let of = entry.attr_value(gimli::DW_AT_type);
        let kind = match entry.tag() {
            gimli::DW_TAG_base_type => Kind::Base {
                name: name.unwrap_or_default(),
                encoding: match entry.attr_value(gimli::DW_AT_encoding) {
                    Some(AttributeValue::Encoding(encoding)) => encoding.0,
                    _ => 0,
                },
            },
            gimli::DW_TAG_pointer_type => Kind::Pointer(self.referred(of)),
            gimli::DW_TAG_typedef => Kind::Typedef { name: name.unwrap_or_default(), of: self.referred(of) },
            gimli::DW_TAG_const_type => Kind::Qualified { by: "const", of: self.referred(of) },
            gimli::DW_TAG_volatile_type => Kind::Qualified { by: "volatile", of: self.referred(of) },
            gimli::DW_TAG_restrict_type => Kind::Qualified { by: "restrict", of: self.referred(of) },
            gimli::DW_TAG_atomic_type => Kind::Qualified { by: "_Atomic", of: self.referred(of) },
            gimli::DW_TAG_array_type => {
                let vector = entry.attr_value(gimli::DW_AT_GNU_vector).is_some();
                let of = self.referred(of);
                self.array(offset, of, vector)?
            }
            gimli::DW_TAG_structure_type => self.structure(offset, "struct", name)?,
            gimli::DW_TAG_union_type => self.structure(offset, "union", name)?,
            gimli::DW_TAG_enumeration_type => self.enumeration(offset, name, of)?,
            gimli::DW_TAG_subroutine_type => self.function(offset, of)?,
            tag => Kind::Unknown(name.unwrap_or_else(|| tag.to_string())),
        };
        self.types.kinds[id] = (kind, size);
        Some(id)
    }

    fn children(&self, offset: UnitOffset) -> Option<Vec<Entry<'d>>> {
        let mut tree = self.unit.entries_tree(Some(offset)).ok()?;
        let mut children = tree.root().ok()?.children();
        let mut all = Vec::new();
        while let Ok(Some(child)) = children.next() {
            all.push(child.entry().clone());
        }
        Some(all)
    }

    /// Each dimension is an array of the next.
    fn array(&mut self, offset: UnitOffset, of: Id, vector: bool) -> Option<Kind> {
        let mut counts: Vec<Option<u64>> = Vec::new();
        for child in self.children(offset)?.iter().filter(|one| one.tag() == gimli::DW_TAG_subrange_type) {
            let number = |name| child.attr_value(name).and_then(|value| value.udata_value());
            counts.push(number(gimli::DW_AT_count).or_else(|| Some(number(gimli::DW_AT_upper_bound)? + 1)));
        }
        let mut of = of;
        while counts.len() > 1 {
            let inner = Kind::Array { of, count: counts.pop()?, vector };
            of = self.types.kinds.len();
            self.types.kinds.push((inner, None));
        }
        Some(Kind::Array { of, count: counts.pop().flatten(), vector })
    }

    fn structure(&mut self, offset: UnitOffset, keyword: &'static str, name: Option<String>) -> Option<Kind> {
        let mut members = Vec::new();
        for child in self.children(offset)?.iter().filter(|one| one.tag() == gimli::DW_TAG_member) {
            let number = |name| child.attr_value(name).and_then(|value| value.udata_value());
            let of = self.referred(child.attr_value(gimli::DW_AT_type));
            let bits = number(gimli::DW_AT_bit_size)
                .map(|size| (number(gimli::DW_AT_data_bit_offset).unwrap_or(0), size));
            let at = number(gimli::DW_AT_data_member_location).unwrap_or(0);
            members.push(Member { name: self.name(child), of, at, bits });
        }
        Some(Kind::Struct { keyword, name, members })
    }

    fn enumeration(
        &mut self,
        offset: UnitOffset,
        name: Option<String>,
        of: Option<AttributeValue<Reader<'d>>>,
    ) -> Option<Kind> {
        let mut values = Vec::new();
        for child in self.children(offset)?.iter().filter(|one| one.tag() == gimli::DW_TAG_enumerator) {
            let value = child.attr_value(gimli::DW_AT_const_value)?;
            let value = value.sdata_value().or_else(|| value.udata_value().map(|value| value as i64))?;
            values.push((self.name(child)?, value));
        }
        Some(Kind::Enum { name, values, of: self.referred(of) })
    }

    fn function(&mut self, offset: UnitOffset, result: Option<AttributeValue<Reader<'d>>>) -> Option<Kind> {
        let result = self.referred(result);
        let (mut parameters, mut open) = (Vec::new(), false);
        for child in self.children(offset)? {
            match child.tag() {
                gimli::DW_TAG_formal_parameter => {
                    parameters.push(self.referred(child.attr_value(gimli::DW_AT_type)));
                }
                gimli::DW_TAG_unspecified_parameters => open = true,
                _ => {}
            }
        }
        Some(Kind::Function { result, parameters, open })
    }
}
