//! What a runtime knows, behind one lock: symbols, modules, shared storage.
//!
//! Owns the records of loaded modules and the lookups over them. Changes are made by
//! [`super::prepare`] and [`super::commit`] only.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::compile::Interface;
use crate::error::{Error, ErrorKind, Result};
use crate::link::{Image, Storage};
use crate::process::{Found, Process};
use crate::table::{Owner, Provider, Rank, SymbolId, Symbols, Target};

pub(super) struct Module {
    pub name: Arc<str>,
    pub file: Option<Arc<str>>,
    /// 1 for the first load, one more for each replacement.
    pub generation: u64,
    pub image: Image,
    /// Symbols it provides, and those it refers to without defining them.
    pub defined: Vec<SymbolId>,
    pub wanted: Vec<SymbolId>,
    pub interface: Interface,
}

impl Drop for State {
    /// Ends images newest first: the unwinder finds those it was told of last at once.
    fn drop(&mut self) {
        while self.modules.pop().is_some() || self.retired.pop().is_some() {}
    }
}

pub(super) struct State {
    // Order matters when a runtime ends: images first, then the libraries they call.
    pub modules: Vec<Option<Module>>,
    /// Numbers of modules that were removed.
    vacant: Vec<u32>,
    /// Images replaced or removed, which some thread may still be running.
    pub retired: Vec<Image>,
    pub symbols: Symbols,
    pub process: Process,
    pub by_name: HashMap<Arc<str>, u32, foldhash::fast::RandomState>,
    /// The modules that an archive was loaded as.
    pub groups: HashMap<Arc<str>, Vec<Arc<str>>>,
    pub shared: HashMap<SymbolId, Weak<Storage>>,
    /// The number of the next update, in the high half: later definitions have higher ones.
    pub order: u64,
}

/// What [`State::order`] grows by with each update; the low half orders its modules.
pub(super) const ONE_UPDATE: u64 = 1 << 32;

impl State {
    pub(super) fn new(symbols: Symbols, process: Process) -> Self {
        Self {
            modules: Vec::new(),
            vacant: Vec::new(),
            retired: Vec::new(),
            symbols,
            process,
            by_name: HashMap::default(),
            groups: HashMap::new(),
            shared: HashMap::new(),
            order: ONE_UPDATE,
        }
    }

    pub(super) fn module_id(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(super) fn module(&self, id: u32) -> Option<&Module> {
        self.modules.get(id as usize)?.as_ref()
    }

    /// Numbers for new modules: those of removed ones first, then fresh ones.
    pub(super) fn free_module_ids(&self) -> impl Iterator<Item = u32> + use<> {
        self.vacant.clone().into_iter().rev().chain(self.modules.len() as u32..)
    }

    /// Stores the record of a module under a number that [`Self::free_module_ids`] gave.
    pub(super) fn insert_module(&mut self, id: u32, module: Module) -> Option<Module> {
        let at = id as usize;
        if self.modules.len() <= at {
            self.modules.resize_with(at + 1, || None);
        }
        self.vacant.retain(|&vacant| vacant != id);
        self.by_name.insert(module.name.clone(), id);
        self.modules[at].replace(module)
    }

    pub(super) fn take_module(&mut self, id: u32) -> Option<Module> {
        let module = self.modules.get_mut(id as usize)?.take()?;
        self.by_name.remove(&module.name);
        self.vacant.push(id);
        Some(module)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter().flatten()
    }

    /// The module whose code, live or not, is at `address`.
    pub(super) fn module_at(&self, address: u64) -> Option<&Module> {
        self.live().find(|module| module.image.contains(address))
    }

    /// The provider that the process has for `name`.
    pub(super) fn process_provider(&self, name: &str) -> Option<Provider> {
        let Found { address, .. } = self.process.find(name)?;
        Some(Provider {
            owner: Owner::Process,
            rank: Rank::Process,
            order: 0,
            target: Target::Process(address),
            size: 0,
        })
    }

    /// Defines a symbol on behalf of the host or of hotslot itself.
    pub(super) fn define(&mut self, name: &str, owner: Owner, rank: Rank, target: Target) -> Result<()> {
        if name.is_empty() || name.contains('\0') {
            return Err(Error::new(
                ErrorKind::Update,
                "a symbol's name cannot be empty or contain a zero byte",
            ));
        }
        let (id, _) = self.symbols.intern(name)?;
        let order = self.order;
        self.order += ONE_UPDATE;
        let symbol = self.symbols.get_mut(id);
        symbol.pinned = true;
        symbol.providers.retain(|p| p.owner != owner);
        symbol.providers.push(Provider { owner, rank, order, target, size: 0 });
        self.settle_pending(id);
        self.symbols.store(id, self.symbols.settle(id));
        Ok(())
    }

    /// Fills the words that waited for `id`, now that it may have a definition.
    pub(super) fn settle_pending(&mut self, id: SymbolId) {
        let target = self.symbols.get(id).winner().map(|p| p.target);
        let Some(address) = self.symbols.address(id, target) else { return };
        for waiting in std::mem::take(&mut self.symbols.get_mut(id).pending) {
            self.symbols.slots.store_word(waiting.address, address.wrapping_add(waiting.addend));
        }
    }

    pub(super) fn find(&self, name: &str) -> Result<SymbolId> {
        self.symbols.find(name).ok_or_else(|| undefined(name))
    }
}

/// The error for a name that nothing defines.
pub(super) fn undefined(name: &str) -> Error {
    Error::new(ErrorKind::Resolve, format!("undefined symbol: {name}"))
        .about(name)
        .hint("load a module that defines it, define it from the host, or open its library")
}
