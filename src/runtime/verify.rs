//! Checking that code which was not compiled again would be the same.
//!
//! For those who develop hotslot: before a patch is linked, its module is compiled whole, and what
//! each function does that the patch leaves as it is, is compared with what its live code does.
//! Owns that comparison, also with what comes of the function when it is compiled alone. What "the same" means is the link stage's: equal bytes, and relocations
//! that lead to the same names and constants.

use std::collections::HashMap;

use super::Inner;
use super::forks::passing;
use super::state::{Base, State};
use crate::compile::{self, Level, Patch, Source, Staying};
use crate::error::{Error, ErrorKind, Result};
use crate::link::{self, Functions};
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
            // The newest body of one without a slot. Whoever was told of its address when that was
            // taken is led elsewhere if that is not any more.
            let newest = |functions: &Functions| {
                let alone = symbol.is_local().then(|| functions.hash_of_local(symbol.plain_name()));
                functions.hash_at(at).or(alone.flatten())
            };
            if let Some(hash) = module.current.images().find_map(|image| newest(&image.functions)) {
                hashes.insert((symbol.plain_name().into(), symbol.is_local()), hash);
            }
        }
        Some(hashes)
    }
}

/// What the code would be that is made of a function alone.
fn alone(
    inner: &Inner,
    bitcode: &Source,
    patch: &Patch,
    base: &Base,
    staying: &Staying<'_>,
) -> Result<Vec<(String, u64)>> {
    let again = compile::again(&patch.known, staying.name, &base.provides(), staying.level);
    let slice = again.and_then(|again| Some((again.slice(bitcode)?, again)));
    let Some((slice, again)) = slice else { return Ok(Vec::new()) };
    let compiled = passing(|| compile::compile_patch(&slice, &inner.compile, staying.level, &again))?;
    link::function_hashes(&compiled.object, compiled.interface.labels_stay)
}

/// Refuses `patch`, for the generation of `module` that is called `serial`, if code that it leaves
/// would be another one when the whole of `bitcode` were compiled.
pub(super) fn check(inner: &Inner, module: &str, bitcode: &Source, patch: &Patch, serial: u64) -> Result<()> {
    let (live, base) = {
        let state = inner.state.lock();
        (state.live_functions(module, serial), state.base(module))
    };
    let Some((live, base)) = live.zip(base) else { return Ok(()) };
    let mut different = Vec::new();
    for level in [Level::Fast, Level::Optimised] {
        let mut staying = patch.staying().filter(|staying| staying.level == level).peekable();
        if staying.peek().is_none() {
            continue;
        }
        let compiled = passing(|| compile::compile_at(bitcode, &inner.compile, level, &patch.known))?;
        let whole = link::function_hashes(&compiled.object, compiled.interface.labels_stay)?;
        for staying in staying {
            let live = live.get(&(staying.name.into(), staying.local));
            let Some(live) = live else { continue };
            let in_it = |all: &[(String, u64)]| {
                all.iter().find(|(name, _)| *name == staying.name).map(|&(_, hash)| hash)
            };
            // With less beside it to look at the optimiser may come to other code that does the same.
            let differs = in_it(&whole).is_some_and(|found| found != *live);
            if differs && in_it(&alone(inner, bitcode, patch, &base, &staying)?) != Some(*live) {
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
