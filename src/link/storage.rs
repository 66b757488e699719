//! Which variables keep the storage they had, and new storage for the others.
//!
//! Owns the match of an object's variables with those of the generation before and of
//! other modules. What becomes of a variable that no longer fits is the caller's to say:
//! it has new storage here and is listed.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::image::{Shape, Storage, StorageKey, Stored, ThreadLocals, Unfit};
use super::object::{Binding, Kind, Place, Section, Symbol, SymbolKind};
use super::place::{Area, Placed, Placement, Variable};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Arena, Space};
use crate::table::SymbolId;
use crate::tls::TlsBlock;

/// How large a module's thread-local block may be, in bytes.
const MAX_THREAD_LOCAL: u64 = 1 << 28;

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
    fn thread_locals(&self) -> Option<Arc<ThreadLocals>>;
    /// Identifies the type of the object's variable `name`; 0 if that is not known.
    fn fingerprint(&self, _name: &str) -> u64 {
        0
    }
    /// Whether no address of a label is known to leave the object's code.
    fn labels_stay(&self) -> bool {
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
    Storage { key: StorageKey, old: Arc<Storage>, new: Arc<Storage> },
    ThreadLocals { old: Arc<ThreadLocals>, new: Arc<ThreadLocals> },
}

/// A section of variables before it has storage.
struct Wanted {
    section: usize,
    symbols: Vec<usize>,
    key: StorageKey,
    shape: Shape,
}

impl Placement<'_> {
    pub(super) fn place_variables(
        &mut self,
        ids: &[Option<SymbolId>],
        arena: &Arc<Arena>,
        kept: &dyn Kept,
    ) -> Result<()> {
        let wanted = self.wanted_variables(ids, kept);
        let renamed = self.renamed(&wanted, kept);
        for Wanted { section: index, symbols, key, shape } in wanted {
            let found = kept.storage(renamed.get(&key).unwrap_or(&key));
            let unfit = found.as_ref().and_then(|old| shape.unfit(&old.shape));
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
                StorageKey::Section(_) => names().collect(),
                _ => Box::default(),
            };
            let address = storage.block.address();
            self.sections[index] = Placed { area: Area::Variable(self.variables.len()), offset: 0, address };
            self.variables.push(Variable { key, storage, fresh, section: Some(index), names });
        }
        Ok(())
    }

    /// Keys and shapes of all sections of variables.
    fn wanted_variables(&self, ids: &[Option<SymbolId>], kept: &dyn Kept) -> Vec<Wanted> {
        // The symbols of each section, found in one pass.
        let mut named: HashMap<usize, Vec<usize>, foldhash::fast::RandomState> = HashMap::default();
        for (index, symbol) in self.object.symbols.iter().enumerate() {
            if let Place::Section(section) = symbol.place
                && self.object.sections[section].kind == Kind::Variable
                && !symbol.name.is_empty()
            {
                named.entry(section).or_default().push(index);
            }
        }
        let mut wanted: Vec<Wanted> = Vec::new();
        for (index, section) in self.object.sections.iter().enumerate() {
            let symbols = named.remove(&index).unwrap_or_default();
            if section.kind != Kind::Variable || section.size == 0 && symbols.is_empty() {
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
            let shape = Shape { size: section.size, align: section.align, layout, fingerprint };
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

    /// Compilers number the static variables of functions. Where one has another number
    /// than before, and nothing else of that name and shape is new or gone, it is the same.
    fn renamed<'k>(&self, wanted: &[Wanted], kept: &'k dyn Kept) -> HashMap<StorageKey, StorageKey> {
        let mut renamed = HashMap::new();
        let Some(earlier) = kept.earlier() else { return renamed };
        let stem_of = |key: &'k StorageKey| match key {
            StorageKey::Variable(name) => stem(name),
            _ => None,
        };
        for one in wanted {
            let StorageKey::Variable(name) = &one.key else { continue };
            let Some(own) = stem(name) else { continue };
            if earlier.iter().any(|old| old.key == one.key) {
                continue;
            }
            let unmatched = |old: &&Stored| !wanted.iter().any(|new| new.key == old.key);
            let mut old = earlier.iter().filter(|old| stem_of(&old.key) == Some(own)).filter(unmatched);
            let new = wanted.iter().filter(|new| match &new.key {
                StorageKey::Variable(name) => {
                    stem(name) == Some(own) && !earlier.iter().any(|old| old.key == new.key)
                }
                _ => false,
            });
            if let (Some(old), None, 1) = (old.next(), old.next(), new.count())
                && one.shape.unfit(&old.storage.shape).is_none()
            {
                renamed.insert(one.key.clone(), old.key.clone());
            }
        }
        renamed
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

    pub(super) fn place_thread_locals(&mut self, kept: &dyn Kept, static_tls: bool) -> Result<()> {
        let (mut size, mut align) = (0u64, 1u64);
        let mut bytes = Vec::new();
        for (index, section) in self.object.sections.iter().enumerate() {
            if section.kind != Kind::ThreadLocal {
                continue;
            }
            let start = size.next_multiple_of(section.align);
            if start > MAX_THREAD_LOCAL {
                break;
            }
            self.sections[index] = Placed { area: Area::ThreadLocal, offset: start as usize, address: start };
            if !section.bytes.is_empty() {
                bytes.resize(start as usize, 0);
                bytes.extend_from_slice(section.bytes);
            }
            size = start + section.size;
            align = align.max(section.align);
        }
        if size == 0 {
            return Ok(());
        }
        if size > MAX_THREAD_LOCAL {
            return Err(Error::new(ErrorKind::Link, format!("{size} bytes of thread-local variables"))
                .hint("every thread would need as much: make them smaller"));
        }
        let symbols = || {
            self.object.symbols.iter().filter_map(|symbol| match symbol.place {
                Place::Section(section) if self.object.sections[section].kind == Kind::ThreadLocal => {
                    Some((symbol, self.sections[section].address + symbol.value))
                }
                _ => None,
            })
        };
        let layout = hash_layout(symbols());
        let named = || symbols().map(|(symbol, _)| symbol).filter(|s| s.kind == SymbolKind::ThreadLocal);
        let shape = Shape { size, align, layout, fingerprint: combined(named(), kept) };
        let existing = kept.thread_locals();
        let unfit = existing.as_ref().and_then(|old| {
            let moved = static_tls && old.block.thread_offset().is_none();
            shape.unfit(&old.shape).or(moved.then_some(Unfit::Model))
        });
        if existing.is_some() && unfit.is_none() {
            self.kept += 1;
            self.thread_locals = existing;
            return Ok(());
        }
        let names: Vec<Box<str>> = named().map(|symbol| symbol.name.into()).collect();
        let block = TlsBlock::register(size as usize, align as usize, static_tls)?;
        let new = Arc::new(ThreadLocals { block, shape });
        if let (Some(old), Some(why)) = (existing, unfit) {
            let storage = Replaced::ThreadLocals { old, new: new.clone() };
            self.misfits.push(Misfit { names, why, storage });
        } else if kept.earlier().is_some() {
            self.fresh_variables.extend(names);
        }
        self.thread_locals = Some(new);
        self.fresh_tls = Some(bytes);
        Ok(())
    }
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

/// One fingerprint for the types of several variables; 0 if one is not known.
fn combined<'a>(symbols: impl Iterator<Item = &'a Symbol<'a>>, kept: &dyn Kept) -> u64 {
    let hash = foldhash::fast::FixedState::with_seed(0);
    let (mut all, mut known) = (0u64, true);
    let mut any = false;
    for symbol in symbols {
        let one = kept.fingerprint(symbol.name);
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
