//! Characters and strings as C writes them.
//!
//! Owns escaping: what can be printed stays, UTF-8 too; other bytes are `\n`, `\0` or `\xNN`.
//! Deliberately does not know where strings come from.

/// The kinds of characters, each with its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    Plain,
    /// `char8_t`
    Utf8,
    /// `char16_t`
    Utf16,
    /// `char32_t`
    Utf32,
    /// `wchar_t`
    Wide,
}

impl Alphabet {
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Utf8 => "u8",
            Self::Utf16 => "u",
            Self::Utf32 => "U",
            Self::Wide => "L",
        }
    }
}

/// A character constant.
pub fn character(alphabet: Alphabet, unit: u32) -> String {
    let mut text = format!("{}'", alphabet.prefix());
    match char::from_u32(unit) {
        // One byte of several is no character.
        Some(char) if unit < 0x80 || !matches!(alphabet, Alphabet::Plain | Alphabet::Utf8) => {
            put(&mut text, char, '\'');
        }
        _ => escape(&mut text, unit),
    }
    text.push('\'');
    text
}

/// A string of units as they are in memory.
pub fn string(alphabet: Alphabet, units: &[u32]) -> String {
    let mut text = format!("{}\"", alphabet.prefix());
    match alphabet {
        Alphabet::Plain | Alphabet::Utf8 => {
            let bytes: Vec<u8> = units.iter().map(|&unit| unit as u8).collect();
            for chunk in bytes.utf8_chunks() {
                chunk.valid().chars().for_each(|char| put(&mut text, char, '"'));
                chunk.invalid().iter().for_each(|&byte| escape(&mut text, u32::from(byte)));
            }
        }
        Alphabet::Utf16 => {
            for unit in char::decode_utf16(units.iter().map(|&unit| unit as u16)) {
                match unit {
                    Ok(char) => put(&mut text, char, '"'),
                    Err(error) => escape(&mut text, u32::from(error.unpaired_surrogate())),
                }
            }
        }
        Alphabet::Utf32 | Alphabet::Wide => {
            for &unit in units {
                match char::from_u32(unit) {
                    Some(char) => put(&mut text, char, '"'),
                    None => escape(&mut text, unit),
                }
            }
        }
    }
    text.push('"');
    text
}

fn put(text: &mut String, char: char, quote: char) {
    match char {
        '\\' => text.push_str("\\\\"),
        _ if char == quote => text.extend(['\\', quote]),
        // What moves the cursor or has no looks must not reach a terminal.
        _ if char.is_control() || is_invisible(char) => escape(text, char.into()),
        _ => text.push(char),
    }
}

/// Characters that have no looks of their own or change those of others.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..)
}

fn escape(text: &mut String, unit: u32) {
    let short = match unit {
        0 => '0',
        7 => 'a',
        8 => 'b',
        9 => 't',
        10 => 'n',
        11 => 'v',
        12 => 'f',
        13 => 'r',
        0x1b => 'e',
        _ => {
            text.push_str(&match unit {
                ..0x100 => format!("\\x{unit:02x}"),
                0x100..0x10000 => format!("\\u{unit:04x}"),
                _ => format!("\\U{unit:08x}"),
            });
            return;
        }
    };
    text.extend(['\\', short]);
}

#[cfg(test)]
mod tests {
    use super::{Alphabet, character, string};

    fn plain(bytes: &[u8]) -> String {
        string(Alphabet::Plain, &bytes.iter().map(|&byte| u32::from(byte)).collect::<Vec<_>>())
    }

    #[test]
    fn strings() {
        for (bytes, expected) in [
            (&b"abc"[..], r#""abc""#),
            (b"", r#""""#),
            (b"say \"it's\" \\", r#""say \"it's\" \\""#),
            (b"\n\t\x1b[0m\x7f\x01", r#""\n\t\e[0m\x7f\x01""#),
            ("grün 日本 🦀".as_bytes(), "\"grün 日本 🦀\""),
            (b"a\xffb\xc3", r#""a\xffb\xc3""#),
            ("\u{202e}abc\u{85}".as_bytes(), r#""\u202eabc\x85""#),
        ] {
            assert_eq!(plain(bytes), expected);
        }
        let crab: Vec<u32> = "🦀".encode_utf16().map(u32::from).collect();
        assert_eq!(string(Alphabet::Utf16, &crab), "u\"🦀\"");
        assert_eq!(string(Alphabet::Utf16, &crab[..1]), r#"u"\ud83e""#);
        assert_eq!(string(Alphabet::Wide, &[0x1f980, 0x110000]), "L\"🦀\\U00110000\"");
    }

    #[test]
    fn characters() {
        assert_eq!(character(Alphabet::Plain, 0), r"'\0'");
        assert_eq!(character(Alphabet::Plain, u32::from(b'\'')), r"'\''");
        assert_eq!(character(Alphabet::Plain, u32::from(b'"')), "'\"'");
        assert_eq!(character(Alphabet::Plain, 0xe9), r"'\xe9'");
        assert_eq!(character(Alphabet::Wide, 0xe9), "L'é'");
    }
}
