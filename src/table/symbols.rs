//! Names, their providers, and which provider wins.
//!
//! A symbol lives at one index of the table for as long as anything may refer to it. It
//! has any number of providers: the strongest wins, among equals the newest. Owns that
//! rule and the values the cells must hold for it; deliberately knows nothing of object
//! files, and stores nothing itself: [`Symbols::settle`] says what to store.

use std::collections::HashMap;
use std::sync::Arc;

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
    /// A function or variable of the process, whose own address is kept.
    Process(u64),
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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    pub owner: Owner,
    pub address: u64,
    pub addend: u64,
}

pub(crate) struct Symbol {
    pub name: Arc<str>,
    pub providers: Vec<Provider>,
    /// Modules whose code or data refers to it without defining it.
    pub wanted_by: Vec<u32>,
    /// Some reference is a call, so that an undefined symbol is taken for a function.
    pub called: bool,
    /// Some reference is not weak: the symbol must be defined before it is used.
    pub required: bool,
    pub pending: Vec<Pending>,
    pub pair: Option<PairIndex>,
    /// Where calls go while nothing defines the symbol.
    pub missing: Option<Block>,
    /// Kept for good: a handle, an address or a host definition refers to it.
    pub pinned: bool,
}

impl Symbol {
    pub(crate) fn winner(&self) -> Option<&Provider> {
        self.providers.iter().max_by_key(|p| (p.rank, p.order))
    }
}

/// What the cells of one symbol must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cells {
    pub call: u64,
    pub address: u64,
    pub pair: Option<(PairIndex, u64)>,
}

pub(crate) struct Symbols {
    pub slots: Slots,
    by_name: HashMap<Arc<str>, SymbolId, foldhash::fast::RandomState>,
    symbols: Vec<Option<Symbol>>,
}

impl Symbols {
    pub(crate) fn new(slots: Slots) -> Self {
        Self { slots, by_name: HashMap::default(), symbols: Vec::new() }
    }

    pub(crate) fn find(&self, name: &str) -> Option<SymbolId> {
        self.by_name.get(name).copied()
    }

    /// The symbol of this name, made if it is new; `true` says that it is.
    pub(crate) fn intern(&mut self, name: &str) -> Result<(SymbolId, bool)> {
        if let Some(&id) = self.by_name.get(name) {
            return Ok((id, false));
        }
        let id = SymbolId(self.slots.take()?);
        let name: Arc<str> = name.into();
        self.by_name.insert(name.clone(), id);
        let at = id.0 as usize;
        if self.symbols.len() <= at {
            self.symbols.resize_with(at + 1, || None);
        }
        self.symbols[at] = Some(Symbol {
            name,
            providers: Vec::new(),
            wanted_by: Vec::new(),
            called: false,
            required: false,
            pending: Vec::new(),
            pair: None,
            missing: None,
            pinned: false,
        });
        Ok((id, true))
    }

    /// Drops a symbol that nothing provides and nothing refers to.
    pub(crate) fn forget_if_unused(&mut self, id: SymbolId) {
        let symbol = self.get(id);
        if symbol.pinned || !symbol.providers.is_empty() || !symbol.wanted_by.is_empty() {
            return;
        }
        if let Some(symbol) = self.symbols[id.0 as usize].take() {
            self.by_name.remove(&symbol.name);
            if let Some(pair) = symbol.pair {
                self.slots.give_pair(pair);
            }
            self.slots.give(id.0);
        }
    }

    /// The symbol at `id`, which came from this table and has not been forgotten.
    pub(crate) fn get(&self, id: SymbolId) -> &Symbol {
        self.symbols[id.0 as usize].as_ref().expect("a symbol in use is in the table")
    }

    pub(crate) fn get_mut(&mut self, id: SymbolId) -> &mut Symbol {
        self.symbols[id.0 as usize].as_mut().expect("a symbol in use is in the table")
    }

    /// The symbol at an index that generated code named, if it still exists.
    pub(crate) fn at_index(&self, index: u32) -> Option<&Symbol> {
        self.symbols.get(index as usize)?.as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        self.symbols.iter().enumerate().filter_map(|(i, s)| Some((SymbolId(i as u32), s.as_ref()?)))
    }

    /// The pair of a thread-local symbol, made on first use.
    pub(crate) fn pair(&mut self, id: SymbolId) -> Result<PairIndex> {
        if let Some(pair) = self.get(id).pair {
            return Ok(pair);
        }
        let pair = self.slots.take_pair()?;
        self.get_mut(id).pair = Some(pair);
        Ok(pair)
    }

    /// What the address of `id` is for generated code, given its winning target.
    pub(crate) fn address(&self, id: SymbolId, target: Option<Target>) -> Option<u64> {
        match target? {
            Target::Function(_) => Some(self.slots.stub(id.0)),
            Target::Data(address) | Target::Process(address) => Some(address),
            Target::ThreadLocal(_) => None,
        }
    }

    /// What the cells of `id` must hold now.
    pub(crate) fn settle(&self, id: SymbolId) -> Cells {
        let symbol = self.get(id);
        let target = symbol.winner().map(|p| p.target);
        let missing = || symbol.missing.as_ref().map_or(0, Block::address);
        let call = match target {
            Some(Target::Function(body) | Target::Data(body) | Target::Process(body)) => body,
            Some(Target::ThreadLocal(_)) | None => missing(),
        };
        let address = match self.address(id, target) {
            Some(address) => address,
            // A function that is called may be defined later at this very address; a
            // weak reference tests for zero.
            None if symbol.called && symbol.required => self.slots.stub(id.0),
            None => 0,
        };
        let pair = symbol.pair.map(|pair| match target {
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
            symbols.get_mut(id).providers.push(provider);
            let cells = symbols.settle(id);
            assert_eq!(cells.call, 0x1000 * winner);
            assert_eq!(cells.address, symbols.slots.stub(id.0));
        }
        symbols.get_mut(id).providers.retain(|p| p.rank != Rank::Strong);
        assert_eq!(symbols.settle(id).call, 0x4000);
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
        symbols.get_mut(b).wanted_by.push(7);
        symbols.forget_if_unused(b);
        assert_eq!(symbols.find("b"), Some(b));
    }

    #[test]
    fn a_weak_reference_reads_zero_until_defined() {
        let mut symbols = symbols();
        let (id, _) = symbols.intern("maybe").unwrap();
        assert_eq!(symbols.settle(id).address, 0);
        symbols.get_mut(id).called = true;
        assert_eq!(symbols.settle(id).address, 0);
        symbols.get_mut(id).required = true;
        assert_eq!(symbols.settle(id).address, symbols.slots.stub(id.0));
    }
}
