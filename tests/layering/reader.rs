//! Reads the crate's source files for the layering test: their module path, their
//! words, and the names at the crate's root they mention.
//!
//! It blanks comments and literals and looks at what is left. It is no parser,
//! and need not be one for code that rustfmt has formatted.

use std::path::{Path, PathBuf};

/// A file of `src/`.
pub struct Source {
    /// Relative to `src/`.
    pub path: String,
    /// The file's module path, `lib` and `main` for the two roots.
    pub module: Vec<String>,
    /// All of it.
    pub text: String,
    /// The text with comments and literals blanked, line for line the same.
    pub code: String,
}

impl Source {
    pub fn is(&self, place: &str) -> bool {
        match place.strip_suffix('*') {
            Some(start) => self.path.starts_with(start),
            None => self.path == place,
        }
    }

    /// Every identifier and keyword with its line.
    pub fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().flat_map(|(number, line)| {
            line.split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| !word.is_empty())
                .map(move |word| (number + 1, word))
        })
    }

    /// The names at the crate's root that this file mentions, by `crate::` or by
    /// as many `super::` as lead there.
    pub fn uses(&self) -> Vec<(usize, String)> {
        let tokens = tokens(&self.code);
        let mut found = Vec::new();
        // For each open brace whether it is that of an inline module.
        let mut open: Vec<bool> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let (line, token) = tokens[at];
            let rest = &tokens[at..];
            let next = |n: usize| rest.get(n).map_or("", |(_, token)| *token);
            match token {
                "{" => {
                    let module = at >= 2 && tokens[at - 2].1 == "mod";
                    open.push(module);
                }
                "}" => _ = open.pop(),
                "crate" if next(1) == "::" => {
                    roots(&rest[2..], &mut found);
                    at += 1;
                }
                "super" if next(1) == "::" && (at == 0 || tokens[at - 1].1 != "::") => {
                    let ups = rest
                        .chunks(2)
                        .take_while(|pair| pair.len() == 2 && pair[0].1 == "super" && pair[1].1 == "::")
                        .count();
                    let depth = self.module.len() + open.iter().filter(|module| **module).count();
                    if ups == depth {
                        roots(&rest[2 * ups..], &mut found);
                    } else if ups > depth {
                        found.push((line, "super".to_owned()));
                    }
                    at += 2 * ups - 1;
                }
                _ => {}
            }
            at += 1;
        }
        found
    }
}

/// The first names of a path or of each path in a `{…}` group.
fn roots(tokens: &[(usize, &str)], found: &mut Vec<(usize, String)>) {
    let Some((line, first)) = tokens.first() else {
        return;
    };
    if *first != "{" {
        found.push((*line, (*first).to_owned()));
        return;
    }
    let mut depth = 0;
    let mut starts = false;
    for (line, token) in tokens {
        match *token {
            "{" => {
                depth += 1;
                starts = depth == 1;
            }
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return;
                }
            }
            "," => starts = depth == 1,
            name if starts => {
                found.push((*line, name.to_owned()));
                starts = false;
            }
            _ => {}
        }
    }
}

/// Words, `::` and single other characters, each with its line.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push((number + 1, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// Blanks comments, strings and characters; keeps line breaks.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let literal = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            quoted(rest)
        } else if first == 'r' && !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            raw_string(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        if literal == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..literal].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[literal..];
        }
    }
    code
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"…"` or `r#"…"#`, or 0 for a word that starts with an r.
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].bytes().take_while(|b| *b == b'#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = 2 + hashes;
    text[start..].find(&end).map_or(text.len(), |at| start + at + end.len())
}

/// The length of a character literal, or 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut rest = text.char_indices().skip(1);
    match (rest.next(), rest.next()) {
        (Some((_, '\\')), Some(_)) => rest.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

pub fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let sources: Vec<Source> = files.iter().map(|file| read(&root, file)).collect();
    assert!(sources.len() > 10, "the test looks in the wrong place");
    sources
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(root: &Path, file: &Path) -> Source {
    let relative = file.strip_prefix(root).expect("a file of src");
    let mut module: Vec<String> =
        relative.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    let text = std::fs::read_to_string(file).expect("a source file is UTF-8");
    Source { path: relative.display().to_string(), module, code: blank(&text), text }
}

/// The reader is code too: a blind spot in it would pass everything.
#[test]
fn the_reader_sees_what_it_should() {
    let text = r##"
use crate::{memory::{self, Arena}, table};
use super::super::error::Error;
// crate::comment
/* crate::block /* crate::nested */ crate::block */
const TEXT: &str = "crate::string \" crate::string";
const RAW: &str = r#"crate::raw " crate::raw"#;
const CHARS: [char; 2] = ['"', '\''];
fn f<'a>(x: &'a crate::link::Object) -> super::sibling::Local { super::super::process::call(x) }
mod tests {
    use super::*;
    use super::super::super::unwind::frames;
}
"##;
    let file = Source {
        path: "table/slots.rs".into(),
        module: vec!["table".into(), "slots".into()],
        text: text.into(),
        code: blank(text),
    };
    let used: Vec<String> = file.uses().into_iter().map(|(_, name)| name).collect();
    assert_eq!(used, ["memory", "table", "error", "link", "process", "unwind"]);
    assert_eq!(file.code.lines().count(), text.lines().count());
    assert_eq!(file.uses()[0].0, 2, "lines count from one");
}
