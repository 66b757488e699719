//! The definitions of a session, in order.
//!
//! Owns what is defined now, as text: directives, types, functions, variables. A document is cheap
//! to clone, which is what `:undo` goes back to. It deliberately knows nothing of compilers and of
//! what is loaded.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::syntax::{Item, Kind, Name, Space};
use super::tokens;

/// One definition.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition {
    pub kind: Kind,
    /// As it was typed.
    pub text: String,
    /// Where that was.
    pub origin: Origin,
    /// The names that it introduces.
    pub defines: Vec<Name>,
    /// The names that occur in it.
    pub uses: BTreeSet<Name>,
    /// Of a function or variable: what says to others what it is.
    pub declaration: Option<String>,
}

/// Where a definition comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The name that messages have for the text: `input 3`, or a file's.
    pub place: Arc<str>,
    pub line: usize,
    /// The file whose module has the code, which is loaded as a whole.
    pub file: Option<Arc<PathBuf>>,
}

impl Definition {
    /// The definition that an item is.
    pub fn new(item: Item, place: &Arc<str>, file: Option<&Arc<PathBuf>>) -> Self {
        let Item { kind, text, line, defines, uses, declaration, .. } = item;
        let origin = Origin { place: place.clone(), line, file: file.cloned() };
        Self { kind, text, origin, defines, uses, declaration }
    }

    /// The name of a function or variable, which is that of its symbol and of its module.
    pub fn symbol(&self) -> Option<&str> {
        matches!(self.kind, Kind::Function | Kind::Variable)
            .then(|| self.defines.iter().find(|name| name.space == Space::Ordinary))
            .flatten()
            .map(|name| &*name.text)
    }

    /// The symbol, if the definition has a module of its own.
    pub fn module(&self) -> Option<&str> {
        self.symbol().filter(|_| self.origin.file.is_none())
    }

    /// What others see of it.
    pub fn interface(&self) -> &str {
        self.declaration.as_deref().unwrap_or(&self.text)
    }

    /// The same to everybody else, however it is written.
    pub fn is_like(&self, other: &Self) -> bool {
        let is_function = |one: &Self| matches!(one.kind, Kind::Function | Kind::Prototype);
        (self.kind == other.kind || is_function(self) && is_function(other)) && self.shape() == other.shape()
    }

    /// The interface without what only names parameters.
    fn shape(&self) -> String {
        match self.kind {
            Kind::Type | Kind::Directive => tokens::normal(self.interface()),
            _ => tokens::unnamed(self.interface()),
        }
    }

    /// Those names that others need to know to read its interface.
    pub fn needs(&self) -> impl Iterator<Item = &Name> {
        let words: Option<BTreeSet<&str>> =
            self.declaration.as_deref().map(|text| tokens::of(text).iter().map(|t| t.text).collect());
        let is_needed = move |name: &&Name| words.as_ref().is_none_or(|words| words.contains(&*name.text));
        self.uses.iter().filter(is_needed)
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct Document(Arc<Vec<Arc<Definition>>>);

impl Document {
    /// In the order in which they were typed.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Definition>> {
        self.0.iter()
    }

    /// The definition that has this name.
    pub fn find(&self, name: &Name) -> Option<&Arc<Definition>> {
        self.0.iter().rev().find(|one| one.defines.contains(name))
    }

    /// The function or variable of this name.
    pub fn symbol(&self, name: &str) -> Option<&Arc<Definition>> {
        self.0.iter().rev().find(|one| one.symbol() == Some(name))
    }

    /// What is asked for by a name as a user types it: `f`, `T`, `struct s` or `s`.
    pub fn named(&self, words: &str) -> Option<&Arc<Definition>> {
        let (space, text) = match words.split_once(char::is_whitespace) {
            Some(("struct" | "union" | "enum", tag)) => (Space::Tag, tag.trim()),
            _ => (Space::Ordinary, words),
        };
        let find = |space| self.find(&Name { space, text: text.to_owned() });
        find(space).or_else(|| find(Space::Tag))
    }

    /// Adds a definition in the place of those that have one of its names; these are returned.
    pub fn define(&mut self, new: Arc<Definition>) -> Vec<Arc<Definition>> {
        let is_replaced = |old: &Definition| match (old.kind, new.kind) {
            // To say again what is said by the definition is not to define it.
            (Kind::Function | Kind::Variable | Kind::Type, Kind::Prototype) => false,
            // `struct s;` beside what it announces.
            _ if old.text == new.text => true,
            _ => old.defines.iter().any(|name| new.defines.contains(name)),
        };
        let is_known = |name: &Name| match new.kind {
            Kind::Prototype => self.is_defined(name),
            // `struct s;` where there is more of it.
            Kind::Type => {
                !new.text.contains(['{', '=']) && !new.text.contains("typedef") && self.find(name).is_some()
            }
            _ => false,
        };
        if !new.defines.is_empty() && new.defines.iter().all(is_known) {
            return Vec::new();
        }
        let all = Arc::make_mut(&mut self.0);
        let gone: Vec<_> = all.iter().filter(|old| is_replaced(old)).cloned().collect();
        // It stays where the first of them was: what comes between may need it.
        let at = all.iter().position(|old| is_replaced(old)).unwrap_or(all.len());
        all.retain(|old| !is_replaced(old));
        all.insert(at, new);
        gone
    }

    fn is_defined(&self, name: &Name) -> bool {
        self.find(name).is_some_and(|one| matches!(one.kind, Kind::Function | Kind::Variable | Kind::Type))
    }

    /// Puts a definition in the place of another that says the same.
    pub fn exchange(&mut self, old: &Arc<Definition>, new: Arc<Definition>) {
        let all = Arc::make_mut(&mut self.0);
        all.iter_mut().filter(|one| Arc::ptr_eq(one, old)).for_each(|one| *one = new.clone());
    }

    /// Takes definitions out.
    pub fn remove(&mut self, is_gone: impl Fn(&Definition) -> bool) {
        Arc::make_mut(&mut self.0).retain(|one| !is_gone(one));
    }

    /// Whether it is the very same.
    pub fn is(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&*other.0).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// Those that are not in another one.
    pub fn without(&self, other: &Self) -> Vec<Arc<Definition>> {
        let others: HashSet<*const Definition> = other.0.iter().map(Arc::as_ptr).collect();
        self.0.iter().filter(|one| !others.contains(&Arc::as_ptr(one))).cloned().collect()
    }

    /// The directives, each with a line that says where it is from.
    pub fn directives(&self) -> String {
        let directives = self.0.iter().filter(|one| one.kind == Kind::Directive);
        directives.map(|one| located(one, &one.text)).collect()
    }
}

/// A text with the place that messages are to name.
pub fn located(definition: &Definition, text: &str) -> String {
    let Origin { place, line, .. } = &definition.origin;
    let place = place.replace('\\', "\\\\").replace('"', "\\\"");
    format!("#line {line} \"{place}\"\n{text}\n")
}
