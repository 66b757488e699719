//! The list of units of a run: what is loaded, each as a module of its own.
//!
//! Owns what is known of a unit before anything is compiled, and making the list from files that
//! are named on the command line. Where they come from a project is `project/`'s business; what
//! is done with them is `run.rs`'s.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::frontend::{Job, Language};
use super::options::{Level, RunOptions};
use super::project;

/// One file and what it takes to load it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The name of its module, which no other unit has.
    pub name: String,
    /// The file, as the user named it or as an absolute path.
    pub path: PathBuf,
    /// What is in it.
    pub kind: Kind,
    /// Flags of its own for the compiler, after those of the whole run.
    pub flags: Vec<OsString>,
    /// Where the compiler is started, if not here.
    pub directory: Option<PathBuf>,
    /// It is loaded only where something needs it, as a linker takes members of an archive.
    pub on_demand: bool,
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// C or C++.
    Source(Language),
    /// Assembler, which is made an object of; with what a preprocessor has to be run on.
    Assembly,
    /// IR, bitcode or an object.
    Ready,
    /// A static library, each member a module.
    Archive,
}

impl Unit {
    /// A unit without anything of its own.
    pub fn new(path: &Path, kind: Kind) -> Self {
        Self {
            name: path.display().to_string(),
            path: path.to_owned(),
            kind,
            flags: Vec::new(),
            directory: None,
            // As a linker takes them: only the members somebody wants.
            on_demand: kind == Kind::Archive,
        }
    }

    /// What the front end has to do for it; nothing where it is no C and no C++.
    pub fn job(&self) -> Option<Job> {
        match self.kind {
            Kind::Source(language) => Some(Job {
                path: self.path.clone(),
                language,
                flags: self.flags.clone(),
                directory: self.directory.clone(),
            }),
            Kind::Assembly | Kind::Ready | Kind::Archive => None,
        }
    }
}

/// What is run.
#[derive(Debug, Clone)]
pub struct Program {
    /// In the order a linker would get them.
    pub units: Vec<Unit>,
    /// Libraries as for `-l`, before those of the command line; `:` and a path is that file.
    pub libraries: Vec<String>,
    /// Where they are looked for first.
    pub library_dirs: Vec<PathBuf>,
    /// The program's argv[0], if nobody says another.
    pub argv0: Option<OsString>,
    /// The level that its most optimised unit is compiled at.
    pub level: Level,
    /// What the user is told before anything is compiled.
    pub notes: Vec<String>,
    /// What to do where a file cannot be compiled.
    pub advice: Option<String>,
    /// Files that say what the program consists of: if they change, so may that.
    pub made_from: Vec<PathBuf>,
}

impl Program {
    /// A program of these units alone.
    pub fn new(units: Vec<Unit>, level: Level) -> Self {
        Self {
            units,
            level,
            libraries: Vec::new(),
            library_dirs: Vec::new(),
            argv0: None,
            notes: Vec::new(),
            advice: None,
            made_from: Vec::new(),
        }
    }

    /// What the options name: a project, or files.
    pub fn chosen(options: &RunOptions) -> Result<Self, Failure> {
        match &options.project.project {
            Some(folder) => project::program(&options.project, folder, &options.compilers, options.optimise),
            None if options.project.target.is_some() || options.project.link.is_some() => {
                Err(Failure::new("--target and --link are about a project")
                    .hint("name the directory it is built in with -p"))
            }
            None => Self::of_files(&options.files, options.optimise.unwrap_or(Level::O2)),
        }
    }

    /// Checks the files by name and presence, so that nothing is compiled in vain.
    fn of_files(files: &[PathBuf], level: Level) -> Result<Self, Failure> {
        let mut seen = HashSet::new();
        let mut units = Vec::new();
        let mut failures = Vec::new();
        for path in files {
            match kind_of(path) {
                _ if !seen.insert(path) => {
                    failures.push(Failure::new(format!("{}: given twice", path.display())));
                }
                Ok(kind) => units.push(Unit::new(path, kind)),
                Err(failure) => failures.push(failure),
            }
        }
        let argv0 = files.first().map(|file| file.clone().into_os_string());
        Failure::all(failures).map_or(Ok(Self { argv0, ..Self::new(units, level) }), Err)
    }
}

/// What is in a file, by its name; it has to be there.
pub fn kind_of(path: &Path) -> Result<Kind, Failure> {
    let name = path.display();
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("c") => Kind::Source(Language::C),
        Some("cc" | "cpp" | "cxx") => Kind::Source(Language::Cxx),
        Some("s" | "S") => Kind::Assembly,
        Some("ll" | "bc" | "o") => Kind::Ready,
        Some("a") => Kind::Archive,
        _ => {
            return Err(Failure::new(format!("{name}: unknown kind of file")).hint(
                "files end in .c .cc .cpp .cxx .s .S .ll .bc .o or .a; what follows `--` goes to the program",
            ));
        }
    };
    match std::fs::metadata(path) {
        Ok(data) if data.is_dir() => Err(Failure::new(format!("{name}: is a directory"))),
        Ok(_) => Ok(kind),
        Err(error) => Err(Failure::new(format!("{name}: {error}"))),
    }
}
