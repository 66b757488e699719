//! A value's text.
//!
//! Owns how the parts of structs and arrays are found, and how much of them is told.

use super::layout::Piece;
use super::memory::{Memory, little};
use super::scalar;
use super::types::{Member, Place, Type, TypeId, Types};

/// How deep parts are told, and how many of them in all.
const DEEPEST: usize = 12;
const PARTS: usize = 2_000;
/// How many elements of an array are told, and how many are looked at for equal ones.
const ELEMENTS: usize = 200;
const LOOKED_AT: u64 = 20_000;
/// From how many equal elements on they are told as one.
const REPEATED: usize = 8;
/// How many characters of a string are told.
const CHARACTERS: u64 = 200;

const UNREADABLE: &str = "<cannot be read>";

/// The value of type `id` at `address`. `name_of` gives the names of functions.
pub fn show(types: &Types, id: TypeId, address: u64, name_of: &dyn Fn(u64) -> Option<String>) -> String {
    let mut teller = Teller { types, memory: Memory::new(), name_of, parts: 0 };
    teller.piece(id, address, DEEPEST).render()
}

struct Teller<'a> {
    types: &'a Types,
    memory: Memory,
    name_of: &'a dyn Fn(u64) -> Option<String>,
    parts: usize,
}

impl Teller<'_> {
    fn piece(&mut self, id: TypeId, address: u64, depth: usize) -> Piece {
        self.parts += 1;
        let Some(depth) = depth.checked_sub(1).filter(|_| self.parts < PARTS) else {
            return Piece::Text("{...}".to_owned());
        };
        let types = self.types;
        match types.get(types.plain(id)) {
            Type::Array { of, count, vector } => self.array(*of, *count, *vector, address, depth),
            Type::Record { members, size: Some(_), .. } => self.record(members, address, depth),
            Type::Record { .. } => Piece::Text("<of an incomplete type>".to_owned()),
            Type::Function { .. } => Piece::Text(self.function(id, address)),
            Type::Void => Piece::Text("void".to_owned()),
            Type::Unknown => Piece::Text("<of a type without description>".to_owned()),
            _ => {
                let bytes = types
                    .size(id)
                    .filter(|size| *size <= 64)
                    .and_then(|size| self.memory.read(address, size as usize));
                Piece::Text(bytes.map_or_else(|| UNREADABLE.to_owned(), |bytes| self.scalar(id, &bytes)))
            }
        }
    }

    fn scalar(&self, id: TypeId, bytes: &[u8]) -> String {
        match self.types.get(self.types.plain(id)) {
            Type::Base { name, encoding, .. } => scalar::base(name, *encoding, bytes),
            Type::Enum { enumerators, .. } => {
                let has_sign = enumerators.iter().any(|(_, value)| *value < 0);
                let value = if has_sign { scalar::signed(bytes) } else { little(bytes) as i128 };
                scalar::enumerator(enumerators, value)
                    .unwrap_or_else(|| format!("({}) {value}", self.types.spelling(id)))
            }
            Type::Pointer(to) => self.pointer(id, *to, little(bytes) as u64),
            _ => "?".to_owned(),
        }
    }

    fn pointer(&self, id: TypeId, to: TypeId, address: u64) -> String {
        let kind = self.types.spelling(id);
        if address == 0 {
            return format!("({kind}) NULL");
        }
        if let Some((text, size)) = self.types.text(to) {
            return match self.memory.units(address, size, CHARACTERS) {
                Some((units, ended)) => scalar::string(text, &units, !ended),
                None => format!("({kind}) 0x{address:x} {UNREADABLE}"),
            };
        }
        match self.types.get(self.types.plain(to)) {
            Type::Function { .. } => self.function(id, address),
            _ => format!("({kind}) 0x{address:x}"),
        }
    }

    fn function(&self, id: TypeId, address: u64) -> String {
        let name = (self.name_of)(address).map_or(String::new(), |name| format!(" <{name}>"));
        format!("({}) 0x{address:x}{name}", self.types.spelling(id))
    }

    fn record(&mut self, members: &[Member], address: u64, depth: usize) -> Piece {
        let mut parts = Vec::new();
        for member in members {
            if self.parts >= PARTS {
                parts.push((None, Piece::Text("...".to_owned())));
                break;
            }
            let piece = match member.place {
                Place::Byte(offset) => self.piece(member.of, address.wrapping_add(offset), depth),
                // They have no name where they only take room.
                Place::Bits { .. } if member.name.is_none() => continue,
                Place::Bits { first, count } => Piece::Text(self.bits(member.of, address, first, count)),
            };
            parts.push((member.name.clone(), piece));
        }
        Piece::List(parts)
    }

    fn bits(&self, id: TypeId, address: u64, first: u64, count: u64) -> String {
        let length = (first % 8 + count).div_ceil(8) as usize;
        let Some(bytes) = self.memory.read(address.wrapping_add(first / 8), length) else {
            return UNREADABLE.to_owned();
        };
        // Up to 128 bits that begin anywhere in a byte.
        let mut number = little(&bytes) >> (first % 8);
        if let Some(last) = bytes.get(16).filter(|_| !first.is_multiple_of(8)) {
            number |= u128::from(*last) << (128 - first % 8);
        }
        let mask = if count >= 128 { u128::MAX } else { (1 << count) - 1 };
        number &= mask;
        let size = self.types.size(id).unwrap_or(0).min(16) as usize;
        let is_signed = matches!(
            self.types.get(self.types.plain(id)),
            Type::Base {
                encoding: super::types::Encoding::Signed | super::types::Encoding::Char { signed: true },
                ..
            }
        ) || matches!(self.types.get(self.types.plain(id)),
            Type::Enum { enumerators, .. } if enumerators.iter().any(|(_, value)| *value < 0));
        let number = if is_signed { scalar::extended(number, count) as u128 } else { number };
        self.scalar(id, &number.to_le_bytes()[..size])
    }

    fn array(&mut self, of: TypeId, count: Option<u64>, vector: bool, address: u64, depth: usize) -> Piece {
        let Some(count) = count else { return Piece::Text("{...}".to_owned()) };
        let size = self.types.size(of).unwrap_or(0);
        if let Some((kind, unit)) = self.types.text(of).filter(|_| !vector && count > 0) {
            return Piece::Text(self.characters(kind, unit, count, address));
        }
        let mut parts: Vec<(Option<String>, Piece)> = Vec::new();
        let (mut index, mut seen) = (0, 0);
        while index < count {
            if parts.len() >= ELEMENTS || seen >= LOOKED_AT || self.parts >= PARTS {
                parts.push((None, Piece::Text(format!("... {} more", count - index))));
                break;
            }
            let at = address.wrapping_add(index.wrapping_mul(size));
            let piece = self.piece(of, at, depth);
            let repeats = self.repeats(at, size, count - index);
            seen += repeats;
            if repeats as usize >= REPEATED {
                parts.push((None, Piece::Text(format!("{} <repeats {repeats} times>", piece.render()))));
                index += repeats;
            } else {
                parts.push((None, piece));
                index += 1;
            }
        }
        Piece::List(parts)
    }

    /// How many elements from here on have the same bytes.
    fn repeats(&self, address: u64, size: u64, left: u64) -> u64 {
        let most = left.min(LOOKED_AT);
        if size == 0 || size > 4096 {
            return 1;
        }
        let Some(first) = self.memory.read(address, size as usize) else { return most.max(1) };
        let mut count = 1;
        while count < most {
            let chunk = (most - count).min((4096 / size).max(1));
            let Some(bytes) = self.memory.read(address.wrapping_add(count * size), (chunk * size) as usize)
            else {
                break;
            };
            let same = bytes.chunks_exact(size as usize).take_while(|one| *one == &first[..]).count() as u64;
            count += same;
            if same < chunk {
                break;
            }
        }
        count
    }

    fn characters(&self, kind: &str, unit: u64, count: u64, address: u64) -> String {
        let told = count.min(CHARACTERS);
        let Some(bytes) = self.memory.read(address, (told * unit) as usize) else {
            return UNREADABLE.to_owned();
        };
        let mut units: Vec<u64> = bytes.chunks_exact(unit as usize).map(|unit| little(unit) as u64).collect();
        // What is behind the text is zero, mostly.
        while units.last() == Some(&0) {
            units.pop();
        }
        let goes_on = count > told && units.len() as u64 == told;
        scalar::string(kind, &units, goes_on)
    }
}
