//! `-p DIR`: the units of a program that some build system builds.
//!
//! Owns the way from a build directory to a [`Program`]: which commands there are
//! ([`database`]), which of them make the program ([`builds`], [`link`], [`target`]), with which
//! flags clang compiles them ([`translate`]), and what the modules are called.

mod builds;
mod database;
mod link;
pub mod options;
mod target;
mod translate;

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use self::builds::Builds;
use self::database::Command;
use self::link::Makes;
use self::target::{Parts, Taken, What};
use self::translate::Translator;
use super::failure::Failure;
use super::frontend::Language;
use super::options::{Compilers, Level, ProjectOptions};
use super::program::{Kind, Program, Unit};

/// The program of a project. A `level` that the user has named is every unit's.
pub fn program(
    options: &ProjectOptions,
    folder: &Path,
    compilers: &Compilers,
    level: Option<Level>,
) -> Result<Program, Failure> {
    let shown = folder;
    let folder = home(folder)?;
    let (commands, others) = database::read(&folder)?;
    let mut builds = match &options.link {
        Some(line) => given(line)?,
        None => builds::find(&folder, options.target.as_deref())?,
    };
    builds.files.push(folder.join(database::NAME));
    let (parts, link) = if builds.links.is_empty() {
        if let Some(name) = &options.target {
            return Err(Failure::new(format!(
                "{}: nothing says what {name} is linked from",
                shown.display()
            ))
            .hint("give its link command with --link, or leave --target out: all that is compiled is run"));
        }
        (target::everything(&commands), None)
    } else {
        let link = target::choose(&builds, options.target.as_deref(), &folder)?;
        (target::parts(link, &commands, &builds)?, Some(link))
    };
    let Parts { taken, libraries, library_dirs, mut notes } = parts;
    if taken.is_empty() {
        return Err(Failure::new(format!("{}: no file of it is C, C++ or assembler", shown.display()))
            .hint("is compile_commands.json that of this project? Configure it again"));
    }
    if link.is_none() {
        // Where the objects are known they are missed, if they are.
        notes.extend(others.iter().map(|file| format!("{}: in another language, left out", file.display())));
    }
    let names = names(&taken, &commands, &root(&folder, &commands));
    let mut translator = Translator::default();
    let mut highest = Level::O0;
    let (mut units, mut failures) = (Vec::new(), Vec::new());
    for (part, name) in taken.into_iter().zip(names) {
        match part.what {
            What::Compiled(at) => {
                let command = &commands[at];
                if !command.file.is_file() {
                    failures.push(missing(command, &part.owner, &folder, &builds));
                    continue;
                }
                let clang = match command.language {
                    Kind::Source(Language::Cxx) => &compilers.cxx,
                    _ => &compilers.cc,
                };
                let mut flags = translator.translate(command, clang);
                // A compiler that is told nothing does not optimise.
                let own = level.is_none().then(|| flags.level.take().unwrap_or_else(|| "0".into()));
                let text = own.as_deref().unwrap_or_default();
                highest = highest.max(level.unwrap_or_else(|| level_of(text)));
                flags.flags.extend(own.map(|own| format!("-O{own}").into()));
                units.push(Unit {
                    name,
                    path: command.file.clone(),
                    kind: command.language,
                    flags: flags.flags,
                    directory: Some(command.directory.clone()),
                    on_demand: part.on_demand,
                });
            }
            What::Ready(path, kind) => {
                units.push(Unit { name, on_demand: part.on_demand, ..Unit::new(&path, kind) });
            }
        }
    }
    if let Some(failure) = Failure::all(failures) {
        return Err(failure);
    }
    notes.extend(translator.notes());
    let argv0 = link.map_or_else(|| shown.join("program"), |link| link.output.clone());
    let advice = link.filter(|link| !link.output.exists()).map(|link| {
        let build = if builds.tool.is_empty() { "its build".to_owned() } else { builds.tool.clone() };
        format!(
            "{} was never built; if a generated file is missing, build once: {build}",
            link.output.display()
        )
    });
    let argv0 = Some(argv0.into_os_string());
    let program = Program::new(units, highest);
    Ok(Program { libraries, library_dirs, argv0, notes, advice, made_from: builds.files, ..program })
}

/// The absolute path of the build directory. The database may be a link to the one in it.
fn home(folder: &Path) -> Result<PathBuf, Failure> {
    let absolute = |path: &Path| std::path::absolute(path).map(|path| database::normal(&path));
    let path = absolute(folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    if path.is_file() && path.ends_with(database::NAME) {
        return Ok(path.parent().map_or_else(|| path.clone(), Path::to_owned));
    }
    if !path.is_dir() {
        return Err(Failure::new(format!("{}: no such directory", folder.display()))
            .hint("-p takes the directory in which the project is built and compile_commands.json is"));
    }
    let there = |path: &Path| path.join("CMakeCache.txt").is_file() || path.join("build.ninja").is_file();
    let database = path.join(database::NAME);
    let real = database.canonicalize().ok().and_then(|real| real.parent().map(Path::to_owned));
    Ok(real.filter(|real| !there(&path) && there(real)).unwrap_or(path))
}

/// A link command that the user has given, for here.
fn given(line: &str) -> Result<Builds, Failure> {
    let here =
        std::env::current_dir().map_err(|error| Failure::new(format!("the current directory: {error}")))?;
    let links = link::read(line, &here);
    if !links.iter().any(|link| link.makes == Makes::Executable) {
        return Err(Failure::new("--link: not a command that links a program")
            .hint("give the whole command as make prints it: --link 'cc -o program main.o other.o -lm'"));
    }
    Ok(Builds { links, ..Builds::default() })
}

fn missing(command: &Command, owner: &str, folder: &Path, builds: &Builds) -> Failure {
    let file = command.file.display();
    let failure = Failure::new(format!("{file}: a source of {owner}, and not there"));
    let again = match builds.tool.as_str() {
        "" => "build the project once, and write compile_commands.json anew".to_owned(),
        tool => format!("build the project once: {tool}"),
    };
    if command.file.starts_with(folder) {
        failure.hint(format!("it seems to be generated: {again}"))
    } else {
        failure.hint(format!("if it was removed from the project: {again}"))
    }
}

/// Where the project's sources are.
fn root(folder: &Path, commands: &[Command]) -> PathBuf {
    let cache = std::fs::read_to_string(folder.join("CMakeCache.txt")).unwrap_or_default();
    let home = cache.lines().find_map(|line| line.strip_prefix("CMAKE_HOME_DIRECTORY:INTERNAL="));
    home.map(PathBuf::from).unwrap_or_else(|| {
        let own = commands.iter().filter(|command| !command.file.starts_with(folder));
        let places = own.filter_map(|command| command.file.parent().map(Path::to_owned));
        places.reduce(|one, other| common(&one, &other)).unwrap_or_else(|| folder.to_owned())
    })
}

fn common(one: &Path, other: &Path) -> PathBuf {
    let pairs = one.components().zip(other.components());
    pairs.take_while(|(one, other)| one == other).map(|(part, _): (Component<'_>, _)| part).collect()
}

/// Modules are called by their path in the project; with what they belong to where that is not
/// enough, and a number where that is not either.
fn names(taken: &[Taken], commands: &[Command], root: &Path) -> Vec<String> {
    let path = |taken: &Taken| match &taken.what {
        What::Compiled(at) => commands[*at].file.clone(),
        What::Ready(path, _) => path.clone(),
    };
    let short = |path: &Path| match path.strip_prefix(root) {
        Ok(inside) => inside.display().to_string(),
        Err(_) => path.display().to_string(),
    };
    let mut counts: HashMap<String, usize> = HashMap::new();
    for part in taken {
        *counts.entry(short(&path(part))).or_default() += 1;
    }
    let mut used: HashMap<String, usize> = HashMap::new();
    taken
        .iter()
        .map(|part| {
            let short = short(&path(part));
            let name = if counts[&short] == 1 { short } else { format!("{short} [{}]", part.owner) };
            let number = used.entry(name.clone()).or_default();
            *number += 1;
            if *number == 1 { name } else { format!("{name}#{number}") }
        })
        .collect()
}

/// What a compiler means by the rest of `-O`.
fn level_of(text: &str) -> Level {
    match text {
        "0" => Level::O0,
        "" | "1" | "g" => Level::O1,
        "3" | "4" | "fast" => Level::O3,
        _ => Level::O2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_different() {
        let command = |file: &str| Command {
            file: file.into(),
            named: file.into(),
            directory: "/b".into(),
            compiler: "cc".into(),
            language: Kind::Source(Language::C),
            says_language: false,
            flags: Vec::new(),
            output: None,
        };
        let commands: Vec<Command> =
            ["/p/s/a.c", "/p/s/b.c", "/p/s/b.c", "/p/s/b.c", "/b/g.c"].map(command).into();
        let owners = ["x", "x", "y", "y", "x"];
        let taken: Vec<Taken> = (0..5)
            .map(|at| Taken { what: What::Compiled(at), on_demand: false, owner: owners[at].into() })
            .collect();
        let expected = ["s/a.c", "s/b.c [x]", "s/b.c [y]", "s/b.c [y]#2", "/b/g.c"];
        assert_eq!(names(&taken, &commands, Path::new("/p")), expected);
        assert_eq!(root(Path::new("/b"), &commands), Path::new("/p/s"));
    }
}
