//! Single values: numbers, characters, enumerators.
//!
//! Owns how the bytes of one are read. Deliberately reads no memory: the bytes are given, those
//! of a bit field as if it had a whole value's.

use std::borrow::Cow;

use super::decimal::{self, Format};
use super::quote::{self, Alphabet};
use super::types::{Encoding, Kind, TypeId, Types};
use super::wide::Wide;

/// Larger integers are not written out.
const LARGEST_INTEGER: usize = 1024;

/// A value of a base type or an enumeration.
pub fn text(types: &Types<'_>, kind: TypeId, bytes: &[u8]) -> Option<String> {
    if let Some(alphabet) = alphabet(types, kind) {
        return Some(quote::character(alphabet, low(bytes) as u32));
    }
    match types.kind(types.bare(kind)) {
        Kind::Base { name, encoding, .. } => base(name, *encoding, bytes),
        Kind::Enumeration { enumerators, .. } => {
            let number = integer(bytes, types.is_signed(kind));
            Some(
                enumerator(enumerators, bytes)
                    .unwrap_or_else(|| format!("({}){number}", types.spelling(kind))),
            )
        }
        _ => None,
    }
}

/// The characters that a type has, if it is one of those.
pub fn alphabet(types: &Types<'_>, kind: TypeId) -> Option<Alphabet> {
    let Kind::Base { encoding, size, .. } = types.kind(types.bare(kind)) else {
        return None;
    };
    if *encoding == Encoding::Character {
        let eight = types.goes_by(kind, "char8_t");
        return Some(if eight { Alphabet::Utf8 } else { Alphabet::Plain });
    }
    if !matches!(encoding, Encoding::Signed | Encoding::Unsigned | Encoding::Utf) {
        return None;
    }
    let names = [
        ("char8_t", 1, Alphabet::Utf8),
        ("char16_t", 2, Alphabet::Utf16),
        ("char32_t", 4, Alphabet::Utf32),
        ("wchar_t", 4, Alphabet::Wide),
    ];
    let fits = |(name, wide, _): &(&str, u64, Alphabet)| wide == size && types.goes_by(kind, name);
    names.into_iter().find(fits).map(|(_, _, alphabet)| alphabet)
}

fn base(name: &str, encoding: Encoding, bytes: &[u8]) -> Option<String> {
    let half = bytes.len() / 2;
    match encoding {
        Encoding::Boolean => Some(match low(bytes) {
            0 => "false".to_owned(),
            1 => "true".to_owned(),
            other => format!("true ({other})"),
        }),
        Encoding::Signed => Some(integer(bytes, true)),
        Encoding::Unsigned | Encoding::Utf => Some(integer(bytes, false)),
        Encoding::Character => Some(quote::character(Alphabet::Plain, low(bytes) as u32)),
        Encoding::Float => Some(decimal::text(format(name, bytes.len())?, low(bytes))),
        Encoding::Complex => {
            let format =
                format(if half == 16 && !name.contains("128") { "long double" } else { name }, half)?;
            let (real, imaginary) = bytes.split_at(half);
            Some(complex(&decimal::text(format, low(real)), &decimal::text(format, low(imaginary))))
        }
        Encoding::ComplexInteger => {
            let (real, imaginary) = bytes.split_at(half);
            Some(complex(&integer(real, true), &integer(imaginary, true)))
        }
        Encoding::Other => None,
    }
}

fn complex(real: &str, imaginary: &str) -> String {
    match imaginary.strip_prefix('-') {
        Some(imaginary) => format!("{real} - {imaginary}i"),
        None => format!("{real} + {imaginary}i"),
    }
}

fn format(name: &str, size: usize) -> Option<Format> {
    Some(match size {
        2 if name.contains("bf16") || name.contains("bfloat") => Format::BRAIN,
        2 => Format::HALF,
        4 => Format::SINGLE,
        8 => Format::DOUBLE,
        10 | 12 => Format::EXTENDED,
        16 if name.contains("long double") && cfg!(target_arch = "x86_64") => Format::EXTENDED,
        16 => Format::QUADRUPLE,
        _ => return None,
    })
}

/// The least significant bytes as a number.
fn low(bytes: &[u8]) -> u128 {
    let mut wide = [0; 16];
    let count = bytes.len().min(16);
    wide[..count].copy_from_slice(&bytes[..count]);
    u128::from_le_bytes(wide)
}

/// A whole number of any size.
pub fn integer(bytes: &[u8], signed: bool) -> String {
    if bytes.len() > LARGEST_INTEGER {
        return format!("<a number of {} bytes>", bytes.len());
    }
    if signed && bytes.last().is_some_and(|last| last & 0x80 != 0) {
        let mut carry = true;
        let negated = bytes.iter().map(|byte| {
            let (sum, more) = (!byte).overflowing_add(u8::from(carry));
            carry = more;
            sum
        });
        return format!("-{}", Wide::from_le_bytes(&negated.collect::<Vec<_>>()).decimal());
    }
    Wide::from_le_bytes(bytes).decimal()
}

/// The name of a value, or those of the flags that it consists of.
fn enumerator(enumerators: &[(Cow<'_, str>, u64)], bytes: &[u8]) -> Option<String> {
    let mask = if bytes.len() >= 8 { u64::MAX } else { (1 << (bytes.len() * 8)) - 1 };
    let value = low(bytes) as u64 & mask;
    if let Some((name, _)) = enumerators.iter().find(|(_, known)| known & mask == value) {
        return Some(name.to_string());
    }
    let mut flags: Vec<(&str, u64)> = Vec::new();
    for (name, known) in enumerators {
        let known = known & mask;
        if known.is_power_of_two() && flags.iter().all(|(_, flag)| *flag != known) {
            flags.push((name, known));
        }
    }
    let all = flags.iter().fold(0, |all, (_, flag)| all | flag);
    let only_flags = enumerators.iter().all(|(_, known)| known & mask & !all == 0);
    // `{RED, GREEN, BLUE}` has two single bits by chance.
    let chance = flags.len() < 3 && enumerators.iter().any(|(_, known)| known & mask == 0);
    if value & !all != 0 || !only_flags || chance {
        return None;
    }
    flags.retain(|(_, flag)| value & flag != 0);
    let names: Vec<&str> = flags.into_iter().map(|(name, _)| name).collect();
    Some(names.join(" | ")).filter(|text| !text.is_empty())
}
