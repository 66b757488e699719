//! The first way: hotslot. Each module is one of its modules, an edit replaces it.
//!
//! In two modes: the library's own, in which changed functions go live without optimisation and
//! are optimised in the background, and one in which they go live optimised, as all other ways do.

use std::time::Instant;

use hotslot::{OptLevel, Runtime, Source, Times};

use super::{Contender, Edit, Level, Module, Phase, Program, Result, Split, Trouble, Way, call};

/// hotslot as it is by default.
pub const TIERED: Contender = Contender {
    name: "hotslot",
    what: "only what changed is compiled, at O0 first and optimised in the background",
    price: "state is kept, every caller and stored pointer has the new code",
    load: |program, level| Ok(Box::new(Hotslot::load(program, level, true)?)),
    host: &[include_str!("hotslot.rs")],
};

/// hotslot without unoptimised code in between: at the same level as the others from the start.
pub const FULL: Contender = Contender {
    name: "hotslot-full",
    what: "only what changed is compiled, at the full level at once",
    price: "the same; the first new call comes later and is of optimised code",
    load: |program, level| Ok(Box::new(Hotslot::load(program, level, false)?)),
    ..TIERED
};

/// A runtime with the program in it.
pub struct Hotslot {
    runtime: Runtime,
}

/// What the driver of a compiler links with unasked, where the system has it.
const USUAL: &[&str] = &["stdc++", "m", "gcc_s", "c"];

impl Hotslot {
    /// Loads every module in one update.
    pub fn load(program: &Program, level: Level, tiered: bool) -> Result<Self> {
        let mut builder = Runtime::builder().process_symbols(false).check_declarations(false).tiered(tiered);
        builder = builder.opt_level(match level {
            Level::O0 => OptLevel::O0,
            Level::O1 => OptLevel::O1,
            Level::O2 => OptLevel::O2,
            Level::O3 => OptLevel::O3,
        });
        if let Some(cpu) = &program.cpu {
            builder = builder.cpu(cpu);
        }
        let runtime = builder.build()?;
        let mut update = runtime.update();
        for module in &program.modules {
            update.load(&module.name, source(module));
        }
        for name in &program.libraries {
            update.library(name, &program.library_dirs)?;
        }
        for name in USUAL {
            // What is really needed is missed below.
            let _ = update.library(name, &[]);
        }
        update.strict().prepare()?.commit()?;
        Ok(Self { runtime })
    }
}

impl Way for Hotslot {
    fn edit(&mut self, edit: &Edit) -> Result<Split> {
        let begun = Instant::now();
        let report = self.runtime.replace(&edit.to.name, source(&edit.to))?;
        let address = self.runtime.address_of(&edit.entry)?;
        let answer = call::first(edit, address.addr())?;
        Ok(Split { phases: phases(&report.times), total: begun.elapsed(), answer })
    }

    fn settle(&mut self) {
        self.runtime.settle();
    }

    fn address(&self, symbol: &str) -> Result<Option<usize>> {
        Ok(Some(self.runtime.address_of(symbol)?.addr()))
    }
}

fn source(module: &Module) -> Source {
    // As from one's own clang: compiled in this process, as the other ways do.
    Source::bitcode(&*module.bitcode).trusted().label(&module.name)
}

fn phases(times: &Times) -> Vec<(Phase, std::time::Duration)> {
    vec![
        (Phase::Parse, times.parse),
        (Phase::Optimise, times.optimise),
        (Phase::Code, times.codegen),
        (Phase::Link, times.link),
        (Phase::Publish, times.publish),
    ]
}

impl From<hotslot::Error> for Trouble {
    fn from(error: hotslot::Error) -> Self {
        Self::failed(error)
    }
}
