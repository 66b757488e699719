//! Hooks: what the code of a program can say about its updates, by `hotslot.h`.
//!
//! Owns the order of an update that goes through them: prepare, wait for the program's safe
//! point, callbacks, commit, migrations, callbacks. [`shared`] is what the program has said,
//! [`table`] the way from and to C.

mod shared;
mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::{Migrated, PreparedUpdate, Report, Runtime, Update};
use shared::{Hook, NotRun, Shared, When};

/// The hooks of a runtime's code, see [`Hooks::install`].
///
/// Code that includes `hotslot.h` ([`Hooks::HEADER`]) can register callbacks around updates,
/// say where it is safe to update, and carry over variables whose type changes. That holds for
/// updates that are made with [`Hooks::commit`].
#[derive(Clone)]
pub struct Hooks {
    runtime: Runtime,
    shared: &'static Shared,
    patience: Duration,
}

/// An update that went live by [`Hooks::commit`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Applied {
    /// What it did.
    pub report: Report,
    /// How long it waited for the program's safe point.
    pub waited: Duration,
    /// The program's generation now.
    pub generation: u64,
    /// Why callbacks and migrations of the program did not come to their end, as
    /// [`Function::try_call`](crate::Function::try_call) would say it. That stops no update: it may
    /// be the one that mends them.
    pub failed: Vec<Error>,
}

/// A variable that has new storage.
struct Moved {
    name: String,
    old: Vec<u8>,
    new: (u64, usize),
}

/// How long an update waits for a safe point, unless somebody says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often an update that was overtaken while it waited is prepared, at most.
const ROUNDS: usize = 4;

impl Hooks {
    /// The text of `hotslot.h`.
    pub const HEADER: &'static str = include_str!("hotslot.h");

    /// Defines what the header refers to in `runtime`. Call before code that uses it is loaded.
    ///
    /// # Errors
    /// As [`Runtime::define_data`].
    pub fn install(runtime: &Runtime) -> Result<Self> {
        // Code holds its address, and may run as long as the process.
        let shared: &'static Shared = Box::leak(Box::new(Shared::new()));
        table::define(runtime, shared)?;
        Ok(Self { runtime: runtime.clone(), shared, patience: PATIENCE })
    }

    /// The same hooks, where an update waits so long for a safe point.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// What `hotslot_generation()` is: 1, and one more with each update.
    pub fn generation(&self) -> u64 {
        self.shared.generation()
    }

    /// Whether an update waits for a safe point.
    pub fn is_waiting(&self) -> bool {
        self.shared.is_waiting()
    }

    /// The program ends: no update waits for its safe point any more.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Prepares `update` and commits it where and when the program wants that.
    ///
    /// If the program has safe points this waits for one, and callbacks and constructors run on
    /// that thread; otherwise all of it happens on this one. Variables that do not fit and that
    /// the program has a migration for are carried over; beside the rules of the update, not
    /// instead.
    ///
    /// Do not call it on a thread that is to come to a safe point.
    ///
    /// # Errors
    /// As [`Update::commit`], and [`ErrorKind::SafePoint`] if no safe point came in time.
    pub fn commit(&self, update: &mut Update<'_>) -> Result<Applied> {
        let _turn = self.shared.turn.lock();
        let again = update.clone();
        let begun = Instant::now();
        for round in 1.. {
            let (prepared, moved) = self.prepare(update)?;
            if !self.shared.has_safe_points() {
                return self.make_live(prepared, &moved, Duration::ZERO);
            }
            let this = self.clone();
            let work = move || {
                // To make it fit again is not for the program's thread, and callbacks are for
                // what goes live.
                if round < ROUNDS && !prepared.is_current() {
                    return Err(Box::new(prepared));
                }
                Ok(this.make_live(prepared, &moved, begun.elapsed()))
            };
            match self.shared.at_safe_point(self.patience, work).map_err(|why| self.not_run(why))? {
                Ok(result) => return result,
                Err(_overtaken) => *update = again.clone(),
            }
        }
        Err(self.not_run(NotRun::Late))
    }

    /// Takes the last update back as [`Runtime::undo`] does, where and when the program wants
    /// that: see [`Self::commit`].
    ///
    /// # Errors
    /// As [`Runtime::undo`] and [`Self::commit`].
    pub fn undo(&self) -> Result<Option<Applied>> {
        self.runtime.undo_by(None, |update| self.commit(update))
    }

    /// Takes the last update back as [`Runtime::undo_cause`] does, after a crash on this thread:
    /// at once and here, as the program is at no safe point and may come to none before it
    /// crashes again.
    ///
    /// # Errors
    /// As [`Runtime::undo_cause`].
    pub fn undo_cause(&self, error: &Error) -> Result<Option<Applied>> {
        self.runtime.undo_by(Some(error), |update| {
            let (prepared, moved) = self.prepare(update)?;
            self.make_live(prepared, &moved, Duration::ZERO)
        })
    }

    fn not_run(&self, why: NotRun) -> Error {
        let message = match why {
            NotRun::Late => format!(
                "the program came to no safe point within {:.1} seconds: nothing was changed",
                self.patience.as_secs_f64()
            ),
            NotRun::Closed => "the program ends: nothing was changed".to_owned(),
        };
        Error::new(ErrorKind::SafePoint, message).hint(
            "a program that has called hotslot_safe_point is updated there only: call it where the \
             program comes by often",
        )
    }

    /// Prepares `update`, with the program's migrations if it does not go without.
    fn prepare(&self, update: &mut Update<'_>) -> Result<(PreparedUpdate, Arc<Mutex<Vec<Moved>>>)> {
        let moved = Arc::new(Mutex::new(Vec::new()));
        let mut again = update.clone();
        let refusal = match update.prepare() {
            Ok(prepared) => return Ok((prepared, moved)),
            Err(refusal) => refusal,
        };
        // Rules make modules be compiled as a whole, so they are for when they are wanted.
        let unfit = refusal.problems().filter(|problem| problem.kind() == ErrorKind::Storage);
        let unfit: Vec<&str> = unfit.filter_map(Error::symbol).filter(|name| is_name(name)).collect();
        if unfit.is_empty() {
            return Err(refusal);
        }
        for name in unfit {
            let moved = moved.clone();
            again.migrate(name, move |migrated: &mut Migrated<'_>| {
                let new = (migrated.new_address, migrated.new.len());
                let (name, old) = (migrated.name.to_owned(), migrated.old.to_vec());
                moved.lock().push(Moved { name, old, new });
            });
        }
        // Of two refusals the first knows all.
        let Ok(prepared) = again.prepare() else { return Err(refusal) };
        let modules = || prepared.report().modules.iter();
        let is_wanted = |variable: &String| {
            self.shared.migration(variable).is_some()
                || modules().any(|module| {
                    let brought =
                        [&module.new_functions, &module.changed_functions, &module.unchanged_functions];
                    brought.into_iter().flatten().any(|function| *function == by_name(variable))
                })
                || self.runtime.address_of(&by_name(variable)).is_ok()
        };
        if modules().flat_map(|module| &module.migrated_variables).all(is_wanted) {
            return Ok((prepared, moved));
        }
        Err(refusal)
    }

    fn make_live(
        &self,
        prepared: PreparedUpdate,
        moved: &Mutex<Vec<Moved>>,
        waited: Duration,
    ) -> Result<Applied> {
        // A callback may crash under a guard of its own, which takes an update back. That is part
        // of the update that it is called for, and told with it.
        let making = match self.shared.is_making() {
            true => None,
            false => Some(self.shared.begin(self.patience).map_err(|why| self.not_run(why))?),
        };
        let tell = |when, generation| match &making {
            Some(_) => self.tell(when, generation),
            None => Vec::new(),
        };
        let mut failed = tell(When::Before, self.generation() + 1);
        let report = match prepared.commit() {
            Ok(report) => report,
            Err(refusal) => {
                // Those before have run.
                tell(When::After, self.generation());
                return Err(refusal);
            }
        };
        let generation = self.shared.advance();
        for Moved { name, old, new } in std::mem::take(&mut *moved.lock()) {
            let found = || {
                let function = self.runtime.address_of(&by_name(&name)).ok()?;
                Some(Hook { function: function as usize, context: 0 })
            };
            match self.shared.migration(&name).or_else(found) {
                Some(hook) => {
                    let carried = self.runtime.contained(|| table::call_migration(hook, new, &old));
                    failed.extend(carried.err());
                }
                None => failed.push(left_behind(&name)),
            }
        }
        failed.extend(tell(When::After, generation));
        Ok(Applied { report, waited, generation, failed })
    }

    /// Calls the callbacks; why some did not come to their end.
    fn tell(&self, when: When, generation: u64) -> Vec<Error> {
        let mut failed = Vec::new();
        for hook in self.shared.callbacks(when) {
            let Err(error) = self.runtime.contained(|| table::call(hook, generation)) else { continue };
            failed.push(error);
            // An edit that deletes a function does not end its registrations.
            if self.runtime.is_missing(hook.function) {
                self.shared.remove(hook);
            }
        }
        failed
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("generation", &self.generation()).finish_non_exhaustive()
    }
}

/// The function that would carry it over was that of the code that has gone.
fn left_behind(variable: &str) -> Error {
    let message = format!("variable {variable} has its initial value: no migration for it is there any more");
    Error::new(ErrorKind::Storage, message).about(variable)
}

/// Not several variables in one section.
fn is_name(symbol: &str) -> bool {
    !symbol.contains([',', ' '])
}

/// The function that carries a variable over, if nothing was registered for that.
fn by_name(variable: &str) -> String {
    format!("hotslot_migrate_{variable}")
}
