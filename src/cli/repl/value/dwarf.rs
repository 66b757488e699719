//! Types from debug information, DWARF 2 to 5.
//!
//! Owns the one pass over all entries that makes a [`Types`] of them. Entries refer to later
//! ones, so a type has its number before it is known. What is damaged is an error or an unknown
//! type, and the work is bounded: a few bytes can stand for very many attributes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use gimli::constants::{
    DW_AT_GNU_vector, DW_AT_bit_offset, DW_AT_bit_size, DW_AT_byte_size, DW_AT_const_value, DW_AT_count,
    DW_AT_data_bit_offset, DW_AT_data_member_location, DW_AT_declaration, DW_AT_encoding, DW_AT_external,
    DW_AT_name, DW_AT_prototyped, DW_AT_specification, DW_AT_type, DW_AT_upper_bound,
};
use gimli::{
    AttributeValue, DebugStr, DebugStrOffset, DwAt, Dwarf, EndianSlice, LittleEndian, Operation, SectionId,
    Unit, UnitOffset, constants as dw,
};

use super::sections::{Sections, damaged};
use super::types::{Count, Encoding, Function, Kind, Member, Place, Qualifier, TypeId, Types};
use crate::cli::failure::Failure;

type Bytes<'d> = EndianSlice<'d, LittleEndian>;
type Entry<'d> = gimli::DebuggingInformationEntry<Bytes<'d>>;

/// How many attributes are looked at in one object.
const BUDGET: u64 = 1 << 25;
/// Longer names are cut.
const LONGEST_NAME: usize = 1024;

/// Reads all types of an object.
pub fn read<'o>(object: &'o [u8]) -> Result<Types<'o>, Failure> {
    let sections = Sections::of(object)?;
    let load = |id: SectionId| -> Result<Bytes<'_>, gimli::Error> {
        let bytes = match id {
            SectionId::DebugInfo => &sections.info,
            SectionId::DebugAbbrev => &sections.abbreviations,
            SectionId::DebugStrOffsets => &sections.string_offsets,
            SectionId::DebugAddr => sections.addresses,
            SectionId::DebugLine => sections.lines,
            SectionId::DebugStr => sections.strings,
            SectionId::DebugLineStr => sections.line_strings,
            _ => &[],
        };
        Ok(Bytes::new(bytes, LittleEndian))
    };
    let broken = |error: gimli::Error| damaged(".debug_info", &error.to_string());
    let dwarf = Dwarf::load(load).map_err(broken)?;
    let mut reader = Reader {
        dwarf: &dwarf,
        strings: DebugStr::from(Bytes::new(sections.strings, LittleEndian)),
        types: Types { all: vec![Kind::Void], variables: HashMap::new() },
        numbers: HashMap::new(),
        inner: HashMap::new(),
        left: BUDGET,
    };
    let mut headers = dwarf.units();
    while let Some(header) = headers.next().map_err(broken)? {
        // Each unit reads its abbreviations and the names of its files anew.
        reader.pay(1 + (sections.abbreviations.len() + sections.lines.len()) as u64 / 8)?;
        let unit = dwarf.unit(header).map_err(broken)?;
        reader.unit(&unit).map_err(|error| match error {
            Stop::Damaged(error) => broken(error),
            Stop::Failed(failure) => failure,
        })?;
    }
    let Reader { mut types, inner, .. } = reader;
    for (name, kind) in inner {
        types.variables.entry(name).or_insert(kind);
    }
    Ok(types)
}

enum Stop {
    Damaged(gimli::Error),
    Failed(Failure),
}

impl From<gimli::Error> for Stop {
    fn from(error: gimli::Error) -> Self {
        Self::Damaged(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

const VOID: TypeId = TypeId(0);

/// An entry whose children are being read.
struct Open {
    depth: isize,
    /// The type that they are parts of.
    kind: Option<TypeId>,
    /// The dimensions of an array so far.
    dimensions: Vec<Count>,
}

struct Reader<'r, 'd, 'o> {
    dwarf: &'r Dwarf<Bytes<'d>>,
    strings: DebugStr<Bytes<'o>>,
    types: Types<'o>,
    /// By place in the section.
    numbers: HashMap<usize, TypeId>,
    /// Variables in functions.
    inner: HashMap<Cow<'o, str>, TypeId>,
    left: u64,
}

impl<'d, 'o> Reader<'_, 'd, 'o> {
    fn pay(&mut self, price: u64) -> Result<(), Failure> {
        let left = self.left.checked_sub(price);
        self.left = left.ok_or_else(|| damaged(".debug_info", "it stands for more than can be read"))?;
        Ok(())
    }

    fn unit(&mut self, unit: &Unit<Bytes<'d>>) -> Result<(), Stop> {
        let mut entries = unit.entries();
        let mut open: Vec<Open> = Vec::new();
        while let Some(entry) = entries.next_dfs()? {
            self.pay(1 + entry.attrs().len() as u64)?;
            let depth = entry.depth();
            while let Some(done) = open.pop_if(|last| last.depth >= depth) {
                self.close(done);
            }
            let kind = self.entry(unit, entry, depth, &mut open)?;
            if entry.has_children() {
                open.push(Open { depth, kind, dimensions: Vec::new() });
            } else if let Some(kind) = kind {
                self.close(Open { depth, kind: Some(kind), dimensions: Vec::new() });
            }
        }
        while let Some(done) = open.pop() {
            self.close(done);
        }
        Ok(())
    }

    /// Reads one entry; its number if it is a type.
    fn entry(
        &mut self,
        unit: &Unit<Bytes<'d>>,
        entry: &Entry<'d>,
        depth: isize,
        open: &mut [Open],
    ) -> Result<Option<TypeId>, Failure> {
        let name = self.name(unit, entry)?;
        let size = number(entry, DW_AT_byte_size);
        let inner = self.reference(unit, entry, DW_AT_type);
        let parent = open.last_mut().filter(|parent| parent.depth == depth - 1);
        let qualified = |qualifier| Kind::Qualified(qualifier, inner);
        let kind = match entry.tag() {
            dw::DW_TAG_base_type => Kind::Base {
                encoding: encoding(entry, name.as_deref().unwrap_or_default()),
                size: size.unwrap_or(0),
                name: name.unwrap_or_default(),
            },
            dw::DW_TAG_unspecified_type if name.as_deref().is_some_and(|name| name.contains("nullptr")) => {
                Kind::Null
            }
            dw::DW_TAG_pointer_type | dw::DW_TAG_reference_type | dw::DW_TAG_rvalue_reference_type => {
                Kind::Pointer(inner)
            }
            dw::DW_TAG_const_type => qualified(Qualifier::Const),
            dw::DW_TAG_volatile_type => qualified(Qualifier::Volatile),
            dw::DW_TAG_restrict_type => qualified(Qualifier::Restrict),
            dw::DW_TAG_atomic_type => qualified(Qualifier::Atomic),
            dw::DW_TAG_typedef => Kind::Named(name.unwrap_or_default(), inner),
            dw::DW_TAG_array_type => Kind::Array {
                element: inner,
                count: Count::Open,
                vector: entry.attr(DW_AT_GNU_vector).is_some(),
            },
            tag @ (dw::DW_TAG_structure_type | dw::DW_TAG_class_type | dw::DW_TAG_union_type) => {
                Kind::Record {
                    union: tag == dw::DW_TAG_union_type,
                    name,
                    size: size.filter(|_| entry.attr(DW_AT_declaration).is_none()),
                    members: Vec::new(),
                }
            }
            dw::DW_TAG_enumeration_type => Kind::Enumeration {
                name,
                base: entry.attr(DW_AT_type).map(|_| inner),
                size: size.filter(|_| entry.attr(DW_AT_declaration).is_none()),
                enumerators: Vec::new(),
            },
            dw::DW_TAG_subroutine_type | dw::DW_TAG_subprogram => {
                let kind = self.here(unit, entry.offset());
                if let (dw::DW_TAG_subprogram, Some(name)) = (entry.tag(), name) {
                    self.types.variables.entry(name).or_insert(kind);
                }
                Kind::Function(Function {
                    result: inner,
                    parameters: Vec::new(),
                    variadic: false,
                    prototyped: entry.attr(DW_AT_prototyped).is_some(),
                })
            }
            dw::DW_TAG_variable => {
                self.variable(name, inner, entry, depth == 1);
                return Ok(None);
            }
            tag => {
                if let Some(parent) = parent {
                    let part = Part { tag, entry, unit, name, inner };
                    self.part(part, parent);
                }
                return Ok(None);
            }
        };
        let number = self.here(unit, entry.offset());
        self.types.all[number.0 as usize] = kind;
        Ok(Some(number))
    }

    fn variable(&mut self, name: Option<Cow<'o, str>>, kind: TypeId, entry: &Entry<'d>, outer: bool) {
        // The definition of one that was declared has its type there.
        let Some(name) = name.filter(|_| entry.attr(DW_AT_specification).is_none()) else {
            return;
        };
        let known = if outer { &mut self.types.variables } else { &mut self.inner };
        match known.entry(name) {
            Slot::Vacant(slot) => drop(slot.insert(kind)),
            // `extern int a[];` and then `int a[3];`: what says more counts.
            Slot::Occupied(mut slot) => {
                if self.types.all.get(slot.get().0 as usize).is_some_and(|kind| {
                    matches!(kind, Kind::Array { count: Count::Open, .. } | Kind::Unknown)
                }) {
                    slot.insert(kind);
                }
            }
        }
    }

    /// Adds a child to the type that it is a part of.
    fn part(&mut self, part: Part<'_, 'd, 'o>, parent: &mut Open) {
        let Some(of) = parent.kind else {
            return;
        };
        let entry = part.entry;
        match (&mut self.types.all[of.0 as usize], part.tag) {
            (Kind::Array { .. }, dw::DW_TAG_subrange_type) => parent.dimensions.push(dimension(entry)),
            // A static member has storage of its own.
            (Kind::Record { members, .. }, dw::DW_TAG_member)
                if entry.attr(DW_AT_external).is_none() && entry.attr(DW_AT_declaration).is_none() =>
            {
                let name = part.name.filter(|name| !name.is_empty());
                members.push(Member { name, kind: part.inner, place: place(part.unit, entry) });
            }
            (Kind::Enumeration { enumerators, .. }, dw::DW_TAG_enumerator) => {
                if let (Some(name), Some(value)) = (part.name, number(entry, DW_AT_const_value)) {
                    enumerators.push((name, value));
                }
            }
            (Kind::Function(function), dw::DW_TAG_formal_parameter) => function.parameters.push(part.inner),
            (Kind::Function(function), dw::DW_TAG_unspecified_parameters) => function.variadic = true,
            _ => {}
        }
    }

    /// All children have been read: an array of several dimensions is one of arrays.
    fn close(&mut self, done: Open) {
        let Some(of) = done.kind else {
            return;
        };
        if let Kind::Function(function) = &mut self.types.all[of.0 as usize] {
            // Clang says so of `int f();` in C23 only, where it is one.
            function.variadic &= !function.parameters.is_empty() || function.prototyped;
            return;
        }
        let Kind::Array { element, vector, .. } = self.types.all[of.0 as usize] else {
            return;
        };
        let mut element = element;
        let mut dimensions = done.dimensions.into_iter();
        let first = dimensions.next().unwrap_or(Count::Open);
        for count in dimensions.rev() {
            self.types.all.push(Kind::Array { element, count, vector: false });
            element = TypeId((self.types.all.len() - 1) as u32);
        }
        self.types.all[of.0 as usize] = Kind::Array { element, count: first, vector };
    }

    /// The number of the type at a place, whether it has been read or not.
    fn numbered(&mut self, place: usize) -> TypeId {
        let next = TypeId(self.types.all.len() as u32);
        let number = *self.numbers.entry(place).or_insert(next);
        if number == next {
            self.types.all.push(Kind::Unknown);
        }
        number
    }

    fn here(&mut self, unit: &Unit<Bytes<'d>>, offset: UnitOffset) -> TypeId {
        self.numbered(offset.to_unit_section_offset(&unit.header).0)
    }

    /// The type that an attribute refers to; `void` without one.
    fn reference(&mut self, unit: &Unit<Bytes<'d>>, entry: &Entry<'d>, attribute: DwAt) -> TypeId {
        match entry.attr_value(attribute) {
            None => VOID,
            Some(AttributeValue::UnitRef(offset)) => self.here(unit, offset),
            Some(AttributeValue::DebugInfoRef(offset)) => self.numbered(offset.0),
            // In a type unit, which nothing here asks for.
            Some(_) => self.numbered(usize::MAX),
        }
    }

    fn name(&mut self, unit: &Unit<Bytes<'d>>, entry: &Entry<'d>) -> Result<Option<Cow<'o, str>>, Failure> {
        let Some(value) = entry.attr_value(DW_AT_name) else {
            return Ok(None);
        };
        let lasting = |offset: DebugStrOffset| self.strings.get_str(offset).ok();
        let found = match value {
            AttributeValue::DebugStrRef(offset) => lasting(offset),
            AttributeValue::DebugStrOffsetsIndex(index) => {
                self.dwarf.string_offset(unit, index).ok().and_then(lasting)
            }
            _ => None,
        };
        if let Some(found) = found {
            self.pay(found.len() as u64 / 16)?;
            let found = found.slice();
            return Ok(Some(String::from_utf8_lossy(&found[..found.len().min(LONGEST_NAME)])));
        }
        let Ok(found) = self.dwarf.attr_string(unit, value) else {
            return Ok(None);
        };
        self.pay(found.len() as u64 / 16)?;
        let found = found.slice();
        let text = String::from_utf8_lossy(&found[..found.len().min(LONGEST_NAME)]);
        Ok(Some(Cow::Owned(text.into_owned())))
    }
}

/// An entry that may be a part of a type.
struct Part<'e, 'd, 'o> {
    tag: gimli::DwTag,
    entry: &'e Entry<'d>,
    unit: &'e Unit<Bytes<'d>>,
    name: Option<Cow<'o, str>>,
    inner: TypeId,
}

fn encoding(entry: &Entry<'_>, name: &str) -> Encoding {
    let Some(AttributeValue::Encoding(encoding)) = entry.attr_value(DW_AT_encoding) else {
        return Encoding::Other;
    };
    match encoding {
        dw::DW_ATE_boolean => Encoding::Boolean,
        dw::DW_ATE_signed_char | dw::DW_ATE_unsigned_char if name == "char" => Encoding::Character,
        dw::DW_ATE_signed | dw::DW_ATE_signed_char => Encoding::Signed,
        dw::DW_ATE_unsigned | dw::DW_ATE_unsigned_char => Encoding::Unsigned,
        dw::DW_ATE_UTF => Encoding::Utf,
        dw::DW_ATE_float => Encoding::Float,
        dw::DW_ATE_complex_float => Encoding::Complex,
        // What compilers write for the integers, which the standard has none for.
        dw::DW_ATE_lo_user if name.contains("complex") => Encoding::ComplexInteger,
        _ => Encoding::Other,
    }
}

fn dimension(entry: &Entry<'_>) -> Count {
    for (attribute, more) in [(DW_AT_count, 0), (DW_AT_upper_bound, 1)] {
        let Some(value) = entry.attr(attribute) else {
            continue;
        };
        // The upper bound of an array of none is -1.
        let number = value.udata_value().or_else(|| value.sdata_value().map(|value| value as u64));
        return number.map_or(Count::Variable, |number| Count::Known(number.wrapping_add(more)));
    }
    Count::Open
}

fn place(unit: &Unit<Bytes<'_>>, entry: &Entry<'_>) -> Place {
    let bytes = match entry.attr_value(DW_AT_data_member_location) {
        // DWARF 2 has the offset as what is added to the structure's address.
        Some(AttributeValue::Exprloc(expression)) => match expression.operations(unit.encoding()).next() {
            Ok(Some(Operation::PlusConstant { value })) => value,
            _ => 0,
        },
        _ => number(entry, DW_AT_data_member_location).unwrap_or(0),
    };
    let Some(count) = number(entry, DW_AT_bit_size) else {
        return Place::Bytes(bytes);
    };
    let first = match (number(entry, DW_AT_data_bit_offset), number(entry, DW_AT_bit_offset)) {
        (Some(first), _) => bytes.wrapping_mul(8).wrapping_add(first),
        // Counted from the most significant bit of a unit of storage, and may reach out of it.
        (None, Some(offset)) => {
            let unit = number(entry, DW_AT_byte_size).unwrap_or(4);
            bytes.wrapping_add(unit).wrapping_mul(8).wrapping_sub(offset).wrapping_sub(count)
        }
        (None, None) => bytes.wrapping_mul(8),
    };
    Place::Bits { first, count }
}

fn number(entry: &Entry<'_>, attribute: DwAt) -> Option<u64> {
    let value = entry.attr(attribute)?;
    value.udata_value().or_else(|| value.sdata_value().map(|value| value as u64))
}
