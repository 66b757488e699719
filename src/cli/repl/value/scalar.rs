//! Values that have no parts.
//!
//! Owns how numbers, characters and enumerators look.

use super::long_double;
use super::memory::little;
use super::types::Encoding;

/// A base type's value out of its bytes.
pub fn base(name: &str, encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Bool => match little(bytes) {
            0 => "false".to_owned(),
            1 => "true".to_owned(),
            other => format!("true (0x{other:x})"),
        },
        Encoding::Char { signed } if name == "char" => {
            let byte = bytes.first().copied().unwrap_or(0);
            let number = if signed { i32::from(byte as i8) } else { byte.into() };
            format!("{} {number}", character(byte))
        }
        Encoding::Signed | Encoding::Char { signed: true } => signed(bytes).to_string(),
        Encoding::Unsigned | Encoding::Char { signed: false } => little(bytes).to_string(),
        Encoding::Float => float(name, bytes),
        Encoding::ComplexFloat => {
            let (real, imaginary) = bytes.split_at(bytes.len() / 2);
            let imaginary = float(name, imaginary);
            let sign = if imaginary.starts_with('-') { "" } else { "+" };
            format!("{}{sign}{imaginary}i", float(name, real))
        }
        Encoding::Other if name.starts_with("_BitInt") || name.starts_with("unsigned _BitInt") => {
            if name.starts_with('_') { signed(bytes).to_string() } else { little(bytes).to_string() }
        }
        Encoding::Other => {
            let bytes: Vec<String> = bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect();
            format!("0x{}", bytes.concat())
        }
    }
}

/// The number that up to 16 bytes are, in two's complement.
pub fn signed(bytes: &[u8]) -> i128 {
    extended(little(bytes), 8 * bytes.len() as u64)
}

/// A number of so many bits, with its sign.
pub fn extended(number: u128, bits: u64) -> i128 {
    let spare = 128u32.saturating_sub(bits.min(128) as u32).min(127);
    (number << spare) as i128 >> spare
}

fn float(name: &str, bytes: &[u8]) -> String {
    let half = |bytes: &[u8]| little(bytes) as u16;
    match bytes.len() {
        2 if name.contains("bf16") => in_c(format!("{:?}", f32::from_bits(u32::from(half(bytes)) << 16))),
        2 => in_c(format!("{:?}", from_half(half(bytes)))),
        4 => in_c(format!("{:?}", f32::from_bits(little(bytes) as u32))),
        8 => in_c(format!("{:?}", f64::from_bits(little(bytes) as u64))),
        16 if !name.contains("128") => long_double::text(bytes).unwrap_or_else(|| "?".to_owned()),
        _ => base(name, Encoding::Other, bytes),
    }
}

fn from_half(bits: u16) -> f32 {
    let (sign, exponent, mantissa) = (bits >> 15, i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let size = match exponent {
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        0 => mantissa * 2f32.powi(-24),
        _ => (mantissa + 1024.0) * 2f32.powi(exponent - 25),
    };
    if sign == 0 { size } else { -size }
}

/// A number as Rust writes it, as C does.
fn in_c(text: String) -> String {
    let text = text.replace("NaN", "nan");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

/// A character constant.
fn character(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        0x80.. => format!("'\\x{byte:02x}'"),
        _ => format!("'{}'", escaped(u32::from(byte), false)),
    }
}

/// A character of a string literal, with three digits where a digit follows.
fn escaped(one: u32, before_digit: bool) -> String {
    match char::from_u32(one) {
        Some('\n') => "\\n".to_owned(),
        Some('\t') => "\\t".to_owned(),
        Some('\r') => "\\r".to_owned(),
        Some('\\') => "\\\\".to_owned(),
        Some('"') => "\\\"".to_owned(),
        Some('\0') if !before_digit => "\\0".to_owned(),
        Some(c) if c.is_control() && one < 0x80 => format!("\\{one:03o}"),
        Some(c) if !c.is_control() => c.to_string(),
        _ => format!("\\u{one:04x}"),
    }
}

/// A string literal of these units; of `char` it is taken to be UTF-8, and what is not is told as
/// numbers.
pub fn string(kind: &str, units: &[u64], goes_on: bool) -> String {
    let mut text = String::new();
    let is_digit = |index: usize| units.get(index).is_some_and(|unit| (0x30..0x3a).contains(unit));
    if kind == "char" {
        let bytes: Vec<u8> = units.iter().map(|unit| *unit as u8).collect();
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                at += c.len_utf8();
                text.push_str(&escaped(c.into(), is_digit(at)));
            }
            for byte in chunk.invalid() {
                at += 1;
                // In octal, which ends after three digits.
                text.push_str(&format!("\\{byte:03o}"));
            }
        }
    } else {
        for (index, unit) in units.iter().enumerate() {
            text.push_str(&escaped(*unit as u32, is_digit(index + 1)));
        }
    }
    let prefix = match kind {
        "wchar_t" => "L",
        "char16_t" => "u",
        "char32_t" => "U",
        _ => "",
    };
    format!("{prefix}\"{text}\"{}", if goes_on { "..." } else { "" })
}

/// An enumerator by name; several, where each is a bit; otherwise nothing.
pub fn enumerator(all: &[(String, i128)], value: i128) -> Option<String> {
    if let Some((name, _)) = all.iter().find(|(_, one)| *one == value) {
        return Some(name.clone());
    }
    let bits = all.iter().filter(|(_, one)| *one != 0);
    if value <= 0 || bits.clone().any(|(_, one)| *one < 0 || one.count_ones() != 1) {
        return None;
    }
    let names: Vec<&str> =
        bits.clone().filter(|(_, one)| value & one != 0).map(|(name, _)| &**name).collect();
    let covered = bits.fold(0, |all, (_, one)| all | one);
    (value & !covered == 0).then(|| names.join(" | "))
}
