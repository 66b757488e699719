//! A summary from what was read of a module.
//!
//! Owns what depends on what: whose bodies the optimiser may look into, and what runs when a
//! module is loaded. What bodies cannot change is worked out once for all versions of a module
//! that differ in bodies only ([`Fixed`]).

use std::sync::Arc;

use parking_lot::Mutex;

use super::Understood;
use super::candidate::{is_inline_candidate, may_be_seen};
use super::components::Graph;
use super::contents::Contents;
use super::digest::{Content, Digest};
use super::file::{Reached, Seen};
use super::function::Body;
use super::globals::{Global, Kind, place};
use super::module::Module;
use super::summary::{Alias, Function, Placed, Summary, Variable, linkage_of};
use super::tables;
use super::uses::Uses;

/// What a module is outside of bodies.
pub(super) struct Fixed {
    /// To read a body with.
    pub tables: Mutex<(Module, Contents)>,
    /// For each global what its record and its initialiser refer to.
    leads: Graph,
    /// For each global its place among the functions or among the variables.
    places: Vec<u32>,
    /// What initialisers and aliases say of other globals.
    uses: Uses,
    /// For each global whether a variable has the address of a block of it.
    block_address_kept: Vec<bool>,
    /// For each global whether it is named as a function that is entered once; empty if none is.
    entered_once: Vec<bool>,
    /// For each global whether an alias or a list of LLVM's own leads to it.
    is_listed: Vec<bool>,
    variables: Arc<[Variable]>,
    aliases: Arc<[Alias]>,
    indirections: Digest,
}

/// Digests of all globals.
pub(super) struct Summed {
    own: Vec<Option<Digest>>,
    deep: Vec<Option<Digest>>,
}

/// Another version of the same module.
pub(super) struct Before<'b> {
    pub summary: &'b Summary,
    pub summed: &'b Summed,
    pub bodies: &'b [Option<Placed>],
    /// For each global whether it has the same body, or none as before.
    pub same: Vec<bool>,
}

impl Fixed {
    pub fn new(module: Module, contents: Contents, entered_once: &[String]) -> Understood<Self> {
        let count = contents.outline.globals.len();
        let (leads, places, variables, aliases) = Default::default();
        let (uses, block_address_kept, is_listed) =
            (Uses::new(count), vec![false; count], vec![false; count]);
        let indirections = Digest::default();
        let named = |global: &Global| entered_once.iter().any(|name| **name == *global.name);
        let entered_once = match entered_once {
            [] => Vec::new(),
            _ => contents.outline.globals.iter().map(named).collect(),
        };
        let tables = Mutex::new((module, contents));
        let mut fixed = Self {
            tables,
            leads,
            places,
            uses,
            block_address_kept,
            entered_once,
            is_listed,
            variables,
            aliases,
            indirections,
        };
        fixed.follow_constants()?;
        fixed.describe()?;
        Ok(fixed)
    }

    /// Notes what initialisers and aliases refer to.
    fn follow_constants(&mut self) -> Understood<()> {
        let (_, contents) = self.tables.get_mut();
        let mut seen = Seen::default();
        let (mut functions, mut variables) = (0, 0);
        let mut to = Vec::new();
        for global in &contents.outline.globals {
            let next = if global.is_function() { &mut functions } else { &mut variables };
            self.places.push(*next);
            *next += u32::from(matches!(global.kind, Kind::Function | Kind::Variable));
            if let Some(value) = global.initialiser().or(global.aliasee()) {
                seen.forget();
                contents.outline.reach(value, &mut seen, &mut |reached| {
                    match reached {
                        Reached::Global(other) => to.push(other as u32),
                        Reached::BlockOf(function) if !global.is_constant() => {
                            let kept = self.block_address_kept.get_mut(function as usize);
                            kept.into_iter().for_each(|kept| *kept = true);
                        }
                        Reached::BlockOf(..) => {}
                    }
                    self.uses.take(reached)
                })?;
            }
            if matches!(global.kind, Kind::Alias | Kind::Ifunc) || global.name.starts_with("llvm.") {
                to.iter().for_each(|&other| self.is_listed[other as usize] = true);
            }
            self.leads.push(to.drain(..));
        }
        Ok(())
    }

    /// Variables, and aliases and ifuncs.
    fn describe(&mut self) -> Understood<()> {
        let (_, contents) = &*self.tables.lock();
        let (mut variables, mut aliases) = (Vec::new(), Vec::new());
        let mut content = Content::default();
        for (index, global) in contents.outline.globals.iter().enumerate() {
            let (functions, others) = split(contents, &self.leads, &self.places, self.leads.of(index));
            let (name, linkage) = (global.name.clone(), linkage_of(global));
            match global.kind {
                Kind::Function => {}
                Kind::Variable => variables.push(Variable {
                    name,
                    linkage,
                    is_constant: global.is_constant(),
                    is_thread_local: global.op(place::variable::THREAD_LOCAL) != 0,
                    has_section: global.op(place::variable::SECTION) != 0,
                    declaration: contents.declared[index],
                    initialiser: global.initialiser().map(|value| contents.digest(value)).transpose()?,
                    table: tables::entries(&contents.outline, global)?,
                    functions,
                    variables: others,
                }),
                Kind::Alias | Kind::Ifunc => {
                    content.digest(contents.declared[index]);
                    content.number(self.leads.of(index).len() as u64);
                    for of in self.leads.of(index) {
                        content.bytes(contents.outline.globals[*of as usize].name.as_bytes());
                    }
                    let is_ifunc = global.kind == Kind::Ifunc;
                    aliases.push(Alias { name, linkage, is_ifunc, functions, variables: others });
                }
            }
        }
        self.indirections = content.finish();
        (self.variables, self.aliases) = (variables.into(), aliases.into());
        Ok(())
    }

    /// The summary of the module with `bodies`. Before is another version, most of which is taken
    /// over.
    pub fn sum(
        &self,
        bodies: &[Option<Placed>],
        before: Option<Before<'_>>,
    ) -> Understood<(Summary, Summed)> {
        let (module, contents) = &*self.tables.lock();
        let mut uses = self.uses.clone();
        let mut lost = false;
        for placed in bodies.iter().flatten() {
            match &placed.body {
                Some(body) => uses.add(body),
                None => lost = true,
            }
        }
        // Of a body that is not understood nobody knows what it uses.
        if lost {
            uses.address_taken.fill(true);
            uses.block_address_taken.fill(true);
        }
        let names = contents.outline.globals.iter().map(|global| &global.name[..]).collect();
        Summing { fixed: self, module, contents, uses, bodies, before, names }.finish()
    }
}

/// References as places among functions and variables; those to aliases lead on.
fn split(contents: &Contents, leads: &Graph, places: &[u32], references: &[u32]) -> (Arc<[u32]>, Arc<[u32]>) {
    let (mut functions, mut variables) = (Vec::new(), Vec::new());
    let mut left: Vec<u32> = references.iter().rev().copied().collect();
    // As many aliases as there are, in case one leads to itself.
    let mut aliases = contents.outline.globals.len();
    while let Some(index) = left.pop() {
        let (list, place) = match contents.outline.globals[index as usize].kind {
            Kind::Function => (&mut functions, places[index as usize]),
            Kind::Variable => (&mut variables, places[index as usize]),
            Kind::Alias | Kind::Ifunc => {
                if aliases > 0 {
                    aliases -= 1;
                    left.extend_from_slice(leads.of(index as usize));
                }
                continue;
            }
        };
        list.push(place);
    }
    (functions.into(), variables.into())
}

struct Summing<'s> {
    fixed: &'s Fixed,
    module: &'s Module,
    contents: &'s Contents,
    uses: Uses,
    /// For each global that is a function with a body, where it is and what it says.
    bodies: &'s [Option<Placed>],
    before: Option<Before<'s>>,
    names: Vec<&'s str>,
}

impl<'s> Summing<'s> {
    fn finish(self) -> Understood<(Summary, Summed)> {
        let globals = &self.contents.outline.globals;
        let mut described = Vec::with_capacity(globals.len());
        for (index, global) in globals.iter().enumerate() {
            described.push(if global.is_function() { Some(self.function(index, global)?) } else { None });
        }
        let mut stay = self.staying(&described);
        let own = self.own(&described, &stay);
        if let Some(before) = &self.before {
            let same = own.iter().zip(&before.summed.own).map(|(own, before)| own == before);
            stay.iter_mut().zip(same).for_each(|(stay, same)| *stay &= same);
        }
        let deep = self.deep(&described, &own, &stay);
        let functions = described.into_iter().enumerate().filter_map(|(index, function)| {
            let function = function?;
            let deep = deep[index].filter(|_| function.is_defined);
            Some(Function { own: own[index], deep, ..function })
        });
        let summary = Summary {
            functions: functions.collect(),
            variables: self.fixed.variables.clone(),
            aliases: self.fixed.aliases.clone(),
            module: self.module.whole,
            indirections: self.fixed.indirections,
            initialisers: self.initialisers(&own)?,
        };
        Ok((summary, Summed { own, deep }))
    }

    fn body(&self, index: usize) -> Option<&'s Body> {
        self.bodies[index].as_ref()?.body.as_deref()
    }

    /// What a function or a constant refers to.
    fn references(&self, index: usize) -> &'s [u32] {
        match self.body(index) {
            Some(body) => &body.references,
            None if Contents::leads_on(&self.contents.outline.globals[index]).is_some() => {
                self.fixed.leads.of(index)
            }
            None => &[],
        }
    }

    /// The function `index` of the version before.
    fn before(&self, index: usize) -> Option<(&'s Function, bool)> {
        let before = self.before.as_ref()?;
        Some((before.summary.functions.get(self.fixed.places[index] as usize)?, before.same[index]))
    }

    /// For each global whether its digests are made of the same as before, but for digests of
    /// others.
    fn staying(&self, described: &[Option<Function>]) -> Vec<bool> {
        let Some(before) = &self.before else { return vec![false; described.len()] };
        // What digests have in them of what their functions refer to.
        let flags = |f: &Function| (f.is_inline_candidate, f.is_called_once(), f.entered_once);
        let other = |(index, function): (usize, &Option<Function>)| {
            let known = |placed: &Option<Placed>| placed.as_ref().is_some_and(|p| p.body.is_some());
            known(&self.bodies[index]) != known(&before.bodies[index])
                || function.as_ref().is_some_and(|function| {
                    self.before(index).is_some_and(|(before, _)| flags(function) != flags(before))
                })
        };
        let others: Vec<bool> = described.iter().enumerate().map(other).collect();
        let any = others.contains(&true);
        let stays = |(index, same): (usize, &bool)| {
            let references = self.references(index);
            *same && !(any && (others[index] || references.iter().any(|of| others[*of as usize])))
        };
        before.same.iter().enumerate().map(stays).collect()
    }

    fn function(&self, index: usize, global: &Global) -> Understood<Function> {
        let body = self.body(index);
        let mut function = match self.before(index) {
            Some((before, true)) => before.clone(),
            _ => self.described(index, global)?,
        };
        function.address_taken = self.uses.address_taken[index];
        function.block_address_taken = self.uses.block_address_taken[index];
        function.direct_calls = self.uses.direct_calls[index];
        let named = self.fixed.entered_once.get(index);
        function.entered_once = named.is_some_and(|named| *named || self.uses.started[index]);
        function.is_inline_candidate = is_inline_candidate(&function) && body.is_some();
        Ok(function)
    }

    /// A function as far as others do not matter.
    fn described(&self, index: usize, global: &Global) -> Understood<Function> {
        let body = self.body(index);
        let references = body.map(|b| &b.references[..]).unwrap_or_default();
        let (functions, variables) = split(self.contents, &self.fixed.leads, &self.fixed.places, references);
        Ok(Function {
            name: global.name.clone(),
            linkage: linkage_of(global),
            is_defined: global.has_body(),
            own: None,
            deep: None,
            instructions: body.map_or(0, |b| b.instructions),
            functions,
            variables,
            address_taken: false,
            block_address_taken: false,
            block_address_kept: self.fixed.block_address_kept[index],
            direct_calls: 0,
            flags: self.module.attributes.get(global.op(place::function::ATTRIBUTES))?.1,
            has_prefix: global.op(place::function::PREFIX) != 0 || global.op(place::function::PROLOGUE) != 0,
            calls_returns_twice: body.is_some_and(|b| b.calls_returns_twice),
            entered_once: false,
            is_inline_candidate: false,
            is_hidden_in_constants: global.is_local()
                && !global.name.is_empty()
                && !self.fixed.is_listed[index],
        })
    }

    /// Digests of functions by themselves, and of what must be inlined into them.
    fn own(&self, described: &[Option<Function>], stay: &[bool]) -> Vec<Option<Digest>> {
        let mut graph = Graph::default();
        let function = |index: &u32| described[*index as usize].as_ref();
        let must = |i: &u32| function(i).is_some_and(|f| f.is_defined && f.flags.always_inline);
        for index in 0..described.len() {
            let references = self.body(index).map(|body| &body.references[..]).unwrap_or_default();
            graph.push(references.iter().copied().filter(must));
        }
        let own = |index: usize| {
            let (body, described) = (self.body(index)?, described[index].as_ref()?);
            let mut content = Content::default();
            content.digest(body.digest);
            let once = u64::from(described.entered_once) << 1;
            content.number(u64::from(described.is_inline_candidate) | once);
            let seen = |other: &&Function| !described.entered_once || other.flags.always_inline;
            for other in body.references.iter().filter_map(function).filter(seen) {
                content.number(u64::from(other.is_inline_candidate));
            }
            Some(content.finish())
        };
        graph.deep(&own, &self.names, self.before.as_ref().map(|before| (&before.summed.own[..], stay)))
    }

    /// Digests of functions with all that the optimiser may look into.
    fn deep(
        &self,
        described: &[Option<Function>],
        own: &[Option<Digest>],
        stay: &[bool],
    ) -> Vec<Option<Digest>> {
        let globals = &self.contents.outline.globals;
        let mut graph = Graph::default();
        // What is not understood may be looked into like anything else.
        let looked_into = |index: &u32| match &described[*index as usize] {
            Some(function) => {
                function.is_inline_candidate
                    || function.is_defined && function.flags.always_inline
                    || function.is_defined && self.body(*index as usize).is_none() && may_be_seen(function)
            }
            None => Contents::leads_on(&globals[*index as usize]).is_some(),
        };
        for (index, global) in globals.iter().enumerate() {
            let by_constant = global.kind == Kind::Variable;
            let hidden = |i: &u32| described[*i as usize].as_ref().is_some_and(|f| f.is_hidden_in_constants);
            let once = described[index].as_ref().is_some_and(|function| function.entered_once);
            let apart = |i: &u32| described[*i as usize].as_ref().is_some_and(|f| !f.flags.always_inline);
            let seen = |i: &u32| looked_into(i) && !(by_constant && hidden(i)) && !(once && apart(i));
            graph.push(self.references(index).iter().copied().filter(seen));
        }
        let content = |index: usize| {
            let Some(function) = &described[index] else {
                return Some(self.contents.referred[index]);
            };
            let mut content = Content::default();
            content.digest(own[index]?);
            if function.entered_once {
                return Some(content.finish());
            }
            // An internal one that is called nowhere else is copied even where it is large.
            for other in self.references(index).iter().filter_map(|other| described[*other as usize].as_ref())
            {
                let local = other.linkage.is_local();
                content.number(u64::from(local && other.is_inline_candidate && other.is_called_once()));
            }
            Some(content.finish())
        };
        graph.deep(&content, &self.names, self.before.as_ref().map(|before| (&before.summed.deep[..], stay)))
    }

    fn initialisers(&self, own: &[Option<Digest>]) -> Understood<Option<Digest>> {
        let globals = &self.contents.outline.globals;
        let mut content = Content::default();
        let mut left: Vec<u32> = Vec::new();
        for (index, global) in globals.iter().enumerate() {
            let runs = match &global.name[..] {
                "llvm.global_ctors" | "llvm.global_dtors" => true,
                "llvm.used" | "llvm.compiler.used" => false,
                _ => continue,
            };
            content.bytes(global.name.as_bytes());
            if let Some(value) = global.initialiser() {
                content.digest(self.contents.digest(value)?);
            }
            if runs {
                left.extend(self.fixed.leads.of(index).iter().rev());
            }
        }
        let mut met = vec![false; globals.len()];
        while let Some(index) = left.pop() {
            let index = index as usize;
            if std::mem::replace(&mut met[index], true) || !globals[index].has_body() {
                continue;
            }
            let (Some(body), Some(own)) = (self.body(index), own[index]) else {
                return Ok(None);
            };
            content.digest(own);
            let local = |i: &&u32| globals[**i as usize].is_function() && globals[**i as usize].is_local();
            left.extend(body.references.iter().rev().filter(local));
        }
        Ok(Some(content.finish()))
    }
}
