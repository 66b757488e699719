//! What the files hold that the units were made of, and which units those are.
//!
//! Owns when a file counts as changed: when its content is another, by hash. That it was
//! written, touched or replaced is no reason to compile.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hotslot::CacheKey;

use crate::cli::contents::Stamp;

/// A file's number.
pub type FileId = usize;

/// All files.
#[derive(Default)]
pub struct Files {
    known: Vec<File>,
    by_path: HashMap<PathBuf, FileId>,
    /// What they are called without directories.
    names: HashSet<std::ffi::OsString>,
}

struct File {
    path: PathBuf,
    now: Option<CacheKey>,
    /// The units that have read it, in order.
    units: Vec<usize>,
}

/// What a unit was made of.
pub type Inputs = Vec<(FileId, Option<CacheKey>)>;

impl Files {
    /// A file's number, and whether it is a new one. What a new one holds is read.
    pub fn add(&mut self, path: &Path) -> (FileId, bool) {
        if let Some(&id) = self.by_path.get(path) {
            return (id, false);
        }
        let id = self.known.len();
        self.known.push(File { path: path.to_owned(), now: content(path), units: Vec::new() });
        self.by_path.insert(path.to_owned(), id);
        self.names.extend(path.file_name().map(ToOwned::to_owned));
        (id, true)
    }

    /// Notes that a unit has read a file; whether that was not known.
    pub fn read_by(&mut self, id: FileId, unit: usize) -> bool {
        let units = &mut self.known[id].units;
        let place = units.binary_search(&unit);
        place.inspect_err(|&at| units.insert(at, unit)).is_err()
    }

    /// The number of a file that is known.
    pub fn find(&self, path: &Path) -> Option<FileId> {
        self.by_path.get(path).copied()
    }

    /// Whether a known file has this name: another one, of the same name, may be found before it.
    pub fn has_name(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| self.names.contains(name))
    }

    /// Reads a file again; whether it holds something else.
    pub fn refresh(&mut self, id: FileId) -> bool {
        let now = content(&self.known[id].path);
        std::mem::replace(&mut self.known[id].now, now) != now
    }

    /// Whether a file may have been written or put there after this, as far as its times say.
    pub fn is_newer(&self, id: FileId, than: SystemTime) -> bool {
        Stamp::at(&self.known[id].path).is_some_and(|stamp| !stamp.is_before(than))
    }

    /// Whether it certainly was. What is saved at once before a compiler starts is not.
    pub fn is_surely_newer(&self, id: FileId, than: SystemTime) -> bool {
        Stamp::at(&self.known[id].path).is_some_and(|stamp| stamp.is_after(than))
    }

    /// What a file holds; nothing if it is not there.
    pub fn now(&self, id: FileId) -> Option<CacheKey> {
        self.known[id].now
    }

    pub fn path(&self, id: FileId) -> &Path {
        &self.known[id].path
    }

    /// The units that have read a file.
    pub fn units(&self, id: FileId) -> &[usize] {
        &self.known[id].units
    }

    /// The units that have read a file of this name, wherever it is.
    pub fn units_of_name(&self, path: &Path) -> Vec<usize> {
        let named = self.known.iter().filter(|file| file.path.file_name() == path.file_name());
        named.flat_map(|file| file.units.iter().copied()).collect()
    }

    /// Whether all of these hold what they did.
    pub fn are_same(&self, inputs: &Inputs) -> bool {
        inputs.iter().all(|&(id, was)| self.known[id].now == was)
    }

    pub fn count(&self) -> usize {
        self.known.len()
    }
}

fn content(path: &Path) -> Option<CacheKey> {
    std::fs::read(path).ok().map(|bytes| CacheKey::builder("file").bytes(&bytes).key())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_put_in_place_with_its_old_times_is_newer() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::write(path("a.h"), "one").unwrap();
        std::fs::write(path("new"), "two").unwrap();
        let old = std::fs::File::options().append(true).open(path("new")).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        let mut files = Files::default();
        let (id, _) = files.add(&path("a.h"));
        let begun = SystemTime::now();
        assert!(!files.is_newer(id, begun));
        std::fs::rename(path("new"), path("a.h")).unwrap();
        assert!(files.is_newer(id, begun));
    }

    #[test]
    fn only_another_content_is_a_change() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.h");
        std::fs::write(&path, "one").unwrap();
        let mut files = Files::default();
        let (id, new) = files.add(&path);
        assert!(new && !files.add(&path).1);
        let inputs = vec![(id, files.now(id))];
        std::fs::write(&path, "one").unwrap();
        assert!(!files.refresh(id));
        std::fs::write(&path, "two").unwrap();
        assert!(files.refresh(id) && !files.refresh(id));
        assert!(!files.are_same(&inputs));
        // New to each of them once.
        assert!(files.read_by(id, 0) && files.read_by(id, 1) && !files.read_by(id, 0));
        std::fs::remove_file(&path).unwrap();
        assert!(files.refresh(id));
        std::fs::write(&path, "one").unwrap();
        assert!(files.refresh(id) && files.are_same(&inputs));
        assert!(files.has_name(Path::new("/elsewhere/a.h")) && !files.has_name(Path::new("b.h")));
    }
}
