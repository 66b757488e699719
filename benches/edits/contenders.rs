//! All ways that are measured, by name.

use crate::ways::{self, Contender, Level, Program, Result, Way};
use crate::{lljit, mcjit};

/// Every way, hotslot first.
pub fn all() -> Vec<Contender> {
    ways::ALL.iter().copied().chain([lljit::CONTENDER, mcjit::CONTENDER]).collect()
}

/// The way with a name.
pub fn find(name: &str) -> Contender {
    let found = all().into_iter().find(|contender| contender.name == name);
    found.unwrap_or_else(|| panic!("no way is called {name}"))
}

/// Loads a program by the way with that name.
pub fn load(name: &str, program: &Program, level: Level) -> Result<Box<dyn Way>> {
    crate::llvm::initialise();
    (find(name).load)(program, level)
}

/// A level by its name.
pub fn level(name: &str) -> Level {
    let all = [Level::O0, Level::O1, Level::O2, Level::O3];
    all.into_iter().find(|level| level.name() == name).expect("O0 to O3")
}
