//! Finding constants that are there already, by what they hold.
//!
//! Two sections of constants are the same if their bytes are and every relocation leads to
//! the same: a function's stub, a variable's storage, a constant that is the same in turn.
//! Where their names are known these have to be the same, too: the address of a constant
//! that a program named tells it from all others.
//! Owns that comparison and the addresses that follow from it, for all modules of an
//! update at once. Writes nothing: [`super::apply`] fills what is new.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use object::LittleEndian;

use super::constants::{Constant, Key, KeyHasher};
use super::cycles::groups;
use super::definitions::Resolve;
use super::homes::{Home, leads_to_stub};
use super::object::{Binding, Kind, Place, SymbolKind};
use super::place::{Area, Placement, provisional};
use super::relocate::{self, Field, Operand};
use super::storage::stem;
use crate::error::Result;
use crate::memory::{Arena, Space};
use crate::table::{SymbolId, Target};

const LE: LittleEndian = LittleEndian;

/// A module of the update.
pub(crate) struct Unit<'u, 'd> {
    pub placement: &'u mut Placement<'d>,
    pub ids: &'u [Option<SymbolId>],
    pub name: &'u str,
}

/// What a relocation in a constant leads to.
#[derive(Debug, Clone, Copy)]
enum Lead {
    Address(u64),
    Stub(u32),
    /// A local function, by its symbol.
    Local(usize),
    Cell(u32),
    /// A symbol that nothing defines yet.
    Open(u32),
    /// A place in a constant.
    Constant(usize, u64),
}

struct Word {
    offset: u64,
    kind: u32,
    lead: Lead,
    addend: u64,
}

/// The final addresses of what had provisional ones.
pub(crate) struct Moves(Vec<Vec<(u64, u64)>>);

impl Moves {
    /// `target` with its final address.
    pub(crate) fn settle(&self, target: Target) -> Target {
        let Target::Data(address) = target else { return target };
        let Some(moves) = provisional(address).and_then(|(unit, _)| self.0.get(unit)) else { return target };
        let at = moves.partition_point(|&(from, _)| from <= address);
        match at.checked_sub(1).map(|at| moves[at]) {
            Some((from, to)) => Target::Data(to + (address - from)),
            None => target,
        }
    }
}

/// Gives the constants of `units` their addresses: those of what holds the same, or new
/// ones.
pub(crate) fn intern(
    units: &mut [Unit<'_, '_>],
    arena: &Arc<Arena>,
    resolve: &mut dyn Resolve,
) -> Result<Moves> {
    let mut interning = Interning {
        nodes: Vec::new(),
        named: Vec::new(),
        first: Vec::new(),
        words: Vec::new(),
        finals: Vec::new(),
    };
    let mut moves = Vec::with_capacity(units.len());
    for (number, unit) in units.iter().enumerate() {
        interning.first.push(interning.nodes.len());
        interning.nodes.extend((0..unit.placement.shared.len()).map(|index| (number, index)));
        interning.named.extend(named(unit.placement));
    }
    for node in 0..interning.nodes.len() {
        let words = interning.words_of(units, node, resolve);
        interning.words.push(words);
    }
    interning.finals = vec![0; interning.nodes.len()];
    let node_of = |word: &Word| match word.lead {
        Lead::Constant(node, _) => Some(node),
        _ => None,
    };
    let edges: Vec<Vec<usize>> =
        interning.words.iter().map(|words| words.iter().filter_map(node_of).collect()).collect();
    let mut made: HashMap<Key, Arc<Constant>> = HashMap::new();
    // Constants with names are not the same as others of their module that look alike.
    let mut taken: HashSet<(usize, Key)> = HashSet::new();
    for group in groups(&edges) {
        let named = group.iter().find(|&&node| interning.has_statics(units, node));
        let owner = named.map(|&node| interning.nodes[node].0);
        let mut alike = 0;
        let mut keys = interning.keys(units, &group, alike);
        while let (Some(owner), Some(&first)) = (owner, keys.first()) {
            if taken.insert((owner, first)) {
                break;
            }
            alike += 1;
            keys = interning.keys(units, &group, alike);
        }
        // Those that lead to each other are found all together, or made all together.
        let find = |key: &Key| made.get(key).cloned().or_else(|| resolve.constant(*key));
        let existing: Option<Vec<Arc<Constant>>> = keys.iter().map(find).collect();
        for (position, (&node, key)) in group.iter().zip(keys).enumerate() {
            let constant = match &existing {
                Some(existing) => existing[position].clone(),
                None => interning.make(units, node, arena)?,
            };
            made.insert(key, constant.clone());
            interning.finals[node] = constant.block.address();
            let (unit, index) = interning.nodes[node];
            let placement = &mut *units[unit].placement;
            let bytes = existing.is_none().then(|| bytes(placement, index));
            let shared = &mut placement.shared[index];
            (shared.constant, shared.fresh) = (Some((key, constant)), bytes);
        }
    }
    for (number, unit) in units.iter_mut().enumerate() {
        let finals = &interning.finals[interning.first[number]..];
        let Placement { shared, sections, .. } = &mut *unit.placement;
        let moved = shared
            .iter()
            .zip(finals)
            .map(|(shared, &to)| (std::mem::replace(&mut sections[shared.section].address, to), to));
        moves.push(moved.collect());
    }
    Ok(Moves(moves))
}

/// For each constant the symbols by which somebody may know its address, in order. Constants
/// that nobody named, as texts are, may be one for everybody; of others the language says
/// that each has an address of its own. Where a section is for merging, the compiler has
/// found that nobody asks.
fn named(placement: &Placement<'_>) -> Vec<Vec<usize>> {
    let symbols = &placement.object.symbols;
    let mut named = vec![Vec::new(); placement.shared.len()];
    for (index, symbol) in symbols.iter().enumerate() {
        let Place::Section(section) = symbol.place else { continue };
        let Area::Shared(shared) = placement.sections[section].area else { continue };
        let known = matches!(symbol.kind, SymbolKind::Data | SymbolKind::Unknown);
        // Labels of the compiler's own, and the marks that aarch64 puts between data and code.
        let own = symbol.name.is_empty() || symbol.name.starts_with(".L") || symbol.name.starts_with('$');
        if known && !own && placement.object.sections[section].entry == 0 {
            named[shared].push(index);
        }
    }
    for list in &mut named {
        list.sort_unstable_by_key(|&index| (symbols[index].value, symbols[index].name));
    }
    named
}

/// The bytes of a constant as the object has them, without what belongs to a generation.
fn bytes(placement: &Placement<'_>, index: usize) -> Vec<u8> {
    let number = placement.shared[index].section;
    let section = &placement.object.sections[number];
    let mut bytes = section.bytes.to_vec();
    bytes.resize(section.size as usize, 0);
    if let Home::Both(words) = placement.homes.of(number) {
        for &(offset, width) in words {
            let end = (offset + width).min(section.size) as usize;
            if let Some(word) = bytes.get_mut(offset as usize..end) {
                word.fill(0);
            }
        }
    }
    bytes
}

struct Interning {
    /// Constants by unit and number; those of one unit come one after the other.
    nodes: Vec<(usize, usize)>,
    /// See [`named`], for each node.
    named: Vec<Vec<usize>>,
    /// The first node of each unit.
    first: Vec<usize>,
    words: Vec<Vec<Word>>,
    /// Addresses, as far as they are known.
    finals: Vec<u64>,
}

impl Interning {
    fn words_of(&self, units: &[Unit<'_, '_>], node: usize, resolve: &mut dyn Resolve) -> Vec<Word> {
        let (unit, index) = self.nodes[node];
        let placement = &*units[unit].placement;
        let number = placement.shared[index].section;
        let section = &placement.object.sections[number];
        let both = matches!(placement.homes.of(number), Home::Both(_));
        let mut words = Vec::with_capacity(section.relocations.len());
        for relocation in section.relocations {
            let offset = relocation.r_offset.get(LE);
            if both && placement.homes.is_private(number, offset) {
                continue;
            }
            let kind = relocation.r_type(LE, false).0;
            let symbol = relocation.r_sym(LE, false) as usize;
            let addend = relocation.r_addend.get(LE) as u64;
            let Some(howto) = relocate::howto(placement.object.arch, kind) else { continue };
            let relative = matches!(howto.field, Field::Word { relative: true, .. });
            let branch = matches!(howto.operand, Operand::Branch | Operand::StubOffset);
            let id = units[unit].ids[symbol];
            let (lead, addend) = match (howto.operand, id) {
                (Operand::None, _) => continue,
                (Operand::Size, Some(id)) if placement.object.symbols[symbol].place == Place::Undefined => {
                    (Lead::Address(resolve.size(id).unwrap_or(0)), addend)
                }
                (Operand::Size, _) => (Lead::Address(placement.object.symbols[symbol].size), addend),
                (Operand::Cell | Operand::CellOffset, Some(id)) => (Lead::Cell(id.0), addend),
                (_, Some(id)) if branch => (Lead::Stub(id.0), addend),
                (_, Some(id)) => self.global(units, id, addend, relative, resolve),
                (_, None) => self.local(units, node, symbol, addend, relative),
            };
            words.push(Word { offset, kind, lead, addend });
        }
        words
    }

    fn global(
        &self,
        units: &[Unit<'_, '_>],
        id: SymbolId,
        addend: u64,
        relative: bool,
        resolve: &mut dyn Resolve,
    ) -> (Lead, u64) {
        match resolve.target(id) {
            Some(Target::Function(_)) if addend == 0 || relative => (Lead::Stub(id.0), addend),
            Some(Target::Data(address)) => match self.node_at(units, address) {
                Some((node, offset)) => (Lead::Constant(node, offset.wrapping_add(addend)), 0),
                None => (Lead::Address(address.wrapping_add(addend)), 0),
            },
            Some(
                Target::Function(address)
                | Target::Process(address)
                | Target::ProcessData(address)
                | Target::ThreadLocal(address),
            ) => (Lead::Address(address.wrapping_add(addend)), 0),
            None => (Lead::Open(id.0), addend),
        }
    }

    fn local(
        &self,
        units: &[Unit<'_, '_>],
        from: usize,
        symbol: usize,
        addend: u64,
        relative: bool,
    ) -> (Lead, u64) {
        let unit = self.nodes[from].0;
        let Unit { placement, ids, .. } = &units[unit];
        let object = &placement.object;
        let target = &object.symbols[symbol];
        let offset = target.value.wrapping_add(addend);
        let Place::Section(section) = target.place else { return (Lead::Address(offset), 0) };
        if object.sections[section].kind == Kind::Code {
            if !leads_to_stub(object, ids, &placement.starts, symbol, section, offset) {
                return (Lead::Address(placement.sections[section].address.wrapping_add(offset)), 0);
            }
            // An indirect function's resolver is at the same place: the symbol tells.
            let indirect = target.kind == SymbolKind::IndirectFunction && target.value == offset;
            let function = placement.starts.at(section, offset).filter(|_| !indirect).unwrap_or(symbol);
            return match ids[function] {
                Some(id) => (Lead::Stub(id.0), 0),
                None => (Lead::Local(function), 0),
            };
        }
        let placed = match relative {
            // What a relative word leads to is not known exactly: see `constant_target`.
            true => placement.sections[section],
            false => placement.copy_at(section, offset),
        };
        match placed.area {
            Area::Shared(other) => (Lead::Constant(self.first[unit] + other, offset), 0),
            _ => (Lead::Address(placed.address.wrapping_add(offset)), 0),
        }
    }

    /// The constant that a provisional address is in.
    fn node_at(&self, units: &[Unit<'_, '_>], address: u64) -> Option<(usize, u64)> {
        let (number, _) = provisional(address)?;
        let placement = &*units.get(number)?.placement;
        let start = |index: usize| placement.sections[placement.shared[index].section].address;
        let (mut low, mut high) = (0, placement.shared.len());
        while low < high {
            let middle = (low + high) / 2;
            match start(middle) <= address {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let index = low.checked_sub(1)?;
        Some((self.first[number] + index, address - start(index)))
    }

    fn has_statics(&self, units: &[Unit<'_, '_>], node: usize) -> bool {
        let symbols = &units[self.nodes[node].0].placement.object.symbols;
        self.named[node].iter().any(|&symbol| symbols[symbol].binding == Binding::Local)
    }

    /// The keys of constants that lead to each other, or of one. `alike` tells them from others
    /// of their module.
    fn keys(&self, units: &[Unit<'_, '_>], group: &[usize], alike: u64) -> Vec<Key> {
        let mut hasher = KeyHasher::new();
        for &node in group {
            let (first, second) = self.key(units, node, group).parts();
            hasher.number(first);
            hasher.number(second);
        }
        hasher.number(alike);
        let (first, second) = hasher.finish().parts();
        let one = |position: usize| {
            let mut hasher = KeyHasher::new();
            for number in [first, second, position as u64] {
                hasher.number(number);
            }
            hasher.finish()
        };
        (0..group.len()).map(one).collect()
    }

    /// The key of a constant whose leads outside of `group` have their addresses.
    fn key(&self, units: &[Unit<'_, '_>], node: usize, group: &[usize]) -> Key {
        let (unit, index) = self.nodes[node];
        let Unit { placement, name, .. } = &units[unit];
        let number = placement.shared[index].section;
        let section = &placement.object.sections[number];
        let mut hasher = KeyHasher::new();
        hasher.number(section.align);
        match placement.homes.of(number) {
            Home::Both(_) => hasher.bytes(&bytes(placement, index)),
            _ => {
                hasher.number(section.size);
                hasher.bytes(section.bytes);
            }
        }
        for &symbol in &self.named[node] {
            let symbol = &placement.object.symbols[symbol];
            match symbol.binding {
                Binding::Local => {
                    hasher.bytes(name.as_bytes());
                    hasher.bytes(stem(symbol.name).unwrap_or(symbol.name).as_bytes());
                }
                _ => hasher.bytes(symbol.name.as_bytes()),
            }
            hasher.number(u64::from(symbol.binding == Binding::Local));
            hasher.number(symbol.value);
        }
        for word in &self.words[node] {
            let (tag, value) = match word.lead {
                Lead::Address(address) => (0, address),
                Lead::Constant(to, offset) => match group.binary_search(&to) {
                    Ok(position) => {
                        // The position among those that lead to each other.
                        hasher.number(position as u64);
                        (1, offset)
                    }
                    Err(_) => (0, self.finals[to].wrapping_add(offset)),
                },
                Lead::Stub(id) => (2, u64::from(id)),
                Lead::Cell(id) => (3, u64::from(id)),
                Lead::Open(id) => (4, u64::from(id)),
                Lead::Local(function) => {
                    hasher.bytes(name.as_bytes());
                    hasher.bytes(placement.object.symbols[function].name.as_bytes());
                    (5, u64::from(placement.starts.ordinal(&placement.object, function)))
                }
            };
            for number in [word.offset, u64::from(word.kind), tag, value, word.addend] {
                hasher.number(number);
            }
        }
        hasher.finish()
    }

    fn make(&self, units: &[Unit<'_, '_>], node: usize, arena: &Arc<Arena>) -> Result<Arc<Constant>> {
        let (unit, index) = self.nodes[node];
        let placement = &*units[unit].placement;
        let section = &placement.object.sections[placement.shared[index].section];
        let block = arena.allocate(Space::ReadOnly, section.size as usize, section.align as usize)?;
        let waiting = self.words[node].iter().filter(|word| matches!(word.lead, Lead::Open(_)));
        let waiting = waiting.map(|word| word.offset as u32).collect();
        Ok(Arc::new(Constant { block, waiting, names: OnceLock::new() }))
    }
}
