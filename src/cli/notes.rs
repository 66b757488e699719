//! What an update cannot do, said when it is live.
//!
//! Owns the words that `--watch` and `hotslot ctl` have in common. Reads the library's report.

use std::collections::BTreeSet;

use hotslot::{Error, Report, TypesFrom};

use super::enter;
use super::names;

/// How symbols of tables of virtual functions begin.
const TABLE: &str = "_ZTV";

/// C++: classes with virtual functions in other places. Several modules may have a table of one.
pub fn tables(report: &Report) -> Vec<String> {
    let modules = report.modules.iter().filter(|module| !module.restored);
    let tables: BTreeSet<&String> = modules.flat_map(|module| &module.virtual_tables).collect();
    let note = |table: &&String| {
        format!(
            "objects of class {} made before keep the old table of virtual functions: new virtual calls of \
             them go to the wrong place; with --on-incompatible restart the program starts anew",
            names::readable(table)
        )
    };
    tables.iter().map(note).collect()
}

/// Whether an update was refused for such a table.
pub fn is_table(error: &Error) -> bool {
    error.symbol().is_some_and(|symbol| symbol.starts_with(TABLE))
}

/// The program has not returned from the function that it was started in.
pub fn still_running(report: &Report) -> Option<String> {
    let entry = enter::entered()?;
    let changed = |module: &hotslot::ModuleReport| {
        let named = module.changed_functions.iter().any(|function| function == entry);
        // Of an object it is not known which functions are others.
        named && module.types == TypesFrom::Ir && !module.restored
    };
    let changed = report.modules.iter().any(|module| changed(module));
    changed.then(|| format!("{entry} is still running its old code: its new code is for its next call"))
}
