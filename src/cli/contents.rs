//! What files hold, as far as it matters whether that is still the same.
//!
//! Owns when a file has to be read again: when its times, size or number say that it may be
//! another, or when it was written to so lately that they would not say so. Does not know what
//! the files are for.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hotslot::CacheKey;

/// What these stand for is not in any file.
const OF_THE_MOMENT: &[&[u8]] = &[b"__DATE__", b"__TIME__", b"__TIMESTAMP__"];

/// File times are as coarse as this.
const TICK: Duration = Duration::from_millis(10);

/// What was read so far.
#[derive(Default)]
pub struct Contents(Mutex<HashMap<PathBuf, (Stamp, Content)>>);

/// What changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: (u64, u64),
    size: u64,
    /// The second is nobody's to set.
    times: [(i64, i64); 2],
}

/// What is in a file.
#[derive(Debug, Clone, Copy)]
pub struct Content {
    /// Different when that is.
    pub key: CacheKey,
    /// It means another thing each time.
    pub of_the_moment: bool,
}

impl Contents {
    /// What the file holds now; nothing if it cannot be read.
    pub fn of(&self, file: &Path) -> Option<(Stamp, Content)> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::at(file)?;
        let known = lock().get(file).copied();
        if let Some(known) = known.filter(|(of, _)| *of == stamp) {
            return Some(known);
        }
        let now = SystemTime::now();
        let bytes = std::fs::read(file).ok()?;
        let content = Content {
            key: CacheKey::builder("file").bytes(&bytes).key(),
            of_the_moment: OF_THE_MOMENT.iter().any(|word| memchr::memmem::find(&bytes, word).is_some()),
        };
        // One that may be written to within the same tick is read again.
        if stamp.is_before(now) {
            lock().insert(file.to_owned(), (stamp, content));
        }
        Some((stamp, content))
    }

    /// By what the file can be known again, if it does not mean another thing each time and was
    /// not written to since `moment`: whoever has read it after that has read the same.
    pub fn lasting(&self, file: &Path, moment: SystemTime) -> Option<Stamp> {
        let (stamp, content) = self.of(file)?;
        (!content.of_the_moment && stamp.is_before(moment)).then_some(stamp)
    }
}

impl Stamp {
    /// Of the file as it is now.
    pub fn at(file: &Path) -> Option<Self> {
        let data = std::fs::metadata(file).ok()?;
        Some(Self {
            inode: (data.dev(), data.ino()),
            size: data.len(),
            times: [(data.mtime(), data.mtime_nsec()), (data.ctime(), data.ctime_nsec())],
        })
    }

    /// Whether the file was written or put there after that, for all its times say.
    pub fn is_after(&self, moment: SystemTime) -> bool {
        let moment = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.times.iter().any(|(seconds, nanoseconds)| {
            let time = u64::try_from(*seconds).ok().zip(u32::try_from(*nanoseconds).ok());
            time.is_some_and(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds) >= moment)
        })
    }

    /// Whether the file was written before, so that who looked then saw what is there now.
    pub fn is_before(&self, moment: SystemTime) -> bool {
        self.times.iter().all(|(seconds, nanoseconds)| {
            let since =
                || Some(Duration::new(u64::try_from(*seconds).ok()?, u32::try_from(*nanoseconds).ok()?));
            let time = since().and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since + TICK));
            time.is_some_and(|time| time < moment)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.h");
        let contents = Contents::default();
        assert!(contents.of(&file).is_none());
        // As many bytes each time, as quickly as can be.
        let keys: Vec<CacheKey> = (0..50)
            .map(|number| {
                std::fs::write(&file, format!("{number:03}")).unwrap();
                contents.of(&file).unwrap().1.key
            })
            .collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{at}");
        }
        std::fs::write(&file, "000").unwrap();
        assert_eq!(contents.of(&file).unwrap().1.key, keys[0]);
    }

    #[test]
    fn what_lasts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.h");
        let contents = Contents::default();
        let begun = SystemTime::now();
        std::fs::write(&file, "int x;").unwrap();
        assert!(contents.lasting(&file, begun).is_none());
        let later = begun + Duration::from_secs(9);
        assert!(Stamp::at(&file).is_some_and(|stamp| {
            stamp.is_after(begun - Duration::from_secs(1)) && !stamp.is_after(later)
        }));
        assert!(contents.lasting(&file, SystemTime::now() + Duration::from_secs(1)).is_some());
        std::fs::write(&file, "char date[] = __DATE__;").unwrap();
        assert!(contents.lasting(&file, SystemTime::now() + Duration::from_secs(1)).is_none());
    }
}
