//! Where a call goes whose symbol nothing defines.
//!
//! Owns the path from a missing thunk into the host and the error it ends with: at the guard
//! of a guarded call, or as a message and an abort. Knows the runtime only to look names up.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io::Write;
use std::ops::Range;
use std::sync::{Arc, OnceLock, Weak};

use runtime_stubs::entry::EntryContext;

use super::first_calls::FirstCalls;
use super::generation::Module;
use super::state::State;
use super::transaction::resolve;
use crate::builtins;
use crate::error::{Error, ErrorKind, Result};
use crate::faults::{self, Ended, Identity};
use crate::memory::{Arena, Block, Space};
use crate::table::{Owner, Provider, Rank, Symbol, SymbolId, Target};
use crate::tls::Forkable;

/// The trampoline of one runtime, and what it passes to the host.
pub(super) struct MissingEntry {
    /// Holds the trampoline's address; missing thunks jump through it.
    cell: Block,
    nameless: Block,
    _thunk: Block,
    _context: Box<EntryContext>,
    lookup: Box<Lookup>,
}

struct Lookup {
    state: Weak<Forkable<State>>,
    /// Where code of the runtime lies.
    arena: Range<u64>,
    /// Who compiles functions on their first call.
    first: OnceLock<FirstCalls>,
}

// SAFETY: the context is written once, before any code runs that reads it; the lookup is
// a weak reference to state behind a lock.
unsafe impl Send for MissingEntry {}
// SAFETY: as above.
unsafe impl Sync for MissingEntry {}

impl MissingEntry {
    pub(super) fn new(arena: &Arc<Arena>, state: &Arc<Forkable<State>>) -> Result<Self> {
        let (start, end) = arena.range();
        let lookup =
            Box::new(Lookup { state: Arc::downgrade(state), arena: start..end, first: OnceLock::new() });
        let context = Box::new(EntryContext::new(missing, (&raw const *lookup).cast_mut().cast()));
        let thunk = arena.allocate(Space::Code, runtime_stubs::CONTEXT_SIZE, runtime_stubs::STUB_SIZE)?;
        thunk.fill(&arena.arch().context_thunk(&raw const *context as u64, entry_address()));
        let cell = arena.allocate(Space::ReadOnly, 8, 8)?;
        cell.fill(&thunk.address().to_le_bytes());
        let nameless = arena.allocate(Space::Code, runtime_stubs::THUNK_SIZE, runtime_stubs::STUB_SIZE)?;
        let bytes = arena.arch().missing_thunk(nameless.address(), u32::MAX, cell.address());
        nameless.fill(&bytes.map_err(|e| Error::new(ErrorKind::Link, e.to_string()))?);
        arena.publish();
        Ok(Self { cell, nameless, _thunk: thunk, _context: context, lookup })
    }

    /// A thunk for symbols that have none of their own.
    pub(super) fn nameless(&self) -> u64 {
        self.nameless.address()
    }

    /// Has functions compiled on their first call.
    pub(super) fn compile_by(&self, first: FirstCalls) {
        let _ = self.lookup.first.set(first);
    }

    /// What guards of this runtime are known by.
    pub(super) fn identity(&self) -> Identity {
        Identity((&raw const *self.lookup).cast())
    }

    pub(super) fn cell(&self) -> u64 {
        self.cell.address()
    }
}

fn entry_address() -> u64 {
    #[cfg(target_arch = "x86_64")]
    return runtime_stubs::entry::resolve_entry_address();
    #[cfg(not(target_arch = "x86_64"))]
    return 0;
}

/// Called by generated code in place of the missing function `index`; `return_address` is
/// just behind the call.
unsafe extern "C-unwind" fn missing(data: *mut c_void, index: u32, return_address: usize) -> *const c_void {
    // SAFETY: `data` is the `Lookup` of the runtime whose code is running, which therefore
    // exists.
    match unsafe { answer(data, index, return_address) } {
        Answer::Continue(target) => target,
        // SAFETY: this frame has nothing to drop, the entry that called it neither, and the
        // rest is as `Function::try_call` says.
        Answer::Leave(ended) => unsafe { ended.leave() },
    }
}

enum Answer {
    /// It is there after all: another thread may have defined it since the slot was loaded.
    Continue(*const c_void),
    Leave(Ended),
}

/// What to do about the call. All that has to be dropped is in here, locks too. Where no guard
/// waits this ends the process.
///
/// # Safety
/// `data` is a `Lookup`.
unsafe fn answer(data: *mut c_void, index: u32, return_address: usize) -> Answer {
    // SAFETY: by the contract above.
    let lookup = unsafe { &*data.cast::<Lookup>() };
    let error = match lookup.state.upgrade() {
        Some(state) => {
            // The first call of an indirect function, before the update has asked for it.
            let unresolved = |symbol: &Symbol| symbol.rare().is_some_and(|rare| rare.resolver.is_some());
            let asks = state.lock().symbols.at_index(index).is_some_and(unresolved);
            if asks && let Some(target) = resolve(&state, SymbolId(index)) {
                return Answer::Continue(target as *const c_void);
            }
            let lazy = |symbol: &Symbol| symbol.winner().is_some_and(|winner| symbol.is_lazy(winner.target));
            let mut compiled = Ok(());
            let state = loop {
                let now = state.lock();
                if let Some(target) = target_of(&now, index) {
                    return Answer::Continue(target as *const c_void);
                }
                let waits = compiled.is_ok() && now.symbols.at_index(index).is_some_and(lazy);
                let Some(first) = lookup.first.get().filter(|_| waits) else { break now };
                drop(now);
                // Once is not always enough: the module may have become another one meanwhile, in
                // which the function waits as well.
                compiled = alone(|| first.compile(SymbolId(index)));
            };
            // What was registered to run at some end still does, when it is not generated
            // code that calls it.
            if !lookup.arena.contains(&(return_address as u64))
                && let Some(body) = last_body(&state, index)
            {
                return Answer::Continue(body as *const c_void);
            }
            match compiled {
                Ok(()) => describe(&state, lookup, index, return_address as u64),
                Err(error) => error.about(state.symbols.at_index(index).map_or("", Symbol::plain_name)),
            }
        }
        None => Error::new(ErrorKind::Resolve, "code of a runtime that has ended called a missing function"),
    };
    match faults::end(Identity(data), error) {
        Ok(ended) => Answer::Leave(ended),
        Err(error) => {
            // There is nothing to return to: the caller expects the function's result. What
            // the program could observe of an abort is what it would of a call through a null
            // pointer, but with the reason told.
            let _ = writeln!(std::io::stderr(), "hotslot: {error} (called from {return_address:#x})");
            std::process::abort();
        }
    }
}

/// Does `work` without being interrupted by a signal, whose handler might need the same lock.
fn alone<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the set is filled before it is used. Those that say that this thread has done
    // something wrong stay as they are: there would be no going on.
    let before = unsafe {
        let (mut set, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut set);
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS] {
            libc::sigdelset(&mut set, fault);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before);
        before
    };
    let result = work();
    // SAFETY: the set that was there before.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    result
}

/// Where a call of the symbol goes, if that is anywhere.
fn target_of(state: &State, index: u32) -> Option<u64> {
    let winner = state.symbols.at_index(index)?.winner()?;
    if matches!(winner.target, Target::ThreadLocal(_)) {
        return None;
    }
    let thunk = state.symbols.at_index(index)?.rare()?.missing.as_ref().map_or(0, Block::address);
    Some(state.symbols.settle(SymbolId(index)).call).filter(|&target| target != 0 && target != thunk)
}

/// The last body of a function that is to run at the end of the process or of a thread.
fn last_body(state: &State, index: u32) -> Option<u64> {
    let Target::Function(body) = state.symbols.at_index(index)?.retired()?.target else { return None };
    builtins::runs_at_end(state.symbols.slots.stub(index)).then_some(body)
}

/// The error of a call of the missing symbol `index`: symbol, last owner, caller.
fn describe(state: &State, lookup: &Lookup, index: u32, return_address: u64) -> Error {
    let symbol = state.symbols.at_index(index);
    let last_owner = symbol.and_then(|symbol| symbol.rare()?.last_owner.as_ref());
    let name = symbol.map(Symbol::plain_name);
    let known_by = name.unwrap_or("a function without a known name");
    // The call is the instruction before, which may be the last one of its function.
    let call = return_address.wrapping_sub(1);
    let module = state.module_at(call);
    let caller = match module {
        Some(module) => function_at(state, module, call).unwrap_or("code of the module"),
        None if lookup.arena.contains(&call) => "replaced or removed code",
        None => "host code",
    };
    let mut error = match last_owner {
        Some((module, generation)) => Error::new(
            ErrorKind::Resolve,
            format!(
                "{caller} called {known_by}, which is no longer defined: \
                 module {module} (generation {generation}) had it last"
            ),
        )
        .hint(format!("load a module that defines it, as {module} did")),
        None if name.is_none() => Error::new(ErrorKind::Resolve, format!("{caller} called {known_by}"))
            .hint("make room in the arena, so that every missing function can have its own trap"),
        None => {
            Error::new(ErrorKind::Resolve, format!("{caller} called {known_by}, which was never defined"))
                .hint("load a module that defines it, or define it from the host")
        }
    };
    if let Some(name) = name {
        error = error.about(name);
    }
    match module {
        Some(module) => error.in_module(&module.name).in_file(module.current.source.file()),
        None => error,
    }
}

/// The function of `module` that `address` lies in, as far as the symbol table knows it: of an
/// object's static functions it knows those whose addresses are taken.
fn function_at<'s>(state: &'s State, module: &Module, address: u64) -> Option<&'s str> {
    let owner = Owner::Module(state.module_id(&module.name)?);
    let symbols = module.current.defined.iter().filter_map(|id| state.symbols.at_index(id.0));
    let covers = |provider: &Provider| match provider.target {
        Target::Function(body) => {
            provider.owner == owner
                && provider.rank > Rank::Retired
                && address.wrapping_sub(body) < provider.size
        }
        _ => false,
    };
    symbols.into_iter().find(|symbol| symbol.providers.iter().any(covers)).map(Symbol::plain_name)
}
