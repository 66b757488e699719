//! A cache in one process: what comes back, what does not, and what is removed.

use std::fs::{OpenOptions, Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use super::{Cache, CacheKey, store};

/// A folder that is gone at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("hotslot-cache-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn cache(&self) -> Cache {
        Cache::at(&self.0)
    }

    fn file(&self, key: &CacheKey) -> PathBuf {
        store::path(&self.0, key)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = set_permissions(&self.0, Permissions::from_mode(0o700));
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn key(number: u64) -> CacheKey {
    CacheKey::builder("test").number(number).key()
}

fn used(path: &Path) -> SystemTime {
    path.metadata().unwrap().modified().unwrap()
}

/// As if it was last used then.
fn age(path: &Path, seconds: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn what_was_stored_comes_back() {
    let folder = Folder::new();
    let cache = folder.cache();
    assert_eq!(cache.get(&key(1)), None);
    assert!(!folder.0.exists(), "looking makes nothing");
    for (number, content) in [&b""[..], b"x", &[7; 100_000]].iter().enumerate() {
        cache.put(&key(number as u64), "a label", content);
        assert_eq!(cache.get(&key(number as u64)).as_deref(), Some(*content));
        // And in another process.
        assert_eq!(folder.cache().get(&key(number as u64)).as_deref(), Some(*content));
    }
    assert_eq!(cache.get(&key(9)), None);
    cache.put(&key(1), "", b"another");
    assert_eq!(cache.get(&key(1)).unwrap(), b"another");
    assert_eq!(folder.0.metadata().unwrap().mode() & 0o777, 0o700);
    assert_eq!(folder.file(&key(1)).metadata().unwrap().mode() & 0o077, 0);
    let info = cache.info();
    assert_eq!((info.entries, info.bytes, info.problem), (3, 4096 * (1 + 1 + 25), None));
}

#[test]
fn a_damaged_entry_is_ignored_and_removed() {
    let folder = Folder::new();
    let cache = folder.cache();
    let content = b"some content of no great length";
    cache.put(&key(1), "label", content);
    let file = folder.file(&key(1));
    let whole = std::fs::read(&file).unwrap();
    let is_refused = |bytes: &[u8], what: &str| {
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(cache.get(&key(1)), None, "{what}");
        assert!(!file.exists(), "{what}: is still there");
    };
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            is_refused(&bytes, &format!("bit {bit} of byte {at}"));
        }
        is_refused(&whole[..at], &format!("{at} bytes of it"));
    }
    is_refused(&[&whole[..], b"\0"].concat(), "one byte more");
    is_refused(&[&whole[..], &whole[..]].concat(), "twice");
    is_refused(&vec![0; whole.len()], "nothing but zeros");
    // One of another key, which is whole.
    cache.put(&key(2), "label", content);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    is_refused(&std::fs::read(folder.file(&key(2))).unwrap(), "another key's");
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(cache.get(&key(1)).unwrap(), content, "the test can tell");
}

#[test]
fn what_is_no_plain_file_of_our_own_is_ignored() {
    let folder = Folder::new();
    let cache = folder.cache();
    cache.put(&key(1), "", b"content");
    let file = folder.file(&key(1));
    let whole = std::fs::read(&file).unwrap();
    // Others could have written it.
    set_permissions(&file, Permissions::from_mode(0o622)).unwrap();
    assert_eq!(cache.get(&key(1)), None);
    // A link, even to a good one.
    let elsewhere = folder.0.join("elsewhere");
    std::fs::write(&elsewhere, whole).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    assert_eq!(cache.get(&key(1)), None);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(cache.get(&key(1)), None);
    cache.put(&key(1), "", b"content");
    assert_eq!(cache.get(&key(1)), None);
}

#[test]
fn a_folder_that_others_may_write_to_is_not_used() {
    for mode in [0o777, 0o720, 0o702, 0o1777] {
        let folder = Folder::new();
        folder.cache().put(&key(1), "", b"content");
        set_permissions(&folder.0, Permissions::from_mode(mode)).unwrap();
        let cache = folder.cache();
        assert_eq!(cache.get(&key(1)), None, "{mode:o}");
        cache.put(&key(2), "", b"content");
        assert!(!folder.file(&key(2)).exists(), "{mode:o}");
        assert!(cache.info().problem.unwrap().contains("others may write"), "{mode:o}");
        assert_eq!((cache.clear(), cache.temporary()), (0, None), "{mode:o}");
        set_permissions(&folder.0, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(folder.cache().get(&key(1)).unwrap(), b"content");
    }
}

#[test]
fn a_folder_or_file_of_somebody_else_is_not_used() {
    let folder = Folder::new();
    folder.cache().put(&key(1), "", b"content");
    // Only root can give things away.
    if chown(&folder.0, Some(12345), None).is_err() {
        return;
    }
    let cache = folder.cache();
    assert_eq!(cache.get(&key(1)), None);
    assert!(cache.info().problem.unwrap().contains("another user"));
    chown(&folder.0, Some(0), None).unwrap();
    let cache = folder.cache();
    assert_eq!(cache.get(&key(1)).unwrap(), b"content");
    chown(folder.file(&key(1)), Some(12345), None).unwrap();
    assert_eq!(cache.get(&key(1)), None);
}

#[test]
fn without_a_folder_that_can_be_written_nothing_is_kept() {
    let cache = Cache::at("/proc/no/such/folder");
    cache.put(&key(1), "", b"content");
    assert_eq!(cache.get(&key(1)), None);
    assert_eq!((cache.clear(), cache.temporary()), (0, None));
    let cache = Cache::at("/dev/null/folder");
    cache.put(&key(1), "", b"content");
    assert_eq!(cache.get(&key(1)), None);
}

#[test]
fn what_was_not_used_for_the_longest_time_goes() {
    let folder = Folder::new();
    let cache = folder.cache().limit(40 * 4096);
    for number in 0..40 {
        cache.put(&key(number), "", b"content");
        age(&folder.file(&key(number)), 1000 - number);
    }
    assert_eq!(cache.info().entries, 40, "the bound is not passed yet");
    assert!(cache.get(&key(3)).is_some(), "it is used now");
    cache.put(&key(40), "", b"content");
    let there: Vec<u64> = (0..41).filter(|number| folder.file(&key(*number)).exists()).collect();
    let expected: Vec<u64> = [3].into_iter().chain(12..41).collect();
    assert_eq!(there, expected);
    // Not again at once.
    cache.put(&key(41), "", b"content");
    assert_eq!(cache.info().entries, 31);
}

#[test]
fn the_bound_is_kept_whoever_stores() {
    let folder = Folder::new();
    let limit = 64 * 4096;
    for number in 0..1000 {
        // Each as a new process that stores little.
        folder.cache().limit(limit).put(&key(number), "", &vec![1; (number as usize * 37) % 20_000]);
        if number % 10 == 0 {
            assert!(folder.cache().info().bytes <= limit, "{number}");
        }
    }
    let info = folder.cache().info();
    assert!(info.bytes > limit / 2, "{info:?}");
    let cache = folder.cache().limit(limit);
    cache.put(&key(5000), "", &vec![0; 33 * 4096]);
    assert_eq!(cache.get(&key(5000)), None, "too large");
    // A count that is lost is made again.
    for damage in [&b""[..], b"hsusage1", b"nonsense nonsense nonsense"] {
        std::fs::write(folder.0.join("usage"), damage).unwrap();
        cache.put(&key(5001), "", b"");
        assert!(std::fs::read(folder.0.join("usage")).unwrap().starts_with(b"hsusage1"));
    }
}

#[test]
fn looking_through_the_folder_is_rare() {
    let folder = Folder::new();
    let limit = 400 * 4096;
    let cache = folder.cache().limit(limit);
    let usage = folder.0.join("usage");
    let (mut sweeps, mut last) = (0, 0);
    for number in 0..2000 {
        cache.put(&key(number), "", b"");
        let inode = usage.metadata().unwrap().ino();
        sweeps += u32::from(inode != last);
        last = inode;
    }
    // Each frees a quarter of the bound; the first makes the count.
    assert!((10..=20).contains(&sweeps), "{sweeps}");
}

#[test]
fn a_use_is_noted() {
    let folder = Folder::new();
    let cache = folder.cache();
    cache.put(&key(1), "", b"content");
    let file = folder.file(&key(1));
    age(&file, 30);
    let before = used(&file);
    assert!(cache.get(&key(1)).is_some());
    assert_eq!(used(&file), before, "not every time");
    age(&file, 100);
    assert!(cache.get(&key(1)).is_some());
    assert!(used(&file) > before);
}

#[test]
fn temporary_files_of_the_dead_are_removed() {
    let folder = Folder::new();
    folder.cache().put(&key(1), "", b"content");
    let mine = folder.cache().temporary().unwrap();
    // No process can have this number.
    let dead = folder.0.join(format!("tmp-{}-0", u32::MAX));
    let old = folder.0.join("tmp-1-7");
    let foreign = ["tmp-file", "tmp-1", "notes", "tmp-1-x"].map(|name| folder.0.join(name));
    for file in [&mine, &dead, &old].into_iter().chain(&foreign) {
        std::fs::write(file, "").unwrap();
    }
    age(&old, 4000);
    folder.cache().put(&key(2), "", b"content");
    assert!(mine.exists() && !dead.exists() && !old.exists());
    assert_eq!(folder.cache().clear(), 2);
    assert_eq!(folder.cache().info().entries, 0);
    assert!(foreign.iter().all(|file| file.exists()), "nothing but our own is removed");
}
