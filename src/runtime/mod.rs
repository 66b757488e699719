//! The runtime façade: modules in, functions out.
//!
//! [`builder`] has the settings, [`state`] what is known. The life of an update: [`update`]
//! is what the host asks for, [`transaction`] the order of the phases; [`archives`] and
//! [`units`] make objects of it, [`prepare`] links them and checks everything, with the table
//! as it will be in [`view`]; [`commit`] makes it so. Versions of a module are in
//! [`generation`] and [`history`], their end in [`retire`]. [`function`] is the typed way in.
//! Everything below this module does one thing and knows nothing of the others.

mod anonymous;
mod archives;
mod builder;
mod commit;
mod describe;
mod entry;
mod escaped;
mod faulted;
mod first_calls;
mod fitting;
mod forks;
mod function;
mod generation;
mod guarded;
mod history;
mod host;
mod lazy;
mod loose_ends;
mod make;
mod missing;
mod patch;
mod prepare;
mod report;
mod resolve;
mod retire;
mod signature_gate;
mod staging;
mod state;
mod stats;
mod stored;
mod symbols;
#[cfg(test)]
mod tests;
mod thunks;
mod tiers;
mod transaction;
mod undo;
mod units;
mod update;
mod upgrade;
mod variables;
mod verify;
mod view;
mod virtual_tables;

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64};
use std::time::Duration;

pub use anonymous::Anonymous;
pub use builder::Builder;
pub use fitting::Migrated;
pub use function::{AbiType, Function, Signature};
pub use guarded::Guarded;
pub use history::Generation;
pub use report::{ModuleReport, Report, Shadowed, StaleReader, Times, TypesFrom, Undefined};
pub use retire::{Holder, Pending, Reclaimed};
pub use stats::{Stats, Totals};
pub use symbols::{Origin, Symbol, SymbolKind};
pub use transaction::PreparedUpdate;
pub use update::Update;

use crate::builtins;
use crate::cache::Cache;
use crate::compile::{CompileOptions, Level, Source, callable_as};
use crate::error::{Error, ErrorKind, Result};
use crate::faults;
use crate::memory::{Arena, Block};
use crate::process;
use crate::reclaim::Caller;
use crate::table::{Owner, Rank, SignatureId, SymbolId, Target};
use crate::tls::Forkable;
use entry::Arguments;
use missing::MissingEntry;
use state::State;
use tiers::Worker;

/// A JIT runtime: modules of generated code that call each other through one table.
///
/// Cheap to clone; clones are the same runtime. It may be used from any thread. Code stays
/// in place until the last clone and the last [`Function`] are dropped; then destructors
/// and exit handlers of the code run, and all of its memory is returned.
#[derive(Clone)]
pub struct Runtime {
    // Its end is the end of the program's code. The worker itself has none.
    worker: Option<Arc<Worker>>,
    inner: Arc<Inner>,
}

struct Inner {
    state: Arc<Forkable<State>>,
    /// Held while threads are asked what they hold.
    reclaiming: Arc<Forkable<()>>,
    /// A thread that was seen on a stack that nobody knows; 0 if none was.
    odd_stack: AtomicI32,
    /// How many bytes may be retired before updates are refused.
    retained_limit: usize,
    missing: MissingEntry,
    /// Guarded calls may end in the handler of a signal: of a fault, or an abort.
    prepares_threads: bool,
    /// What `__dso_handle` is in this runtime.
    dso: Block,
    compile: CompileOptions,
    /// What changes goes live at the fast level.
    tiered: bool,
    /// Functions are compiled on their first call.
    lazy: bool,
    /// Functions are what modules declare them to be.
    declarations: bool,
    /// What is not compiled again is checked to be the same.
    verify_diff: bool,
    /// Where functions stand in the source counts.
    lines: bool,
    cache: Option<Cache>,
    threads: usize,
    /// What constructors get as argc and argv.
    arguments: Arguments,
    /// How many anonymous modules there have been.
    anonymous: AtomicU64,
    arena: Arc<Arena>,
}

impl Inner {
    /// The level of what goes live soonest.
    fn first_level(&self) -> Level {
        if self.tiered { Level::Fast } else { self.compile.full_level() }
    }

    /// Runs what generated code left to be run at its end. It may call functions that have to be
    /// compiled for that.
    fn run_end(&self) {
        self.state.lock().reach_retired();
        entry::run_exit_handlers(self.dso.address());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        builtins::remove_range(self.dso.address());
        faults::remove(self.missing.identity());
        forks::remove(&self.arena);
        self.arena.close();
    }
}

impl Runtime {
    /// Settings for a new runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A runtime with the default settings.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Waits until all functions that went live without optimisation have been optimised; see
    /// [`Builder::tiered`]. Returns at once where there are none.
    pub fn settle(&self) {
        self.worker.iter().for_each(|worker| worker.settle());
    }

    /// Has no more functions optimised in the background from now on, and waits until that has
    /// come to rest, for as long as `limit`. For the end of a process: a library's destructors must
    /// not run while LLVM is at work.
    pub fn stop_optimising(&self, limit: Duration) {
        self.worker.iter().for_each(|worker| worker.stop(limit));
    }

    /// Starts an update of any number of modules.
    pub fn update(&self) -> Update<'_> {
        Update::new(self)
    }

    /// Loads a module: an [`Update`] of one.
    ///
    /// # Errors
    /// As [`Update::commit`].
    pub fn load(&self, name: impl Into<String>, source: Source) -> Result<Report> {
        self.update().load(name, source).commit()
    }

    /// Replaces a module: an [`Update`] of one. Callers reach the new code with their next
    /// call; nobody is stopped.
    ///
    /// # Errors
    /// As [`Update::commit`]. The module stays as it was.
    pub fn replace(&self, name: impl Into<String>, source: Source) -> Result<Report> {
        self.update().replace(name, source).commit()
    }

    /// Removes a module: an [`Update`] of one. Symbols that others define too fall back to
    /// them; a call to one that nobody defines any more reaches a trap that names it.
    ///
    /// # Errors
    /// [`ErrorKind::Update`] for an unknown module.
    pub fn remove(&self, name: impl Into<String>) -> Result<Report> {
        self.update().remove(name).commit()
    }

    /// A typed handle to the function `name`.
    ///
    /// Where the function came as IR or bitcode its type is checked against `F`.
    ///
    /// # Errors
    /// [`ErrorKind::Resolve`] for an unknown name, [`ErrorKind::Signature`] for another type.
    ///
    /// # Safety
    /// The function, in this and in every later version, has the type `F`, upholds what
    /// Rust demands of a function of that type, and its code is sound; for guarded calls
    /// (`try_call`) also under the conditions named there.
    #[allow(unsafe_code)]
    pub unsafe fn function<F: Signature>(&self, name: &str) -> Result<Function<F>> {
        let _loading = process::loading();
        let mut state = self.inner.state.lock();
        let found = self.lookup(&mut state, name)?;
        let function = self.handle(&mut state, name, found)?;
        state.symbols.get_mut(found.0).pinned = true;
        Ok(function)
    }

    /// A handle to the function `name`, which was found as that, if it is one of type `F`.
    fn handle<F: Signature>(
        &self,
        state: &mut State,
        name: &str,
        (id, target, owner): (SymbolId, Target, Owner),
    ) -> Result<Function<F>> {
        if !matches!(target, Target::Function(_) | Target::Process(_)) {
            return Err(Error::new(ErrorKind::Signature, format!("{name} is not a function"))
                .about(name)
                .hint("use address_of for variables"));
        }
        let signature = state.symbols.get(id).winner().map_or(SignatureId::UNKNOWN, |p| p.signature);
        if let Owner::Module(module) = owner
            && let Some(module) = state.module(module)
            && let Some(actual) = state.signatures.text(signature)
        {
            let wanted = F::ir_type();
            if !callable_as(actual, &wanted) {
                return Err(Error::new(
                    ErrorKind::Signature,
                    format!("{name} has type {actual}, not {wanted} as asked for"),
                )
                .about(name)
                .in_module(&module.name)
                .in_file(module.current.source.file())
                .hint("ask for the function with the type it was compiled with"));
            }
        }
        let token = state.symbols.get_mut(id).rare_mut().handles.hold(&F::ir_type());
        let stub = state.symbols.slots.stub(id.0);
        Ok(Function::new(stub as *const c_void, self.clone(), token))
    }

    /// The address of `name` as generated code sees it: a function's stub, which stays the
    /// same over every replacement, or a variable's storage.
    ///
    /// # Errors
    /// [`ErrorKind::Resolve`] for an unknown name or a thread-local variable.
    pub fn address_of(&self, name: &str) -> Result<*const c_void> {
        let _loading = process::loading();
        let mut state = self.inner.state.lock();
        let (id, target, _) = self.lookup(&mut state, name)?;
        let address = state.symbols.address(id, Some(target)).ok_or_else(|| state::thread_local(name))?;
        state.symbols.get_mut(id).pinned = true;
        Ok(address as *const c_void)
    }

    fn lookup(&self, state: &mut State, name: &str) -> Result<(SymbolId, Target, Owner)> {
        let known = state.find(name).ok().and_then(|id| {
            let winner = state.symbols.get(id).winner()?;
            Some((id, winner.target, winner.owner))
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let provider = state.process_provider(name).ok_or_else(|| state::undefined(name))?;
        state.define(name, Owner::Process, Rank::Process, provider.target)?;
        Ok((state.find(name)?, provider.target, Owner::Process))
    }

    /// The modules loaded, with their generation, in no particular order.
    pub fn modules(&self) -> Vec<(String, u64)> {
        let state = self.inner.state.lock();
        let named = state.live().filter(|module| !module.anonymous);
        named.map(|m| (m.name.to_string(), m.current.number)).collect()
    }

    /// Returns `module` to its `generation`: an [`Update`] of one, and as fast as the commit of
    /// one where the variables still have the storage that generation knows. Its variables
    /// keep their value under the same rules as in a replacement.
    ///
    /// # Errors
    /// [`ErrorKind::Update`] for an unknown module or a generation that is not kept, see
    /// [`Self::history`], and as [`Update::commit`].
    pub fn rollback(&self, module: impl Into<String>, generation: u64) -> Result<Report> {
        self.update().restore(module, generation).commit()
    }

    /// The generations of `module` that are in memory, oldest first: the live one and those
    /// that [`Self::rollback`] can return to.
    ///
    /// # Errors
    /// [`ErrorKind::Update`] for an unknown module.
    pub fn history(&self, module: &str) -> Result<Vec<Generation>> {
        self.inner.state.lock().history(module)
    }

    /// Compiles `source` to an object, with what is known of its types: what a later
    /// [`Self::load`] or [`Self::replace`] only has to link.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] and [`ErrorKind::Compile`].
    pub fn compile(&self, source: &Source) -> Result<Source> {
        make::to_object(&self.inner, source)
    }

    /// Frees the retired generations that no thread is in or will return to.
    ///
    /// Threads are asked: one that is blocked in the kernel is looked at, one that runs gets a
    /// signal, whose handler looks at its own registers and stack. Updates do the same by
    /// themselves, whenever enough has been retired.
    pub fn reclaim(&self) -> Reclaimed {
        self.inner.reclaim(&Caller::here())
    }

    /// The retired generations that have not been freed, and what holds them.
    pub fn pending(&self) -> Vec<Pending> {
        self.inner.pending(&Caller::here())
    }

    /// Frees the retired generations without asking anybody.
    ///
    /// # Safety
    /// No thread is in code of such a generation or will return to it, and no jump buffer,
    /// coroutine or exception in flight leads there; nothing uses the address of a function
    /// that is no longer defined; no exit handler and no destructor of a thread-local object
    /// that is still to run is theirs.
    #[allow(unsafe_code)]
    pub unsafe fn free_retired(&self) {
        self.inner.free_retired();
    }

    /// What the runtime holds at the moment.
    pub fn stats(&self) -> Stats {
        let state = self.inner.state.lock();
        let usage = self.inner.arena.usage();
        Stats {
            modules: state.live().filter(|module| !module.anonymous).count(),
            lazy_functions: state
                .live()
                .filter_map(|m| m.current.known.as_ref())
                .map(|k| k.lazy().count())
                .sum(),
            symbols: state.symbols.slots.len(),
            code_bytes: usage.code,
            constant_bytes: usage.read_only,
            variable_bytes: usage.data,
            past: state.live().map(|module| module.past.len()).sum(),
            retired: state.retired.len(),
            retired_bytes: state.retired_bytes,
        }
    }

    /// What the runtime has done so far.
    pub fn totals(&self) -> Totals {
        self.inner.state.lock().totals
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
