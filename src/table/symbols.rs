//! Names, their providers, and which provider wins.
//!
//! A symbol lives at one index of the table for as long as anything may refer to it. It
//! has any number of providers: the strongest wins, among equals the newest. Owns that
//! rule and the values the cells must hold for it; deliberately knows nothing of object
//! files, and stores nothing itself: [`Symbols::settle`] says what to store.

use std::sync::{Arc, Weak};

use smallvec::SmallVec;

use super::handles::Handles;
use super::names::Names;
use super::slots::{PairIndex, Slots};
use crate::error::Result;
use crate::memory::Block;

/// An index of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SymbolId(pub u32);

/// Who provides a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// What the C library links statically into every program, provided by hotslot.
    Builtin,
    Host,
    Module(u32),
    /// The process: a shared library, found by name.
    Process,
}

/// How strong a definition is; the order is the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A body that was replaced or removed and is still in place. It serves local functions
    /// only: whoever has their address (an exit handler, a table) got it from that body's
    /// module.
    Retired,
    Process,
    Weak,
    Common,
    Strong,
    Builtin,
}

/// What a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A function body; the symbol's address is its stub.
    Function(u64),
    /// Storage, or an absolute value; the symbol's address is this.
    Data(u64),
    /// A function of the process, whose own address is kept.
    Process(u64),
    /// A variable of the process.
    ProcessData(u64),
    /// A thread-local variable: the word of its pair.
    ThreadLocal(u64),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Provider {
    pub owner: Owner,
    pub rank: Rank,
    /// Later definitions have higher numbers.
    pub order: u64,
    pub target: Target,
    /// In bytes, as the object that defines it says; 0 where nobody does.
    pub size: u64,
}

/// A word in the arena that waits for the symbol to be defined.
#[derive(Clone)]
pub(crate) struct Pending {
    pub owner: Owner,
    pub address: u64,
    pub addend: u64,
    /// The storage that the word is in, if that may outlive the owner's generation.
    pub storage: Option<Weak<dyn Send + Sync>>,
}

/// A module that refers to a symbol without defining it, and how: in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Want(u32);

impl Want {
    const CALLED: u32 = 1 << 31;
    const REQUIRED: u32 = 1 << 30;

    pub(crate) fn new(module: u32, called: bool, required: bool) -> Self {
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        Self(module | flag(called, Self::CALLED) | flag(required, Self::REQUIRED))
    }

    pub(crate) fn module(self) -> u32 {
        self.0 & !(Self::CALLED | Self::REQUIRED)
    }
}

/// There may be hundreds of thousands: what most do not have is in [`Rare`].
pub(crate) struct Symbol {
    pub name: Box<str>,
    pub providers: SmallVec<[Provider; 1]>,
    /// Modules whose code or data refers to it without defining it.
    pub wanted_by: SmallVec<[Want; 4]>,
    /// It has been a function before.
    function: bool,
    /// It is a local function of some module, under a name that includes the module's.
    local: bool,
    /// Kept for good: a handle, an address or a host definition refers to it.
    pub pinned: bool,
    rare: Option<Box<Rare>>,
}

/// A module's name and generation.
pub(crate) type Version = (Arc<str>, u64);

/// What few symbols have.
#[derive(Default)]
pub(crate) struct Rare {
    pub pending: Vec<Pending>,
    pub pair: Option<PairIndex>,
    /// Where calls go while nothing defines the symbol.
    pub missing: Option<Block>,
    /// Who defined it last, where nothing does any more.
    pub last_owner: Option<Version>,
    pub handles: Handles,
}

impl Symbol {
    pub(crate) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// The rare parts, to be added to.
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The rare parts, to be looked through, if there are any.
    pub(crate) fn rare_if_any(&mut self) -> Option<&mut Rare> {
        self.rare.as_deref_mut()
    }

    /// The types under which the host holds handles to it.
    #[allow(dead_code, reason = "for the check of signatures")]
    pub(crate) fn live_handles(&self) -> impl Iterator<Item = &str> {
        self.rare().into_iter().flat_map(|rare| rare.handles.live())
    }

    /// The provider that is used: they are sorted, strongest and newest last.
    pub(crate) fn winner(&self) -> Option<&Provider> {
        self.providers.last().filter(|p| p.rank > Rank::Retired || self.local)
    }

    /// Adds a provider, in its place.
    pub(crate) fn provide(&mut self, provider: Provider) {
        self.function |= matches!(provider.target, Target::Function(_));
        let at = self.providers.partition_point(|p| (p.rank, p.order) <= (provider.rank, provider.order));
        self.providers.insert(at, provider);
    }

    /// Takes back what `owner` provides; returns it if it was the body of a function.
    pub(crate) fn retract(&mut self, owner: Owner) -> Option<Provider> {
        let of_owner = |p: &Provider| p.owner == owner && p.rank > Rank::Retired;
        let body = self.providers.iter().copied().find(of_owner);
        self.providers.retain(|p| !of_owner(p));
        body.filter(|p| matches!(p.target, Target::Function(_)))
    }

    /// Keeps a body that was retracted reachable by its address, as the last resort.
    pub(crate) fn retire(&mut self, body: Provider) {
        self.providers.retain(|p| p.rank > Rank::Retired);
        self.providers.insert(0, Provider { rank: Rank::Retired, ..body });
    }

    /// Ends [`Self::retire`]; tells whether there was such a body.
    pub(crate) fn drop_retired(&mut self) -> bool {
        let before = self.providers.len();
        self.providers.retain(|p| p.rank > Rank::Retired);
        self.providers.len() < before
    }

    /// The body kept by [`Self::retire`].
    pub(crate) fn retired(&self) -> Option<&Provider> {
        self.providers.first().filter(|p| p.rank == Rank::Retired)
    }

    /// Some reference is a call, so that an undefined symbol is taken for a function.
    pub(crate) fn called(&self) -> bool {
        self.wanted_by.iter().any(|want| want.0 & Want::CALLED != 0)
    }

    /// Some reference is not weak: the symbol must be defined before it is used.
    pub(crate) fn required(&self) -> bool {
        self.wanted_by.iter().any(|want| want.0 & Want::REQUIRED != 0)
    }
}

/// What the cells of one symbol must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cells {
    pub call: u64,
    pub address: u64,
    pub pair: Option<(PairIndex, u64)>,
}

/// Symbols are kept in pieces of this many, so that growing moves none of them.
const CHUNK: usize = 256;

pub(crate) struct Symbols {
    pub slots: Slots,
    names: Names,
    chunks: Chunks,
    /// Where calls of missing symbols go that have no thunk of their own.
    pub missing: u64,
}

#[derive(Default)]
struct Chunks(Vec<Box<[Option<Symbol>]>>);

impl Chunks {
    fn get(&self, index: u32) -> Option<&Symbol> {
        self.0.get(index as usize / CHUNK)?[index as usize % CHUNK].as_ref()
    }

    fn slot(&mut self, index: u32) -> &mut Option<Symbol> {
        while self.0.len() <= index as usize / CHUNK {
            self.0.push((0..CHUNK).map(|_| None).collect());
        }
        &mut self.0[index as usize / CHUNK][index as usize % CHUNK]
    }

    fn name(&self, index: u32) -> &str {
        self.get(index).map_or("", |symbol| &symbol.name)
    }
}

impl Symbols {
    pub(crate) fn new(slots: Slots) -> Self {
        Self { slots, names: Names::new(), chunks: Chunks::default(), missing: 0 }
    }

    pub(crate) fn find(&self, name: &str) -> Option<SymbolId> {
        self.names.find(name, |index| self.chunks.name(index)).map(SymbolId)
    }

    /// The symbol of this name, made if it is new; `true` says that it is.
    pub(crate) fn intern(&mut self, name: &str) -> Result<(SymbolId, bool)> {
        if let Some(id) = self.find(name) {
            return Ok((id, false));
        }
        let index = self.slots.take()?;
        *self.chunks.slot(index) = Some(Symbol {
            name: name.into(),
            providers: SmallVec::new(),
            wanted_by: SmallVec::new(),
            function: false,
            local: name.contains('\0'),
            pinned: false,
            rare: None,
        });
        let Self { names, chunks, .. } = self;
        names.insert(name, index, |other| chunks.name(other));
        Ok((SymbolId(index), true))
    }

    /// Drops a symbol that nothing provides and nothing refers to.
    pub(crate) fn forget_if_unused(&mut self, id: SymbolId) {
        let symbol = self.get(id);
        let waiting = symbol.rare().is_some_and(|rare| !rare.pending.is_empty());
        if symbol.pinned || waiting || !symbol.providers.is_empty() || !symbol.wanted_by.is_empty() {
            return;
        }
        if let Some(symbol) = self.chunks.slot(id.0).take() {
            self.names.remove(&symbol.name, id.0);
            if let Some(pair) = symbol.rare().and_then(|rare| rare.pair) {
                self.slots.give_pair(pair);
            }
            self.slots.give(id.0);
        }
    }

    /// The symbol at `id`, which came from this table and has not been forgotten.
    pub(crate) fn get(&self, id: SymbolId) -> &Symbol {
        self.chunks.get(id.0).expect("a symbol in use is in the table")
    }

    pub(crate) fn get_mut(&mut self, id: SymbolId) -> &mut Symbol {
        self.chunks.slot(id.0).as_mut().expect("a symbol in use is in the table")
    }

    /// The symbol at an index that generated code named, if it still exists.
    pub(crate) fn at_index(&self, index: u32) -> Option<&Symbol> {
        self.chunks.get(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        let all = self.chunks.0.iter().flatten().enumerate();
        all.filter_map(|(i, s)| Some((SymbolId(i as u32), s.as_ref()?)))
    }

    /// The pair of a thread-local symbol, made on first use.
    pub(crate) fn pair(&mut self, id: SymbolId) -> Result<PairIndex> {
        if let Some(pair) = self.get(id).rare().and_then(|rare| rare.pair) {
            return Ok(pair);
        }
        let pair = self.slots.take_pair()?;
        self.get_mut(id).rare_mut().pair = Some(pair);
        Ok(pair)
    }

    /// What the address of `id` is for generated code, given its winning target.
    pub(crate) fn address(&self, id: SymbolId, target: Option<Target>) -> Option<u64> {
        match target? {
            Target::Function(_) => Some(self.slots.stub(id.0)),
            Target::Data(address) | Target::Process(address) | Target::ProcessData(address) => Some(address),
            Target::ThreadLocal(_) => None,
        }
    }

    /// What the cells of `id` must hold now.
    pub(crate) fn settle(&self, id: SymbolId) -> Cells {
        let symbol = self.get(id);
        let target = symbol.winner().map(|p| p.target);
        let rare = symbol.rare();
        let missing = || rare.and_then(|rare| rare.missing.as_ref()).map_or(self.missing, Block::address);
        let call = match target {
            Some(
                Target::Function(body)
                | Target::Data(body)
                | Target::Process(body)
                | Target::ProcessData(body),
            ) => body,
            Some(Target::ThreadLocal(_)) | None => missing(),
        };
        let address = match self.address(id, target) {
            Some(address) => address,
            // A function that is called may be defined later at this very address; a
            // weak reference tests for zero.
            None if (symbol.called() || symbol.function) && symbol.required() => self.slots.stub(id.0),
            None => 0,
        };
        let pair = rare.and_then(|rare| rare.pair).map(|pair| match target {
            Some(Target::ThreadLocal(word)) => (pair, word),
            _ => (pair, 0),
        });
        Cells { call, address, pair }
    }

    /// Stores what [`Self::settle`] says. Callers see the old or the new target.
    pub(crate) fn store(&self, id: SymbolId, cells: Cells) {
        if let Some((pair, word)) = cells.pair {
            self.slots.store_pair(pair, word);
        }
        self.slots.store_address(id.0, cells.address);
        self.slots.store_call(id.0, cells.call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Arena;
    use runtime_stubs::Arch;

    fn symbols() -> Symbols {
        Symbols::new(Slots::new(Arena::new(Arch::X86_64, 0).unwrap()))
    }

    fn provider(owner: u32, rank: Rank, order: u64) -> Provider {
        Provider {
            owner: Owner::Module(owner),
            rank,
            order,
            target: Target::Function(0x1000 * order),
            size: 0,
        }
    }

    #[test]
    fn strongest_then_newest_wins() {
        let mut symbols = symbols();
        let (id, new) = symbols.intern("f").unwrap();
        assert!(new);
        assert_eq!(symbols.settle(id).call, 0);
        for (provider, winner) in [
            (provider(1, Rank::Weak, 1), 1),
            (provider(2, Rank::Weak, 2), 2),
            (provider(3, Rank::Strong, 3), 3),
            (provider(4, Rank::Weak, 4), 3),
            (provider(5, Rank::Strong, 5), 5),
        ] {
            symbols.get_mut(id).provide(provider);
            let cells = symbols.settle(id);
            assert_eq!(cells.call, 0x1000 * winner);
            assert_eq!(cells.address, symbols.slots.stub(id.0));
        }
        symbols.get_mut(id).providers.retain(|p| p.rank != Rank::Strong);
        assert_eq!(symbols.settle(id).call, 0x4000);
    }

    #[test]
    fn a_retired_body_serves_local_functions_only() {
        let mut symbols = symbols();
        for (name, call) in [("f", 0), ("f\0m", 0x1000)] {
            let (id, _) = symbols.intern(name).unwrap();
            symbols.get_mut(id).provide(provider(1, Rank::Strong, 1));
            let body = symbols.get_mut(id).retract(Owner::Module(1)).unwrap();
            assert_eq!(symbols.settle(id).call, 0);
            symbols.get_mut(id).retire(body);
            assert_eq!(symbols.settle(id).call, call);
            symbols.get_mut(id).provide(provider(1, Rank::Weak, 2));
            assert_eq!(symbols.settle(id).call, 0x2000);
        }
    }

    #[test]
    fn unused_symbols_give_their_index_back() {
        let mut symbols = symbols();
        let (a, _) = symbols.intern("a").unwrap();
        symbols.forget_if_unused(a);
        assert_eq!(symbols.find("a"), None);
        assert_eq!(symbols.slots.len(), 0);
        let (b, _) = symbols.intern("b").unwrap();
        assert_eq!(a, b);
        symbols.get_mut(b).wanted_by.push(Want::new(7, false, false));
        symbols.forget_if_unused(b);
        assert_eq!(symbols.find("b"), Some(b));
    }

    #[test]
    fn a_weak_reference_reads_zero_until_defined() {
        let mut symbols = symbols();
        let (id, _) = symbols.intern("maybe").unwrap();
        assert_eq!(symbols.settle(id).address, 0);
        symbols.get_mut(id).wanted_by.push(Want::new(1, true, false));
        assert_eq!(symbols.settle(id).address, 0);
        symbols.get_mut(id).wanted_by.push(Want::new(2, false, true));
        assert!(symbols.get(id).called() && symbols.get(id).required());
        assert_eq!(symbols.get(id).wanted_by[0].module(), 1);
        assert_eq!(symbols.settle(id).address, symbols.slots.stub(id.0));
    }
}
