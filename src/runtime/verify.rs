//! Checking that code which was not compiled again would be the same.
//!
//! For those who develop hotslot: before a patch is linked, its module is compiled whole, and what
//! each function does that the patch leaves as it is, is compared with what its live code does.
//! Owns that comparison. What "the same" means is the link stage's: equal bytes, and relocations
//! that lead to the same names and constants.

use std::collections::HashMap;

use super::Inner;
use super::forks::passing;
use super::state::State;
use crate::compile::{self, Level, Patch, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::link;
use crate::table::{Owner, Provider, Rank, Target};

/// By name, and whether only the module knows it.
type Hashes = HashMap<(Box<str>, bool), u64, foldhash::fast::RandomState>;

impl State {
    /// What the live code of the functions of module `name` does that have a slot; nothing if the
    /// module is not the one that is called `serial`.
    fn live_functions(&self, name: &str, serial: u64) -> Option<Hashes> {
        let id = self.module_id(name)?;
        let module = self.module(id).filter(|module| module.current.serial() == serial)?;
        let mut hashes = Hashes::default();
        for &symbol in &module.current.defined {
            let symbol = self.symbols.get(symbol);
            let own = |p: &&Provider| p.owner == Owner::Module(id) && p.rank > Rank::Retired;
            let Some(Target::Function(at)) = symbol.providers.iter().find(own).map(|p| p.target) else {
                continue;
            };
            if let Some(hash) = module.current.images().find_map(|image| image.functions.hash_at(at)) {
                hashes.insert((symbol.plain_name().into(), symbol.is_local()), hash);
            }
        }
        Some(hashes)
    }
}

/// Refuses `patch`, for the generation of `module` that is called `serial`, if code that it leaves
/// would be another one when the whole of `bitcode` were compiled.
pub(super) fn check(inner: &Inner, module: &str, bitcode: &Source, patch: &Patch, serial: u64) -> Result<()> {
    let Some(live) = inner.state.lock().live_functions(module, serial) else { return Ok(()) };
    let mut different = Vec::new();
    for level in [Level::Fast, Level::Optimised] {
        let mut staying = patch.staying().filter(|staying| staying.level == level).peekable();
        if staying.peek().is_none() {
            continue;
        }
        let compiled = passing(|| compile::compile_at(bitcode, &inner.compile, level))?;
        let whole = link::function_hashes(&compiled.object, compiled.interface.labels_stay)?;
        for staying in staying {
            let live = live.get(&(staying.name.into(), staying.local));
            let found = whole.iter().find(|(name, ..)| *name == staying.name).map(|(_, hash)| hash);
            if live.zip(found).is_some_and(|(live, found)| live != found) {
                different.push(format!("{} ({level:?})", staying.name));
            }
        }
    }
    if different.is_empty() {
        return Ok(());
    }
    let text = format!("code that was not compiled again would be another one: {}", different.join(", "));
    Err(Error::new(ErrorKind::Compile, text).in_module(module).hint("this is a defect of hotslot: report it"))
}
