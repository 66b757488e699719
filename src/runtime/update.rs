//! Updates: any number of loads, replacements and removals that take effect together.
//!
//! Owns what hosts say about an update before it is worked on; how that goes is in
//! [`super::transaction`], what archives stand for in [`super::archives`].

use std::path::PathBuf;
use std::sync::Arc;

use super::Runtime;
use super::fitting::{Migrated, Rule, Rules};
use super::report::Report;
use super::transaction::{Plan, PreparedUpdate};
use super::undo::Undo;
use crate::compile::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::libraries::{self, Libraries};
use crate::reclaim::Caller;

#[derive(Clone)]
pub(super) enum Step {
    Load(String, Source),
    /// Loads what is needed of an archive and is not loaded yet.
    Extend(String, Source),
    Replace(String, Source),
    Remove(String),
    /// Returns to an earlier generation.
    Restore(String, u64),
}

/// A set of changes that take effect together; made by [`Runtime::update`].
///
/// Modules of one update may refer to each other in any order. Nothing changes before
/// [`Update::commit`], and nothing if that fails.
#[derive(Clone)]
#[must_use = "an update does nothing until `commit`"]
pub struct Update<'rt> {
    runtime: &'rt Runtime,
    steps: Vec<Step>,
    strict: bool,
    /// Symbols that members of on-demand archives are loaded for.
    wants: Vec<String>,
    rules: Rules,
    rebuild: bool,
    pub(super) undo: Undo,
}

impl<'rt> Update<'rt> {
    pub(super) fn new(runtime: &'rt Runtime) -> Self {
        let (steps, wants, rules) = Default::default();
        Self { runtime, steps, strict: false, wants, rules, rebuild: false, undo: Undo::Possible }
    }

    /// Adds a new module. An archive becomes one module a member, named
    /// `name(member)`.
    pub fn load(&mut self, name: impl Into<String>, source: Source) -> &mut Self {
        self.steps.push(Step::Load(name.into(), source));
        self
    }

    /// Replaces the module of that name. Its variables keep their storage and value where
    /// they still fit: see [`Self::reset`] for those that do not. Initialisers and
    /// constructors run for new variables only.
    pub fn replace(&mut self, name: impl Into<String>, source: Source) -> &mut Self {
        self.steps.push(Step::Replace(name.into(), source));
        self
    }

    /// Removes the module of that name.
    pub fn remove(&mut self, name: impl Into<String>) -> &mut Self {
        self.steps.push(Step::Remove(name.into()));
        self
    }

    /// Adds `-l name`, see [`Runtime::find_library`]: what is shared is opened at once,
    /// whatever becomes of the update, and a static library becomes part of it, those of
    /// its members that are needed and not loaded yet.
    ///
    /// # Errors
    /// [`ErrorKind::Resolve`] where there is none, [`ErrorKind::Read`] where the dynamic
    /// linker refuses it.
    pub fn library(&mut self, name: &str, directories: &[PathBuf]) -> Result<&mut Self> {
        // Without the lock: constructors may use the runtime.
        let Libraries { shared, archives } = libraries::find(name, directories)?;
        let _loading = crate::process::loading();
        self.runtime.inner.arena.check_ours()?;
        self.runtime.inner.state.lock().add_libraries(shared);
        for path in archives {
            let module = path.to_string_lossy().into_owned();
            let staged =
                self.steps.iter().any(|step| matches!(step, Step::Extend(name, _) if *name == module));
            if !staged {
                self.steps.push(Step::Extend(module, Source::from_path(&path)?.on_demand()));
            }
        }
        Ok(self)
    }

    /// Names a symbol that is going to be asked for, such as a program's `main`: the member
    /// of an on-demand archive that defines it is loaded even if no module refers to it. It
    /// is no error if nothing defines it.
    pub fn want(&mut self, symbol: impl Into<String>) -> &mut Self {
        self.wants.push(symbol.into());
        self
    }

    /// Makes the update fail, as a linker would, where one of its modules refers to a
    /// symbol that nothing defines or defines one that another module defines too.
    pub fn strict(&mut self) -> &mut Self {
        self.strict = true;
        self
    }

    /// Returns the module of that name to an earlier generation, see
    /// [`Runtime::rollback`](super::Runtime::rollback).
    pub fn restore(&mut self, name: impl Into<String>, generation: u64) -> &mut Self {
        self.steps.push(Step::Restore(name.into(), generation));
        self
    }

    /// Has modules that were compiled against a function's old type, where the update changes
    /// it, made anew from their sources ([`Source::rebuilt_by`]) and replaced in the same
    /// step. Without this the update is refused.
    pub fn rebuild_callers(&mut self) -> &mut Self {
        self.rebuild = true;
        self
    }

    /// Has [`Runtime::undo`] never take back this update, nor what was committed before: with it
    /// the program is as it was loaded.
    pub fn keep(&mut self) -> &mut Self {
        self.undo = Undo::Never;
        self
    }

    /// Lets the variable `name` start anew, with its initial value, if it no longer fits its
    /// storage: another size, alignment or type. Without a rule the update is refused.
    pub fn reset(&mut self, name: impl Into<String>) -> &mut Self {
        self.rules.named.insert(name.into(), Rule::Reset);
        self
    }

    /// The same for every variable without a rule of its own.
    pub fn reset_all(&mut self) -> &mut Self {
        self.rules.all = Some(Rule::Reset);
        self
    }

    /// Whether the update is refused with [`ErrorKind::Storage`] if it gives a table of virtual
    /// functions another order ([`ModuleReport::virtual_tables`](super::ModuleReport::virtual_tables));
    /// it is not unless this says so.
    pub fn keep_tables(&mut self, keep: bool) -> &mut Self {
        self.rules.keep_tables = keep;
        self
    }

    /// Has `by` fill the new storage of the variable `name` from the old, if it no longer
    /// fits. It runs when the update is committed, before anything changes, and must not use
    /// the runtime; code that writes to the old storage afterwards writes in vain.
    pub fn migrate(
        &mut self,
        name: impl Into<String>,
        by: impl Fn(&mut Migrated<'_>) + Send + Sync + 'static,
    ) -> &mut Self {
        self.rules.named.insert(name.into(), Rule::Migrate(Arc::new(by)));
        self
    }

    /// The same for every variable without a rule of its own.
    pub fn migrate_all(&mut self, by: impl Fn(&mut Migrated<'_>) + Send + Sync + 'static) -> &mut Self {
        self.rules.all = Some(Rule::Migrate(Arc::new(by)));
        self
    }

    /// Compiles, links and checks everything. Nothing that anyone could observe changes, and
    /// the update is empty afterwards.
    ///
    /// Updates of several threads wait for each other, but only while they link.
    ///
    /// # Errors
    /// Every problem found, see [`Error::problems`]: sources that do not parse or compile,
    /// relocations that cannot be applied, names already in use or unknown, types and
    /// variables that do not fit what stays, a full arena, too much code still held by
    /// threads ([`Builder::retained_limit`](super::Builder::retained_limit)).
    pub fn prepare(&mut self) -> Result<PreparedUpdate> {
        let plan = Plan {
            steps: std::mem::take(&mut self.steps),
            wants: std::mem::take(&mut self.wants),
            strict: self.strict,
            rules: self.rules.clone(),
            rebuild: self.rebuild,
            undo: self.undo,
        };
        PreparedUpdate::new(self.runtime, plan, &Caller::here())
    }

    /// Prepares the update and commits it: everything happens, or nothing does.
    ///
    /// # Errors
    /// As [`Self::prepare`] and [`PreparedUpdate::commit`].
    pub fn commit(&mut self) -> Result<Report> {
        self.prepare()?.commit()
    }

    /// Compiles and links everything, then takes it back: tells whether [`Self::commit`]
    /// would succeed. None of the update's code runs, and the update stays as it is.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn check(&self) -> Result<()> {
        let plan = Plan {
            steps: self.steps.clone(),
            wants: self.wants.clone(),
            strict: self.strict,
            rules: self.rules.clone(),
            rebuild: self.rebuild,
            undo: self.undo,
        };
        PreparedUpdate::new(self.runtime, plan, &Caller::here()).map(drop)
    }
}

pub(super) fn already_loaded(name: &str) -> Error {
    Error::new(ErrorKind::Update, format!("module {name} is loaded already"))
        .in_module(name)
        .hint("use replace to change it, or another name")
}

pub(super) fn unknown_module(name: &str) -> Error {
    Error::new(ErrorKind::Update, format!("there is no module {name}"))
        .in_module(name)
        .hint("use load to add it")
}

pub(super) fn given_twice(name: &str) -> Error {
    Error::new(ErrorKind::Update, format!("module {name} occurs twice in one update"))
        .in_module(name)
        .hint("give each module its own name")
}
