//! What is left of a session whose process has ended.
//!
//! Owns the record of what was defined after each input, in memory that outlives the process. Two
//! files take turns, so that one of them is whole whenever the process ends. Values are not in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::document::{Definition, Document, Origin};
use super::syntax::{Kind, Name, Space};
use crate::cli::cancel::scratch;
use crate::cli::descriptors::out_of_the_way;

/// The record of a session.
pub struct Journal {
    files: [File; 2],
    turn: u64,
}

/// What was there after an input.
#[derive(Serialize, Deserialize, Default)]
pub struct Record {
    /// How many inputs there had been.
    pub inputs: usize,
    /// The files that were loaded.
    pub files: Vec<String>,
    definitions: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    kind: u8,
    text: String,
    place: String,
    line: usize,
    file: Option<PathBuf>,
    defines: Vec<(bool, String)>,
    uses: Vec<(bool, String)>,
    declaration: Option<String>,
}

const KINDS: [Kind; 5] = [Kind::Directive, Kind::Type, Kind::Function, Kind::Variable, Kind::Prototype];

impl Journal {
    /// Nothing is in it.
    pub fn new() -> std::io::Result<Self> {
        let file = || Ok::<_, std::io::Error>(File::from(out_of_the_way(scratch()?)?));
        Ok(Self { files: [file()?, file()?], turn: 0 })
    }

    /// Writes what there is now.
    pub fn write(&mut self, record: &Record) -> std::io::Result<()> {
        let text = serde_json::to_vec(record)?;
        self.turn += 1;
        let file = &self.files[(self.turn % 2) as usize];
        // Until the last write it is not valid.
        file.write_all_at(&[0; HEAD], 0)?;
        file.write_all_at(&text, HEAD as u64)?;
        let head = [self.turn.to_le_bytes(), (text.len() as u64).to_le_bytes()].concat();
        file.write_all_at(&head, 0)
    }

    /// What was written last.
    pub fn read(&mut self) -> Option<Record> {
        let (turn, text) = self.files.iter().filter_map(whole).max_by_key(|(turn, _)| *turn)?;
        self.turn = turn;
        serde_json::from_slice(&text).ok()
    }
}

/// A number and a length.
const HEAD: usize = 16;

fn whole(file: &File) -> Option<(u64, Vec<u8>)> {
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, 0).ok()?;
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap_or_default());
    let (turn, length) = (number(0), number(8));
    let mut text = vec![0; usize::try_from(length.min(file.metadata().ok()?.len())).ok()?];
    file.read_exact_at(&mut text, HEAD as u64).ok()?;
    (turn > 0).then_some((turn, text))
}

impl Record {
    /// Of a document.
    pub fn of(document: &Document, files: Vec<String>, inputs: usize) -> Self {
        let names = |names: &mut dyn Iterator<Item = &Name>| {
            names.map(|name| (name.space == Space::Tag, name.text.clone())).collect()
        };
        let entry = |one: &Arc<Definition>| Entry {
            kind: KINDS.iter().position(|kind| *kind == one.kind).unwrap_or_default() as u8,
            text: one.text.clone(),
            place: one.origin.place.to_string(),
            line: one.origin.line,
            file: one.origin.file.as_deref().cloned(),
            defines: names(&mut one.defines.iter()),
            uses: names(&mut one.uses.iter()),
            declaration: one.declaration.clone(),
        };
        Self { inputs, files, definitions: document.iter().map(entry).collect() }
    }

    /// The definitions that do not come from files.
    pub fn document(&self) -> Document {
        let mut document = Document::default();
        for one in self.definitions.iter().filter(|one| one.file.is_none()) {
            let Some(kind) = KINDS.get(usize::from(one.kind)) else { continue };
            let name = |(is_tag, text): &(bool, String)| {
                let space = if *is_tag { Space::Tag } else { Space::Ordinary };
                Name { space, text: text.clone() }
            };
            document.define(Arc::new(Definition {
                kind: *kind,
                text: one.text.clone(),
                origin: Origin { place: one.place.as_str().into(), line: one.line, file: None },
                defines: one.defines.iter().map(name).collect(),
                uses: one.uses.iter().map(name).collect::<BTreeSet<_>>(),
                declaration: one.declaration.clone(),
            }));
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_record_is_read() {
        let mut journal = Journal::new().unwrap();
        assert!(journal.read().is_none());
        for inputs in 1..4 {
            journal.write(&Record { inputs, ..Record::default() }).unwrap();
            assert_eq!(journal.read().unwrap().inputs, inputs);
        }
        // The process ends in the middle of writing.
        journal.files[(journal.turn + 1) as usize % 2].write_all_at(&[0; HEAD], 0).unwrap();
        assert_eq!(journal.read().unwrap().inputs, 3);
    }
}
