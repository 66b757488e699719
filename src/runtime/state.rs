//! What a runtime knows, behind one lock: symbols, modules, shared storage.
//!
//! Owns the records of loaded modules and the lookups over them. Changes are made by
//! [`super::prepare`] and [`super::commit`] only.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Totals;
use super::generation::{Module, Retired};
use super::undo::Updates;
use super::variables::Left;
use crate::compile::{Known, Source, Way};
use crate::error::{Error, ErrorKind, Result};
use crate::link::{Constants, Image, Storage};
use crate::observe::Observers;
use crate::process::{Found, Library, Process};
use crate::seeded::{Bug, bug};
use crate::table::{
    Epoch, GateMemory, Names, Owner, Provider, Rank, SignatureId, Signatures, SymbolId, Symbols, Target,
};

impl Drop for State {
    /// Ends images newest first: the unwinder finds those it was told of last at once. Their
    /// memory stays the arena's for longer, so that debuggers can forget all of them at once.
    fn drop(&mut self) {
        while self.modules.pop().is_some() || self.retired.pop().is_some() {}
        self.observers.sweep();
    }
}

pub(super) struct State {
    // Order matters when a runtime ends: images first, then the libraries they call.
    pub modules: Vec<Option<Box<Module>>>,
    /// Numbers of modules that were removed.
    vacant: Vec<u32>,
    /// Generations that some thread may still be running, oldest first.
    pub retired: Vec<Retired>,
    /// Bytes of both, as of when each was retired.
    pub retired_bytes: usize,
    /// Variables of generations that were freed.
    pub left: Vec<Left>,
    /// Thunks of commits, which some thread may be in.
    pub gates: Vec<GateMemory>,
    /// Who is told of code.
    pub observers: Arc<Observers>,
    pub symbols: Symbols,
    pub process: Process,
    names: Names,
    /// The modules that an archive was loaded as.
    pub groups: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Storage that several modules share, with how many hold it.
    pub shared: HashMap<SymbolId, (Arc<Storage>, usize)>,
    /// Read-only data that outlives the modules it came with.
    pub constants: Constants,
    pub signatures: Signatures,
    /// How often anything changed that an update is prepared against.
    pub epoch: Epoch,
    pub totals: Totals,
    /// How many bytes, and how many pieces, are retired when threads are asked next.
    pub look_at: usize,
    pub look_at_count: usize,
    /// The modules of the last update.
    pub latest: Vec<Arc<str>>,
    /// The last updates that were not only to have better code.
    pub updates: Updates,
    /// How many past generations each module keeps.
    pub history: usize,
    /// The number of the next update, in the high half: later definitions have higher ones.
    pub order: u64,
}

/// What [`State::order`] grows by with each update; the low half orders its modules.
pub(super) const ONE_UPDATE: u64 = 1 << 32;

/// What a patch has to fit.
pub(super) struct Base {
    pub known: Known,
    pub bitcode: Option<Source>,
    pub serial: u64,
    /// The plain names of the functions that the module provides, to all and to itself.
    pub provided: [HashSet<Box<str>, foldhash::fast::RandomState>; 2],
    /// Those of functions whose addresses its code has.
    pub direct: HashSet<Box<str>, foldhash::fast::RandomState>,
}

impl Base {
    /// How code reaches the functions that the module defines.
    pub(super) fn provides(&self) -> impl Fn(&str, bool) -> Way + '_ {
        |name, local| match () {
            () if local && self.direct.contains(name) => Way::Direct,
            () if self.provided[usize::from(local)].contains(name) => Way::Slot,
            () => Way::None,
        }
    }
}

impl State {
    pub(super) fn new(symbols: Symbols, process: Process, history: usize) -> Self {
        Self {
            modules: Vec::new(),
            vacant: Vec::new(),
            retired: Vec::new(),
            left: Vec::new(),
            retired_bytes: 0,
            gates: Vec::new(),
            observers: Arc::default(),
            symbols,
            process,
            names: Names::new(),
            groups: HashMap::new(),
            shared: HashMap::new(),
            constants: Constants::default(),
            signatures: Signatures::default(),
            epoch: Epoch::default(),
            totals: Totals::default(),
            look_at: super::retire::FIRST_LOOK,
            look_at_count: super::retire::MANY,
            latest: Vec::new(),
            updates: Updates::default(),
            history,
            order: ONE_UPDATE,
        }
    }

    pub(super) fn module_id(&self, name: &str) -> Option<u32> {
        self.names.find(name, |id| self.module(id).map_or("", |module| &module.name))
    }

    pub(super) fn module(&self, id: u32) -> Option<&Module> {
        self.modules.get(id as usize)?.as_deref()
    }

    /// `count` numbers for new modules: those of removed ones first, then fresh ones.
    pub(super) fn free_module_ids(&self, count: usize) -> impl Iterator<Item = u32> + use<> {
        let vacant: Vec<u32> = self.vacant.iter().rev().take(count).copied().collect();
        vacant.into_iter().chain(self.modules.len() as u32..)
    }

    /// Stores the record of a module under the number of its earlier generation, which is
    /// returned, or under one that [`Self::free_module_ids`] gave.
    pub(super) fn insert_module(&mut self, id: u32, module: Module) -> Option<Box<Module>> {
        let at = id as usize;
        if self.modules.len() <= at {
            self.modules.resize_with(at + 1, || None);
        }
        let (name, anonymous) = (module.name.clone(), module.anonymous);
        let old = self.modules[at].replace(Box::new(module));
        if old.is_none() {
            self.vacant.retain(|&vacant| vacant != id);
            let Self { names, modules, .. } = self;
            if anonymous {
                return None;
            }
            names.insert(&name, id, |id| modules[id as usize].as_ref().map_or("", |module| &module.name));
        }
        old
    }

    pub(super) fn take_module(&mut self, id: u32) -> Option<Box<Module>> {
        let module = self.modules.get_mut(id as usize)?.take()?;
        if !module.anonymous {
            self.names.remove(&module.name, id);
        }
        self.vacant.push(id);
        Some(module)
    }

    /// All modules, with their numbers.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u32, &Module)> {
        self.modules.iter().enumerate().filter_map(|(id, module)| Some((id as u32, module.as_deref()?)))
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter().flatten().map(|module| &**module)
    }

    /// What a patch of the module `name` has to fit; `None` if it has to be replaced whole.
    pub(super) fn base(&self, name: &str) -> Option<Base> {
        let id = self.module_id(name)?;
        let module = self.module(id)?;
        self.is_up_to_date(&module.current).then(|| self.base_of(id, module)).flatten()
    }

    /// What more code of a module's live generation has to fit.
    pub(super) fn base_of(&self, id: u32, module: &Module) -> Option<Base> {
        let (known, bitcode) = (module.current.known.clone()?, module.current.bitcode.clone());
        let mut provided = <[HashSet<_, _>; 2]>::default();
        for &symbol in &module.current.defined {
            let symbol = self.symbols.get(symbol);
            let is_function = |p: &Provider| {
                let live = p.owner == Owner::Module(id) && p.rank > Rank::Retired;
                live && matches!(p.target, Target::Function(_))
            };
            if symbol.providers.iter().any(is_function) {
                provided[usize::from(symbol.is_local())].insert(symbol.plain_name().into());
            }
        }
        let direct = module.current.images().flat_map(|image| image.functions.locals()).map(Box::from);
        let (serial, direct) = (module.current.serial(), direct.collect());
        Some(Base { known, bitcode, serial, provided, direct })
    }

    /// The module whose live code is at `address`.
    pub(super) fn module_at(&self, address: u64) -> Option<&Module> {
        self.live().find(|module| module.current.images().any(|image| image.contains(address)))
    }

    /// The provider that the process has for `name`.
    pub(super) fn process_provider(&self, name: &str) -> Option<Provider> {
        let Found { address, function } = self.process.find(name)?;
        let target = if function { Target::Process(address) } else { Target::ProcessData(address) };
        let signature = SignatureId::UNKNOWN;
        Some(Provider { owner: Owner::Process, rank: Rank::Process, order: 0, target, size: 0, signature })
    }

    /// Defines a symbol on behalf of the host or of hotslot itself.
    pub(super) fn define(&mut self, name: &str, owner: Owner, rank: Rank, target: Target) -> Result<()> {
        self.define_as(name, owner, rank, target, SignatureId::UNKNOWN)
    }

    /// The same for a function whose type is known.
    pub(super) fn define_as(
        &mut self,
        name: &str,
        owner: Owner,
        rank: Rank,
        target: Target,
        signature: SignatureId,
    ) -> Result<()> {
        if name.is_empty() || name.contains('\0') {
            return Err(Error::new(
                ErrorKind::Update,
                "a symbol's name cannot be empty or contain a zero byte",
            ));
        }
        self.symbols.slots.writable()?;
        let (id, _) = self.symbols.intern(name)?;
        let order = self.order;
        self.order += ONE_UPDATE;
        let symbol = self.symbols.get_mut(id);
        symbol.pinned = true;
        symbol.retract(owner);
        symbol.provide(Provider { owner, rank, order, target, size: 0, signature });
        self.epoch.advance();
        self.latest.clear();
        self.settle_pending(id);
        self.symbols.store(id, self.symbols.settle(id));
        Ok(())
    }

    /// Keeps the constants of an image that is committed, and the symbols they name: their
    /// stubs and cells must not become somebody else's.
    pub(super) fn admit_constants(&mut self, image: &Image) {
        for (key, constant) in image.interned.iter().filter(|_| !bug(Bug::FreeConstants)) {
            if self.constants.admit(*key, constant) {
                for &id in constant.names() {
                    self.symbols.get_mut(id).pinned = true;
                }
            }
        }
    }

    /// Makes functions that were removed callable once more: what is left to run are exit
    /// handlers, some of which may be theirs.
    pub(super) fn reach_retired(&self) {
        for (id, symbol) in self.symbols.iter() {
            if let (None, Some(body)) = (symbol.winner(), symbol.retired()) {
                let Target::Function(body) = body.target else { continue };
                self.symbols.slots.store_call(id.0, body);
            }
        }
    }

    /// Fills the words that waited for `id`, now that it may have a definition.
    pub(super) fn settle_pending(&mut self, id: SymbolId) {
        if self.symbols.get(id).rare().is_none_or(|rare| rare.pending.is_empty()) {
            return;
        }
        let target = self.symbols.get(id).winner().map(|p| p.target);
        let Some(address) = self.symbols.address(id, target) else { return };
        for waiting in std::mem::take(&mut self.symbols.get_mut(id).rare_mut().pending) {
            if waiting.within.strong_count() == 0 {
                continue;
            }
            self.symbols.slots.fill_word(waiting.address, address.wrapping_add(waiting.addend));
        }
    }

    pub(super) fn find(&self, name: &str) -> Result<SymbolId> {
        // What only its module knows has a zero byte in its name.
        let found = self.symbols.find(name).filter(|_| !name.contains('\0'));
        found.ok_or_else(|| undefined(name))
    }
}

/// The error for a name that nothing defines.
pub(super) fn undefined(name: &str) -> Error {
    Error::new(ErrorKind::Resolve, format!("undefined symbol: {name}"))
        .about(name)
        .hint("load a module that defines it, define it from the host, or open its library")
}

/// The error for asking for the one address of a variable that has many.
pub(super) fn thread_local(name: &str) -> Error {
    Error::new(ErrorKind::Resolve, format!("{name} is thread-local: it has an address for each thread"))
        .about(name)
        .hint("load a function that returns its address")
}

/// Libraries opened after modules that want something of theirs.
impl State {
    /// Searches `libraries` from now on, and gives symbols that nothing defines their
    /// definitions from there.
    pub(super) fn add_libraries(&mut self, libraries: Vec<Library>) {
        let mut new = false;
        for library in libraries {
            new |= self.process.add(library);
        }
        if !new {
            return;
        }
        let open = self.symbols.iter().filter(|(_, symbol)| {
            symbol.winner().is_none() && (symbol.pinned || !symbol.wanted_by.is_empty())
        });
        let open: Vec<_> =
            open.filter_map(|(id, symbol)| Some((id, self.process_provider(&symbol.name)?))).collect();
        self.epoch.advance();
        for (id, provider) in open {
            self.symbols.get_mut(id).provide(provider);
            self.settle_pending(id);
            self.symbols.store(id, self.symbols.settle(id));
        }
    }
}
