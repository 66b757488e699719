//! Hears from the kernel which files have changed.
//!
//! Owns which directories are watched for a file: the one it is in, by the name it has there,
//! since editors save by renaming; the one of every symbolic link on the way; and, where a part
//! of the way is missing, the place where it would appear. Directories on the way are watched
//! for being moved or removed. Nothing is polled. Of inotify directly: what is said of every
//! opening of a file, which libraries above it cannot do without, would keep the thread busy
//! with what the program itself reads. Knows nothing of what is in the files.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask, Watches};

use super::Event;
use crate::cli::descriptors::out_of_the_way;

/// More links than this on the way to a file are a circle; as the kernel has it.
const LINKS: usize = 40;

/// What is watched.
pub struct Directories {
    watches: Watches,
    files: HashSet<PathBuf>,
    /// Directories with names that matter, as they are called without any link.
    by_path: HashMap<PathBuf, WatchDescriptor>,
    by_number: HashMap<WatchDescriptor, PathBuf>,
    /// What follows from a name in a directory.
    names: HashMap<WatchDescriptor, HashMap<OsString, Name>>,
    /// Directories that are neither a link nor missing, and watched for staying so.
    plain: HashSet<PathBuf>,
    ways: HashSet<WatchDescriptor>,
}

#[derive(Default)]
struct Name {
    files: Vec<PathBuf>,
    /// Whatever it is decides where files are: a link, or something that is missing.
    turns: bool,
}

/// Shared by the session, which adds files, and the thread that hears.
pub type Shared = Arc<Mutex<Directories>>;

/// Starts to listen.
pub fn start(events: Sender<Event>) -> std::io::Result<Shared> {
    let inotify = Inotify::init().map_err(explained)?;
    let inotify = Inotify::from(out_of_the_way(OwnedFd::from(inotify))?);
    let shared = Arc::new(Mutex::new(Directories::new(inotify.watches())));
    let directories = shared.clone();
    std::thread::Builder::new()
        .name("hotslot-files".to_owned())
        .spawn(move || listen(inotify, &directories, &events))?;
    Ok(shared)
}

/// The kernel's limits are known by other names than what it says.
fn explained(error: std::io::Error) -> std::io::Error {
    let limit = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOSPC) => "watched; sysctl fs.inotify.max_user_watches says how many may be",
        Some(rustix::io::Errno::MFILE) => {
            "open; sysctl fs.inotify.max_user_instances and ulimit -n say how many may be"
        }
        _ => return error,
    };
    std::io::Error::new(error.kind(), format!("too many files are {limit}"))
}

fn listen(mut inotify: Inotify, directories: &Mutex<Directories>, events: &Sender<Event>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let heard = match inotify.read_events_blocking(&mut buffer) {
            Ok(heard) => heard,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            // The program has closed what is not its own.
            Err(_) => {
                let _ = events.send(Event::Deaf);
                return;
            }
        };
        let mut news = News::default();
        {
            let mut directories = lock(directories);
            for event in heard {
                directories.hear(&event.wd, event.mask, event.name, &mut news);
            }
            if news.everything {
                directories.look_again();
            }
        }
        let event = match news.everything {
            true => Event::Overflow,
            false if news.changed.is_empty() => continue,
            false => Event::Changed(news.changed),
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

/// What several events come to.
#[derive(Default)]
struct News {
    changed: Vec<PathBuf>,
    /// Where things are may be different.
    everything: bool,
}

impl News {
    fn add(&mut self, path: PathBuf) {
        if self.changed.last() != Some(&path) {
            self.changed.push(path);
        }
    }
}

impl Directories {
    fn new(watches: Watches) -> Self {
        let (files, by_path, by_number, names, plain, ways) = Default::default();
        Self { watches, files, by_path, by_number, names, plain, ways }
    }

    /// Watches these files, by absolute paths. The first error, if there were any.
    pub fn watch<'p>(&mut self, files: impl IntoIterator<Item = &'p Path>) -> std::io::Result<()> {
        let mut result = Ok(());
        for file in files {
            if self.files.insert(file.to_owned()) {
                let own = self.establish(file).map_err(explained);
                let named = own.map_err(|error| {
                    std::io::Error::new(error.kind(), format!("{}: {error}", file.display()))
                });
                result = result.and(named);
            }
        }
        result
    }

    /// How many directories are watched.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    fn hear(&mut self, number: &WatchDescriptor, mask: EventMask, name: Option<&OsStr>, news: &mut News) {
        if mask.contains(EventMask::Q_OVERFLOW) {
            news.everything = true;
        }
        let is_gone = mask.intersects(EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::UNMOUNT);
        if is_gone {
            news.everything |= self.names.contains_key(number) || self.ways.contains(number);
        }
        if mask.contains(EventMask::MOVE_SELF) {
            // What it is followed to is not where the files are.
            let _ = self.watches.remove(number.clone());
        }
        if mask.intersects(EventMask::IGNORED | EventMask::MOVE_SELF) {
            self.forget(number);
        }
        let Some(name) = name else { return };
        match self.names.get(number).and_then(|names| names.get(name)) {
            Some(known) => {
                news.everything |= known.turns;
                let files = known.files.clone();
                for file in files {
                    if mask.intersects(EventMask::CREATE | EventMask::MOVED_TO) {
                        // It may be a link now. Where it leads nowhere there is nothing to watch.
                        let _ = self.establish(&file);
                    }
                    news.add(file);
                }
            }
            // It may be what a broken file is waiting for.
            None if mask.intersects(EventMask::CREATE | EventMask::MOVED_TO) => {
                if let Some(directory) = self.by_number.get(number) {
                    news.add(directory.join(name));
                }
            }
            None => {}
        }
    }

    fn forget(&mut self, number: &WatchDescriptor) {
        if let Some(path) = self.by_number.remove(number) {
            self.by_path.remove(&path);
        }
        self.names.remove(number);
        self.ways.remove(number);
    }

    /// Finds the way to every file once more.
    fn look_again(&mut self) {
        self.names.clear();
        self.plain.clear();
        self.by_path.clear();
        for file in std::mem::take(&mut self.files) {
            // What cannot be watched now could be before: it is gone, and its place is watched.
            let _ = self.establish(&file);
            self.files.insert(file);
        }
        // Those that lead nowhere any more.
        let (names, ways) = (&self.names, &self.ways);
        let unused = |number: &WatchDescriptor| !names.contains_key(number) && !ways.contains(number);
        let unused: Vec<_> = self.by_number.keys().filter(|number| unused(number)).cloned().collect();
        for number in unused {
            let _ = self.watches.remove(number.clone());
            self.by_number.remove(&number);
        }
    }

    /// Walks the way to `file`, link by link.
    fn establish(&mut self, file: &Path) -> std::io::Result<()> {
        let mut here = PathBuf::from("/");
        let mut rest: VecDeque<OsString> = parts(file).collect();
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&name);
            if self.plain.contains(&next) {
                here = next;
                continue;
            }
            match std::fs::symlink_metadata(&next) {
                Ok(data) if data.is_symlink() && links < LINKS => {
                    links += 1;
                    self.interest(&here, &name, file, true)?;
                    let target = std::fs::read_link(&next)?;
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    parts(&target).collect::<Vec<_>>().into_iter().rev().for_each(|p| rest.push_front(p));
                }
                Ok(data) if data.is_dir() && !rest.is_empty() => {
                    let mask = WatchMask::MOVE_SELF | WatchMask::DELETE_SELF;
                    if let Ok(number) = self.add(&next, mask) {
                        self.ways.insert(number);
                    }
                    self.plain.insert(next.clone());
                    here = next;
                }
                found => return self.interest(&here, &name, file, found.is_err() && !rest.is_empty()),
            }
        }
        Ok(())
    }

    /// Watches for `name` in `directory`, which `file` depends on.
    fn interest(&mut self, directory: &Path, name: &OsStr, file: &Path, turns: bool) -> std::io::Result<()> {
        let number = match self.by_path.get(directory) {
            Some(number) => number.clone(),
            None => {
                let mask = WatchMask::CREATE
                    | WatchMask::CLOSE_WRITE
                    | WatchMask::DELETE
                    | WatchMask::MOVE
                    | WatchMask::MOVE_SELF
                    | WatchMask::DELETE_SELF;
                let number = self.add(directory, mask)?;
                self.by_path.insert(directory.to_owned(), number.clone());
                number
            }
        };
        let known = self.names.entry(number).or_default().entry(name.to_owned()).or_default();
        known.turns |= turns;
        if !known.files.iter().any(|other| other == file) {
            known.files.push(file.to_owned());
        }
        Ok(())
    }

    fn add(&mut self, directory: &Path, mask: WatchMask) -> std::io::Result<WatchDescriptor> {
        let number = self.watches.add(directory, mask | WatchMask::ONLYDIR | WatchMask::MASK_ADD)?;
        self.by_number.insert(number.clone(), directory.to_owned());
        Ok(number)
    }
}

/// The parts of a path that lead somewhere.
fn parts(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    })
}

/// The lock.
pub fn lock(directories: &Mutex<Directories>) -> MutexGuard<'_, Directories> {
    directories.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;

    fn watched(files: &[&Path]) -> (Shared, Receiver<Event>) {
        let (sender, events) = channel();
        let shared = start(sender).unwrap();
        lock(&shared).watch(files.iter().copied()).unwrap();
        (shared, events)
    }

    /// Waits until there is news of the file.
    fn hear(events: &Receiver<Event>, file: &Path) {
        loop {
            match events.recv_timeout(Duration::from_secs(60)).expect("news") {
                Event::Changed(files) if files.iter().any(|found| found == file) => break,
                Event::Overflow => break,
                _ => {}
            }
        }
        // What else there is to the same change.
        while events.recv_timeout(Duration::from_millis(20)).is_ok() {}
    }

    #[test]
    fn a_limit_of_the_kernels_is_named() {
        let text = |errno: i32| explained(std::io::Error::from_raw_os_error(errno)).to_string();
        assert!(text(libc::ENOSPC).contains("max_user_watches"));
        assert!(text(libc::EMFILE).contains("max_user_instances"));
        assert!(!text(libc::ENOENT).contains("sysctl"));
    }

    #[test]
    fn a_file_however_it_is_saved() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a.c");
        fs::write(&file, "1").unwrap();
        let (_shared, events) = watched(&[&file]);
        fs::write(&file, "2").unwrap();
        hear(&events, &file);
        fs::write(place.path().join(".a.c.new"), "3").unwrap();
        fs::rename(place.path().join(".a.c.new"), &file).unwrap();
        hear(&events, &file);
        fs::remove_file(&file).unwrap();
        hear(&events, &file);
        fs::write(&file, "4").unwrap();
        hear(&events, &file);
    }

    #[test]
    fn directories_that_go_and_come_back() {
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("a/b");
        let file = inner.join("f.h");
        fs::create_dir_all(&inner).unwrap();
        fs::write(&file, "1").unwrap();
        let (_shared, events) = watched(&[&file]);
        fs::remove_dir_all(place.path().join("a")).unwrap();
        hear(&events, &file);
        fs::create_dir_all(&inner).unwrap();
        hear(&events, &file);
        fs::write(&file, "2").unwrap();
        hear(&events, &file);
        fs::rename(place.path().join("a"), place.path().join("other")).unwrap();
        hear(&events, &file);
        fs::rename(place.path().join("other"), place.path().join("a")).unwrap();
        hear(&events, &file);
        fs::write(&file, "3").unwrap();
        hear(&events, &file);
    }

    #[test]
    fn links_on_the_way() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for version in ["one", "two"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("f.h"), version).unwrap();
        }
        symlink("one", at("now")).unwrap();
        let file = at("now/f.h");
        let (_shared, events) = watched(&[&file]);
        fs::write(at("one/f.h"), "1").unwrap();
        hear(&events, &file);
        symlink("two", at("next")).unwrap();
        fs::rename(at("next"), at("now")).unwrap();
        hear(&events, &file);
        fs::write(at("two/f.h"), "2").unwrap();
        hear(&events, &file);
        // A file becomes a link.
        fs::write(at("other"), "3").unwrap();
        fs::remove_file(at("two/f.h")).unwrap();
        symlink("../other", at("two/f.h")).unwrap();
        hear(&events, &file);
        fs::write(at("other"), "4").unwrap();
        hear(&events, &file);
    }

    #[test]
    fn what_nobody_saves_is_no_news() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a.c");
        fs::write(&file, "1").unwrap();
        fs::write(place.path().join("log"), "").unwrap();
        let (shared, events) = watched(&[&file]);
        fs::read(&file).unwrap();
        fs::write(place.path().join("log"), "a line").unwrap();
        assert!(events.recv_timeout(Duration::from_millis(100)).is_err());
        assert_eq!(lock(&shared).count(), 1);
    }
}
