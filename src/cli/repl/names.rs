//! The names that a session knows: its own and those of the headers it includes.
//!
//! Owns what the line editor completes and what the parser asks about. Shared with the editor,
//! which looks at it while an input is typed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

use super::change::Change;
use super::document::Document;
use super::front_end::{FrontEnd, Output};
use super::syntax::{self, Kind, Known, Name, Space};
use crate::cli::cancel::Cancel;

/// All of them; clones are the same.
#[derive(Clone, Default)]
pub struct Names(Arc<RwLock<All>>);

#[derive(Default)]
struct All {
    /// Of headers, and whether each is a type.
    headers: BTreeMap<String, bool>,
    macros: BTreeSet<String>,
    own: BTreeMap<String, bool>,
}

impl Known for Names {
    fn is_type(&self, name: &str) -> bool {
        let all = self.0.read().unwrap_or_else(|error| error.into_inner());
        all.own.get(name).or_else(|| all.headers.get(name)).is_some_and(|is_type| *is_type)
    }
}

impl Names {
    /// Every name, in order.
    pub fn all(&self) -> Vec<String> {
        let all = self.0.read().unwrap_or_else(|error| error.into_inner());
        let names = all.own.keys().chain(all.headers.keys()).chain(&all.macros);
        names.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Learns what the document says now.
    pub fn update(&self, clang: &FrontEnd, document: &Document, change: &Change, cancel: &Cancel) {
        if change.directives {
            let (headers, macros) = self.in_headers(clang, document, cancel);
            let mut all = self.0.write().unwrap_or_else(|error| error.into_inner());
            (all.headers, all.macros) = (headers, macros);
        }
        let mut own = BTreeMap::new();
        for one in document.iter().filter(|one| one.kind != Kind::Directive) {
            let names = one.defines.iter().filter(|name| name.space == Space::Ordinary);
            own.extend(names.map(|name| (name.text.clone(), false)));
            if one.kind == Kind::Type {
                own.extend(ordinary(syntax::names_declared(&one.text, self)));
            }
        }
        self.0.write().unwrap_or_else(|error| error.into_inner()).own = own;
    }

    fn in_headers(
        &self,
        clang: &FrontEnd,
        document: &Document,
        cancel: &Cancel,
    ) -> (BTreeMap<String, bool>, BTreeSet<String>) {
        let directives = document.directives();
        if directives.is_empty() {
            return Default::default();
        }
        let Ok(made) = clang.compile(&directives, Output::Preprocessed, cancel) else {
            return Default::default();
        };
        let text = String::from_utf8_lossy(&made.bytes);
        let is_directive = |line: &&str| line.starts_with('#');
        let words = text.lines().filter(is_directive).filter_map(|line| {
            let word = line.strip_prefix("#define ")?;
            word.split(|c: char| !(c == '_' || c.is_alphanumeric())).next().map(str::to_owned)
        });
        let macros = words.collect();
        let code: String =
            text.lines().filter(|line| !line.starts_with('#')).flat_map(|l| [l, "\n"]).collect();
        (ordinary(syntax::names_declared(&code, self)).collect(), macros)
    }
}

fn ordinary(names: Vec<(Name, bool)>) -> impl Iterator<Item = (String, bool)> {
    names.into_iter().filter(|(name, _)| name.space == Space::Ordinary).map(|(n, is_type)| (n.text, is_type))
}
