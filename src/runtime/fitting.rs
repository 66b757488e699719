//! Variables that no longer fit their storage, and what the host wants done about them.
//!
//! Owns the rules: refuse, which is what happens unless the host said otherwise, start anew,
//! or carry the value over. Addresses of labels start anew: the host can neither use the old ones
//! nor know the new. What does not fit is the linker's finding.

use std::collections::HashMap;
use std::sync::Arc;

use super::prepare::Batch;
use crate::compile::Interface;
use crate::error::{Error, ErrorKind};
use crate::link::{Misfit, Replaced, Storage, Unfit};

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
    /// Tables of virtual functions keep their order.
    pub keep_tables: bool,
}

/// What becomes of a module's variables.
#[derive(Default)]
pub(super) struct Fitted {
    /// Those that the generation before did not have.
    pub fresh: Vec<String>,
    /// Those that start anew.
    pub reset: Vec<String>,
    pub migrated: Vec<String>,
    /// Tables of virtual functions in another order.
    pub tables: Vec<String>,
}

/// A module whose variables have been placed.
pub(super) struct Replacement<'a> {
    pub name: &'a Arc<str>,
    /// Its number, if it replaces an earlier generation.
    pub id: Option<u32>,
    pub interface: &'a Interface,
}

impl Batch<'_> {
    /// Finds the rule for each variable that does not fit; those without are `problems`.
    pub(super) fn apply_rules(
        &mut self,
        rules: &Rules,
        module: &Replacement<'_>,
        misfits: Vec<Misfit>,
        problems: &mut Vec<Error>,
    ) -> Fitted {
        let mut fitted = Fitted::default();
        for misfit in misfits {
            let rule = misfit.names.iter().find_map(|name| rules.named.get(&**name)).or(rules.all.as_ref());
            let names = || misfit.names.iter().map(|name| name.to_string());
            match (rule, &misfit.storage) {
                (Some(Rule::Reset), _) => fitted.reset.extend(names()),
                (Some(Rule::Migrate(by)), Replaced::Storage { old, new, .. }) => {
                    let name = names().collect::<Vec<_>>().join(", ");
                    let (old, new, by) = (old.clone(), new.clone(), by.clone());
                    let module = module.name.clone();
                    self.prepared.migrations.push(Migration { module, name, old, new, by });
                    fitted.migrated.extend(names());
                }
                // Where others share its section they would lose their values.
                (None, _) if misfit.why == Unfit::Labels && misfit.names.len() == 1 => {
                    fitted.reset.extend(names());
                }
                (rule, _) => problems.push(self.misfit(module, &misfit, rule.is_some())),
            }
        }
        fitted
    }

    /// The error for a variable without a rule.
    fn misfit(&self, module: &Replacement<'_>, misfit: &Misfit, migrate: bool) -> Error {
        let names = misfit.names.join(", ");
        let local = matches!(misfit.storage, Replaced::ThreadLocal { .. });
        let (old, new) = match &misfit.storage {
            Replaced::Storage { old, new, .. } => (&old.shape, &new.shape),
            Replaced::ThreadLocal { old, new } => (old, new),
        };
        let why = match misfit.why {
            Unfit::Size => format!("{} bytes before, {} now", old.size, new.size),
            Unfit::Align => format!("aligned to {} bytes before, to {} now", old.align, new.align),
            Unfit::Layout => "which are in one section, are other ones or at other places".to_owned(),
            Unfit::Type => "its type is another one".to_owned(),
            Unfit::Labels => "it holds addresses of labels, which are other ones now".to_owned(),
            Unfit::Model => "it has to be at a fixed place in every thread now".to_owned(),
            Unfit::Room => format!(
                "the {} bytes that every thread has for the module's are used up, {} are wanted",
                old.size, new.size
            ),
        };
        let types = misfit.names.iter().filter_map(|name| {
            let before = self.state.module(module.id?)?.current.variables.iter();
            let before = before.clone().find(|(known, _)| **known == **name)?;
            let now = module.interface.variable(name)?;
            (before.1.text != now.text).then(|| format!("{} before, {} now", before.1.text, now.text))
        });
        let types: Vec<String> = types.collect();
        let types = if types.is_empty() { String::new() } else { format!(" ({})", types.join("; ")) };
        let what = if local { "thread-local variable" } else { "variable" };
        let hint = match (local, migrate, misfit.why) {
            (true, true, _) => "thread-local variables cannot be migrated: let them be reset, or rename them",
            (_, _, Unfit::Layout | Unfit::Labels) => {
                "compile with -fdata-sections, so that each has a section of its own, \
                 or choose what becomes of them: Update::reset, Update::migrate"
            }
            _ => "choose what becomes of its value: Update::reset, Update::migrate",
        };
        Error::new(ErrorKind::Storage, format!("{what} {names} no longer fits its storage: {why}{types}"))
            .about(&names)
            .in_module(module.name)
            .hint(hint)
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
