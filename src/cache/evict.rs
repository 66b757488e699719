//! Keeps the folder within its bound, and free of what killed processes left.
//!
//! Owns the count of what is in it, over all processes and without a lock: the file `usage`
//! says what there was when the folder was last looked through, and grows by a byte for each
//! block that was stored since. Its length is the count. Storing reads that, and looks
//! through the folder only when the bound is passed, which frees so much that it will take a
//! while until the next time. A process that is killed between storing and counting leaves
//! its entry uncounted until then; so the folder is emptied further than it would have to be.

use std::fs::{DirEntry, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::store::{self, SUFFIX, TEMPORARY};

/// What files are counted in.
const BLOCK: u64 = 4096;
const USAGE: &str = "usage";
const MAGIC: [u8; 8] = *b"hsusage1";
const HEAD: u64 = 16;

/// A temporary file is not in use for longer than this.
const IN_USE: Duration = Duration::from_secs(3600);

/// What an entry of so many bytes counts.
pub(super) fn cost(size: u64) -> u64 {
    size.next_multiple_of(BLOCK)
}

/// How far the folder is emptied when it is full.
fn target(limit: u64) -> u64 {
    limit / 4 * 3
}

/// An entry's file.
pub(super) struct Found {
    pub path: PathBuf,
    used: SystemTime,
    pub cost: u64,
}

/// Counts an entry that was stored, and makes room if there is too much now.
pub(super) fn added(folder: &Path, cost: u64, limit: u64) {
    let total = Usage::open(folder).and_then(|mut usage| usage.add(cost));
    if total.is_none_or(|total| total > limit) {
        sweep(folder, limit);
    }
}

/// The count as it is in its file.
struct Usage {
    file: File,
    /// What there was when the file was made.
    base: u64,
}

impl Usage {
    fn open(folder: &Path) -> Option<Self> {
        let file = OpenOptions::new().read(true).append(true).open(folder.join(USAGE)).ok()?;
        let mut head = [0; HEAD as usize];
        file.read_exact_at(&mut head, 0).ok()?;
        let (magic, base) = head.split_first_chunk::<8>()?;
        (*magic == MAGIC).then_some(Self { file, base: u64::from_le_bytes(base.try_into().ok()?) })
    }

    /// What was stored since the file was made.
    fn since(&self) -> Option<u64> {
        self.file.metadata().ok()?.len().saturating_sub(HEAD).checked_mul(BLOCK)
    }

    /// Adds to the count; says what it is then.
    fn add(&mut self, cost: u64) -> Option<u64> {
        let blocks = usize::try_from(cost / BLOCK).ok()?;
        self.file.write_all(&vec![0; blocks]).ok()?;
        self.base.checked_add(self.since()?)
    }
}

/// Looks through the folder: removes what was not used for the longest time if there is too
/// much, and temporary files of processes that are gone. Several may do so at once; they
/// agree on what is oldest.
pub(super) fn sweep(folder: &Path, limit: u64) {
    tidy(folder);
    let since = || Usage::open(folder).and_then(|usage| usage.since()).unwrap_or_default();
    let before = since();
    let mut entries = entries(folder);
    let mut total: u64 = entries.iter().map(|entry| entry.cost).sum();
    if total > limit {
        entries.sort_by_key(|entry| entry.used);
        for entry in entries {
            if total <= target(limit) {
                break;
            }
            let _ = std::fs::remove_file(&entry.path);
            total -= entry.cost;
        }
    }
    // What came meanwhile may have been seen or not: better counted twice than not at all.
    let base = total + since().saturating_sub(before);
    let _ = store::place(folder, &folder.join(USAGE), &[&MAGIC, &base.to_le_bytes()]);
}

/// All entries.
pub(super) fn entries(folder: &Path) -> Vec<Found> {
    let shards = list(folder).filter(|shard| is_hex(shard, 2, ""));
    let files = shards.flat_map(|shard| list(&shard.path())).filter(|file| is_hex(file, 32, SUFFIX));
    let found = files.filter_map(|file| {
        let data = file.metadata().ok()?;
        let used = data.modified().ok()?;
        data.is_file().then(|| Found { path: file.path(), used, cost: cost(data.len()) })
    });
    found.collect()
}

/// Removes every entry, and the folders they are in if they are empty then.
pub(super) fn clear(folder: &Path) -> u64 {
    let removed = entries(folder).iter().filter(|entry| std::fs::remove_file(&entry.path).is_ok()).count();
    for shard in list(folder).filter(|shard| is_hex(shard, 2, "")) {
        let _ = std::fs::remove_dir(shard.path());
    }
    tidy(folder);
    // The next who stores something counts again.
    let _ = std::fs::remove_file(folder.join(USAGE));
    removed as u64
}

/// Removes temporary files that nobody will come back to.
pub(super) fn tidy(folder: &Path) {
    for file in list(folder) {
        let name = file.file_name();
        if name.to_str().and_then(process_of).is_some_and(|process| is_left(&file, process)) {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// The process that made the temporary file of this name.
fn process_of(name: &str) -> Option<u32> {
    let (process, number) = name.strip_prefix(TEMPORARY)?.split_once('-')?;
    number.parse::<u64>().ok()?;
    process.parse().ok()
}

/// Numbers of processes are those of this machine and container, and the folder may be shared:
/// then a file may be taken from a process that still writes it. That costs it the entry.
fn is_left(file: &DirEntry, process: u32) -> bool {
    let gone = Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{process}")).exists();
    let age = || SystemTime::now().duration_since(file.metadata().ok()?.modified().ok()?).ok();
    gone || age().is_some_and(|age| age > IN_USE)
}

fn list(folder: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok)
}

fn is_hex(file: &DirEntry, digits: usize, suffix: &str) -> bool {
    let name = file.file_name();
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let number = name.as_encoded_bytes().strip_suffix(suffix.as_bytes());
    number.is_some_and(|number| number.len() == digits && number.iter().all(is_digit))
}
