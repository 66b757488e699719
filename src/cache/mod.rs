//! A folder in which results are kept from one process to the next, by key.
//!
//! [`key`] makes keys, [`store`] reads and writes entries, [`evict`] keeps the folder within
//! its bound, [`location`] says where it is and whether it can be relied on. Owns what they
//! share, and the rule that nothing here is ever an error for the user: what cannot be read
//! is made again, what cannot be written is not kept. Deliberately knows nothing of what is
//! stored. Several processes may use a folder at once, and each may be killed at any moment.
//! There is no thread here and no lock.

mod evict;
mod key;
mod location;
mod store;
#[cfg(test)]
mod tests;

use std::io::ErrorKind as OsErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

pub use key::{CacheKey, KeyBuilder};

/// A gigabyte: some hundred programs of the size of Lua, or ten of SQLite's.
const LIMIT: u64 = 1 << 30;

/// A folder on disk where compiled code is kept for later processes, see
/// [`Builder::cache`](crate::Builder::cache).
///
/// Several processes may use one folder at the same time. It is bounded: what was not used
/// for the longest time goes first. Nothing that happens to it is an error: without a folder
/// that can be used everything works as without a cache, and an entry that is damaged is made
/// anew.
///
/// What is in the folder is run as code. So it belongs to the user alone (mode 0700), and a
/// folder that somebody else owns or may write to is not used.
///
/// Cheap to clone: clones are one cache.
#[derive(Debug, Clone)]
#[must_use]
pub struct Cache(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    limit: u64,
    /// One of [`UNKNOWN`], [`GOOD`] and [`BAD`].
    verdict: AtomicU8,
    /// Temporary files that others have left were looked for.
    tidied: AtomicBool,
    /// The folder cannot be written to, which is not tried again.
    full: AtomicBool,
}

const UNKNOWN: u8 = 0;
const GOOD: u8 = 1;
const BAD: u8 = 2;

/// What is in a [`Cache`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheInfo {
    /// Entries that are there, readable or not.
    pub entries: u64,
    /// What they take, in whole blocks of 4 KiB.
    pub bytes: u64,
    /// The most that they may take.
    pub limit: u64,
    /// Why the folder is not used, if it is not.
    pub problem: Option<String>,
}

impl Cache {
    /// The cache in this folder, which is made when something is stored.
    pub fn at(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        // The process may go to another directory later.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self::new(folder, LIMIT)
    }

    /// The user's cache: the folder that `HOTSLOT_CACHE_DIR` names, or else `hotslot` in
    /// `XDG_CACHE_HOME`, or else in `.cache` of the home directory. None where there is no home
    /// or the first of these is `none`.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        location::of_user(|name| std::env::var_os(name)).map(Self::at)
    }

    fn new(folder: PathBuf, limit: u64) -> Self {
        Self(Arc::new(Shared {
            folder,
            limit,
            verdict: AtomicU8::new(UNKNOWN),
            tidied: AtomicBool::new(false),
            full: AtomicBool::new(false),
        }))
    }

    /// How many bytes it may take; 1 GiB unless said otherwise. Processes that use one folder
    /// should say the same. What takes more than half of it is not stored.
    pub fn limit(self, bytes: u64) -> Self {
        Self::new(self.0.folder.clone(), bytes)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// What was stored under `key`, whole and as it was, or nothing.
    #[must_use]
    pub fn get(&self, key: &CacheKey) -> Option<Vec<u8>> {
        // Asked first: where there is no folder there is nothing to look at.
        let entry = store::open(&self.0.folder, key)?;
        if !self.is_good() {
            return None;
        }
        store::read(entry, key)
    }

    /// Stores `content`, unless that is not possible. `label` says what it is, for people who
    /// look into the folder.
    pub fn put(&self, key: &CacheKey, label: &str, content: &[u8]) {
        let Shared { folder, limit, full, .. } = &*self.0;
        let cost = evict::cost(store::size(label, content));
        if full.load(Ordering::Relaxed) || cost > limit / 2 || !self.is_made() {
            return;
        }
        match store::write(folder, key, label, content) {
            Ok(()) => evict::added(folder, cost, *limit),
            Err(error) => {
                let lasting = matches!(
                    error.kind(),
                    OsErrorKind::StorageFull
                        | OsErrorKind::QuotaExceeded
                        | OsErrorKind::ReadOnlyFilesystem
                        | OsErrorKind::PermissionDenied
                );
                full.fetch_or(lasting, Ordering::Relaxed);
            }
        }
    }

    /// A name for a temporary file of the caller's in the folder, where nobody else can write.
    /// If the process ends without removing it, a later one does. None where the folder cannot
    /// be used.
    #[must_use]
    pub fn temporary(&self) -> Option<PathBuf> {
        self.is_made().then(|| store::temporary(&self.0.folder))
    }

    /// Looks through the folder.
    #[must_use]
    pub fn info(&self) -> CacheInfo {
        let Shared { folder, limit, .. } = &*self.0;
        let problem = match location::check(folder) {
            Err(error) if error.kind() != OsErrorKind::NotFound => Some(error.to_string()),
            _ => None,
        };
        let entries = evict::entries(folder);
        let bytes = entries.iter().map(|entry| entry.cost).sum();
        CacheInfo { entries: entries.len() as u64, bytes, limit: *limit, problem }
    }

    /// Removes every entry, and nothing that is not hotslot's; says how many there were.
    pub fn clear(&self) -> u64 {
        // In a folder of somebody else's the names may be anything's.
        if self.is_good() { evict::clear(&self.0.folder) } else { 0 }
    }

    /// Brings the folder within its bound now, and removes what killed processes left. Storing
    /// does the same now and then.
    pub fn trim(&self) {
        if self.is_good() {
            evict::sweep(&self.0.folder, self.0.limit);
        }
    }

    /// Whether the folder is there and nobody else can have written to it.
    fn is_good(&self) -> bool {
        let verdict = &self.0.verdict;
        if verdict.load(Ordering::Relaxed) == UNKNOWN {
            let found = match location::check(&self.0.folder) {
                Ok(()) => GOOD,
                Err(error) if error.kind() == OsErrorKind::NotFound => return false,
                Err(_) => BAD,
            };
            verdict.store(found, Ordering::Relaxed);
        }
        verdict.load(Ordering::Relaxed) == GOOD
    }

    /// The same, after making it where there is none.
    fn is_made(&self) -> bool {
        if !self.is_good() {
            // Whatever goes wrong is seen by the check.
            let _ = location::make(&self.0.folder);
        }
        let good = self.is_good();
        if good && !self.0.tidied.swap(true, Ordering::Relaxed) {
            evict::tidy(&self.0.folder);
        }
        good
    }
}
