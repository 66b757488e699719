//! What an update will do, said before it does it.
//!
//! Owns the parts of the report that come from comparing a module with what it replaces.

use super::prepare::Batch;
use super::report::ModuleReport;
use crate::link::{Definition, Links};
use crate::table::Target;

impl Batch<'_> {
    /// The report of a module that has been linked. `replaces` is the module that it is a new
    /// generation of; `number` that generation's, if it has been there before.
    pub(super) fn describe_module(
        &self,
        name: &str,
        replaces: Option<u32>,
        number: Option<u64>,
        linked: &Links,
        definitions: &[Definition],
    ) -> ModuleReport {
        let old = replaces.and_then(|id| self.state.module(id));
        // Local functions whose address is taken are in the table too, under scoped names.
        let exported = definitions.iter().filter(|d| !self.state.symbols.get(d.id).is_local());
        let (mut functions, mut variables) = (0, 0);
        for definition in exported {
            match definition.target {
                Target::Function(_) => functions += 1,
                _ => variables += 1,
            }
        }
        let image = &linked.image;
        let storages = image.storages.len() + usize::from(image.thread_locals.is_some());
        ModuleReport {
            name: name.to_owned(),
            generation: number.unwrap_or_else(|| old.map_or(1, |old| old.newest + 1)),
            functions,
            variables,
            code_bytes: image.code_bytes(),
            constant_bytes: image.constant_bytes(),
            variable_bytes: image.variable_bytes(),
            kept_storage: linked.kept,
            reset_storage: if old.is_some() { storages - linked.kept } else { 0 },
            skipped_initialisers: if old.is_some() { image.init.len() } else { 0 },
            restored: number.is_some(),
        }
    }

    /// Completes the report once everything is known.
    pub(super) fn finish_report(&mut self) {
        self.prepared.moves = self.prepared.changed.iter().any(|&id| self.is_moved(id));
        let prepared = &mut self.prepared;
        let staged = prepared.staged.iter().map(|module| &module.report);
        let restored = prepared.restored.iter().map(|module| &module.report);
        prepared.report.modules = staged.chain(restored).cloned().collect();
        let removed = prepared.removed.iter().filter_map(|&id| self.state.module(id));
        prepared.report.removed = removed.map(|module| module.name.to_string()).collect();
    }
}
