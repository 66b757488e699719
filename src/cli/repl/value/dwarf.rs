//! Types out of the debug information of an object.
//!
//! Owns the way from DWARF, as clang and gcc write it into relocatable objects, to the model. The
//! object may be damaged: then there are fewer types.

use std::collections::HashMap;

use gimli::{AttributeValue, DebuggingInformationEntry, EndianSlice, LittleEndian, UnitOffset};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget};

use super::types::{Encoding, Member, Place, Type, TypeId, Types};

/// How deep types are followed into each other.
const DEEPEST: usize = 200;
/// How many types, members and enumerators there may be in all.
const MOST: usize = 200_000;

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Dwarf<'a> = gimli::Dwarf<Slice<'a>>;
type Unit<'a> = gimli::Unit<Slice<'a>>;
type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;

impl Types {
    /// The types of the variables of an ELF object whose names `wanted` chooses, wherever they are
    /// declared: in functions as well.
    ///
    /// Where it cannot be read the answer is why.
    pub fn of(object: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Self, String> {
        let file = object::File::parse(object).map_err(|error| error.to_string())?;
        let sections: HashMap<&str, Vec<u8>> =
            file.sections().filter_map(|s| Some((s.name().ok()?, relocated(&file, &s)?))).collect();
        let section = |id: gimli::SectionId| -> Result<Slice<'_>, gimli::Error> {
            Ok(EndianSlice::new(sections.get(id.name()).map_or(&[], |bytes| &bytes[..]), LittleEndian))
        };
        let dwarf = Dwarf::load(section).map_err(|error| error.to_string())?;
        let mut types = Self::default();
        let mut units = dwarf.units();
        while let Some(header) = units.next().map_err(|error| error.to_string())? {
            let unit = dwarf.unit(header).map_err(|error| error.to_string())?;
            let mut reader =
                Reader { dwarf: &dwarf, unit: &unit, types: &mut types, known: HashMap::new(), count: 0 };
            reader.variables(&wanted).map_err(|error| error.to_string())?;
        }
        Ok(types)
    }
}

/// A debug section with its relocations applied, as they are of a file that nobody has linked.
fn relocated<'d>(file: &object::File<'d>, section: &object::Section<'d, '_>) -> Option<Vec<u8>> {
    if !section.name().ok()?.starts_with(".debug") {
        return None;
    }
    let mut bytes = section.uncompressed_data().ok()?.into_owned();
    for (offset, relocation) in section.relocations() {
        let value = match relocation.target() {
            RelocationTarget::Symbol(index) => file.symbol_by_index(index).ok()?.address(),
            _ => 0,
        };
        let value = value.wrapping_add_signed(relocation.addend());
        let size = usize::from(relocation.size() / 8);
        let at = usize::try_from(offset).ok()?;
        if let Some(place) = at.checked_add(size).and_then(|end| bytes.get_mut(at..end))
            && size <= 8
        {
            place.copy_from_slice(&value.to_le_bytes()[..size]);
        }
    }
    Some(bytes)
}

struct Reader<'a, 'd> {
    dwarf: &'a Dwarf<'d>,
    unit: &'a Unit<'d>,
    types: &'a mut Types,
    known: HashMap<UnitOffset, TypeId>,
    count: usize,
}

impl<'d> Reader<'_, 'd> {
    fn variables(&mut self, wanted: &impl Fn(&str) -> bool) -> gimli::Result<()> {
        let mut entries = self.unit.entries();
        while let Some(entry) = entries.next_dfs()? {
            if !matches!(entry.tag(), gimli::DW_TAG_variable | gimli::DW_TAG_formal_parameter) {
                continue;
            }
            if let Some(name) = self.text(entry, gimli::DW_AT_name)
                && wanted(&name)
            {
                let id = self.type_of(entry, 0);
                self.types.variables.insert(name, id);
            }
        }
        Ok(())
    }

    fn add(&mut self, of: Type) -> TypeId {
        self.types.all.push(of);
        TypeId(self.types.all.len() - 1)
    }

    /// The type that an entry's attribute leads to; without one it is void.
    fn type_of(&mut self, entry: &Entry<'d>, depth: usize) -> TypeId {
        match entry.attr_value(gimli::DW_AT_type) {
            Some(AttributeValue::UnitRef(offset)) => self.at(offset, depth),
            Some(AttributeValue::DebugInfoRef(offset)) => match offset.to_unit_offset(&self.unit.header) {
                Some(offset) => self.at(offset, depth),
                None => self.add(Type::Unknown),
            },
            Some(_) => self.add(Type::Unknown),
            None => self.add(Type::Void),
        }
    }

    fn at(&mut self, offset: UnitOffset, depth: usize) -> TypeId {
        if let Some(known) = self.known.get(&offset) {
            return *known;
        }
        // It may lead to itself.
        let id = self.add(Type::Unknown);
        self.known.insert(offset, id);
        self.count += 1;
        if depth < DEEPEST
            && self.count < MOST
            && let Ok(entry) = self.unit.entry(offset)
            && let Some(made) = self.make(&entry, depth + 1)
        {
            self.types.all[id.0] = made;
        }
        id
    }

    fn make(&mut self, entry: &Entry<'d>, depth: usize) -> Option<Type> {
        let name = self.text(entry, gimli::DW_AT_name);
        let size = number(entry, gimli::DW_AT_byte_size).and_then(|size| u64::try_from(size).ok());
        let qualified =
            |word, reader: &mut Self| Some(Type::Qualified { word, of: reader.type_of(entry, depth) });
        match entry.tag() {
            gimli::DW_TAG_base_type => {
                let (name, size, encoding) = (name?, size?, encoding(entry));
                Some(Type::Base { name: in_full(name, size, encoding), size, encoding })
            }
            gimli::DW_TAG_unspecified_type => {
                Some(Type::Base { name: name?, size: 0, encoding: Encoding::Other })
            }
            gimli::DW_TAG_pointer_type => Some(Type::Pointer(self.type_of(entry, depth))),
            gimli::DW_TAG_const_type => qualified("const", self),
            gimli::DW_TAG_volatile_type => qualified("volatile", self),
            gimli::DW_TAG_restrict_type => qualified("restrict", self),
            gimli::DW_TAG_atomic_type => qualified("_Atomic", self),
            gimli::DW_TAG_typedef => Some(Type::Named { name: name?, of: self.type_of(entry, depth) }),
            gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type => {
                self.record("struct", name, size, entry, depth)
            }
            gimli::DW_TAG_union_type => self.record("union", name, size, entry, depth),
            gimli::DW_TAG_enumeration_type => self.enumeration(name, size, entry),
            gimli::DW_TAG_array_type => self.array(entry, depth),
            gimli::DW_TAG_subroutine_type => self.function(entry, depth),
            _ => None,
        }
    }

    fn record(
        &mut self,
        keyword: &'static str,
        name: Option<String>,
        size: Option<u64>,
        entry: &Entry<'d>,
        depth: usize,
    ) -> Option<Type> {
        let mut members = Vec::new();
        for child in self.children(entry) {
            if child.tag() != gimli::DW_TAG_member || child.attr_value(gimli::DW_AT_external).is_some() {
                continue;
            }
            let of = self.type_of(&child, depth);
            let place = self.place(&child, of);
            members.push(Member { name: self.text(&child, gimli::DW_AT_name), of, place });
        }
        let is_declared = entry.attr_value(gimli::DW_AT_declaration).is_some();
        Some(Type::Record { keyword, name, size: size.filter(|_| !is_declared), members })
    }

    fn place(&self, member: &Entry<'d>, of: TypeId) -> Place {
        let number = |name| number(member, name).and_then(|n| u64::try_from(n).ok());
        let byte = number(gimli::DW_AT_data_member_location).unwrap_or(0);
        let Some(count) = number(gimli::DW_AT_bit_size) else { return Place::Byte(byte) };
        let first = match (number(gimli::DW_AT_data_bit_offset), number(gimli::DW_AT_bit_offset)) {
            (Some(first), _) => first,
            // As older versions count: from the other end of the storage.
            (None, Some(offset)) => {
                let unit = number(gimli::DW_AT_byte_size).or_else(|| self.types.size(of)).unwrap_or(0);
                byte.saturating_add(unit).saturating_mul(8).saturating_sub(offset.saturating_add(count))
            }
            (None, None) => byte.saturating_mul(8),
        };
        Place::Bits { first, count: count.min(128) }
    }

    fn enumeration(&mut self, name: Option<String>, size: Option<u64>, entry: &Entry<'d>) -> Option<Type> {
        let mut enumerators = Vec::new();
        for child in self.children(entry) {
            if let (Some(name), Some(value)) =
                (self.text(&child, gimli::DW_AT_name), number(&child, gimli::DW_AT_const_value))
            {
                enumerators.push((name, value));
            }
        }
        Some(Type::Enum { name, size: size?, enumerators })
    }

    fn array(&mut self, entry: &Entry<'d>, depth: usize) -> Option<Type> {
        let mut of = self.type_of(entry, depth);
        let vector = entry.attr_value(gimli::DW_AT_GNU_vector).is_some();
        let mut counts = Vec::new();
        for child in self.children(entry) {
            if child.tag() == gimli::DW_TAG_subrange_type {
                let count = number(&child, gimli::DW_AT_count)
                    .or_else(|| number(&child, gimli::DW_AT_upper_bound)?.checked_add(1));
                counts.push(count.and_then(|count| u64::try_from(count).ok()));
            }
        }
        // The last one is the innermost.
        let first = counts.first().copied()?;
        for count in counts.into_iter().skip(1).rev() {
            of = self.add(Type::Array { of, count, vector });
        }
        Some(Type::Array { of, count: first, vector })
    }

    fn function(&mut self, entry: &Entry<'d>, depth: usize) -> Option<Type> {
        let returns = self.type_of(entry, depth);
        let (mut parameters, mut variadic) = (Vec::new(), false);
        for child in self.children(entry) {
            match child.tag() {
                gimli::DW_TAG_formal_parameter => {
                    let of = self.type_of(&child, depth);
                    parameters.push(of);
                }
                gimli::DW_TAG_unspecified_parameters => variadic = true,
                _ => {}
            }
        }
        let prototyped = entry.attr_value(gimli::DW_AT_prototyped).is_some();
        Some(Type::Function { returns, parameters, variadic, prototyped })
    }

    fn children(&mut self, entry: &Entry<'d>) -> Vec<Entry<'d>> {
        let mut all = Vec::new();
        let Ok(mut tree) = self.unit.entries_tree(Some(entry.offset())) else { return all };
        let Ok(root) = tree.root() else { return all };
        let mut children = root.children();
        while let Ok(Some(child)) = children.next() {
            self.count += 1;
            if self.count >= MOST {
                break;
            }
            all.push(child.entry().clone());
        }
        all
    }

    fn text(&self, entry: &Entry<'d>, name: gimli::DwAt) -> Option<String> {
        let value = entry.attr_value(name)?;
        let text = self.dwarf.attr_string(self.unit, value).ok()?;
        Some(text.to_string_lossy().into_owned())
    }
}

/// An attribute's number, whichever form it has.
fn number(entry: &Entry<'_>, name: gimli::DwAt) -> Option<i128> {
    match entry.attr_value(name)? {
        AttributeValue::Sdata(value) => Some(value.into()),
        AttributeValue::Udata(value) => Some(value.into()),
        AttributeValue::Data1(value) => Some(value.into()),
        AttributeValue::Data2(value) => Some(value.into()),
        AttributeValue::Data4(value) => Some(value.into()),
        AttributeValue::Data8(value) => Some(value.into()),
        _ => None,
    }
}

fn encoding(entry: &Entry<'_>) -> Encoding {
    match entry.attr_value(gimli::DW_AT_encoding) {
        Some(AttributeValue::Encoding(encoding)) => match encoding {
            gimli::DW_ATE_signed => Encoding::Signed,
            gimli::DW_ATE_unsigned => Encoding::Unsigned,
            gimli::DW_ATE_signed_char => Encoding::Char { signed: true },
            gimli::DW_ATE_unsigned_char => Encoding::Char { signed: false },
            gimli::DW_ATE_boolean => Encoding::Bool,
            gimli::DW_ATE_float => Encoding::Float,
            gimli::DW_ATE_complex_float => Encoding::ComplexFloat,
            _ => Encoding::Other,
        },
        _ => Encoding::Other,
    }
}

/// clang says `complex` of all such types.
fn in_full(name: String, size: u64, encoding: Encoding) -> String {
    let part = match (encoding, &*name, size) {
        (Encoding::ComplexFloat, "complex", 8) => "float",
        (Encoding::ComplexFloat, "complex", 16) => "double",
        (Encoding::ComplexFloat, "complex", 32) => "long double",
        _ => return name,
    };
    format!("_Complex {part}")
}
