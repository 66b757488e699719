//! Where the directives end that a C or C++ file begins with.
//!
//! Owns what may be compiled apart from the rest: whole lines that include headers and define
//! macros, with comments and complete conditionals among them. It reads what it knows, and
//! stops before anything else, where a compiler may have an opinion: there need not be a lead.

/// What a lead may have in it. A `#pragma` may be meant for what follows, `#line` changes names.
const PLAIN: &[&[u8]] = &[b"include", b"define", b"undef"];

/// The bytes at the start of `text` that are a lead: whole lines, up to the last complete
/// `#include`. Nothing where there is none.
pub fn of(text: &[u8]) -> Option<usize> {
    let mut rest = Reader { text, at: 0 };
    let (mut depth, mut includes, mut end) = (0_u32, false, None);
    while rest.blank() {
        let Some(line) = rest.directive() else { break };
        match line.as_slice() {
            b"if" | b"ifdef" | b"ifndef" => depth += 1,
            b"elif" | b"else" if depth > 0 => {}
            b"endif" if depth > 0 => depth -= 1,
            name if PLAIN.contains(&name) => includes |= name == b"include",
            _ => break,
        }
        // What is defined behind the last header costs little, and may be what is edited.
        if depth == 0 && includes {
            end = Some(rest.at);
            includes = false;
        }
    }
    end
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn ahead(&self, expected: &[u8]) -> bool {
        self.text[self.at..].starts_with(expected)
    }

    /// Skips blank lines and comments up to a `#` that begins a line.
    fn blank(&mut self) -> bool {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'/') if self.comment() == Some(true) => {}
                Some(b'#') => return true,
                _ => return false,
            }
        }
    }

    /// Skips a comment, if there is one; nothing where it does not end or is spelt in a way that
    /// takes a compiler to read.
    fn comment(&mut self) -> Option<bool> {
        if self.ahead(b"/*") {
            let length = memchr::memmem::find(&self.text[self.at + 2..], b"*/")?;
            self.at += length + 4;
        } else if self.ahead(b"//") {
            let length = memchr::memchr(b'\n', &self.text[self.at..])?;
            let line = self.text[self.at..self.at + length].trim_ascii_end();
            // It goes on in the next line, also where that is written with a trigraph.
            if line.ends_with(b"\\") || line.ends_with(b"??/") {
                return None;
            }
            self.at += length;
        } else {
            return Some(false);
        }
        Some(true)
    }

    /// Skips a directive with the line's end, and says which it is.
    fn directive(&mut self) -> Option<Vec<u8>> {
        self.at += 1;
        let (mut name, mut named) = (Vec::new(), false);
        loop {
            match *self.text.get(self.at)? {
                b'\n' => {
                    self.at += 1;
                    return Some(name);
                }
                b'\\' if self.ahead(b"\\\n") => self.at += 2,
                b'\\' if self.ahead(b"\\\r\n") => self.at += 3,
                // A compiler takes it for the same with blanks behind it.
                b'\\' if self.text[self.at + 1..].iter().find(|byte| !b" \t\r".contains(byte))? == &b'\n' => {
                    return None;
                }
                b'/' if self.ahead(b"/*") || self.ahead(b"//") => {
                    self.comment()?;
                    named |= !name.is_empty();
                }
                // Of a file's name, in which nothing else counts; elsewhere of no meaning.
                b'<' if name == b"include" => self.quoted(b'>')?,
                quote @ (b'"' | b'\'') => self.quoted(quote)?,
                b'?' if self.ahead(b"??") => return None,
                byte => {
                    let letter = byte.is_ascii_alphanumeric() || byte == b'_';
                    if letter && !named {
                        name.push(byte);
                    }
                    named |= !letter && !name.is_empty();
                    self.at += 1;
                }
            }
        }
    }

    /// Skips what is in quotes on one line.
    fn quoted(&mut self, close: u8) -> Option<()> {
        self.at += 1;
        loop {
            match *self.text.get(self.at)? {
                b'\n' => return None,
                b'\\' if close != b'>' => {
                    // Whatever is behind it, unless that is a line's end.
                    let next = *self.text.get(self.at + 1)?;
                    if next.is_ascii_whitespace() {
                        return None;
                    }
                    self.at += 2;
                }
                b'?' if self.ahead(b"??") => return None,
                byte => {
                    self.at += 1;
                    if byte == close {
                        return Some(());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    /// The lead is everything up to `|`.
    fn ends(marked: &str) {
        let (lead, rest) = marked.split_once('|').expect("marked");
        let found = of(format!("{lead}{rest}").as_bytes());
        assert_eq!(found, (!lead.is_empty()).then_some(lead.len()), "{marked:?}");
    }

    #[test]
    fn leads() {
        ends("#include <a.h>\n|int x;\n");
        ends("/* c */ // d\n\n#define A 1\n # include \"b.h\" // e\n|\n#define B\nint x;");
        ends("#define A \\\n 2\r\n#include <a.h>\r\n|\r\nint x;");
        ends("#include <a.h> /* over\n two lines */\n|int x;");
        ends("/* int x;\n#include <no.h>\n*/\n#include <a.h>\n|");
        ends("#ifdef A\n#include <a.h>\n#else\n#include <b.h>\n#endif\n|int x;");
        ends("#define S \"/*\"\n#define C '\"'\n#include <a.h>\n|int x; /* */");
        ends("#include <it's//a.h>\n|x");
        ends("#include <a.h>\n#include <b.h>\n|#pragma once\n#include <c.h>\n");
        ends("#include <a.h>\n|#if A\nint x;\n#endif\n#include <b.h>\n");
        ends("#include <a.h>\n|#line 3\n#include <b.h>\n");
        ends("#include/**/<a.h>\n|");
    }

    #[test]
    fn none() {
        for text in [
            "",
            "int x;\n#include <a.h>\n",
            "#define A 1\nint x;\n",
            "#ifndef GUARD\n#define GUARD\n#include <a.h>\nint x;\n#endif\n",
            "\u{feff}#include <a.h>\n",
            "#include <a.h>",
            "#pragma once\n#include <a.h>\n",
            "// goes on \\\n#include <a.h>\n",
            "/* open\n#include <a.h>\n",
            "#define X \\ \n#include <a.h>\n",
            "#define X ??/\n#include <a.h>\n",
            "??=include <a.h>\n",
            "%:include <a.h>\n",
            "#include_next <a.h>\n",
            "import x;\n#include <a.h>\n",
            "#endif\n#include <a.h>\n",
        ] {
            assert_eq!(of(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn every_start_of_a_file_is_read() {
        let text = "/* c */\n#if A // b\n#include <a.h> /* d */\n#endif\n#define B(x) \\\n \"\\\"\" '\\''\n#include \"c\"\n";
        for end in 0..=text.len() {
            assert!(of(&text.as_bytes()[..end]).is_none_or(|length| length <= end));
        }
    }
}
