//! What a patch leaves as it is: functions, variables and references of the generation before.
//!
//! A patch is an object with some of a module's functions; the others stay where they are.
//! Owns what that means for the records: the new generation provides, wants and has storage
//! for all of it. Which functions a patch has is the compile stage's decision.

use std::collections::HashSet;

use super::generation::{Generation, Wanted};
use super::prepare::Batch;
use super::state::State;
use crate::compile::{Interface, Patch, VariableType};
use crate::link::{Definition, Image, StorageKey, Stored};
use crate::table::{Owner, Provider, Rank, SymbolId, Target};

/// What a generation that was patched takes from the one before.
#[derive(Default)]
pub(super) struct Carried {
    pub defined: Vec<SymbolId>,
    /// How many variables that others know are among them.
    pub variables: usize,
    /// Where its variables and constants are.
    pub led: Vec<(SymbolId, Target)>,
    pub wanted: Vec<Wanted>,
    /// Which of its layers.
    pub layers: Vec<usize>,
    /// Functions of `defined` that are compiled on their first call.
    pub lazy: Vec<SymbolId>,
}

impl Batch<'_> {
    /// Stages what module `id` goes on providing and wanting beside the `definitions` of a
    /// patch.
    pub(super) fn carry(
        &mut self,
        id: u32,
        patch: &Patch,
        interface: &Interface,
        definitions: &[Definition],
    ) -> Carried {
        let mut carried = Carried::default();
        let order = self.order();
        let State { modules, symbols, signatures, .. } = &mut *self.state;
        let Some(module) = modules.get(id as usize).and_then(Option::as_deref) else { return carried };
        let new: HashSet<SymbolId> = definitions.iter().map(|definition| definition.id).collect();
        let mut used = vec![false; module.current.layers.len()];
        for &symbol in module.current.defined.iter().filter(|symbol| !new.contains(symbol)) {
            // A body that was retired is an earlier generation's.
            let own = |p: &&Provider| p.owner == Owner::Module(id) && p.rank > Rank::Retired;
            let Some(&(mut provider)) = symbols.get(symbol).providers.iter().find(own) else { continue };
            let names = symbols.get(symbol);
            let name = names.plain_name();
            let lazy = names.is_lazy(provider.target);
            if patch.has_left(name, names.is_local()) || lazy && !patch.known.is_lazy(name) {
                continue;
            }
            if lazy {
                carried.lazy.push(symbol);
                // Its next version may be of another type.
                if let Some(text) = interface.type_of(&symbols.get(symbol).name) {
                    provider.signature = signatures.intern(text);
                }
            }
            carried.defined.push(symbol);
            match provider.target {
                Target::Function(at) => mark(&module.current, &mut used, |image| image.contains(at)),
                Target::Data(at) => mark(&module.current, &mut used, |image| image.owns(at)),
                _ => {}
            }
            if !matches!(provider.target, Target::Function(_)) {
                carried.led.push((symbol, provider.target));
                carried.variables += usize::from(!symbols.get(symbol).is_local());
            }
            let provider = Provider { order, ..provider };
            self.prepared.providers.entry(symbol).or_default().push(provider);
        }
        carried.layers = (0..used.len()).filter(|&at| used[at]).collect();
        for wanted in &module.current.wanted {
            let symbol = symbols.get(wanted.id);
            // What the module does not name its code may still want: memcpy. Not so a function of its
            // own: whoever called that was changed with its removal.
            let name = symbol.plain_name();
            let unnamed = !symbol.is_local() && !patch.is_named(name);
            let wants = patch.is_referred(name) || unnamed && wanted.signature == Default::default();
            if wants && !new.contains(&wanted.id) {
                let declared = interface.declared_type_of(&symbol.name);
                let signature = declared.map_or(wanted.signature, |text| signatures.intern(text));
                carried.wanted.push(Wanted { signature, ..*wanted });
                let known = self.prepared.references.entry(wanted.id).or_default();
                known.0 |= wanted.called;
                known.1 |= wanted.required;
            }
        }
        carried
    }

    /// Gives `image`, which is a patch's, the variables that it does not mention.
    pub(super) fn carry_variables(&self, id: u32, patch: &Patch, image: &mut Image) {
        let before = self.state.module(id).and_then(|module| module.current.variables());
        let before = before.into_iter().flat_map(|image| &image.storages);
        let carried: Vec<Stored> = before
            .filter(|stored| !image.storages.iter().any(|new| new.key == stored.key))
            .filter(|stored| match &stored.key {
                StorageKey::Variable(name) => !patch.is_gone(name),
                StorageKey::Shared(symbol) => !patch.has_left(&self.state.symbols.get(*symbol).name, false),
                StorageKey::Section(_) => !stored.names.iter().all(|name| patch.is_gone(name)),
            })
            .map(|stored| Stored {
                key: stored.key.clone(),
                storage: stored.storage.clone(),
                initial: stored.initial,
                kept: true,
                names: stored.names.clone(),
            })
            .collect();
        image.storages.extend(carried);
    }

    /// The types of the variables of module `id` after a patch, whose own are `new`.
    pub(super) fn carry_types(
        &self,
        id: u32,
        patch: &Patch,
        new: &[(String, VariableType)],
    ) -> Box<[(String, VariableType)]> {
        let before = self.state.module(id).into_iter().flat_map(|module| &module.current.variables);
        let before = before.filter(|(name, _)| {
            !patch.is_gone(name) && new.binary_search_by(|(new, _)| new.cmp(name)).is_err()
        });
        let mut all: Vec<_> = before.chain(new).cloned().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.into()
    }
}

fn mark(generation: &Generation, used: &mut [bool], has: impl Fn(&Image) -> bool) {
    if let Some(at) = generation.images().position(has) {
        used[at] = true;
    }
}
