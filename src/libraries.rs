//! Where `-l name` leads: shared libraries, static archives, linker scripts.
//!
//! Owns the order of the search and the reading of scripts. Opens what is shared as it goes;
//! deliberately knows nothing of symbols, and leaves archives to the caller.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::process::Library;

/// Where a linker looks after the directories it was told.
const SYSTEM: [&str; 9] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
];

/// Scripts are short: what is longer is taken for a library, which the dynamic linker refuses.
const SCRIPT: u64 = 1 << 16;
/// How many scripts may lead to each other.
const DEPTH: usize = 8;

const ELF: &[u8] = b"\x7fELF";
const ARCHIVE: &[u8] = b"!<arch>\n";

/// What a name stands for, in the order to search.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    /// Open already.
    pub shared: Vec<Library>,
    /// To be loaded as modules.
    pub archives: Vec<PathBuf>,
}

/// Finds `-l name` as a linker does: `libname.so` or `libname.a` in `directories`, then
/// where the system has them. `:file` stands for a file of just that name.
pub(crate) fn find(name: &str, directories: &[PathBuf]) -> Result<Libraries> {
    let mut search = Search { directories, found: Libraries::default(), depth: 0 };
    search.library(name)?;
    Ok(search.found)
}

struct Search<'a> {
    directories: &'a [PathBuf],
    found: Libraries,
    depth: usize,
}

impl<'a> Search<'a> {
    fn places(&self) -> impl Iterator<Item = PathBuf> + use<'a> {
        self.directories.iter().cloned().chain(SYSTEM.iter().map(PathBuf::from))
    }

    fn library(&mut self, name: &str) -> Result<()> {
        if let Some(file) = name.strip_prefix(':') {
            let path = self.places().map(|place| place.join(file)).find(|path| path.is_file());
            let path = path.ok_or_else(|| missing(name, &format!("no {file}")))?;
            return self.file(&path);
        }
        let (shared, archive) = (format!("lib{name}.so"), format!("lib{name}.a"));
        for place in self.places() {
            if place.join(&shared).is_file() {
                return self.file(&place.join(&shared));
            }
            // A system without development files has only the versioned name.
            let versioned = versioned(&place, &shared);
            if let Some(path) = versioned.or_else(|| Some(place.join(&archive)).filter(|p| p.is_file())) {
                return self.file(&path);
            }
        }
        // The dynamic linker knows more places.
        let library = Library::open(Path::new(&shared))
            .map_err(|_| missing(name, &format!("no {shared} or {archive}")))?;
        self.found.shared.push(library);
        Ok(())
    }

    /// Takes in what is at `path`, by its first bytes.
    fn file(&mut self, path: &Path) -> Result<()> {
        let refuse = |message: String| Error::new(ErrorKind::Read, message).in_file(path.to_str());
        let mut start = Vec::new();
        let read = File::open(path).and_then(|file| file.take(SCRIPT + 1).read_to_end(&mut start));
        read.map_err(|error| refuse(format!("cannot read the library: {error}")))?;
        if start.starts_with(ARCHIVE) {
            // Newer C libraries keep empty archives for the parts that moved into libc
            // itself, and one of what a host has linked into it already.
            let host = path.to_str().is_some_and(|path| path.ends_with("_nonshared.a"));
            if start.len() > ARCHIVE.len() && !host {
                self.found.archives.push(path.to_owned());
            }
            return Ok(());
        }
        if start.starts_with(ELF) || start.len() as u64 > SCRIPT {
            self.found.shared.push(Library::open(path)?);
            return Ok(());
        }
        let inputs = inputs(&String::from_utf8_lossy(&start));
        if inputs.is_empty() {
            return Err(refuse("neither a library nor a linker script that names one".into())
                .hint("the file may be damaged: install the library again"));
        }
        if self.depth == DEPTH {
            return Err(refuse("linker scripts lead to each other without end".into()));
        }
        self.depth += 1;
        for input in inputs {
            self.input(&input, path)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Takes in one word of the linker script at `script`.
    fn input(&mut self, word: &str, script: &Path) -> Result<()> {
        if let Some(name) = word.strip_prefix("-l") {
            return self.library(name).map_err(|error| error.in_file(script.to_str()));
        }
        // A path may be relative to where the system's files are: here.
        let word = word.strip_prefix('=').or_else(|| word.strip_prefix("$SYSROOT")).unwrap_or(word);
        let beside = script.parent().map(Path::to_owned);
        // An absolute path stays what it is wherever it is joined.
        let path =
            beside.into_iter().chain(self.places()).map(|place| place.join(word)).find(|p| p.is_file());
        let path = path.ok_or_else(|| {
            Error::new(ErrorKind::Resolve, format!("the linker script names {word}, which is not there"))
                .in_file(script.to_str())
                .hint("install it, or add the directory it is in to those searched")
        })?;
        self.file(&path)
    }
}

fn missing(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::Resolve, format!("cannot find library -l{name}: {what}"))
        .hint("install it, or add the directory it is in to those searched (-L)")
}

/// The words in the parentheses of INPUT and GROUP of a linker script, those of AS_NEEDED
/// included.
fn inputs(script: &str) -> Vec<String> {
    let mut words = Vec::new();
    // Commands whose parentheses are open, each with whether its words are inputs.
    let mut open: Vec<bool> = Vec::new();
    let mut command = String::new();
    for token in tokens(script) {
        match &*token {
            "(" => {
                let within = open.last().copied().unwrap_or_default();
                // What looked like a file was the name of a command.
                if within && words.last() == Some(&command) {
                    words.pop();
                }
                let inputs = match &*command {
                    "INPUT" | "GROUP" => true,
                    "AS_NEEDED" => within,
                    _ => false,
                };
                open.push(inputs);
            }
            ")" => _ = open.pop(),
            _ if open.last() == Some(&true) => words.push(token.clone()),
            _ => {}
        }
        command = token;
    }
    words
}

/// Words, quoted words and parentheses, without comments and separators.
fn tokens(script: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = script;
    while let Some(first) = rest.chars().next() {
        let separator = |c: char| c.is_whitespace() || c == ',' || c == ';';
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (word, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            tokens.push(word.to_owned());
            rest = after;
        } else if separator(first) {
            rest = &rest[first.len_utf8()..];
        } else if first == '(' || first == ')' {
            tokens.push(first.to_string());
            rest = &rest[1..];
        } else {
            let end = rest.find(|c| separator(c) || "()\"".contains(c)).unwrap_or(rest.len());
            tokens.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    tokens
}

/// The versioned file of a shared library (`libm.so.6`), the highest version there is.
fn versioned(directory: &Path, file: &str) -> Option<PathBuf> {
    let names =
        std::fs::read_dir(directory).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let version_of = |name: &str| version(name.strip_prefix(file)?.strip_prefix('.')?);
    let mut found: Vec<_> = names.filter_map(|name| Some((version_of(&name)?, name))).collect();
    found.sort();
    // Files of other kinds are named like this too: debuggers' scripts, checksums.
    let is_library = |path: &PathBuf| {
        let mut start = [0; ELF.len()];
        File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == ELF
    };
    found.into_iter().rev().map(|(_, name)| directory.join(name)).find(is_library)
}

/// The parts of a version as numbers, each with what follows it (`1.1.1k`).
fn version(text: &str) -> Option<Vec<(u64, String)>> {
    let part = |part| {
        let end = str::find(part, |c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        Some((part[..end].parse().ok()?, part[end..].to_owned()))
    };
    text.split('.').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let mut versions = ["9", "10", "1.1.1k", "1.1.1", "1.1", "10.0", "6.0.30"];
        versions.sort_by_key(|text| version(text));
        assert_eq!(versions, ["1.1", "1.1.1", "1.1.1k", "6.0.30", "9", "10", "10.0"]);
        assert_eq!(version("6.0.30-gdb.py"), None);
        assert_eq!(version("x"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn scripts_name_their_inputs() {
        let script = "/* GNU ld script: /x.so */ OUTPUT_FORMAT(elf64-x86-64)\n\
            GROUP ( /lib/libc.so.6 \"/with space/c_nonshared.a\" AS_NEEDED ( ld.so,-lm ) last.so )\n\
            SEARCH_DIR(\"/usr/lib\"); INPUT(-l:y.so.1)";
        let expected =
            ["/lib/libc.so.6", "/with space/c_nonshared.a", "ld.so", "-lm", "last.so", "-l:y.so.1"];
        assert_eq!(inputs(script), expected);
        for nothing in ["", "int main(void) {}", "/* INPUT(x)", "VERSION { x }", "INPUT(", "))("] {
            assert!(inputs(nothing).is_empty(), "{nothing}");
        }
        assert_eq!(inputs("INPUT(a"), ["a"]);
        assert_eq!(inputs("INPUT(\"a"), ["a"]);
    }
}
