//! From one document to another: what has to be compiled, and what has to go.
//!
//! Owns that difference, whatever brought it: an input, `:undo`, a file that is loaded again. It
//! deliberately knows nothing of how anything is compiled.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::dependencies;
use super::document::{Definition, Document};
use super::syntax::{Kind, Name};
use super::tokens;

/// What it takes.
#[derive(Debug, Default)]
pub struct Change {
    /// Definitions that have not been there.
    pub new: Vec<Arc<Definition>>,
    /// Functions and variables whose text is the same and means something else.
    pub rebuilt: Vec<Arc<Definition>>,
    /// Modules that are no more.
    pub removed: Vec<String>,
    /// What cannot follow, and why.
    pub stuck: Vec<String>,
    /// Whether directives are others.
    pub directives: bool,
}

impl Change {
    /// From `old` to `new`.
    pub fn between(old: &Document, new: &Document) -> Self {
        let (added, gone) = (new.without(old), old.without(new));
        let mut changed: BTreeSet<Name> = BTreeSet::new();
        for name in added.iter().chain(&gone).flat_map(|one| &one.defines) {
            match (old.find(name), new.find(name)) {
                (Some(before), Some(now)) if before.is_like(now) => {}
                // Nobody before could have meant it.
                (None, Some(now)) if now.kind != Kind::Directive => {}
                _ => _ = changed.insert(name.clone()),
            }
        }
        let macros: BTreeSet<&str> = changed
            .iter()
            .filter(|name| [old, new].iter().any(|document| is_macro(document, name)))
            .map(|name| &*name.text)
            .collect();
        // What an `#include` says may be anything, where it is there again.
        let is_again = |one: &&Arc<Definition>| {
            one.kind == Kind::Directive && gone.iter().any(|gone| gone.text == one.text)
        };
        let again = added.iter().any(|one| is_again(&one));
        let after: BTreeSet<*const Definition> =
            dependencies::after(new, &changed).into_iter().map(Arc::as_ptr).collect();
        let is_new: BTreeSet<*const Definition> = added.iter().map(Arc::as_ptr).collect();
        let is_rebuilt = |one: &Arc<Definition>| {
            let mentions = || tokens::of(&one.text).iter().any(|token| macros.contains(token.text));
            !is_new.contains(&Arc::as_ptr(one))
                && one.module().is_some()
                && (again || after.contains(&Arc::as_ptr(one)) || !macros.is_empty() && mentions())
        };
        let rebuilt = new.iter().filter(|one| is_rebuilt(one)).cloned().collect();
        let symbols: BTreeSet<&str> = new.iter().filter_map(|one| one.module()).collect();
        let removed = gone.iter().filter_map(|one| one.module());
        let removed = removed.filter(|name| !symbols.contains(name)).map(str::to_owned).collect();
        let directives = added.iter().chain(&gone).any(|one| one.kind == Kind::Directive);
        let stuck = stuck(old, new, &changed);
        Self { new: added, rebuilt, removed, stuck, directives }
    }
}

/// Code of files that relies on what a name means in its file, where it would mean something else.
fn stuck(old: &Document, new: &Document, changed: &BTreeSet<Name>) -> Vec<String> {
    let mut lines = Vec::new();
    for one in new.iter().filter(|one| one.origin.file.is_some() && one.symbol().is_some()) {
        let is_from_there = |document: &Document, name: &Name| {
            document
                .find(name)
                .is_some_and(|of| of.origin.file == one.origin.file && of.kind != Kind::Directive)
        };
        for name in one.uses.intersection(changed) {
            if is_from_there(old, name) && !is_from_there(new, name) && new.find(name).is_some() {
                let (user, place, name) = (one.symbol().unwrap_or_default(), &one.origin.place, &name.text);
                lines.push(format!(
                    "error: {user} ({place}) uses {name} as it is there: edit the file and load it again\n"
                ));
            }
        }
    }
    lines
}

fn is_macro(document: &Document, name: &Name) -> bool {
    document.find(name).is_some_and(|one| one.kind == Kind::Directive)
}
