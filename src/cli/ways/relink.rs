//! The second way: with every edit, all modules are linked into one and that is compiled anew.
//!
//! Without optimisation across modules, the others are kept optimised and only the edited one
//! is optimised again. With it, nothing can be kept: everything is optimised together.

use std::sync::Arc;
use std::time::Instant;

use inkwell::context::Context;

use super::codegen::{self, Codegen, Symbols};
use super::loader::{Added, Library, Loader};
use super::start_files::{self, HANDLE};
use super::{Contender, Edit, Level, Module, Phase, Program, Result, Split, Trouble, Way, call, system};

const PRICE: &str = "state is lost, the host looks everything up again";

/// Modules are optimised each by itself.
pub const APART: Contender = Contender {
    name: "relink",
    what: "all modules linked into one with link_in_module, code generated for all of it",
    price: PRICE,
    load: |program, level| Ok(Box::new(Relink::load(program, level, false)?)),
    host: &[include_str!("relink.rs"), include_str!("codegen.rs"), include_str!("loader.rs")],
};

/// Modules are optimised together.
pub const TOGETHER: Contender = Contender {
    name: "relink-lto",
    what: "the same, and all of it optimised as one",
    price: PRICE,
    load: |program, level| Ok(Box::new(Relink::load(program, level, true)?)),
    host: APART.host,
};

struct Relink {
    codegen: Codegen,
    loader: Loader,
    library: Library,
    /// By module: as it came, or optimised by itself.
    modules: Vec<Module>,
    together: bool,
    live: Option<Added>,
    _system: system::Libraries,
}

impl Relink {
    fn load(program: &Program, level: Level, together: bool) -> Result<Self> {
        let system = system::Libraries::open(program)?;
        let codegen = Codegen::new(program.cpu.as_deref(), level)?;
        let mut loader = Loader::new()?;
        let library = loader.library()?;
        let mut this = Self {
            codegen,
            loader,
            library,
            modules: program.modules.clone(),
            together,
            live: None,
            _system: system,
        };
        if !together {
            for module in &mut this.modules {
                (*module, _) = optimised(&this.codegen, module, &mut Split::default())?;
            }
        }
        this.build(&mut Split::default(), None)?;
        Ok(this)
    }

    /// Puts a new build of everything in the place of the one before, and makes the edit's first
    /// call, if it is for an edit. What LLVM has to tidy then comes after that.
    fn build(&mut self, split: &mut Split, edit: Option<(&Edit, Instant)>) -> Result<()> {
        let context = Context::create();
        let whole = start_files::whole(&context)?;
        let mut merger = codegen::Merger::default();
        for module in &self.modules {
            let part =
                split.time(Phase::Parse, || codegen::parse(&context, &module.name, &module.bitcode))?;
            split.time(Phase::Merge, || merger.add(part))?;
        }
        split.time(Phase::Merge, || merger.finish(&whole))?;
        if self.together {
            split.time(Phase::Optimise, || self.codegen.optimise(&whole))?;
        }
        let constructors = start_files::name(&whole);
        let object = split.time(Phase::Code, || self.codegen.object(&whole))?;
        split.time(Phase::Link, || {
            if let Some(old) = self.live.take() {
                start_files::finish(self.loader.lookup(self.library, HANDLE)?);
                self.loader.remove(old)?;
            }
            self.live = Some(self.loader.add(self.library, object)?);
            // It is linked when something of it is wanted.
            self.loader.lookup(self.library, HANDLE)?;
            start_files::run(&self.loader, self.library, &constructors)
        })?;
        if let Some((edit, begun)) = edit {
            let address = split.time(Phase::Link, || self.loader.lookup(self.library, &edit.entry))?;
            split.answer = call::first(edit, address)?;
            split.total = begun.elapsed();
        }
        Ok(())
    }
}

impl Way for Relink {
    fn edit(&mut self, edit: &Edit) -> Result<Split> {
        let begun = Instant::now();
        let mut split = Split::default();
        let place = self.modules.get_mut(edit.module).ok_or_else(|| Trouble::failed("no such module"))?;
        *place = match self.together {
            true => edit.to.clone(),
            false => optimised(&self.codegen, &edit.to, &mut split)?.0,
        };
        self.build(&mut split, Some((edit, begun)))?;
        Ok(split)
    }

    fn address(&self, symbol: &str) -> Result<Option<usize>> {
        self.loader.lookup(self.library, symbol).map(Some)
    }
}

/// A module optimised by itself, to be linked with others later, and its symbols.
pub fn optimised(codegen: &Codegen, module: &Module, split: &mut Split) -> Result<(Module, Symbols)> {
    let context = Context::create();
    let parsed = split.time(Phase::Parse, || codegen::parse(&context, &module.name, &module.bitcode))?;
    let bitcode: Arc<[u8]> = split.time(Phase::Optimise, || {
        codegen.optimise(&parsed)?;
        Ok::<_, Trouble>(parsed.write_bitcode_to_memory().as_slice().into())
    })?;
    Ok((Module { bitcode, ..module.clone() }, Symbols::of(&parsed)))
}
