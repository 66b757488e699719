//! Committing an update: nothing here can fail.
//!
//! Owns the order: unwind information is registered, providers change hands, cells that hold
//! addresses are stored, then the slots, in one step. What ends is kept as a past generation
//! or retired, never freed here: a thread may still be in it.

use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use super::generation::{Generation, Module, Past};
use super::prepare::{Prepared, Restored, Staged};
use super::state::{ONE_UPDATE, State};
use super::undo::{self, Changed};
use crate::link::{Image, Initialiser, StorageKey, Stored};
use crate::memory::Block;
use crate::seeded::{Bug, bug};
use crate::table::{Owner, Provider, Rank, SymbolId, Target, Want};
use crate::unwind::Frames;

/// What has to be done once the lock is released, because it runs generated code.
#[derive(Default)]
pub(super) struct Afterwards {
    /// Indirect functions, whose resolvers have to be asked.
    pub indirect: Vec<SymbolId>,
    /// Constructors and destructors with their priority, as the update's modules have
    /// them; [`Afterwards::in_order`] sorts them.
    init: Vec<(u32, u64)>,
    fini: Vec<(u32, u64)>,
    /// The generations that these are of, which must not be freed meanwhile.
    #[allow(dead_code, reason = "held")]
    lives: Vec<Arc<()>>,
    /// The anonymous module of the update.
    pub anonymous: Option<u32>,
}

impl Afterwards {
    /// Constructors and destructors in the order to run them: by priority over all modules
    /// of the update, destructors the other way round.
    pub(super) fn in_order(&self) -> (Vec<u64>, Vec<u64>) {
        let sorted = |list: &[(u32, u64)]| {
            let mut list = list.to_vec();
            list.sort_by_key(|&(priority, _)| priority);
            list.into_iter().map(|(_, function)| function)
        };
        (sorted(&self.init).collect(), sorted(&self.fini).rev().collect())
    }
}

/// Makes `prepared`, which was prepared against `state` as it is, the state of the world.
pub(super) fn commit(state: &mut State, prepared: Prepared) -> Afterwards {
    let Prepared { mut staged, restored, removed, providers, pending, missing, groups, .. } = prepared;
    let (changed, gates, indirect) = (prepared.changed, prepared.gates, prepared.indirect);
    let mut after = Afterwards::default();
    state.epoch.advance();
    let upgrades = staged.iter().filter(|staged| staged.upgrade).count();
    state.totals.upgrades += upgrades as u64;
    let anonymous = staged.iter().any(|staged| staged.anonymous);
    state.totals.commits += u64::from(upgrades == 0 && !anonymous);
    state.order += ONE_UPDATE;
    for id in prepared.departed {
        state.symbols.get_mut(id).rare_mut().departed = state.order;
    }
    for id in prepared.moved {
        state.symbols.get_mut(id).rare_mut().moved = state.order;
    }
    let mut shown = state.observers.publish(prepared.told).into_iter();
    for module in &mut staged {
        let image = &mut module.layer.image;
        image.shown = shown.next().flatten();
        image.thread_locals.iter().for_each(|locals| locals.block.publish());
        register_frames(image);
    }
    for (group, members) in groups {
        match members {
            Some(members) => state.groups.insert(group, members),
            None => state.groups.remove(&group),
        };
    }
    let mut ended = Vec::new();
    let ending = staged.iter().filter(|module| module.replace).map(|module| module.id);
    let ending: Vec<u32> =
        ending.chain(restored.iter().map(|r| r.id)).chain(removed.iter().copied()).collect();
    for id in ending {
        ended.push((id, retract(state, id)));
    }
    for (id, thunk) in missing {
        state.symbols.get_mut(id).rare_mut().missing = Some(thunk);
    }
    for (id, waiting) in pending {
        state.symbols.get_mut(id).rare_mut().pending.push(waiting);
    }
    for (id, list) in providers {
        for mut provider in list {
            if provider.owner == Owner::Process {
                state.symbols.get_mut(id).retract(Owner::Process);
            } else if indirect.contains(&(id, provider.owner))
                && let Target::Function(resolver) = provider.target
            {
                let now = state.symbols.slots.call(id.0);
                let rare = state.symbols.get_mut(id).rare_mut();
                rare.resolver = Some((resolver, provider.owner, provider.order));
                after.indirect.push(id);
                // Until the resolver has run, calls go where they went, or ask for it.
                let thunk = rare.missing.as_ref().map(|thunk| thunk.address());
                let first = thunk.unwrap_or(state.symbols.missing);
                provider.target = Target::Function(if now == 0 { first } else { now });
            }
            state.symbols.get_mut(id).provide(provider);
        }
    }
    for (module, bodies) in &ended {
        let version = state.module(*module).map(|m| (m.name.clone(), m.current.number));
        for &(id, body) in bodies {
            let symbol = state.symbols.get_mut(id);
            // A body that was retired before, which serves a local function, gives way.
            let ends = symbol.providers.last().is_none_or(|p| p.rank == Rank::Retired);
            if !ends {
                continue;
            }
            // Code of the generation that has ended may still use its variables. A body from
            // before stays away, also where nobody has compiled this one: reclaiming takes it
            // for code that nobody calls any more.
            if symbol.is_lazy(body.target) {
                symbol.drop_retired();
            } else {
                symbol.retire(body);
            }
            let rare = symbol.rare_mut();
            rare.last_owner.clone_from(&version);
            rare.last_signature = body.signature;
        }
    }
    state.latest.clear();
    note(state, &staged, &restored, &removed);
    after.anonymous = staged.iter().find(|staged| staged.anonymous).map(|staged| staged.id);
    for module in staged {
        state.latest.push(module.name.clone());
        let past = take(&mut ended, module.id);
        admit(state, module, past, &mut after);
    }
    for module in restored {
        let past = take(&mut ended, module.id);
        restore(state, module, past);
    }
    for (id, _) in ended {
        remove(state, id);
    }
    store(state, &changed, gates);
    // Names that the objects list and nothing in them uses.
    for id in prepared.created {
        if state.symbols.at_index(id.0).is_some() {
            state.symbols.forget_if_unused(id);
        }
    }
    after
}

/// Notes what the update changes, while what it replaces is there.
fn note(state: &mut State, staged: &[Staged], restored: &[Restored], removed: &[u32]) {
    let number = |id: u32| state.module(id).map(|module| module.current.number);
    let staged = || staged.iter().filter(|staged| !staged.upgrade && !staged.anonymous);
    let changed = |(name, id, to): (&Arc<str>, u32, Option<u64>)| {
        let source = state.module(id).filter(|_| to.is_none()).map(|module| module.current.source.clone());
        Changed { name: name.clone(), from: number(id), to, source }
    };
    let of = |id: u32, to: Option<u64>| Some((&state.module(id)?.name, id, to));
    let new = staged().map(|staged| Changed {
        from: number(staged.id).filter(|_| staged.replace),
        ..changed((&staged.name, staged.id, Some(staged.generation.number)))
    });
    let back = restored.iter().filter_map(|restored| of(restored.id, Some(restored.number)));
    let gone = removed.iter().filter_map(|&id| of(id, None));
    let modules: Vec<Changed> = new.chain(back.chain(gone).map(changed)).collect();
    let has_effect = !restored.is_empty() || !removed.is_empty() || staged().any(undo::has_effect);
    if !modules.is_empty() {
        state.updates.add(state.order, modules, has_effect);
    }
}

/// What the present generation of module `id` provided.
fn take(ended: &mut Vec<(u32, Vec<(SymbolId, Provider)>)>, id: u32) -> Vec<(SymbolId, Provider)> {
    let at = ended.iter().position(|(module, _)| *module == id);
    at.map(|at| ended.swap_remove(at).1).unwrap_or_default()
}

/// Makes the cells say what the records say.
fn store(state: &mut State, changed: &[SymbolId], gates: Vec<crate::table::Gates>) {
    let mut early = Vec::new();
    for &id in changed {
        state.settle_pending(id);
        let cells = state.symbols.settle(id);
        state.symbols.store_addresses(id, &cells);
        // Slots with a target of old are the gates'.
        if state.symbols.slots.call(id.0) == 0 && cells.call != 0 {
            early.push((id.0, cells.call));
        }
    }
    for gates in gates {
        let gates = gates.commit(&state.symbols.slots, &early);
        state.retire_gates(gates);
        early.clear();
    }
    debug_assert!(
        changed.iter().all(|&id| state.symbols.slots.call(id.0) == state.symbols.settle(id).call),
        "an update stores what it was prepared to store"
    );
}

fn register_frames(image: &mut Image) {
    let code = image.code.as_ref().map_or(0..0, Block::range);
    for begin in std::mem::take(&mut image.unregistered_frames) {
        if bug(Bug::NoUnwindInfo) {
            continue;
        }
        image.frames.push(register(begin, code.clone()));
    }
}

#[allow(unsafe_code)]
fn register(begin: u64, code: Range<u64>) -> Frames {
    // SAFETY: the linker has checked these records, and they live as long as the image
    // that owns the registration.
    unsafe { Frames::register(begin, code) }
}

/// Takes back what a module provides and wants; returns what it provided.
fn retract(state: &mut State, id: u32) -> Vec<(SymbolId, Provider)> {
    let Some(module) = state.modules.get_mut(id as usize).and_then(Option::take) else { return Vec::new() };
    let mut provided = Vec::with_capacity(module.current.defined.len());
    for &symbol in &module.current.defined {
        let provider = state.symbols.get_mut(symbol).retract(Owner::Module(id));
        provided.extend(provider.map(|provider| (symbol, provider)));
    }
    for wanted in &module.current.wanted {
        state.symbols.get_mut(wanted.id).wanted_by.retain(|want| want.module() != id);
    }
    for Stored { key, .. } in module.current.variables().into_iter().flat_map(|image| &image.storages) {
        if let StorageKey::Shared(symbol) = key
            && let Entry::Occupied(mut held) = state.shared.entry(*symbol)
        {
            held.get_mut().1 -= 1;
            if held.get().1 == 0 {
                held.remove();
            }
        }
    }
    state.modules[id as usize] = Some(module);
    provided
}

/// Enters a new generation into the records.
fn admit(state: &mut State, module: Staged, provided: Vec<(SymbolId, Provider)>, after: &mut Afterwards) {
    let Staged { name, id, replace, upgrade, anonymous, mut generation, mut layer, carried } = module;
    layer.order = state.order;
    let (number, image) = (generation.number, &mut layer.image);
    let (init, fini) = (std::mem::take(&mut image.init), std::mem::take(&mut image.fini));
    state.admit_constants(image);
    after.lives.push(layer.life.clone());
    let plain = |i: Initialiser| (i.priority, i.address);
    after.init.extend(init.into_iter().map(plain));
    after.fini.extend(fini.into_iter().map(plain));
    generation.layers.push(Arc::new(layer));
    let old = state.modules.get_mut(id as usize).and_then(Option::take).filter(|_| replace);
    if let Some(module) = &old {
        generation.layers.extend(carried.into_iter().filter_map(|at| module.current.layers.get(at)).cloned());
    }
    engage(state, id, &generation);
    match old {
        Some(mut module) => {
            // The same number again, linked anew, takes the place of what it was.
            let again = module.past.iter().position(|past| past.generation.number == number);
            let again = again.map(|at| module.past.remove(at));
            let ended = std::mem::replace(&mut module.current, generation);
            module.newest = module.newest.max(number);
            if upgrade {
                state.retire(&module.name, ended);
            } else {
                shelve(state, &mut module, ended, provided);
            }
            if let Some(past) = again {
                state.retire(&module.name, past.generation);
            }
            state.modules[id as usize] = Some(module);
        }
        None => {
            let module = Module { name, anonymous, current: generation, past: Vec::new(), newest: number };
            state.insert_module(id, module);
        }
    }
}

/// Makes a past generation the present one again.
fn restore(state: &mut State, restored: Restored, provided: Vec<(SymbolId, Provider)>) {
    let Some(mut module) = state.modules.get_mut(restored.id as usize).and_then(Option::take) else { return };
    let at = module.past.iter().position(|past| past.generation.number == restored.number);
    if let Some(at) = at {
        let generation = module.past.remove(at).generation;
        engage(state, restored.id, &generation);
        let ended = std::mem::replace(&mut module.current, generation);
        shelve(state, &mut module, ended, provided);
    }
    state.latest.push(module.name.clone());
    state.modules[restored.id as usize] = Some(module);
}

/// Notes what a generation that becomes the present one wants and shares.
fn engage(state: &mut State, id: u32, generation: &Generation) {
    for Stored { key, storage, .. } in generation.variables().into_iter().flat_map(|image| &image.storages) {
        if let StorageKey::Shared(symbol) = key {
            let held = state.shared.entry(*symbol).or_insert_with(|| (storage.clone(), 0));
            held.0 = storage.clone();
            held.1 += 1;
        }
    }
    for wanted in &generation.wanted {
        let want = Want::new(id, wanted.called, wanted.required);
        state.symbols.get_mut(wanted.id).wanted_by.push(want);
    }
    for &id in generation.layers.iter().flat_map(|layer| &layer.exposed) {
        state.symbols.get_mut(id).exposed = true;
    }
}

/// Keeps a generation that has ended among those that can be returned to; the oldest goes.
fn shelve(state: &mut State, module: &mut Module, ended: Generation, providers: Vec<(SymbolId, Provider)>) {
    module.past.push(Past { generation: ended, providers });
    module.past.sort_by_key(|past| past.generation.number);
    while module.past.len() > state.history {
        let oldest = module.past.remove(0).generation;
        state.retire(&module.name, oldest);
    }
}

fn remove(state: &mut State, id: u32) {
    let Some(module) = state.take_module(id) else { return };
    state.latest.push(module.name.clone());
    let Module { name, current, past, .. } = *module;
    for generation in past.into_iter().map(|past| past.generation).chain([current]) {
        state.retire(&name, generation);
    }
}

/// Ends the anonymous module `id`. What it defines nobody else refers to by name, so nothing but
/// its own records changes.
pub(super) fn end_anonymous(state: &mut State, id: u32) {
    state.epoch.advance();
    for (symbol, body) in retract(state, id) {
        state.symbols.get_mut(symbol).retire(body);
    }
    let Some(module) = state.take_module(id) else { return };
    let Module { name, current, .. } = *module;
    let before = state.retired.len();
    state.retire(&name, current);
    state.retired.iter_mut().skip(before).for_each(|retired| retired.anonymous = true);
}
