//! Compiling the modules of an update, in parallel, without the runtime's lock.
//!
//! Owns the way from a source to an object with what is known of its types; knows nothing of
//! what is loaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use runtime_stubs::Arch;

use super::Inner;
use super::prepare::Input;
use super::report::Times;
use super::state::{Base, State};
use crate::compile::{self, CompileTimes, Compiled, Interface, Known, Level, Patch, Source, SourceKind};
use crate::error::{Error, Result};
use crate::link::Object;

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
}

impl Incoming {
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
    interface: Arc<Interface>,
    pub on_demand: bool,
    pub made: Made,
}

/// How the object of a module was made.
#[derive(Clone, Default)]
pub(super) struct Made {
    /// What it was made from.
    pub known: Option<Known>,
    /// It has some of the module's functions, and goes with the rest of a generation, which is
    /// named by its serial number.
    pub patch: Option<(Arc<Patch>, u64)>,
}

impl Ready {
    /// The generation that it was made for is not the live one any more.
    pub(super) fn is_outdated(&self, state: &State) -> bool {
        self.made.patch.as_ref().is_some_and(|(_, serial)| {
            let module = state.module_id(&self.module.name).and_then(|id| state.module(id));
            module.is_none_or(|module| module.current.serial() != *serial)
        })
    }
}

/// Compiles what is not an object yet, on several threads if there is enough to do.
pub(super) fn compile_all(inner: &Inner, units: Vec<Unit>, times: &mut Times) -> Result<Vec<Ready>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(units.len()));
    let work = || {
        while let Some(unit) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            units.get(at).map(|unit| (at, unit))
        } {
            let result = compile_one(inner, unit.1);
            results.lock().push((unit.0, result));
        }
    };
    let heavy = units.iter().filter(|u| u.module.source.kind() != SourceKind::Object).count();
    std::thread::scope(|scope| {
        for _ in 1..inner.threads.min(heavy) {
            scope.spawn(work);
        }
        work();
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
    let (object, interface, made, times) = make(inner, module, *patch).map_err(|e| module.blame(e))?;
    Ok((Ready { module: module.clone(), object, interface, on_demand: *on_demand, made }, times))
}

/// An object, what is known of its types, how it was made, and how long that took.
type Outcome = (Arc<[u8]>, Arc<Interface>, Made, Times);

/// What has to be linked for a module: all of it, or a patch for the generation that is live.
fn make(inner: &Inner, module: &Incoming, patch: bool) -> Result<Outcome> {
    let source = &module.source;
    if !matches!(source.kind(), SourceKind::Ir | SourceKind::Bitcode) {
        let (object, interface, times) = compiled(inner, source)?;
        return Ok((object, interface, Made::default(), times));
    }
    crate::fault::step("compile")?;
    let bitcode = super::forks::passing(|| compile::to_bitcode(source, &inner.compile))?;
    let base = if patch && module.replace { inner.state.lock().base(&module.name) } else { None };
    let level = if inner.tiered { Level::Fast } else { inner.compile.full_level() };
    if let Some(base) = base
        && let Some(patch) = compile::plan(&base.known, bitcode.bytes(), &base.provides(), level)
        && let Some(made) = make_patch(inner, &bitcode, patch, level, base.serial)?
    {
        return Ok(made);
    }
    let (object, interface, times) = compiled(inner, &bitcode)?;
    let known = Known::of(bitcode.bytes(), inner.compile.full_level());
    Ok((object, interface, Made { known, patch: None }, times))
}

/// Compiles a patch for the generation that is called `serial`; `None` where the module has to be
/// compiled whole.
fn make_patch(
    inner: &Inner,
    bitcode: &Source,
    patch: Patch,
    level: Level,
    serial: u64,
) -> Result<Option<Outcome>> {
    let (mut object, mut interface, mut times) = Default::default();
    if !patch.is_empty() {
        let Some(slice) = patch.slice(bitcode) else { return Ok(None) };
        let compile = || compile::compile_patch(&slice, &inner.compile, level, &patch);
        (object, interface, times) = timed(super::forks::passing(compile)?);
    }
    let made = Made { known: Some(patch.known.clone()), patch: Some((Arc::new(patch), serial)) };
    Ok(Some((object, interface, made, times)))
}

/// Compiles those functions of `module`, which is live, that have no optimised code; `None` if
/// there are none.
pub(super) fn upgrade(
    inner: &Inner,
    module: Incoming,
    base: &Base,
    times: &mut Times,
) -> Result<Option<Ready>> {
    if !base.known.has_fast() {
        return Ok(None);
    }
    let bitcode = super::forks::passing(|| compile::to_bitcode(&module.source, &inner.compile))?;
    let patch = compile::upgrade(&base.known, &base.provides());
    let made = make_patch(inner, &bitcode, patch, Level::Optimised, base.serial)?;
    Ok(made.map(|(object, interface, made, spent)| {
        *times = spent;
        Ready { module, object, interface, on_demand: false, made }
    }))
}

/// The object that `source` is or becomes, and what is known of its types.
pub(super) fn compiled(inner: &Inner, source: &Source) -> Result<(Arc<[u8]>, Arc<Interface>, Times)> {
    crate::fault::step("compile")?;
    if source.kind() == SourceKind::Object {
        let known = source.interface().cloned();
        let interface = known.unwrap_or_else(|| Arc::new(compile::interface_of_object(source.bytes())));
        return Ok((source.bytes().clone(), interface, Times::default()));
    }
    // A child that compiles has ended by then.
    Ok(timed(super::forks::passing(|| compile::compile(source, &inner.compile))?))
}

fn timed(compiled: Compiled) -> (Arc<[u8]>, Arc<Interface>, Times) {
    let CompileTimes { parse, optimise, codegen } = compiled.times;
    let times = Times { parse, optimise, codegen, ..Times::default() };
    (compiled.object.into(), Arc::new(compiled.interface), times)
}

/// What `source` is compiled to, as a source.
pub(super) fn to_object(inner: &Inner, source: &Source) -> Result<Source> {
    let (object, interface, _) = compiled(inner, source).map_err(|e| e.in_file(source.file()))?;
    Ok(source.compiled_to(object, interface))
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
