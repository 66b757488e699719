//! What an update does to tables of virtual functions.
//!
//! Owns finding those whose places are other ones, and their being an error where the host asked
//! for that. When a place is another one is the compile stage's.

use super::make::Made;
use super::prepare::Batch;
use crate::compile;
use crate::error::{Error, ErrorKind};

impl Batch<'_> {
    /// Symbols of tables of the module `id` that objects made until now do not follow, if it is
    /// replaced by what was `made`.
    pub(super) fn moved_tables(&self, id: Option<u32>, made: &Made) -> Vec<String> {
        let before = id.and_then(|id| self.state.module(id)?.current.known.as_ref());
        match (before, &made.known) {
            (Some(before), Some(now)) => compile::moved_tables(before, now),
            _ => Vec::new(),
        }
    }
}

/// The error for such a table.
pub(super) fn refused(table: &str, module: &str) -> Error {
    let text = format!("objects of {table} made before keep the old table of virtual functions");
    Error::new(ErrorKind::Storage, text)
        .about(table)
        .in_module(module)
        .hint("allow it where no such objects live on: Update::keep_tables(false)")
}
