//! Modules without a name, for code that is run once: a line typed at a prompt.
//!
//! Owns the guard that stands for one, and its end: the module goes when the guard and all handles
//! to its functions are gone. When its memory is freed is [`super::retire`]'s, and who else may have
//! an address of it [`super::escaped`]'s.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::commit::end_anonymous;
use super::function::{Function, Signature};
use super::report::Report;
use super::resolve::anonymous_name;
use super::state::{thread_local, undefined};
use super::transaction::PreparedUpdate;
use super::units::Incoming;
use super::{Inner, Runtime};
use crate::compile::{Source, SourceKind};
use crate::error::{Error, ErrorKind, Result};
use crate::process;
use crate::reclaim::Caller;
use crate::table::{Owner, SymbolId, Target};

/// A module that has no name, made by [`Runtime::anonymous`].
///
/// Its code, constants and variables are freed once this and every [`Function`] of it are dropped,
/// and nobody can be in it any more, as with a module that is removed: at the next
/// [`Runtime::reclaim`], and when enough has come together by itself. That a call of it ended in a
/// fault or was interrupted changes nothing about that.
///
/// # What escapes
/// The code may have left addresses of its functions, variables or string literals elsewhere, as
/// `name = "Bob"` does. An address in a variable of a module, in a register or on a stack keeps all
/// of it in memory for as long as it is there; so does a function that is to run at the end of the
/// process or of a thread. Nobody looks on the heap, in thread-local variables and in those of the
/// host and of libraries: an address that was left there leads nowhere after the end. A host that
/// runs code which does such things calls [`Self::keep`].
pub struct Anonymous {
    held: Arc<Held>,
    report: Report,
}

/// An anonymous module, for as long as somebody has this.
pub(super) struct Held {
    runtime: Runtime,
    id: u32,
    number: u64,
    kept: AtomicBool,
}

impl Runtime {
    /// Loads a module without a name, for code that is run once.
    ///
    /// What it defines is visible to nobody else, so that any number of such modules may define the
    /// same names; what it does not define it finds as any module does. IR and bitcode are compiled
    /// as what changes is ([`Builder::tiered`](super::Builder::tiered)), and not optimised later. It
    /// is in no list of modules and no history, and [`Runtime::undo`] knows nothing of it. In
    /// errors and backtraces it is called `anonymous 1`, and so on.
    ///
    /// # Errors
    /// As [`Update::commit`](super::Update::commit), and [`ErrorKind::Update`] for an archive, which
    /// is several modules.
    pub fn anonymous(&self, source: Source) -> Result<Anonymous> {
        if source.kind() == SourceKind::Archive {
            return Err(Error::new(ErrorKind::Update, "an archive cannot be loaded without a name")
                .in_file(source.file())
                .hint("load it under one: it becomes a module for each of its members"));
        }
        let number = self.inner.anonymous.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("anonymous {number}").into();
        let module =
            Incoming { name, source, replace: false, number: None, upgrade: false, anonymous: Some(number) };
        let (report, id) = PreparedUpdate::anonymous(self, module, &Caller::here())?.commit_all()?;
        let id = id.unwrap_or(u32::MAX);
        let held = Held { runtime: self.clone(), id, number, kept: AtomicBool::new(false) };
        Ok(Anonymous { held: Arc::new(held), report })
    }
}

impl Anonymous {
    /// A typed handle to the function `name` of the module, which stays in place for as long as the
    /// handle.
    ///
    /// # Errors
    /// As [`Runtime::function`].
    ///
    /// # Safety
    /// As for [`Runtime::function`].
    pub unsafe fn function<F: Signature>(&self, name: &str) -> Result<Function<F>> {
        let _loading = process::loading();
        let runtime = &self.held.runtime;
        let mut state = runtime.inner.state.lock();
        let found = self.held.find(&state, name)?;
        let function = runtime.handle(&mut state, name, found)?;
        Ok(function.holding(self.held.clone()))
    }

    /// The address of `name`, a function or a variable of the module. It is valid for as long as the
    /// module is in place.
    ///
    /// # Errors
    /// [`ErrorKind::Resolve`] for what the module does not define, or a thread-local variable.
    pub fn address_of(&self, name: &str) -> Result<*const c_void> {
        let state = self.held.runtime.inner.state.lock();
        let (id, target, _) = self.held.find(&state, name)?;
        let address = state.symbols.address(id, Some(target)).ok_or_else(|| thread_local(name))?;
        Ok(address as *const c_void)
    }

    /// What loading it did: above all, which symbols nothing defines.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Leaves the module loaded for as long as the runtime: somebody may have an address of it where
    /// nobody looks for it.
    pub fn keep(self) {
        self.held.kept.store(true, Ordering::Relaxed);
    }
}

impl Held {
    fn find(&self, state: &super::state::State, name: &str) -> Result<(SymbolId, Target, Owner)> {
        let own = Owner::Module(self.id);
        let id = state.symbols.find(&anonymous_name(name, self.number));
        let found = id.and_then(|id| {
            let mut providers = state.symbols.get(id).providers.iter();
            providers.find(|provider| provider.owner == own).map(|provider| (id, provider.target, own))
        });
        found.ok_or_else(|| undefined(name).in_module(&format!("anonymous {}", self.number)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let inner: &Inner = &self.runtime.inner;
        // A child of fork has it as its parent does.
        if self.kept.load(Ordering::Relaxed) || !inner.arena.is_ours() {
            return;
        }
        end_anonymous(&mut inner.state.lock(), self.id);
        inner.reclaim_if_due(&Caller::here());
    }
}

impl fmt::Debug for Anonymous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anonymous({})", self.held.number)
    }
}
