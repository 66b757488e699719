//! The runtime of a session: modules in, inputs run.
//!
//! Owns the runtime, how an input's code is entered and left, and what of the host it can call.
//! Knows nothing of C: modules are objects here.
#![allow(unsafe_code)] // calls code, is called by it

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::path::PathBuf;
use std::time::Duration;

use hotslot::{Error, ErrorKind, Function, Interrupt, OptLevel, PreparedUpdate, Runtime, Source};

use super::document::Document;
use super::syntax::Kind;
use super::text::{RUN, SHOW};

/// One step of an update.
#[derive(Clone)]
pub enum Step {
    /// A module, new or not.
    Set(String, Source),
    Remove(String),
}

/// The runtime.
pub struct Machine {
    runtime: Runtime,
    run: Option<Function<unsafe extern "C" fn(*mut c_void)>>,
    pub interrupt: Interrupt,
    /// How long an input's code may take.
    pub limit: Option<Duration>,
    /// The one that it was made in.
    process: u32,
    /// Inputs of which something may be referred to.
    kept: BTreeSet<String>,
}

/// What an input's code calls: with the address of its value, or to hear how often to go on.
pub type Host<'s> = dyn FnMut(u64) -> u64 + 's;

unsafe extern "C" fn call_host(hotslot: *mut c_void, value: *mut c_void) -> u64 {
    if hotslot.is_null() {
        return 0;
    }
    // SAFETY: inputs hand on what `Machine::run` has given them, and do so while it waits.
    let host = unsafe { &mut *hotslot.cast::<&mut Host<'_>>() };
    host(value as u64)
}

impl Machine {
    /// A runtime without modules.
    pub fn new() -> Result<Self, Error> {
        let runtime = Runtime::builder()
            .opt_level(OptLevel::O0)
            .process_symbols(false)
            .history(0)
            .contain_aborts(true)
            .arguments(["hotslot repl"])
            .build()?;
        let mut update = runtime.update();
        for name in ["c", "m"] {
            update.library(name, &[])?;
        }
        update.commit()?;
        // SAFETY: of the type that inputs declare it with; a function of this process.
        unsafe { runtime.define_function(SHOW, call_host as *const c_void)? };
        let (interrupt, limit, kept) = Default::default();
        let process = std::process::id();
        Ok(Self { runtime, run: None, interrupt, limit, process, kept })
    }

    /// The runtime.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Opens a library as a linker finds it by this name, or a file.
    pub fn library(&self, name: &str) -> Result<(), Error> {
        match name.strip_prefix("-l") {
            Some(name) => self.runtime.find_library(name, &[]),
            None => self.runtime.open_library(name),
        }
    }

    /// The same, looked for in folders first.
    pub fn find_library(&self, name: &str, folders: &[PathBuf]) -> Result<(), Error> {
        self.runtime.find_library(name, folders)
    }

    /// Links all of it, with these variables starting anew where they do not fit.
    pub fn prepare(&self, steps: &[Step], reset: &[String]) -> Result<PreparedUpdate, Error> {
        let loaded: BTreeSet<String> = self.runtime.modules().into_iter().map(|(name, _)| name).collect();
        let mut update = self.runtime.update();
        for step in steps {
            match step {
                Step::Set(name, source) if loaded.contains(name) => update.replace(name, source.clone()),
                Step::Set(name, source) => update.load(name, source.clone()),
                Step::Remove(name) if loaded.contains(name) => update.remove(name),
                Step::Remove(_) => &mut update,
            };
        }
        for name in reset {
            update.reset(name);
        }
        update.prepare()
    }

    /// Runs an input's code, which is gone afterwards unless something of it may be in use.
    pub fn run(&mut self, name: &str, object: Vec<u8>, keep: bool, host: &mut Host<'_>) -> Result<(), Error> {
        self.runtime.load(name, Source::object(object).label(name))?;
        let result = self.enter(host);
        if std::process::id() != self.process {
            // The code has forked. There is one session.
            flush();
            // SAFETY: takes an integer and does not return.
            unsafe { libc::_exit(i32::from(result.is_err())) };
        }
        match keep {
            true => _ = self.kept.insert(name.to_owned()),
            false => _ = self.runtime.remove(name),
        }
        result
    }

    fn enter(&mut self, mut host: &mut Host<'_>) -> Result<(), Error> {
        if self.run.is_none() {
            // SAFETY: every input defines it with this type.
            self.run = Some(unsafe { self.runtime.function(RUN)? });
        }
        let Some(run) = &self.run else { return Ok(()) };
        let host: *mut &mut Host<'_> = &mut host;
        let call = run.guarded().interrupt(&self.interrupt);
        let call = match self.limit {
            Some(limit) => call.deadline(limit),
            None => call,
        };
        // SAFETY: the type is as above. What a user types may do anything; what can be contained is.
        // The host's one function that it calls is left by returning only.
        unsafe { call.call(host.cast()) }
    }
}

/// Has the program's output appear.
pub fn flush() {
    // SAFETY: all streams of this process's C library, which is the program's too.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

fn address(runtime: &Runtime, name: &str) -> Option<u64> {
    runtime.address_of(name).ok().map(|address| address as u64)
}

/// The function that has this address, as far as it is known.
pub fn name_of(runtime: &Runtime, document: &Document, at: u64) -> Option<String> {
    let mut functions =
        document.iter().filter(|one| one.kind == Kind::Function).filter_map(|one| one.symbol());
    let own = functions.find(|name| address(runtime, name) == Some(at)).map(str::to_owned);
    own.or_else(|| {
        // SAFETY: zeroes are a valid value; valid for writes. The name is the loader's, and is copied.
        unsafe {
            let mut info: libc::Dl_info = std::mem::zeroed();
            let found = libc::dladdr(at as *const c_void, &mut info) != 0 && !info.dli_sname.is_null();
            (found && info.dli_saddr as u64 == at)
                .then(|| std::ffi::CStr::from_ptr(info.dli_sname).to_string_lossy().into_owned())
        }
    })
}

/// The variables that do not fit the storage that they have, if nothing else is wrong.
pub fn unfitting(error: &Error) -> Option<Vec<String>> {
    error
        .problems()
        .map(|problem| problem.symbol().filter(|_| problem.kind() == ErrorKind::Storage).map(str::to_owned))
        .collect()
}
