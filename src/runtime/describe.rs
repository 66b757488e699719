//! What an update will do, said before it does it.
//!
//! Owns the comparison of a module with what it replaces: the report, and which of its
//! initialisers have something to initialise.

use std::collections::HashSet;
use std::sync::Arc;

use super::fitting::Fitted;
use super::generation::Generation;
use super::patch::Carried;
use super::prepare::Batch;
use super::report::{ModuleReport, StaleReader, TypesFrom};
use crate::compile::{Interface, Patch, Types};
use crate::link::{Definition, Image, Initialiser, Links, Stored, ThreadLocal};
use crate::seeded::{Bug, bug};
use crate::table::{Owner, Provider, Rank, SymbolId, Target};

/// A module that has been linked.
pub(super) struct Described<'a> {
    pub name: &'a str,
    /// The module that it is a new generation of.
    pub replaces: Option<u32>,
    /// That generation's number, if it has been there before.
    pub number: Option<u64>,
    pub cached: bool,
    pub interface: &'a Interface,
}

impl Batch<'_> {
    /// The report of a module, and the names of the functions that run at its beginning and
    /// end. Of the image's list those are taken out that have nothing to do.
    pub(super) fn describe_module(
        &self,
        module: &Described<'_>,
        fitted: Fitted,
        linked: &mut Links,
        definitions: &[Definition],
    ) -> (ModuleReport, Box<[Box<str>]>) {
        let old = module.replaces.and_then(|id| self.state.module(id));
        // Functions that only the module knows are in the table too, under scoped names.
        let exported = definitions.iter().filter(|d| !self.state.symbols.get(d.id).is_local());
        let (mut functions, mut variables) = (0, 0);
        for definition in exported {
            match definition.target {
                Target::Function(_) => functions += 1,
                _ => variables += 1,
            }
        }
        let image = &mut linked.image;
        let listed = image.init.iter().chain(&image.fini).filter_map(|i| i.name.clone());
        let run: Box<[Box<str>]> = listed.collect();
        let initialisers = image.init.len();
        let uninitialised = old.map(|old| select(image, &old.current, module.interface, &fitted));
        let storages = image.storages.len() + image.thread_locals.as_ref().map_or(0, |l| l.variables.len());
        let mut report = ModuleReport {
            name: module.name.to_owned(),
            generation: module.number.unwrap_or_else(|| old.map_or(1, |old| old.newest + 1)),
            functions,
            variables,
            code_bytes: image.code_bytes(),
            constant_bytes: image.constant_bytes(),
            variable_bytes: image.variable_bytes(),
            kept_storage: linked.kept,
            reset_storage: if old.is_some() { storages - linked.kept } else { 0 },
            skipped_initialisers: initialisers - image.init.len(),
            restored: module.number.is_some(),
            cached: module.cached,
            types: match module.interface.checked {
                Types::Ir => TypesFrom::Ir,
                Types::DebugInfo => TypesFrom::DebugInfo,
                Types::Unknown => TypesFrom::Unchecked,
            },
            uninitialised: uninitialised.unwrap_or_default(),
            ..ModuleReport::default()
        };
        let empty = Image::default();
        if let Some(old) = old {
            let before = old.current.variables().unwrap_or(&empty);
            let own = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
            let layers: Vec<_> = old.current.images().map(|image| &image.functions).collect();
            let mut changes = image.functions.changes(&layers);
            if let Some(known) = &old.current.known {
                // An old layer has what a newer one does without.
                changes.removed.retain(|name| known.defines(name));
            }
            report.new_functions = own(changes.new);
            report.changed_functions = own(changes.changed);
            report.unchanged_functions = own(changes.unchanged);
            report.removed_functions = own(changes.removed);
            report.new_variables = fitted.fresh;
            report.reset_variables = fitted.reset;
            report.migrated_variables = fitted.migrated;
            report.virtual_tables = fitted.tables;
            report.ineffective = ineffective(image, before);
        }
        (report, run)
    }

    /// Completes the report of a patch by what it leaves as it is.
    pub(super) fn describe_patch(&self, patch: &Patch, carried: &Carried, report: &mut ModuleReport) {
        let shared = |id: &&SymbolId| !self.state.symbols.get(**id).is_local();
        report.variables += carried.variables;
        report.functions += carried.defined.iter().filter(shared).count() - carried.variables;
        report.new_functions = patch.new.clone();
        report.changed_functions = patch.changed.clone();
        report.unchanged_functions = patch.unchanged.clone();
        report.removed_functions = patch.removed.clone();
    }

    /// Adds what is compiled on its first call; what is carried is counted already.
    pub(super) fn describe_lazy(&self, first: bool, carried: &Carried, report: &mut ModuleReport) {
        report.lazy_functions = carried.lazy.len();
        if first {
            let shared = |id: &&SymbolId| !self.state.symbols.get(**id).is_local();
            report.functions += carried.lazy.iter().filter(shared).count();
        }
    }

    /// Completes the report once everything is known.
    pub(super) fn finish_report(&mut self) {
        let moved = self.outlook().filter(|&(id, winner)| self.is_moved(id, winner));
        let moved: HashSet<_> = moved.map(|(id, _)| id).collect();
        let departed = self.outlook().filter(|&(id, winner)| self.departs(id, winner));
        self.prepared.departed = departed.map(|(id, _)| id).collect();
        self.prepared.report.stale = self.stale_readers(&moved);
        self.prepared.moved = moved.into_iter().collect();
        let prepared = &mut self.prepared;
        let staged = prepared.staged.iter().map(|module| &module.generation.report);
        let restored = prepared.restored.iter().map(|module| &module.report);
        prepared.report.modules = staged.chain(restored).cloned().collect();
        let removed = prepared.removed.iter().filter_map(|&id| self.state.module(id));
        prepared.report.removed = removed.map(|module| module.name.to_string()).collect();
    }

    /// Modules that stay and whose code has an address of `moved` in it.
    fn stale_readers(&self, moved: &HashSet<SymbolId>) -> Vec<StaleReader> {
        let mut stale = Vec::new();
        if moved.is_empty() {
            return stale;
        }
        for (id, module) in self.state.numbered() {
            if self.leaving.contains(&Owner::Module(id)) {
                continue;
            }
            let stale_now = |symbol: &&SymbolId| {
                // Its own address is right in it once its own definition wins again.
                let own = |p: &Provider| p.owner == Owner::Module(id) && p.rank == Rank::Strong;
                moved.contains(symbol) && !self.winner(**symbol).is_some_and(own)
            };
            for symbol in module.current.images().flat_map(|image| &image.baked).filter(stale_now) {
                let symbol = self.state.symbols.get(*symbol).plain_name().to_owned();
                stale.push(StaleReader { symbol, module: module.name.to_string() });
            }
        }
        stale.sort_by(|a, b| (&a.symbol, &a.module).cmp(&(&b.symbol, &b.module)));
        stale
    }
}

/// Leaves those functions in the lists of `image` that have something to do after `old`:
/// initialisers of variables that are new or start anew, and functions that are new. Returns
/// the variables of those that could not be run because they are for kept ones as well.
fn select(image: &mut Image, old: &Generation, interface: &Interface, fitted: &Fitted) -> Vec<String> {
    let known = |name: &str| old.run.iter().any(|old| **old == *name);
    let new = |variable: &String| fitted.fresh.contains(variable) || fitted.reset.contains(variable);
    let mut left = Vec::new();
    if bug(Bug::InitialiseAgain) {
        return left;
    }
    image.init.retain(|Initialiser { name, .. }| {
        let Some(name) = name else { return false };
        // One for all variables of the source, if its parts were melted before we got it.
        let gathers = name.starts_with("_GLOBAL__");
        let listed = interface.initialisers.iter().find(|(initialiser, _)| **initialiser == **name);
        match listed {
            Some((_, variables)) if !variables.is_empty() && gathers => {
                let run = variables.iter().all(new);
                if !run {
                    left.extend(variables.iter().filter(|v| new(v)).cloned());
                }
                run
            }
            Some((_, variables)) if !variables.is_empty() => variables.iter().any(new),
            None if gathers => {
                left.extend(fitted.fresh.iter().chain(&fitted.reset).cloned());
                false
            }
            // What the source calls a constructor.
            _ => !known(name),
        }
    });
    image.fini.retain(|Initialiser { name, .. }| name.as_ref().is_some_and(|name| !known(name)));
    left.sort_unstable();
    left.dedup();
    left
}

/// Kept variables whose definition has another initial value than the one before.
fn ineffective(image: &Image, old: &Image) -> Vec<String> {
    let changed = image.storages.iter().filter(|new| {
        let before = old.storages.iter().find(|old| Arc::ptr_eq(&old.storage, &new.storage));
        before.is_some_and(|old| old.initial != new.initial)
    });
    fn locals(image: &Image) -> impl Iterator<Item = &ThreadLocal> {
        image.thread_locals.iter().flat_map(|locals| &locals.variables)
    }
    let changed_locals = locals(image).filter(|new| {
        let before = locals(old).find(|old| Arc::ptr_eq(&old.part, &new.part));
        before.is_some_and(|old| old.initial != new.initial)
    });
    let changed = changed.flat_map(Stored::variables);
    changed.chain(changed_locals.flat_map(ThreadLocal::variables)).map(str::to_owned).collect()
}
