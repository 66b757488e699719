//! Functions that are compiled on their first call.
//!
//! Owns which functions of a module can wait for it, what the module has to say of them while
//! they do, and what is compiled when the call comes. A function can wait if it has a slot,
//! because then nobody needs its body before: functions that the linker, the loader or assembly
//! refer to by other ways cannot, nor can what these refer to without a slot. Deliberately does
//! not know how a first call is noticed.

use std::collections::{HashSet, VecDeque};

use super::Level;
use super::bitcode::{Function, Linkage, Summary, Variable};
use super::diff::{Code, Indexed, Known, Patch, Provided, Way};
use super::extent::{Item, Plan, is_defined, is_local, refers};
use super::locals;
use crate::scoped;

/// A function that is provided before it is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Promised {
    pub name: String,
    /// Only its module knows it.
    pub local: bool,
    /// Another definition comes before it.
    pub weak: bool,
}

/// What functions that are not compiled yet refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub name: String,
    pub called: bool,
    pub required: bool,
}

/// What a patch brings of functions that wait for their first call.
#[derive(Debug, Default)]
pub(crate) struct Later {
    /// Those that the module did not provide.
    pub functions: Vec<Promised>,
    /// What they, and others that changed, refer to beyond the module.
    pub references: Vec<Reference>,
}

impl Later {
    /// What functions that go on waiting refer to since they changed.
    pub(super) fn changed(source: &Indexed, functions: &[usize]) -> Self {
        let references = references(&source.summary, functions.iter().copied());
        Self { functions: Vec::new(), references }
    }
}

impl Known {
    /// The functions that wait for their first call.
    pub(crate) fn lazy(&self) -> impl Iterator<Item = &str> {
        let functions = self.source.summary.functions.iter().zip(&self.code);
        functions.filter(|(_, code)| **code == Code::Lazy).map(|(function, _)| &*function.name)
    }

    pub(crate) fn is_lazy(&self, name: &str) -> bool {
        self.source.function(name).is_some_and(|at| self.code[at] == Code::Lazy)
    }

    /// For each function of the next version whether it goes on waiting, as that of this version
    /// does.
    pub(super) fn waits_on(&self, next: &Indexed) -> Vec<bool> {
        if !self.code.contains(&Code::Lazy) {
            return vec![false; next.summary.functions.len()];
        }
        let needed = Needed::of(&next.summary);
        let waits = |(at, function): (usize, &Function)| {
            let before = self.source.function(&function.name);
            before.is_some_and(|before| {
                self.code[before] == Code::Lazy
                    && self.source.summary.functions[before].linkage == function.linkage
                    && needed.may_wait(&next.summary, at)
            })
        };
        next.summary.functions.iter().enumerate().map(waits).collect()
    }
}

/// What cannot wait.
struct Needed {
    functions: HashSet<u32, foldhash::fast::RandomState>,
}

impl Needed {
    fn of(summary: &Summary) -> Self {
        let mut functions = HashSet::default();
        for alias in &summary.aliases[..] {
            functions.extend(&alias.functions[..]);
        }
        for variable in summary.variables.iter().filter(|variable| variable.initialiser.is_some()) {
            // What runs at the beginning and the end, and what assembly may name.
            let listed = variable.name.starts_with("llvm.");
            let here = variable.functions.iter().copied();
            functions.extend(here.filter(|&at| {
                // The address of a label needs the function.
                listed || summary.functions[at as usize].block_address_taken && !comes_with_code(variable)
            }));
        }
        Self { functions }
    }

    fn may_wait(&self, summary: &Summary, at: usize) -> bool {
        let function = &summary.functions[at];
        let special = locals::is_special(&function.name) || function.flags.naked || function.has_prefix;
        let own = is_local(function)
            && (scoped::is_parallel_part(&function.name) || function.name.starts_with(scoped::PREFIX));
        // Whether its labels stay in it is known once it is compiled; where they do not there must
        // be one code of it.
        let special = special || function.block_address_taken;
        is_defined(function) && !special && !own && !self.functions.contains(&(at as u32))
    }
}

/// A constant without a name to others: whoever uses it has it.
fn comes_with_code(variable: &Variable) -> bool {
    variable.linkage == Linkage::Private || variable.is_constant && variable.linkage == Linkage::Internal
}

/// Plans the first load of a module at a level of which nothing is compiled but what cannot
/// wait; `None` where all of it has to be compiled.
pub(crate) fn begin(known: &Known, level: Level) -> Option<Patch> {
    let source = &known.source;
    let summary = &source.summary;
    let odd = |f: &Function| f.own.is_none() || f.name.is_empty() || f.name.contains(['\0', '\x01']);
    if summary.functions.iter().any(|f| is_defined(f) && odd(f))
        || summary.aliases.iter().any(|alias| alias.linkage.is_local())
        || summary.initialisers.is_none()
    {
        return None;
    }
    let needed = Needed::of(summary);
    let lazy: Vec<bool> = (0..summary.functions.len()).map(|at| needed.may_wait(summary, at)).collect();
    let provided = |name: &str, _: bool| match source.function(name) {
        Some(at) if lazy[at] || !is_local(&summary.functions[at]) => Way::Slot,
        _ => Way::None,
    };
    let waits = |at: usize| lazy[at];
    let mut plan = Plan::new(summary, &provided, level, &waits);
    for (at, function) in summary.functions.iter().enumerate().filter(|(_, f)| is_defined(f)) {
        // A static function that cannot wait comes with whoever uses it.
        let needed = needed.functions.contains(&(at as u32)) || function.block_address_taken;
        if !lazy[at] && (!is_local(function) || needed) {
            plan.require(at);
        }
    }
    for (at, variable) in summary.variables.iter().enumerate() {
        if variable.initialiser.is_some() && !comes_with_code(variable) {
            plan.include(at);
        }
    }
    let mut extent = plan.finish();
    let mut code: Vec<Code> =
        lazy.iter().map(|&lazy| if lazy { Code::Lazy } else { Code::of(level) }).collect();
    extent.note(&mut code, level);
    let waiting = || (0..code.len()).filter(|&at| code[at] == Code::Lazy);
    extent.promise(summary, waiting());
    let functions = waiting().map(|at| promised(&summary.functions[at])).collect();
    let later = Later { functions, references: references(summary, waiting()) };
    let known = Known { source: source.clone(), code, calls: 0 };
    let [new, changed, unchanged, removed] = [const { Vec::new() }; 4];
    Some(Patch { known, new, changed, unchanged, removed, later, extent, gone: HashSet::default() })
}

fn promised(function: &Function) -> Promised {
    let local = is_local(function);
    let weak = !local && function.linkage != Linkage::External;
    Promised { name: function.name.to_string(), local, weak }
}

/// What `functions` refer to of what the module does not define.
fn references(summary: &Summary, functions: impl Iterator<Item = usize>) -> Vec<Reference> {
    let mut all = Vec::new();
    let mut seen: HashSet<Item, foldhash::fast::RandomState> = HashSet::default();
    let mut open: Vec<Item> = functions.map(|at| Item::Function(at as u32)).collect();
    while let Some(item) = open.pop() {
        for next in refers(summary, item).filter(|&next| seen.insert(next)) {
            let (name, linkage, called, defined) = match next {
                Item::Function(at) => {
                    let function = &summary.functions[at as usize];
                    (&function.name, function.linkage, true, is_defined(function))
                }
                Item::Variable(at) => {
                    let variable = &summary.variables[at as usize];
                    // Where one of a library is only code that uses it can say.
                    if variable.is_thread_local && variable.initialiser.is_none() {
                        continue;
                    }
                    (&variable.name, variable.linkage, false, variable.initialiser.is_some())
                }
            };
            if defined || name.starts_with("llvm.") {
                // Constants come with whoever uses them, and functions may.
                open.push(next);
            } else if !name.is_empty() && !name.contains(['\0', '\x01']) {
                let required = linkage != Linkage::ExternWeak;
                all.push(Reference { name: name.to_string(), called, required });
            }
        }
    }
    all
}

/// How many instructions are compiled along with a function at least, at each level: about as many
/// as take the time that it takes to start LLVM.
const ALONG: [(Level, u32); 2] = [(Level::Fast, 1000), (Level::Optimised, 100)];

/// Plans compiling the function `name`, which waits for its first call, and others along with it;
/// `None` if it does not wait.
///
/// Starting LLVM takes longer than most functions do, so it is given more: at first what the
/// function leads to by calls, nearest first. A module that is called into again is one that is
/// used. Then its other functions come along too, those that stand near before those that do not,
/// twice as much with each call: so LLVM is not started often for any module.
/// A call that nobody made, but may make soon, does not count.
pub(crate) fn first_call(
    known: &Known,
    name: &str,
    provided: &Provided<'_>,
    level: Level,
    counts: bool,
) -> Option<Patch> {
    let first = known.source.function(name).filter(|&at| known.code[at] == Code::Lazy)?;
    let functions = &known.source.summary.functions;
    let lazy = |at: usize| known.code[at] == Code::Lazy;
    let mut plan = Plan::new(&known.source.summary, provided, level, &lazy);
    let least = ALONG.iter().find(|(of, _)| *of == level).map_or(0, |(_, least)| *least);
    let mut left = least.saturating_mul(1 << known.calls.saturating_sub(1).min(16));
    let mut open = VecDeque::from([first]);
    let mut taken: HashSet<usize, foldhash::fast::RandomState> = open.iter().copied().collect();
    let near = (first..functions.len()).chain(0..first);
    let mut near = near.filter(|&at| known.calls > 0 && lazy(at));
    while let Some(at) = open.pop_front().or_else(|| near.find(|&at| taken.insert(at))) {
        let size = functions[at].instructions;
        if at != first && size > left {
            continue;
        }
        left = left.saturating_sub(size);
        plan.require(at);
        let next = functions[at].functions.iter().map(|&next| next as usize);
        open.extend(next.filter(|&next| lazy(next) && taken.insert(next)));
    }
    let mut patch = Patch::of_same(known, plan, level);
    patch.known.calls += u32::from(counts);
    Some(patch)
}

impl Patch {
    /// The functions of other modules that its functions may call, those first that are nearest to
    /// the function `from`.
    pub(crate) fn leads_to(&self, from: &str) -> Vec<&str> {
        let summary = &self.known.source.summary;
        let mut names = Vec::new();
        let mut open: VecDeque<Item> =
            self.known.source.function(from).map(|at| Item::Function(at as u32)).into_iter().collect();
        let mut seen: HashSet<Item, foldhash::fast::RandomState> = open.iter().copied().collect();
        while let Some(item) = open.pop_front() {
            for next in refers(summary, item).filter(|&next| seen.insert(next)) {
                match next {
                    Item::Function(at) if !is_defined(&summary.functions[at as usize]) => {
                        names.push(&*summary.functions[at as usize].name);
                    }
                    Item::Function(at) if !self.extent.is_compiled(at as usize) => {}
                    Item::Variable(at) if !summary.variables[at as usize].is_constant => {}
                    _ => open.push_back(next),
                }
            }
        }
        names
    }
}

/// The same as [`first_call`] for everything that still waits: some functions cannot be had alone.
pub(crate) fn all_at_once(known: &Known, provided: &Provided<'_>, level: Level) -> Patch {
    let lazy = |at: usize| known.code[at] == Code::Lazy;
    let mut plan = Plan::new(&known.source.summary, provided, level, &lazy);
    (0..known.code.len()).filter(|&at| lazy(at)).for_each(|at| plan.require(at));
    Patch::of_same(known, plan, level)
}
