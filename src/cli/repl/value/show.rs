//! A value as text, members and elements and all.
//!
//! Owns the walk over a value and its limits: a value may be huge, damaged or not there, what
//! is said of it is short and always comes. What is left out is counted.

use super::layout::Text;
use super::memory::Memory;
use super::quote::{self, Alphabet};
use super::scalar;
use super::types::{Count, Kind, Member, Place, TypeId, Types};

/// The width of a line where nothing is said of it.
const WIDTH: usize = 100;
/// Of an array so many elements are shown, runs of equal ones as one.
const MOST_ELEMENTS: u32 = 200;
/// So many single values are shown in all.
const MOST_VALUES: u32 = 1000;
/// Characters of a string.
const LONGEST_STRING: usize = 200;
/// As many equal elements are shown as one.
const SHORTEST_RUN: u64 = 10;
/// How deep values are shown within each other.
const DEEPEST: u32 = 24;
/// How much memory is looked at to find equal elements and the ends of strings.
const MOST_BYTES: u64 = 1 << 26;
/// Larger elements are not compared.
const LARGEST_ELEMENT: u64 = 1 << 16;
/// No more of an array of characters is looked at.
const LARGEST_STRING: u64 = 1 << 20;
/// A single value is not larger.
const LARGEST_SCALAR: u64 = 1 << 16;

const UNREADABLE: &str = "<cannot be read>";

/// The value of a type at an address of this process, which need not be there. `names` tells
/// what is at an address that a pointer holds, usually a function.
pub fn show(types: &Types<'_>, kind: TypeId, address: u64, names: &dyn Fn(u64) -> Option<String>) -> String {
    show_at_width(types, kind, address, names, WIDTH)
}

/// The same, for a terminal of another width.
pub fn show_at_width(
    types: &Types<'_>,
    kind: TypeId,
    address: u64,
    names: &dyn Fn(u64) -> Option<String>,
    width: usize,
) -> String {
    let mut walk = Walk { types, names, memory: Memory::new(), values: MOST_VALUES, bytes: MOST_BYTES };
    walk.value(kind, address, 0).lines(width)
}

struct Walk<'w, 'o> {
    types: &'w Types<'o>,
    names: &'w dyn Fn(u64) -> Option<String>,
    memory: Memory,
    /// How many values and bytes may still be looked at.
    values: u32,
    bytes: u64,
}

impl Walk<'_, '_> {
    fn value(&mut self, kind: TypeId, address: u64, depth: u32) -> Text {
        self.values = self.values.saturating_sub(1);
        let types = self.types;
        let bare = types.bare(kind);
        match types.kind(bare) {
            Kind::Void => Text::plain("<void>"),
            Kind::Null => Text::plain("nullptr"),
            Kind::Unknown | Kind::Qualified(..) | Kind::Named(..) => Text::plain("<unknown type>"),
            Kind::Record { size: None, .. } | Kind::Enumeration { size: None, .. } => {
                Text::plain("<incomplete type>")
            }
            Kind::Base { size, .. } | Kind::Enumeration { size: Some(size), .. } => {
                Text::Plain(self.scalar(kind, *size, address))
            }
            Kind::Pointer(target) => Text::Plain(self.pointer(kind, *target, address, depth)),
            Kind::Function(_) => Text::Plain(self.address(Some(kind), address)),
            Kind::Array { .. } | Kind::Record { .. } if depth >= DEEPEST => Text::plain("{...}"),
            Kind::Array { element, count: Count::Known(count), vector } => {
                match scalar::alphabet(types, *element).filter(|_| !vector) {
                    Some(alphabet) => Text::Plain(self.characters(alphabet, *element, *count, address)),
                    None => self.elements(*element, *count, address, depth),
                }
            }
            Kind::Array { .. } => Text::plain("<array of unknown size>"),
            Kind::Record { members, .. } => self.members(members, address, depth),
        }
    }

    fn scalar(&mut self, kind: TypeId, size: u64, address: u64) -> String {
        if size > LARGEST_SCALAR {
            return format!("<{size} bytes>");
        }
        match self.memory.bytes(address, size) {
            Some(bytes) => {
                scalar::text(self.types, kind, &bytes).unwrap_or_else(|| format!("<{size} bytes>"))
            }
            None => UNREADABLE.to_owned(),
        }
    }

    fn pointer(&mut self, kind: TypeId, target: TypeId, at: u64, depth: u32) -> String {
        let mut bytes = [0; 8];
        if !self.memory.read(at, &mut bytes) {
            return UNREADABLE.to_owned();
        }
        let address = u64::from_le_bytes(bytes);
        // Within a value its type says what they are.
        let shown = self.address(Some(kind).filter(|_| depth == 0), address);
        match scalar::alphabet(self.types, target) {
            Some(alphabet) if address != 0 => self.string(alphabet, target, address, shown),
            _ => shown,
        }
    }

    fn address(&self, kind: Option<TypeId>, address: u64) -> String {
        let cast = kind.map(|kind| format!("({}) ", self.types.spelling(kind))).unwrap_or_default();
        if address == 0 {
            return format!("{cast}NULL");
        }
        match (self.names)(address) {
            Some(name) => format!("{cast}{address:#x} <{name}>"),
            None => format!("{cast}{address:#x}"),
        }
    }

    /// The string that a pointer points at; `shown` is the pointer.
    fn string(&mut self, alphabet: Alphabet, kind: TypeId, address: u64, shown: String) -> String {
        let width = self.types.size(kind).unwrap_or(1);
        let mut units = Vec::new();
        loop {
            let at = address.wrapping_add(units.len() as u64 * width);
            match self.unit(at, width) {
                None if units.is_empty() => return format!("{shown} {UNREADABLE}"),
                None => return quote::string(alphabet, &units) + " <the rest cannot be read>",
                Some(0) => return quote::string(alphabet, &units),
                Some(_) if units.len() == LONGEST_STRING => {
                    whole(alphabet, &mut units);
                    return quote::string(alphabet, &units) + "...";
                }
                Some(unit) => units.push(unit),
            }
        }
    }

    fn unit(&mut self, at: u64, width: u64) -> Option<u32> {
        let mut bytes = [0; 4];
        self.memory.read(at, &mut bytes[..width.min(4) as usize]).then(|| u32::from_le_bytes(bytes))
    }

    /// An array of characters. Zeros at its end are what a string leaves of it.
    fn characters(&mut self, alphabet: Alphabet, kind: TypeId, count: u64, address: u64) -> String {
        let width = self.types.size(kind).unwrap_or(1).clamp(1, 4);
        let looked = count.min(LARGEST_STRING / width);
        self.bytes = self.bytes.saturating_sub(looked * width);
        let looked = if self.bytes == 0 { looked.min(LONGEST_STRING as u64) } else { looked };
        let Some(bytes) = self.memory.bytes(address, looked * width) else {
            return UNREADABLE.to_owned();
        };
        let units = bytes.chunks_exact(width as usize).map(|chunk| {
            let mut unit = [0; 4];
            unit[..chunk.len()].copy_from_slice(chunk);
            u32::from_le_bytes(unit)
        });
        let mut units: Vec<u32> = units.collect();
        let length = units.iter().rposition(|&unit| unit != 0).map_or(0, |last| last + 1);
        units.truncate(length.min(LONGEST_STRING));
        if length > units.len() {
            whole(alphabet, &mut units);
            let more = length - units.len();
            return format!("{}... {more} more", quote::string(alphabet, &units));
        }
        quote::string(alphabet, &units)
    }

    fn elements(&mut self, element: TypeId, count: u64, address: u64, depth: u32) -> Text {
        let Some(size) = self.types.size(element) else {
            return Text::plain("<elements of unknown size>");
        };
        let mut parts = Vec::new();
        let mut index = 0;
        let mut shown = 0;
        while index < count {
            if shown == MOST_ELEMENTS || self.values == 0 {
                parts.push((String::new(), Text::Plain(format!("... {} more", count - index))));
                break;
            }
            let at = address.wrapping_add(index.wrapping_mul(size));
            let run = match self.run(at, size, count - index) {
                Some(run) => run,
                None => {
                    parts.push((String::new(), Text::plain(UNREADABLE)));
                    break;
                }
            };
            let mut text = self.value(element, at, depth + 1);
            let repeated = run >= SHORTEST_RUN;
            if repeated {
                let after = format!(" <repeats {run} times>");
                text = match text {
                    Text::Plain(text) => Text::Plain(text + &after),
                    text => Text::Followed(Box::new(text), after),
                };
            }
            parts.push((String::new(), text));
            index += if repeated { run } else { 1 };
            shown += 1;
        }
        // All of it is missing, and says so once.
        match &parts[..] {
            [(_, Text::Plain(text))] if text == UNREADABLE => Text::plain(UNREADABLE),
            _ => Text::Parts(parts),
        }
    }

    /// How many elements from here on are the same; none if the first cannot be read.
    fn run(&mut self, address: u64, size: u64, most: u64) -> Option<u64> {
        if size == 0 {
            return Some(most);
        }
        if size > LARGEST_ELEMENT {
            return Some(1);
        }
        let first = self.memory.bytes(address, size)?;
        let mut next = first.clone();
        let mut run = 1;
        while run < most && self.bytes >= size {
            self.bytes -= size;
            let at = address.wrapping_add(run.wrapping_mul(size));
            if !self.memory.read(at, &mut next) || next != first {
                break;
            }
            run += 1;
        }
        Some(run)
    }

    fn members(&mut self, members: &[Member<'_>], address: u64, depth: u32) -> Text {
        let mut parts = Vec::new();
        for (index, member) in members.iter().enumerate() {
            if self.values == 0 {
                parts.push((String::new(), Text::Plain(format!("... {} more", members.len() - index))));
                break;
            }
            let label = member.name.as_deref().map(|name| format!("{name} = ")).unwrap_or_default();
            let text = match member.place {
                Place::Bytes(offset) => self.value(member.kind, address.wrapping_add(offset), depth + 1),
                Place::Bits { first, count } => Text::Plain(self.bits(member.kind, address, first, count)),
            };
            parts.push((label, text));
        }
        Text::Parts(parts)
    }

    /// A bit field, as the value that its type would have.
    fn bits(&mut self, kind: TypeId, address: u64, first: u64, count: u64) -> String {
        self.values = self.values.saturating_sub(1);
        let size = self.types.size(kind).unwrap_or(0);
        let skipped = first % 8;
        if count == 0 || count > size.saturating_mul(8).min(120) {
            return "<a bit field of unknown shape>".to_owned();
        }
        let mut bytes = [0; 16];
        let covered = (skipped + count).div_ceil(8) as usize;
        if !self.memory.read(address.wrapping_add(first / 8), &mut bytes[..covered]) {
            return UNREADABLE.to_owned();
        }
        let mut value = u128::from_le_bytes(bytes) >> skipped & ((1 << count) - 1);
        if self.types.is_signed(kind) && value >> (count - 1) == 1 {
            value |= u128::MAX << count;
        }
        let bytes = &value.to_le_bytes()[..size.min(16) as usize];
        scalar::text(self.types, kind, bytes).unwrap_or_else(|| format!("<{count} bits>"))
    }
}

/// Cuts off what is left of a character of several units at the end.
fn whole(alphabet: Alphabet, units: &mut Vec<u32>) {
    let starts = |unit: u32| match alphabet {
        Alphabet::Plain | Alphabet::Utf8 => match unit {
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0..0xf8 => 4,
            _ => 1,
        },
        Alphabet::Utf16 if (0xd800..0xdc00).contains(&unit) => 2,
        _ => 1,
    };
    let last = units.iter().rev().take(3).position(|&unit| starts(unit) > 1);
    if let Some(back) = last
        && starts(units[units.len() - 1 - back]) > back + 1
    {
        units.truncate(units.len() - 1 - back);
    }
}
