//! Compiling the modules of an update, in parallel, without the runtime's lock.
//!
//! Owns the way from a source to an object with what is known of its types; knows nothing of
//! what is loaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::Inner;
use super::prepare::Input;
use super::report::Times;
use super::stored;
use crate::compile::{self, CompileTimes, Interface, Source, SourceKind};
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
    /// Its code was found in the cache.
    pub cached: bool,
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
}

/// A module whose object is ready to be linked.
pub(super) struct Ready {
    pub module: Incoming,
    pub object: Arc<[u8]>,
    interface: Arc<Interface>,
    pub on_demand: bool,
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
    let Unit { module, on_demand } = unit;
    let Code { object, interface, times, cached } =
        compiled(inner, &module.source).map_err(|e| module.blame(e))?;
    let module = Incoming { cached, ..module.clone() };
    Ok((Ready { module, object, interface, on_demand: *on_demand }, times))
}

/// What a source is or becomes.
struct Code {
    object: Arc<[u8]>,
    interface: Arc<Interface>,
    times: Times,
    /// It was in the cache.
    cached: bool,
}

fn compiled(inner: &Inner, source: &Source) -> Result<Code> {
    crate::fault::step("compile")?;
    if source.kind() == SourceKind::Object {
        let known = source.interface().cloned();
        let interface = known.unwrap_or_else(|| Arc::new(compile::interface_of_object(source.bytes())));
        return Ok(Code {
            object: source.bytes().clone(),
            interface,
            times: Times::default(),
            cached: false,
        });
    }
    let (compiled, cached) = stored::compiled(inner.cache.as_ref(), source, &inner.compile)?;
    // What it took then is not what it took now.
    let spent = if cached { CompileTimes::default() } else { compiled.times };
    let CompileTimes { parse, optimise, codegen } = spent;
    let times = Times { parse, optimise, codegen, ..Times::default() };
    Ok(Code { object: compiled.object.into(), interface: Arc::new(compiled.interface), times, cached })
}

/// What `source` is compiled to, as a source.
pub(super) fn to_object(inner: &Inner, source: &Source) -> Result<Source> {
    let Code { object, interface, .. } = compiled(inner, source).map_err(|e| e.in_file(source.file()))?;
    Ok(source.compiled_to(object, interface))
}

/// Reads every object, and lists all that are malformed.
pub(super) fn parse(ready: &[Ready]) -> Result<Vec<Input<'_>>> {
    let (mut inputs, mut problems) = (Vec::with_capacity(ready.len()), Vec::new());
    for unit in ready {
        match crate::fault::step("parse").and_then(|()| Object::parse(&unit.object)) {
            Ok(object) => {
                let (module, interface) = (unit.module.clone(), unit.interface.clone());
                inputs.push(Input { module, object, interface });
            }
            Err(error) => problems.push(unit.module.blame(error)),
        }
    }
    Error::all(problems).map_or(Ok(inputs), Err)
}
