//! Variables that no longer fit their storage, and what the host wants done about them.
//!
//! Owns the rules: refuse, which is what happens unless the host said otherwise, start anew,
//! or carry the value over. What does not fit is the linker's finding.

use std::collections::HashMap;
use std::sync::Arc;

use crate::link::Storage;

/// A variable that has new storage, to be filled from the old; see
/// [`Update::migrate`](super::Update::migrate).
#[derive(Debug)]
#[non_exhaustive]
pub struct Migrated<'a> {
    /// The module that defines it.
    pub module: &'a str,
    /// The variable's name as a symbol, or the section's where a compiler put several
    /// variables into one.
    pub name: &'a str,
    /// Its bytes until now.
    pub old: &'a [u8],
    /// Its bytes from now on, which hold the new initial value.
    pub new: &'a mut [u8],
    /// Where the old bytes are for code that is running.
    pub old_address: u64,
    /// Where the new ones will be.
    pub new_address: u64,
}

type Migrate = Arc<dyn Fn(&mut Migrated<'_>) + Send + Sync>;

/// What becomes of a variable that no longer fits.
#[derive(Clone)]
pub(super) enum Rule {
    Reset,
    Migrate(Migrate),
}

/// The rules of an update.
#[derive(Clone, Default)]
pub(super) struct Rules {
    /// For variables without one of their own.
    pub all: Option<Rule>,
    pub named: HashMap<String, Rule>,
}

impl Rules {
    /// The rule for the variable called `name`; without one the update is refused.
    pub(super) fn of(&self, name: &str) -> Option<&Rule> {
        self.named.get(name).or(self.all.as_ref())
    }
}

/// A value to be carried over when the update is committed.
pub(super) struct Migration {
    pub module: Arc<str>,
    pub name: String,
    pub old: Arc<Storage>,
    pub new: Arc<Storage>,
    pub by: Migrate,
}

impl Migration {
    /// Carries the value over.
    pub(super) fn run(&self) {
        let size = |storage: &Storage| usize::try_from(storage.shape.size).unwrap_or_default();
        let old = self.old.block.bytes();
        let mut new = self.new.block.bytes();
        (self.by)(&mut Migrated {
            module: &self.module,
            name: &self.name,
            old: &old[..size(&self.old).min(old.len())],
            new: &mut new[..size(&self.new)],
            old_address: self.old.block.address(),
            new_address: self.new.block.address(),
        });
        self.new.block.fill(&new);
    }
}
