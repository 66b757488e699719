//! Compiling the modules of an update, in parallel, without the runtime's lock.
//!
//! Owns the list of them and the threads; what is compiled for each is in [`super::make`].

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use runtime_stubs::Arch;

use super::Inner;
use super::first_calls::STACK;
use super::make::{self, Code, Made};
use super::prepare::Input;
use super::report::Times;
use super::state::State;
use crate::compile::{self, Interface, Source, SourceKind};
use crate::error::{Error, Result};
use crate::link::Object;

/// From how many modules on the calling thread leaves compiling to others.
const FEW: usize = 16;

/// What an update says of a module that it loads or replaces.
#[derive(Clone)]
pub(super) struct Incoming {
    pub name: Arc<str>,
    pub source: Source,
    pub replace: bool,
    /// The number of the earlier generation that this is again.
    pub number: Option<u64>,
    /// It is the live generation, with better code.
    pub upgrade: bool,
    /// Nobody else knows it, and its symbols; the number tells it from others.
    pub anonymous: Option<u64>,
}

impl Incoming {
    /// What tells the functions that only the module knows from those of others.
    pub(super) fn scope(&self) -> Cow<'_, str> {
        match self.anonymous {
            // No module's name begins so.
            Some(number) => Cow::Owned(format!("\0\0{number}")),
            None => Cow::Borrowed(&self.name),
        }
    }

    /// Names the module and its file in an error.
    pub(super) fn blame(&self, error: Error) -> Error {
        error.in_module(&self.name).in_file(self.source.file())
    }
}

/// A module still to be compiled, if its source is not an object.
pub(super) struct Unit {
    pub module: Incoming,
    /// Only wanted if it defines something that others need.
    pub on_demand: bool,
    /// What did not change need not be compiled.
    pub patch: bool,
}

/// A module whose object is ready to be linked.
pub(super) struct Ready {
    pub module: Incoming,
    /// Empty if nothing had to be compiled.
    pub object: Arc<[u8]>,
    pub interface: Arc<Interface>,
    pub on_demand: bool,
    pub made: Made,
}

impl Ready {
    /// The generation that it was made for is not the live one any more.
    pub(super) fn is_outdated(&self, state: &State) -> bool {
        let Some((_, Some(serial))) = self.made.patch else { return false };
        let module = state.module_id(&self.module.name).and_then(|id| state.module(id));
        module.is_none_or(|module| module.current.serial() != serial)
    }

    /// Makes a patch of what stays the same one for the state that its module is in now, where
    /// that has only got more or better code meanwhile; whether it is one.
    pub(super) fn follow(&mut self, state: &State) -> bool {
        let Made { known, patch: Some((patch, serial)), level: Some(level), .. } = &mut self.made else {
            return false;
        };
        let module = state.module_id(&self.module.name).and_then(|id| state.module(id));
        let live = module.and_then(|module| Some((module, module.current.known.as_ref()?)));
        let Some((module, applied)) =
            live.and_then(|(module, live)| Some((module, patch.applied_to(live, *level)?)))
        else {
            return false;
        };
        *known = Some(applied);
        *serial = Some(module.current.serial());
        true
    }
}

/// Compiles what is not an object yet, on several threads if there is enough to do.
pub(super) fn compile_all(inner: &Inner, units: Vec<Unit>, times: &mut Times) -> Result<Vec<Ready>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(units.len()));
    let each = || {
        while let Some(unit) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            units.get(at).map(|unit| (at, unit))
        } {
            let result = compile_one(inner, unit.1);
            results.lock().push((unit.0, result));
        }
    };
    // Of a lazy module little is compiled now, and that is a slice.
    let work = || if inner.lazy { compile::one_child(each) } else { each() };
    let heavy = units.iter().filter(|u| u.module.source.kind() != SourceKind::Object).count();
    std::thread::scope(|scope| {
        // Not on this thread where there are many: what LLVM leaves free in the heap of a thread lies
        // scattered over all it ever had, and this one is to have short ways for small edits later.
        let others = if heavy > FEW { inner.threads } else { inner.threads.min(heavy).saturating_sub(1) };
        let mut started = 0;
        for _ in 0..others {
            let thread = std::thread::Builder::new().name("hotslot compiler".into()).stack_size(STACK);
            started += usize::from(thread.spawn_scoped(scope, work).is_ok());
        }
        if heavy <= FEW || started == 0 {
            work();
        }
    });
    let mut results = results.into_inner();
    results.sort_by_key(|&(at, _)| at);
    let (mut ready, mut problems) = (Vec::with_capacity(results.len()), Vec::new());
    for (_, result) in results {
        match result {
            Ok((unit, spent)) => {
                times.parse += spent.parse;
                times.optimise += spent.optimise;
                times.codegen += spent.codegen;
                ready.push(unit);
            }
            Err(error) => problems.push(error),
        }
    }
    Error::all(problems).map_or(Ok(ready), Err)
}

fn compile_one(inner: &Inner, unit: &Unit) -> Result<(Ready, Times)> {
    let Unit { module, on_demand, patch } = unit;
    let Code { object, interface, made, times } =
        make::module(inner, module, *patch).map_err(|e| module.blame(e))?;
    Ok((Ready { module: module.clone(), object, interface, on_demand: *on_demand, made }, times))
}

/// Reads every object, and lists all that are malformed.
pub(super) fn parse(ready: &[Ready], arch: Arch) -> Result<Vec<Input<'_>>> {
    let (mut inputs, mut problems) = (Vec::with_capacity(ready.len()), Vec::new());
    for unit in ready {
        let read = || match &unit.object[..] {
            [] if unit.made.patch.is_some() => Ok(Object::empty(arch)),
            bytes => Object::parse(bytes),
        };
        match crate::fault::step("parse").and_then(|()| read()) {
            Ok(object) => {
                let (module, interface) = (unit.module.clone(), unit.interface.clone());
                inputs.push(Input { module, object, interface, made: unit.made.clone() });
            }
            Err(error) => problems.push(unit.module.blame(error)),
        }
    }
    Error::all(problems).map_or(Ok(inputs), Err)
}
