//! All symbols: by name, by index, and what their cells must hold.
//!
//! A symbol lives at one index of the table for as long as anything may refer to it. Owns
//! that life, and the values the cells must hold for a symbol's winning provider; stores
//! nothing itself: [`Symbols::settle`] says what to store. Deliberately knows nothing of
//! object files.

use super::names::Names;
use super::slots::{PairIndex, Slots};
use super::symbol::{Symbol, SymbolId, Target};
use crate::error::Result;
use crate::memory::Block;

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
        *self.chunks.slot(index) = Some(Symbol::new(name));
        let Self { names, chunks, .. } = self;
        names.insert(name, index, |other| chunks.name(other));
        Ok((SymbolId(index), true))
    }

    /// Drops a symbol that nothing provides and nothing refers to.
    pub(crate) fn forget_if_unused(&mut self, id: SymbolId) {
        let symbol = self.get(id);
        let used = symbol.pinned || symbol.holds > 0 || symbol.is_awaited();
        if used || !symbol.providers.is_empty() || !symbol.wanted_by.is_empty() {
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

    /// One image less names `id`, which goes if that was the last.
    pub(crate) fn release(&mut self, id: SymbolId) {
        let symbol = self.get_mut(id);
        symbol.holds = symbol.holds.saturating_sub(1);
        self.forget_if_unused(id);
    }

    /// The same for one that does not define it.
    pub(crate) fn release_want(&mut self, id: SymbolId) {
        let symbol = self.get_mut(id);
        symbol.wants = symbol.wants.saturating_sub(1);
        self.release(id);
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

    pub(crate) fn at_index_mut(&mut self, index: u32) -> Option<&mut Symbol> {
        self.chunks.slot(index).as_mut()
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
        let target = target.or_else(|| symbol.retired_data());
        let address = match self.address(id, target) {
            Some(address) => address,
            // A function that is called may be defined later at this very address; a
            // weak reference tests for zero.
            None if (symbol.called() || symbol.was_function()) && symbol.required() => self.slots.stub(id.0),
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
        self.store_addresses(id, &cells);
        self.slots.store_call(id.0, cells.call);
    }

    /// The same for everything but calls.
    pub(crate) fn store_addresses(&self, id: SymbolId, cells: &Cells) {
        if let Some((pair, word)) = cells.pair {
            self.slots.store_pair(pair, word);
        }
        self.slots.store_address(id.0, cells.address);
    }
}

#[cfg(test)]
mod tests {
    use super::super::signatures::SignatureId;
    use super::super::symbol::{Owner, Provider, Rank, Want};
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
            signature: SignatureId::UNKNOWN,
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
