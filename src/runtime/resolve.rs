//! What the linker asks of the table while an update is prepared.
//!
//! Owns the answers: who will define a symbol once the update is committed, which storage
//! a variable keeps. The view they come from is [`super::prepare`]'s.

use std::collections::HashMap;
use std::sync::Arc;

use super::prepare::Batch;
use super::state::State;
use crate::compile::Interface;
use crate::error::Result;
use crate::link::{
    self, Constant, Definition, Kept, Key, Moves, Placement, Resolve, Storage, StorageKey, Stored,
    ThreadLocals, Unit,
};
use crate::seeded::{Bug, bug};
use crate::table::{Owner, Pending, Provider, Rank, SignatureId, SymbolId, Target};

/// What the table calls a function that only `module` knows. A zero byte keeps these apart from
/// every global name.
pub(super) fn scoped_name(name: &str, module: &str, ordinal: u32) -> String {
    match ordinal {
        0 => format!("{name}\0{module}"),
        n => format!("{name}\0{module}\0{n}"),
    }
}

/// What the table calls a symbol that the anonymous module of this number defines for itself.
/// Different from what [`scoped_name`] makes of a static function of the same name.
pub(super) fn anonymous_name(name: &str, number: u64) -> String {
    format!("{name}\0\0{number}")
}

/// The name that an object gives to what the table calls `name`, unless that is a static function.
pub(super) fn exported_name(name: &str) -> &str {
    match name.split_once("\0\0") {
        Some((plain, number)) if !number.starts_with('\0') => plain,
        _ => name,
    }
}

impl Resolve for Batch<'_> {
    fn target(&mut self, id: SymbolId) -> Option<Target> {
        match self.winner(id) {
            Some(provider) => Some(provider.target),
            None => self.ask_process(id),
        }
    }

    fn is_own(&self, id: SymbolId) -> bool {
        self.winner(id).is_some_and(|winner| winner.owner == Owner::Module(self.current.id))
    }

    fn local_function(&mut self, name: &str, ordinal: u32, body: u64, indirect: bool) -> Result<SymbolId> {
        let scoped = scoped_name(name, &self.current.scope, ordinal);
        let id = self.intern(&scoped)?;
        let definition =
            Definition { id, rank: Rank::Strong, target: Target::Function(body), size: 0, indirect };
        // A patch's own takes the place of the one before.
        if let Some(staged) = self.prepared.providers.get_mut(&id) {
            staged.retain(|provider| provider.owner != Owner::Module(self.current.id));
        }
        self.stage_definitions(self.current.id, &Interface::default(), &[definition]);
        self.current.definitions.push(definition);
        self.current.exposed.push(id);
        Ok(id)
    }

    fn expose(&mut self, id: SymbolId) {
        self.current.exposed.push(id);
    }

    fn foreign_thread_local(&mut self, id: SymbolId) -> Option<u64> {
        let Some(Target::Process(address) | Target::ProcessData(address)) = self.target(id) else {
            return None;
        };
        let (module, offset) = crate::process::thread_local_name(address)?;
        let word = crate::tls::foreign_word(module, offset);
        let providers = self.prepared.providers.entry(id).or_default();
        providers.retain(|p| p.owner != Owner::Process);
        let target = Target::ThreadLocal(word);
        providers.push(Provider {
            owner: Owner::Process,
            rank: Rank::Process,
            order: 0,
            target,
            size: 0,
            signature: SignatureId::UNKNOWN,
        });
        Some(word)
    }

    fn foreign_thread_offset(&mut self, id: SymbolId) -> Option<u64> {
        self.state.process.thread_offset(&self.state.symbols.get(id).name)
    }

    fn size(&mut self, id: SymbolId) -> Option<u64> {
        self.winner(id).filter(|p| matches!(p.owner, Owner::Module(_))).map(|p| p.size)
    }

    fn pair(&mut self, id: SymbolId) -> Result<u64> {
        let pair = self.state.symbols.pair(id)?;
        Ok(self.state.symbols.slots.pair(pair))
    }

    fn refer(&mut self, id: SymbolId, called: bool, required: bool) {
        let known = self.prepared.references.entry(id).or_default();
        known.0 |= called;
        known.1 |= required;
        let wanted = self.current.wanted.entry(id).or_insert_with(|| (false, false));
        wanted.0 |= called;
        wanted.1 |= required;
        if self.winner(id).is_none() {
            self.ask_process(id);
        }
    }

    fn wait(&mut self, id: SymbolId, address: u64, addend: u64, holder: Option<Arc<dyn Send + Sync>>) {
        let within = Arc::downgrade(&holder.unwrap_or_else(|| self.current.life.clone()));
        let pending = Pending { address, addend, within };
        self.prepared.pending.push((id, pending));
    }

    fn constant(&self, key: Key) -> Option<Arc<Constant>> {
        self.state.constants.find(key, self.arena)
    }
}

impl Batch<'_> {
    /// Gives the constants of the update their final addresses, in `units` and in what is
    /// staged so far.
    pub(super) fn intern_constants(&mut self, units: &mut [Unit<'_, '_>]) -> Result<Moves> {
        let arena = self.arena.clone();
        let moves = link::intern(units, &arena, self)?;
        for provider in self.prepared.providers.values_mut().flatten() {
            provider.target = moves.settle(provider.target);
        }
        Ok(moves)
    }
}

pub(super) struct KeptStorage<'a> {
    pub(super) state: &'a State,
    /// The module whose earlier generation is replaced.
    pub(super) id: Option<u32>,
    pub(super) shared: &'a HashMap<SymbolId, Arc<Storage>>,
    /// Size and alignment of the update's COMMON variables.
    pub(super) common: &'a HashMap<SymbolId, (u64, u64)>,
    /// What is known of the module's types.
    pub(super) interface: &'a Interface,
    /// Its constants end with its code.
    pub(super) transient: bool,
}

impl Kept for KeptStorage<'_> {
    fn storage(&self, key: &StorageKey) -> Option<Arc<Storage>> {
        if let StorageKey::Shared(symbol) = key {
            let staged = self.shared.get(symbol).cloned();
            if bug(Bug::ForgetStorage) {
                return staged;
            }
            return staged.or_else(|| Some(self.state.shared.get(symbol)?.0.clone()));
        }
        let module = self.state.module(self.id?).filter(|_| !bug(Bug::ForgetStorage))?;
        module
            .current
            .variables()?
            .storages
            .iter()
            .find(|stored| stored.key == *key)
            .map(|stored| stored.storage.clone())
    }

    fn earlier(&self) -> Option<&[Stored]> {
        Some(&self.state.module(self.id?)?.current.variables()?.storages)
    }

    fn fingerprint(&self, name: &str) -> u64 {
        let Some(new) = self.interface.variable(name) else { return 0 };
        let old = self.id.and_then(|id| self.state.module(id)).and_then(|module| {
            let mut known = module.current.variables.iter();
            known.find(|(known, _)| known == name).map(|(_, old)| old)
        });
        // What the storage was made for says less: that may be many generations ago. Some types
        // fit though they are not the same: a union that is written as another of its members.
        match old.map(|old| new.fits(old)) {
            Some(Some(true) | None) => 0,
            Some(Some(false)) => link::CHANGED,
            None => new.fingerprint(),
        }
    }

    fn is_label_table(&self, name: &str) -> bool {
        self.interface.is_label_table(name)
    }

    fn labels_stay(&self) -> bool {
        self.interface.labels_stay
    }

    fn is_transient(&self) -> bool {
        self.transient
    }

    fn common(&self, symbol: SymbolId) -> (u64, u64) {
        self.common.get(&symbol).copied().unwrap_or_default()
    }

    fn thread_locals(&self) -> Option<&ThreadLocals> {
        self.state.module(self.id?)?.current.variables()?.thread_locals.as_ref()
    }
}

impl Placement<'_> {
    /// The storage this object shares with other modules.
    pub(super) fn shared_storage(&self) -> Vec<(SymbolId, Arc<Storage>)> {
        let shared = self.storages().filter_map(|(key, storage)| match key {
            StorageKey::Shared(symbol) => Some((*symbol, storage.clone())),
            _ => None,
        });
        shared.collect()
    }
}
