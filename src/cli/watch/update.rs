//! All that was changed, made live in one step.
//!
//! Owns what a set of changed units becomes in the library: replacements, modules that are new,
//! modules that go; and what a linker would add for them. Does not know why, or what is told of
//! it.

use std::path::PathBuf;

use hotslot::{Error, ErrorKind, Report, Runtime, Source, Update};

use crate::cli::failure::Failure;
use crate::cli::{crash, hooks, libraries};

/// What is done with a module.
pub struct Change {
    pub module: String,
    /// What clang, an assembler or somebody else has made; nothing for a module that goes.
    pub source: Option<Source>,
    /// Only where something needs it.
    pub on_demand: bool,
}

/// What becomes of what does not fit.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Variables start anew.
    pub reset: bool,
    /// C++: tables of virtual functions keep their order, or nothing becomes of it all.
    pub keep_tables: bool,
}

/// Where modules are made live.
pub struct Target {
    pub runtime: Runtime,
    /// The program's libraries and where they are looked for, absolute paths.
    pub libraries: Vec<String>,
    pub library_dirs: Vec<PathBuf>,
}

impl Target {
    /// Makes the changes live, all or none, as the rules want it.
    pub fn commit(&self, changes: &[Change], rules: Rules) -> Result<Report, Error> {
        let loaded = self.modules();
        match self.attempt(changes, &loaded, rules, false) {
            // As a linker: what is missing may be in a library, or the compiler's own.
            Err(error) if error.problems().any(|one| one.kind() == ErrorKind::Resolve) => {
                let found = self.attempt(changes, &loaded, rules, true);
                found.map_err(|again| if again.kind() == ErrorKind::Resolve { again } else { error })
            }
            result => result,
        }
    }

    /// Whether a module is made of this, whoever has made it live.
    pub fn runs(&self, module: &str, source: &Source) -> bool {
        runs(&self.runtime, module, source)
    }

    /// The names of all modules.
    pub fn modules(&self) -> Vec<String> {
        self.runtime.modules().into_iter().map(|(name, _)| name).collect()
    }

    fn attempt(
        &self,
        changes: &[Change],
        loaded: &[String],
        rules: Rules,
        libraries: bool,
    ) -> Result<Report, Error> {
        let mut update = self.runtime.update();
        for change in changes {
            let is_there = loaded.contains(&change.module);
            match change.source.clone() {
                Some(source) if is_there => _ = update.replace(&change.module, source),
                Some(source) if change.on_demand => _ = update.load(&change.module, source.on_demand()),
                Some(source) => _ = update.load(&change.module, source),
                None if is_there => _ = update.remove(&change.module),
                None => {}
            }
        }
        if libraries {
            // What cannot be found was not needed for the first load either.
            let _: Result<(), Failure> =
                libraries::add(&mut update, self.libraries.iter(), &self.library_dirs);
            if let Some((name, support)) = libraries::compiler_support()
                && !loaded.iter().any(|module| module.starts_with(&name))
            {
                update.load(name, support);
            }
        }
        if rules.reset {
            update.reset_all();
        }
        update.keep_tables(rules.keep_tables);
        commit(update.strict())
    }
}

/// Whether a module is made of this.
pub fn runs(runtime: &Runtime, module: &str, source: &Source) -> bool {
    let history = runtime.history(module).unwrap_or_default();
    history.iter().any(|one| one.live && one.source_hash == source.hash())
}

/// As the program wants updates, where it says so by its hooks.
pub fn commit(update: &mut Update<'_>) -> Result<Report, Error> {
    Ok(match hooks::of_program() {
        Some(hooks) => {
            let applied = hooks.commit(update)?;
            crash::callbacks_failed(&applied);
            applied.report
        }
        None => update.commit()?,
    })
}

/// Takes the last update back, if there is one; and says what of its state is lost by that.
pub fn undo(runtime: &Runtime) -> Result<Option<(Report, Vec<String>)>, Error> {
    Ok(match hooks::of_program() {
        Some(hooks) => hooks.undo()?.map(|applied| {
            crash::callbacks_failed(&applied);
            let lost = crash::lost(&applied).map(|lost| format!("{lost:#}")).collect();
            (applied.report, lost)
        }),
        None => runtime.undo()?.map(|report| (report, Vec::new())),
    })
}
