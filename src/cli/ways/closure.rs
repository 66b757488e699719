//! The third way: with every edit, the edited module and all that it depends on, directly or
//! through others, are linked from fresh copies into an execution module.
//!
//! A fresh copy is parsed again: LLVM's clone of a module breaks on computed gotos. The copies
//! are kept optimised, each by itself, so that only the edited module is optimised again.

use std::collections::HashMap;
use std::time::Instant;

use inkwell::context::Context;

use super::codegen::{self, Codegen, Symbols};
use super::loader::{Added, Library, Loader};
use super::relink::optimised;
use super::start_files::{self, HANDLE};
use super::{Contender, Edit, Level, Module, Phase, Program, Result, Split, Trouble, Way, call, system};

/// Clone and link.
pub const CONTENDER: Contender = Contender {
    name: "closure",
    what: "the edited module and its dependencies linked into a new module with link_in_module",
    price: "the new code starts with state of its own, callers elsewhere keep the old code",
    load: |program, level| Ok(Box::new(Closure::load(program, level)?)),
    host: &[include_str!("closure.rs"), include_str!("codegen.rs"), include_str!("loader.rs")],
};

struct Closure {
    codegen: Codegen,
    loader: Loader,
    /// By module: optimised by itself.
    modules: Vec<Module>,
    symbols: Vec<Symbols>,
    /// The newest execution module of each module that was edited.
    live: HashMap<usize, (Library, Option<Added>)>,
    /// The execution module of the newest edit, and that of the program as it started.
    newest: Option<Library>,
    start: Library,
    _system: system::Libraries,
}

impl Closure {
    fn load(program: &Program, level: Level) -> Result<Self> {
        let system = system::Libraries::open(program)?;
        let codegen = Codegen::new(program.cpu.as_deref(), level)?;
        let mut loader = Loader::new()?;
        let start = loader.library()?;
        let mut this = Self {
            codegen,
            loader,
            modules: Vec::new(),
            symbols: Vec::new(),
            live: HashMap::new(),
            newest: None,
            start,
            _system: system,
        };
        for module in &program.modules {
            let (module, symbols) = optimised(&this.codegen, module, &mut Split::default())?;
            this.symbols.push(symbols);
            this.modules.push(module);
        }
        // The program as it starts is one execution module of everything.
        let all: Vec<usize> = (0..this.modules.len()).collect();
        let _stays = this.build(&all, start, &mut Split::default(), None)?;
        Ok(this)
    }

    /// The module and all that it depends on.
    fn closure(&self, start: usize) -> Vec<usize> {
        let mut owner: HashMap<&[u8], usize> = HashMap::new();
        for (index, symbols) in self.symbols.iter().enumerate() {
            for name in &symbols.defined {
                owner.entry(name).or_insert(index);
            }
        }
        let mut seen = vec![false; self.symbols.len()];
        let mut found = vec![start];
        seen[start] = true;
        let mut next = 0;
        while let Some(&index) = found.get(next) {
            next += 1;
            let wanted = self.symbols[index].wanted.iter();
            for other in wanted.filter_map(|name| owner.get(name.as_slice()).copied()) {
                if !std::mem::replace(&mut seen[other], true) {
                    found.push(other);
                }
            }
        }
        found
    }

    /// Links modules into one, generates its code, loads it, and makes the edit's first call, if
    /// it is for an edit. What LLVM has to tidy then comes after that.
    fn build(
        &self,
        which: &[usize],
        library: Library,
        split: &mut Split,
        edit: Option<(&Edit, Instant)>,
    ) -> Result<Added> {
        let context = Context::create();
        let whole = start_files::whole(&context)?;
        let mut merger = codegen::Merger::default();
        for module in which.iter().map(|&index| &self.modules[index]) {
            let part =
                split.time(Phase::Parse, || codegen::parse(&context, &module.name, &module.bitcode))?;
            split.time(Phase::Merge, || merger.add(part))?;
        }
        split.time(Phase::Merge, || merger.finish(&whole))?;
        let constructors = start_files::name(&whole);
        let object = split.time(Phase::Code, || self.codegen.object(&whole))?;
        let added = split.time(Phase::Link, || {
            let added = self.loader.add(library, object)?;
            // It is linked when something of it is wanted.
            self.loader.lookup(library, HANDLE)?;
            start_files::run(&self.loader, library, &constructors)?;
            Ok::<_, Trouble>(added)
        })?;
        if let Some((edit, begun)) = edit {
            let address = split.time(Phase::Link, || self.loader.lookup(library, &edit.entry))?;
            split.answer = call::first(edit, address)?;
            split.total = begun.elapsed();
        }
        Ok(added)
    }
}

impl Way for Closure {
    fn edit(&mut self, edit: &Edit) -> Result<Split> {
        let begun = Instant::now();
        let mut split = Split::default();
        let at = edit.module;
        if at >= self.modules.len() {
            return Err(Trouble::failed("no such module"));
        }
        (self.modules[at], self.symbols[at]) = optimised(&self.codegen, &edit.to, &mut split)?;
        let which = split.time(Phase::Merge, || self.closure(at));
        let (library, old) = match self.live.remove(&at) {
            Some(live) => live,
            None => (self.loader.library()?, None),
        };
        // Nobody else links to the execution module before this one.
        split.time(Phase::Link, || {
            let Some(old) = old else { return Ok(()) };
            start_files::finish(self.loader.lookup(library, HANDLE)?);
            self.loader.remove(old)
        })?;
        let added = self.build(&which, library, &mut split, Some((edit, begun)))?;
        self.live.insert(at, (library, Some(added)));
        self.newest = Some(library);
        Ok(split)
    }

    fn address(&self, symbol: &str) -> Result<Option<usize>> {
        let newest = self.newest.map(|library| self.loader.lookup(library, symbol));
        match newest {
            Some(Ok(address)) => Ok(Some(address)),
            // Not in the closure of the newest edit.
            _ => self.loader.lookup(self.start, symbol).map(Some),
        }
    }
}
