//! Updates: any number of loads, replacements and removals that take effect together.
//!
//! Owns the path from sources to a committed update: compiling in parallel, preparing and
//! committing under the lock, and running what has to run afterwards without it. What
//! archives stand for is in [`super::archives`].

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::archives::{self, Expanded};
use super::commit::{self, Afterwards};
use super::prepare::{self, Input, Prepared, Settings};
use super::report::{Report, Times};
use super::state::State;
use super::{Inner, Runtime, entry};
use crate::compile::{self, CallForm, Interface, Source, SourceKind};
use crate::error::{Error, ErrorKind, Result};
use crate::libraries::{self, Libraries};
use crate::link::Object;
use crate::table::Target;

#[derive(Clone)]
pub(super) enum Step {
    Load(String, Source),
    /// Loads what is needed of an archive and is not loaded yet.
    Extend(String, Source),
    Replace(String, Source),
    Remove(String),
}

/// A set of changes that take effect together; made by [`Runtime::update`].
///
/// Modules of one update may refer to each other in any order. Nothing changes before
/// [`Update::commit`], and nothing if that fails.
#[must_use = "an update does nothing until `commit`"]
pub struct Update<'rt> {
    runtime: &'rt Runtime,
    steps: Vec<Step>,
    strict: bool,
    /// Symbols that members of on-demand archives are loaded for.
    wants: Vec<String>,
}

/// A module whose object is ready to be linked.
pub(super) struct Ready {
    pub name: Arc<str>,
    pub file: Option<Arc<str>>,
    pub object: Arc<[u8]>,
    interface: Interface,
    pub replace: bool,
    /// Only wanted if it defines something that others need.
    pub on_demand: bool,
}

/// A module still to be compiled, if its source is not an object.
pub(super) struct Unit {
    pub name: Arc<str>,
    pub source: Source,
    pub replace: bool,
    pub on_demand: bool,
}

impl<'rt> Update<'rt> {
    pub(super) fn new(runtime: &'rt Runtime) -> Self {
        Self { runtime, steps: Vec::new(), strict: false, wants: Vec::new() }
    }

    /// Adds a new module. An archive becomes one module a member, named
    /// `name(member)`.
    pub fn load(&mut self, name: impl Into<String>, source: Source) -> &mut Self {
        self.steps.push(Step::Load(name.into(), source));
        self
    }

    /// Replaces the module of that name. Its variables keep their storage and value where
    /// size, alignment and layout are unchanged.
    pub fn replace(&mut self, name: impl Into<String>, source: Source) -> &mut Self {
        self.steps.push(Step::Replace(name.into(), source));
        self
    }

    /// Removes the module of that name.
    pub fn remove(&mut self, name: impl Into<String>) -> &mut Self {
        self.steps.push(Step::Remove(name.into()));
        self
    }

    /// Adds `-l name`, see [`Runtime::find_library`]: what is shared is opened at once,
    /// whatever becomes of the update, and a static library becomes part of it, those of
    /// its members that are needed and not loaded yet.
    ///
    /// # Errors
    /// [`ErrorKind::Resolve`] where there is none, [`ErrorKind::Read`] where the dynamic
    /// linker refuses it.
    pub fn library(&mut self, name: &str, directories: &[PathBuf]) -> Result<&mut Self> {
        // Without the lock: constructors may use the runtime.
        let Libraries { shared, archives } = libraries::find(name, directories)?;
        self.runtime.inner.state.lock().add_libraries(shared);
        for path in archives {
            let module = path.to_string_lossy().into_owned();
            let staged =
                self.steps.iter().any(|step| matches!(step, Step::Extend(name, _) if *name == module));
            if !staged {
                self.steps.push(Step::Extend(module, Source::from_path(&path)?.on_demand()));
            }
        }
        Ok(self)
    }

    /// Names a symbol that is going to be asked for, such as a program's `main`: the member
    /// of an on-demand archive that defines it is loaded even if no module refers to it. It
    /// is no error if nothing defines it.
    pub fn want(&mut self, symbol: impl Into<String>) -> &mut Self {
        self.wants.push(symbol.into());
        self
    }

    /// Makes the update fail, as a linker would, where one of its modules refers to a
    /// symbol that nothing defines or defines one that another module defines too.
    pub fn strict(&mut self) -> &mut Self {
        self.strict = true;
        self
    }

    /// Compiles, links and publishes everything, or changes nothing.
    ///
    /// Constructors of new modules run on the calling thread before this returns, in the
    /// order of the update.
    ///
    /// # Errors
    /// Every problem found, see [`Error::problems`]: sources that do not parse or compile,
    /// relocations that cannot be applied, names already in use or unknown, a full arena.
    pub fn commit(&mut self) -> Result<Report> {
        let inner = &*self.runtime.inner;
        let (steps, wants) = (std::mem::take(&mut self.steps), std::mem::take(&mut self.wants));
        let all = Self { steps, wants, ..*self };
        let (report, after) = all.work(|state, prepared| commit::commit(state, &inner.arena, prepared))?;
        run_afterwards(inner, &after);
        Ok(report)
    }

    /// Compiles and links everything, then takes it back: tells whether [`Self::commit`]
    /// would succeed. None of the update's code runs, and the update stays as it is.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn check(&self) -> Result<()> {
        let again = Self { steps: self.steps.clone(), wants: self.wants.clone(), ..*self };
        again
            .work(|state, prepared| {
                prepared.abandon(state);
                (Report::default(), Afterwards::default())
            })
            .map(|_| ())
    }

    /// Prepares the update and hands it to `end`, which commits or abandons it.
    fn work(
        self,
        end: impl FnOnce(&mut State, Prepared) -> (Report, Afterwards),
    ) -> Result<(Report, Afterwards)> {
        let inner = &*self.runtime.inner;
        let Expanded { units, removed, archives } = archives::expand(&inner.state, self.steps)?;
        let mut times = Times::default();
        let mut ready = compile_all(inner, units, &mut times)?;
        let started = Instant::now();
        archives::select(&inner.state, &mut ready, self.wants)?;
        let inputs = parse(&ready)?;
        let mut state = inner.state.lock();
        let groups = archives::settle(&state, archives, &inputs, &removed)?;
        let removed = check_names(&state, &inputs, &removed)?;
        let settings = Settings {
            arena: &inner.arena,
            direct: inner.compile.call_form == CallForm::Stub,
            missing_entry_cell: inner.missing.cell(),
            strict: self.strict,
        };
        let prepared = prepare::prepare(&mut state, &settings, inputs, removed, groups)?;
        times.link = started.elapsed();
        let started = Instant::now();
        let (mut report, after) = end(&mut state, prepared);
        times.publish = started.elapsed();
        report.times = times;
        Ok((report, after))
    }
}

/// Reads every object, and lists all that are malformed.
fn parse(ready: &[Ready]) -> Result<Vec<Input<'_>>> {
    let (mut inputs, mut problems) = (Vec::with_capacity(ready.len()), Vec::new());
    for unit in ready {
        match Object::parse(&unit.object) {
            Ok(object) => inputs.push(Input {
                name: unit.name.clone(),
                file: unit.file.clone(),
                object,
                interface: unit.interface.clone(),
                replace: unit.replace,
            }),
            Err(error) => problems.push(error.in_module(&unit.name).in_file(unit.file.as_deref())),
        }
    }
    Error::all(problems).map_or(Ok(inputs), Err)
}

pub(super) fn already_loaded(name: &str) -> Error {
    Error::new(ErrorKind::Update, format!("module {name} is loaded already"))
        .in_module(name)
        .hint("use replace to change it, or another name")
}

pub(super) fn unknown_module(name: &str) -> Error {
    Error::new(ErrorKind::Update, format!("there is no module {name}"))
        .in_module(name)
        .hint("use load to add it")
}

pub(super) fn given_twice(name: &str) -> Error {
    Error::new(ErrorKind::Update, format!("module {name} occurs twice in one update"))
        .in_module(name)
        .hint("give each module its own name")
}

/// Compiles what is not an object yet, on several threads if there is enough to do.
fn compile_all(inner: &Inner, units: Vec<Unit>, times: &mut Times) -> Result<Vec<Ready>> {
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
    let heavy = units.iter().filter(|u| u.source.kind() != SourceKind::Object).count();
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
    let file: Option<Arc<str>> = unit.source.file().map(Into::into);
    let place = |e: Error| e.in_module(&unit.name).in_file(file.as_deref());
    let (object, interface, times) = match unit.source.kind() {
        SourceKind::Object => {
            let bytes = unit.source.bytes();
            let known = unit.source.interface().map(|interface| (**interface).clone());
            let interface = known.unwrap_or_else(|| compile::interface_of_object(bytes));
            (bytes.clone(), interface, Times::default())
        }
        _ => {
            let compiled = compile::compile(&unit.source, &inner.compile).map_err(place)?;
            let spent = Times {
                parse: compiled.times.parse,
                optimise: compiled.times.optimise,
                codegen: compiled.times.codegen,
                ..Times::default()
            };
            (compiled.object.into(), compiled.interface, spent)
        }
    };
    let (name, replace, on_demand) = (unit.name.clone(), unit.replace, unit.on_demand);
    Ok((Ready { name, file, object, interface, replace, on_demand }, times))
}

/// Refuses names that are taken, unknown, or used twice; returns the numbers to remove.
fn check_names(state: &State, inputs: &[Input<'_>], removed: &[Arc<str>]) -> Result<Vec<u32>> {
    let mut problems = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for input in inputs {
        let known = state.module_id(&input.name).is_some();
        let error = match (known, input.replace) {
            (true, false) => Some(already_loaded(&input.name)),
            (false, true) => Some(unknown_module(&input.name)),
            _ if !seen.insert(&input.name) => Some(given_twice(&input.name)),
            _ => None,
        };
        problems.extend(error.map(|e| e.in_file(input.file.as_deref())));
    }
    let mut ids = Vec::new();
    for name in removed {
        match state.module_id(name) {
            Some(id) if seen.insert(name) => ids.push(id),
            Some(_) => problems.push(
                Error::new(ErrorKind::Update, format!("module {name} is both removed and changed"))
                    .in_module(name),
            ),
            None => problems.push(unknown_module(name)),
        }
    }
    Error::all(problems).map_or(Ok(ids), Err)
}

/// Runs generated code that belongs to the update, without the lock: it may call back.
fn run_afterwards(inner: &Inner, after: &Afterwards) {
    for &(id, resolver, owner, order) in &after.indirect {
        let target = entry::call_resolver(resolver);
        let mut state = inner.state.lock();
        for provider in &mut state.symbols.get_mut(id).providers {
            if provider.owner == owner && provider.order == order {
                provider.target = Target::Function(target);
            }
        }
        let cells = state.symbols.settle(id);
        state.symbols.store(id, cells);
    }
    let (init, fini) = after.in_order();
    if !fini.is_empty() {
        entry::run_at_exit(fini, inner.dso.address());
    }
    for function in init {
        entry::call_initialiser(function, &inner.arguments);
    }
}
