//! Past generations: which can be returned to, and what that takes.
//!
//! A generation that is kept stays linked and in memory, so to return to it is to store its
//! slots. That works as long as everything its code and data hold directly is still so: the
//! storage of its variables, the addresses of others' variables. Otherwise it is linked
//! again from its source, under the rules for variables that any replacement follows.
//! Owns that decision and the lists that hosts see.

use std::sync::Arc;

use super::generation::{self, Module, Past, Wanted};
use super::prepare::Batch;
use super::report::ModuleReport;
use super::state::State;
use super::update::unknown_module;
use crate::error::{Error, ErrorKind, Result};
use crate::link::{StorageKey, Stored};
use crate::table::{Provider, SymbolId};

/// A generation of a module, as [`Runtime::history`](super::Runtime::history) lists them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Generation {
    /// 1 for the first load, one more for each replacement.
    pub number: u64,
    /// It is the one that callers reach.
    pub live: bool,
    /// A hash of the source that the host handed in; equal for equal sources.
    pub source_hash: u64,
    /// Bytes of memory that it takes, its variables included, which others may share; constants
    /// that are kept for good are not among them.
    pub bytes: usize,
    /// What loading it did.
    pub report: Arc<ModuleReport>,
}

impl State {
    /// The generations of `module`, oldest first.
    pub(super) fn history(&self, module: &str) -> Result<Vec<Generation>> {
        let known = self.module_id(module).and_then(|id| self.module(id));
        let module = known.ok_or_else(|| unknown_module(module))?;
        let past = module.past.iter().map(|past| (&past.generation, false));
        let mut all: Vec<Generation> = (past.chain([(&module.current, true)]))
            .map(|(generation, live)| Generation {
                number: generation.number,
                live,
                source_hash: generation.source.hash(),
                bytes: generation.size(),
                report: generation.report.clone(),
            })
            .collect();
        all.sort_by_key(|generation| generation.number);
        Ok(all)
    }

    /// The past generation `number` of `module`, with the module's number.
    pub(super) fn past(&self, module: &str, number: u64) -> Result<(u32, &Module, &Past)> {
        let id = self.module_id(module).ok_or_else(|| unknown_module(module))?;
        let known = self.module(id).ok_or_else(|| unknown_module(module))?;
        let past = known.past(number).ok_or_else(|| {
            let message = if known.current.number == number {
                format!("generation {number} of {module} is the live one")
            } else {
                let mut kept: Vec<u64> = known.past.iter().map(|past| past.generation.number).collect();
                kept.sort_unstable();
                format!("generation {number} of {module} is not kept; those are: {kept:?}")
            };
            Error::new(ErrorKind::Update, message)
                .in_module(module)
                .hint("see Runtime::history; Builder::history says how many are kept")
        })?;
        Ok((id, known, past))
    }

    /// Whether everything that `past` holds directly is as it was when it was live.
    pub(super) fn is_restorable(&self, module: &Module, past: &Past) -> bool {
        let (Some(image), Some(live)) = (past.generation.variables(), module.current.variables()) else {
            return false;
        };
        let storages = image.storages.iter().all(|Stored { key, storage, .. }| {
            let now = match key {
                StorageKey::Shared(symbol) => self.shared.get(symbol).map(|(storage, _)| storage),
                // One that the live generation does not have is as the code left it.
                _ => live.storages.iter().find(|stored| stored.key == *key).map(|stored| &stored.storage),
            };
            now.is_none_or(|now| Arc::ptr_eq(now, storage))
        });
        let locals = match (&image.thread_locals, &live.thread_locals) {
            (Some(then), Some(now)) => {
                let mut variables = then.variables.iter();
                // As above: what the live one does not have still has its part of the block.
                Arc::ptr_eq(&then.block, &now.block)
                    && variables.all(|then| {
                        let now = now.variables.iter().find(|now| now.key == then.key);
                        now.is_none_or(|now| Arc::ptr_eq(&then.part, &now.part))
                    })
            }
            _ => true,
        };
        storages && locals && self.is_up_to_date(&past.generation)
    }

    /// Whether the addresses of others that the code of `generation` holds are right.
    pub(super) fn is_up_to_date(&self, generation: &generation::Generation) -> bool {
        let departed = |id: SymbolId| self.symbols.get(id).rare().map_or(0, |rare| rare.departed);
        let moved = |id: SymbolId| self.symbols.get(id).rare().map_or(0, |rare| rare.moved);
        let order = generation.linked_since();
        // What it defines itself is not among what it wants; others may have moved it.
        let mut baked = generation.images().flat_map(|image| &image.baked);
        baked.all(|&id| moved(id) <= order)
            && generation.wanted.iter().all(|wanted| departed(wanted.id) <= order)
    }
}

impl Batch<'_> {
    /// What generation `number` of module `id` provided and wanted, and the report of its
    /// return.
    #[allow(clippy::type_complexity, reason = "three lists, named above")]
    pub(super) fn restorable(
        state: &State,
        id: u32,
        number: u64,
    ) -> Result<(&[(SymbolId, Provider)], &[Wanted], Arc<ModuleReport>)> {
        let module = state.module(id);
        let found = module.and_then(|module| Some((module, module.past(number)?)));
        match found {
            Some((module, past)) if state.is_restorable(module, past) => {
                let mut report = (*past.generation.report).clone();
                report.restored = true;
                Ok((&past.providers, &past.generation.wanted, report.into()))
            }
            _ => {
                let name = module.map_or("", |module| &module.name);
                let message =
                    format!("generation {number} of {name} cannot be returned to as it is any more");
                Err(Error::new(ErrorKind::Update, message)
                    .in_module(name)
                    .hint("another update came between: try again"))
            }
        }
    }
}
