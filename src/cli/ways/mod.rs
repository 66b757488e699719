//! The ways to get an edit into a running program, behind one trait.
//!
//! Owns the words they share: a program and its modules, an edit, and the phases that an edit's
//! time is split into. `hotslot compare` and the benchmarks use the same ways, so this folder
//! knows nothing of the command line; and a way uses only what any host could: hotslot's public
//! interface, LLVM's, the system's compilers and loader.
//!
//! Every user compiles its own copy and uses a part of it.
#![allow(dead_code)]

mod call;
mod closure;
mod codegen;
mod dynamic;
mod hotslot;
pub mod job;
mod libraries;
pub mod loader;
pub mod made_up;
mod native;
mod relink;
mod start_files;
mod system;
mod tools;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The level of optimisation, the same for every way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// None.
    O0,
    /// A little.
    O1,
    /// The usual one.
    O2,
    /// All of it.
    O3,
}

impl Level {
    /// As compilers spell it, and as the name of LLVM's pipeline ends.
    pub fn name(self) -> &'static str {
        match self {
            Self::O0 => "O0",
            Self::O1 => "O1",
            Self::O2 => "O2",
            Self::O3 => "O3",
        }
    }
}

/// A program, in the form every way starts from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Program {
    /// Its modules.
    pub modules: Vec<Module>,
    /// Libraries of the system that it needs, as `-l` names them.
    pub libraries: Vec<String>,
    /// Where to look for them first.
    pub library_dirs: Vec<PathBuf>,
    /// Generate code for this processor instead of what the bitcode says.
    pub cpu: Option<String>,
    /// What compiles and links where a way needs that.
    pub compilers: Compilers,
}

/// One module, at one moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Module {
    /// Its name, the same before and after an edit.
    pub name: String,
    /// LLVM bitcode before any of LLVM's passes.
    #[serde(skip)]
    pub bitcode: Arc<[u8]>,
    /// The file a compiler makes it from. Ways that compile natively take the bitcode, as a
    /// file, where there is none.
    pub file: Option<File>,
}

/// A file for the system's compiler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct File {
    /// C, C++, textual IR or bitcode.
    pub path: PathBuf,
    /// It takes the C++ compiler.
    pub cxx: bool,
    /// The user's flags for it.
    pub flags: Vec<String>,
}

/// The compilers that a native build uses: the same as made the bitcode, so that the ways
/// differ and not the optimisers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Compilers {
    /// For C, IR, bitcode, and for linking C.
    pub cc: PathBuf,
    /// For C++.
    pub cxx: PathBuf,
}

impl Default for Compilers {
    fn default() -> Self {
        Self { cc: "clang-19".into(), cxx: "clang++-19".into() }
    }
}

/// A module's new content, and how to tell that it is live.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Edit {
    /// Which of the program's modules.
    pub module: usize,
    /// Its new content.
    pub to: Module,
    /// A function of the module that others can call. An edit is live when this can be called.
    pub entry: String,
    /// `entry` is an `int entry(void)` and is called. Otherwise its address is looked up, and
    /// nothing is called.
    pub call: bool,
    /// What the new code must answer then, where that is known.
    pub answer: Option<i32>,
}

/// A part of the time between an edit and its first call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A compiler process: front end, optimiser and code generation together.
    Compile,
    /// Reading bitcode; for hotslot, finding out what changed as well.
    Parse,
    /// Linking modules of IR into one.
    Merge,
    /// LLVM's passes.
    Optimise,
    /// LLVM's code generation.
    Code,
    /// Placing and relocating objects, or a linker process.
    Link,
    /// Making code visible: slots stored, a library opened, the program started again.
    Publish,
}

/// All phases, in their order, with the names that they have in tables.
pub const PHASES: [(Phase, &str); 7] = [
    (Phase::Compile, "compile"),
    (Phase::Parse, "parse"),
    (Phase::Merge, "merge"),
    (Phase::Optimise, "optimise"),
    (Phase::Code, "code"),
    (Phase::Link, "link"),
    (Phase::Publish, "publish"),
];

/// Where the time of one edit went.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Split {
    /// What each phase took; a way names those that it has.
    pub phases: Vec<(Phase, Duration)>,
    /// From the new content in hand to the first call, all included.
    pub total: Duration,
    /// What the first call answered.
    pub answer: Option<i32>,
}

impl Split {
    /// Runs a phase and notes what it took.
    pub fn time<T>(&mut self, phase: Phase, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.add(phase, begun.elapsed());
        result
    }

    /// Adds to a phase.
    pub fn add(&mut self, phase: Phase, took: Duration) {
        match self.phases.iter_mut().find(|(known, _)| *known == phase) {
            Some((_, sum)) => *sum += took,
            None => self.phases.push((phase, took)),
        }
    }

    /// What a phase took, if the way has it.
    pub fn of(&self, phase: Phase) -> Option<Duration> {
        self.phases.iter().find(|(known, _)| *known == phase).map(|(_, took)| *took)
    }
}

/// Why a way could not do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// It needs a tool that is not there.
    NotInstalled(String),
    /// It cannot do this program, or failed.
    Failed(String),
}

impl Trouble {
    /// A failure, in words.
    pub fn failed(what: impl fmt::Display) -> Self {
        Self::Failed(what.to_string())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled(tool) => write!(f, "{tool} is not installed"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Trouble {}

/// What a way returns.
pub type Result<T> = std::result::Result<T, Trouble>;

/// A loaded program that takes edits.
pub trait Way {
    /// Makes the edit live. Ends when the edited module's entry can be called, or has been.
    fn edit(&mut self, edit: &Edit) -> Result<Split>;

    /// Waits until nothing is left to do in the background, for a way that does anything there.
    fn settle(&mut self) {}

    /// Where the newest code of a symbol is, for a host that asks now; it may be called while the
    /// way lives. A way whose program runs in another process has none.
    fn address(&self, symbol: &str) -> Result<Option<usize>>;

    /// The process whose memory counts, where it is not this one.
    fn process(&self) -> Option<u32> {
        None
    }

    /// The executable file, where the program is one.
    fn executable(&self) -> Option<&Path> {
        None
    }
}

/// A way, before it has loaded anything.
#[derive(Clone, Copy)]
pub struct Contender {
    /// Its name in tables and on command lines.
    pub name: &'static str,
    /// What it does, in a few words.
    pub what: &'static str,
    /// What becomes of the program's state and of its callers with an edit.
    pub price: &'static str,
    /// Loads a program.
    pub load: fn(&Program, Level) -> Result<Box<dyn Way>>,
    /// The text of the code that a host needs for it.
    pub host: &'static [&'static str],
}

impl Contender {
    /// Lines of code that a host needs: without comments and empty lines.
    pub fn lines(&self) -> usize {
        let code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        self.host.iter().map(|text| text.lines().filter(code).count()).sum()
    }
}

/// The ways, hotslot first.
pub const ALL: &[Contender] = &[
    hotslot::TIERED,
    hotslot::FULL,
    relink::APART,
    relink::TOGETHER,
    closure::CONTENDER,
    libraries::CONTENDER,
    native::SYSTEM,
    native::LLD,
    native::MOLD,
];

/// The way with a name.
pub fn find(name: &str) -> Option<&'static Contender> {
    ALL.iter().find(|way| way.name == name)
}

/// Resident memory of a process in bytes, of this one without a number: first as the kernel
/// counts it, then with pages that are mapped twice counted once.
pub fn resident(process: Option<u32>) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(proc_file(process, "smaps_rollup")).ok()?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
    };
    Some((field("Rss:")?, field("Pss:")?))
}

/// How many mappings a process has.
pub fn mappings(process: Option<u32>) -> Option<u64> {
    let text = std::fs::read_to_string(proc_file(process, "maps")).ok()?;
    Some(text.lines().count() as u64)
}

fn proc_file(process: Option<u32>, name: &str) -> String {
    match process {
        Some(number) => format!("/proc/{number}/{name}"),
        None => format!("/proc/self/{name}"),
    }
}
