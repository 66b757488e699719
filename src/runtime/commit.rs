//! Committing an update: nothing here can fail.
//!
//! Owns the order of publication: code is written and made visible to every core, unwind
//! information is registered, then providers change hands and the slots are stored, each
//! with one Release store. What ends is retired, not freed: a thread may still be in it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::prepare::{Prepared, Staged};
use super::report::{ModuleReport, Report, Shadowed, Undefined};
use super::state::{Module, State};
use crate::link::{Initialiser, StorageKey, Stored};
use crate::memory::Arena;
use crate::table::{Owner, Provider, Rank, SymbolId, Target, Want};
use crate::unwind::Frames;

/// What has to be done once the lock is released, because it runs generated code.
#[derive(Default)]
pub(super) struct Afterwards {
    /// Indirect functions: symbol, resolver, and the owner and order of the definition.
    pub indirect: Vec<(SymbolId, u64, Owner, u64)>,
    /// Constructors and destructors with their priority, as the update's modules have
    /// them; [`Afterwards::in_order`] sorts them.
    init: Vec<(u32, u64)>,
    fini: Vec<(u32, u64)>,
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

/// Makes `prepared` the state of the world.
pub(super) fn commit(state: &mut State, arena: &Arena, prepared: Prepared) -> (Report, Afterwards) {
    let Prepared { mut staged, removed, providers, references, pending, missing, groups, .. } = prepared;
    state.order += super::state::ONE_UPDATE;
    let (mut report, mut after) = (Report::default(), Afterwards::default());
    arena.publish();
    for module in &mut staged {
        register_frames(module);
    }
    for (group, members) in groups {
        match members {
            Some(members) => state.groups.insert(group, members),
            None => state.groups.remove(&group),
        };
    }
    let indirect = before_resolving(state, &staged);
    let mut changed: Vec<SymbolId> = providers.keys().copied().collect();
    let mut bodies = Vec::new();
    for &id in &removed {
        if let Some(module) = state.take_module(id) {
            retract(state, id, &module, &mut changed, &mut bodies);
            report.removed.push(module.name.to_string());
            state.retired.push(module.image);
        }
    }
    for module in staged.iter().filter(|module| module.replace) {
        if let Some(old) = state.modules.get_mut(module.id as usize).and_then(Option::take) {
            retract(state, module.id, &old, &mut changed, &mut bodies);
            state.modules[module.id as usize] = Some(old);
        }
    }
    changed.extend(references.keys());
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
            } else if !indirect.is_empty()
                && let Some(&call) = indirect.get(&(id, provider.owner))
                && let Target::Function(resolver) = provider.target
            {
                after.indirect.push((id, resolver, provider.owner, provider.order));
                provider.target = Target::Function(call);
            }
            state.symbols.get_mut(id).provide(provider);
        }
    }
    for (id, body) in bodies {
        let symbol = state.symbols.get_mut(id);
        if symbol.winner().is_none() {
            symbol.retire(body);
        }
    }
    let fresh: Vec<Owner> = staged.iter().map(|module| Owner::Module(module.id)).collect();
    for module in staged {
        admit(state, module, &mut report, &mut after);
    }
    changed.sort_unstable();
    changed.dedup();
    for &id in &changed {
        state.settle_pending(id);
        state.symbols.store(id, state.symbols.settle(id));
    }
    describe(state, &changed, &fresh, &mut report);
    (report, after)
}

/// The indirect functions of an update, and where calls of each go at the moment: there
/// they go until its resolver has run.
fn before_resolving(state: &State, staged: &[Staged]) -> HashMap<(SymbolId, Owner), u64> {
    let indirect = staged.iter().flat_map(|module| {
        let definitions = module.definitions.iter().filter(|d| d.indirect);
        definitions.map(|d| (d.id, Owner::Module(module.id)))
    });
    indirect.map(|(id, owner)| ((id, owner), state.symbols.settle(id).call)).collect()
}

fn register_frames(module: &mut Staged) {
    for begin in std::mem::take(&mut module.image.unregistered_frames) {
        module.image.frames.push(register(begin));
    }
}

#[allow(unsafe_code)]
fn register(begin: u64) -> Frames {
    // SAFETY: the linker has checked these records, and they live as long as the image
    // that owns the registration.
    unsafe { Frames::register(begin) }
}

/// Takes back what a module provided and wanted; adds the functions to `bodies`.
fn retract(
    state: &mut State,
    id: u32,
    module: &Module,
    changed: &mut Vec<SymbolId>,
    bodies: &mut Vec<(SymbolId, Provider)>,
) {
    for &symbol in &module.defined {
        let body = state.symbols.get_mut(symbol).retract(Owner::Module(id));
        bodies.extend(body.map(|body| (symbol, body)));
        changed.push(symbol);
        state.orphans.push(symbol);
    }
    for &(wanted, ..) in &module.wanted {
        let symbol = state.symbols.get_mut(wanted);
        symbol.wanted_by.retain(|want| want.module() != id);
        if let Some(rare) = symbol.rare_if_any() {
            // What waits in storage waits for as long as that.
            rare.pending.retain(|p| p.owner != Owner::Module(id) || p.storage.is_some());
        }
        changed.push(wanted);
        state.orphans.push(wanted);
    }
    for stored in &module.image.storages {
        if let StorageKey::Shared(symbol) = &stored.key
            && let Entry::Occupied(mut held) = state.shared.entry(*symbol)
        {
            held.get_mut().1 -= 1;
            if held.get().1 == 0 {
                held.remove();
            }
        }
    }
}

/// Enters a module into the records.
fn admit(state: &mut State, module: Staged, report: &mut Report, after: &mut Afterwards) {
    let Staged { name, file, id, replace, mut image, interface, definitions, wanted, kept } = module;
    let previous = state.module(id).filter(|_| replace).map_or(0, |old| old.generation);
    let (init, fini) = (std::mem::take(&mut image.init), std::mem::take(&mut image.fini));
    // Local functions whose address is taken are in the table too, under scoped names.
    let exported = definitions.iter().filter(|d| !state.symbols.get(d.id).name.contains('\0'));
    let (mut functions, mut variables) = (0, 0);
    for definition in exported {
        match definition.target {
            Target::Function(_) => functions += 1,
            _ => variables += 1,
        }
    }
    report.modules.push(ModuleReport {
        name: name.to_string(),
        generation: previous + 1,
        functions,
        variables,
        code_bytes: image.code_bytes(),
        constant_bytes: image.constant_bytes(),
        variable_bytes: image.variable_bytes(),
        kept_storage: kept,
        reset_storage: if replace {
            image.storages.len() + usize::from(image.thread_locals.is_some()) - kept
        } else {
            0
        },
        skipped_initialisers: if replace { init.len() } else { 0 },
    });
    if !replace {
        let plain = |i: Initialiser| (i.priority, i.address);
        after.init.extend(init.into_iter().map(plain));
        after.fini.extend(fini.into_iter().map(plain));
    }
    state.admit_constants(&image);
    for Stored { key, storage, .. } in &image.storages {
        if let StorageKey::Shared(symbol) = key {
            let held = state.shared.entry(*symbol).or_insert_with(|| (storage.clone(), 0));
            held.0 = storage.clone();
            held.1 += 1;
        }
    }
    for &(symbol, called, required) in &wanted {
        state.symbols.get_mut(symbol).wanted_by.push(Want::new(id, called, required));
    }
    let mut defined: Vec<SymbolId> = definitions.iter().map(|d| d.id).collect();
    defined.sort_unstable();
    defined.dedup();
    let module = Module { name, file, generation: previous + 1, image, defined, wanted, interface };
    if let Some(old) = state.insert_module(id, module) {
        state.retired.push(old.image);
    }
}

/// Reports symbols that nothing defines, and those with more than one strong definition
/// of which one is new.
fn describe(state: &State, changed: &[SymbolId], fresh: &[Owner], report: &mut Report) {
    let name_of = |owner: Owner| match owner {
        Owner::Module(module) => state.module(module).map_or_else(String::new, |m| m.name.to_string()),
        Owner::Host | Owner::Builtin => "the host".to_owned(),
        Owner::Process => "the process".to_owned(),
    };
    for &id in changed {
        let symbol = state.symbols.get(id);
        let Some(winner) = symbol.winner() else {
            if symbol.required() {
                let wanted_by =
                    symbol.wanted_by.iter().map(|want| name_of(Owner::Module(want.module()))).collect();
                report.undefined.push(Undefined { symbol: symbol.name.to_string(), wanted_by });
            }
            continue;
        };
        if winner.rank != Rank::Strong || symbol.providers.len() == 1 {
            continue;
        }
        let others = symbol.providers.iter().filter(|p| p.rank == Rank::Strong && p.owner != winner.owner);
        for other in others.filter(|p| fresh.contains(&p.owner) || fresh.contains(&winner.owner)) {
            report.shadowed.push(Shadowed {
                symbol: symbol.name.to_string(),
                used: name_of(winner.owner),
                shadowed: name_of(other.owner),
            });
        }
    }
}
