//! More code, or better code, for a generation that stays the same.
//!
//! Owns how that is committed: as an update of one module that may be dropped, because nobody
//! asked for it by that name. Where the module has got other such code meanwhile it goes beside
//! that. Which functions are compiled is said by [`super::make`].

use std::sync::Arc;

use super::first_calls::Together;
use super::make;
use super::state::State;
use super::transaction::{Work, run_afterwards};
use super::units::{Incoming, Ready};
use super::{Inner, commit};
use crate::error::{Error, ErrorKind, Result};
use crate::process;
use crate::reclaim::Caller;
use crate::table::{Owner, SymbolId};

/// Gives the module `name` better code where it is worth having.
pub(super) fn upgrade(inner: &Inner, name: &Arc<str>) -> Result<()> {
    let caller = Caller::here();
    inner.check_retained(&caller)?;
    let live = {
        let state = inner.state.lock();
        let module = state.module_id(name).and_then(|id| state.module(id));
        module.map(|module| module.current.source.clone()).zip(state.base(name))
    };
    let Some((source, base)) = live else { return Ok(()) };
    let module =
        Incoming { name: name.clone(), source, replace: true, number: None, upgrade: true, anonymous: None };
    let Some(ready) = make::upgrade(inner, module, &base)? else { return Ok(()) };
    add(inner, ready)?;
    inner.reclaim_if_due(&caller);
    Ok(())
}

/// Compiles the function `id`, which somebody has called, or may call soon, if it waits for that.
/// Returns the module whose code it is.
pub(super) fn first_call(inner: &Inner, id: SymbolId, together: &Together<'_>) -> Result<Option<Arc<str>>> {
    let Some(name) = module_of(inner, id) else { return Ok(None) };
    let Some(_claim) = together.claim(&name) else { return Ok(None) };
    let mut tries = 0;
    let mut done = None;
    loop {
        let found = {
            let state = inner.state.lock();
            let symbol = state.symbols.at_index(id.0);
            let winner = symbol.and_then(|symbol| Some((symbol, symbol.winner()?)));
            let lazy = winner.filter(|(symbol, winner)| symbol.is_lazy(winner.target));
            let owner = lazy.and_then(|(symbol, winner)| match winner.owner {
                Owner::Module(id) => Some((symbol.plain_name().to_owned(), id, state.module(id)?)),
                _ => None,
            });
            owner.and_then(|(function, number, module)| {
                let source = module.current.source.clone();
                let name = module.name.clone();
                let module_now =
                    Incoming { name, source, replace: true, number: None, upgrade: true, anonymous: None };
                Some((function, module_now, state.base_of(number, module)?))
            })
        };
        let Some((function, module, base)) = found else { return Ok(done) };
        let name = module.name.clone();
        let blame = |error: Error| {
            let message = format!("{function} cannot be compiled, at its first call: {}", error.message());
            error.with_message(message).about(&function).in_module(&name).in_file(module.source.file())
        };
        tries += 1;
        // It may be such that it cannot be had alone.
        let alone = Some(&*function).filter(|_| tries == 1);
        let patch = make::first_call_plan(inner, &base, alone, !together.ahead);
        if let (Some(patch), Some(function)) = (&patch, alone) {
            let state = inner.state.lock();
            let next = patch.leads_to(function).into_iter();
            let next =
                next.filter_map(|name| state.symbols.find(name)).filter(|&id| waits(&state, id)).collect();
            drop(state);
            together.expect(next);
        }
        let ready = patch.map(|patch| make::first_call(inner, module.clone(), &base, patch));
        let ready = ready.transpose().map_err(blame)?.flatten();
        if let Some(ready) = ready {
            if add(inner, ready).map_err(blame)? {
                done = Some(name.clone());
            } else {
                // The module is another one now.
                tries = 0;
            }
        }
        if tries > 2 {
            let error = Error::new(ErrorKind::Compile, "its module cannot be taken apart");
            return Err(blame(error.hint("load the module in a runtime that is not lazy")));
        }
    }
}

/// The module whose function `id` waits for its first call.
fn module_of(inner: &Inner, id: SymbolId) -> Option<Arc<str>> {
    let state = inner.state.lock();
    let owner = state.symbols.at_index(id.0)?.winner()?.owner;
    match owner {
        Owner::Module(module) if waits(&state, id) => Some(state.module(module)?.name.clone()),
        _ => None,
    }
}

/// Whether it does.
fn waits(state: &State, id: SymbolId) -> bool {
    let symbol = state.symbols.at_index(id.0);
    symbol.is_some_and(|symbol| symbol.winner().is_some_and(|winner| symbol.is_lazy(winner.target)))
}

/// Links and commits what was made for a module that stays what it is; false if it has not.
fn add(inner: &Inner, ready: Ready) -> Result<bool> {
    let mut work = Work::of(ready);
    let after = {
        let _loading = process::loading();
        let mut state = inner.state.lock();
        inner.arena.take_back()?;
        if work.ready[0].is_outdated(&state) && !work.ready[0].follow(&state) {
            return Ok(false);
        }
        let prepared = work.prepare(inner, &mut state).map_err(|refusal| refusal.error)?;
        commit::commit(&mut state, prepared)
    };
    run_afterwards(inner, &after);
    Ok(true)
}
