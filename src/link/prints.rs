//! Hashes of pieces of an object that do not depend on where anything lies.
//!
//! Owns what "the same function" and "the same initial value" mean: equal bytes beside
//! the relocated fields, and relocations that lead to the same names or to constants that
//! look the same. For reports: two pieces that differ may have one hash only by accident,
//! two that are the same may look different where an object does not say enough.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use object::LittleEndian;
use runtime_stubs::Arch;

use super::homes::{Homes, width};
use super::object::{Binding, Kind, Object, Place, Relocation, SymbolKind};
use super::relocate::{self, Field};
use super::starts::Starts;

const LE: LittleEndian = LittleEndian;

/// How far constants are followed from one to the next.
const DEPTH: u32 = 3;

pub(super) struct Prints<'p, 'd> {
    object: &'p Object<'d>,
    starts: &'p Starts,
    homes: &'p Homes,
    /// Relocations in order, of sections that have them in another.
    orders: HashMap<usize, Vec<Relocation>>,
    /// Data with a size: section, offset, end and symbol, sorted.
    data: Vec<(usize, u64, u64, usize)>,
    /// Hashes of the bytes of whole sections.
    wholes: RefCell<HashMap<usize, u64>>,
}

impl<'p, 'd> Prints<'p, 'd> {
    pub(super) fn new(object: &'p Object<'d>, starts: &'p Starts, homes: &'p Homes) -> Self {
        let mut orders = HashMap::new();
        for (index, section) in object.sections.iter().enumerate() {
            if !section.relocations.is_sorted_by_key(|r| r.r_offset.get(LE)) {
                let mut order: Vec<Relocation> = section.relocations.to_vec();
                order.sort_by_key(|r| r.r_offset.get(LE));
                orders.insert(index, order);
            }
        }
        let data = object.symbols.iter().enumerate().filter_map(|(index, s)| match s.place {
            Place::Section(section) if s.kind == SymbolKind::Data && s.size > 0 => {
                Some((section, s.value, s.value.saturating_add(s.size), index))
            }
            _ => None,
        });
        let mut data: Vec<_> = data.collect();
        data.sort_unstable();
        Self { object, starts, homes, orders, data, wholes: RefCell::default() }
    }

    /// The hash of `from..to` of `section`.
    pub(super) fn of(&self, section: usize, from: u64, to: u64) -> u64 {
        self.piece(section, from, to, 0)
    }

    fn piece(&self, index: usize, from: u64, to: u64, depth: u32) -> u64 {
        let mut hasher = FixedState::with_seed(0).build_hasher();
        let section = &self.object.sections[index];
        let end = to.min(section.size);
        let bytes = |from: u64, to: u64| {
            let to = (to as usize).min(section.bytes.len());
            section.bytes.get(from as usize..to).unwrap_or_default()
        };
        hasher.write_u64(end.saturating_sub(from));
        let mut at = from;
        for relocation in self.relocations(index, from, end) {
            let offset = relocation.r_offset.get(LE);
            hasher.write(bytes(at, offset.max(at)));
            at = at.max(offset + width(self.object, relocation));
            hasher.write_u64(offset - from);
            hasher.write_u32(relocation.r_type(LE, false).0);
            self.lead(index, relocation, depth, &mut hasher);
        }
        hasher.write(bytes(at, end));
        hasher.finish()
    }

    fn relocations(&self, index: usize, from: u64, to: u64) -> impl Iterator<Item = &Relocation> {
        let offset = |r: &Relocation| r.r_offset.get(LE);
        let all = self.orders.get(&index).map_or(self.object.sections[index].relocations, |order| order);
        let first = all.partition_point(|r| offset(r) < from);
        all[first..].iter().take_while(move |r| offset(r) < to)
    }

    /// What a relocation of section `from` leads to.
    fn lead(&self, from: usize, relocation: &Relocation, depth: u32, hasher: &mut impl Hasher) {
        let symbol = &self.object.symbols[relocation.r_sym(LE, false) as usize];
        let addend = relocation.r_addend.get(LE) as u64;
        let section = match symbol.place {
            Place::Section(section) if symbol.binding == Binding::Local => section,
            Place::Absolute if symbol.binding == Binding::Local => {
                return hasher.write_u64(symbol.value.wrapping_add(addend));
            }
            _ => {
                hasher.write(symbol.name.as_bytes());
                return hasher.write_u64(addend);
            }
        };
        let howto = relocate::howto(self.object.arch, relocation.r_type(LE, false).0);
        let relative = howto.is_some_and(|h| matches!(h.field, Field::Word { relative: true, .. }));
        let code = self.object.sections[from].kind == Kind::Code;
        let bias = if relative && code && self.object.arch == Arch::X86_64 { 4 } else { 0 };
        self.place(section, symbol.value.wrapping_add(addend).wrapping_add(bias), depth, hasher);
    }

    /// What is at `offset` of `section`.
    fn place(&self, index: usize, offset: u64, depth: u32, hasher: &mut impl Hasher) {
        let section = &self.object.sections[index];
        if section.kind == Kind::Code {
            if let Some((function, into)) = self.starts.around(index, offset) {
                hasher.write(self.object.symbols[function].name.as_bytes());
                return hasher.write_u64(into);
            }
        } else if section.kind != Kind::Constant || depth >= DEPTH {
            if let Some((_, start, _, symbol)) = self.data_at(index, offset) {
                hasher.write(self.object.symbols[symbol].name.as_bytes());
                return hasher.write_u64(offset - start);
            }
        } else {
            return self.constant(index, offset, depth, hasher);
        }
        hasher.write(section.name.as_bytes());
        hasher.write_u64(offset);
    }

    fn constant(&self, index: usize, offset: u64, depth: u32, hasher: &mut impl Hasher) {
        let section = &self.object.sections[index];
        if section.strings && section.entry == 1 {
            let rest = section.bytes.get(offset as usize..).unwrap_or_default();
            return hasher.write(&rest[..memchr::memchr(0, rest).unwrap_or(rest.len())]);
        }
        if let Some((_, start, end, _)) = self.data_at(index, offset) {
            hasher.write_u64(offset - start);
            return hasher.write_u64(self.piece(index, start, end, depth + 1));
        }
        if section.entry > 0 && offset < section.size {
            let end = offset.saturating_add(section.entry);
            return hasher.write_u64(self.piece(index, offset, end, depth + 1));
        }
        let words = self.homes.words_from(index, offset);
        let table = words.first().map_or(offset, |&(table, _)| table);
        if self.table(index, table, hasher) {
            return;
        }
        let known = self.wholes.borrow().get(&index).copied();
        let whole = known.unwrap_or_else(|| FixedState::with_seed(0).hash_one(section.bytes));
        self.wholes.borrow_mut().insert(index, whole);
        hasher.write_u64(whole);
        hasher.write_u64(offset);
    }

    /// A table for `switch`: from `start` on the entries that lead into one function. False where
    /// there is none. What else is in the section, and so where the section is kept, does not
    /// count.
    fn table(&self, index: usize, start: u64, hasher: &mut impl Hasher) -> bool {
        let (mut owner, mut next) = (None, start);
        for relocation in self.relocations(index, start, u64::MAX) {
            let symbol = &self.object.symbols[relocation.r_sym(LE, false) as usize];
            let at = relocation.r_offset.get(LE);
            let Place::Section(section) = symbol.place else { break };
            if at != next || self.object.sections[section].kind != Kind::Code {
                break;
            }
            next = at + width(self.object, relocation);
            // An entry counts from the table's start.
            let offset =
                symbol.value.wrapping_add(relocation.r_addend.get(LE) as u64).wrapping_sub(at - start);
            let Some((function, into)) = self.starts.around(section, offset) else { break };
            if *owner.get_or_insert(function) != function {
                break;
            }
            hasher.write_u64(into);
        }
        owner.is_some()
    }

    fn data_at(&self, section: usize, offset: u64) -> Option<(usize, u64, u64, usize)> {
        let at = self.data.partition_point(|&(s, start, ..)| (s, start) <= (section, offset));
        let found = *self.data.get(at.checked_sub(1)?)?;
        (found.0 == section && offset < found.2).then_some(found)
    }
}
