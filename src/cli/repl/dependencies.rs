//! Which definitions need which.
//!
//! Owns the two directions: what has to stand before a text for it to be read, in an order that
//! C accepts, and what has to be read again when a name comes to mean something else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::document::{Definition, Document};
use super::syntax::{Kind, Name, Space};
use super::tokens;

/// Definitions by each of their names.
struct Index<'d>(BTreeMap<&'d Name, usize>, Vec<&'d Arc<Definition>>);

impl<'d> Index<'d> {
    fn of(document: &'d Document) -> Self {
        let all: Vec<_> = document.iter().collect();
        let names = all.iter().enumerate().flat_map(|(at, one)| one.defines.iter().map(move |n| (n, at)));
        Self(names.collect(), all)
    }

    fn needs(&self, at: usize) -> impl Iterator<Item = (&'d Name, usize)> {
        let needs = self.1[at].needs();
        needs.filter_map(|name| Some((name, *self.0.get(name)?)))
    }
}

/// What has to be known to read a text that uses these names, those first that others need.
/// Directives are not among it, but what they lead to is.
pub fn before<'d>(document: &'d Document, uses: &BTreeSet<Name>) -> Vec<&'d Arc<Definition>> {
    let index = Index::of(document);
    let mut needed = BTreeSet::new();
    let mut queue: Vec<usize> = uses.iter().filter_map(|name| index.0.get(name).copied()).collect();
    while let Some(at) = queue.pop() {
        if needed.insert(at) {
            queue.extend(index.needs(at).map(|(_, at)| at));
        }
    }
    in_order(&index, &needed)
}

/// All types and declarations.
pub fn all(document: &Document) -> Vec<&Arc<Definition>> {
    let index = Index::of(document);
    in_order(&index, &(0..index.1.len()).collect())
}

fn in_order<'d>(index: &Index<'d>, wanted: &BTreeSet<usize>) -> Vec<&'d Arc<Definition>> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    // As deep as types are nested; by hand, because a session may be hostile.
    for &first in wanted {
        let mut stack = vec![(first, false)];
        while let Some((at, is_done)) = stack.pop() {
            if is_done {
                order.push(at);
            } else if seen.insert(at) {
                stack.push((at, true));
                let strong: Vec<usize> = index
                    .needs(at)
                    .filter(|(name, other)| wanted.contains(other) && !is_weak(index.1[at], name))
                    .map(|(_, other)| other)
                    .collect();
                stack.extend(strong.into_iter().rev().map(|other| (other, false)));
            }
        }
    }
    order.into_iter().map(|at| index.1[at]).filter(|one| one.kind != Kind::Directive).collect()
}

/// Whether it is enough that the tag has been announced: `struct s *p`, `typedef struct s s;`.
fn is_weak(definition: &Definition, name: &Name) -> bool {
    if name.space != Space::Tag {
        return false;
    }
    let text = definition.interface();
    let tokens = tokens::of(text);
    let only_named = tokens.iter().all(|token| token.text != "{");
    if definition.kind == Kind::Type && only_named {
        return true;
    }
    let mut places = (1..tokens.len()).filter(|&at| {
        tokens[at].text == name.text && matches!(tokens[at - 1].text, "struct" | "union" | "enum")
    });
    places.all(|at| {
        let next = tokens[at + 1..].iter().find(|token| !matches!(token.text, "const" | "volatile"));
        tokens[at - 1].text != "enum" && next.is_some_and(|token| token.text == "*")
    })
}

/// Those that have to be compiled again, or are another type, when these names mean something else:
/// whoever uses one, and whoever uses what is said in its terms.
pub fn after<'d>(document: &'d Document, changed: &BTreeSet<Name>) -> Vec<&'d Arc<Definition>> {
    let all: Vec<_> = document.iter().collect();
    let mut users: BTreeMap<&Name, Vec<usize>> = BTreeMap::new();
    for (at, one) in all.iter().enumerate() {
        one.uses.iter().for_each(|name| users.entry(name).or_default().push(at));
    }
    let mut found = BTreeSet::new();
    let mut seen = changed.clone();
    let mut queue: VecDeque<Name> = changed.iter().cloned().collect();
    while let Some(name) = queue.pop_front() {
        for &at in users.get(&name).into_iter().flatten() {
            found.insert(at);
            if all[at].needs().any(|needed| *needed == name) {
                let new = all[at].defines.iter().filter(|name| seen.insert((*name).clone()));
                queue.extend(new.cloned().collect::<Vec<_>>());
            }
        }
    }
    found.into_iter().map(|at| all[at]).collect()
}

/// Announcements of the tags that these define: `struct s;`.
pub fn announcements(definitions: &[&Arc<Definition>]) -> String {
    let mut tags = BTreeSet::new();
    for one in definitions.iter().filter(|one| one.kind == Kind::Type) {
        let tokens = tokens::of(&one.text);
        for pair in tokens.windows(2) {
            let is_tag = matches!(pair[0].text, "struct" | "union") && pair[1].is_word();
            let is_own = |name: &Name| name.space == Space::Tag && name.text == pair[1].text;
            if is_tag && one.defines.iter().any(is_own) {
                tags.insert(format!("{} {};\n", pair[0].text, pair[1].text));
            }
        }
    }
    tags.into_iter().collect()
}
