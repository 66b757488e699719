//! From files to a job: the program's bitcode and its edits, the user's or made-up ones.
//!
//! Owns which edit belongs to which file. Measures the front end, as that is done here.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::failure::Failure;
use super::super::frontend::{Frontend, Job, Language};
use super::super::options::Level;
use super::super::progress::Progress;
use super::super::ways::{self, Compilers, Edit, File, Module, Program, made_up};
use super::super::words;
use super::options::CompareOptions;

/// For the edits of one way in one round: a full relink of a big program takes minutes.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is compared.
pub struct Input {
    /// For each way the same.
    pub job: ways::job::Job,
    /// Of the job's edits, those that are measured; the others take one back.
    pub counted: Vec<bool>,
    /// What the front end took for each edit that is measured, if it has one.
    pub front_end: Vec<Duration>,
    /// The edits are ours.
    pub made_up: bool,
    /// The program's name and arguments, to run it.
    pub words: Vec<OsString>,
}

impl Input {
    /// Compiles the files and finds the edits.
    pub fn read(options: &CompareOptions, progress: &Progress) -> Result<Self, Failure> {
        let wishes = wishes(options)?;
        let cflags = cflags(options, &wishes);
        let flags = split(&cflags)?;
        let paths = options.files.iter().chain(wishes.iter().map(|(_, path)| path));
        let files = all(paths.map(|path| Ok((path.as_path(), kind(path)?))))?;
        let cpu = options.cpu.as_deref();
        let frontend = Frontend::new(&options.compilers, options.optimise, cpu, &cflags, None)?;
        let mut modules = modules(&files, &flags, &frontend, progress)?;
        let news = modules.split_off(options.files.len());
        let program = Program {
            modules,
            libraries: options.libraries.clone(),
            library_dirs: options.library_dirs.clone(),
            cpu: options.cpu.clone(),
            compilers: Compilers { cc: options.compilers.cc.clone(), cxx: options.compilers.cxx.clone() },
        };
        let (edits, counted) = if wishes.is_empty() {
            let edits = invented(&program, options.count as usize)?;
            let counted = vec![true; edits.len()];
            (edits, counted)
        } else {
            given(&program, &wishes, news, options)?
        };
        let front_end = front_end(&edits, &counted, &frontend, progress)?;
        let level = match options.optimise {
            Level::O0 => ways::Level::O0,
            Level::O1 => ways::Level::O1,
            Level::O2 => ways::Level::O2,
            Level::O3 => ways::Level::O3,
        };
        let first = options.files.first().map(|path| path.clone().into_os_string());
        let words = first.into_iter().chain(options.args.iter().cloned()).collect();
        let job = ways::job::Job { program, edits, level, patience: PATIENCE };
        Ok(Self { job, counted, front_end, made_up: wishes.is_empty(), words })
    }
}

/// For each `--edit`: which file, and its new content.
fn wishes(options: &CompareOptions) -> Result<Vec<(usize, PathBuf)>, Failure> {
    all(options.edits.iter().map(|text| wish(&options.files, text)))
}

fn wish(files: &[PathBuf], text: &OsStr) -> Result<(usize, PathBuf), Failure> {
    let bytes = text.as_bytes();
    // A file whose name has a `=` in it may be meant as it is.
    let parts = bytes.iter().position(|byte| *byte == b'=').filter(|_| !Path::new(text).exists());
    let (old, new) = match parts {
        Some(at) => (Path::new(OsStr::from_bytes(&bytes[..at])), OsStr::from_bytes(&bytes[at + 1..])),
        None => (Path::new(text), text),
    };
    let new = Path::new(new);
    if let Err(error) = std::fs::metadata(new) {
        return Err(Failure::new(format!("--edit {}: {error}", new.display())));
    }
    let exact = files.iter().position(|file| parts.is_some() && file == old);
    let same_name: Vec<usize> =
        (0..files.len()).filter(|&at| files[at].file_name() == old.file_name()).collect();
    let index = match (exact, same_name.as_slice()) {
        (Some(index), _) | (None, &[index]) => index,
        (None, []) => {
            return Err(Failure::new(format!("--edit {}: none of the files has this name", old.display()))
                .hint("say which one it replaces: --edit OLD=NEW"));
        }
        (None, _) => {
            return Err(Failure::new(format!("--edit {}: several files have this name", old.display()))
                .hint("say which one it replaces: --edit path/of/OLD=NEW"));
        }
    };
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    if canonical(new).is_some() && canonical(new) == canonical(&files[index]) {
        return Err(Failure::new(format!("--edit {}: this is the file itself", new.display()))
            .hint("give a changed copy of it"));
    }
    Ok((index, new.to_owned()))
}

/// What is in a file, as its name says: IR has no language.
fn kind(path: &Path) -> Result<Option<Language>, Failure> {
    let name = path.display();
    let kind = match path.extension().and_then(OsStr::to_str) {
        Some("c") => Some(Language::C),
        Some("cc" | "cpp" | "cxx") => Some(Language::Cxx),
        Some("ll" | "bc") => None,
        Some("o" | "a") => {
            return Err(Failure::new(format!("{name}: objects and archives cannot be compared"))
                .hint("most ways need what is compiled: give the sources or their bitcode"));
        }
        _ => {
            return Err(Failure::new(format!("{name}: unknown kind of file"))
                .hint("files end in .c .cc .cpp .cxx .ll or .bc"));
        }
    };
    match std::fs::metadata(path) {
        Ok(data) if data.is_dir() => Err(Failure::new(format!("{name}: is a directory"))),
        Ok(_) => Ok(kind),
        Err(error) => Err(Failure::new(format!("{name}: {error}"))),
    }
}

/// The user's flags for the compiler; and a copy elsewhere finds the headers beside its original.
fn cflags(options: &CompareOptions, wishes: &[(usize, PathBuf)]) -> Vec<String> {
    let mut flags = options.cflags.clone();
    for (index, _) in wishes {
        let directory = match options.files[*index].parent() {
            Some(parent) if parent != Path::new("") => parent.display().to_string(),
            _ => ".".to_owned(),
        };
        flags.push(format!("-iquote '{}'", directory.replace('\'', r"'\''")));
    }
    flags
}

/// The same as words, for ways that start the compiler themselves.
fn split(cflags: &[String]) -> Result<Vec<String>, Failure> {
    let words = cflags.iter().map(|text| words::split(text));
    let words = all(words.map(|split| split.map_err(|why| Failure::new(format!("--cflags: {why}")))))?;
    Ok(words.into_iter().flatten().collect())
}

/// Every file's bitcode.
fn modules(
    files: &[(&Path, Option<Language>)],
    flags: &[String],
    frontend: &Frontend,
    progress: &Progress,
) -> Result<Vec<Module>, Failure> {
    let job =
        |(path, language): &(&Path, Option<Language>)| language.map(|language| Job::new(*path, language));
    let jobs: Vec<Job> = files.iter().filter_map(job).collect();
    let mut compiled = frontend.compile(&jobs, progress)?.bitcode.into_iter();
    all(files.iter().map(|&(path, language)| {
        let name = path.display().to_string();
        let bitcode = match language {
            Some(_) => compiled.next().unwrap_or_default(),
            None => made_up::bitcode(path).map_err(|why| Failure::new(why.to_string()))?,
        };
        let file = File {
            path: path.to_owned(),
            cxx: language == Some(Language::Cxx),
            flags: language.map_or(Vec::new(), |_| flags.to_vec()),
        };
        Ok(Module { name, bitcode: Arc::from(bitcode), file: Some(file) })
    }))
}

/// Edits of our own, spread over the modules.
fn invented(program: &Program, count: usize) -> Result<Vec<Edit>, Failure> {
    let mut able = Vec::new();
    for module in 0..program.modules.len() {
        if made_up::edit(program, module, 0)?.is_some() {
            able.push(module);
        }
    }
    if able.is_empty() {
        return Err(Failure::new(
            "no file defines a function that others can call, so there is nothing to edit",
        ));
    }
    let mut edits = Vec::new();
    for number in 0..count {
        let at = if count <= able.len() { number * able.len() / count } else { number % able.len() };
        edits.extend(made_up::edit(program, able[at], number as u64 + 1)?);
    }
    // The text that a compiler is given stays the same: it has the same work with it.
    Ok(edits)
}

/// The user's edits, in turn: each is made, measured and taken back, as often as wanted.
fn given(
    program: &Program,
    wishes: &[(usize, PathBuf)],
    news: Vec<Module>,
    options: &CompareOptions,
) -> Result<(Vec<Edit>, Vec<bool>), Failure> {
    let mut pairs = Vec::new();
    for ((module, path), new) in wishes.iter().zip(news) {
        let old = &program.modules[*module];
        let before = made_up::entries(old)?;
        let after = made_up::entries(&new)?;
        let entry = match &options.call {
            Some(name) if after.iter().any(|(known, _)| known == name) => Some(name),
            Some(name) => {
                let path = path.display();
                return Err(Failure::new(format!("--call {name}: {path} defines no function `{name}`")));
            }
            // One that changed tells most.
            None => {
                after.iter().find(|&entry| !before.contains(entry)).or(after.first()).map(|(name, _)| name)
            }
        };
        let (Some(entry), Some((back, _))) = (entry, before.first()) else {
            let path = path.display();
            return Err(Failure::new(format!("--edit {path}: defines no function that others can call")));
        };
        let (call, module) = (options.call.is_some(), *module);
        let to = Module { name: old.name.clone(), ..new };
        let there = Edit { module, to, entry: entry.clone(), call, answer: None };
        let back = Edit { module, to: old.clone(), entry: back.clone(), call: false, answer: None };
        pairs.push((there, back));
    }
    let (mut edits, mut counted) = (Vec::new(), Vec::new());
    for (there, back) in std::iter::repeat_n(&pairs, options.count as usize).flatten() {
        edits.extend([there.clone(), back.clone()]);
        counted.extend([true, false]);
    }
    // There is no need to take the last one back.
    edits.pop();
    counted.pop();
    Ok((edits, counted))
}

/// What the front end takes for the file of each edit that counts; nothing for IR.
fn front_end(
    edits: &[Edit],
    counted: &[bool],
    frontend: &Frontend,
    progress: &Progress,
) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    for (edit, _) in edits.iter().zip(counted).filter(|(_, counted)| **counted) {
        let Some(file) = &edit.to.file else { continue };
        if let Some(language) = kind(&file.path)? {
            let begun = Instant::now();
            frontend.compile(&[Job::new(file.path.as_path(), language)], progress)?;
            times.push(begun.elapsed());
        }
    }
    Ok(times)
}

/// All results, or all failures.
fn all<T>(results: impl Iterator<Item = Result<T, Failure>>) -> Result<Vec<T>, Failure> {
    let (mut good, mut failures) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures).map_or(Ok(good), Err)
}

impl From<ways::Trouble> for Failure {
    fn from(trouble: ways::Trouble) -> Self {
        Self::new(trouble.to_string())
    }
}
