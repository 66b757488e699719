//! Files that are loaded as modules: `.c`, `.ll`, `.bc`, `.o`, and shared libraries.
//!
//! Owns which files are loaded, and what the session learns of a C file's definitions: they are
//! known by their declarations, and may be replaced by what is typed. Of other files only the
//! linker knows the names; the user declares what is to be used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotslot::Source;

use super::branches;
use super::document::{Definition, Document};
use super::front_end::Output;
use super::machine::Step;
use super::session::{Failed, Session};
use super::syntax::{self, Item, Kind, Known, Name, Space};
use super::tokens;

/// The files that are loaded, by their real paths, each with its module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    modules: BTreeMap<PathBuf, File>,
    libraries: Vec<String>,
}

#[derive(Debug, Clone)]
struct File {
    /// The module's name: the path as it was given first.
    module: String,
    source: Arc<Loaded>,
}

/// What a module was made of.
struct Loaded(Source);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0.hash())
    }
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.module == other.module && Arc::ptr_eq(&self.source, &other.source)
    }
}

impl Eq for File {}

impl Files {
    /// What takes the runtime from these files to those.
    pub fn steps_to(&self, other: &Self) -> Vec<Step> {
        let gone = self.modules.iter().filter(|(path, _)| !other.modules.contains_key(*path));
        let gone = gone.map(|(_, file)| Step::Remove(file.module.clone()));
        let new = other.modules.iter().filter(|(path, file)| self.modules.get(*path) != Some(file));
        gone.chain(new.map(|(_, file)| Step::Set(file.module.clone(), file.source.0.clone()))).collect()
    }

    /// As they were named: libraries, then files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.libraries.iter().map(String::as_str).chain(self.modules.values().map(|file| &*file.module))
    }
}

/// Loads a file, or what has changed of it since; or a library.
pub fn load(session: &mut Session, words: &str) -> Result<(), Failed> {
    let words = words.trim().trim_matches('"');
    let path = Path::new(words);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let is_library = words.starts_with("-l") || words.ends_with(".so") || words.contains(".so.");
    if is_library {
        session.machine.library(words).map_err(|error| {
            session.console.error(&super::faults::told(&error));
            Failed
        })?;
        // It stays open.
        session.files.libraries.push(words.to_owned());
        return Ok(());
    }
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) => {
            session.console.error(&format!("{words} cannot be read: {error}"));
            return Err(Failed);
        }
    };
    let source = match extension {
        "c" => compiled(session, path)?,
        _ => Source::from_path(path).map_err(|error| {
            session.console.error(&super::faults::told(&error));
            Failed
        })?,
    };
    let mut files = session.files.clone();
    let module = files.modules.get(&real).map_or_else(|| words.to_owned(), |file| file.module.clone());
    files.modules.insert(real.clone(), File { module, source: Arc::new(Loaded(source)) });
    let bare = document_without(&session.document, &real);
    if extension == "c" {
        match document_with(session, &bare, path, &real) {
            Ok(document) => match session.try_become(document, files.clone()) {
                Ok(()) => return Ok(()),
                Err(why) => {
                    let what = "the session's definitions do not go with its own:";
                    session.console.note(&format!("{words}: {what}"));
                    why.tell(&session.console);
                }
            },
            Err(why) => session.console.note(&format!("{words}: {why}")),
        }
        session.console.note("declare what you use of it");
    }
    session.become_these(bare, files)
}

fn compiled(session: &mut Session, path: &Path) -> Result<Source, Failed> {
    let cancel = session.new_cancel();
    let made =
        session.clang.compile_file(path, Output::Bitcode, &cancel).map_err(|why| session.refuse(why))?;
    session.console.tell("", &made.warnings);
    Ok(Source::bitcode(made.bytes).trusted().label(path.to_string_lossy()))
}

fn document_without(document: &Document, file: &Path) -> Document {
    let mut document = document.clone();
    document.remove(|one| one.origin.file.as_deref().is_some_and(|of| of == file));
    document
}

/// The names that a file and the session know.
struct Both<'n>(&'n dyn Known, BTreeSet<String>);

impl Known for Both<'_> {
    fn is_type(&self, name: &str) -> bool {
        self.1.contains(name) || self.0.is_type(name)
    }
}

/// The document with what a C file declares.
fn document_with(session: &Session, bare: &Document, path: &Path, real: &Path) -> Result<Document, String> {
    let mut text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let cancel = session.new_cancel();
    let expanded = |output| {
        let made = session.clang.compile_file(path, output, &cancel);
        let made = made.map_err(|_| "it has changed meanwhile".to_owned())?;
        Ok::<_, String>(String::from_utf8_lossy(&made.bytes).into_owned())
    };
    if branches::has_any(&text) {
        text = branches::taken(&expanded(Output::Branches)?);
    }
    let is_code = |line: &&str| !line.starts_with('#');
    let code: String =
        expanded(Output::Preprocessed)?.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect();
    let types = syntax::names_declared(&code, &session.names).into_iter();
    let types = types.filter(|(name, is_type)| *is_type && name.space == Space::Ordinary);
    let known = Both(&session.names, types.map(|(name, _)| name.text).collect());
    let items = syntax::parse(&text, &known).map_err(|trouble| {
        let syntax::Trouble { line, message, .. } = trouble;
        format!("line {line}: {message}")
    })?;
    let place: Arc<str> = path.display().to_string().into();
    let file = Arc::new(real.to_owned());
    let mut document = bare.clone();
    for item in items.into_iter().filter_map(|item| of_interest(item, real)) {
        let new = Arc::new(Definition::new(item, &place, Some(&file)));
        // What is the same is not new.
        let old = session.document.iter().find(|old| **old == new);
        document.define(old.cloned().unwrap_or(new));
    }
    Ok(document)
}

/// What others can use of a file.
fn of_interest(mut item: Item, file: &Path) -> Option<Item> {
    match item.kind {
        Kind::Directive => {
            let words: Vec<&str> = tokens::of(&item.text).iter().take(2).map(|token| token.text).collect();
            match words.get(1) {
                Some(&"include") => item.text = from_anywhere(&item.text, file),
                Some(&"define") => {}
                _ => return None,
            }
            Some(item)
        }
        Kind::Type | Kind::Prototype => Some(item),
        Kind::Function | Kind::Variable => {
            let is_static = tokens::of(&item.text)
                .iter()
                .take_while(|token| token.depth > 0 || !matches!(token.text, "=" | "{"))
                .any(|token| token.depth == 0 && token.text == "static");
            let is_main = item.defines.contains(&Name { space: Space::Ordinary, text: "main".to_owned() });
            (!is_static && !is_main).then_some(item)
        }
        Kind::Statement | Kind::Expression | Kind::Command => None,
    }
}

/// An `#include` of a file beside another one, for those who are elsewhere.
fn from_anywhere(text: &str, file: &Path) -> String {
    let tokens = tokens::of(text);
    let literal = tokens.iter().find(|token| token.text.starts_with('"'));
    let Some((at, name)) = literal.map(|token| (token.at, token.text)) else { return text.to_owned() };
    let beside =
        file.parent().map(|folder| folder.join(name.trim_matches('"'))).filter(|path| path.is_file());
    let path = |path: PathBuf| format!("{}\"{}\"{}", &text[..at], path.display(), &text[at + name.len()..]);
    beside.map_or_else(|| text.to_owned(), path)
}
