//! Updates: any number of loads, replacements and removals that take effect together.
//!
//! Owns the path from sources to a committed update: expanding archives, compiling in
//! parallel, preparing and committing under the lock, and running what has to run
//! afterwards without it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::commit::{self, Afterwards};
use super::prepare::{self, Groups, Input, Prepared, Settings};
use super::report::{Report, Times};
use super::state::State;
use super::{Inner, Runtime, entry};
use crate::compile::{self, CallForm, Interface, Source, SourceKind};
use crate::error::{Error, ErrorKind, Result};
use crate::libraries::{self, Libraries};
use crate::link::{Object, Place};
use crate::table::{Rank, Target};

#[derive(Clone)]
enum Step {
    Load(String, Source),
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
}

/// A module whose object is ready to be linked.
struct Ready {
    name: Arc<str>,
    file: Option<Arc<str>>,
    object: Arc<[u8]>,
    interface: Interface,
    replace: bool,
    /// Only wanted if it defines something that others need.
    on_demand: bool,
}

/// A module still to be compiled, if its source is not an object.
struct Unit {
    name: Arc<str>,
    source: Source,
    replace: bool,
    on_demand: bool,
}

impl<'rt> Update<'rt> {
    pub(super) fn new(runtime: &'rt Runtime) -> Self {
        Self { runtime, steps: Vec::new(), strict: false }
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
    /// its members that are needed. One that was loaded before is not searched again.
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
            let known = self.runtime.inner.state.lock().groups.contains_key(module.as_str());
            let staged = self.steps.iter().any(|step| matches!(step, Step::Load(name, _) if *name == module));
            if !known && !staged {
                self.steps.push(Step::Load(module, Source::from_path(&path)?.on_demand()));
            }
        }
        Ok(self)
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
        let all = Self { steps: std::mem::take(&mut self.steps), ..*self };
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
        let again = Self { runtime: self.runtime, steps: self.steps.clone(), strict: self.strict };
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
        let (units, removed, groups) = expand(&inner.state, self.steps)?;
        let mut times = Times::default();
        let mut ready = compile_all(inner, units, &mut times)?;
        let started = Instant::now();
        select_on_demand(&inner.state, &mut ready)?;
        let inputs = parse(&ready)?;
        let mut state = inner.state.lock();
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

/// Turns steps into modules: an archive into its members.
fn expand(state: &Mutex<State>, steps: Vec<Step>) -> Result<(Vec<Unit>, Vec<Arc<str>>, Groups)> {
    let (mut units, mut removed, mut groups) = (Vec::new(), Vec::new(), Groups::new());
    for step in steps {
        let (name, source, replace) = match step {
            Step::Load(name, source) => (name, source, false),
            Step::Replace(name, source) => (name, source, true),
            Step::Remove(name) => {
                let name: Arc<str> = name.into();
                match state.lock().groups.get(&name) {
                    Some(members) => {
                        removed.extend(members.iter().cloned());
                        groups.push((name, None));
                    }
                    None => removed.push(name),
                }
                continue;
            }
        };
        if name.is_empty() || name.contains('\0') {
            return Err(Error::new(
                ErrorKind::Update,
                "a module's name cannot be empty or contain a zero byte",
            ));
        }
        let name: Arc<str> = name.into();
        if source.kind() != SourceKind::Archive {
            units.push(Unit { name, source, replace, on_demand: false });
            continue;
        }
        let place = |e: Error| e.in_module(&name).in_file(source.file());
        let previous = state.lock().groups.get(&name).cloned();
        match (&previous, replace) {
            (Some(_), false) => return Err(already_loaded(&name)),
            (None, true) => return Err(unknown_module(&name)),
            _ => {}
        }
        let mut members: Vec<Arc<str>> = Vec::new();
        for (member, member_source) in source.members().map_err(place)? {
            let mut full = format!("{name}({member})");
            let mut number = 1;
            while members.iter().any(|m| **m == *full) {
                number += 1;
                full = format!("{name}({member}#{number})");
            }
            let full: Arc<str> = full.into();
            members.push(full.clone());
            let replace = previous.as_ref().is_some_and(|old| old.contains(&full));
            units.push(Unit { name: full, source: member_source, replace, on_demand: source.is_on_demand() });
        }
        removed.extend(previous.into_iter().flatten().filter(|old| !members.contains(old)));
        groups.push((name, Some(members)));
    }
    Ok((units, removed, groups))
}

fn already_loaded(name: &str) -> Error {
    Error::new(ErrorKind::Update, format!("module {name} is loaded already"))
        .in_module(name)
        .hint("use replace to change it, or another name")
}

fn unknown_module(name: &str) -> Error {
    Error::new(ErrorKind::Update, format!("there is no module {name}"))
        .in_module(name)
        .hint("use load to add it")
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
        SourceKind::Object => (unit.source.bytes().clone(), Interface::default(), Times::default()),
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

/// Drops the members of on-demand archives that nothing needs, as a linker does.
fn select_on_demand(state: &Mutex<State>, ready: &mut Vec<Ready>) -> Result<()> {
    if !ready.iter().any(|unit| unit.on_demand) {
        return Ok(());
    }
    let (mut wanted, mut defined): (HashSet<String>, HashSet<String>) = Default::default();
    let mut waiting = Vec::new();
    let place = |e: Error, unit: &Ready| e.in_module(&unit.name).in_file(unit.file.as_deref());
    for (index, unit) in ready.iter().enumerate() {
        let (defines, needs) = names_of(&unit.object).map_err(|e| place(e, unit))?;
        if unit.on_demand && !unit.replace {
            waiting.push((index, defines, needs));
        } else {
            wanted.extend(needs);
            defined.extend(defines);
        }
    }
    {
        let state = state.lock();
        let known = state.symbols.iter().filter(|(_, s)| s.winner().is_some_and(|w| w.rank > Rank::Process));
        defined.extend(known.map(|(_, s)| s.name.to_string()));
        let open = state.symbols.iter().filter(|(_, s)| s.required() && s.winner().is_none());
        wanted.extend(open.map(|(_, s)| s.name.to_string()));
        wanted.insert("main".into());
    }
    let mut keep: HashSet<usize> = HashSet::new();
    loop {
        let before = keep.len();
        waiting.retain(|(index, defines, needs)| {
            let needed = defines.iter().any(|name| wanted.contains(name) && !defined.contains(name));
            if needed {
                keep.insert(*index);
                defined.extend(defines.iter().cloned());
                wanted.extend(needs.iter().cloned());
            }
            !needed
        });
        if keep.len() == before {
            break;
        }
    }
    let mut index = 0;
    ready.retain(|unit| {
        index += 1;
        !unit.on_demand || unit.replace || keep.contains(&(index - 1))
    });
    Ok(())
}

/// The names an object defines for others, and those it needs.
fn names_of(object: &[u8]) -> Result<(Vec<String>, Vec<String>)> {
    let object = Object::parse(object)?;
    let (mut defines, mut needs) = (Vec::new(), Vec::new());
    for symbol in &object.symbols {
        match (symbol.binding, symbol.place) {
            (crate::link::Binding::Local, _) => {}
            (crate::link::Binding::Weak, Place::Undefined) => {}
            (_, Place::Undefined) => needs.push(symbol.name.to_owned()),
            _ => defines.push(symbol.name.to_owned()),
        }
    }
    Ok((defines, needs))
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
            _ if !seen.insert(&input.name) => Some(
                Error::new(ErrorKind::Update, format!("module {} occurs twice in one update", input.name))
                    .in_module(&input.name)
                    .hint("give each module its own name"),
            ),
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
