//! What has to be compiled along with some functions of a module.
//!
//! Owns the walk over what these refer to: bodies to look into, functions that have no slot and
//! so must be compiled again beside whoever calls them, variables. Deliberately does not know
//! why these functions are compiled; [`super::diff`] does.

use std::collections::HashSet;

use super::Level;
use super::bitcode::{self, Definition, Digest, Function, Linkage, Others, Reading, Summary};
use super::diff::{Code, Names, Provided, Way};
use super::part::{Role, Roles};

/// A function or variable of a module, by its place in the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Function(u32),
    Variable(u32),
}

/// Whether code is made for it.
pub(super) fn is_defined(function: &Function) -> bool {
    function.is_defined && function.linkage != Linkage::AvailableExternally
}

pub(super) fn is_local(function: &Function) -> bool {
    function.linkage.is_local()
}

/// Names of functions that are entered once.
pub(super) fn entered_once(summary: &Summary) -> HashSet<String, foldhash::fast::RandomState> {
    let functions = summary.functions.iter().filter(|function| function.entered_once && function.is_defined);
    functions.map(|function| function.name.to_string()).collect()
}

/// Whether it is only there as long as something calls it.
fn is_discardable(function: &Function) -> bool {
    matches!(function.linkage, Linkage::LinkOnce | Linkage::LinkOnceOdr)
        || is_local(function) && function.is_inline_candidate
}

/// What becomes of a function of the module in a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Body {
    /// It is a declaration that nothing needs.
    Absent,
    /// It is a declaration.
    Declared,
    /// It is there to be looked into.
    Inlined,
    /// It is compiled if something that is compiled needs it.
    Optional,
    /// It is compiled.
    Wanted,
}

/// A part of a module, by the order of its summary.
pub(crate) struct Extent {
    pub(super) functions: Vec<Body>,
    variables: Vec<bool>,
    pub(super) roles: Roles,
    /// What the functions and variables that are not in it refer to.
    referred: [Vec<bool>; 2],
}

/// An [`Extent`] in the making.
pub(super) struct Plan<'a> {
    summary: &'a Summary,
    provided: &'a Provided<'a>,
    level: Level,
    /// Functions that are compiled on their first call.
    lazy: &'a dyn Fn(usize) -> bool,
    functions: Vec<Body>,
    variables: Vec<bool>,
    /// Functions that aliases lead to.
    aliased: Vec<bool>,
    /// Functions whose callers have to be compiled as well.
    slotless: Vec<usize>,
    /// What has not been looked into yet.
    open: Vec<Item>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        summary: &'a Summary,
        provided: &'a Provided<'a>,
        level: Level,
        lazy: &'a dyn Fn(usize) -> bool,
    ) -> Self {
        let functions = vec![Body::Absent; summary.functions.len()];
        let variables = vec![false; summary.variables.len()];
        let mut aliased = vec![false; summary.functions.len()];
        for &at in summary.aliases.iter().flat_map(|alias| &alias.functions[..]) {
            aliased[at as usize] = true;
        }
        let (slotless, open) = Default::default();
        Self { summary, provided, level, lazy, functions, variables, aliased, slotless, open }
    }

    /// A function that the module did not have.
    pub(super) fn want(&mut self, at: usize) {
        // Others can only be called by those who are compiled as well.
        if self.aliased[at] || !is_discardable(&self.summary.functions[at]) {
            self.set(at, Body::Wanted);
        }
    }

    /// A function that has to be compiled, whatever becomes of those that call it.
    pub(super) fn require(&mut self, at: usize) {
        self.set(at, Body::Wanted);
    }

    /// A function whose code is another one.
    pub(super) fn change(&mut self, at: usize) {
        let function = &self.summary.functions[at];
        let slotless = self.is_slotless(function);
        if slotless {
            self.slotless.push(at);
        }
        if !slotless || self.aliased[at] {
            self.set(at, Body::Wanted);
        }
    }

    /// Nobody reaches it through the table.
    pub(super) fn is_slotless(&self, function: &Function) -> bool {
        (is_local(function) || is_discardable(function)) && self.way(function) != Way::Slot
    }

    fn way(&self, function: &Function) -> Way {
        (self.provided)(&function.name, is_local(function))
    }

    /// A variable that is new, or not what it was.
    pub(super) fn include(&mut self, at: usize) {
        if std::mem::replace(&mut self.variables[at], true) {
            return;
        }
        self.open.push(Item::Variable(at as u32));
        // What is in a section together keeps its place together.
        if self.summary.variables[at].has_section {
            let others = self.summary.variables.iter().enumerate();
            let others = others.filter(|(_, other)| other.has_section && other.initialiser.is_some());
            others.filter(|(_, other)| !other.name.starts_with("llvm.")).for_each(|(at, _)| self.include(at));
        }
    }

    fn set(&mut self, at: usize, body: Body) {
        let has = |body| !matches!(body, Body::Absent | Body::Declared);
        if !has(self.functions[at]) && has(body) {
            self.open.push(Item::Function(at as u32));
        }
        self.functions[at] = self.functions[at].max(body);
    }

    pub(super) fn finish(mut self) -> Extent {
        self.add_callers();
        while let Some(item) = self.open.pop() {
            for next in refers(self.summary, item) {
                self.reach(next, item);
            }
        }
        let referred = self.staying();
        let roles = self.roles();
        Extent { functions: self.functions, variables: self.variables, roles, referred }
    }

    /// Whoever refers to a function that has no slot, directly or through a constant, refers to
    /// that very body.
    fn add_callers(&mut self) {
        let mut through: Vec<Item> = self.slotless.iter().map(|&at| Item::Function(at as u32)).collect();
        if through.is_empty() {
            return;
        }
        // Whoever has a copy of code that refers to it does so itself, and its digest does not
        // tell. What is not there at all has been copied to everybody, whose digests tell.
        let is_direct = |&at: &usize| self.way(&self.summary.functions[at]) == Way::Direct;
        let direct = self.slotless.iter().any(is_direct);
        let mut users = vec![Vec::new(); self.functions.len()];
        let mut users_of_variables = vec![Vec::new(); self.variables.len()];
        let functions = (0..self.functions.len()).map(|at| Item::Function(at as u32));
        let variables = (0..self.variables.len()).map(|at| Item::Variable(at as u32));
        for user in functions.chain(variables) {
            for used in refers(self.summary, user) {
                match used {
                    Item::Function(at) => users[at as usize].push(user),
                    Item::Variable(at) => users_of_variables[at as usize].push(user),
                }
            }
        }
        let mut seen = vec![false; self.functions.len()];
        let mut seen_variables = vec![false; self.variables.len()];
        while let Some(used) = through.pop() {
            let (list, seen) = match used {
                Item::Function(at) => (&users[at as usize], &mut seen[at as usize]),
                Item::Variable(at) => (&users_of_variables[at as usize], &mut seen_variables[at as usize]),
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            for &user in list {
                match user {
                    Item::Function(at) => {
                        let function = &self.summary.functions[at as usize];
                        let slotless = self.is_slotless(function);
                        if slotless
                            || direct && (function.is_inline_candidate || function.flags.always_inline)
                        {
                            through.push(user);
                        }
                        if !slotless && !(self.lazy)(at as usize) {
                            self.set(at as usize, Body::Wanted);
                        }
                    }
                    Item::Variable(at) => {
                        let variable = &self.summary.variables[at as usize];
                        if variable.is_constant {
                            through.push(user);
                        } else if !variable.name.starts_with("llvm.") {
                            // What it holds by now leads to a stub, which is to lead to the new code.
                            self.include(at as usize);
                        }
                    }
                }
            }
        }
    }

    /// `user`, which is compiled or looked into, refers to `item`.
    fn reach(&mut self, item: Item, user: Item) {
        match item {
            Item::Variable(at) => {
                let variable = &self.summary.variables[at as usize];
                if variable.initialiser.is_some() {
                    self.include(at as usize);
                }
            }
            Item::Function(index) => {
                let at = index as usize;
                let function = &self.summary.functions[at];
                if !function.is_defined {
                    return;
                }
                let inlined = match self.level {
                    Level::Fast => function.flags.always_inline && !function.block_address_taken,
                    Level::Optimised => function.is_inline_candidate,
                };
                let seen = match user {
                    Item::Function(at) => {
                        !self.summary.functions[at as usize].entered_once || function.flags.always_inline
                    }
                    // The optimiser reads constants: a call by a table's entry may get the body.
                    Item::Variable(at) => {
                        self.summary.variables[at as usize].is_constant && !function.is_hidden_in_constants
                    }
                };
                if self.is_slotless(function) {
                    self.set(at, Body::Optional);
                } else if inlined && seen {
                    self.set(at, Body::Inlined);
                } else {
                    self.set(at, Body::Declared);
                }
            }
        }
    }

    fn roles(&self) -> Roles {
        let mut roles = Roles { entered_once: entered_once(self.summary), ..Roles::default() };
        for (at, function) in self.summary.functions.iter().enumerate().filter(|(_, f)| f.is_defined) {
            let way = self.way(function);
            let role = match self.functions[at] {
                Body::Absent => continue,
                Body::Declared if is_local(function) => Role::Elsewhere,
                Body::Declared => continue,
                Body::Inlined => Role::Shown { once: function.is_called_once() },
                body => Role::Compiled {
                    candidate: function.is_inline_candidate,
                    once: function.is_called_once(),
                    kept: body == Body::Wanted,
                    way,
                },
            };
            roles.functions.insert(function.name.to_string(), role);
        }
        roles
    }

    /// What is not compiled, and stays, refers to.
    fn staying(&self) -> [Vec<bool>; 2] {
        let mut referred = [vec![false; self.functions.len()], vec![false; self.variables.len()]];
        let mut open: Vec<Item> = Vec::new();
        for (at, function) in self.summary.functions.iter().enumerate().filter(|(_, f)| f.is_defined) {
            if self.functions[at] <= Body::Inlined && self.way(function) != Way::None {
                open.push(Item::Function(at as u32));
            }
        }
        for (at, variable) in self.summary.variables.iter().enumerate() {
            let named = variable.linkage != Linkage::Private && !variable.name.starts_with("llvm.");
            if variable.initialiser.is_some() && !self.variables[at] && named {
                open.push(Item::Variable(at as u32));
            }
        }
        // What stays may have been given the bodies of others, and constants of its own.
        while let Some(item) = open.pop() {
            for next in refers(self.summary, item) {
                let (list, at) = match next {
                    Item::Function(at) => (&mut referred[0], at as usize),
                    Item::Variable(at) => (&mut referred[1], at as usize),
                };
                if std::mem::replace(&mut list[at], true) {
                    continue;
                }
                match next {
                    Item::Variable(_) => open.push(next),
                    Item::Function(_) if self.summary.functions[at].is_inline_candidate => open.push(next),
                    Item::Function(_) if is_local(&self.summary.functions[at]) => open.push(next),
                    Item::Function(_) => {}
                }
            }
        }
        referred
    }
}

/// What a function's body or a variable's initial value names.
pub(super) fn refers(summary: &Summary, item: Item) -> impl Iterator<Item = Item> + use<'_> {
    let (functions, variables) = match item {
        Item::Function(at) => {
            let function = &summary.functions[at as usize];
            (&function.functions, &function.variables)
        }
        Item::Variable(at) => {
            let variable = &summary.variables[at as usize];
            (&variable.functions, &variable.variables)
        }
    };
    let functions = functions.iter().map(|&at| Item::Function(at));
    functions.chain(variables.iter().map(|&at| Item::Variable(at)))
}

impl Extent {
    pub(super) fn is_empty(&self) -> bool {
        let none = !self.functions.contains(&Body::Wanted) && !self.variables.contains(&true);
        none && self.roles.lazy.is_empty()
    }

    /// Code is made for the function.
    pub(super) fn is_compiled(&self, at: usize) -> bool {
        matches!(self.functions[at], Body::Wanted | Body::Optional)
    }

    pub(super) fn is_referred(&self, item: Item) -> bool {
        match item {
            Item::Function(at) => self.referred[0][at as usize],
            Item::Variable(at) => self.referred[1][at as usize],
        }
    }

    /// Notes that what is compiled is compiled at `level`.
    pub(super) fn note(&self, code: &mut [Code], level: Level) {
        for (code, body) in code.iter_mut().zip(&self.functions) {
            if matches!(body, Body::Wanted | Body::Optional) {
                *code = Code::of(level);
            }
        }
    }

    /// Has the slice say of what types `functions` are, which are compiled later.
    pub(super) fn promise(&mut self, summary: &Summary, functions: impl Iterator<Item = usize>) {
        for at in functions {
            let function = &summary.functions[at];
            self.roles.lazy.insert(function.name.to_string());
            if is_local(function) && self.functions[at] == Body::Absent {
                self.functions[at] = Body::Declared;
                self.roles.functions.insert(function.name.to_string(), Role::Elsewhere);
            }
        }
    }

    /// What code that is made of it at `level` depends on. Names of what it does not mention, and
    /// places in the source, do not count.
    pub(super) fn identity(&self, summary: &Summary, level: Level) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut add = |tag: u8, name: &str, digests: [Option<Digest>; 3]| {
            bytes.push(tag);
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend(name.as_bytes());
            for digest in digests {
                bytes.push(u8::from(digest.is_some()));
                bytes.extend(digest.unwrap_or_default().0.to_le_bytes());
            }
        };
        add(level as u8, "", [Some(summary.module), Some(summary.indirections), summary.initialisers]);
        for (function, &body) in summary.functions.iter().zip(&self.functions) {
            if body != Body::Absent {
                let local = is_local(function);
                let slotless = !matches!(
                    self.roles.functions.get(&function.name[..]),
                    Some(Role::Elsewhere | Role::Shown { .. } | Role::Compiled { way: Way::Slot, .. })
                );
                let direct = matches!(
                    self.roles.functions.get(&function.name[..]),
                    Some(Role::Compiled { way: Way::Direct, .. })
                );
                let tag =
                    8 + body as u8 + 8 * u8::from(local) + 16 * u8::from(slotless) + 32 * u8::from(direct);
                add(tag, &function.name, [function.own, function.deep, None]);
            }
            if self.roles.lazy.contains(&function.name[..]) {
                add(65, &function.name, [function.own, None, None]);
            }
        }

        for (variable, _) in summary.variables.iter().zip(&self.variables).filter(|(_, included)| **included)
        {
            add(128, &variable.name, [Some(variable.declaration), variable.initialiser, None]);
        }
        bytes
    }

    /// The part itself.
    pub(super) fn slice(
        &self,
        summary: &Summary,
        by_name: &Names<Item>,
        reading: &Reading,
    ) -> Option<Vec<u8>> {
        let leads = |name: &str| {
            let alias = summary.aliases.iter().find(|alias| &*alias.name == name);
            alias.is_some_and(|alias| {
                let mut functions = alias.functions.iter().map(|&at| self.functions[at as usize]);
                let mut variables = alias.variables.iter().map(|&at| self.variables[at as usize]);
                functions.all(|body| body == Body::Wanted) && variables.all(|included| included)
            })
        };
        let keep = |kind: Definition, name: &str| match by_name.get(name) {
            _ if kind == Definition::Alias => leads(name),
            Some(&Item::Function(at)) => self.functions[at as usize] > Body::Declared,
            Some(&Item::Variable(at)) => self.variables[at as usize],
            None => false,
        };
        // Of what is compiled later the slice has to say of what types it is.
        let others = if self.roles.lazy.is_empty() { Others::AsNeeded } else { Others::All };
        bitcode::slice(reading, others, &keep).ok()
    }
}
