//! Preparing an update: everything that can fail, changing nothing.
//!
//! Owns the view of the table as it will be once the update is committed: staged
//! definitions on top of those in place. A dropped [`Prepared`] gives back all memory; new
//! names that it made are forgotten by [`Prepared::abandon`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::resolve::KeptStorage;
use super::state::State;
use crate::compile::Interface;
use crate::error::{Error, ErrorKind, Result};
use crate::link::{
    self, Binding, Definition, Image, Needs, Object, Place, Placement, Storage, SymbolKind, ThreadLocals,
};
use crate::memory::{Arena, Block, Space};
use crate::table::{Owner, Pending, Provider, Rank, SymbolId, Target};

/// An object to load under a name, or to replace the module of that name with.
pub(super) struct Input<'d> {
    pub name: Arc<str>,
    pub file: Option<Arc<str>>,
    pub object: Object<'d>,
    pub interface: Interface,
    pub replace: bool,
}

/// A module ready to be committed.
pub(super) struct Staged {
    pub name: Arc<str>,
    pub file: Option<Arc<str>>,
    pub id: u32,
    pub replace: bool,
    pub image: Image,
    pub interface: Interface,
    pub definitions: Vec<Definition>,
    /// With whether by a call, and whether it must be defined.
    pub wanted: Vec<(SymbolId, bool, bool)>,
    pub kept: usize,
}

/// Archives and their members, as they will be after the update.
pub(super) type Groups = Vec<(Arc<str>, Option<Vec<Arc<str>>>)>;

#[derive(Default)]
pub(super) struct Prepared {
    pub groups: Groups,
    pub staged: Vec<Staged>,
    pub removed: Vec<u32>,
    /// Definitions by symbol, in order of the update.
    pub providers: HashMap<SymbolId, Vec<Provider>, foldhash::fast::RandomState>,
    /// Symbols made for this update.
    pub created: Vec<SymbolId>,
    /// References by others: symbol, whether by a call, whether it must be defined.
    pub references: HashMap<SymbolId, (bool, bool), foldhash::fast::RandomState>,
    pub pending: Vec<(SymbolId, Pending)>,
    /// Where calls of symbols go that nothing will define.
    pub missing: Vec<(SymbolId, Block)>,
}

impl Prepared {
    /// Takes back the names that the update made. The memory goes with `self`.
    pub(super) fn abandon(self, state: &mut State) {
        let created = self.created;
        drop((self.staged, self.missing));
        for id in created {
            state.symbols.forget_if_unused(id);
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
}

/// Prepares to load and replace `inputs` and to remove `removed`, all in one step.
pub(super) fn prepare<'s>(
    state: &'s mut State,
    settings: &Settings<'s>,
    inputs: Vec<Input<'_>>,
    removed: Vec<u32>,
    groups: Groups,
) -> Result<Prepared> {
    let mut batch = Batch {
        leaving: removed.iter().map(|&id| Owner::Module(id)).collect(),
        state,
        arena: settings.arena,
        prepared: Prepared { removed, groups, ..Prepared::default() },
        shared: HashMap::new(),
        thread_locals: Vec::new(),
        current: Current::default(),
        index: 0,
    };
    match batch.run(settings, inputs) {
        Ok(()) => Ok(batch.prepared),
        Err(error) => {
            let Batch { prepared, state, .. } = batch;
            prepared.abandon(state);
            Err(error)
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

impl Batch<'_> {
    fn run(&mut self, settings: &Settings<'_>, inputs: Vec<Input<'_>>) -> Result<()> {
        refuse_spanning_sets(&inputs)?;
        let mut named = Vec::with_capacity(inputs.len());
        let mut free = self.state.free_module_ids(inputs.len());
        for input in inputs {
            let (name, file) = (input.name.clone(), input.file.clone());
            let place = |e: Error| e.in_module(&name).in_file(file.as_deref());
            if input.object.arch != settings.arena.arch() {
                return Err(place(
                    Error::new(
                        ErrorKind::Link,
                        format!(
                            "the object is for {:?}, the host is {:?}",
                            input.object.arch,
                            settings.arena.arch()
                        ),
                    )
                    .hint("compile it for the host"),
                ));
            }
            let needs = link::survey(&input.object).map_err(place)?;
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
        let static_tls = self.static_tls(&named);
        let common = largest_common(&named);
        let mut placements = Vec::with_capacity(named.len());
        for (index, module) in named.into_iter().enumerate() {
            let Named { input, id, ids, needs } = module;
            let Input { name, file, object, interface, replace } = input;
            let place = |e: Error| e.in_module(&name).in_file(file.as_deref());
            let kept = KeptStorage {
                state: self.state,
                id: replace.then_some(id),
                shared: &self.shared,
                common: &common,
            };
            let placement =
                link::place(object, index, &needs, &ids, settings.arena, &kept, static_tls[index])
                    .map_err(place)?;
            for (symbol, storage) in placement.shared_storage() {
                self.shared.insert(symbol, storage);
            }
            self.index = index as u64;
            let (definitions, borrowed) = self.share_thread_locals(&placement, &ids);
            self.stage_definitions(id, &definitions);
            placements.push((name, file, id, interface, replace, ids, placement, definitions, borrowed));
        }
        let mut units: Vec<_> = (placements.iter_mut())
            .map(|(name, .., ids, placement, _, _)| link::Unit { placement, ids, name })
            .collect();
        let moves = self.intern_constants(&mut units)?;
        for definition in placements.iter_mut().flat_map(|(.., definitions, _)| definitions) {
            definition.target = moves.settle(definition.target);
        }
        let layout = *self.state.symbols.slots.layout();
        for (index, (name, file, id, interface, replace, ids, placement, definitions, borrowed)) in
            placements.into_iter().enumerate()
        {
            self.index = index as u64;
            self.current = Current { id, name: name.clone(), definitions, ..Current::default() };
            let mut linked = link::link(placement, &ids, &layout, self, settings.direct)
                .map_err(|e| e.in_module(&name).in_file(file.as_deref()))?;
            linked.image.borrowed = borrowed;
            let Current { definitions, wanted, .. } = std::mem::take(&mut self.current);
            self.prepared.staged.push(Staged {
                name,
                file,
                id,
                replace,
                image: linked.image,
                interface,
                definitions,
                wanted: wanted.into_iter().map(|(id, (called, required))| (id, called, required)).collect(),
                kept: linked.kept,
            });
        }
        if settings.strict {
            self.refuse_loose_ends()?;
        }
        self.make_missing_thunks(settings)
    }

    /// What a linker refuses: a symbol that nothing defines, or more than one module.
    fn refuse_loose_ends(&mut self) -> Result<()> {
        let mut problems = Vec::new();
        let staged = &self.prepared.staged;
        let mut names: Vec<_> = self.prepared.providers.keys().map(|&id| (self.name(id), id)).collect();
        names.sort_unstable();
        for (name, id) in names {
            let new = self.prepared.providers[&id].iter();
            let old =
                self.state.symbols.get(id).providers.iter().filter(|p| !self.leaving.contains(&p.owner));
            let mut strong: Vec<_> =
                old.chain(new).filter(|p| p.rank == Rank::Strong).map(|p| p.owner).collect();
            strong.dedup();
            if let [first, second, ..] = strong[..] {
                let place = |owner| match owner {
                    Owner::Module(id) => match staged.iter().find(|s| s.id == id) {
                        Some(module) => module.name.to_string(),
                        None => self.state.module(id).map_or_else(String::new, |m| m.name.to_string()),
                    },
                    _ => "the host".to_owned(),
                };
                let text = format!("multiple definitions of {name}: {} and {}", place(first), place(second));
                problems.push(Error::new(ErrorKind::Resolve, text).about(&name));
            }
        }
        let mut open: Vec<_> = (self.prepared.references.iter())
            .filter(|(id, (_, required))| *required && self.winner(**id).is_none())
            .map(|(&id, _)| (self.name(id), id))
            .collect();
        open.sort_unstable();
        for (name, id) in open {
            let wanting =
                staged.iter().filter(|s| s.wanted.iter().any(|&(wanted, ..)| wanted == id)).map(|s| &*s.name);
            let wanting = wanting.collect::<Vec<_>>().join(", ");
            problems.push(
                Error::new(ErrorKind::Resolve, format!("undefined symbol: {name}, wanted by {wanting}"))
                    .about(&name)
                    .hint("add the module or file that defines it, or its library (-l and -L)"),
            );
        }
        Error::all(problems).map_or(Ok(()), Err)
    }

    fn name(&self, id: SymbolId) -> String {
        self.state.symbols.get(id).name.to_string()
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
                let live = self.state.module(owner).into_iter().flat_map(|m| m.image.all_thread_locals());
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

    pub(super) fn stage_definitions(&mut self, id: u32, definitions: &[Definition]) {
        for definition in definitions {
            let provider = self.provider(id, definition);
            self.prepared.providers.entry(definition.id).or_default().push(provider);
        }
    }

    fn provider(&self, id: u32, definition: &Definition) -> Provider {
        // Within one update the first definition wins, as it does for a linker; a later
        // update's come before those of earlier ones.
        let order = self.state.order + (u64::from(u32::MAX) - self.index);
        Provider {
            owner: Owner::Module(id),
            rank: definition.rank,
            order,
            target: definition.target,
            size: definition.size,
        }
    }

    /// Who will provide `id` after the commit.
    pub(super) fn winner(&self, id: SymbolId) -> Option<&Provider> {
        let staged = self.prepared.providers.get(&id).into_iter().flatten();
        // They are sorted, so the last that stays is the one to beat.
        let mut present = self.state.symbols.get(id).providers.iter().rev();
        let present = present.find(|p| p.rank > Rank::Retired && !self.leaving.contains(&p.owner));
        present.into_iter().chain(staged).max_by_key(|p| (p.rank, p.order))
    }

    /// Looks in the process for a symbol that nothing else will provide.
    pub(super) fn ask_process(&mut self, id: SymbolId) -> Option<Target> {
        let provider = self.state.process_provider(&self.state.symbols.get(id).name)?;
        self.prepared.providers.entry(id).or_default().push(provider);
        Some(provider.target)
    }

    /// Symbols that calls may reach while nothing defines them get a thunk that names them.
    fn make_missing_thunks(&mut self, settings: &Settings<'_>) -> Result<()> {
        let removed = self.prepared.removed.iter().copied();
        let replaced = self.prepared.staged.iter().filter(|s| s.replace).map(|s| s.id);
        let mut exposed: Vec<SymbolId> =
            self.prepared.references.iter().filter(|(_, r)| r.0).map(|(&id, _)| id).collect();
        for module in removed.chain(replaced).filter_map(|id| self.state.module(id)) {
            exposed.extend(module.defined.iter().filter(|id| !self.prepared.providers.contains_key(id)));
        }
        exposed.sort_unstable();
        exposed.dedup();
        for id in exposed {
            if self.state.symbols.get(id).rare().is_some_and(|rare| rare.missing.is_some())
                || self.winner(id).is_some()
                || self.ask_process(id).is_some()
            {
                continue;
            }
            let arena = settings.arena;
            // Without room for a thunk of its own the symbol shares the runtime's, which
            // cannot say its name: a removal must not need memory.
            let Ok(block) = arena.allocate(Space::Code, runtime_stubs::THUNK_SIZE, runtime_stubs::STUB_SIZE)
            else {
                continue;
            };
            let thunk = arena.arch().missing_thunk(block.address(), id.0, settings.missing_entry_cell);
            block.fill(&thunk.map_err(|e| Error::new(ErrorKind::Link, e.to_string()))?);
            self.prepared.missing.push((id, block));
        }
        Ok(())
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
