//! What an edit costs: by hotslot, and by every other way to get it into a running program.
//!
//! Owns the list of figures. What a figure means and how it is measured is in its own file;
//! the command line and the table are those of all benchmarks. The ways themselves are those of
//! `hotslot compare`; LLJIT and MCJIT, which need a host of their own, are here.
//!
//! `cargo bench --bench edits -- [--quick] [--write] [FIGURE...]`; `--write` keeps the figures
//! and plots in `docs/benchmarks`.
#![allow(unsafe_code)]

mod changes;
#[path = "../../tests/common/mod.rs"]
mod common;
mod contenders;
mod floor;
mod follow;
mod generated;
mod growth;
#[path = "../common/mod.rs"]
mod harness;
mod inputs;
mod lljit;
mod llvm;
mod lua;
mod mcjit;
mod measure;
mod memory;
mod plots;
mod record;
mod sqlite;
mod start;
mod steady;
mod stubs;
mod symbols;
#[path = "../../src/cli/ways/mod.rs"]
mod ways;

use std::process::ExitCode;

use harness::{child, quick, report, rounds};

fn main() -> ExitCode {
    harness::run_and_then(
        &[
            ("lua", lua::figure),
            ("growth", growth::figure),
            ("follow", follow::figure),
            ("sqlite", sqlite::figure),
            ("floor", floor::figure),
            ("memory", memory::figure),
            ("steady", steady::figure),
            ("start", start::figure),
        ],
        &[
            ("edits", measure::child),
            ("sqlite", sqlite::child),
            ("recompile", sqlite::recompile),
            ("floor", floor::child),
            ("follow", follow::child),
            ("memory", memory::child),
            ("steady", steady::child),
            ("redraw", record::redraw),
        ],
        record::write,
    )
}
