//! How values look.
//!
//! Owns the notation: C's own where there is one, with names for what has names. Long ones are cut.

use super::memory;
use super::types::{Id, Kind, Types};

/// No more elements of an array, bytes of a string, and levels than this.
const ELEMENTS: u64 = 100;
const STRING: usize = 200;
const LEVELS: usize = 12;
/// What fits on a line.
const WIDTH: usize = 96;

const BOOLEAN: u8 = 0x02;
const COMPLEX: u8 = 0x03;
const FLOAT: u8 = 0x04;
const SIGNED: u8 = 0x05;
const SIGNED_CHAR: u8 = 0x06;
const UNSIGNED_CHAR: u8 = 0x08;

type NameOf<'n> = &'n dyn Fn(u64) -> Option<String>;

/// The value of a type at an address.
pub fn value(types: &Types, of: Id, address: u64, name_of: NameOf<'_>) -> String {
    Printer { types, name_of }.value(of, address, 0)
}

struct Printer<'p> {
    types: &'p Types,
    name_of: NameOf<'p>,
}

impl Printer<'_> {
    fn value(&self, of: Id, address: u64, level: usize) -> String {
        if level > LEVELS {
            return "...".to_owned();
        }
        let size = self.types.size(of).unwrap_or(0);
        let text = match self.types.kind(of) {
            Kind::Void => Some("void".to_owned()),
            Kind::Base { encoding, name } => base(*encoding, name, size, address),
            Kind::Pointer(to) => memory::number(address, 8).map(|value| self.pointer(of, *to, value)),
            Kind::Array { of, count, vector } => Some(self.array(*of, *count, *vector, address, level)),
            Kind::Struct { members, .. } => {
                let members = members.iter().map(|member| {
                    let value = match member.bits {
                        Some((from, size)) => self.bits(member.of, address, from, size),
                        None => self.value(member.of, address + member.at, level + 1),
                    };
                    match &member.name {
                        Some(name) => format!("{name} = {value}"),
                        None => value,
                    }
                });
                Some(braced(members.collect()))
            }
            Kind::Enum { .. } => {
                memory::number(address, size).map(|value| self.enumerator(of, signed(value, size)))
            }
            Kind::Function { .. } => Some((self.name_of)(address).unwrap_or_else(|| format!("{address:#x}"))),
            Kind::Typedef { .. } | Kind::Qualified { .. } | Kind::Unknown(_) => Some("...".to_owned()),
        };
        text.unwrap_or_else(|| "<cannot be read>".to_owned())
    }

    fn pointer(&self, of: Id, to: Id, value: u64) -> String {
        if value == 0 {
            return "NULL".to_owned();
        }
        match self.types.kind(to) {
            Kind::Base { name, encoding } if is_char(*encoding, name) => return string(value),
            Kind::Function { .. } => {
                if let Some(name) = (self.name_of)(value) {
                    return format!("{name} ({value:#x})");
                }
            }
            _ => {}
        }
        format!("({}) {value:#x}", self.types.spelling(of, ""))
    }

    fn array(&self, of: Id, count: Option<u64>, vector: bool, address: u64, level: usize) -> String {
        let Some(count) = count else { return "{...}".to_owned() };
        if let Kind::Base { name, encoding } = self.types.kind(of)
            && is_char(*encoding, name)
            && !vector
        {
            let bytes = memory::bytes(address, count.min(STRING as u64 * 2) as usize);
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            // Some zeroes at the end are what makes it a string.
            return quoted(&bytes[..end], end < bytes.len() || bytes.len() as u64 == count);
        }
        let size = self.types.size(of).unwrap_or(0);
        let shown = count.min(ELEMENTS);
        let mut elements: Vec<String> = Vec::new();
        let mut at = 0;
        while at < shown {
            let element = self.value(of, address + at * size, level + 1);
            let same = (at + 1..count.min(at + 100_000))
                .take_while(|next| size > 0 && same_bytes(address, at * size, next * size, size))
                .count() as u64;
            if same >= 9 {
                elements.push(format!("{element} <{} times>", same + 1));
                at += same;
            } else {
                elements.push(element);
            }
            at += 1;
        }
        if at < count {
            elements.push("...".to_owned());
        }
        braced(elements)
    }

    fn bits(&self, of: Id, address: u64, from: u64, size: u64) -> String {
        let first = from / 8;
        let length = (from % 8 + size).div_ceil(8);
        let bytes = memory::bytes(address + first, length as usize);
        if bytes.len() as u64 != length {
            return "<cannot be read>".to_owned();
        }
        let mut wide = [0; 16];
        wide[..bytes.len()].copy_from_slice(&bytes);
        let value = (u128::from_le_bytes(wide) >> (from % 8)) as u64
            & u64::MAX.checked_shr(64 - size as u32).unwrap_or(0);
        match self.types.kind(of) {
            Kind::Base { encoding: BOOLEAN, .. } => (value != 0).to_string(),
            Kind::Base { encoding: SIGNED | SIGNED_CHAR, .. } => {
                (((value << (64 - size)) as i64) >> (64 - size)).to_string()
            }
            Kind::Enum { .. } => self.enumerator(of, value as i64),
            _ => value.to_string(),
        }
    }

    fn enumerator(&self, of: Id, value: i64) -> String {
        let Kind::Enum { values, .. } = self.types.kind(of) else { return value.to_string() };
        if let Some((name, _)) = values.iter().find(|(_, known)| *known == value) {
            return name.clone();
        }
        let (mut rest, mut names) = (value, Vec::new());
        for (name, bit) in values.iter().filter(|(_, bit)| bit.count_ones() == 1) {
            if rest & bit != 0 {
                rest &= !bit;
                names.push(name.as_str());
            }
        }
        match rest == 0 && names.len() > 1 {
            true => names.join(" | "),
            false => format!("({}) {value}", self.types.spelling(of, "")),
        }
    }
}

fn same_bytes(base: u64, a: u64, b: u64, size: u64) -> bool {
    let (a, b) = (memory::bytes(base + a, size as usize), memory::bytes(base + b, size as usize));
    a.len() as u64 == size && a == b
}

/// On one line if it fits.
fn braced(parts: Vec<String>) -> String {
    let line = format!("{{{}}}", parts.join(", "));
    if line.len() <= WIDTH && !line.contains('\n') {
        return line;
    }
    let mut text = "{\n".to_owned();
    let mut row = String::new();
    for part in parts {
        let part = part.replace('\n', "\n  ");
        if !row.is_empty() && (row.len() + part.len() > WIDTH || part.contains('\n') || part.contains(" = "))
        {
            text.push_str(&format!("  {},\n", row));
            row.clear();
        }
        row = if row.is_empty() { part } else { format!("{row}, {part}") };
    }
    text + &format!("  {row}\n}}")
}

fn is_char(encoding: u8, name: &str) -> bool {
    matches!(encoding, SIGNED_CHAR | UNSIGNED_CHAR) && name == "char"
}

fn signed(value: u64, size: u64) -> i64 {
    match size {
        1 => i64::from(value as i8),
        2 => i64::from(value as i16),
        4 => i64::from(value as i32),
        _ => value as i64,
    }
}

fn base(encoding: u8, name: &str, size: u64, address: u64) -> Option<String> {
    if size == 16 && matches!(encoding, SIGNED | 0x07) {
        let bytes: [u8; 16] = memory::bytes(address, 16).try_into().ok()?;
        return Some(if encoding == SIGNED {
            i128::from_le_bytes(bytes).to_string()
        } else {
            u128::from_le_bytes(bytes).to_string()
        });
    }
    Some(match encoding {
        BOOLEAN => match memory::number(address, size)? {
            0 => "false".to_owned(),
            1 => "true".to_owned(),
            other => format!("true ({other})"),
        },
        FLOAT => float(size, address)?,
        COMPLEX => {
            let (real, imaginary) = (float(size / 2, address)?, float(size / 2, address + size / 2)?);
            let sign = if imaginary.starts_with('-') { "" } else { "+" };
            format!("{real}{sign}{imaginary}i")
        }
        SIGNED_CHAR | UNSIGNED_CHAR if name == "char" => character(memory::number(address, 1)? as u8),
        SIGNED | SIGNED_CHAR => signed(memory::number(address, size)?, size).to_string(),
        _ => memory::number(address, size)?.to_string(),
    })
}

fn float(size: u64, address: u64) -> Option<String> {
    match size {
        2 => Some(
            half(memory::number(address, 2)? as u16)
                .map_or("nan".to_owned(), |value| shortest(&format!("{value:?}"))),
        ),
        4 => Some(shortest(&format!("{:?}", f32::from_bits(memory::number(address, 4)? as u32)))),
        8 => Some(shortest(&format!("{:?}", f64::from_bits(memory::number(address, 8)?)))),
        _ => extended(&memory::bytes(address, 10)),
    }
}

/// Rust's notation, the same as C's but for `.0` and `NaN`.
fn shortest(text: &str) -> String {
    let text = text.strip_suffix(".0").unwrap_or(text).replace("NaN", "nan");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let mantissa = mantissa.strip_suffix(".0").unwrap_or(mantissa);
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{mantissa}e{sign}{exponent}")
        }
        None => text,
    }
}

fn half(bits: u16) -> Option<f32> {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    match exponent {
        0 => Some(sign * fraction * 2f32.powi(-24)),
        31 if fraction == 0.0 => Some(sign * f32::INFINITY),
        31 => None,
        _ => Some(sign * (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15)),
    }
}

/// The processor's own format, with the digits that a double has.
fn extended(bytes: &[u8]) -> Option<String> {
    let mantissa = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let head = u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?);
    let (sign, exponent) = (if head >> 15 == 1 { -1.0 } else { 1.0 }, i32::from(head & 0x7fff));
    if exponent == 0x7fff {
        return Some(if mantissa << 1 == 0 {
            shortest(&format!("{:?}", sign * f64::INFINITY))
        } else {
            "nan".to_owned()
        });
    }
    let value = mantissa as f64 * 2f64.powi((exponent - 16383 - 63).clamp(-1000, 1000));
    match value.is_finite() && (value != 0.0 || mantissa == 0) {
        true => Some(shortest(&format!("{:?}", sign * value))),
        false => {
            Some(format!("{}0x{mantissa:x}p{}", if sign < 0.0 { "-" } else { "" }, exponent - 16383 - 63))
        }
    }
}

fn character(byte: u8) -> String {
    format!("'{}'", escaped(byte, '\''))
}

fn escaped(byte: u8, quote: char) -> String {
    match byte {
        b'\n' => "\\n".to_owned(),
        b'\t' => "\\t".to_owned(),
        b'\r' => "\\r".to_owned(),
        0 => "\\0".to_owned(),
        b'\\' => "\\\\".to_owned(),
        _ if char::from(byte) == quote => format!("\\{quote}"),
        0x20..0x7f => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    }
}

fn string(address: u64) -> String {
    let bytes = memory::bytes(address, STRING + 1);
    let end = bytes.iter().position(|byte| *byte == 0);
    if bytes.is_empty() {
        return format!("(char *) {address:#x} <cannot be read>");
    }
    quoted(&bytes[..end.unwrap_or(bytes.len().min(STRING))], end.is_some())
}

/// Text as it is where it is text.
fn quoted(bytes: &[u8], is_whole: bool) -> String {
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.is_ascii() || c.is_control() {
                true => text.extend(c.to_string().bytes().map(|byte| escaped(byte, '"'))),
                false => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| escaped(*byte, '"')));
    }
    text + if is_whole { "\"" } else { "\"..." }
}
