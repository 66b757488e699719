//! Archives in an update: what their members are called, which are loaded, which leave.
//!
//! Owns the way from steps to modules, the choice among the members of on-demand archives,
//! and the record of which modules an archive was loaded as. That record is read when an
//! update begins and again under the lock: another thread may have changed it meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::prepare::{Groups, Input};
use super::state::State;
use super::units::{Incoming, Ready, Unit};
use super::update::{Step, already_loaded, given_twice, unknown_module};
use crate::compile::{Source, SourceKind};
use crate::error::{Error, ErrorKind, Result};
use crate::link::{Binding, Object, Place};
use crate::table::Rank;
use crate::tls::Forkable;

/// What steps stand for.
#[derive(Default)]
pub(super) struct Expanded {
    pub units: Vec<Unit>,
    pub removed: Vec<Arc<str>>,
    pub archives: Vec<Archive>,
    /// Modules and the generations they return to as those are.
    pub restored: Vec<(Arc<str>, u64)>,
}

/// An archive that an update loads, changes or removes.
pub(super) struct Archive {
    name: Arc<str>,
    /// Its modules when the update began; none if it was not loaded.
    before: Option<Vec<Arc<str>>>,
    /// All that it may have afterwards; none if it is removed.
    after: Option<Vec<Arc<str>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Load,
    Extend,
    Replace,
}

/// Turns steps into modules: an archive into its members.
pub(super) fn expand(state: &Forkable<State>, steps: Vec<Step>) -> Result<Expanded> {
    let mut expanded = Expanded::default();
    for step in steps {
        let (name, source, how) = match step {
            Step::Load(name, source) => (name, source, How::Load),
            Step::Extend(name, source) => (name, source, How::Extend),
            Step::Replace(name, source) => (name, source, How::Replace),
            Step::Remove(name) => {
                expanded.remove(&state.lock(), name.into());
                continue;
            }
            Step::Restore(name, number) => {
                expanded.restore(&state.lock(), name.into(), number)?;
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
            let replace = how == How::Replace;
            let on_demand = source.is_on_demand();
            let module = Incoming { name, source, replace, number: None, upgrade: false, anonymous: None };
            expanded.units.push(Unit { module, on_demand, patch: true });
            continue;
        }
        let before = members(&state.lock(), &name);
        expanded.archive(name, &source, how, before)?;
    }
    Ok(expanded)
}

impl Expanded {
    /// A generation that cannot be live again as it is comes from its source.
    fn restore(&mut self, state: &State, name: Arc<str>, number: u64) -> Result<()> {
        let (_, module, past) = state.past(&name, number)?;
        if state.is_restorable(module, past) {
            self.restored.push((name, number));
        } else {
            let source = past.generation.source.clone();
            let module = Incoming {
                name,
                source,
                replace: true,
                number: Some(number),
                upgrade: false,
                anonymous: None,
            };
            self.units.push(Unit { module, on_demand: false, patch: false });
        }
        Ok(())
    }

    fn remove(&mut self, state: &State, name: Arc<str>) {
        let Some(before) = members(state, &name) else {
            self.removed.push(name);
            return;
        };
        self.removed.extend(before.iter().cloned());
        self.archives.push(Archive { name, before: Some(before), after: None });
    }

    fn archive(
        &mut self,
        name: Arc<str>,
        source: &Source,
        how: How,
        before: Option<Vec<Arc<str>>>,
    ) -> Result<()> {
        match (&before, how) {
            (Some(_), How::Load) => return Err(already_loaded(&name)),
            (None, How::Replace) => return Err(unknown_module(&name)),
            _ => {}
        }
        let loaded: HashSet<&str> = before.iter().flatten().map(|member| &**member).collect();
        let (mut after, mut seen): (Vec<Arc<str>>, HashSet<Arc<str>>) = Default::default();
        let sources = source.members().map_err(|e| e.in_module(&name).in_file(source.file()))?;
        for (member, source_of_member) in sources {
            let mut full: Arc<str> = format!("{name}({member})").into();
            let mut number = 1;
            while !seen.insert(full.clone()) {
                number += 1;
                full = format!("{name}({member}#{number})").into();
            }
            after.push(full.clone());
            let replace = loaded.contains(&*full);
            if how != How::Extend || !replace {
                let on_demand = source.is_on_demand();
                let source = source_of_member;
                let module =
                    Incoming { name: full, source, replace, number: None, upgrade: false, anonymous: None };
                self.units.push(Unit { module, on_demand, patch: true });
            }
        }
        let gone = before.iter().flatten().filter(|old| !seen.contains(*old));
        match how {
            // What is loaded stays.
            How::Extend => after.extend(gone.cloned()),
            _ => self.removed.extend(gone.cloned()),
        }
        self.archives.push(Archive { name, before, after: Some(after) });
        Ok(())
    }
}

/// The modules that `archive` is loaded as; none if it is not loaded.
fn members(state: &State, archive: &str) -> Option<Vec<Arc<str>>> {
    let members = state.groups.get(archive)?.iter();
    Some(members.filter(|member| state.module_id(member).is_some()).cloned().collect())
}

/// The archives and their modules as they will be when `inputs` are loaded and `removed`
/// are gone. The state stays locked until then.
pub(super) fn settle(
    state: &State,
    archives: &[Archive],
    inputs: &[Input<'_>],
    removed: &[Arc<str>],
) -> Result<Groups> {
    let mut problems = Vec::new();
    let new: HashSet<&str> = inputs.iter().map(|input| &*input.module.name).collect();
    let mut seen: HashSet<Arc<str>> = HashSet::new();
    let mut groups = Groups::new();
    for Archive { name, before, after } in archives {
        let now = members(state, name);
        if !seen.insert(name.clone()) {
            problems.push(given_twice(name));
        } else if before.is_none() && (now.is_some() || is_module(state, name, &new)) {
            problems.push(already_loaded(name));
        } else if now != *before {
            problems.push(
                Error::new(ErrorKind::Update, format!("another update changed the archive {name} meanwhile"))
                    .in_module(name)
                    .hint("try again"),
            );
        }
        let stays =
            |member: &Arc<str>| new.contains(&**member) || before.iter().flatten().any(|m| m == member);
        let after = after.as_ref().map(|members| members.iter().filter(|m| stays(m)).cloned().collect());
        groups.push((name.clone(), after));
    }
    // A module cannot have the name of an archive that is loaded.
    let new = inputs.iter().map(|input| &input.module).filter(|module| !module.replace);
    let taken = new.filter(|module| !seen.contains(&module.name) && state.groups.contains_key(&module.name));
    problems.extend(taken.map(|module| already_loaded(&module.name)));
    // A member that is removed by its own name leaves its archive.
    let leaving: HashSet<&str> =
        removed.iter().map(|name| &**name).filter(|name| name.ends_with(')')).collect();
    if !leaving.is_empty() {
        for (name, members) in state.groups.iter().filter(|(name, _)| !seen.contains(*name)) {
            if members.iter().any(|member| leaving.contains(&**member)) {
                let left = members.iter().filter(|member| !leaving.contains(&***member));
                groups.push((name.clone(), Some(left.cloned().collect())));
            }
        }
    }
    Error::all(problems).map_or(Ok(groups), Err)
}

/// Whether a module, loaded or about to be, has this name.
fn is_module(state: &State, name: &str, new: &HashSet<&str>) -> bool {
    state.module_id(name).is_some() || new.contains(name)
}

/// Drops the members of on-demand archives that nothing needs, as a linker does.
///
/// `wants` are symbols to be found although no module refers to them.
pub(super) fn select(state: &Forkable<State>, ready: &mut Vec<Ready>, wants: Vec<String>) -> Result<()> {
    if !ready.iter().any(|unit| unit.on_demand) {
        return Ok(());
    }
    let mut wanted: HashSet<String> = wants.into_iter().collect();
    let mut defined: HashSet<String> = HashSet::new();
    let mut waiting = Vec::new();
    for (index, unit) in ready.iter().enumerate() {
        let (defines, needs) = names_of(unit).map_err(|e| unit.module.blame(e))?;
        if unit.on_demand && !unit.module.replace {
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
    }
    // Of several that define a name it is the first, in the order given.
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (place, (_, defines, _)) in waiting.iter().enumerate() {
        defines.iter().for_each(|name| _ = first.entry(name).or_insert(place));
    }
    let mut keep: HashSet<usize> = HashSet::new();
    let mut defined: HashSet<&str> = defined.iter().map(String::as_str).collect();
    // The first that is needed comes first: it may define what another would be taken for. Every
    // name is looked at once, so the time is that of reading them.
    let at = |name: &String| first.get_key_value(name.as_str()).map(|(name, place)| (*place, *name));
    let mut open: BTreeSet<(usize, &str)> = wanted.iter().filter_map(at).collect();
    while let Some((place, name)) = open.pop_first() {
        if defined.contains(name) {
            continue;
        }
        let (index, defines, needs) = &waiting[place];
        keep.insert(*index);
        defined.extend(defines.iter().map(String::as_str));
        open.extend(needs.iter().filter_map(at));
    }
    let mut index = 0;
    ready.retain(|unit| {
        index += 1;
        !unit.on_demand || unit.module.replace || keep.contains(&(index - 1))
    });
    Ok(())
}

/// The names an object defines for others, and those it needs.
fn names_of(unit: &Ready) -> Result<(Vec<String>, Vec<String>)> {
    let (mut defines, mut needs) = (Vec::new(), Vec::new());
    // What is compiled later is not in the object.
    if let Some((patch, _)) = &unit.made.patch {
        let later = &patch.later;
        defines.extend(later.functions.iter().filter(|f| !f.local).map(|f| f.name.clone()));
        needs.extend(later.references.iter().filter(|r| r.required).map(|r| r.name.clone()));
        if unit.object.is_empty() {
            return Ok((defines, needs));
        }
    }
    let object = Object::parse(&unit.object)?;
    for symbol in &object.symbols {
        match (symbol.binding, symbol.place) {
            (Binding::Local, _) => {}
            _ if symbol.scoped => {}
            (Binding::Weak, Place::Undefined) => {}
            (_, Place::Undefined) => needs.push(symbol.name.to_owned()),
            _ => defines.push(symbol.name.to_owned()),
        }
    }
    Ok((defines, needs))
}
