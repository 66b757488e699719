//! C and C++ to LLVM bitcode, by clang processes that run side by side.
//!
//! Owns the command line clang gets and the order in which its diagnostics
//! appear. Knows nothing of modules or of what is done with the bitcode. How a process is run
//! and stopped is in `cancel.rs`.

use std::ffi::OsString;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hotslot::Cache;

use super::ahead::Ahead;
use super::cancel::{Cancel, Ended, Process, scratch};
use super::contents::{Contents, Stamp};
use super::doctor;
use super::failure::Failure;
use super::flags::{Flags, FlagsOf};
use super::kept::{Found, Kept, Made};
use super::options::{Compilers, Level};
use super::preamble::{self, Owned};
use super::progress::Progress;
use super::rule;
use super::unit::Unit;

/// The languages we have clang compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Compiled by `--cc`.
    C,
    /// Compiled by `--cxx`.
    Cxx,
}

impl Language {
    /// The option that names its compiler.
    fn option(self) -> &'static str {
        match self {
            Self::C => "--cc",
            Self::Cxx => "--cxx",
        }
    }
}

/// One file to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The source file, as the user named it; seen from `directory`.
    pub path: PathBuf,
    /// What is in it.
    pub language: Language,
    /// Its own flags, after those of all files: an `-O` among them wins.
    pub flags: Vec<OsString>,
    /// Where the compiler is started, if not where hotslot was.
    pub directory: Option<PathBuf>,
}

impl Job {
    /// A file that needs no flags of its own.
    pub fn new(path: impl Into<PathBuf>, language: Language) -> Self {
        Self { path: path.into(), language, flags: Vec::new(), directory: None }
    }
}

/// How all files are compiled.
pub struct Frontend {
    cc: PathBuf,
    cxx: PathBuf,
    flags: Flags,
    kept: Option<Kept>,
    contents: Arc<Contents>,
    ahead: Option<Ahead>,
    width: usize,
}

/// What all files were compiled to.
pub struct Compiled {
    /// In the order of the jobs.
    pub bitcode: Vec<Vec<u8>>,
    /// For each job, the files that it was made of, see [`Outcome::reads`].
    pub reads: Vec<Vec<PathBuf>>,
    /// How many of them were compiled by an earlier run.
    pub kept: usize,
}

/// What came of one job.
pub struct Outcome {
    /// The bitcode, or why there is none.
    pub verdict: Verdict,
    /// What the compiler had to say to the user, as it is.
    pub said: Vec<u8>,
    /// Every file that was read, as absolute paths, the source file first; system headers are
    /// among them. After an error those that the compiler came to. At least the source file.
    pub reads: Vec<PathBuf>,
    /// From the question to the answer.
    pub took: Duration,
    /// It was compiled by an earlier run.
    pub found: bool,
}

/// How a compiler's run ended.
pub enum Verdict {
    /// Well.
    Bitcode(Vec<u8>),
    /// What is wrong with the source is in [`Outcome::said`].
    Failed(Failure),
    /// Somebody did not want it any more.
    Cancelled,
}

impl Frontend {
    /// Works out clang's arguments from ours.
    pub fn new(
        compilers: &Compilers,
        level: Level,
        cpu: Option<&str>,
        cflags: &[String],
        cache: Option<&Cache>,
    ) -> Result<Self, Failure> {
        let mut flags = Flags::new(level, cpu, cflags)?;
        flags.own.extend(super::hooks::flags(cache));
        let contents = Arc::<Contents>::default();
        let kept = cache.map(|cache| Kept::new(cache.clone(), Arc::clone(&contents)));
        let width = std::thread::available_parallelism().map_or(1, |n| n.get());
        Ok(Self {
            cc: compilers.cc.clone(),
            cxx: compilers.cxx.clone(),
            flags,
            kept,
            contents,
            ahead: None,
            width,
        })
    }

    /// How many compilers [`compile`](Self::compile) runs at once; without this, as many as
    /// there are processors.
    pub fn with_width(mut self, width: usize) -> Self {
        self.width = width.max(1);
        self
    }

    /// Makes what files include ahead of their next edit, in the background, once they were
    /// compiled, and has compilers started before there is anything to compile: for a program
    /// whose files are watched. To be called in a process that does not fork without `exec`, and
    /// in which nobody else waits for children.
    pub fn with_preambles(mut self) -> Self {
        self.ahead = Ahead::start(Arc::clone(&self.contents)).ok();
        self
    }

    /// Compiles every job and returns the bitcode in the same order. The line on
    /// the terminal says how many are ready.
    ///
    /// What clang says is passed on unchanged, in the order of the jobs however
    /// they finish. All jobs are compiled even when one fails, so that all
    /// errors are seen at once.
    pub fn compile(&self, jobs: &[Job], progress: &Progress) -> Result<Compiled, Failure> {
        let total = jobs.len();
        let mut compiled = Compiled { bitcode: Vec::new(), reads: Vec::new(), kept: 0 };
        if total == 0 {
            return Ok(compiled);
        }
        progress.say(format!("compiled 0 of {total}"));
        let mut finished: Vec<Option<Outcome>> = Vec::new();
        finished.resize_with(jobs.len(), || None);
        let (mut printed, mut count) = (0, 0);
        self.each(jobs, &Cancel::default(), |index, outcome| {
            finished[index] = Some(outcome);
            count += 1;
            progress.say(format!("compiled {count} of {total}"));
            while let Some(Some(outcome)) = finished.get(printed) {
                progress.print(&outcome.said);
                printed += 1;
            }
        });
        let mut failures = Vec::new();
        for outcome in finished {
            let Some(outcome) = outcome else {
                failures.push(Failure::new("a compiler thread died"));
                continue;
            };
            match outcome.verdict {
                Verdict::Bitcode(bytes) => compiled.bitcode.push(bytes),
                Verdict::Failed(failure) => failures.push(failure),
                Verdict::Cancelled => failures.push(Failure::new("cancelled")),
            }
            compiled.reads.push(outcome.reads);
            compiled.kept += usize::from(outcome.found);
        }
        Failure::all(failures).map_or(Ok(compiled), Err)
    }

    /// Compiles every job, several at once, and hands each outcome with the job's index to
    /// `ready` on this thread, in the order in which they finish. Nothing is printed.
    pub fn each(&self, jobs: &[Job], cancel: &Cancel, mut ready: impl FnMut(usize, Outcome)) {
        let width = self.width.min(jobs.len());
        if width == 1 {
            jobs.iter().enumerate().for_each(|(index, job)| ready(index, self.compile_one(job, cancel)));
            return;
        }
        let next = AtomicUsize::new(0);
        let (sender, results) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..width {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    // Whoever is free takes the next one: files differ much in size.
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(job) = jobs.get(index) else { return };
                        if sender.send((index, self.compile_one(job, cancel))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            results.into_iter().for_each(|(index, outcome)| ready(index, outcome));
        });
    }

    /// Compiles one file, or takes what an earlier run has kept. May be called from several
    /// threads. Once `cancel` is, no compiler runs any more.
    pub fn compile_one(&self, job: &Job, cancel: &Cancel) -> Outcome {
        let begun = Instant::now();
        let mut outcome = self.make(job, cancel);
        let directory = job.directory.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        outcome.reads.iter_mut().for_each(|file| *file = directory.join(&file));
        let itself = directory.join(&job.path);
        match outcome.reads.iter().position(|file| *file == itself) {
            Some(at) => outcome.reads[..=at].rotate_right(1),
            None => outcome.reads.insert(0, itself),
        }
        outcome.took = begun.elapsed();
        outcome
    }

    /// Makes a preamble without being asked twice; says whether there is one.
    #[cfg(test)]
    pub fn make_preamble(&self, job: &Job) -> bool {
        let path = as_operand(&job.path);
        let flags = self.flags.with(&job.flags);
        let unit = self.unit(job, &path, &flags);
        let (Some(ahead), Some(owned)) = (&self.ahead, Owned::new(&unit)) else { return false };
        ahead.preambles.make(&owned, &Cancel::default()) && ahead.preambles.find(&unit).is_some()
    }

    fn unit<'a>(&'a self, job: &'a Job, path: &'a Path, flags: &'a FlagsOf) -> Unit<'a> {
        Unit {
            compiler: self.compiler(job.language),
            path,
            flags: &flags.all,
            plain: flags.plain,
            directory: job.directory.as_deref(),
        }
    }

    fn compiler(&self, language: Language) -> &Path {
        match language {
            Language::C => &self.cc,
            Language::Cxx => &self.cxx,
        }
    }

    /// Takes what an earlier run has kept, or starts the compiler.
    fn make(&self, job: &Job, cancel: &Cancel) -> Outcome {
        let path = as_operand(&job.path);
        let flags = self.flags.with(&job.flags);
        let unit = self.unit(job, &path, &flags);
        let ticket = match self.kept.as_ref().map(|kept| kept.find(&unit)) {
            Some(Found::Made(made, reads)) => {
                let verdict = Verdict::Bitcode(made.bitcode);
                return Outcome { verdict, said: made.said, reads, took: Duration::ZERO, found: true };
            }
            Some(Found::Nothing(ticket)) => ticket,
            None => None,
        };
        if let Some(ahead) = &self.ahead {
            ahead.pause();
        }
        let with_preamble = self.with_preamble(&unit, cancel);
        let in_vain = with_preamble.as_ref().is_err_and(|in_vain| *in_vain);
        let (ended, reads) = match with_preamble {
            Ok((ended, reads)) => (Ok(ended), reads),
            Err(_) => match self.run(&unit, &[], cancel) {
                Ok((ended, reads)) => (Ok(ended), reads),
                Err(error) => (Err(error), Vec::new()),
            },
        };
        let (verdict, said) = self.judge(job, ended);
        if let (Verdict::Bitcode(bitcode), Some(kept), Some(ticket)) = (&verdict, &self.kept, ticket) {
            kept.keep(&ticket, &unit, &reads, Made { bitcode, said: &said });
        }
        if let (Verdict::Bitcode(_), Some(ahead)) = (&verdict, &self.ahead) {
            match Owned::new(&unit) {
                // It is the preamble's fault.
                Some(owned) if in_vain => ahead.preambles.refuse(&owned),
                Some(owned) => ahead.want(owned),
                None => {}
            }
        }
        Outcome { verdict, said, reads, took: Duration::ZERO, found: false }
    }

    /// Compiles the file with what was compiled of it ahead, if there is that and it can be done;
    /// otherwise says whether it was tried.
    fn with_preamble(&self, unit: &Unit<'_>, cancel: &Cancel) -> Result<(Ended, Vec<PathBuf>), bool> {
        let preambles = &self.ahead.as_ref().ok_or(false)?.preambles;
        let stamp = || Stamp::at(&unit.at(unit.path));
        let before = stamp();
        let usable = preambles.find(unit).ok_or(false)?;
        let (ended, mut reads) = self.run(unit, &usable.arguments(), cancel).map_err(|_| false)?;
        if ended.status.is_none() {
            return Ok((ended, reads));
        }
        if stamp() != before {
            // It may have been an edit of the lead.
            return Err(false);
        }
        // Of what is wrong with a file it is to be told in the compiler's own words.
        if !ended.status.is_some_and(|status| status.success()) || !is_bitcode(&ended.wrote) {
            return Err(true);
        }
        usable.complete(unit, &mut reads);
        Ok((ended, reads))
    }

    /// Starts the compiler, and reads what it has read.
    fn run(
        &self,
        unit: &Unit<'_>,
        more: &[OsString],
        cancel: &Cancel,
    ) -> std::io::Result<(Ended, Vec<PathBuf>)> {
        // A file without a name, so that nothing is left of it whoever dies.
        let mut rule = scratch()?;
        let name = preamble::name(&rule);
        let start = |rule: &[&str]| {
            let mut command = unit.command();
            command.args(more).args(rule).args(["-o", "-"]).arg(unit.path);
            match &self.ahead {
                Some(ahead) => ahead.spares.run(&mut command, cancel),
                None => cancel.run(|| Process::start(&mut command)),
            }
        };
        let ended = start(&["-MD", "-MF", &name])?;
        if memchr::memmem::find(&ended.said, name.as_bytes()).is_some() {
            // It runs where it cannot get at that.
            return Ok((start(&[])?, Vec::new()));
        }
        let mut text = Vec::new();
        let read = rule.rewind().and_then(|()| rule.read_to_end(&mut text));
        Ok((ended, read.ok().and_then(|_| rule::files(&text)).unwrap_or_default()))
    }

    /// The bitcode or the failure, and what the compiler had to say.
    fn judge(&self, job: &Job, ended: std::io::Result<Ended>) -> (Verdict, Vec<u8>) {
        let compiler = self.compiler(job.language).display();
        let path = job.path.display();
        let failed = |failure, said| (Verdict::Failed(failure), said);
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let failure = Failure::new(format!("{path}: cannot start {compiler}: {error}"));
                return failed(failure.hint(install_hint(job.language)), Vec::new());
            }
        };
        let Some(status) = ended.status else {
            return (Verdict::Cancelled, Vec::new());
        };
        if !status.success() {
            if let Some(what) = doctor::other_than_clang(self.compiler(job.language)) {
                // What it has to say is of flags that it does not know.
                let failure = Failure::new(format!("{path}: {compiler} is not a clang: {what}"));
                let option = job.language.option();
                let hint = format!(
                    "only clang writes LLVM bitcode: leave {option} out, or name a clang; objects that \
                     another compiler made can be run as they are"
                );
                return failed(failure.hint(hint), Vec::new());
            }
            failed(Failure::new(format!("{path}: {compiler} failed ({status})")), ended.said)
        } else if !is_bitcode(&ended.wrote) {
            let failure = Failure::new(format!("{path}: {compiler} did not write LLVM bitcode"));
            let hint =
                "give --cc and --cxx a clang, and in the flags nothing that changes the kind of output";
            failed(failure.hint(hint), ended.said)
        } else {
            (Verdict::Bitcode(ended.wrote), ended.said)
        }
    }
}

/// A path that clang cannot take for an option.
fn as_operand(path: &Path) -> PathBuf {
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") {
        Path::new(".").join(path)
    } else {
        path.to_owned()
    }
}

/// Plain bitcode starts with `BC` and a fixed word, wrapped bitcode with a magic number.
fn is_bitcode(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BC\xC0\xDE") || bytes.starts_with(&0x0B17_C0DE_u32.to_le_bytes())
}

fn install_hint(language: Language) -> &'static str {
    match language {
        Language::C => "install clang-19 (apt install clang-19) or name another clang with --cc",
        Language::Cxx => "install clang++-19 (apt install clang-19) or name another clang++ with --cxx",
    }
}
