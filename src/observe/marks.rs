//! Making the generation of code visible in a backtrace.
//!
//! Owns the names of functions in debug information: `f` of generation 7 becomes `f@v7`, where a
//! debugger shows it. What it searches is another name, that of the symbol, which stays as it is, so
//! breakpoints by name go on to work. Where a name is not understood it stays too.

use std::collections::{HashMap, HashSet};

use gimli::constants as dw;
use gimli::{AttributeValue, Dwarf, EndianSlice, Format, LittleEndian, SectionId, Unit, UnitOffset};

use super::piece::{Debug, Fixup, Piece, section_of};

type Bytes<'p> = EndianSlice<'p, LittleEndian>;

/// An attribute that holds a name.
#[derive(Clone, Copy)]
struct Spot {
    /// Where it is in `.debug_info`.
    at: usize,
    /// How long it is.
    size: usize,
    name: Name,
}

#[derive(Clone, Copy)]
enum Name {
    /// An offset into `.debug_str`.
    Offset(usize),
    /// The place of such an offset in the unit's table.
    Index(usize),
}

/// What says what a function is.
#[derive(Default)]
struct Subprogram {
    name: Option<Spot>,
    linkage_name: Option<Spot>,
    is_declaration: bool,
    /// Where more is said of it.
    origin: Option<UnitOffset>,
}

/// The table of a unit's names in `.debug_str_offsets`.
#[derive(Clone, Copy)]
struct Table {
    base: usize,
    /// How long an offset is.
    word: usize,
}

/// What a unit's names are changed to.
struct Chosen {
    spots: Vec<Spot>,
    /// Names in the table that others have as well.
    shared: HashSet<usize>,
    table: Table,
}

/// Adds the generation to the names of the functions that `piece` defines.
pub(super) fn mark(piece: &mut Piece) {
    let suffix = format!("@v{}\0", piece.generation);
    let chosen = choose(piece);
    let at = |name| section_of(name).unwrap_or_default();
    let (info, strings, offsets) = (at(".debug_info"), at(".debug_str"), at(".debug_str_offsets"));
    let mut renamed = HashMap::new();
    for Chosen { spots, shared, table } in chosen {
        let mut moved = HashMap::new();
        for Spot { at, size, name } in spots {
            match name {
                Name::Offset(old) => {
                    if let Some(new) = rename(&mut piece.debug[strings], &mut renamed, old, &suffix) {
                        write(&mut piece.debug[info].bytes, at, size, new);
                    }
                }
                Name::Index(index) => {
                    let place = table.base + index * table.word;
                    if moved.get(&index) == Some(&place) {
                        continue;
                    }
                    let Some(old) = read(&piece.debug[offsets].bytes, place, table.word) else { continue };
                    let mut entry = moved.get(&index).copied();
                    if entry.is_none() {
                        let Some(new) = rename(&mut piece.debug[strings], &mut renamed, old, &suffix) else {
                            continue;
                        };
                        entry = match shared.contains(&index) {
                            true => append(&mut piece.debug[offsets], table, size, new, strings),
                            false => {
                                write(&mut piece.debug[offsets].bytes, place, table.word, new);
                                Some(place)
                            }
                        };
                        moved.extend(entry.map(|entry| (index, entry)));
                    }
                    if let Some(entry) = entry.filter(|entry| *entry != place) {
                        let index = (entry - table.base) / table.word;
                        write(&mut piece.debug[info].bytes, at, size, index);
                    }
                }
            }
        }
    }
}

/// The string at `old` with `suffix`: where it is now.
fn rename(
    strings: &mut Debug,
    renamed: &mut HashMap<usize, usize>,
    old: usize,
    suffix: &str,
) -> Option<usize> {
    if let Some(new) = renamed.get(&old) {
        return Some(*new);
    }
    let rest = strings.bytes.get(old..)?;
    let name = rest.split(|byte| *byte == 0).next()?.to_vec();
    let new = strings.bytes.len();
    strings.bytes.extend_from_slice(&name);
    strings.bytes.extend_from_slice(suffix.as_bytes());
    renamed.insert(old, new);
    Some(new)
}

/// Adds an entry to the table of a unit, which is possible for the last one, and where an index
/// of `size` bytes can name it. Returns where it is.
fn append(offsets: &mut Debug, table: Table, size: usize, new: usize, strings: usize) -> Option<usize> {
    let length = table.base.checked_sub(8)?;
    let end = read(&offsets.bytes, length, 4)? + length + 4;
    let at = offsets.bytes.len();
    let index = (at - table.base) / 4;
    if table.word != 4 || end != at || size < 8 && index >> (size * 8) > 0 {
        return None;
    }
    offsets.bytes.extend_from_slice(&(new as u32).to_le_bytes());
    offsets.fixups.push(Fixup { at, size: 4, to: strings });
    write(&mut offsets.bytes, length, 4, end - length);
    Some(at)
}

fn read(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let mut word = [0; 8];
    word.get_mut(..size)?.copy_from_slice(bytes.get(at..at.checked_add(size)?)?);
    Some(u64::from_le_bytes(word) as usize)
}

fn write(bytes: &mut [u8], at: usize, size: usize, value: usize) {
    if let Some(field) = bytes.get_mut(at..at + size) {
        field.copy_from_slice(&(value as u64).to_le_bytes()[..size]);
    }
}

fn choose(piece: &Piece) -> Vec<Chosen> {
    let load =
        |id: SectionId| Ok::<_, gimli::Error>(EndianSlice::new(piece.section(id.name()), LittleEndian));
    let Ok(dwarf) = Dwarf::load(load) else { return Vec::new() };
    let mut units = dwarf.units();
    let mut all = Vec::new();
    while let Ok(Some(header)) = units.next() {
        let Some(start) = header.debug_info_offset().map(|start| start.0) else { continue };
        if let Ok(unit) = Unit::new(&dwarf, header) {
            all.extend(of_unit(&unit, start).ok());
        }
    }
    all
}

fn of_unit(unit: &Unit<Bytes<'_>>, start: usize) -> gimli::Result<Chosen> {
    let mut entries = unit.header.entries_raw(&unit.abbreviations, None)?;
    let mut functions: HashMap<usize, Subprogram> = HashMap::new();
    let mut definitions = Vec::new();
    // How often each name of the table is used.
    let mut uses: HashMap<usize, usize> = HashMap::new();
    while !entries.is_empty() {
        let here = entries.next_offset();
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        let is_function = abbreviation.tag() == dw::DW_TAG_subprogram;
        let mut function = Subprogram::default();
        for specification in abbreviation.attributes() {
            let from = entries.next_offset().0;
            let attribute = entries.read_attribute(*specification)?;
            let (at, size) = (start + from, entries.next_offset().0 - from);
            let name = match attribute.raw_value() {
                AttributeValue::DebugStrRef(offset) => Some(Name::Offset(offset.0)),
                AttributeValue::DebugStrOffsetsIndex(index) => {
                    *uses.entry(index.0).or_default() += 1;
                    // One of any length cannot be made another.
                    (specification.form() != dw::DW_FORM_strx).then_some(Name::Index(index.0))
                }
                _ => None,
            };
            let spot = name.filter(|_| size <= 8).map(|name| Spot { at, size, name });
            match (specification.name(), attribute.value()) {
                (dw::DW_AT_name, _) => function.name = spot,
                (dw::DW_AT_linkage_name, _) => function.linkage_name = spot,
                (dw::DW_AT_declaration, _) => function.is_declaration = true,
                (dw::DW_AT_specification | dw::DW_AT_abstract_origin, AttributeValue::UnitRef(to)) => {
                    function.origin = Some(to);
                }
                _ => {}
            }
        }
        if is_function {
            definitions.extend((!function.is_declaration).then_some(here.0));
            functions.insert(here.0, function);
        }
    }
    let mut spots: HashMap<usize, Spot> = HashMap::new();
    for at in definitions {
        let mut next = functions.get(&at);
        // What comes first tells what the function is called; there are two steps at most.
        for _ in 0..3 {
            let Some(function) = next else { break };
            if let Some(spot) = function.linkage_name.or(function.name) {
                spots.insert(spot.at, spot);
                break;
            }
            next = function.origin.and_then(|origin| functions.get(&origin.0));
        }
    }
    for spot in spots.values() {
        if let Name::Index(index) = spot.name
            && let Some(count) = uses.get_mut(&index)
        {
            *count -= 1;
        }
    }
    let shared = uses.into_iter().filter(|(_, count)| *count > 0).map(|(index, _)| index).collect();
    let word = if unit.header.format() == Format::Dwarf64 { 8 } else { 4 };
    let table = Table { base: unit.str_offsets_base.0, word };
    let mut spots: Vec<Spot> = spots.into_values().collect();
    spots.sort_by_key(|spot| spot.at);
    Ok(Chosen { spots, shared, table })
}
