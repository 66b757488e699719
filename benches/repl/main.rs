//! What a REPL host pays: for a definition, for a line that is run once, for a line that crashes.
//!
//! Owns the list of figures. The language is that of `examples/kaleidoscope`, with its own parser and
//! emitter. What a figure means and how it is measured is in its own file; the command line and the table
//! are those of all benchmarks.
#![allow(unsafe_code)]

#[path = "../../tests/common/mod.rs"]
mod common;
mod definitions;
#[path = "../../examples/kaleidoscope/emit.rs"]
mod emit;
mod expressions;
mod faults;
#[path = "../common/mod.rs"]
mod harness;
mod language;
mod recompiled;
#[allow(dead_code)] // the example tells its user what is wrong
#[path = "../../examples/kaleidoscope/syntax.rs"]
mod syntax;

use std::process::ExitCode;

use harness::{child, report, resident, rounds};

/// That of the example.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    harness::run(
        &[
            ("definitions", definitions::figure),
            ("expressions", expressions::figure),
            ("faults", faults::figure),
        ],
        &[
            ("definitions", definitions::child),
            ("recompiled", recompiled::child),
            ("expressions", expressions::child),
            ("faults", faults::child),
        ],
    )
}
