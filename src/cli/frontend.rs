//! C and C++ to LLVM bitcode, by clang processes that run side by side.
//!
//! Owns the command line clang gets and the order in which its diagnostics
//! appear. Knows nothing of modules or of what is done with the bitcode.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use hotslot::Cache;

use super::doctor;
use super::failure::Failure;
use super::kept::{Found, Kept, Made};
use super::options::{Compilers, Level};
use super::progress::Progress;
use super::words;

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
#[derive(Debug, Clone)]
pub struct Job {
    /// The source file, as the user named it.
    pub path: PathBuf,
    /// What is in it.
    pub language: Language,
}

/// How all files are compiled.
pub struct Frontend {
    cc: PathBuf,
    cxx: PathBuf,
    flags: Vec<OsString>,
    kept: Option<Kept>,
}

/// What all files were compiled to.
pub struct Compiled {
    /// In the order of the jobs.
    pub bitcode: Vec<Vec<u8>>,
    /// How many of them were compiled by an earlier run.
    pub kept: usize,
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
        let mut flags: Vec<OsString> = vec!["-c".into(), "-emit-llvm".into()];
        match level {
            // Functions are marked as not to be optimised, which is what is wanted.
            Level::O0 => flags.push("-O0".into()),
            // The attributes of the level without its passes: those run on our side.
            level => {
                let digit = level as u8;
                flags.push(format!("-O{digit}").into());
                flags.extend(["-Xclang".into(), "-disable-llvm-passes".into()]);
            }
        }
        // Every global function can be replaced, so none may be looked through.
        flags.extend(["-fPIC".into(), "-fsemantic-interposition".into()]);
        if let Some(cpu) = cpu {
            // clang writes the CPU into each function, where it wins over the
            // runtime's; and the source's own `#ifdef`s must agree with it.
            let flag = if cfg!(target_arch = "x86_64") { "-march" } else { "-mcpu" };
            flags.push(format!("{flag}={cpu}").into());
        }
        if std::io::stderr().is_terminal() {
            // It reaches the terminal through us, which clang cannot see.
            flags.push("-fcolor-diagnostics".into());
        }
        let own = flags.len();
        for text in cflags {
            let words = words::split(text).map_err(|why| Failure::new(format!("--cflags: {why}")))?;
            flags.extend(words.into_iter().map(OsString::from));
        }
        let kept = cache.and_then(|cache| Kept::new(cache.clone(), &flags, own));
        Ok(Self { cc: compilers.cc.clone(), cxx: compilers.cxx.clone(), flags, kept })
    }

    /// Compiles every job and returns the bitcode in the same order. The line on
    /// the terminal says how many are ready.
    ///
    /// What clang says is passed on unchanged, in the order of the jobs however
    /// they finish. All jobs are compiled even when one fails, so that all
    /// errors are seen at once.
    pub fn compile(&self, jobs: &[Job], progress: &Progress) -> Result<Compiled, Failure> {
        let total = jobs.len();
        if total == 0 {
            return Ok(Compiled { bitcode: Vec::new(), kept: 0 });
        }
        progress.say(format!("compiled 0 of {total}"));
        let width = std::thread::available_parallelism().map_or(1, |n| n.get()).min(jobs.len());
        let next = AtomicUsize::new(0);
        let (sender, results) = mpsc::channel();
        let mut kept = 0;
        let mut finished: Vec<Option<Result<Vec<u8>, Failure>>> = Vec::new();
        finished.resize_with(jobs.len(), || None);
        std::thread::scope(|scope| {
            for _ in 0..width {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    // Whoever is free takes the next one: files differ much in size.
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(job) = jobs.get(index) else { return };
                        if sender.send((index, self.make(job))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut diagnostics: Vec<Option<Vec<u8>>> = vec![None; jobs.len()];
            let mut printed = 0;
            for (count, (index, Answer { result, said, found })) in results.into_iter().enumerate() {
                finished[index] = Some(result);
                diagnostics[index] = Some(said);
                kept += usize::from(found);
                progress.say(format!("compiled {} of {total}", count + 1));
                while let Some(Some(text)) = diagnostics.get(printed) {
                    progress.print(text);
                    printed += 1;
                }
            }
        });
        let mut bitcode = Vec::with_capacity(jobs.len());
        let mut failures = Vec::new();
        for result in finished {
            match result.unwrap_or_else(|| Err(Failure::new("a compiler thread died"))) {
                Ok(bytes) => bitcode.push(bytes),
                Err(failure) => failures.push(failure),
            }
        }
        Failure::all(failures).map_or(Ok(Compiled { bitcode, kept }), Err)
    }

    fn compiler(&self, language: Language) -> &Path {
        match language {
            Language::C => &self.cc,
            Language::Cxx => &self.cxx,
        }
    }

    /// Takes what an earlier run has kept, or starts the compiler.
    fn make(&self, job: &Job) -> Answer {
        let path = as_operand(&job.path);
        let compiler = self.compiler(job.language);
        let ticket = match self.kept.as_ref().map(|kept| (kept, kept.find(compiler, &path))) {
            Some((_, Found::Made(Made { bitcode, said }))) => {
                return Answer { result: Ok(bitcode), said, found: true };
            }
            Some((kept, Found::Nothing(Some(ticket)))) => Some((kept, ticket)),
            Some((_, Found::Nothing(None))) | None => None,
        };
        let mut command = Command::new(compiler);
        command.args(&self.flags).args(["-o", "-"]);
        if let Some((_, ticket)) = &ticket {
            command.arg("-MD").arg("-MF").arg(&ticket.rule);
        }
        let output = command.arg(&path).stdin(Stdio::null()).output();
        let (result, said) = self.judge(job, output);
        match (result, ticket) {
            (Ok(bitcode), Some((kept, ticket))) => {
                let made = Made { bitcode, said };
                kept.keep(&ticket, &path, &made);
                Answer { result: Ok(made.bitcode), said: made.said, found: false }
            }
            (result, _) => Answer { result, said, found: false },
        }
    }

    /// The bitcode or the failure, and what the compiler had to say.
    fn judge(&self, job: &Job, output: std::io::Result<Output>) -> (Result<Vec<u8>, Failure>, Vec<u8>) {
        let compiler = self.compiler(job.language).display();
        let path = job.path.display();
        let output = match output {
            Ok(output) => output,
            Err(error) => {
                let failure = Failure::new(format!("{path}: cannot start {compiler}: {error}"));
                return (Err(failure.hint(install_hint(job.language))), Vec::new());
            }
        };
        let result = if !output.status.success() {
            if let Some(what) = doctor::other_than_clang(self.compiler(job.language)) {
                // What it has to say is of flags that it does not know.
                let failure = Failure::new(format!("{path}: {compiler} is not a clang: {what}"));
                let option = job.language.option();
                let hint = format!(
                    "only clang writes LLVM bitcode: leave {option} out, or name a clang; objects that \
                     another compiler made can be run as they are"
                );
                return (Err(failure.hint(hint)), Vec::new());
            }
            Err(Failure::new(format!("{path}: {compiler} failed ({})", output.status)))
        } else if !is_bitcode(&output.stdout) {
            Err(Failure::new(format!("{path}: {compiler} did not write LLVM bitcode"))
                .hint("give --cc and --cxx a clang, and in --cflags nothing that changes the kind of output"))
        } else {
            Ok(output.stdout)
        };
        (result, output.stderr)
    }
}

/// What comes of a job.
struct Answer {
    result: Result<Vec<u8>, Failure>,
    /// By the compiler, for the user.
    said: Vec<u8>,
    /// It was compiled by an earlier run.
    found: bool,
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
