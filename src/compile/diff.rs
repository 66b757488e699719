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

use super::bitcode::{self, Function, Linkage, Summary};
use super::extent::{Extent, Item, Plan, is_defined, is_local};
use super::part::Roles;
use super::{Level, Source};

pub(super) type Names<T> = HashMap<String, T, foldhash::fast::RandomState>;

/// What the code of a generation was made from.
#[derive(Clone)]
pub(crate) struct Known {
    source: Arc<Indexed>,
    /// For each function, whether its live code was made at the fast level.
    fast: Vec<bool>,
}

pub(super) struct Indexed {
    pub(super) summary: Summary,
    by_name: Names<Item>,
}

impl Indexed {
    fn new(summary: Summary) -> Self {
        let functions = summary.functions.iter().enumerate();
        let functions = functions.map(|(at, function)| (function.name.clone(), Item::Function(at as u32)));
        let variables = summary.variables.iter().enumerate();
        let variables = variables.map(|(at, variable)| (variable.name.clone(), Item::Variable(at as u32)));
        let by_name = functions.chain(variables).filter(|(name, _)| !name.is_empty()).collect();
        Self { summary, by_name }
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
        let linkage = match item {
            Item::Function(at) => self.summary.functions[at as usize].linkage,
            Item::Variable(at) => self.summary.variables[at as usize].linkage,
        };
        matches!(linkage, Linkage::Internal | Linkage::Private)
    }

    /// The function that it defines by this name.
    fn function(&self, name: &str) -> Option<usize> {
        match self.by_name.get(name) {
            Some(&item @ Item::Function(at)) if self.defines(item) => Some(at as usize),
            _ => None,
        }
    }

    /// The same for a variable.
    fn variable(&self, name: &str) -> Option<usize> {
        match self.by_name.get(name) {
            Some(&item @ Item::Variable(at)) if self.defines(item) => Some(at as usize),
            _ => None,
        }
    }
}

impl Known {
    /// What there is to know of a whole module that is compiled at one level; `None` where its
    /// source is not understood.
    pub(crate) fn of(bitcode: &[u8], level: Level) -> Option<Self> {
        let source = Arc::new(Indexed::new(bitcode::summarise(bitcode).ok()?));
        let fast = vec![level == Level::Fast; source.summary.functions.len()];
        Some(Self { source, fast })
    }

    /// Whether some of its code can be made better.
    pub(crate) fn has_fast(&self) -> bool {
        let mut functions = self.source.summary.functions.iter().zip(&self.fast);
        functions.any(|(function, fast)| is_defined(function) && *fast)
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
    /// What is compiled.
    pub(super) extent: Extent,
    /// What was defined before and is not any more.
    gone: HashSet<String, foldhash::fast::RandomState>,
}

/// Whether it is the beginning or the end of a section: all that is in the section counts then,
/// and a part of a module would have a section of its own.
fn is_boundary(name: &str) -> bool {
    name.starts_with("__start_") || name.starts_with("__stop_")
}

/// Plans the replacement of what `old` is known of by `bitcode`, at a level; `None` if all of it
/// has to be compiled.
pub(crate) fn plan(old: &Known, bitcode: &[u8], provided: &Provided<'_>, level: Level) -> Option<Patch> {
    let new = Indexed::new(bitcode::summarise(bitcode).ok()?);
    let (was, is) = (&old.source.summary, &new.summary);
    let whole = |s: &Summary| (s.module, s.indirections, s.initialisers);
    // What cannot be named cannot be told apart; what is not understood may be anything.
    let odd = is.functions.iter().any(|f| is_defined(f) && (f.name.is_empty() || f.own.is_none()))
        || is.aliases.iter().any(|a| a.is_ifunc || matches!(a.linkage, Linkage::Internal | Linkage::Private))
        || is.variables.iter().any(|v| is_boundary(&v.name))
        || is.functions.iter().any(|f| is_boundary(&f.name));
    if odd || is.initialisers.is_none() || whole(was) != whole(is) {
        return None;
    }
    let mut plan = Plan::new(is, provided, level);
    let mut is_fast = vec![false; is.functions.len()];
    let [mut added, mut changed, mut unchanged, mut removed] = [const { Vec::new() }; 4];
    for (at, function) in is.functions.iter().enumerate().filter(|(_, function)| is_defined(function)) {
        let name = function.name.to_string();
        let Some(before) = old.source.function(&function.name) else {
            added.push(name);
            plan.want(at);
            continue;
        };
        // There may be several of one without a slot, in layers of different levels.
        let fast = old.fast[before] && !plan.is_slotless(function);
        let digest = |f: &Function| if fast { f.own } else { f.deep };
        let known = digest(&was.functions[before]);
        if known.is_some() && known == digest(function) {
            is_fast[at] = old.fast[before];
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
    let extent = plan.finish();
    // Code would jump by what the variable holds to other code of the same function, made at
    // another level.
    let kept = |(at, function): (usize, &Function)| function.block_address_kept && extent.is_compiled(at);
    if is.functions.iter().enumerate().any(kept) {
        return None;
    }
    extent.note_level(&mut is_fast, level);
    let known = Known { source: Arc::new(new), fast: is_fast };
    Some(Patch { known, new: added, changed, unchanged, removed, extent, gone })
}

/// Plans making those functions better that went live at the fast level.
pub(crate) fn upgrade(known: &Known, provided: &Provided<'_>) -> Patch {
    let mut plan = Plan::new(&known.source.summary, provided, Level::Optimised);
    for (at, function) in known.source.summary.functions.iter().enumerate() {
        if is_defined(function) && known.fast[at] {
            plan.change(at);
        }
    }
    for (at, variable) in known.source.summary.variables.iter().enumerate() {
        if variable.initialiser.is_some() && variable.is_thread_local {
            plan.include(at);
        }
    }
    let fast = vec![false; known.fast.len()];
    let known = Known { source: known.source.clone(), fast };
    let [new, changed, unchanged, removed] = [const { Vec::new() }; 4];
    Patch { known, new, changed, unchanged, removed, extent: plan.finish(), gone: HashSet::default() }
}

impl Patch {
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
        functions.map(|(at, function)| Staying {
            name: &function.name,
            local: is_local(function),
            level: if self.known.fast[at] { Level::Fast } else { Level::Optimised },
        })
    }

    /// The module with the patch's functions only; `None` where it cannot be had.
    pub(crate) fn slice(&self, bitcode: &Source) -> Option<Source> {
        let slice =
            self.extent.slice(&self.known.source.summary, &self.known.source.by_name, bitcode.bytes())?;
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
