//! What a source file includes at its start, compiled ahead of the next edit of the rest.
//!
//! Owns precompiled headers of leads (`lead.rs`), when one may be used, and how clang is told: it
//! skips the lead's bytes in the source file itself, so that every line keeps its number. A lead
//! is compiled under another name in the same folder, which only clang sees, since a header that
//! it includes is looked for there first. Everything is kept in memory. Whatever goes wrong,
//! there is no preamble. Does not know when one is worth making.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::cancel::{Cancel, Process, scratch};
use super::contents::{Contents, Stamp};
use super::unit::Unit;
use super::{lead, rule, words};

/// All that is kept may take this much memory.
const LIMIT: usize = 256 << 20;

/// And so many at most: each is three open files.
const MOST: usize = 64;

/// What a lead is called, in the folder of the file that it is of. Only the overlay has it.
const STAND_IN: &str = ".hotslot-preamble";

/// How flags begin with which a preamble makes a difference: what they ask for of a header's
/// text goes only where that is read, or is asked for before it.
const NOT: &[&str] = &[
    "-include",
    "-imacros",
    "-gmodules",
    "-fdebug-macro",
    "-fcoverage",
    "-Wunused-macros",
    "-Weverything",
    "-x",
];

/// Of all files.
pub struct Preambles {
    contents: Arc<Contents>,
    /// The one used last is the last.
    known: Mutex<Vec<Arc<Known>>>,
}

/// What came of the lead of one file.
struct Known {
    of: Owned,
    lead: Vec<u8>,
    /// Nothing if none can be made.
    made: Option<Made>,
}

struct Made {
    compiled: File,
    /// Says to clang where to find the lead.
    overlay: File,
    /// The lead itself. It is not asked for its content, but has to be there.
    _source: File,
    size: usize,
    /// As they were. To clang, too, a file is another one when its times are.
    reads: Vec<(PathBuf, Stamp)>,
}

/// A [`Unit`] that lasts.
#[derive(Clone, PartialEq, Eq)]
pub struct Owned {
    compiler: PathBuf,
    path: PathBuf,
    flags: Vec<OsString>,
    directory: Option<PathBuf>,
}

/// A preamble that can be used now.
pub struct Usable(Arc<Known>);

impl Owned {
    /// Of a unit for which there may be a preamble.
    pub fn new(unit: &Unit<'_>) -> Option<Self> {
        let is_harmless = |flag: &OsString| {
            let flag = flag.as_encoded_bytes();
            !NOT.iter().any(|start| flag.starts_with(start.as_bytes()))
        };
        (unit.plain && unit.flags.iter().all(is_harmless)).then(|| Self {
            compiler: unit.compiler.to_owned(),
            path: unit.path.to_owned(),
            flags: unit.flags.to_vec(),
            directory: unit.directory.map(Path::to_owned),
        })
    }

    /// As it was.
    pub fn unit(&self) -> Unit<'_> {
        Unit {
            compiler: &self.compiler,
            path: &self.path,
            flags: &self.flags,
            plain: true,
            directory: self.directory.as_deref(),
        }
    }
}

impl Usable {
    /// For clang.
    pub fn arguments(&self) -> Vec<OsString> {
        let Some(made) = &self.0.made else { return Vec::new() };
        let bytes = format!("-preamble-bytes={},1", self.0.lead.len());
        let (compiled, overlay) = (name(&made.compiled), name(&made.overlay));
        let words = ["-include-pch", &compiled, &bytes, "-ivfsoverlay", &overlay];
        words.iter().flat_map(|word| ["-Xclang".into(), word.into()]).collect()
    }

    /// The files that clang has read with this, as it calls them without.
    pub fn complete(&self, unit: &Unit<'_>, reads: &mut Vec<PathBuf>) {
        let own = || self.0.made.iter().flat_map(|made| &made.reads).map(|(file, _)| file);
        let known: HashSet<PathBuf> = own().map(|file| unit.at(file)).collect();
        reads.retain(|file| !file.ends_with(STAND_IN) && !known.contains(&unit.at(file)));
        reads.extend(own().cloned());
    }
}

impl Preambles {
    /// None yet.
    pub fn new(contents: Arc<Contents>) -> Self {
        Self { contents, known: Mutex::default() }
    }

    /// What can be used for the file as it is now.
    pub fn find(&self, unit: &Unit<'_>) -> Option<Usable> {
        let (known, lead) = self.known(&Owned::new(unit)?)?;
        let made = known.made.as_ref()?;
        let same = |(file, stamp): &(PathBuf, Stamp)| Stamp::at(&unit.at(file)) == Some(*stamp);
        (known.lead == lead && made.reads.iter().all(same)).then(|| {
            let mut all = self.lock();
            all.retain(|other| !Arc::ptr_eq(other, &known));
            all.push(Arc::clone(&known));
            Usable(known)
        })
    }

    /// Neither uses nor makes one any more for this lead.
    pub fn refuse(&self, of: &Owned) {
        if let Some((_, lead)) = self.known(of) {
            self.put(Known { of: of.clone(), lead, made: None });
        }
    }

    /// Makes one for the file as it is now, unless there is one; says whether it came to that or
    /// was cancelled.
    pub fn make(&self, of: &Owned, cancel: &Cancel) -> bool {
        let unit = of.unit();
        let Some(lead) = lead(&unit) else { return true };
        let is_refused =
            || self.known(of).is_some_and(|(known, _)| known.made.is_none() && known.lead == lead);
        if is_refused() || self.find(&unit).is_some() {
            return true;
        }
        let made = self.compile(&unit, &lead, cancel);
        if cancel.is_cancelled() {
            return false;
        }
        self.put(Known { of: of.clone(), lead, made });
        true
    }

    fn known(&self, of: &Owned) -> Option<(Arc<Known>, Vec<u8>)> {
        let known = self.lock().iter().find(|known| known.of == *of).cloned()?;
        Some((known, lead(&of.unit())?))
    }

    fn put(&self, known: Known) {
        let mut all = self.lock();
        all.retain(|other| other.of != known.of);
        all.push(Arc::new(known));
        let size = |known: &Arc<Known>| known.made.as_ref().map_or(0, |made| made.size);
        let mut sum: usize = all.iter().map(size).sum();
        while sum > LIMIT || all.len() > MOST {
            sum -= size(&all.remove(0));
        }
    }

    fn compile(&self, unit: &Unit<'_>, lead: &[u8], cancel: &Cancel) -> Option<Made> {
        let begun = SystemTime::now();
        let directory = std::path::absolute(unit.directory.unwrap_or(Path::new("."))).ok()?;
        let stand_in = unit.path.with_file_name(STAND_IN);
        // In quotes it would have to be spelt in another way.
        let path = unit.path.to_str()?;
        if path.contains(|c: char| c == '"' || c == '\\' || c.is_control()) {
            return None;
        }
        let mut text = format!("# 1 \"{path}\"\n").into_bytes();
        text.extend(lead);
        let source = filled(&text)?;
        let overlay = serde_json::json!({
            "version": 0,
            "case-sensitive": "true",
            "use-external-names": "false",
            "roots": [{
                "name": directory.join(&stand_in).to_str()?,
                "type": "file",
                "external-contents": name(&source),
            }],
        });
        let overlay = filled(overlay.to_string().as_bytes())?;
        let mut read = scratch().ok()?;
        // What the driver would start is started with another thing to do.
        let mut ask = unit.command();
        ask.args(["-MD", "-MF", &name(&read), "-o", "-", "-###"]).arg(unit.path);
        let asked = cancel.run(|| Process::start(&mut ask)).ok()?;
        let answer = String::from_utf8(asked.said).ok()?;
        let mut lines = answer.lines().filter(|line| line.contains(" \"-cc1\" "));
        let (Some(line), None) = (lines.next(), lines.next()) else { return None };
        let mut line = words::split(line).ok()?;
        if line.pop()? != path {
            return None;
        }
        line.retain(|word| word != "-emit-llvm-bc");
        *line.iter_mut().find(|word| *word == "-emit-obj")? = "-emit-pch".into();
        let mut command = Command::new(&line[0]);
        unit.place(&mut command);
        command.args(&line[1..]).args(["-ivfsoverlay", &name(&overlay)]).arg(&stand_in).stdin(Stdio::null());
        let ended = cancel.run(|| Process::start(&mut command)).ok()?;
        // What it has to say here it would not say again.
        if !ended.status?.success() || !ended.said.is_empty() || ended.wrote.is_empty() {
            return None;
        }
        let mut rule = Vec::new();
        read.rewind().and_then(|()| read.read_to_end(&mut rule)).ok()?;
        let files = rule::files(&rule)?.into_iter().filter(|file| *file != stand_in);
        let reads: Option<_> = files
            .map(|file| self.contents.lasting(&unit.at(&file), begun).map(|stamp| (file, stamp)))
            .collect();
        let size = ended.wrote.len();
        (size <= LIMIT / 2).then_some(())?;
        Some(Made { compiled: filled(&ended.wrote)?, overlay, _source: source, size, reads: reads? })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lead(unit: &Unit<'_>) -> Option<Vec<u8>> {
    let mut text = std::fs::read(unit.at(unit.path)).ok()?;
    text.truncate(lead::of(&text)?);
    Some(text)
}

fn filled(bytes: &[u8]) -> Option<File> {
    let mut file = scratch().ok()?;
    file.write_all(bytes).ok()?;
    Some(file)
}

/// By which others can open it while this process has it.
pub fn name(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}
