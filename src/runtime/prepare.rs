//! Preparing an update: everything that can fail, changing nothing.
//!
//! Owns the way from objects to linked images in memory that nobody can reach yet. What the
//! table will look like once they are committed is [`super::view`]'s; what is refused
//! because it does not fit what is there is in [`super::fitting`] and
//! [`super::signature_gate`]. A dropped [`Prepared`] gives back all memory; the names it
//! made are forgotten by [`Prepared::abandon`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use smallvec::SmallVec;

use super::fitting::{Migration, Rules};
use super::generation::{Generation, Layer};
use super::make::Made;
use super::report::{ModuleReport, Report};
use super::staging::refuse_spanning_sets;
use super::state::State;
use super::units::Incoming;
use crate::compile::Interface;
use crate::error::{Error, Result};
use crate::fault::step;
use crate::link::{Definition, Object, Storage};
use crate::memory::{Arena, Block};
use crate::observe::{self, Piece};
use crate::seeded::{Bug, bug};
use crate::table::{Epoch, Gates, Owner, Pending, Provider, SignatureId, SymbolId};
use crate::tls::TlsBlock;

/// An object to load under a name, or to replace the module of that name with.
pub(super) struct Input<'d> {
    pub module: Incoming,
    pub object: Object<'d>,
    pub interface: Arc<Interface>,
    pub made: Made,
}

/// A module ready to be committed.
pub(super) struct Staged {
    pub name: Arc<str>,
    pub id: u32,
    pub replace: bool,
    /// The generation stays the same, with better code.
    pub upgrade: bool,
    pub anonymous: bool,
    /// Still without layers.
    pub generation: Generation,
    pub layer: Layer,
    /// Which layers of the generation before it goes on with.
    pub carried: Vec<usize>,
}

/// A generation of a module that is to be live again, as it is.
pub(super) struct Restored {
    pub id: u32,
    pub number: u64,
    pub report: Arc<ModuleReport>,
}

/// Archives and their members, as they will be after the update.
pub(super) type Groups = Vec<(Arc<str>, Option<Vec<Arc<str>>>)>;

#[derive(Default)]
pub(super) struct Prepared {
    /// [`State::epoch`] that it was prepared against.
    pub epoch: Epoch,
    pub groups: Groups,
    pub staged: Vec<Staged>,
    pub restored: Vec<Restored>,
    pub removed: Vec<u32>,
    /// Definitions by symbol, in order of the update.
    pub providers: HashMap<SymbolId, SmallVec<[Provider; 1]>, foldhash::fast::RandomState>,
    /// Symbols made for this update.
    pub created: Vec<SymbolId>,
    /// References by others: symbol, whether by a call, whether it must be defined.
    pub references: HashMap<SymbolId, (bool, bool), foldhash::fast::RandomState>,
    pub pending: Vec<(SymbolId, Pending)>,
    /// Where calls of symbols go that nothing will define.
    pub missing: HashMap<SymbolId, Block, foldhash::fast::RandomState>,
    /// Definitions that are functions to be asked for the function to use.
    pub indirect: HashSet<(SymbolId, Owner), foldhash::fast::RandomState>,
    /// Functions whose types change.
    pub retyped: Vec<(SymbolId, SignatureId, SignatureId)>,
    pub migrations: Vec<Migration>,
    /// Every symbol whose cells may change.
    pub changed: Vec<SymbolId>,
    /// Who will provide each of them.
    pub winners: Vec<Option<Provider>>,
    /// The slots that callers may be using and whose target changes, in one step unless
    /// there was no memory for that.
    pub gates: Vec<Gates>,
    /// See [`Batch::departs`].
    pub departed: Vec<SymbolId>,
    /// What debuggers and profilers are told of each of `staged`, and all of it made ready.
    pub pieces: Vec<Option<Piece>>,
    pub told: observe::Update,
    /// See [`Batch::is_moved`].
    pub moved: Vec<SymbolId>,
    pub report: Report,
}

impl Prepared {
    /// Takes back the names that the update made. The memory goes with `self`.
    pub(super) fn abandon(self, state: &mut State) {
        let Self { staged, missing, gates, created, .. } = self;
        drop((missing, gates));
        // Modules of one update may share what it made.
        let made = staged.iter().flat_map(|module| &module.layer.image.storages);
        let made = made.filter(|stored| !stored.kept);
        let made: HashSet<*const Storage> = made.map(|stored| Arc::as_ptr(&stored.storage)).collect();
        for Staged { layer, .. } in staged {
            layer.release(&mut state.symbols);
            // Others may have ended what it was to keep.
            let before = layer.image.storages.iter().map(|stored| &stored.storage);
            for storage in before.filter(|storage| !made.contains(&Arc::as_ptr(storage))) {
                state.leave_storage(storage.clone());
            }
        }
        for id in created {
            if !bug(Bug::LeaveSymbol) && state.symbols.at_index(id.0).is_some() {
                state.symbols.forget_if_unused(id);
            }
        }
    }
}

/// The settings of a runtime that preparing depends on.
pub(super) struct Settings<'a> {
    pub arena: &'a Arc<Arena>,
    /// Calls go through stubs.
    pub direct: bool,
    /// Where missing thunks jump through.
    pub missing_entry_cell: u64,
    /// Undefined and multiply defined symbols are errors.
    pub strict: bool,
    /// Functions are what modules declare them to be, or that is an error.
    pub declarations: bool,
    /// What becomes of variables that no longer fit.
    pub rules: &'a Rules,
}

/// What an update asks for, with everything compiled.
pub(super) struct Request<'d> {
    pub inputs: Vec<Input<'d>>,
    /// Modules and the generations they return to.
    pub restored: Vec<(u32, u64)>,
    pub removed: Vec<u32>,
    pub groups: Groups,
}

/// Why an update was refused.
pub(super) struct Refusal {
    pub error: Error,
    /// Modules compiled against types that the update changes.
    pub outdated: Vec<Arc<str>>,
}

/// Prepares everything that `request` asks for, all in one step.
pub(super) fn prepare<'s>(
    state: &'s mut State,
    settings: &Settings<'s>,
    request: Request<'_>,
) -> Result<Prepared, Refusal> {
    let Request { inputs, restored, removed, groups } = request;
    let leaving = removed.iter().chain(restored.iter().map(|(id, _)| id));
    let mut outdated = Vec::new();
    let mut batch = Batch {
        leaving: leaving.map(|&id| Owner::Module(id)).collect(),
        prepared: Prepared { epoch: state.epoch, removed, groups, ..Prepared::default() },
        state,
        arena: settings.arena,
        shared: HashMap::new(),
        thread_locals: Vec::new(),
        current: Current::default(),
        index: 0,
    };
    let result = batch.run(settings, inputs, &restored, &mut outdated);
    let Batch { prepared, state, .. } = batch;
    match result {
        Ok(()) => Ok(prepared),
        Err(error) => {
            prepared.abandon(state);
            Err(Refusal { error, outdated })
        }
    }
}

pub(super) struct Batch<'s> {
    pub(super) state: &'s mut State,
    pub(super) arena: &'s Arc<Arena>,
    pub(super) prepared: Prepared,
    /// Owners whose present definitions end with this update.
    pub(super) leaving: HashSet<Owner, foldhash::fast::RandomState>,
    /// Storage of shared variables made in this update.
    pub(super) shared: HashMap<SymbolId, Arc<Storage>>,
    /// Thread-local blocks of modules of this update.
    pub(super) thread_locals: Vec<Arc<TlsBlock>>,
    pub(super) current: Current,
    /// The position in the update of the module being staged.
    pub(super) index: u64,
}

/// The module being linked.
#[derive(Default)]
pub(super) struct Current {
    pub(super) id: u32,
    /// See [`Incoming::scope`].
    pub(super) scope: String,
    pub(super) definitions: Vec<Definition>,
    /// Functions that only it knows, and whose addresses it uses.
    pub(super) exposed: Vec<SymbolId>,
    /// See [`super::generation::Layer::life`].
    pub(super) life: Arc<()>,
    /// By a call, and not only weakly.
    pub(super) wanted: HashMap<SymbolId, (bool, bool), foldhash::fast::RandomState>,
}

impl Batch<'_> {
    fn run(
        &mut self,
        settings: &Settings<'_>,
        inputs: Vec<Input<'_>>,
        restored: &[(u32, u64)],
        outdated: &mut Vec<Arc<str>>,
    ) -> Result<()> {
        refuse_spanning_sets(&inputs)?;
        let named = self.name(settings, inputs)?;
        let placed = self.place(settings, named)?;
        self.stage_restored(restored)?;
        for (index, module) in placed.into_iter().enumerate() {
            self.index = index as u64;
            self.link(settings, module)?;
        }
        step("checks").and_then(|()| self.check_signatures(outdated, settings.declarations))?;
        self.find_changes();
        self.make_missing_thunks(settings)?;
        self.prepared.winners = self.prepared.changed.iter().map(|&id| self.winner(id).copied()).collect();
        self.find_loose_ends(settings.strict)?;
        self.make_gates(settings.arena)?;
        self.finish_report();
        self.prepared.told = self.state.observers.prepare(std::mem::take(&mut self.prepared.pieces));
        // From here on every core may run what was written.
        settings.arena.publish();
        Ok(())
    }
}
