//! What clang made of a source file, kept for the next start of the program.
//!
//! Owns when that is the same as running clang again: the compiler, its flags and
//! environment, the working directory, the file and every header it has read are all the
//! same, by content. First the headers are found, as they were the last time, and then the
//! bitcode, by the content that they have now. What this cannot see is a header that was not
//! there and would now be found before another of its name. Does not know how clang is run,
//! nor which flags are harmless.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use hotslot::{Cache, CacheKey, KeyBuilder};

use super::compiler;
use super::contents::Contents;
use super::unit::Unit;

/// Variables that clang goes by.
const VARIABLES: &[&str] = &[
    "CCC_OVERRIDE_OPTIONS",
    "CLANG_NO_DEFAULT_CONFIG",
    "COMPILER_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "C_INCLUDE_PATH",
    "GCC_EXEC_PREFIX",
    "PWD",
    "SDKROOT",
    "SOURCE_DATE_EPOCH",
];

/// Of one process.
pub struct Kept {
    cache: Cache,
    /// What there is to know of a compiler.
    compilers: Mutex<HashMap<PathBuf, Option<KeyBuilder>>>,
    contents: Arc<Contents>,
}

/// What clang answers with: bitcode, and what it has to say.
pub struct Made<T> {
    /// The bitcode.
    pub bitcode: T,
    /// Warnings.
    pub said: T,
}

/// What is to be kept, once it is made.
pub struct Ticket {
    key: KeyBuilder,
    begun: SystemTime,
}

/// What there is of a file.
pub enum Found {
    /// It was compiled before, from these files.
    Made(Made<Vec<u8>>, Vec<PathBuf>),
    /// It is to be compiled, and can be kept then if there is a ticket.
    Nothing(Option<Ticket>),
}

impl Kept {
    /// In this cache.
    pub fn new(cache: Cache, contents: Arc<Contents>) -> Self {
        Self { cache, compilers: Mutex::default(), contents }
    }

    /// What was made of a file.
    pub fn find(&self, unit: &Unit<'_>) -> Found {
        let begun = SystemTime::now();
        let Some(key) = self.key(unit) else { return Found::Nothing(None) };
        match self.made(unit, &key) {
            Some((made, files)) => Found::Made(made, files),
            None => Found::Nothing(Some(Ticket { key, begun })),
        }
    }

    fn made(&self, unit: &Unit<'_>, key: &KeyBuilder) -> Option<(Made<Vec<u8>>, Vec<PathBuf>)> {
        let files = self.cache.get(&key.key())?;
        let files = read_list(&files)?;
        let whole = self.cache.get(&self.with_contents(unit, key.clone(), &files)?)?;
        let (length, rest) = whole.split_first_chunk::<8>()?;
        let (said, bitcode) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        Some((Made { bitcode: bitcode.to_vec(), said: said.to_vec() }, files))
    }

    /// Keeps what was made of `files`, if it is of them alone.
    pub fn keep(&self, ticket: &Ticket, unit: &Unit<'_>, files: &[PathBuf], made: Made<&[u8]>) {
        // One that is not in the list was not read as it is known here.
        let named = unit.path.strip_prefix(".").unwrap_or(unit.path);
        let is_lasting = |file: &PathBuf| self.contents.lasting(&unit.at(file), ticket.begun).is_some();
        if !files.iter().any(|file| file == named) || !files.iter().all(is_lasting) {
            return;
        }
        let Some(result) = self.with_contents(unit, ticket.key.clone(), files) else { return };
        let whole = [&(made.said.len() as u64).to_le_bytes()[..], made.said, made.bitcode].concat();
        self.cache.put(&result, &format!("bitcode of {}", unit.path.display()), &whole);
        self.cache.put(&ticket.key.key(), &format!("files of {}", unit.path.display()), &write_list(files));
    }

    /// The key for the list of files that were read; none for what cannot be kept.
    fn key(&self, unit: &Unit<'_>) -> Option<KeyBuilder> {
        if !unit.plain {
            return None;
        }
        let mut known = self.compilers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(unit.compiler.to_owned()).or_insert_with(|| settings(unit.compiler)).clone();
        let mut key = known?;
        key.number(unit.flags.len() as u64);
        unit.flags.iter().for_each(|flag| _ = key.bytes(flag.as_bytes()));
        if unit.flags.iter().any(|flag| flag.as_bytes().ends_with(b"=native")) {
            key.text(&compiler::processor()?);
        }
        // Names are found from there, and debug information says so.
        key.bytes(
            std::env::current_dir()
                .ok()?
                .join(unit.directory.unwrap_or(Path::new("")))
                .as_os_str()
                .as_bytes(),
        );
        key.bytes(unit.path.as_os_str().as_bytes())
            .bytes(self.contents.of(&unit.at(unit.path))?.1.key.as_bytes());
        Some(key)
    }

    /// The key for what is made while `files` hold what they do.
    fn with_contents(&self, unit: &Unit<'_>, mut key: KeyBuilder, files: &[PathBuf]) -> Option<CacheKey> {
        for file in files {
            key.bytes(file.as_os_str().as_bytes()).bytes(self.contents.of(&unit.at(file))?.1.key.as_bytes());
        }
        Some(key.key())
    }
}

/// What does not change while a process runs.
fn settings(program: &Path) -> Option<KeyBuilder> {
    let mut key = CacheKey::builder("front end");
    compiler::identify(program, &mut key)?;
    for variable in VARIABLES {
        let value = std::env::var_os(variable);
        key.number(value.is_some().into()).bytes(value.unwrap_or_default().as_bytes());
    }
    Some(key)
}

fn write_list(files: &[PathBuf]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for file in files {
        let name = file.as_os_str().as_bytes();
        bytes.extend((name.len() as u64).to_le_bytes());
        bytes.extend(name);
    }
    bytes
}

fn read_list(mut bytes: &[u8]) -> Option<Vec<PathBuf>> {
    let mut files = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (name, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        files.push(OsString::from_vec(name.to_vec()).into());
        bytes = rest;
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_back() {
        let files: Vec<PathBuf> = ["a b.c", "", "/usr/include/stdio.h"].map(PathBuf::from).into();
        let bytes = write_list(&files);
        assert_eq!(read_list(&bytes).unwrap(), files);
        assert!(read_list(&bytes[..bytes.len() - 1]).is_none());
        assert!(read_list(&u64::MAX.to_le_bytes()).is_none());
    }
}
