//! Preparing an update: everything that can fail, changing nothing.
//!
//! Owns the way from objects to linked images in memory that nobody can reach yet. What the
//! table will look like once they are committed is [`super::view`]'s; what is refused
//! because it does not fit what is there is in [`super::fitting`] and
//! [`super::signature_gate`]. A dropped [`Prepared`] gives back all memory; the names it
//! made are forgotten by [`Prepared::abandon`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::fitting::{Migration, Rules};
use super::generation::Wanted;
use super::report::{ModuleReport, Report};
use super::resolve::KeptStorage;
use super::state::State;
use crate::compile::{Interface, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::step;
use crate::link::{
    self, Binding, Definition, Image, Needs, Object, Place, Placement, Storage, SymbolKind, ThreadLocals,
};
use crate::memory::{Arena, Block};
use crate::table::{Epoch, Gates, Owner, Pending, Provider, Rank, SymbolId, Target};

/// An object to load under a name, or to replace the module of that name with.
pub(super) struct Input<'d> {
    pub name: Arc<str>,
    pub file: Option<Arc<str>>,
    pub object: Object<'d>,
    pub interface: Arc<Interface>,
    pub source: Source,
    pub replace: bool,
    /// The number of the earlier generation that this is again.
    pub number: Option<u64>,
}

/// A module ready to be committed.
pub(super) struct Staged {
    pub name: Arc<str>,
    pub file: Option<Arc<str>>,
    pub source: Source,
    pub interface: Arc<Interface>,
    pub life: Arc<()>,
    pub id: u32,
    pub replace: bool,
    pub image: Image,
    pub definitions: Vec<Definition>,
    /// The symbols of `definitions`, each once.
    pub defined: Vec<SymbolId>,
    pub wanted: Vec<Wanted>,
    pub report: ModuleReport,
}

/// A generation of a module that is to be live again, as it is.
pub(super) struct Restored {
    pub id: u32,
    pub number: u64,
    pub report: ModuleReport,
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
    pub providers: HashMap<SymbolId, Vec<Provider>, foldhash::fast::RandomState>,
    /// Symbols made for this update.
    pub created: Vec<SymbolId>,
    /// References by others: symbol, whether by a call, whether it must be defined.
    pub references: HashMap<SymbolId, (bool, bool), foldhash::fast::RandomState>,
    pub pending: Vec<(SymbolId, Pending)>,
    /// Where calls of symbols go that nothing will define.
    pub missing: HashMap<SymbolId, Block, foldhash::fast::RandomState>,
    /// Definitions that are functions to be asked for the function to use.
    pub indirect: HashSet<(SymbolId, Owner), foldhash::fast::RandomState>,
    pub migrations: Vec<Migration>,
    /// Every symbol whose cells may change.
    pub changed: Vec<SymbolId>,
    /// The slots that callers may be using and whose target changes, in one step unless
    /// there was no memory for that.
    pub gates: Vec<Gates>,
    /// A variable or constant that had an address will have another one.
    pub moves: bool,
    pub report: Report,
}

impl Prepared {
    /// Takes back the names that the update made. The memory goes with `self`.
    pub(super) fn abandon(self, state: &mut State) {
        let Self { staged, missing, gates, created, .. } = self;
        drop((missing, gates));
        for module in staged {
            let (defined, wanted) = (module.defined, module.wanted);
            drop(module.image);
            for id in defined.into_iter().chain(wanted.into_iter().map(|w| w.id)) {
                state.symbols.release(id);
            }
        }
        for id in created {
            if state.symbols.at_index(id.0).is_some() {
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
pub(super) fn prepare(
    state: &mut State,
    settings: &Settings<'_>,
    request: Request<'_>,
) -> Result<Prepared, Refusal> {
    let Request { inputs, restored, removed, groups } = request;
    let leaving = removed.iter().chain(restored.iter().map(|(id, _)| id));
    let mut outdated = Vec::new();
    let mut batch = Batch {
        leaving: leaving.map(|&id| Owner::Module(id)).collect(),
        prepared: Prepared { epoch: state.epoch, removed, groups, ..Prepared::default() },
        state,
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
    pub(super) prepared: Prepared,
    /// Owners whose present definitions end with this update.
    pub(super) leaving: HashSet<Owner, foldhash::fast::RandomState>,
    /// Storage of shared variables made in this update.
    pub(super) shared: HashMap<SymbolId, Arc<Storage>>,
    /// Thread-local blocks of modules of this update.
    pub(super) thread_locals: Vec<Arc<ThreadLocals>>,
    pub(super) current: Current,
    /// The position in the update of the module being staged.
    pub(super) index: u64,
}

/// The module being linked.
#[derive(Default)]
pub(super) struct Current {
    pub(super) id: u32,
    pub(super) name: Arc<str>,
    pub(super) definitions: Vec<Definition>,
    /// See [`super::generation::Generation::life`].
    pub(super) life: Arc<()>,
    /// By a call, and not only weakly.
    pub(super) wanted: HashMap<SymbolId, (bool, bool), foldhash::fast::RandomState>,
}

/// A module between being named and being placed.
struct Named<'d> {
    input: Input<'d>,
    id: u32,
    ids: Vec<Option<SymbolId>>,
    needs: Needs,
}

/// A module between being placed and being linked.
struct Placed<'d> {
    name: Arc<str>,
    file: Option<Arc<str>>,
    source: Source,
    interface: Arc<Interface>,
    id: u32,
    replace: bool,
    number: Option<u64>,
    ids: Vec<Option<SymbolId>>,
    placement: Placement<'d>,
    definitions: Vec<Definition>,
    borrowed: Vec<Arc<ThreadLocals>>,
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
        step("checks").and_then(|()| self.check_signatures(outdated))?;
        self.find_changes();
        self.make_missing_thunks(settings)?;
        self.find_loose_ends(settings.strict)?;
        self.make_gates(settings.arena)?;
        self.finish_report();
        // From here on every core may run what was written.
        settings.arena.publish();
        Ok(())
    }

    fn name<'d>(&mut self, settings: &Settings<'_>, inputs: Vec<Input<'d>>) -> Result<Vec<Named<'d>>> {
        let mut named = Vec::with_capacity(inputs.len());
        let mut free = self.state.free_module_ids(inputs.len());
        for input in inputs {
            let (name, file) = (input.name.clone(), input.file.clone());
            let place = |e: Error| e.in_module(&name).in_file(file.as_deref());
            let (is, host) = (input.object.arch, settings.arena.arch());
            if is != host {
                let text = format!("the object is for {is:?}, the host is {host:?}");
                return Err(place(Error::new(ErrorKind::Link, text).hint("compile it for the host")));
            }
            let needs = step("survey").and_then(|()| link::survey(&input.object)).map_err(place)?;
            let id = match self.state.module_id(&input.name) {
                Some(id) if input.replace => {
                    self.leaving.insert(Owner::Module(id));
                    id
                }
                _ => free.next().unwrap_or(u32::MAX),
            };
            let ids = self.name_symbols(&input.object).map_err(place)?;
            named.push(Named { input, id, ids, needs });
        }
        Ok(named)
    }

    fn place<'d>(&mut self, settings: &Settings<'_>, named: Vec<Named<'d>>) -> Result<Vec<Placed<'d>>> {
        let static_tls = self.static_tls(&named);
        let common = largest_common(&named);
        let mut placed = Vec::with_capacity(named.len());
        for (index, module) in named.into_iter().enumerate() {
            let Named { input, id, ids, needs } = module;
            let Input { name, file, object, interface, source, replace, number } = input;
            let place = |e: Error| e.in_module(&name).in_file(file.as_deref());
            let kept = KeptStorage {
                state: self.state,
                id: replace.then_some(id),
                shared: &self.shared,
                common: &common,
                interface: &interface,
            };
            let placement =
                link::place(object, &needs, &ids, settings.arena, &kept, static_tls[index]).map_err(place)?;
            for (symbol, storage) in placement.shared_storage() {
                self.shared.insert(symbol, storage);
            }
            self.index = index as u64;
            let (definitions, borrowed) = self.share_thread_locals(&placement, &ids);
            self.stage_definitions(id, &interface, &definitions);
            let module = Placed {
                name,
                file,
                source,
                interface,
                id,
                replace,
                number,
                ids,
                placement,
                definitions,
                borrowed,
            };
            placed.push(module);
        }
        Ok(placed)
    }

    fn link(&mut self, settings: &Settings<'_>, module: Placed<'_>) -> Result<()> {
        let Placed {
            name,
            file,
            source,
            interface,
            id,
            replace,
            number,
            ids,
            placement,
            definitions,
            borrowed,
        } = module;
        let layout = *self.state.symbols.slots.layout();
        self.current = Current { id, name: name.clone(), definitions, ..Current::default() };
        let mut linked = link::link(placement, &ids, &layout, self, settings.direct)
            .map_err(|e| e.in_module(&name).in_file(file.as_deref()))?;
        linked.image.borrowed = borrowed;
        let Current { definitions, wanted, life, .. } = std::mem::take(&mut self.current);
        let wanted = wanted.into_iter().map(|(id, (called, required))| {
            let declared = interface.declared_type(&self.state.symbols.get(id).name);
            let signature = declared.map(|text| self.state.signatures.intern(text)).unwrap_or_default();
            Wanted { id, signature, called, required }
        });
        let wanted: Vec<Wanted> = wanted.collect();
        let mut defined: Vec<SymbolId> = definitions.iter().map(|d| d.id).collect();
        defined.sort_unstable();
        defined.dedup();
        for id in defined.iter().copied().chain(wanted.iter().map(|w| w.id)) {
            self.state.symbols.get_mut(id).holds += 1;
        }
        let indirect = definitions.iter().filter(|d| d.indirect).map(|d| (d.id, Owner::Module(id)));
        self.prepared.indirect.extend(indirect);
        let report = self.describe_module(&name, replace.then_some(id), number, &linked, &definitions);
        let image = linked.image;
        let staged = Staged {
            name,
            file,
            source,
            interface,
            life,
            id,
            replace,
            image,
            definitions,
            defined,
            wanted,
            report,
        };
        self.prepared.staged.push(staged);
        Ok(())
    }

    /// Gives every global symbol, and every local indirect function, its place in the
    /// table.
    fn name_symbols(&mut self, object: &Object<'_>) -> Result<Vec<Option<SymbolId>>> {
        let mut ids = Vec::with_capacity(object.symbols.len());
        for symbol in &object.symbols {
            let global = symbol.binding != Binding::Local && !symbol.name.is_empty();
            let skip = symbol.kind == SymbolKind::Section
                || matches!(symbol.place, Place::Section(s) if !object.is_loaded(s));
            if !global || skip {
                ids.push(None);
                continue;
            }
            let (id, new) = self.state.symbols.intern(symbol.name)?;
            if new {
                self.prepared.created.push(id);
            }
            ids.push(Some(id));
        }
        Ok(ids)
    }

    /// Which modules' thread-local variables some code reaches by a constant offset.
    fn static_tls(&self, named: &[Named<'_>]) -> Vec<bool> {
        let mut wanted = HashSet::new();
        let mut result: Vec<bool> = Vec::with_capacity(named.len());
        for module in named {
            result.push(!module.needs.static_tls.is_empty());
            wanted.extend(module.needs.static_tls.iter().filter_map(|&index| module.ids[index]));
        }
        if wanted.is_empty() {
            return result;
        }
        for (module, result) in named.iter().zip(&mut result) {
            let symbols = module.input.object.symbols.iter().zip(&module.ids);
            *result |= symbols
                .filter(|(symbol, _)| {
                    symbol.kind == SymbolKind::ThreadLocal && symbol.place != Place::Undefined
                })
                .any(|(_, id)| id.is_some_and(|id| wanted.contains(&id)));
        }
        result
    }

    /// Weak thread-local variables (C++ inline ones) are one variable, however many
    /// modules define them: later definitions take the place of the first, and the module
    /// holds the block that it uses.
    fn share_thread_locals(
        &mut self,
        placement: &Placement<'_>,
        ids: &[Option<SymbolId>],
    ) -> (Vec<Definition>, Vec<Arc<ThreadLocals>>) {
        let mut definitions = placement.definitions(ids);
        let mut borrowed: Vec<Arc<ThreadLocals>> = Vec::new();
        for definition in &mut definitions {
            if !matches!(definition.target, Target::ThreadLocal(_)) || definition.rank != Rank::Weak {
                continue;
            }
            let first = self.winner(definition.id).copied();
            if let Some(Provider { target: Target::ThreadLocal(word), owner: Owner::Module(owner), .. }) =
                first
            {
                let live =
                    self.state.module(owner).into_iter().flat_map(|m| m.current.image.all_thread_locals());
                let holder = self
                    .thread_locals
                    .iter()
                    .chain(live)
                    .find(|locals| locals.block.word(0) == word & !0xffff_ffff);
                if let Some(holder) = holder {
                    borrowed.push(holder.clone());
                    definition.target = Target::ThreadLocal(word);
                }
            }
        }
        self.thread_locals.extend(placement.thread_locals().cloned());
        (definitions, borrowed)
    }
}

/// COMMON definitions of one name are one variable, as large as the largest of them.
fn largest_common(named: &[Named<'_>]) -> HashMap<SymbolId, (u64, u64)> {
    let mut largest: HashMap<SymbolId, (u64, u64)> = HashMap::new();
    for module in named {
        for (symbol, id) in module.input.object.symbols.iter().zip(&module.ids) {
            if let (Place::Common, Some(id)) = (symbol.place, id) {
                let (size, align) = largest.entry(*id).or_default();
                *size = (*size).max(symbol.size);
                *align = (*align).max(symbol.value);
            }
        }
    }
    largest
}

/// Refuses a set of records (`__start_NAME` to `__stop_NAME`) that several modules would
/// have to contribute to: each would see its own records only.
fn refuse_spanning_sets(inputs: &[Input<'_>]) -> Result<()> {
    for input in inputs {
        for &set in &input.object.bounded {
            let other = inputs.iter().find(|i| i.name != input.name && i.object.has_section(set));
            if let Some(other) = other {
                let text = format!("__start_{set} spans records of {} and {}", input.name, other.name);
                return Err(Error::new(ErrorKind::Link, text)
                    .in_module(&input.name)
                    .in_file(input.file.as_deref())
                    .hint("combine the files into one module first (ld -r)"));
            }
        }
    }
    Ok(())
}
