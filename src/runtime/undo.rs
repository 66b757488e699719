//! What the last updates changed, and the way back.
//!
//! Owns the record of them and the choice of the one to take back: the newest that is not taken
//! back yet, and where a crash is to blame, only if that one brought what crashed. So two threads
//! that crash in the same code take it back once. Taking back is an update like any other, made
//! of [`Step::Restore`](super::update::Step) and removals.

use std::sync::Arc;
use std::time::Instant;

use super::Runtime;
use super::prepare::Staged;
use super::report::{ModuleReport, Report};
use super::state::State;
use super::update::Update;
use crate::compile::Source;
use crate::error::{Error, ErrorKind, Result};

/// How many updates are remembered.
const REMEMBERED: usize = 100;
/// How often an undo looks again for what to take back when another update came between.
const TRIES: usize = 8;

/// What an update is to undoing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Undo {
    #[default]
    Possible,
    /// Neither it nor what came before is taken back.
    Never,
    /// It takes back the update of this [`State::order`].
    TakesBack(u64),
}

/// The last updates, newest last.
#[derive(Default)]
pub(super) struct Updates {
    list: Vec<Made>,
}

/// What an update did. To have another level of optimisation is none in this sense.
pub(super) struct Made {
    /// [`State::order`] as of its commit.
    order: u64,
    pub at: Instant,
    pub modules: Vec<Changed>,
    /// It can be taken back, which it has not been, and takes none back itself.
    open: bool,
}

/// A module that an update loaded, replaced, removed, or returned to a generation.
#[derive(Clone)]
pub(super) struct Changed {
    pub name: Arc<str>,
    /// The generation before, if there was one, and that which is live since.
    pub from: Option<u64>,
    pub to: Option<u64>,
    /// What it was made of, if it was removed.
    pub source: Option<Source>,
}

impl Updates {
    /// Notes an update; one that changed nothing that runs is part of those before.
    pub(super) fn add(&mut self, order: u64, modules: Vec<Changed>, has_effect: bool) {
        if has_effect {
            self.list.push(Made { order, at: Instant::now(), modules, open: true });
            let extra = self.list.len().saturating_sub(REMEMBERED);
            self.list.drain(..extra);
            return;
        }
        for changed in modules {
            let all = self.list.iter_mut().rev().flat_map(|made| &mut made.modules);
            let brought = all.into_iter().find(|c| c.name == changed.name && c.to == changed.from);
            brought.into_iter().for_each(|brought| brought.to = changed.to);
        }
    }

    /// The last one, whatever became of it.
    pub(super) fn last(&self) -> Option<&Made> {
        self.list.last()
    }

    fn open(&self) -> Option<&Made> {
        self.list.iter().rev().find(|made| made.open)
    }

    /// What an update that was just added is to undoing.
    pub(super) fn settle(&mut self, undo: Undo) {
        let from = match undo {
            Undo::Possible => return,
            Undo::Never => 0,
            // Between it and its undoing there is nothing that could be taken back.
            Undo::TakesBack(order) => order,
        };
        self.list.iter_mut().filter(|made| made.order >= from).for_each(|made| made.open = false);
    }
}

/// Whether a module that replaces another brings anything. What was compiled as a whole may
/// differ in what nobody compares.
pub(super) fn has_effect(staged: &Staged) -> bool {
    let ModuleReport { new_functions, changed_functions, removed_functions, .. } = &*staged.generation.report;
    let ModuleReport { new_variables, reset_variables, migrated_variables, .. } = &*staged.generation.report;
    let lists = [
        new_functions,
        changed_functions,
        removed_functions,
        new_variables,
        reset_variables,
        migrated_variables,
    ];
    !staged.replace
        || staged.generation.report.restored
        || staged.generation.report.code_bytes > 0
        || staged.generation.report.constant_bytes > 0
        || lists.into_iter().any(|list| !list.is_empty())
}

impl State {
    /// Refuses to take back an update that is not the next one to be taken back any more.
    pub(super) fn check_undo(&self, undo: Undo) -> Result<()> {
        let Undo::TakesBack(order) = undo else { return Ok(()) };
        match self.updates.open() {
            Some(made) if made.order == order => Ok(()),
            _ => Err(Error::new(ErrorKind::Update, "it is not the last update any more: nothing is undone")),
        }
    }

    /// Whether `made` brought what ended with `error`, and that is still there.
    fn has_caused(&self, made: &Made, error: &Error) -> bool {
        if let Some(fault) = error.fault() {
            let module = fault.culprit().and_then(|frame| frame.module.as_ref());
            return module.is_some_and(|(name, number)| {
                made.modules.iter().any(|c| *c.name == **name && c.to == Some(*number))
            });
        }
        // A function that nothing defines: it took that away, or is what calls it.
        let Some(id) = error.symbol().and_then(|name| self.find(name).ok()) else { return false };
        let symbol = self.symbols.get(id);
        let last = symbol.rare().and_then(|rare| rare.last_owner.as_ref());
        let took = last.is_some_and(|(name, number)| {
            made.modules.iter().any(|changed| changed.name == *name && changed.from == Some(*number))
        });
        let calls = symbol.wanted_by.iter().any(|want| {
            let name = self.module(want.module()).map(|module| &module.name);
            made.modules.iter().any(|changed| Some(&changed.name) == name)
        });
        symbol.winner().is_none() && (took || calls)
    }
}

impl Runtime {
    /// Takes the last update back: its modules return to the generations before, all in one
    /// step, those that it loaded are removed, and those that it removed are loaded again, as
    /// their first generation and with the initial values of their variables. Called again it takes back the one before; an
    /// update that was taken back does not come again. To have another level of optimisation is
    /// no update in this sense, nor is one without any effect. `None` if there is none.
    ///
    /// # Errors
    /// As [`Update::commit`]; [`ErrorKind::Update`] where a generation is not kept any more, or
    /// others are committed all the time.
    pub fn undo(&self) -> Result<Option<Report>> {
        self.undo_by(None, |update| update.commit())
    }

    /// The same after a guarded call ended with `error`, and only if the update is what to blame:
    /// the function at fault is of a generation that it made live, or it took away the function
    /// that was called, or brought the call. Not of one that is taken back already, so that any
    /// number of threads may crash.
    ///
    /// # Errors
    /// As [`Self::undo`].
    pub fn undo_cause(&self, error: &Error) -> Result<Option<Report>> {
        self.undo_by(Some(error), |update| update.commit())
    }

    /// Takes back an update by `commit`, for the reason given.
    pub(crate) fn undo_by<T>(
        &self,
        cause: Option<&Error>,
        mut commit: impl FnMut(&mut Update<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut tries = 0;
        loop {
            let Some((order, mut update)) = self.undoing(cause)? else { return Ok(None) };
            tries += 1;
            match commit(&mut update) {
                Err(_)
                    if tries < TRIES
                        && self.inner.state.lock().check_undo(Undo::TakesBack(order)).is_err() => {}
                result => return result.map(Some),
            }
        }
    }

    /// The update that takes back the next one to be taken back, and the number of that.
    fn undoing(&self, cause: Option<&Error>) -> Result<Option<(u64, Update<'_>)>> {
        let state = self.inner.state.lock();
        let Some(made) = state.updates.open() else { return Ok(None) };
        if cause.is_some_and(|error| !state.has_caused(made, error)) {
            return Ok(None);
        }
        let mut update = self.update();
        for Changed { name, from, to, source } in &made.modules {
            match (from, to) {
                (Some(_), None) => {
                    let Some(source) = source else { continue };
                    update.load(name.to_string(), source.clone().in_any_case());
                }
                (Some(from), _) if from != to.as_ref().unwrap_or(from) => {
                    update.restore(name.to_string(), *from);
                }
                (Some(_), _) => {}
                (None, _) => _ = update.remove(name.to_string()),
            }
        }
        update.undo = Undo::TakesBack(made.order);
        Ok(Some((made.order, update)))
    }
}
