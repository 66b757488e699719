//! What the code of each function of a module can depend on, as digests.
//!
//! Two modules whose digests of a function are equal give the same code for it, whatever else
//! has changed: names, positions in the source and the numbers that everything else shifts do
//! not count. Owns what depends on what: whose bodies the optimiser may look into, and what runs
//! when a module is loaded.
//!
//! This holds if code generation keeps three things from the optimiser: bodies of functions that
//! are no inline candidates, which static functions constants name, and initialisers of variables
//! that may be written. Positions in the source do not count, so debug information can be that of an
//! earlier place.

use super::Understood;
use super::attributes::Flags;
use super::candidate::{is_inline_candidate, may_be_seen};
use super::components::Graph;
use super::contents::Contents;
use super::digest::{Content, Digest};
use super::file::{File, Reached, Seen};
use super::function::{Body, Uses, Walker};
use super::globals::{Global, Kind, linkage, place};
use super::module::Module;

/// Linkage of a function or variable, as in IR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linkage {
    External,
    AvailableExternally,
    LinkOnce,
    LinkOnceOdr,
    Weak,
    WeakOdr,
    Appending,
    Internal,
    Private,
    ExternWeak,
    Common,
}

/// A module as far as code depends on it.
#[derive(Debug)]
pub(crate) struct Summary {
    /// What all code depends on: target, assembly, flags.
    pub module: Digest,
    /// Aliases and ifuncs.
    pub indirections: Digest,
    /// What runs on loading and unloading: the lists of constructors and destructors, the
    /// functions they name, and internal functions that those refer to; and what is marked as
    /// used. `None` when one of the functions is not understood.
    pub initialisers: Option<Digest>,
    pub functions: Vec<Function>,
    pub variables: Vec<Variable>,
    pub aliases: Vec<Alias>,
}

/// An alias or an ifunc.
#[derive(Debug)]
pub(crate) struct Alias {
    pub name: String,
    pub linkage: Linkage,
    pub is_ifunc: bool,
    /// What it leads to: places in [`Summary::functions`] and [`Summary::variables`].
    pub functions: Vec<u32>,
    pub variables: Vec<u32>,
}

/// A function of a module, defined or declared.
#[derive(Debug)]
pub(crate) struct Function {
    pub name: String,
    pub linkage: Linkage,
    pub is_defined: bool,
    /// The function by itself, with what must be inlined into it. `None` for a declaration, and
    /// for a body that is not understood, which counts as changed.
    pub own: Option<Digest>,
    /// The same and all that the optimiser may look into from it.
    pub deep: Option<Digest>,
    pub instructions: u32,
    /// What it refers to: places in [`Summary::functions`] and [`Summary::variables`].
    pub functions: Vec<u32>,
    pub variables: Vec<u32>,
    /// Used other than as what a call calls.
    pub address_taken: bool,
    /// Someone has the address of a block of it.
    #[allow(dead_code, reason = "for tests")]
    pub block_address_taken: bool,
    /// And that is in a variable that may be written.
    pub block_address_kept: bool,
    pub direct_calls: u32,
    pub flags: Flags,
    /// There is data before its entry.
    pub has_prefix: bool,
    /// It calls a function that returns twice.
    #[allow(dead_code, reason = "for tests")]
    pub calls_returns_twice: bool,
    /// See [`is_inline_candidate`].
    pub is_inline_candidate: bool,
    /// The optimiser does not look into it by what constants name.
    pub is_hidden_in_constants: bool,
}

/// A variable of a module, defined or declared.
#[derive(Debug)]
pub(crate) struct Variable {
    pub name: String,
    pub linkage: Linkage,
    pub is_constant: bool,
    pub is_thread_local: bool,
    /// It asks for a section by name, which others may be in.
    pub has_section: bool,
    /// All but the initialiser.
    pub declaration: Digest,
    /// `None` for a declaration.
    pub initialiser: Option<Digest>,
    /// What its initialiser refers to.
    pub functions: Vec<u32>,
    pub variables: Vec<u32>,
}

/// Reads bitcode and digests what its code depends on.
pub(crate) fn summarise(bitcode: &[u8]) -> Understood<Summary> {
    let file = File::read(bitcode)?;
    let (mut module, outline) = Module::read(&file)?;
    let mut contents =
        Contents::new(outline, &module.attributes, &module.names, &module.metadata, file.strtab)?;
    let count = contents.outline.globals.len();
    let mut uses = Uses::new(count);
    let mut bodies: Vec<Option<Body>> = Vec::with_capacity(count);
    let mut walker = Walker::new(&mut module, &mut contents, &mut uses);
    for index in 0..count {
        let body = walker.contents.outline.bodies[index];
        bodies.push(body.and_then(|body| walker.read(index, &body).ok()));
    }
    let (block_address_kept, is_listed) = (vec![false; count], vec![false; count]);
    let (leads, places) = Default::default();
    let mut summing =
        Summing { module, contents, uses, bodies, leads, places, block_address_kept, is_listed };
    summing.follow_constants()?;
    summing.finish()
}

/// For each global whether it is a function with a block whose address one of the `wanted`
/// bodies uses.
pub(super) fn blocks_used_by(file: &File<'_>, wanted: impl Fn(usize) -> bool) -> Understood<Vec<bool>> {
    let (mut module, outline) = Module::read(file)?;
    let mut contents =
        Contents::new(outline, &module.attributes, &module.names, &module.metadata, file.strtab)?;
    let count = contents.outline.globals.len();
    let mut uses = Uses::new(count);
    let mut walker = Walker::new(&mut module, &mut contents, &mut uses);
    for index in (0..count).filter(|index| wanted(*index)) {
        if let Some(body) = walker.contents.outline.bodies[index] {
            walker.read(index, &body)?;
        }
    }
    Ok(uses.block_address_taken)
}

struct Summing<'a> {
    module: Module<'a>,
    contents: Contents<'a>,
    uses: Uses,
    /// For each global that is a function with a body, what was understood of it.
    bodies: Vec<Option<Body>>,
    /// For each global what its record and its initialiser refer to.
    leads: Graph,
    /// For each global its place among the functions or among the variables.
    places: Vec<u32>,
    /// For each global whether a variable has the address of a block of it.
    block_address_kept: Vec<bool>,
    /// For each global whether an alias or a list of LLVM's own leads to it.
    is_listed: Vec<bool>,
}

impl Summing<'_> {
    /// Notes what initialisers and aliases refer to.
    fn follow_constants(&mut self) -> Understood<()> {
        let mut seen = Seen::default();
        let (mut functions, mut variables) = (0, 0);
        for global in &self.contents.outline.globals {
            let next = if global.is_function() { &mut functions } else { &mut variables };
            self.places.push(*next);
            *next += u32::from(matches!(global.kind, Kind::Function | Kind::Variable));
            let mut to = Vec::new();
            if let Some(value) = global.initialiser().or(global.aliasee()) {
                seen.forget();
                self.contents.outline.reach(value, &mut seen, &mut |reached| {
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
            self.leads.push(to);
        }
        // Of a body that is not understood nobody knows what it uses.
        let lost = |(body, at): (&Option<Body>, &Option<_>)| body.is_none() && at.is_some();
        if self.bodies.iter().zip(&self.contents.outline.bodies).any(lost) {
            self.uses.address_taken.fill(true);
            self.uses.block_address_taken.fill(true);
        }
        Ok(())
    }

    fn finish(self) -> Understood<Summary> {
        let globals = &self.contents.outline.globals;
        let mut described = Vec::with_capacity(globals.len());
        for (index, global) in globals.iter().enumerate() {
            described.push(if global.is_function() { Some(self.function(index, global)?) } else { None });
        }
        let own = self.own(&described);
        let deep = self.deep(&described, &own);
        let mut functions = Vec::with_capacity(globals.len());
        let mut variables = Vec::new();
        for (index, function) in described.into_iter().enumerate() {
            match function {
                Some(function) => {
                    let deep = deep[index].filter(|_| function.is_defined);
                    functions.push(Function { own: own[index], deep, ..function });
                }
                None if globals[index].kind == Kind::Variable => variables.push(self.variable(index)?),
                None => {}
            }
        }
        let aliases = globals.iter().enumerate().filter(|(_, g)| matches!(g.kind, Kind::Alias | Kind::Ifunc));
        let aliases = aliases.map(|(index, global)| {
            let (functions, variables) = self.split(self.leads.of(index));
            let (name, is_ifunc) = (global.name.to_owned(), global.kind == Kind::Ifunc);
            Alias { name, linkage: linkage_of(global), is_ifunc, functions, variables }
        });
        Ok(Summary {
            aliases: aliases.collect(),
            module: self.module.whole,
            indirections: self.indirections(),
            initialisers: self.initialisers(&own)?,
            functions,
            variables,
        })
    }

    fn function(&self, index: usize, global: &Global<'_>) -> Understood<Function> {
        let body = self.bodies[index].as_ref();
        let (functions, variables) = self.split(body.map(|b| &b.references[..]).unwrap_or_default());
        let mut function = Function {
            name: global.name.to_owned(),
            linkage: linkage_of(global),
            is_defined: global.has_body(),
            own: None,
            deep: None,
            instructions: body.map_or(0, |b| b.instructions),
            functions,
            variables,
            address_taken: self.uses.address_taken[index],
            block_address_taken: self.uses.block_address_taken[index],
            block_address_kept: self.block_address_kept[index],
            direct_calls: self.uses.direct_calls[index],
            flags: self.module.attributes.get(global.op(place::function::ATTRIBUTES))?.1,
            has_prefix: global.op(place::function::PREFIX) != 0 || global.op(place::function::PROLOGUE) != 0,
            calls_returns_twice: body.is_some_and(|b| b.calls_returns_twice),
            is_inline_candidate: false,
            is_hidden_in_constants: global.is_local() && !global.name.is_empty() && !self.is_listed[index],
        };
        function.is_inline_candidate = is_inline_candidate(&function) && body.is_some();
        Ok(function)
    }

    fn variable(&self, index: usize) -> Understood<Variable> {
        let global = &self.contents.outline.globals[index];
        let (functions, variables) = self.split(self.leads.of(index));
        Ok(Variable {
            name: global.name.to_owned(),
            linkage: linkage_of(global),
            is_constant: global.is_constant(),
            is_thread_local: global.op(place::variable::THREAD_LOCAL) != 0,
            has_section: global.op(place::variable::SECTION) != 0,
            declaration: self.contents.declared[index],
            initialiser: global.initialiser().map(|value| self.contents.digest(value)).transpose()?,
            functions,
            variables,
        })
    }

    /// References as places among functions and variables; those to aliases lead on.
    fn split(&self, references: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let (mut functions, mut variables) = (Vec::new(), Vec::new());
        let mut left: Vec<u32> = references.iter().rev().copied().collect();
        // As many aliases as there are, in case one leads to itself.
        let mut aliases = self.contents.outline.globals.len();
        while let Some(index) = left.pop() {
            let (list, place) = match self.contents.outline.globals[index as usize].kind {
                Kind::Function => (&mut functions, self.places[index as usize]),
                Kind::Variable => (&mut variables, self.places[index as usize]),
                Kind::Alias | Kind::Ifunc => {
                    if aliases > 0 {
                        aliases -= 1;
                        left.extend_from_slice(self.leads.of(index as usize));
                    }
                    continue;
                }
            };
            list.push(place);
        }
        (functions, variables)
    }

    fn names(&self) -> Vec<&str> {
        self.contents.outline.globals.iter().map(|global| global.name).collect()
    }

    /// Digests of functions by themselves, and of what must be inlined into them.
    fn own(&self, described: &[Option<Function>]) -> Vec<Option<Digest>> {
        let mut content = Content::default();
        let mut graph = Graph::default();
        let mut own = Vec::with_capacity(described.len());
        let function = |index: &u32| described[*index as usize].as_ref();
        for (body, described) in self.bodies.iter().zip(described) {
            let (Some(body), Some(described)) = (body, described) else {
                graph.push([]);
                own.push(None);
                continue;
            };
            content.digest(body.digest);
            content.number(u64::from(described.is_inline_candidate));
            for other in body.references.iter().filter_map(function) {
                content.number(u64::from(other.is_inline_candidate));
            }
            own.push(Some(content.finish()));
            let must = |i: &u32| function(i).is_some_and(|f| f.is_defined && f.flags.always_inline);
            graph.push(body.references.iter().copied().filter(must));
        }
        graph.deep(&own, &self.names())
    }

    /// Digests of functions with all that the optimiser may look into.
    fn deep(&self, described: &[Option<Function>], own: &[Option<Digest>]) -> Vec<Option<Digest>> {
        let globals = &self.contents.outline.globals;
        let mut graph = Graph::default();
        let mut contents = Vec::with_capacity(own.len());
        let mut content = Content::default();
        // What is not understood may be looked into like anything else.
        let looked_into = |index: &u32| match &described[*index as usize] {
            Some(function) => {
                function.is_inline_candidate
                    || function.is_defined && function.flags.always_inline
                    || function.is_defined && self.bodies[*index as usize].is_none() && may_be_seen(function)
            }
            None => Contents::leads_on(&globals[*index as usize]).is_some(),
        };
        for index in 0..own.len() {
            let references = match &self.bodies[index] {
                Some(body) => &body.references[..],
                None if Contents::leads_on(&globals[index]).is_some() => self.leads.of(index),
                None => &[],
            };
            let by_constant = globals[index].kind == Kind::Variable;
            let hidden = |i: &u32| described[*i as usize].as_ref().is_some_and(|f| f.is_hidden_in_constants);
            graph.push(references.iter().copied().filter(|i| looked_into(i) && !(by_constant && hidden(i))));
            if described[index].is_none() {
                contents.push(Some(self.contents.referred[index]));
                continue;
            }
            contents.push(own[index].map(|own| {
                content.digest(own);
                // An internal one that is called nowhere else is copied even where it is large.
                for other in references.iter().filter_map(|other| described[*other as usize].as_ref()) {
                    let local = matches!(other.linkage, Linkage::Internal | Linkage::Private);
                    content.number(u64::from(local && other.is_inline_candidate && other.is_called_once()));
                }
                content.finish()
            }));
        }
        graph.deep(&contents, &self.names())
    }

    fn indirections(&self) -> Digest {
        let mut content = Content::default();
        for (index, global) in self.contents.outline.globals.iter().enumerate() {
            if matches!(global.kind, Kind::Alias | Kind::Ifunc) {
                content.digest(self.contents.declared[index]);
                content.number(self.leads.of(index).len() as u64);
                for of in self.leads.of(index) {
                    content.bytes(self.contents.outline.globals[*of as usize].name.as_bytes());
                }
            }
        }
        content.finish()
    }

    fn initialisers(&self, own: &[Option<Digest>]) -> Understood<Option<Digest>> {
        let globals = &self.contents.outline.globals;
        let mut content = Content::default();
        let mut left: Vec<u32> = Vec::new();
        for (index, global) in globals.iter().enumerate() {
            let runs = match global.name {
                "llvm.global_ctors" | "llvm.global_dtors" => true,
                "llvm.used" | "llvm.compiler.used" => false,
                _ => continue,
            };
            content.bytes(global.name.as_bytes());
            if let Some(value) = global.initialiser() {
                content.digest(self.contents.digest(value)?);
            }
            if runs {
                left.extend(self.leads.of(index).iter().rev());
            }
        }
        let mut met = vec![false; globals.len()];
        while let Some(index) = left.pop() {
            let index = index as usize;
            if std::mem::replace(&mut met[index], true) || !globals[index].has_body() {
                continue;
            }
            let (Some(body), Some(own)) = (&self.bodies[index], own[index]) else {
                return Ok(None);
            };
            content.digest(own);
            let local = |i: &&u32| globals[**i as usize].is_function() && globals[**i as usize].is_local();
            left.extend(body.references.iter().rev().filter(local));
        }
        Ok(Some(content.finish()))
    }
}

fn linkage_of(global: &Global<'_>) -> Linkage {
    match global.linkage() {
        linkage::APPENDING => Linkage::Appending,
        linkage::INTERNAL => Linkage::Internal,
        linkage::EXTERN_WEAK => Linkage::ExternWeak,
        linkage::COMMON => Linkage::Common,
        linkage::PRIVATE => Linkage::Private,
        linkage::AVAILABLE_EXTERNALLY => Linkage::AvailableExternally,
        linkage::WEAK => Linkage::Weak,
        linkage::WEAK_ODR => Linkage::WeakOdr,
        linkage::LINKONCE => Linkage::LinkOnce,
        linkage::LINKONCE_ODR => Linkage::LinkOnceOdr,
        _ => Linkage::External,
    }
}
