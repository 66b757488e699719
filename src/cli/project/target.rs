//! Which files make the program: from the command that links it back to sources.
//!
//! Owns the choice among several programs, and the rule for each kind of input: an object of the
//! project's is its source, an archive of the project's its sources on demand, a shared library of
//! the project's its sources as they are; what is not the project's own is taken as it is. Knows
//! commands and paths, nothing of compiling.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::super::program::Kind;
use super::builds::Builds;
use super::database::Command;
use super::link::{Input, Link, Makes};

/// A file of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub what: What,
    /// Only if something needs it.
    pub on_demand: bool,
    /// The program or library it belongs to.
    pub owner: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    /// What the command with this number compiles.
    Compiled(usize),
    /// What is there already.
    Ready(PathBuf, Kind),
}

/// What a program consists of.
#[derive(Debug, Default)]
pub struct Parts {
    /// In the order of the command that links it.
    pub taken: Vec<Taken>,
    /// As for `-l`.
    pub libraries: Vec<String>,
    pub library_dirs: Vec<PathBuf>,
    pub notes: Vec<String>,
}

/// The program that is meant.
pub fn choose<'a>(builds: &'a Builds, name: Option<&str>, folder: &Path) -> Result<&'a Link, Failure> {
    let programs = || builds.links.iter().filter(|link| link.makes == Makes::Executable);
    let shown = |link: &Link| {
        let path = link.output.strip_prefix(folder).unwrap_or(&link.output).display().to_string();
        match &link.target {
            Some(name) if !path.ends_with(name.as_str()) => format!("{name} ({path})"),
            Some(name) => name.clone(),
            None => path,
        }
    };
    let list = || {
        let mut names: Vec<String> = programs().map(shown).collect();
        names.sort();
        names.dedup();
        names.join(", ")
    };
    let found: Vec<&Link> =
        programs().filter(|link| name.is_none_or(|name| link.is_called(name, folder))).collect();
    let failed = |what: String| Failure::new(format!("{}: {what}", folder.display()));
    match (found.as_slice(), name) {
        // Where a target is reached in several ways its command is printed with each.
        ([one, rest @ ..], _) if rest.iter().all(|other| other.output == one.output) => Ok(one),
        ([], Some(name)) => {
            let what = match builds.links.iter().find(|link| link.is_called(name, folder)) {
                Some(link) => format!("{name} is a library ({}), not a program", link.output.display()),
                None => format!("no program is called {name}"),
            };
            let list = list();
            let hint =
                if list.is_empty() { "no program is built here".into() } else { format!("there is: {list}") };
            Err(failed(what).hint(hint))
        }
        ([], None) => Err(failed("no program is built here, only libraries or nothing".into())
            .hint("add an executable to the project, or give the command that links one with --link")),
        (_, Some(name)) => {
            Err(failed(format!("several programs are called {name}"))
                .hint("name one by its path: --target PATH"))
        }
        (_, None) => Err(failed(format!("several programs are built here: {}", list()))
            .hint("choose one with --target NAME")),
    }
}

/// Everything that `link` is made of.
pub fn parts<'a>(link: &'a Link, commands: &'a [Command], builds: &'a Builds) -> Result<Parts, Failure> {
    let by_output =
        commands.iter().enumerate().filter_map(|(at, command)| Some((command.output.as_deref()?, at)));
    let mut walk = Walk {
        commands,
        objects: by_output.collect(),
        libraries: builds.links.iter().map(|link| (real(&link.output), link)).collect(),
        tool: &builds.tool,
        visited: HashSet::new(),
        seen: HashSet::new(),
        sources: HashMap::new(),
        parts: Parts::default(),
        failures: Vec::new(),
    };
    walk.link(link, false);
    let Walk { mut parts, failures, .. } = walk;
    let mut seen = HashSet::new();
    parts.library_dirs.retain(|dir| seen.insert(dir.clone()));
    Failure::all(failures).map_or(Ok(parts), Err)
}

/// All that is compiled, as one program.
pub fn everything(commands: &[Command]) -> Parts {
    let mut parts = Parts::default();
    let mut places: HashMap<&Path, usize> = HashMap::new();
    for (at, command) in commands.iter().enumerate() {
        let taken = Taken { what: What::Compiled(at), on_demand: false, owner: String::new() };
        match places.get(command.file.as_path()) {
            // As libtool does it, for two kinds of library.
            Some(&place) => {
                parts.notes.push(format!("{}: compiled twice, the last is taken", command.file.display()));
                parts.taken[place] = taken;
            }
            None => {
                places.insert(&command.file, parts.taken.len());
                parts.taken.push(taken);
            }
        }
    }
    parts
}

/// A library is named by one of its links.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

struct Walk<'a> {
    commands: &'a [Command],
    objects: HashMap<&'a Path, usize>,
    libraries: HashMap<PathBuf, &'a Link>,
    tool: &'a str,
    visited: HashSet<PathBuf>,
    seen: HashSet<What>,
    /// What of each file is taken, and of whose.
    sources: HashMap<&'a Path, (usize, String)>,
    parts: Parts,
    failures: Vec<Failure>,
}

impl<'a> Walk<'a> {
    /// What `link` names, which belongs to the program or to a `whole` library in it.
    fn link(&mut self, link: &'a Link, on_demand: bool) {
        let dirs = |input: &Input| match input {
            Input::Directory(dir) => Some(dir.clone()),
            _ => None,
        };
        let dirs: Vec<PathBuf> = link.inputs.iter().filter_map(dirs).collect();
        let owner = link.target.clone().unwrap_or_else(|| file_name(&link.output));
        for input in &link.inputs {
            match input {
                Input::Directory(dir) => self.parts.library_dirs.push(dir.clone()),
                Input::Unfollowed(text) => {
                    self.note(format!("{owner}: {text} of its link command is not followed"));
                }
                Input::Library { name, whole } => match self.own_library(name, &dirs) {
                    Some(own) => self.library(own, *whole),
                    None if self.parts.libraries.contains(name) => {}
                    None => self.parts.libraries.push(name.clone()),
                },
                Input::File { path, whole } => {
                    let on_demand = on_demand && !whole;
                    if let Some(own) = self.libraries.get(&real(path)).copied() {
                        self.library(own, *whole);
                    } else if let Some(&at) = self.objects.get(path.as_path()) {
                        self.object(at, &owner, on_demand, link.makes == Makes::Shared);
                    } else {
                        self.foreign(path, &owner, on_demand, *whole);
                    }
                }
            }
        }
    }

    fn own_library(&self, name: &str, dirs: &[PathBuf]) -> Option<&'a Link> {
        let files = [format!("lib{name}.so"), format!("lib{name}.a")];
        let mut paths = dirs.iter().flat_map(|dir| files.iter().map(move |file| dir.join(file)));
        paths.find_map(|path| self.libraries.get(&real(&path)).copied())
    }

    fn library(&mut self, library: &'a Link, whole: bool) {
        if self.visited.insert(library.output.clone()) {
            self.link(library, library.makes == Makes::Archive && !whole);
        }
    }

    fn object(&mut self, at: usize, owner: &str, on_demand: bool, shared: bool) {
        let command = &self.commands[at];
        if let Some((other, first)) = self.sources.get(command.file.as_path())
            && shared
            && same_code(&self.commands[*other], command)
        {
            // Every name in it means the program's own, which is searched first.
            let file = command.file.display();
            self.note(format!("{file}: part of {first} and of {owner}, loaded once"));
            return;
        }
        self.sources.entry(&command.file).or_insert_with(|| (at, owner.to_owned()));
        self.take(What::Compiled(at), owner, on_demand);
    }

    /// A file that the project does not compile, or not by a command in the database.
    fn foreign(&mut self, path: &Path, owner: &str, on_demand: bool, whole: bool) {
        let name = file_name(path);
        if !path.is_file() {
            let object = name.ends_with(".o");
            let what =
                if object { "which no command in compile_commands.json makes" } else { "which is not built" };
            let failure = Failure::new(format!(
                "{}: {owner} is linked with it, {what} and which is not there",
                path.display()
            ));
            let hint = match self.tool {
                "" => "build the project once, or correct the link command".to_owned(),
                tool => format!("build the project once: {tool}"),
            };
            self.failures.push(failure.hint(hint));
        } else if name.ends_with(".o") || name.ends_with(".obj") {
            self.take(What::Ready(path.to_owned(), Kind::Ready), owner, on_demand);
        } else if name.ends_with(".a") {
            self.take(What::Ready(path.to_owned(), Kind::Archive), owner, !whole);
        } else {
            let library = format!(":{}", path.display());
            if !self.parts.libraries.contains(&library) {
                self.parts.libraries.push(library);
            }
        }
    }

    fn take(&mut self, what: What, owner: &str, on_demand: bool) {
        if self.seen.insert(what.clone()) {
            self.parts.taken.push(Taken { what, on_demand, owner: owner.to_owned() });
        } else if !on_demand && let Some(taken) = self.parts.taken.iter_mut().find(|taken| taken.what == what)
        {
            taken.on_demand = false;
        }
    }

    fn note(&mut self, text: String) {
        if !self.parts.notes.contains(&text) {
            self.parts.notes.push(text);
        }
    }
}

/// Whether two commands make the same of a file, but for where it is linked into.
fn same_code(one: &Command, other: &Command) -> bool {
    let flags = |command: &Command| -> Vec<String> {
        let of_place =
            |flag: &&String| !flag.to_ascii_lowercase().starts_with("-fpi") && !flag.ends_with("_EXPORTS");
        command.flags.iter().filter(of_place).cloned().collect()
    };
    one.file == other.file && flags(one) == flags(other)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
