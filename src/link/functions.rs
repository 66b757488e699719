//! The functions of an image: where they are, and what of them changed.
//!
//! Owns a table that stays as long as the code does, so it is small: names in one piece,
//! 24 bytes for each function.
#![allow(dead_code, reason = "for reports and backtraces")]

use std::collections::HashMap;

use super::homes::Homes;
use super::object::{Binding, Kind, Object, Place, Symbol, SymbolKind};
use super::place::Placement;
use super::prints::Prints;
use super::starts::Starts;
use crate::error::Result;
use crate::table::SymbolId;

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// From the start of the code.
    start: u32,
    length: u32,
    /// Where its name is.
    name: u32,
    /// With [`LOCAL`].
    name_length: u32,
    /// Of what it does, see [`Prints`].
    hash: u64,
}

/// In the length of its name: the object's other code has its address, and not through the table.
const LOCAL: u32 = 1 << 31;

/// The functions of an image, in order.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    /// Where the code starts.
    base: u64,
    names: Box<str>,
    entries: Box<[Entry]>,
}

/// Names of functions of two generations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes<'f> {
    pub new: Vec<&'f str>,
    pub changed: Vec<&'f str>,
    pub unchanged: Vec<&'f str>,
    pub removed: Vec<&'f str>,
}

impl Functions {
    pub(super) fn of(placement: &Placement<'_>, prints: &Prints<'_, '_>) -> Self {
        let object = &placement.object;
        let mut found = Vec::new();
        for (index, symbol) in object.symbols.iter().enumerate() {
            let Place::Section(section) = symbol.place else { continue };
            // Labels of assembly count if others can call them.
            let function = match symbol.kind {
                SymbolKind::Function | SymbolKind::IndirectFunction => true,
                SymbolKind::Unknown => symbol.binding != Binding::Local,
                _ => false,
            };
            if function && object.sections[section].kind == Kind::Code && !symbol.name.is_empty() {
                let local = symbol.binding == Binding::Local;
                found.push((placement.sections[section].offset as u64 + symbol.value, local, section, index));
            }
        }
        found.sort_unstable();
        found.dedup_by_key(|&mut (start, ..)| start);
        let (mut names, mut entries) = (String::new(), Vec::with_capacity(found.len()));
        for (number, &(start, local, section, index)) in found.iter().enumerate() {
            let symbol = &object.symbols[index];
            let mut end = object.sections[section].size;
            if symbol.size > 0 {
                end = end.min(symbol.value.saturating_add(symbol.size));
            } else if let Some(&(_, _, other, next)) = found.get(number + 1)
                && other == section
            {
                end = object.symbols[next].value;
            }
            entries.push(Entry {
                start: start as u32,
                length: (end - symbol.value) as u32,
                name: names.len() as u32,
                name_length: symbol.name.len() as u32 | if local { LOCAL } else { 0 },
                hash: prints.of(section, symbol.value, end),
            });
            names.push_str(symbol.name);
        }
        Self { base: placement.code.address(), names: names.into(), entries: entries.into() }
    }

    fn name(&self, entry: &Entry) -> &str {
        let start = entry.name as usize;
        self.names.get(start..start + (entry.name_length & !LOCAL) as usize).unwrap_or_default()
    }

    /// The names of those that have no slot.
    pub(crate) fn locals(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|entry| entry.name_length & LOCAL != 0).map(|entry| self.name(entry))
    }

    /// What the function of this name does that has no slot.
    pub(crate) fn hash_of_local(&self, name: &str) -> Option<u64> {
        let is_it = |entry: &&Entry| entry.name_length & LOCAL != 0 && self.name(entry) == name;
        self.entries.iter().find(is_it).map(|entry| entry.hash)
    }

    /// All functions: name, address and length.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        let one = |e: &Entry| (self.base + u64::from(e.start), u64::from(e.length));
        self.entries.iter().map(move |e| (self.name(e), one(e).0, one(e).1))
    }

    /// The function whose code is at `address`, and how far into it that is.
    pub(crate) fn at(&self, address: u64) -> Option<(&str, u64)> {
        let from = address.checked_sub(self.base)?;
        let at = self.entries.partition_point(|entry| u64::from(entry.start) <= from).checked_sub(1)?;
        let entry = &self.entries[at];
        let into = from - u64::from(entry.start);
        (into < u64::from(entry.length)).then(|| (self.name(entry), into))
    }

    /// What the function that starts at `address` does.
    pub(crate) fn hash_at(&self, address: u64) -> Option<u64> {
        let from = address.checked_sub(self.base)?;
        let at = self.entries.binary_search_by_key(&from, |entry| u64::from(entry.start)).ok()?;
        Some(self.entries[at].hash)
    }

    /// What is different from `old`, of which the first that has a function of a name counts.
    /// Functions of one name are compared in their order.
    pub(crate) fn changes<'f>(&'f self, old: &[&'f Functions]) -> Changes<'f> {
        type Hashes<'f> = HashMap<&'f str, Vec<u64>, foldhash::fast::RandomState>;
        let mut before = Hashes::default();
        for old in old {
            let mut own = Hashes::default();
            for entry in old.entries.iter().rev() {
                own.entry(old.name(entry)).or_default().push(entry.hash);
            }
            for (name, hashes) in own {
                before.entry(name).or_insert(hashes);
            }
        }
        let mut changes = Changes::default();
        for entry in &self.entries {
            let name = self.name(entry);
            match before.get_mut(name).and_then(Vec::pop) {
                None => changes.new.push(name),
                Some(hash) if hash == entry.hash => changes.unchanged.push(name),
                Some(_) => changes.changed.push(name),
            }
        }
        for (old, entry) in old.iter().flat_map(|old| old.entries.iter().map(move |entry| (old, entry))) {
            if before.get_mut(old.name(entry)).and_then(Vec::pop).is_some() {
                changes.removed.push(old.name(entry));
            }
        }
        changes
    }
}

/// What each function of an object does, by name. See [`Functions::changes`].
pub(crate) fn function_hashes(object: &[u8], labels_stay: bool) -> Result<Vec<(String, u64)>> {
    let object = Object::parse(object)?;
    // Only whether there is one counts.
    let id = |symbol: &Symbol<'_>| (symbol.binding != Binding::Local).then_some(SymbolId(0));
    let ids: Vec<Option<SymbolId>> = object.symbols.iter().map(id).collect();
    let starts = Starts::new(&object, &ids);
    let homes = Homes::choose(&object, &ids, &starts, labels_stay);
    let prints = Prints::new(&object, &starts, &homes);
    let functions = object.symbols.iter().filter_map(|symbol| match symbol.place {
        Place::Section(section) if symbol.kind == SymbolKind::Function && symbol.size > 0 => {
            let end = symbol.value.saturating_add(symbol.size).min(object.sections[section].size);
            Some((symbol.name.to_owned(), prints.of(section, symbol.value, end)))
        }
        _ => None,
    });
    Ok(functions.collect())
}

/// What the function at `offset` of `section` is called.
pub(super) fn name_at<'d>(object: &Object<'d>, section: usize, offset: u64) -> Option<&'d str> {
    let here = object.symbols.iter().filter(|s| s.place == Place::Section(section) && s.value == offset);
    let named = here.filter(|s| !s.name.is_empty() && s.kind != SymbolKind::Section);
    named.min_by_key(|s| s.binding == Binding::Local).map(|s| s.name)
}
