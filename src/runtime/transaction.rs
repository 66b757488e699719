//! From an update to its commit: compiled and linked first, made live in one step later.
//!
//! Owns the order of the phases, the lock they run under, and what happens when another
//! update comes between preparing and committing. What each phase does is in the files
//! named after it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::archives::{self, Archive, Expanded};
use super::commit::{self, Afterwards};
use super::fitting::{Migration, Rules};
use super::prepare::{self, Input, Prepared, Refusal, Request, Settings};
use super::report::{Report, Times};
use super::state::State;
use super::undo::Undo;
use super::units::{Incoming, Ready, Unit, compile_all, parse};
use super::update::{Step, already_loaded, given_twice, unknown_module};
use super::{Inner, Runtime, entry};
use crate::compile::{CallForm, Known};
use crate::error::{Error, ErrorKind, Result};
use crate::faults::barrier;
use crate::process;
use crate::reclaim::Caller;
use crate::table::{SymbolId, Target};
use crate::tls::{Forkable, Guard};

/// What an update asks for.
pub(super) struct Plan {
    pub steps: Vec<Step>,
    /// Symbols that members of on-demand archives are loaded for.
    pub wants: Vec<String>,
    pub strict: bool,
    pub rules: Rules,
    pub rebuild: bool,
    pub undo: Undo,
}

/// An update that is compiled and linked, and that nobody can see yet; made by
/// [`Update::prepare`](super::Update::prepare).
///
/// Dropped without [`Self::commit`] it leaves everything as it was.
#[must_use = "a prepared update does nothing until `commit`"]
pub struct PreparedUpdate {
    runtime: Runtime,
    work: Work,
    /// `None` once it is committed.
    prepared: Option<Prepared>,
    report: Report,
}

/// What is left of a plan once everything is compiled: enough to link it again.
#[derive(Default)]
pub(super) struct Work {
    pub ready: Vec<Ready>,
    removed: Vec<Arc<str>>,
    archives: Vec<Archive>,
    restored: Vec<(Arc<str>, u64)>,
    strict: bool,
    rules: Rules,
    undo: Undo,
    times: Times,
}

/// How often a patch is made anew because its module was replaced meanwhile.
const PATCHES: usize = 4;

/// How often callers of a function whose type changes are rebuilt until all agree.
const REBUILDS: usize = 8;

impl PreparedUpdate {
    pub(super) fn new(runtime: &Runtime, plan: Plan, caller: &Caller) -> Result<Self> {
        let inner = &*runtime.inner;
        inner.arena.check_ours()?;
        inner.check_retained(caller)?;
        let Plan { steps, wants, strict, rules, rebuild, undo } = plan;
        let Expanded { mut units, removed, archives, restored } = archives::expand(&inner.state, steps)?;
        // Code that stays would go on with the variables as they are.
        let whole = rules.all.is_some() || !rules.named.is_empty();
        units.iter_mut().for_each(|unit| unit.patch &= !whole);
        let mut times = Times::default();
        let mut ready = compile_all(inner, units, &mut times)?;
        archives::select(&inner.state, &mut ready, wants)?;
        let work = Work { ready, removed, archives, restored, strict, rules, undo, times };
        Self::link(runtime, work, if rebuild { REBUILDS } else { 0 })
    }

    /// An update of one module that has no public name.
    pub(super) fn anonymous(runtime: &Runtime, module: Incoming, caller: &Caller) -> Result<Self> {
        let inner = &*runtime.inner;
        inner.arena.check_ours()?;
        inner.check_retained(caller)?;
        let mut times = Times::default();
        let units = vec![Unit { module, on_demand: false, patch: false }];
        let ready = compile_all(inner, units, &mut times)?;
        Self::link(runtime, Work { ready, times, ..Work::default() }, 0)
    }

    /// Links what is compiled; callers that the update leaves behind are rebuilt `rounds` times.
    fn link(runtime: &Runtime, mut work: Work, mut rounds: usize) -> Result<Self> {
        let inner = &*runtime.inner;
        let mut prepared = loop {
            // A round's callers are compiled without the lock.
            let refusal = {
                let (mut state, _loading) = work.lock(inner)?;
                match work.prepare(inner, &mut state) {
                    Ok(prepared) => break prepared,
                    Err(refusal) if rounds == 0 || refusal.outdated.is_empty() => return Err(refusal.error),
                    Err(refusal) => refusal,
                }
            };
            rounds -= 1;
            work.add_rebuilt(inner, refusal)?;
        };
        let mut report = std::mem::take(&mut prepared.report);
        report.times = work.times;
        Ok(Self { runtime: runtime.clone(), work, prepared: Some(prepared), report })
    }

    /// The lock to commit under. An update that has to be linked again may ask the dynamic linker.
    fn lock<'i>(&mut self, inner: &'i Inner) -> Result<Locked<'i>> {
        let state = inner.state.lock();
        let overtaken = |p: &Prepared| state.epoch.has_overtaken(p.epoch);
        if !self.prepared.as_ref().is_some_and(overtaken) {
            return Ok((state, None));
        }
        drop(state);
        self.work.lock(inner).map_err(|error| overtaken_by(&inner.state.lock(), error))
    }

    /// What the update will do.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Whether nothing was committed since this was prepared, so that [`Self::commit`]
    /// cannot fail.
    pub fn is_current(&self) -> bool {
        let now = self.runtime.inner.state.lock().epoch;
        self.prepared.as_ref().is_some_and(|prepared| !now.has_overtaken(prepared.epoch))
    }

    /// Makes the update live: every slot that changes does so in one step. A thread that has
    /// called new code never afterwards reaches code that this replaces by a call. No caller
    /// is stopped.
    ///
    /// Constructors of new modules run on the calling thread before this returns, in the
    /// order of the update.
    ///
    /// # Errors
    /// None, unless another update was committed since this was prepared. Then this one is
    /// linked again, and refused, naming what came between, if it no longer fits. In a child of
    /// fork [`ErrorKind::Memory`], and so where there is no memory to keep the code of children.
    pub fn commit(self) -> Result<Report> {
        self.commit_all().map(|(report, _)| report)
    }

    /// The same; also returns the number of its anonymous module.
    pub(super) fn commit_all(mut self) -> Result<(Report, Option<u32>)> {
        let caller = Caller::here();
        let inner = self.runtime.inner.clone();
        let started = Instant::now();
        let (mut state, _loading) = self.lock(&inner)?;
        inner.arena.take_back()?;
        let Some(prepared) = &self.prepared else { return Ok(Default::default()) };
        // Somebody may have asked for a handle since.
        let mut retyped = prepared.retyped.iter();
        let relied_on = retyped.any(|&(id, old, new)| {
            state.symbols.at_index(id.0).is_some() && state.handles_rely_on(id, old, new)
        });
        if relied_on || state.epoch.has_overtaken(prepared.epoch) {
            self.prepared.take().into_iter().for_each(|prepared| prepared.abandon(&mut state));
            let again = self.work.prepare(&inner, &mut state);
            let again = self.prepared.insert(again.map_err(|r| overtaken_by(&state, r.error))?);
            self.report = std::mem::take(&mut again.report);
        }
        // The host's code: if that panics nothing has changed, and `self` takes back the rest. No
        // guard further out gives up these frames, which hold locks.
        let migrations = self.prepared.iter().flat_map(|prepared| &prepared.migrations);
        barrier(|| migrations.for_each(Migration::run));
        let Some(prepared) = self.prepared.take() else { return Ok(Default::default()) };
        let fast = prepared.staged.iter().filter(|staged| {
            let known = staged.generation.known.as_ref();
            inner.tiered && known.is_some_and(Known::has_fast)
        });
        let mut fast: Vec<Arc<str>> = fast.map(|staged| staged.name.clone()).collect();
        // Generations that ended before they were optimised.
        fast.extend(prepared.restored.iter().filter_map(|restored| {
            let module = state.module(restored.id)?;
            let known = module.past(restored.number)?.generation.known.as_ref()?;
            (inner.tiered && known.has_fast()).then(|| module.name.clone())
        }));
        let after = commit::commit(&mut state, prepared);
        state.updates.settle(self.work.undo);
        drop((state, _loading));
        let mut report = std::mem::take(&mut self.report);
        report.times = self.work.times;
        report.times.publish = started.elapsed();
        run_afterwards(&inner, &after);
        inner.reclaim_if_due(&caller);
        self.runtime.worker.iter().for_each(|worker| worker.add(std::mem::take(&mut fast)));
        Ok((report, after.anonymous))
    }
}

impl Drop for PreparedUpdate {
    fn drop(&mut self) {
        if let Some(prepared) = self.prepared.take() {
            prepared.abandon(&mut self.runtime.inner.state.lock());
        }
    }
}

impl std::fmt::Debug for PreparedUpdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreparedUpdate").field("report", &self.report).finish_non_exhaustive()
    }
}

/// The lock of the state, and that of the dynamic linker where it may be asked.
type Locked<'i> = (Guard<'i, State>, Option<Guard<'static, ()>>);

/// The error of an update that no longer fits.
fn overtaken_by(state: &State, error: Error) -> Error {
    let by = match &state.latest[..] {
        [] => "a change by the host".to_owned(),
        modules => format!("an update of {}", modules.iter().map(|m| &**m).collect::<Vec<_>>().join(", ")),
    };
    let message =
        format!("{by} was committed after this one was prepared, which no longer fits: {}", error.message());
    error.with_message(message).of_kind(ErrorKind::Update)
}

impl Work {
    /// Of one module that was compiled.
    pub(super) fn of(ready: Ready) -> Self {
        Self { ready: vec![ready], ..Self::default() }
    }

    /// The locks to prepare under, with every patch made for the generation that is live then.
    fn lock<'i>(&mut self, inner: &'i Inner) -> Result<Locked<'i>> {
        let mut tries = 0;
        loop {
            let loading = process::loading();
            let state = inner.state.lock();
            let (outdated, fits): (Vec<Ready>, Vec<Ready>) =
                std::mem::take(&mut self.ready).into_iter().partition(|ready| ready.is_outdated(&state));
            if outdated.is_empty() {
                self.ready = fits;
                return Ok((state, loading));
            }
            drop((state, loading));
            // Whole modules are never outdated.
            tries += 1;
            let patch = tries < PATCHES;
            let again = outdated.iter();
            let again = again.map(|r| Unit { module: r.module.clone(), on_demand: r.on_demand, patch });
            let again = again.collect();
            self.ready = fits;
            let made = compile_all(inner, again, &mut self.times)?;
            // What the first attempt has put into the cache was not there before.
            let was_there = |name: &str| outdated.iter().any(|r| &*r.module.name == name && r.made.cached);
            self.ready.extend(made.into_iter().map(|mut ready| {
                ready.made.cached &= was_there(&ready.module.name);
                ready
            }));
        }
    }

    pub(super) fn prepare(&mut self, inner: &Inner, state: &mut State) -> Result<Prepared, Refusal> {
        let started = Instant::now();
        inner.arena.take_back().map_err(|error| Refusal { error, outdated: Vec::new() })?;
        let plain = |error: Error| Refusal { error, outdated: Vec::new() };
        state.check_undo(self.undo).map_err(plain)?;
        let inputs = parse(&self.ready, inner.arena.arch()).map_err(plain)?;
        let groups = archives::settle(state, &self.archives, &inputs, &self.removed).map_err(plain)?;
        let (removed, restored) =
            check_names(state, &inputs, &self.removed, &self.restored).map_err(plain)?;
        let settings = Settings {
            arena: &inner.arena,
            direct: inner.compile.call_form == CallForm::Stub,
            missing_entry_cell: inner.missing.cell(),
            strict: self.strict,
            declarations: inner.declarations,
            rules: &self.rules,
        };
        let request = Request { inputs, restored, removed, groups };
        let prepared = prepare::prepare(state, &settings, request)?;
        self.times.link += started.elapsed();
        Ok(prepared)
    }

    /// Adds the callers that `refusal` names, made anew from their sources.
    fn add_rebuilt(&mut self, inner: &Inner, refusal: Refusal) -> Result<()> {
        let mut units = Vec::new();
        for name in refusal.outdated {
            let source = {
                let state = inner.state.lock();
                let module = state.module_id(&name).and_then(|id| state.module(id));
                module.map(|module| module.current.source.clone())
            };
            let Some(source) = source else { return Err(unknown_module(&name)) };
            let source = source.rebuild().map_err(|e| e.in_module(&name))?;
            let module =
                Incoming { name, source, replace: true, number: None, upgrade: false, anonymous: None };
            units.push(Unit { module, on_demand: false, patch: true });
        }
        self.ready.extend(compile_all(inner, units, &mut self.times)?);
        Ok(())
    }
}

/// Refuses names that are taken, unknown, or used twice; returns the numbers of modules to
/// remove and to return to an earlier generation.
#[allow(clippy::type_complexity, reason = "two lists, named above")]
fn check_names(
    state: &State,
    inputs: &[Input<'_>],
    removed: &[Arc<str>],
    restored: &[(Arc<str>, u64)],
) -> Result<(Vec<u32>, Vec<(u32, u64)>)> {
    let mut problems = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for Input { module, .. } in inputs {
        let Incoming { name, replace, number, .. } = module;
        if module.anonymous.is_some() {
            continue;
        }
        let error = match (state.module_id(name).is_some(), replace) {
            (true, false) => Some(already_loaded(name)),
            (false, true) => Some(unknown_module(name)),
            _ if !seen.insert(name) => Some(given_twice(name)),
            // An earlier generation that is linked again must still be one.
            _ => number.and_then(|number| state.past(name, number).err()),
        };
        problems.extend(error.map(|e| module.blame(e)));
    }
    let twice = |name: &str| {
        Error::new(ErrorKind::Update, format!("module {name} is both removed and changed")).in_module(name)
    };
    let mut ids = Vec::new();
    for name in removed {
        match state.module_id(name) {
            Some(id) if seen.insert(name) => ids.push(id),
            Some(_) => problems.push(twice(name)),
            None => problems.push(unknown_module(name)),
        }
    }
    let mut back = Vec::new();
    for (name, number) in restored {
        match state.past(name, *number) {
            Ok((id, ..)) if seen.insert(name) => back.push((id, *number)),
            Ok(_) => problems.push(given_twice(name)),
            Err(error) => problems.push(error),
        }
    }
    Error::all(problems).map_or(Ok((ids, back)), Err)
}

/// Runs generated code that belongs to the update, without the lock: it may call back.
pub(super) fn run_afterwards(inner: &Inner, after: &Afterwards) {
    for &id in &after.indirect {
        resolve(&inner.state, id);
    }
    let (init, fini) = after.in_order();
    if !fini.is_empty() {
        entry::run_at_exit(fini, inner.dso.address());
    }
    for function in init {
        entry::call_initialiser(function, &inner.arguments);
    }
}

/// Asks the resolver of the indirect function `id`, if nobody has, and makes calls go where it
/// says.
pub(super) fn resolve(state: &Forkable<State>, id: SymbolId) -> Option<u64> {
    let (resolver, owner, order) = state.lock().symbols.at_index(id.0)?.rare()?.resolver?;
    let target = entry::call_resolver(resolver);
    let mut state = state.lock();
    // Meanwhile another thread may have removed the module, or returned it to an earlier
    // generation.
    let symbol = state.symbols.at_index_mut(id.0)?;
    if symbol.rare().is_some_and(|rare| rare.resolver == Some((resolver, owner, order))) {
        symbol.rare_mut().resolver = None;
    }
    for provider in &mut symbol.providers {
        if provider.owner == owner && provider.order == order {
            provider.target = Target::Function(target);
        }
    }
    // Updates that were prepared meanwhile have seen where calls went before.
    state.epoch.advance();
    let cells = state.symbols.settle(id);
    state.symbols.store(id, cells);
    Some(target)
}
