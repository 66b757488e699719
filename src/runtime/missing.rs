//! Where a call goes whose symbol nothing defines.
//!
//! Owns the path from a missing thunk into the host and the message it ends with. Knows
//! the runtime only to look names up.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io::Write;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use runtime_stubs::entry::EntryContext;

use super::state::State;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Arena, Block, Space};

/// The trampoline of one runtime, and what it passes to the host.
pub(super) struct MissingEntry {
    /// Holds the trampoline's address; missing thunks jump through it.
    cell: Block,
    nameless: Block,
    _thunk: Block,
    _context: Box<EntryContext>,
    _lookup: Box<Lookup>,
}

struct Lookup {
    state: Weak<Mutex<State>>,
}

// SAFETY: the context is written once, before any code runs that reads it; the lookup is
// a weak reference to state behind a lock.
unsafe impl Send for MissingEntry {}
// SAFETY: as above.
unsafe impl Sync for MissingEntry {}

impl MissingEntry {
    pub(super) fn new(arena: &Arc<Arena>, state: &Arc<Mutex<State>>) -> Result<Self> {
        let lookup = Box::new(Lookup { state: Arc::downgrade(state) });
        let context = Box::new(EntryContext::new(missing, (&raw const *lookup).cast_mut().cast()));
        let thunk = arena.allocate(Space::Code, runtime_stubs::CONTEXT_SIZE, runtime_stubs::STUB_SIZE)?;
        thunk.fill(&arena.arch().context_thunk(&raw const *context as u64, entry_address()));
        let cell = arena.allocate(Space::ReadOnly, 8, 8)?;
        cell.fill(&thunk.address().to_le_bytes());
        let nameless = arena.allocate(Space::Code, runtime_stubs::THUNK_SIZE, runtime_stubs::STUB_SIZE)?;
        let bytes = arena.arch().missing_thunk(nameless.address(), u32::MAX, cell.address());
        nameless.fill(&bytes.map_err(|e| Error::new(ErrorKind::Link, e.to_string()))?);
        arena.publish();
        Ok(Self { cell, nameless, _thunk: thunk, _context: context, _lookup: lookup })
    }

    /// A thunk for symbols that have none of their own.
    pub(super) fn nameless(&self) -> u64 {
        self.nameless.address()
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
    let lookup = unsafe { &*data.cast::<Lookup>() };
    let (mut symbol, mut caller) = (String::from("a symbol"), String::from("unknown code"));
    if let Some(state) = lookup.state.upgrade() {
        let state = state.lock();
        if let Some(known) = state.symbols.at_index(index) {
            // Another thread may have defined it since the slot was loaded.
            let call = known.winner().map(|_| state.symbols.settle(crate::table::SymbolId(index)).call);
            if let Some(target) = call.filter(|&target| target != 0) {
                return target as *const c_void;
            }
            symbol = known.name.split('\0').next().unwrap_or_default().to_owned();
        }
        if let Some(module) = state.module_at(return_address as u64) {
            caller = format!("module {}", module.name);
        }
    }
    // There is nothing to return to: the caller expects the function's result. What the
    // program could observe of an abort is what it would of a call through a null pointer,
    // but with the reason told.
    let _ = writeln!(
        std::io::stderr(),
        "hotslot: {caller} called {symbol}, which no module defines (at {return_address:#x}); \
         load a module that defines it"
    );
    std::process::abort();
}
