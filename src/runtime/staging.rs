//! The linker's part of preparing an update: from objects to images.
//!
//! Owns the order in which all objects of an update are named, placed and linked, so that
//! they may refer to each other in any order, and what has to be known of all of them
//! before the first is placed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::describe::Described;
use super::fitting::{Fitted, Replacement};
use super::generation::{Generation, Layer, Wanted};
use super::make::Made;
use super::patch::Carried;
use super::prepare::{Batch, Current, Input, Settings, Staged};
use super::resolve::{KeptStorage, anonymous_name, scoped_name};
use super::units::Incoming;
use super::virtual_tables;
use crate::compile::Interface;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::step;
use crate::link::{self, Binding, Definition, Image, Needs, Object, Place, Placement, SymbolKind};
use crate::observe::Piece;
use crate::table::{Owner, Provider, Rank, SymbolId, Target};
use crate::tls::Part;

/// A module between being named and being placed.
pub(super) struct Named<'d> {
    input: Input<'d>,
    id: u32,
    ids: Vec<Option<SymbolId>>,
    needs: Needs,
}

/// A module between being placed and being linked.
pub(super) struct Placed<'d> {
    module: Incoming,
    interface: Arc<Interface>,
    id: u32,
    ids: Vec<Option<SymbolId>>,
    placement: Placement<'d>,
    definitions: Vec<Definition>,
    borrowed: Vec<Arc<Part>>,
    fitted: Fitted,
    made: Made,
    carried: Carried,
}

impl Batch<'_> {
    pub(super) fn name<'d>(
        &mut self,
        settings: &Settings<'_>,
        inputs: Vec<Input<'d>>,
    ) -> Result<Vec<Named<'d>>> {
        let mut named = Vec::with_capacity(inputs.len());
        let mut free = self.state.free_module_ids(inputs.len());
        for input in inputs {
            let module = &input.module;
            let place = |e: Error| module.blame(e);
            let (is, host) = (input.object.arch, settings.arena.arch());
            if is != host {
                let text = format!("the object is for {is:?}, the host is {host:?}");
                return Err(place(Error::new(ErrorKind::Link, text).hint("compile it for the host")));
            }
            let needs = step("survey").and_then(|()| link::survey(&input.object)).map_err(place)?;
            let id = match self.state.module_id(&module.name) {
                Some(id) if module.replace => {
                    self.leaving.insert(Owner::Module(id));
                    id
                }
                _ => free.next().unwrap_or(u32::MAX),
            };
            let ids = self.name_symbols(&input.object, module).map_err(place)?;
            named.push(Named { input, id, ids, needs });
        }
        Ok(named)
    }

    pub(super) fn place<'d>(
        &mut self,
        settings: &Settings<'_>,
        named: Vec<Named<'d>>,
    ) -> Result<Vec<Placed<'d>>> {
        let static_tls = self.static_tls(&named);
        let common = largest_common(&named);
        let mut placed = Vec::with_capacity(named.len());
        let mut problems = Vec::new();
        for (index, module) in named.into_iter().enumerate() {
            let Named { input: Input { module, object, interface, made }, id, ids, needs } = module;
            let replaces = module.replace.then_some(id);
            let kept = KeptStorage {
                state: self.state,
                id: replaces,
                shared: &self.shared,
                common: &common,
                interface: &interface,
                transient: module.anonymous.is_some(),
            };
            let mut placement =
                link::place(object, index, &needs, &ids, settings.arena, &kept, static_tls[index])
                    .map_err(|e| module.blame(e))?;
            for (symbol, storage) in placement.shared_storage() {
                self.shared.insert(symbol, storage);
            }
            let misfits = std::mem::take(&mut placement.misfits);
            let replacement = Replacement { name: &module.name, id: replaces, interface: &interface };
            let mut fitted = self.apply_rules(settings.rules, &replacement, misfits, &mut problems);
            let fresh = std::mem::take(&mut placement.fresh_variables);
            fitted.tables = self.moved_tables(replaces, &made);
            if settings.rules.keep_tables {
                let refused = |table: &String| virtual_tables::refused(table, &module.name);
                problems.extend(fitted.tables.iter().map(refused));
            }
            fitted.fresh = fresh.into_iter().map(String::from).collect();
            self.index = index as u64;
            let (definitions, borrowed) = self.share_thread_locals(id, &placement, &ids);
            self.stage_definitions(id, &interface, &definitions);
            let patch = made.patch.as_ref().map(|(patch, _)| patch);
            let mut carried = Carried::default();
            if let Some(patch) = patch {
                carried = self.carry(id, patch, &interface, &definitions);
                let owner = (id, &*module.name);
                self.promise(settings, owner, &interface, patch, &mut carried)
                    .map_err(|e| module.blame(e))?;
            }
            placed.push(Placed {
                module,
                interface,
                id,
                ids,
                placement,
                definitions,
                borrowed,
                fitted,
                made,
                carried,
            });
        }
        if let Some(error) = Error::all(problems) {
            return Err(error);
        }
        let mut units: Vec<_> = (placed.iter_mut())
            .map(|Placed { module, ids, placement, .. }| link::Unit { placement, ids, name: &module.name })
            .collect();
        let moves = self.intern_constants(&mut units)?;
        for definition in placed.iter_mut().flat_map(|module| &mut module.definitions) {
            definition.target = moves.settle(definition.target);
        }
        Ok(placed)
    }

    pub(super) fn link(&mut self, settings: &Settings<'_>, module: Placed<'_>) -> Result<()> {
        let Placed {
            module,
            interface,
            id,
            ids,
            placement,
            definitions,
            borrowed,
            fitted,
            made,
            mut carried,
        } = module;
        let layout = *self.state.symbols.slots.layout();
        self.current = Current { id, scope: module.scope().into_owned(), definitions, ..Current::default() };
        let detail = self.state.observers.detail();
        let mut linked = link::link(placement, &ids, &layout, self, settings.direct, detail)
            .map_err(|e| module.blame(e))?;
        linked.image.borrowed = borrowed;
        if let Some((patch, _)) = &made.patch {
            self.refer_later(patch).map_err(|e| module.blame(e))?;
        }
        let Incoming { name, source, replace, number, upgrade, anonymous } = module;
        let Current { definitions, wanted, exposed, life, .. } = std::mem::take(&mut self.current);
        let wanted = wanted.into_iter().map(|(id, (called, required))| {
            let declared = interface.declared_type_of(&self.state.symbols.get(id).name);
            let signature = declared.map(|text| self.state.signatures.intern(text)).unwrap_or_default();
            Wanted { id, signature, called, required }
        });
        let mut wanted: Vec<Wanted> = wanted.collect();
        let mut defined: Vec<SymbolId> = definitions.iter().map(|d| d.id).collect();
        defined.sort_unstable();
        defined.dedup();
        let led = definitions.iter().filter(|d| !matches!(d.target, Target::Function(_)));
        let led = led.map(|d| (d.id, d.target)).chain(std::mem::take(&mut carried.led)).collect();
        let indirect = definitions.iter().filter(|d| d.indirect).map(|d| (d.id, Owner::Module(id)));
        self.prepared.indirect.extend(indirect);
        let number = match self.state.module(id) {
            Some(live) if upgrade => Some(live.current.number),
            _ => number,
        };
        let described = Described {
            name: &name,
            replaces: replace.then_some(id),
            number,
            cached: made.cached,
            interface: &interface,
        };
        let (mut report, mut run) = self.describe_module(&described, fitted, &mut linked, &definitions);
        let mut variables = interface.variables.clone().into();
        if let Some((patch, Some(_))) = &made.patch {
            self.carry_variables(id, patch, &mut linked.image);
            variables = self.carry_types(id, patch, &interface.variables);
            run = self.state.module(id).map(|module| module.current.run.clone()).unwrap_or_default();
            self.describe_patch(patch, &carried, &mut report);
        }
        self.describe_lazy(made.patch.is_some_and(|(_, serial)| serial.is_none()), &carried, &mut report);
        let piece =
            linked.piece.map(|piece| Piece { module: name.clone(), generation: report.generation, ..piece });
        self.prepared.pieces.push(piece);
        let mut image = linked.image;
        image.storages.shrink_to_fit();
        let mut layer =
            Layer { life, image, defined: defined.clone(), wanted: wanted.clone(), exposed, led, order: 0 };
        defined.append(&mut carried.defined);
        defined.sort_unstable();
        defined.dedup();
        wanted.retain(|new| !carried.wanted.iter().any(|old| old.id == new.id));
        wanted.append(&mut carried.wanted);
        // What is compiled later is in no image that could hold the names.
        if !carried.lazy.is_empty() {
            layer.defined.append(&mut carried.lazy);
            layer.wanted.clone_from(&wanted);
        }
        layer.hold(&mut self.state.symbols);
        let mut report = Arc::new(report);
        if let Some(live) = self.state.module(id).filter(|_| upgrade) {
            report = live.current.report.clone();
        }
        let generation = Generation {
            number: report.generation,
            source,
            bitcode: made.bitcode,
            known: made.known,
            layers: Vec::new(),
            defined,
            wanted,
            variables,
            run,
            report,
        };
        let carried = carried.layers;
        self.prepared.staged.push(Staged {
            name,
            id,
            replace,
            upgrade,
            anonymous: anonymous.is_some(),
            generation,
            layer,
            carried,
        });
        Ok(())
    }

    /// Gives every global symbol its place in the table, those that only the module knows under
    /// a name of its own.
    fn name_symbols(&mut self, object: &Object<'_>, module: &Incoming) -> Result<Vec<Option<SymbolId>>> {
        let mut ids = Vec::with_capacity(object.symbols.len());
        for symbol in &object.symbols {
            let global = symbol.binding != Binding::Local && !symbol.name.is_empty();
            let skip = symbol.kind == SymbolKind::Section
                || matches!(symbol.place, Place::Section(s) if !object.is_loaded(s));
            if !global || skip {
                ids.push(None);
                continue;
            }
            let own = module.anonymous.filter(|_| symbol.place != Place::Undefined);
            ids.push(Some(match own {
                _ if symbol.scoped => self.intern(&scoped_name(symbol.name, &module.scope(), 0))?,
                Some(number) => self.intern(&anonymous_name(symbol.name, number))?,
                None => self.intern(symbol.name)?,
            }));
        }
        Ok(ids)
    }

    /// The symbol of this name. A new one goes with the update.
    pub(super) fn intern(&mut self, name: &str) -> Result<SymbolId> {
        let (id, new) = self.state.symbols.intern(name)?;
        if new {
            self.prepared.created.push(id);
        }
        Ok(id)
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
        id: u32,
        placement: &Placement<'_>,
        ids: &[Option<SymbolId>],
    ) -> (Vec<Definition>, Vec<Arc<Part>>) {
        let mut definitions = placement.definitions(ids);
        let mut borrowed: Vec<Arc<Part>> = Vec::new();
        for definition in &mut definitions {
            if !matches!(definition.target, Target::ThreadLocal(_)) || definition.rank != Rank::Weak {
                continue;
            }
            let first = self.winner(definition.id).copied();
            // Where the first is gone the generation before may be the last to hold its block.
            // What is in its own block has been placed already.
            let own = self.state.module(id).and_then(|m| m.current.variables()?.thread_locals.as_ref());
            let own = own.map(|locals| locals.block.word(0));
            let elsewhere = |p: &&Provider| {
                p.owner == Owner::Module(id)
                    && matches!(p.target, Target::ThreadLocal(word) if Some(word & !0xffff_ffff) != own)
            };
            let before = || self.state.symbols.get(definition.id).providers.iter().find(elsewhere).copied();
            let first = first.or_else(before);
            if let Some(Provider { target: Target::ThreadLocal(word), owner: Owner::Module(owner), .. }) =
                first
            {
                let live = self
                    .state
                    .module(owner)
                    .into_iter()
                    .flat_map(|m| m.current.images().flat_map(Image::thread_local_blocks));
                let holder =
                    self.thread_locals.iter().chain(live).find(|block| block.word(0) == word & !0xffff_ffff);
                if let Some(part) = holder.and_then(|block| Part::at(block, word & 0xffff_ffff)) {
                    borrowed.push(part);
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
pub(super) fn refuse_spanning_sets(inputs: &[Input<'_>]) -> Result<()> {
    for input in inputs {
        for &set in &input.object.bounded {
            let name = &input.module.name;
            let other = inputs.iter().find(|i| i.module.name != *name && i.object.has_section(set));
            if let Some(other) = other {
                let text = format!("__start_{set} spans records of {name} and {}", other.module.name);
                let error = Error::new(ErrorKind::Link, text);
                return Err(input
                    .module
                    .blame(error)
                    .hint("combine the files into one module first (ld -r)"));
            }
        }
    }
    Ok(())
}
