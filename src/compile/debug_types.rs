//! One type of debug information, as text and as a hash.
//!
//! Owns the two descriptions of a type: as a parameter, in the words of
//! [`super::signature`], and as storage, members and all. Both end after a bounded number of
//! steps, whatever the input. Deliberately does not know which types matter.

use std::collections::HashMap;

use gimli::constants::{
    DW_AT_GNU_vector, DW_AT_artificial, DW_AT_bit_size, DW_AT_byte_size, DW_AT_count, DW_AT_data_bit_offset,
    DW_AT_data_member_location, DW_AT_declaration, DW_AT_discr_value, DW_AT_encoding, DW_AT_external,
    DW_AT_name, DW_AT_type, DW_AT_upper_bound,
};
use gimli::{AttributeValue, DwAt, Dwarf, EndianSlice, LittleEndian, Unit, UnitOffset, constants as dw};

use super::layout::stable_hash;

pub(super) type Bytes<'d> = EndianSlice<'d, LittleEndian>;
pub(super) type Entry<'d> = gimli::DebuggingInformationEntry<Bytes<'d>>;

/// Longest chain of names and qualifiers, and deepest nesting, that is followed.
const DEEPEST: u32 = 64;
/// The text of a type for messages is cut off here.
const LONGEST_TEXT: usize = 160;
/// A type that may be anything.
const UNSURE: &str = "?";

/// The types of one unit.
pub(super) struct UnitTypes<'u, 'd> {
    pub dwarf: &'u Dwarf<Bytes<'d>>,
    pub unit: &'u Unit<Bytes<'d>>,
    /// Attributes that may still be looked at.
    pub left: &'u mut u64,
    hashes: HashMap<UnitOffset, u64>,
    texts: HashMap<UnitOffset, String>,
}

impl<'u, 'd> UnitTypes<'u, 'd> {
    pub(super) fn new(dwarf: &'u Dwarf<Bytes<'d>>, unit: &'u Unit<Bytes<'d>>, left: &'u mut u64) -> Self {
        Self { dwarf, unit, left, hashes: HashMap::new(), texts: HashMap::new() }
    }

    /// Takes the price of looking at an entry off what is left.
    pub(super) fn pay(&mut self, entry: &Entry<'d>) -> Option<()> {
        *self.left = self.left.checked_sub(1 + entry.attrs().len() as u64)?;
        Some(())
    }

    pub(super) fn entry(&mut self, at: UnitOffset) -> Option<Entry<'d>> {
        let entry = self.unit.entry(at).ok()?;
        self.pay(&entry)?;
        Some(entry)
    }

    pub(super) fn text_of(&mut self, entry: &Entry<'d>, attribute: DwAt) -> Option<String> {
        let text = self.dwarf.attr_string(self.unit, entry.attr_value(attribute)?).ok()?;
        *self.left = self.left.checked_sub(text.len() as u64 / 16)?;
        Some(text.to_string_lossy().into_owned())
    }

    /// The type as a parameter or a result; nothing is `void`.
    pub(super) fn word(&mut self, kind: Option<UnitOffset>) -> String {
        let Some(kind) = kind else {
            return "void".into();
        };
        self.scalar(kind).unwrap_or_else(|| UNSURE.into())
    }

    fn scalar(&mut self, kind: UnitOffset) -> Option<String> {
        let entry = self.underlying(kind)?;
        let size = number(&entry, DW_AT_byte_size);
        let integer = |size: Option<u64>| {
            // Larger ones are passed in two registers, which compilers write in two ways.
            size.filter(|size| matches!(size, 1 | 2 | 4 | 8)).map(|size| format!("i{}", size * 8))
        };
        match entry.tag() {
            dw::DW_TAG_pointer_type
            | dw::DW_TAG_reference_type
            | dw::DW_TAG_rvalue_reference_type
            | dw::DW_TAG_subroutine_type => Some("ptr".into()),
            dw::DW_TAG_enumeration_type => integer(size),
            dw::DW_TAG_base_type => match (encoding(&entry)?, size?) {
                (dw::DW_ATE_boolean, 1) => Some("i1".into()),
                (dw::DW_ATE_float, 4) => Some("float".into()),
                (dw::DW_ATE_float, 8) => Some("double".into()),
                (dw::DW_ATE_float, 16) => {
                    let long = self.text_of(&entry, DW_AT_name).is_some_and(|name| name == "long double");
                    let kind = if cfg!(target_arch = "x86_64") { "x86_fp80" } else { "fp128" };
                    long.then(|| kind.into())
                }
                (encoding, size) if is_integer(encoding) => integer(Some(size)),
                _ => None,
            },
            // What a function's result turned out to be is elsewhere.
            dw::DW_TAG_unspecified_type => {
                self.text_of(&entry, DW_AT_name).filter(|n| n.contains("nullptr")).map(|_| "ptr".into())
            }
            _ => None,
        }
    }

    /// What is behind names and qualifiers; `None` for `void` and for what is elsewhere.
    fn underlying(&mut self, mut kind: UnitOffset) -> Option<Entry<'d>> {
        for _ in 0..DEEPEST {
            let entry = self.entry(kind)?;
            match entry.tag() {
                dw::DW_TAG_typedef
                | dw::DW_TAG_const_type
                | dw::DW_TAG_volatile_type
                | dw::DW_TAG_restrict_type
                | dw::DW_TAG_atomic_type
                | dw::DW_TAG_immutable_type => kind = reference(&entry, DW_AT_type)?,
                _ => return Some(entry),
            }
        }
        None
    }

    /// A hash over a type's storage: kinds, places and names of members. 0 for what is not
    /// known. What pointers lead to does not count.
    pub(super) fn hash(&mut self, kind: UnitOffset, depth: u32) -> u64 {
        if let Some(&known) = self.hashes.get(&kind) {
            return known;
        }
        // A type that contains itself is damage.
        self.hashes.insert(kind, 0);
        let hash = if depth < DEEPEST { self.storage(kind, depth).unwrap_or(0) } else { 0 };
        self.hashes.insert(kind, hash);
        hash
    }

    fn storage(&mut self, kind: UnitOffset, depth: u32) -> Option<u64> {
        let entry = self.underlying(kind)?;
        let size = number(&entry, DW_AT_byte_size);
        let hash = match entry.tag() {
            dw::DW_TAG_pointer_type | dw::DW_TAG_reference_type | dw::DW_TAG_rvalue_reference_type => {
                stable_hash("pointer")
            }
            dw::DW_TAG_unspecified_type => stable_hash("pointer"),
            dw::DW_TAG_ptr_to_member_type => stable_hash("member pointer"),
            dw::DW_TAG_enumeration_type => stable_hash(("integer", size?)),
            dw::DW_TAG_base_type => match encoding(&entry)? {
                encoding if is_integer(encoding) => stable_hash(("integer", size?)),
                encoding => stable_hash(("base", encoding.0, size?)),
            },
            dw::DW_TAG_array_type => {
                let element = self.hash(reference(&entry, DW_AT_type)?, depth + 1);
                let mut count = Some(1u64);
                for child in self.children(entry.offset())? {
                    let bound = bound(&self.entry(child)?).unwrap_or(0);
                    count = count.and_then(|count| count.checked_mul(bound));
                }
                known(element)?;
                let vector = entry.attr(DW_AT_GNU_vector).is_some();
                stable_hash(("array", element, count?, vector))
            }
            tag @ (dw::DW_TAG_structure_type | dw::DW_TAG_class_type | dw::DW_TAG_union_type) => {
                if entry.attr(DW_AT_declaration).is_some() {
                    return None;
                }
                let union = tag == dw::DW_TAG_union_type;
                stable_hash((union, size?, self.members(entry.offset(), depth)?))
            }
            _ => return None,
        };
        Some(hash.max(1))
    }

    fn members(&mut self, of: UnitOffset, depth: u32) -> Option<Vec<u64>> {
        let mut all = Vec::new();
        for child in self.children(of)? {
            let child = self.entry(child)?;
            match child.tag() {
                dw::DW_TAG_member | dw::DW_TAG_inheritance => {
                    // A static member has storage of its own.
                    if child.attr(DW_AT_external).is_some() || child.attr(DW_AT_declaration).is_some() {
                        continue;
                    }
                    let kind = known(self.hash(reference(&child, DW_AT_type)?, depth + 1))?;
                    let name = match child.attr(DW_AT_artificial) {
                        Some(_) => None,
                        None => self.text_of(&child, DW_AT_name),
                    };
                    let place = [DW_AT_data_member_location, DW_AT_data_bit_offset, DW_AT_bit_size]
                        .map(|attribute| number(&child, attribute));
                    all.push(stable_hash((child.tag().0, name, place, kind)));
                }
                dw::DW_TAG_variant_part | dw::DW_TAG_variant if depth < DEEPEST => {
                    let value = number(&child, DW_AT_discr_value);
                    let inner = self.members(child.offset(), depth + 1)?;
                    all.push(stable_hash((child.tag().0, value, inner)));
                }
                dw::DW_TAG_variant_part | dw::DW_TAG_variant => return None,
                _ => {}
            }
        }
        Some(all)
    }

    /// Where they are: an entry may be much larger than what it was made from.
    fn children(&mut self, of: UnitOffset) -> Option<Vec<UnitOffset>> {
        let mut entries = self.unit.entries_at_offset(of).ok()?;
        entries.next_dfs().ok()??;
        let mut children = Vec::new();
        while let Some(entry) = entries.next_dfs().ok()? {
            if entry.depth() <= 0 {
                break;
            }
            self.pay(entry)?;
            if entry.depth() == 1 {
                children.push(entry.offset());
            }
        }
        Some(children)
    }

    /// The type as its source has it, or nearly, for messages.
    pub(super) fn text(&mut self, kind: UnitOffset) -> String {
        if let Some(known) = self.texts.get(&kind) {
            return known.clone();
        }
        let mut text = String::new();
        self.write(Some(kind), &mut text, 0);
        if text.len() > LONGEST_TEXT {
            let end = (0..=LONGEST_TEXT).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        self.texts.insert(kind, text.clone());
        text
    }

    fn write(&mut self, kind: Option<UnitOffset>, text: &mut String, depth: u32) {
        let entry = match kind {
            None => return text.push_str("void"),
            Some(kind) => self.entry(kind),
        };
        let Some(entry) = entry.filter(|_| depth < 8 && text.len() <= LONGEST_TEXT) else {
            return text.push('…');
        };
        let (inner, name) = (reference(&entry, DW_AT_type), self.text_of(&entry, DW_AT_name));
        let keyword = match entry.tag() {
            dw::DW_TAG_pointer_type | dw::DW_TAG_reference_type | dw::DW_TAG_rvalue_reference_type => {
                self.write(inner, text, depth + 4);
                let sign = if entry.tag() == dw::DW_TAG_pointer_type { " *" } else { " &" };
                return text.push_str(sign);
            }
            dw::DW_TAG_const_type
            | dw::DW_TAG_volatile_type
            | dw::DW_TAG_restrict_type
            | dw::DW_TAG_atomic_type => return self.write(inner, text, depth + 1),
            dw::DW_TAG_array_type => {
                self.write(inner, text, depth + 1);
                for child in self.children(entry.offset()).unwrap_or_default() {
                    let bound = self.entry(child).and_then(|child| bound(&child));
                    text.push_str(&bound.map_or("[]".into(), |bound| format!("[{bound}]")));
                }
                return;
            }
            dw::DW_TAG_subroutine_type => return text.push_str("function"),
            dw::DW_TAG_structure_type => "struct ",
            dw::DW_TAG_class_type => "class ",
            dw::DW_TAG_union_type => "union ",
            dw::DW_TAG_enumeration_type => "enum ",
            _ => "",
        };
        text.push_str(keyword);
        text.push_str(name.as_deref().unwrap_or_default());
        if keyword.is_empty() || keyword == "enum " || depth >= 2 {
            // A name hides what it stands for, which is what changes.
            if entry.tag() == dw::DW_TAG_typedef && depth < 2 && inner.is_some() {
                text.push_str(" = ");
                self.write(inner, text, depth + 1);
            }
            return;
        }
        text.push_str(" {");
        for child in self.children(entry.offset()).unwrap_or_default() {
            let Some(child) = self.entry(child).filter(|_| text.len() <= LONGEST_TEXT) else {
                break;
            };
            if child.tag() == dw::DW_TAG_member && child.attr(DW_AT_external).is_none() {
                text.push(' ');
                self.write(reference(&child, DW_AT_type), text, depth + 1);
                text.push(' ');
                text.push_str(&self.text_of(&child, DW_AT_name).unwrap_or_default());
                text.push(';');
            }
        }
        text.push_str(" }");
    }
}

fn known(hash: u64) -> Option<u64> {
    (hash != 0).then_some(hash)
}

fn encoding(entry: &Entry<'_>) -> Option<gimli::DwAte> {
    match entry.attr_value(DW_AT_encoding)? {
        AttributeValue::Encoding(encoding) => Some(encoding),
        _ => None,
    }
}

fn is_integer(encoding: gimli::DwAte) -> bool {
    matches!(
        encoding,
        dw::DW_ATE_boolean
            | dw::DW_ATE_signed
            | dw::DW_ATE_signed_char
            | dw::DW_ATE_unsigned
            | dw::DW_ATE_unsigned_char
            | dw::DW_ATE_UTF
    )
}

/// How many elements a dimension of an array has.
fn bound(dimension: &Entry<'_>) -> Option<u64> {
    number(dimension, DW_AT_count).or_else(|| number(dimension, DW_AT_upper_bound)?.checked_add(1))
}

fn number(entry: &Entry<'_>, attribute: DwAt) -> Option<u64> {
    let value = entry.attr(attribute)?;
    value.udata_value().or_else(|| value.sdata_value().map(|value| value as u64))
}

/// An entry of the same unit that an attribute refers to.
pub(super) fn reference(entry: &Entry<'_>, attribute: DwAt) -> Option<UnitOffset> {
    match entry.attr_value(attribute)? {
        AttributeValue::UnitRef(offset) => Some(offset),
        _ => None,
    }
}
