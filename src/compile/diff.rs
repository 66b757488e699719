//! Which functions of a module have to be compiled again.
//!
//! Owns the comparison of a source's summary with that of the generation before. What these
//! functions need of the others is [`super::extent`]'s. Deliberately knows nothing of bitcode's
//! encoding, and of what is loaded only which names are provided.
//!
//! A function's code can stay when its digest is the same: `own` for code that was made without
//! optimisation, `deep`, which has the functions in it that may be inlined, for the rest. Static
//! functions have slots like others, so their callers need not be compiled again. Those that
//! could not get one take their callers with them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::bitcode::{self, Function, Linkage, Reading, Reads, Summary};
use super::extent::{self, Extent, Item, Plan, is_defined, is_local};
use super::lazy::Later;
use super::part::{Role, Roles};
use super::{Level, Source};

pub(super) type Names<T> = HashMap<String, T, foldhash::fast::RandomState>;

/// What the code of a generation was made from.
#[derive(Clone)]
pub(crate) struct Known {
    pub(super) source: Arc<Indexed>,
    /// For each function, what its live code is.
    pub(super) code: Vec<Code>,
    /// How often functions were compiled because one was called for the first time.
    pub(super) calls: u32,
}

/// How the code of a function was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Not yet: it will be on its first call.
    Lazy,
    Fast,
    Optimised,
}

impl Code {
    pub(super) fn of(level: Level) -> Self {
        if level == Level::Fast { Self::Fast } else { Self::Optimised }
    }
}

pub(super) struct Indexed {
    pub(super) summary: Summary,
    /// To summarise the next version with less work.
    reading: Reading,
    by_name: Arc<Names<Item>>,
}

impl Indexed {
    /// What `bitcode` is, which replaces another version or is the first.
    fn read(before: Option<&Self>, bitcode: &Arc<[u8]>, reads: Reads<'_>) -> Option<Self> {
        let was = before.map(|before| (&before.summary, &before.reading));
        let (summary, reading) = bitcode::summarise_after(was, bitcode, reads).ok()?;
        let by_name = match before.filter(|before| before.reading.is_alike(&reading)) {
            Some(before) => before.by_name.clone(),
            None => Arc::new(by_name(&summary)),
        };
        Some(Self { summary, reading, by_name })
    }

    fn is_defined(&self, name: &str) -> bool {
        self.by_name.get(name).is_some_and(|&item| self.defines(item))
    }

    fn defines(&self, item: Item) -> bool {
        match item {
            Item::Function(at) => is_defined(&self.summary.functions[at as usize]),
            Item::Variable(at) => self.summary.variables[at as usize].initialiser.is_some(),
        }
    }

    fn is_local(&self, item: Item) -> bool {
        match item {
            Item::Function(at) => self.summary.functions[at as usize].linkage.is_local(),
            Item::Variable(at) => self.summary.variables[at as usize].linkage.is_local(),
        }
    }

    /// The function that it defines by this name.
    pub(super) fn function(&self, name: &str) -> Option<usize> {
        match self.by_name.get(name) {
            Some(&item @ Item::Function(at)) if self.defines(item) => Some(at as usize),
            _ => None,
        }
    }

    /// The same for a variable.
    pub(super) fn variable(&self, name: &str) -> Option<usize> {
        match self.by_name.get(name) {
            Some(&item @ Item::Variable(at)) if self.defines(item) => Some(at as usize),
            _ => None,
        }
    }
}

fn by_name(summary: &Summary) -> Names<Item> {
    let functions = summary.functions.iter().enumerate();
    let functions = functions.map(|(at, function)| (&function.name, Item::Function(at as u32)));
    let variables = summary.variables.iter().enumerate();
    let variables = variables.map(|(at, variable)| (&variable.name, Item::Variable(at as u32)));
    let all = functions.chain(variables).filter(|(name, _)| !name.is_empty());
    all.map(|(name, item)| (name.to_string(), item)).collect()
}

impl Known {
    /// What there is to know of a whole module that is compiled at one level; `None` where its
    /// source is not understood. Of `before`, another version, much may still hold. `reads` is the same
    /// for all versions.
    pub(crate) fn of(
        bitcode: &Source,
        before: Option<&Known>,
        level: Level,
        reads: Reads<'_>,
    ) -> Option<Self> {
        let before = before.map(|before| &*before.source);
        let source = Arc::new(Indexed::read(before, bitcode.bytes(), reads)?);
        let code = vec![Code::of(level); source.summary.functions.len()];
        Some(Self { source, code, calls: 0 })
    }

    /// The roles of its functions where all of them are compiled.
    pub(super) fn roles(&self) -> Roles {
        let functions = self.source.summary.functions.iter().filter(|function| function.is_defined);
        let role = |function: &Function| Role::Compiled {
            candidate: function.is_inline_candidate,
            once: function.is_called_once(),
            kept: false,
            way: Way::None,
        };
        let functions = functions.map(|function| (function.name.to_string(), role(function))).collect();
        Roles { functions, entered_once: extent::entered_once(&self.source.summary), ..Roles::default() }
    }

    /// Whether the module defines a function of this name.
    pub(crate) fn defines(&self, name: &str) -> bool {
        let function = self.source.function(name);
        function.is_some_and(|at| is_defined(&self.source.summary.functions[at]))
    }

    /// Whether some of its code can be made better.
    pub(crate) fn has_fast(&self) -> bool {
        let mut functions = self.source.summary.functions.iter().zip(&self.code);
        functions.any(|(function, code)| is_defined(function) && *code == Code::Fast)
    }
}

/// How the code of the generation before reaches what it defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through the table.
    Slot,
    /// It is a static function that stayed one: with its address, in code of the same layer.
    Direct,
    /// There is none: whoever needs it has a copy.
    None,
}

/// The same for a name, which only the module knows or all do.
pub(crate) type Provided<'a> = dyn Fn(&str, bool) -> Way + 'a;

/// A function that a patch leaves as it is.
pub(crate) struct Staying<'p> {
    pub name: &'p str,
    /// Only the module knows it.
    pub local: bool,
    pub level: Level,
}

/// Some functions of a module, to be linked beside what stays of the generation before.
pub(crate) struct Patch {
    /// What is known of the module once it is patched.
    pub known: Known,
    /// Functions, for the report.
    pub new: Vec<String>,
    pub changed: Vec<String>,
    pub unchanged: Vec<String>,
    pub removed: Vec<String>,
    /// What is new of what waits for its first call.
    pub later: Later,
    /// What is compiled.
    pub(super) extent: Extent,
    /// What was defined before and is not any more.
    pub(super) gone: HashSet<String, foldhash::fast::RandomState>,
}

/// Whether it is the beginning or the end of a section: all that is in the section counts then,
/// and a part of a module would have a section of its own.
fn is_boundary(name: &str) -> bool {
    name.starts_with("__start_") || name.starts_with("__stop_")
}

/// Plans the replacement of what `old` is known of by what is `new`, at a level; `None` if all of it
/// has to be compiled.
pub(crate) fn plan(old: &Known, new: &Known, provided: &Provided<'_>, level: Level) -> Option<Patch> {
    let new = &new.source;
    let (was, is) = (&old.source.summary, &new.summary);
    let whole = |s: &Summary| (s.module, s.indirections, s.initialisers);
    // What cannot be named cannot be told apart; what is not understood may be anything.
    let odd = is.functions.iter().any(|f| is_defined(f) && (f.name.is_empty() || f.own.is_none()))
        || is.aliases.iter().any(|a| a.is_ifunc || a.linkage.is_local())
        || is.variables.iter().any(|v| is_boundary(&v.name))
        || is.functions.iter().any(|f| is_boundary(&f.name));
    if odd || is.initialisers.is_none() || whole(was) != whole(is) {
        return None;
    }
    let mut code = vec![Code::Optimised; is.functions.len()];
    let mut later = Vec::new();
    // A function that was never called goes on waiting for that.
    let waiting = old.waits_on(new);
    let waits = |at: usize| waiting[at];
    let mut plan = Plan::new(is, provided, level, &waits);
    let [mut added, mut changed, mut unchanged, mut removed] = [const { Vec::new() }; 4];
    for (at, function) in is.functions.iter().enumerate().filter(|(_, function)| is_defined(function)) {
        let name = function.name.to_string();
        let Some(before) = old.source.function(&function.name) else {
            added.push(name);
            plan.want(at);
            continue;
        };
        let lazy = waits(at);
        // There may be several of one without a slot, in layers of different levels.
        let alone = match old.code[before] {
            Code::Optimised => false,
            Code::Fast => !plan.is_slotless(function),
            Code::Lazy => true,
        };
        let digest = |f: &Function| if alone { f.own } else { f.deep };
        let known = digest(&was.functions[before]);
        let same = known.is_some() && known == digest(function);
        if lazy {
            code[at] = Code::Lazy;
            (if same { &mut unchanged } else { &mut changed }).push(name);
            later.extend((!same).then_some(at));
        } else if same && old.code[before] != Code::Lazy {
            code[at] = old.code[before];
            unchanged.push(name);
        } else {
            changed.push(name);
            plan.change(at);
        }
    }
    for (at, variable) in
        is.variables.iter().enumerate().filter(|(_, variable)| variable.initialiser.is_some())
    {
        let same = old.source.variable(&variable.name).is_some_and(|before| {
            let before = &was.variables[before];
            (before.declaration, before.initialiser) == (variable.declaration, variable.initialiser)
        });
        // A module has one block of thread-locals. Constants without a name to others come with
        // whoever uses them.
        let listed = variable.name.starts_with("llvm.");
        if variable.is_thread_local || !same && variable.linkage != Linkage::Private && !listed {
            plan.include(at);
        }
    }
    let mut gone = HashSet::default();
    for (name, &item) in old.source.by_name.iter().filter(|(name, _)| !new.is_defined(name)) {
        if old.source.defines(item) {
            gone.insert(name.clone());
            if let Item::Function(_) = item {
                removed.push(name.to_string());
            }
        }
    }
    removed.sort_unstable();
    let mut extent = plan.finish();
    // Code would jump by what the variable holds to other code of the same function, made at
    // another level.
    let kept = |(at, function): (usize, &Function)| function.block_address_kept && extent.is_compiled(at);
    if is.functions.iter().enumerate().any(kept) {
        return None;
    }
    extent.note(&mut code, level);
    extent.promise(is, later.iter().copied());
    let later = Later::changed(new, &later);
    let known = Known { source: new.clone(), code, calls: old.calls };
    Some(Patch { known, new: added, changed, unchanged, removed, later, extent, gone })
}

/// Plans making those functions better that went live at the fast level.
pub(crate) fn upgrade(known: &Known, provided: &Provided<'_>) -> Patch {
    let lazy = |at: usize| known.code[at] == Code::Lazy;
    let mut plan = Plan::new(&known.source.summary, provided, Level::Optimised, &lazy);
    for (at, function) in known.source.summary.functions.iter().enumerate() {
        if is_defined(function) && known.code[at] == Code::Fast {
            plan.change(at);
        }
    }
    Patch::of_same(known, plan, Level::Optimised)
}

/// Makes the function `name` once more as it is.
pub(crate) fn again(known: &Known, name: &str, provided: &Provided<'_>, level: Level) -> Option<Patch> {
    let lazy = |at: usize| known.code[at] == Code::Lazy;
    let mut plan = Plan::new(&known.source.summary, provided, level, &lazy);
    plan.want(known.source.function(name)?);
    Some(Patch::of_same(known, plan, level))
}

impl Patch {
    /// Makes `plan` a patch that leaves the module what it is, with more or better code.
    pub(super) fn of_same(known: &Known, mut plan: Plan<'_>, level: Level) -> Self {
        for (at, variable) in known.source.summary.variables.iter().enumerate() {
            if variable.initialiser.is_some() && variable.is_thread_local {
                plan.include(at);
            }
        }
        let extent = plan.finish();
        let mut code = known.code.clone();
        extent.note(&mut code, level);
        let known = Known { source: known.source.clone(), code, calls: known.calls };
        let [new, changed, unchanged, removed] = [const { Vec::new() }; 4];
        let (later, gone) = Default::default();
        Self { known, new, changed, unchanged, removed, later, extent, gone }
    }

    /// What is known of the module when this, which was made for another state of the same
    /// source, is applied to the state that `live` is of; `None` where the source is another.
    pub(crate) fn applied_to(&self, live: &Known, level: Level) -> Option<Known> {
        let mut known = live.clone();
        self.extent.note(&mut known.code, level);
        known.calls = known.calls.max(self.known.calls);
        Arc::ptr_eq(&self.known.source, &live.source).then_some(known)
    }

    /// Nothing has to be compiled or linked.
    pub(crate) fn is_empty(&self) -> bool {
        self.extent.is_empty()
    }

    /// The module does not define this any more.
    pub(crate) fn is_gone(&self, name: &str) -> bool {
        self.gone.contains(name)
    }

    /// The same for a name that only the module knows, or that all know: a function may become
    /// static, or cease to be.
    pub(crate) fn has_left(&self, name: &str, scoped: bool) -> bool {
        match self.known.source.by_name.get(name) {
            Some(&item) if self.known.source.defines(item) => self.known.source.is_local(item) != scoped,
            _ => self.is_gone(name),
        }
    }

    /// The module defines or declares it.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.known.source.by_name.contains_key(name)
    }

    /// What stays refers to it.
    pub(crate) fn is_referred(&self, name: &str) -> bool {
        self.known.source.by_name.get(name).is_some_and(|&item| self.extent.is_referred(item))
    }

    /// The functions whose code stays.
    pub(crate) fn staying(&self) -> impl Iterator<Item = Staying<'_>> {
        let functions = self.known.source.summary.functions.iter().enumerate();
        let functions =
            functions.filter(|&(at, function)| is_defined(function) && !self.extent.is_compiled(at));
        functions.filter_map(|(at, function)| {
            let level = match self.known.code[at] {
                Code::Lazy => return None,
                Code::Fast => Level::Fast,
                Code::Optimised => Level::Optimised,
            };
            Some(Staying { name: &function.name, local: is_local(function), level })
        })
    }

    /// The module with the patch's functions only; `None` where it cannot be had.
    pub(crate) fn slice(&self, bitcode: &Source) -> Option<Source> {
        let Indexed { summary, reading, by_name } = &*self.known.source;
        let slice = self.extent.slice(summary, by_name, reading)?;
        Some(bitcode.with_bitcode(slice))
    }

    /// What the code of its functions, made at a level, depends on.
    pub(crate) fn identity(&self, level: Level) -> Vec<u8> {
        self.extent.identity(&self.known.source.summary, level)
    }

    pub(super) fn roles(&self) -> &Roles {
        &self.extent.roles
    }
}
