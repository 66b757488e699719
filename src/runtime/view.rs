//! The table as it will be once an update is committed.
//!
//! Owns the answers to "who will provide this", from the definitions that the update stages
//! on top of those that stay, and what follows for every cell. Changes nothing.

use super::prepare::{Batch, Prepared, Restored};
use super::resolve::exported_name;
use crate::compile::Interface;
use crate::error::Result;
use crate::link::Definition;
use crate::table::{Owner, Provider, Rank, SignatureId, SymbolId, Target};

impl Batch<'_> {
    pub(super) fn stage_definitions(&mut self, id: u32, interface: &Interface, definitions: &[Definition]) {
        self.prepared.providers.reserve(definitions.len());
        for definition in definitions {
            let mut signature = SignatureId::UNKNOWN;
            if matches!(definition.target, Target::Function(_))
                && let Some(text) =
                    interface.type_of(exported_name(&self.state.symbols.get(definition.id).name))
            {
                signature = self.state.signatures.intern(text);
            }
            let provider = Provider {
                owner: Owner::Module(id),
                rank: definition.rank,
                order: self.order(),
                target: definition.target,
                size: definition.size,
                signature,
            };
            self.prepared.providers.entry(definition.id).or_default().push(provider);
        }
    }

    /// Within one update the first definition wins, as it does for a linker; a later
    /// update's come before those of earlier ones.
    pub(super) fn order(&self) -> u64 {
        self.state.order + (u64::from(u32::MAX) - self.index)
    }

    /// Stages what earlier generations provided.
    pub(super) fn stage_restored(&mut self, restored: &[(u32, u64)]) -> Result<()> {
        for &(id, number) in restored {
            self.index += 1;
            let order = self.order();
            let (providers, wanted, report) = Self::restorable(self.state, id, number)?;
            self.prepared.providers.reserve(providers.len());
            for &(symbol, provider) in providers {
                let list = self.prepared.providers.entry(symbol).or_default();
                list.push(Provider { order, ..provider });
            }
            self.prepared.references.reserve(wanted.len());
            for wanted in wanted {
                let known = self.prepared.references.entry(wanted.id).or_default();
                known.0 |= wanted.called;
                known.1 |= wanted.required;
            }
            self.prepared.restored.push(Restored { id, number, report });
        }
        // What nothing had when it was last live a library may have by now.
        let wanted: Vec<SymbolId> = self.prepared.references.keys().copied().collect();
        for id in wanted.into_iter().filter(|_| !restored.is_empty()) {
            if self.winner(id).is_none() {
                self.ask_process(id);
            }
        }
        Ok(())
    }

    /// Who will provide `id` after the commit.
    pub(super) fn winner(&self, id: SymbolId) -> Option<&Provider> {
        let staged = self.prepared.providers.get(&id).into_iter().flatten();
        self.staying(id).into_iter().chain(staged).max_by_key(|p| (p.rank, p.order))
    }

    /// The strongest of those who provide `id` now and will go on doing so.
    fn staying(&self, id: SymbolId) -> Option<&Provider> {
        // They are sorted, so the last that stays is the one to beat.
        let mut present = self.state.symbols.get(id).providers.iter().rev();
        present.find(|p| p.rank > Rank::Retired && !self.leaving.contains(&p.owner))
    }

    /// Looks in the process for a symbol that nothing else will provide.
    pub(super) fn ask_process(&mut self, id: SymbolId) -> Option<Target> {
        let provider = self.state.process_provider(&self.state.symbols.get(id).name)?;
        self.prepared.providers.entry(id).or_default().push(provider);
        Some(provider.target)
    }

    /// Modules of which the present generation ends with the update.
    fn ending(&self) -> impl Iterator<Item = u32> + '_ {
        let replaced = self.prepared.staged.iter().filter(|s| s.replace).map(|s| s.id);
        let restored = self.prepared.restored.iter().map(|r| r.id);
        self.prepared.removed.iter().copied().chain(replaced).chain(restored)
    }

    /// Lists every symbol whose cells may change.
    pub(super) fn find_changes(&mut self) {
        let mut changed: Vec<SymbolId> = self.prepared.providers.keys().copied().collect();
        changed.extend(self.prepared.references.keys());
        for module in self.ending().filter_map(|id| self.state.module(id)) {
            changed.extend(module.current.names());
        }
        changed.sort_unstable();
        changed.dedup();
        self.prepared.changed = changed;
    }

    /// Symbols that calls may reach though nothing will define them.
    pub(super) fn exposed(&self) -> Vec<SymbolId> {
        let called = self.prepared.references.iter().filter(|(_, r)| r.0).map(|(&id, _)| id);
        let mut exposed: Vec<SymbolId> = called.collect();
        for module in self.ending().filter_map(|id| self.state.module(id)) {
            let gone = module.current.defined.iter().filter(|id| !self.prepared.providers.contains_key(id));
            exposed.extend(gone);
        }
        exposed.sort_unstable();
        exposed.dedup();
        exposed
    }

    /// Every symbol that may change, with who will provide it.
    pub(super) fn outlook(&self) -> impl Iterator<Item = (SymbolId, Option<&Provider>)> {
        let Prepared { changed, winners, .. } = &self.prepared;
        changed.iter().zip(winners).map(|(&id, winner)| (id, winner.as_ref()))
    }

    /// Where calls of `id`, which `winner` will provide, are going to go; `now` is where they
    /// go at present.
    pub(super) fn call_of(&self, id: SymbolId, winner: Option<&Provider>, now: u64) -> u64 {
        let symbol = self.state.symbols.get(id);
        match winner {
            Some(winner) if self.is_indirect(id, winner.owner) && now == 0 => self.missing_thunk(id),
            Some(winner) if self.is_indirect(id, winner.owner) => now,
            Some(winner) => match winner.target {
                Target::Function(body)
                | Target::Data(body)
                | Target::Process(body)
                | Target::ProcessData(body) => body,
                Target::ThreadLocal(_) => self.missing_thunk(id),
            },
            // The last body of a local function stays reachable.
            None if symbol.is_local() && symbol.winner().is_some() => now,
            None => self.missing_thunk(id),
        }
    }

    /// Whether what `owner` is about to provide is a function that returns the function to
    /// use: until it has run, calls go where they go now.
    fn is_indirect(&self, id: SymbolId, owner: Owner) -> bool {
        self.prepared.indirect.contains(&(id, owner))
    }

    fn missing_thunk(&self, id: SymbolId) -> u64 {
        let made = self.prepared.missing.get(&id);
        let known = self.state.symbols.get(id).rare().and_then(|rare| rare.missing.as_ref());
        made.or(known).map_or(self.state.symbols.missing, |block| block.address())
    }

    /// Something other than a function that is somewhere now and will not be there: code that is
    /// not live may have its address.
    pub(super) fn departs(&self, id: SymbolId, winner: Option<&Provider>) -> bool {
        let now = self.state.symbols.get(id).winner().map(|p| p.target);
        !matches!(now, None | Some(Target::Function(_))) && now != winner.map(|p| p.target)
    }

    /// A variable or constant that has an address now and will have another one.
    pub(super) fn is_moved(&self, id: SymbolId, winner: Option<&Provider>) -> bool {
        let now = self.state.symbols.get(id).winner().map(|p| p.target);
        match (now, winner.map(|p| p.target)) {
            (Some(Target::Data(from)), Some(Target::Data(to))) => from != to,
            (Some(Target::ProcessData(from)), Some(Target::Data(to))) => from != to,
            // Code of the initial-exec model has its offset.
            (Some(Target::ThreadLocal(from)), Some(Target::ThreadLocal(to))) => from != to,
            _ => false,
        }
    }
}
