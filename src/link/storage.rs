//! Which variables keep the storage they had, and new storage for the others.
//!
//! Owns the match of an object's variables with those of the generation before and of
//! other modules. What becomes of a variable that no longer fits is the caller's to say:
//! it has new storage here and is listed.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::image::{CHANGED, Shape, Storage, StorageKey, Stored, ThreadLocals, Unfit};
use super::keeps::holds_labels;
use super::object::{BLOCK_START, Binding, Kind, Place, Section, Symbol};
use super::place::{Area, Placed, Placement, Variable};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Arena, Space};
use crate::table::SymbolId;

/// Storage that variables may keep, and what is known of them.
pub(crate) trait Kept {
    /// Storage that an earlier generation of the module, or another module for a shared
    /// key, has under this key.
    fn storage(&self, key: &StorageKey) -> Option<Arc<Storage>>;
    /// The variables of the generation that is replaced; `None` if none is.
    fn earlier(&self) -> Option<&[Stored]>;
    /// The largest size and alignment of a COMMON variable in this update.
    fn common(&self, symbol: SymbolId) -> (u64, u64);
    /// Thread-local variables of the module's earlier generation.
    fn thread_locals(&self) -> Option<&ThreadLocals>;
    /// Identifies the type of the object's variable `name`; 0 if that is not known.
    fn fingerprint(&self, _name: &str) -> u64 {
        0
    }
    /// Whether the object's variable `name` is known to hold addresses of labels.
    fn is_label_table(&self, _name: &str) -> bool {
        false
    }
    /// Whether no address of a label is known to leave the object's code.
    fn labels_stay(&self) -> bool {
        false
    }
    /// Whether the object's constants end with its code: nobody else is to have their addresses.
    fn is_transient(&self) -> bool {
        false
    }
}

/// A variable, or a section of them, whose old storage no longer fits.
#[allow(dead_code, reason = "for the rules of state")]
pub(crate) struct Misfit {
    pub names: Vec<Box<str>>,
    pub why: Unfit,
    pub storage: Replaced,
}

#[allow(dead_code, reason = "for the rules of state")]
pub(crate) enum Replaced {
    Storage {
        key: StorageKey,
        old: Arc<Storage>,
        new: Arc<Storage>,
    },
    /// A part of every thread's block, or all of it.
    ThreadLocal {
        old: Shape,
        new: Shape,
    },
}

/// A section of variables before it has storage.
pub(super) struct Wanted {
    pub section: usize,
    pub symbols: Vec<usize>,
    pub key: StorageKey,
    pub shape: Shape,
}

/// A variable, or a section of them, of the generation that is replaced.
pub(super) type Earlier<'k> = (&'k StorageKey, &'k Shape);

impl Placement<'_> {
    pub(super) fn place_variables(
        &mut self,
        ids: &[Option<SymbolId>],
        arena: &Arc<Arena>,
        kept: &dyn Kept,
    ) -> Result<()> {
        let wanted = self.wanted_variables(Kind::Variable, ids, kept);
        let earlier = kept.earlier().unwrap_or_default().iter();
        let earlier: Vec<_> = earlier.map(|old| (&old.key, &old.storage.shape)).collect();
        let renamed = renamed(&wanted, &earlier);
        for Wanted { section: index, symbols, key, shape } in wanted {
            let made_up = is_made_up(&self.object.sections[index], &symbols);
            let found = kept.storage(renamed.get(&key).unwrap_or(&key)).filter(|_| !made_up);
            // A variable that several modules define is the first's, as for a linker, however
            // the others' compilers would have aligned it; their types need not be comparable.
            let shared = matches!(key, StorageKey::Shared(_));
            let minor = |why: &Unfit| match why {
                Unfit::Align => true,
                Unfit::Type => shape.fingerprint != CHANGED,
                _ => false,
            };
            let unfit = found.as_ref().and_then(|old| shape.unfit(&old.shape));
            let unfit = unfit.filter(|why| !shared || !minor(why));
            let names = || symbols.iter().map(|&i| self.object.symbols[i].name.into());
            let (storage, fresh) = match found {
                Some(storage) if unfit.is_none() => {
                    self.kept += 1;
                    (storage, None)
                }
                found => {
                    let block = arena.allocate(Space::Data, shape.size as usize, shape.align as usize)?;
                    let new = Arc::new(Storage { block, shape });
                    let why = unfit.unwrap_or(Unfit::Layout);
                    let missing = found.is_none();
                    if let Some(old) = found.or_else(|| self.divided(&symbols, ids, kept)) {
                        let storage = Replaced::Storage { key: key.clone(), old, new: new.clone() };
                        self.misfits.push(Misfit { names: names().collect(), why, storage });
                    } else if missing && kept.earlier().is_some() {
                        self.fresh_variables.extend(names());
                    }
                    (new, Some(self.object.sections[index].bytes.to_vec()))
                }
            };
            let names = match key {
                StorageKey::Variable(_) => Box::default(),
                _ => names().collect(),
            };
            let address = storage.block.address();
            // Others of its kind are not the same.
            let own = |key| {
                if made_up { StorageKey::Section(format!(".data at {address:#x}").into()) } else { key }
            };
            let key = own(key);
            self.sections[index] = Placed { area: Area::Variable(self.variables.len()), offset: 0, address };
            self.variables.push(Variable { key, storage, fresh, section: Some(index), names });
        }
        Ok(())
    }

    /// Keys and shapes of all sections of variables of a kind.
    pub(super) fn wanted_variables(
        &self,
        kind: Kind,
        ids: &[Option<SymbolId>],
        kept: &dyn Kept,
    ) -> Vec<Wanted> {
        // The symbols of each section, found in one pass.
        let mut named: HashMap<usize, Vec<usize>, foldhash::fast::RandomState> = HashMap::default();
        for (index, symbol) in self.object.symbols.iter().enumerate() {
            if let Place::Section(section) = symbol.place
                && self.object.sections[section].kind == kind
                && !matches!(symbol.name, "" | BLOCK_START)
            {
                named.entry(section).or_default().push(index);
            }
        }
        let mut wanted: Vec<Wanted> = Vec::new();
        for (index, section) in self.object.sections.iter().enumerate() {
            let symbols = named.remove(&index).unwrap_or_default();
            if section.kind != kind || section.size == 0 && symbols.is_empty() {
                continue;
            }
            let mut key = self.storage_key(section, &symbols, ids);
            if wanted.iter().any(|other| other.key == key) {
                // As in objects that a linker has combined.
                key = StorageKey::Section(format!("{}#{}", section.name, wanted.len()).into());
            }
            // One variable may move between .data and .bss and change its name's section.
            let layout = match key {
                StorageKey::Section(_) => hash_layout(
                    symbols.iter().map(|&i| (&self.object.symbols[i], self.object.symbols[i].value)),
                ),
                _ => 0,
            };
            let fingerprint = combined(symbols.iter().map(|&i| &self.object.symbols[i]), kept);
            let labels = holds_labels(&self.object, &self.starts, section)
                || symbols.iter().any(|&i| kept.is_label_table(self.object.symbols[i].name));
            let shape = Shape { size: section.size, align: section.align, layout, fingerprint, labels };
            wanted.push(Wanted { section: index, symbols, key, shape });
        }
        wanted
    }

    fn storage_key(&self, section: &Section<'_>, symbols: &[usize], ids: &[Option<SymbolId>]) -> StorageKey {
        if let [only] = symbols {
            let symbol = &self.object.symbols[*only];
            if symbol.value == 0 {
                let shared = section.comdat || matches!(symbol.binding, Binding::Weak | Binding::Unique);
                return match ids[*only] {
                    Some(id) if shared => StorageKey::Shared(id),
                    _ => StorageKey::Variable(symbol.name.into()),
                };
            }
        }
        StorageKey::Section(section.name.into())
    }

    /// The storage that the section's variables had together with others, or apart.
    fn divided(&self, symbols: &[usize], ids: &[Option<SymbolId>], kept: &dyn Kept) -> Option<Arc<Storage>> {
        let had = |old: &&Stored| {
            symbols.iter().any(|&index| match &old.key {
                StorageKey::Shared(id) => ids[index] == Some(*id),
                StorageKey::Variable(name) => **name == *self.object.symbols[index].name,
                StorageKey::Section(_) => old.names.iter().any(|n| **n == *self.object.symbols[index].name),
            })
        };
        kept.earlier()?.iter().find(had).map(|old| old.storage.clone())
    }

    pub(super) fn place_common(
        &mut self,
        ids: &[Option<SymbolId>],
        arena: &Arc<Arena>,
        kept: &dyn Kept,
    ) -> Result<()> {
        for (index, symbol) in self.object.symbols.iter().enumerate() {
            let (Place::Common, Some(id)) = (symbol.place, ids[index]) else { continue };
            let (size, align) = kept.common(id);
            let shape = Shape {
                size: size.max(symbol.size).max(1),
                align: align.max(symbol.value).max(1),
                layout: 0,
                fingerprint: kept.fingerprint(symbol.name),
                labels: false,
            };
            let key = StorageKey::Shared(id);
            let existing = kept.storage(&key);
            if let Some(storage) = &existing
                && (storage.shape.size < shape.size || storage.shape.align < shape.align)
            {
                let (name, is, was) = (symbol.name, shape.size, storage.shape.size);
                let text =
                    format!("common variable {name} is {is} bytes here and {was} in a module loaded before");
                return Err(Error::new(ErrorKind::Link, text)
                    .about(name)
                    .hint("load both in one update, or give it one definition (-fno-common)"));
            }
            let (storage, fresh) = match existing {
                Some(storage) => {
                    self.kept += 1;
                    (storage, None)
                }
                None => {
                    let block = arena.allocate(Space::Data, shape.size as usize, shape.align as usize)?;
                    if kept.earlier().is_some() {
                        self.fresh_variables.push(symbol.name.into());
                    }
                    (Arc::new(Storage { block, shape }), Some(Vec::new()))
                }
            };
            self.common.insert(index, storage.block.address());
            self.variables.push(Variable { key, storage, fresh, section: None, names: Box::default() });
        }
        Ok(())
    }
}

/// Whether a section is what a compiler writes for code of the same object: pointers to the types
/// that are caught. A variable has a name, or a section of its own.
fn is_made_up(section: &Section<'_>, symbols: &[usize]) -> bool {
    let words = section.relocations.len() as u64 * 8;
    symbols.is_empty() && section.name == ".data" && words == section.size
}

/// Compilers number the static variables of functions. Where one has another number
/// than before, and nothing else of that name and shape is new or gone, it is the same.
pub(super) fn renamed(wanted: &[Wanted], earlier: &[Earlier<'_>]) -> HashMap<StorageKey, StorageKey> {
    let mut renamed = HashMap::new();
    let known = |key: &StorageKey| earlier.iter().any(|(old, _)| *old == key);
    let stem_of = |key: &StorageKey| match key {
        StorageKey::Variable(name) => stem(name).map(str::to_owned),
        _ => None,
    };
    for one in wanted.iter().filter(|one| !known(&one.key)) {
        let Some(own) = stem_of(&one.key) else { continue };
        let unmatched = |key: &StorageKey| !wanted.iter().any(|new| new.key == *key);
        let same = |key: &StorageKey| stem_of(key).as_ref() == Some(&own);
        let mut old = earlier.iter().filter(|(key, _)| same(key) && unmatched(key));
        let new = wanted.iter().filter(|new| same(&new.key) && !known(&new.key));
        if let (Some((old, shape)), None, 1) = (old.next(), old.next(), new.count())
            && one.shape.unfit(shape).is_none()
        {
            renamed.insert(one.key.clone(), (*old).clone());
        }
    }
    renamed
}

/// A static variable's name without the number that the compiler gave it.
pub(super) fn stem(name: &str) -> Option<&str> {
    let (stem, number) = name.rsplit_once('.')?;
    (!stem.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(stem)
}

/// Hash of the symbols with their offsets. Numbers of static variables do not count where
/// the names are different without them.
fn hash_layout<'a>(parts: impl Iterator<Item = (&'a Symbol<'a>, u64)>) -> u64 {
    let mut parts: Vec<_> = parts.map(|(symbol, offset)| (symbol.name, offset, symbol.size)).collect();
    let mut stems: HashMap<&str, u32> = HashMap::new();
    for (name, ..) in &parts {
        *stems.entry(stem(name).unwrap_or(name)).or_default() += 1;
    }
    for (name, ..) in &mut parts {
        match stem(name) {
            Some(stem) if stems[stem] == 1 => *name = stem,
            _ => {}
        }
    }
    parts.sort_unstable_by_key(|&(name, offset, _)| (offset, name));
    // A fixed seed: shapes of different generations are compared.
    foldhash::fast::FixedState::with_seed(0).hash_one(parts)
}

/// One fingerprint for the types of several variables; 0 if one is not known, and
/// [`CHANGED`] if one is.
fn combined<'a>(symbols: impl Iterator<Item = &'a Symbol<'a>>, kept: &dyn Kept) -> u64 {
    let hash = foldhash::fast::FixedState::with_seed(0);
    let (mut all, mut known) = (0u64, true);
    let mut any = false;
    for symbol in symbols {
        let one = kept.fingerprint(symbol.name);
        if one == CHANGED {
            return CHANGED;
        }
        (any, known) = (true, known && one != 0);
        all = all.wrapping_add(hash.hash_one((stem(symbol.name).unwrap_or(symbol.name), one)));
    }
    if any && known { all.max(1) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn the_compilers_numbers_are_told_from_names() {
        assert_eq!(stem("count.0"), Some("count"));
        assert_eq!(stem("f.count.17"), Some("f.count"));
        for name in ["count", "f.count", "count.", ".5", "x.1a"] {
            assert_eq!(stem(name), None, "{name}");
        }
    }
}
