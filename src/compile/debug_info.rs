//! The types of an object, from its debug information.
//!
//! Owns finding functions and variables with their symbols. Objects come from outside: what is damaged, compressed or
//! too large gives no types, never an error, in bounded time. Deliberately says nothing
//! where it is not sure; [`super::debug_types`] describes a single type.

use std::collections::{BTreeMap, HashMap};

use gimli::constants::{
    DW_AT_abstract_origin, DW_AT_artificial, DW_AT_external, DW_AT_language, DW_AT_linkage_name,
    DW_AT_location, DW_AT_low_pc, DW_AT_name, DW_AT_prototyped, DW_AT_ranges, DW_AT_specification,
    DW_AT_type,
};
use gimli::{AttributeValue, Dwarf, LittleEndian, Operation, SectionId, Unit, UnitOffset, constants as dw};
use object::Object as _;
use object::read::elf::ElfFile64;

use super::debug_sections::{Elf, Symbols, relocated};
use super::debug_types::{Bytes, Entry, UnitTypes, reference};
use super::{Interface, Types, VariableType};

/// How many attributes are looked at in one object.
const BUDGET: u64 = 1 << 25;
/// How many bytes of abbreviations are read, at worst.
const MOST_ABBREVIATIONS: u64 = 1 << 29;

/// What an object's debug information tells; [`Types::Unknown`] where it has none.
pub(crate) fn interface_of_object(object: &[u8]) -> Interface {
    read(object).unwrap_or_default()
}

/// Adds what the debug information of an object compiled from IR says of the members of
/// variables.
pub(super) fn add_members(object: &[u8], interface: &mut Interface) {
    let Some(found) = read(object) else {
        return;
    };
    for (name, variable) in &mut interface.variables {
        if let Some(found) = found.variable(name).filter(|found| found.members != 0) {
            variable.members = found.members;
            variable.text.clone_from(&found.text);
        }
    }
}

fn read(object: &[u8]) -> Option<Interface> {
    let file: Elf<'_> = ElfFile64::parse(object).ok()?;
    file.section_by_name(".debug_info")?;
    let mut places = Vec::new();
    let mut sections = HashMap::new();
    for id in [
        SectionId::DebugInfo,
        SectionId::DebugAbbrev,
        SectionId::DebugStr,
        SectionId::DebugLineStr,
        SectionId::DebugStrOffsets,
        SectionId::DebugAddr,
        SectionId::DebugLine,
    ] {
        sections.insert(id.name(), relocated(&file, id.name(), &mut places)?);
    }
    let load = |id: SectionId| -> Result<_, gimli::Error> {
        Ok(Bytes::new(sections.get(id.name()).map_or(&[][..], |bytes| bytes), LittleEndian))
    };
    let dwarf = Dwarf::load(load).ok()?;
    let symbols = Symbols::of(&file, places);
    let mut found = Found::default();
    let mut left = BUDGET;
    let mut abbreviations = MOST_ABBREVIATIONS;
    let mut headers = dwarf.units();
    while let Some(header) = headers.next().ok()? {
        abbreviations = abbreviations.checked_sub(sections[".debug_abbrev"].len() as u64 + 1)?;
        let unit = dwarf.unit(header).ok()?;
        let types = UnitTypes::new(&dwarf, &unit, &mut left);
        Reader { types, symbols: &symbols, found: &mut found }.unit(&unit)?;
    }
    let functions = |all: BTreeMap<String, Option<String>>| {
        all.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    };
    let mut interface = Interface {
        checked: Types::DebugInfo,
        defined: functions(found.defined),
        declared: functions(found.declared),
        variables: found.variables,
        ..Interface::default()
    };
    interface.sort();
    Some(interface)
}

#[derive(Default)]
struct Found {
    /// `None` where what is said differs.
    defined: BTreeMap<String, Option<String>>,
    declared: BTreeMap<String, Option<String>>,
    variables: Vec<(String, VariableType)>,
}

/// A function, or what is said of it in one place.
#[derive(Default)]
struct Subprogram {
    /// Where more is said.
    origin: Option<UnitOffset>,
    name: Option<String>,
    linkage_name: Option<String>,
    result: Option<UnitOffset>,
    address: Option<u64>,
    /// Not only said to be somewhere, or to be inlined.
    has_code: bool,
    external: bool,
    prototyped: bool,
    parameters: Vec<Parameter>,
    variadic: bool,
}

struct Parameter {
    kind: Option<UnitOffset>,
    artificial: bool,
}

struct Reader<'r, 'u, 'd> {
    types: UnitTypes<'u, 'd>,
    symbols: &'r Symbols,
    found: &'r mut Found,
}

impl<'d> Reader<'_, '_, 'd> {
    fn unit(&mut self, unit: &Unit<Bytes<'d>>) -> Option<()> {
        let mut entries = unit.entries();
        let mut functions: Vec<(UnitOffset, Subprogram)> = Vec::new();
        let mut variables = Vec::new();
        // The functions that the current entry is in, by depth.
        let mut open: Vec<(isize, usize)> = Vec::new();
        let mut language = None;
        while let Some(entry) = entries.next_dfs().ok()? {
            self.types.pay(entry)?;
            let depth = entry.depth();
            while open.last().is_some_and(|&(of, _)| of >= depth) {
                open.pop();
            }
            let parent = open.last().filter(|&&(of, _)| of == depth - 1).map(|&(_, index)| index);
            match (entry.tag(), parent) {
                (dw::DW_TAG_compile_unit, _) => language = entry.attr_value(DW_AT_language),
                (dw::DW_TAG_subprogram, _) => {
                    open.push((depth, functions.len()));
                    functions.push((entry.offset(), self.subprogram(unit, entry)));
                }
                (dw::DW_TAG_formal_parameter, Some(parent)) => {
                    let artificial = entry.attr(DW_AT_artificial).is_some();
                    let kind = reference(entry, DW_AT_type);
                    functions[parent].1.parameters.push(Parameter { kind, artificial });
                }
                (dw::DW_TAG_unspecified_parameters, Some(parent)) => functions[parent].1.variadic = true,
                (dw::DW_TAG_variable, _) if entry.attr(DW_AT_location).is_some() => {
                    variables.push(entry.offset());
                }
                _ => {}
            }
        }
        for variable in variables {
            let variable = self.types.entry(variable)?;
            self.variable(unit, &variable);
        }
        let Some(AttributeValue::Language(language)) = language else {
            return Some(());
        };
        let by_offset: HashMap<UnitOffset, usize> =
            functions.iter().enumerate().map(|(index, (offset, _))| (*offset, index)).collect();
        for index in 0..functions.len() {
            let mut chain = vec![&functions[index].1];
            while let Some(origin) = chain.last().and_then(|last| by_offset.get(&last.origin?))
                && chain.len() < 8
            {
                chain.push(&functions[*origin].1);
            }
            self.function(&chain, language);
        }
        Some(())
    }

    fn subprogram(&mut self, unit: &Unit<Bytes<'d>>, entry: &Entry<'d>) -> Subprogram {
        let has = |attribute| entry.attr(attribute).is_some();
        let address = entry.attr_value(DW_AT_low_pc);
        let address = address.and_then(|value| self.types.dwarf.attr_address(unit, value).ok().flatten());
        Subprogram {
            origin: reference(entry, DW_AT_abstract_origin).or_else(|| reference(entry, DW_AT_specification)),
            name: self.types.text_of(entry, DW_AT_name),
            linkage_name: self.types.text_of(entry, DW_AT_linkage_name),
            result: reference(entry, DW_AT_type),
            address,
            has_code: has(DW_AT_low_pc) || has(DW_AT_ranges),
            external: has(DW_AT_external),
            prototyped: has(DW_AT_prototyped),
            parameters: Vec::new(),
            variadic: false,
        }
    }

    /// Adds a function; `chain` is what is said of it, the place with its parameters last.
    fn function(&mut self, chain: &[&Subprogram], language: gimli::DwLang) {
        let Some(root) = chain.last() else {
            return;
        };
        let name = chain
            .iter()
            .find_map(|part| part.linkage_name.as_deref())
            .or_else(|| chain.iter().find_map(|part| part.name.as_deref()));
        let Some(name) = name else {
            return;
        };
        let external = chain.iter().any(|part| part.external);
        // What a compiler declares of its own accord has no parameters, whatever it takes.
        let builtin = root.name.as_deref().is_some_and(|name| name.starts_with("__builtin_"))
            || name.starts_with("_Z") && root.parameters.is_empty() && !name.ends_with('v');
        if builtin || needs_prototype(language).is_none_or(|needs| needs && !root.prototyped) {
            return;
        }
        let mut defined: Vec<String> = Vec::new();
        let mut declared = Vec::new();
        for name in symbols_of(name).filter(|_| external) {
            if self.symbols.undefined.contains(&name) {
                declared.push(name);
            } else if chain[0].has_code && self.symbols.defined.contains(&name) {
                defined.push(name);
            }
        }
        let address = chain[0].address.and_then(|address| self.symbols.place(address));
        defined.extend(
            address.and_then(|place| self.symbols.functions.get(&place)).into_iter().flatten().cloned(),
        );
        if defined.is_empty() && declared.is_empty() {
            return;
        }
        // Clang does not say it in all places.
        let variadic = chain.iter().any(|part| part.variadic);
        let text = self.signature(root, chain.iter().find_map(|part| part.result), variadic);
        for (list, names) in [(&mut self.found.defined, defined), (&mut self.found.declared, declared)] {
            for name in names {
                let known = list.entry(name).or_insert_with(|| Some(text.clone()));
                if known.as_ref() != Some(&text) {
                    *known = None;
                }
            }
        }
    }

    fn signature(&mut self, root: &Subprogram, result: Option<UnitOffset>, variadic: bool) -> String {
        let mut text = self.types.word(result) + " (";
        for (index, parameter) in root.parameters.iter().enumerate() {
            text += if index > 0 { ", " } else { "" };
            // Whether constructors really have those that the language adds depends.
            text += &match parameter {
                Parameter { artificial: true, .. } if index > 0 => "?".into(),
                Parameter { kind: None, .. } => "?".into(),
                Parameter { kind, .. } => self.types.word(*kind),
            };
        }
        match (variadic, root.parameters.is_empty()) {
            (true, true) => text += "...",
            (true, false) => text += ", ...",
            _ => {}
        }
        text + ")"
    }

    fn variable(&mut self, unit: &Unit<Bytes<'d>>, entry: &Entry<'d>) {
        let place = location(self.types.dwarf, unit, entry).and_then(|address| self.symbols.place(address));
        let Some(names) = place.and_then(|place| self.symbols.variables.get(&place)) else {
            return;
        };
        let mut kind = reference(entry, DW_AT_type);
        for attribute in [DW_AT_specification, DW_AT_abstract_origin] {
            let origin = reference(entry, attribute).and_then(|origin| self.types.entry(origin));
            kind = kind.or_else(|| reference(&origin?, DW_AT_type));
        }
        let Some(kind) = kind else {
            return;
        };
        let members = self.types.hash(kind, 0);
        let text = self.types.text(kind);
        let found = VariableType { members, text, ..VariableType::default() };
        self.found.variables.extend(names.iter().map(|name| (name.clone(), found.clone())));
    }
}

/// The address of a variable that has one, thread-local or not.
fn location<'d>(dwarf: &Dwarf<Bytes<'d>>, unit: &Unit<Bytes<'d>>, entry: &Entry<'d>) -> Option<u64> {
    let AttributeValue::Exprloc(expression) = entry.attr_value(DW_AT_location)? else {
        return None;
    };
    let mut operations = expression.operations(unit.encoding());
    let first = operations.next().ok()??;
    let address = match first {
        Operation::Address { address } => address,
        Operation::UnsignedConstant { value } => value,
        Operation::AddressIndex { index } | Operation::ConstantIndex { index } => {
            dwarf.address(unit, index).ok()?
        }
        _ => return None,
    };
    match (operations.next().ok()?, first) {
        (None, Operation::Address { .. } | Operation::AddressIndex { .. }) => Some(address),
        (Some(Operation::TLS), _) if operations.next().ok()?.is_none() => Some(address),
        _ => None,
    }
}

/// The symbols that a linkage name stands for: GCC has one name for all that a constructor
/// or destructor is compiled to.
fn symbols_of(name: &str) -> impl Iterator<Item = String> + '_ {
    let known = name.starts_with("_ZN") && name.len() < 4096;
    let kinds = [("C4", ["C1", "C2", "C3"]), ("D4", ["D0", "D1", "D2"])];
    let variants = kinds.into_iter().flat_map(move |(unified, variants)| {
        name.match_indices(unified).flat_map(move |(at, _)| {
            variants.map(|variant| format!("{}{variant}{}", &name[..at], &name[at + 2..]))
        })
    });
    std::iter::once(name.to_owned()).chain(variants.take(if known { 64 } else { 0 }))
}

/// Whether the parameters of a function can only be believed if it is said to have a
/// prototype; `None` for languages whose parameters are passed in ways of their own.
fn needs_prototype(language: gimli::DwLang) -> Option<bool> {
    match language {
        dw::DW_LANG_C
        | dw::DW_LANG_C89
        | dw::DW_LANG_C99
        | dw::DW_LANG_C11
        | dw::DW_LANG_C17
        | dw::DW_LANG_ObjC => Some(true),
        dw::DW_LANG_C_plus_plus
        | dw::DW_LANG_C_plus_plus_03
        | dw::DW_LANG_C_plus_plus_11
        | dw::DW_LANG_C_plus_plus_14
        | dw::DW_LANG_C_plus_plus_17
        | dw::DW_LANG_C_plus_plus_20
        | dw::DW_LANG_Rust => Some(false),
        _ => None,
    }
}
