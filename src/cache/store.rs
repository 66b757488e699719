//! Entries: one file each, whole or not believed.
//!
//! Owns the format of an entry, its place in the folder, and how it is written: to a temporary
//! file, which gets its name when it is complete. So whoever reads finds all of it or nothing,
//! and a process that is killed leaves a temporary file. What a crash of the machine leaves is
//! found by the checksum, so nothing waits for the disk.
//!
//! Entries are read, not mapped: somebody may cut a file short while it is mapped, and then
//! looking at it ends the process.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error as OsError, ErrorKind as OsErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::key::{CacheKey, checksum};
use super::location::is_own;

const MAGIC: [u8; 8] = *b"hotslot\x1a";
/// Counted up when the layout of an entry changes.
const VERSION: u32 = 1;
/// Magic, version, length of the label, length of the content, key.
const PLAIN: usize = 8 + 4 + 4 + 8 + 16;
/// And the checksum.
const HEAD: usize = PLAIN + 16;

/// How the names of entries end: the folder may be one that has other things in it.
pub(super) const SUFFIX: &str = ".hotslot";
/// How the names of temporary files begin; process and number follow.
pub(super) const TEMPORARY: &str = "tmp-";

/// An entry that was used is marked so only this often.
const MARKED: Duration = Duration::from_secs(60);

/// What an entry takes in its file.
pub(super) fn size(label: &str, content: &[u8]) -> u64 {
    (HEAD + label.len() + content.len()) as u64
}

fn head(key: &CacheKey, label: &str, content: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..16].copy_from_slice(&(label.len() as u32).to_le_bytes());
    head[16..24].copy_from_slice(&(content.len() as u64).to_le_bytes());
    head[24..PLAIN].copy_from_slice(key.as_bytes());
    let sum = checksum([&head[..PLAIN], label.as_bytes(), content]);
    head[PLAIN..].copy_from_slice(&sum);
    head
}

/// Where the content begins, if this is a whole entry for `key`.
fn content_at(key: &CacheKey, bytes: &[u8]) -> Option<usize> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let label = u32::from_le_bytes(head[12..16].try_into().ok()?);
    let length = u64::from_le_bytes(head[16..24].try_into().ok()?);
    let known =
        head[..8] == MAGIC && head[8..12] == VERSION.to_le_bytes() && head[24..PLAIN] == *key.as_bytes();
    let whole = u64::from(label).checked_add(length) == Some(rest.len() as u64);
    let sound = known && whole && checksum([&head[..PLAIN], rest, &[]]) == head[PLAIN..];
    sound.then_some(HEAD + label as usize)
}

/// The entry's place: few files in each of 256 folders.
pub(super) fn path(folder: &Path, key: &CacheKey) -> PathBuf {
    let name = key.name();
    folder.join(&name[..2]).join(name + SUFFIX)
}

/// An entry that is there, whatever it holds.
pub(super) struct Entry {
    file: File,
    path: PathBuf,
}

pub(super) fn open(folder: &Path, key: &CacheKey) -> Option<Entry> {
    let path = path(folder, key);
    // Nothing that is not a plain file may make us wait.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&path).ok()?;
    Some(Entry { file, path })
}

/// The content of an entry. One that is not what was written is removed.
pub(super) fn read(Entry { mut file, path }: Entry, key: &CacheKey) -> Option<Vec<u8>> {
    let data = file.metadata().ok()?;
    let mut bytes = Vec::new();
    if is_own(&data) {
        file.read_to_end(&mut bytes).ok()?;
    }
    let Some(at) = content_at(key, &bytes) else {
        // Another process may have just put a good one there, which is made once more then.
        let _ = std::fs::remove_file(path);
        return None;
    };
    // What was used last goes last.
    let now = SystemTime::now();
    let before = data.modified().ok();
    if before.and_then(|before| now.duration_since(before).ok()).is_none_or(|since| since > MARKED) {
        let _ = file.set_modified(now);
    }
    bytes.drain(..at);
    Some(bytes)
}

/// A name in `folder` that no other process and no other thread uses.
pub(super) fn temporary(folder: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{TEMPORARY}{}-{number}", std::process::id()))
}

pub(super) fn write(folder: &Path, key: &CacheKey, label: &str, content: &[u8]) -> Result<(), OsError> {
    place(folder, &path(folder, key), &[&head(key, label, content), label.as_bytes(), content])
}

/// Writes a file in one step, as others see it.
pub(super) fn place(folder: &Path, path: &Path, parts: &[&[u8]]) -> Result<(), OsError> {
    let temporary = temporary(folder);
    // One of a process that had our number is of no use to anybody.
    let _ = std::fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    drop(file);
    let placed = written.and_then(|()| match std::fs::rename(&temporary, path) {
        Err(error) if error.kind() == OsErrorKind::NotFound => {
            let shard = path.parent().ok_or(error)?;
            // Others may be making it too.
            let _ = DirBuilder::new().mode(0o700).create(shard);
            std::fs::rename(&temporary, path)
        }
        result => result,
    });
    placed.inspect_err(|_| _ = std::fs::remove_file(&temporary))
}
