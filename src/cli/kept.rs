//! What clang made of a source file, kept for the next start of the program.
//!
//! Owns when that is the same as running clang again: the compiler, its flags and
//! environment, the working directory, the file and every header it has read are all the
//! same, by content. First the headers are found, as they were the last time, and then the
//! bitcode, by the content that they have now. What this cannot see is a header that was not
//! there and would now be found before another of its name. Does not know how clang is run.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hotslot::{Cache, CacheKey, KeyBuilder};

use super::{compiler, flags, rule};

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

/// What these stand for is not in any file.
const OF_THE_MOMENT: &[&[u8]] = &[b"__DATE__", b"__TIME__", b"__TIMESTAMP__"];

/// File times are as coarse as this.
const TICK: Duration = Duration::from_millis(10);

/// Of one start of a program: what files hold is looked at once.
pub struct Kept {
    cache: Cache,
    /// All but the file, by compiler.
    settings: Mutex<HashMap<PathBuf, Option<KeyBuilder>>>,
    flags: Vec<OsString>,
    contents: Mutex<HashMap<PathBuf, Option<CacheKey>>>,
    begun: SystemTime,
}

/// What clang answers with: bitcode, and what it has to say.
pub struct Made {
    /// The bitcode.
    pub bitcode: Vec<u8>,
    /// Warnings.
    pub said: Vec<u8>,
}

/// What is to be kept, once it is made.
pub struct Ticket {
    key: KeyBuilder,
    /// Where clang is to write what it has read.
    pub rule: PathBuf,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // It may not be there.
        let _ = std::fs::remove_file(&self.rule);
    }
}

/// What there is of a file.
pub enum Found {
    /// It was compiled before.
    Made(Made),
    /// It is to be compiled, and can be kept then if there is a ticket.
    Nothing(Option<Ticket>),
}

impl Kept {
    /// For files that are compiled with these flags; nothing where that cannot be kept.
    pub fn new(cache: Cache, flags: &[OsString], own: usize) -> Option<Self> {
        if !flags::are_plain(&flags[own..]) {
            return None;
        }
        Some(Self {
            cache,
            settings: Mutex::default(),
            flags: flags.to_vec(),
            contents: Mutex::default(),
            begun: SystemTime::now(),
        })
    }

    /// What was made of the file `path` by `compiler`.
    pub fn find(&self, compiler: &Path, path: &Path) -> Found {
        let Some(key) = self.key(compiler, path) else { return Found::Nothing(None) };
        if let Some(made) = self.made(&key) {
            return Found::Made(made);
        }
        Found::Nothing(self.cache.temporary().map(|rule| Ticket { key, rule }))
    }

    fn made(&self, key: &KeyBuilder) -> Option<Made> {
        let files = self.cache.get(&key.key())?;
        let files = read_list(&files)?;
        let whole = self.cache.get(&self.with_contents(key.clone(), &files)?)?;
        let (length, rest) = whole.split_first_chunk::<8>()?;
        let (said, bitcode) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        Some(Made { bitcode: bitcode.to_vec(), said: said.to_vec() })
    }

    /// Keeps what was made, if it is of files alone.
    pub fn keep(&self, ticket: &Ticket, path: &Path, made: &Made) {
        let Some(files) = std::fs::read(&ticket.rule).ok().and_then(|text| rule::files(&text)) else {
            return;
        };
        // One that is not in the list was not read as it is known here.
        let named = path.strip_prefix(".").unwrap_or(path);
        if !files.iter().any(|file| file == named) || files.iter().any(|file| self.is_of_the_moment(file)) {
            return;
        }
        let Some(result) = self.with_contents(ticket.key.clone(), &files) else { return };
        let whole = [&(made.said.len() as u64).to_le_bytes()[..], &made.said, &made.bitcode].concat();
        self.cache.put(&result, &format!("bitcode of {}", path.display()), &whole);
        self.cache.put(&ticket.key.key(), &format!("files of {}", path.display()), &write_list(&files));
    }

    /// The key for the list of files that were read.
    fn key(&self, compiler: &Path, path: &Path) -> Option<KeyBuilder> {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let known = settings.entry(compiler.to_owned()).or_insert_with(|| self.settings(compiler));
        let mut key = known.clone()?;
        drop(settings);
        key.bytes(path.as_os_str().as_bytes()).bytes(self.content(path)?.as_bytes());
        Some(key)
    }

    fn settings(&self, program: &Path) -> Option<KeyBuilder> {
        let mut key = CacheKey::builder("front end");
        compiler::identify(program, &mut key)?;
        key.number(self.flags.len() as u64);
        self.flags.iter().for_each(|flag| _ = key.bytes(flag.as_bytes()));
        if self.flags.iter().any(|flag| flag.as_bytes().ends_with(b"=native")) {
            key.text(&compiler::processor()?);
        }
        for variable in VARIABLES {
            let value = std::env::var_os(variable);
            key.number(value.is_some().into()).bytes(value.unwrap_or_default().as_bytes());
        }
        // Names are found from there, and debug information says so.
        key.bytes(std::env::current_dir().ok()?.as_os_str().as_bytes());
        Some(key)
    }

    /// The key for what is made while `files` hold what they do.
    fn with_contents(&self, mut key: KeyBuilder, files: &[PathBuf]) -> Option<CacheKey> {
        for file in files {
            key.bytes(file.as_os_str().as_bytes()).bytes(self.content(file)?.as_bytes());
        }
        Some(key.key())
    }

    fn content(&self, file: &Path) -> Option<CacheKey> {
        if let Some(known) = self.contents.lock().unwrap_or_else(PoisonError::into_inner).get(file) {
            return *known;
        }
        let read = std::fs::read(file).ok().map(|bytes| CacheKey::builder("file").bytes(&bytes).key());
        self.contents.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), read);
        read
    }

    /// Whether the file was or may have been another when clang read it, or means another thing
    /// each time.
    fn is_of_the_moment(&self, file: &Path) -> bool {
        let Ok((data, bytes)) = std::fs::metadata(file).and_then(|data| Ok((data, std::fs::read(file)?)))
        else {
            return true;
        };
        self.is_new(&data) || OF_THE_MOMENT.iter().any(|word| memchr::memmem::find(&bytes, word).is_some())
    }

    fn is_new(&self, data: &Metadata) -> bool {
        let since = |seconds: i64, nanoseconds: i64| {
            let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
            SystemTime::UNIX_EPOCH.checked_add(since)
        };
        // The second time is nobody's to set.
        let times = [since(data.mtime(), data.mtime_nsec()), since(data.ctime(), data.ctime_nsec())];
        times.iter().any(|time| time.is_none_or(|time| time + TICK >= self.begun))
    }
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
