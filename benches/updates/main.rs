//! What an update costs: those who make it, those who call meanwhile, and the memory.
//!
//! Owns the list of figures. What a figure means and how it is measured is in its own file;
//! the command line and the table are those of all benchmarks.
#![allow(unsafe_code)]

mod callers;
mod commit;
#[path = "../../tests/common/mod.rs"]
mod common;
mod generations;
#[path = "../common/mod.rs"]
mod harness;
mod lua;
mod pauses;
mod reclaim;
mod retained;
mod rollback;
mod size;

use std::process::ExitCode;

use harness::{child, objects, report, resident, rounds};

fn main() -> ExitCode {
    harness::run(
        &[
            ("commit", commit::figure),
            ("pause", pauses::figure),
            ("rollback", rollback::figure),
            ("lua", lua::figure),
            ("size", size::figure),
            ("reclaim", reclaim::figure),
            ("memory", retained::figure),
        ],
        &[
            ("commit", |_| commit::child()),
            ("pause", |_| pauses::child()),
            ("rollback", rollback::child),
            ("lua", |_| lua::child()),
            ("size", size::child),
            ("reclaim", reclaim::child),
            ("memory", retained::child),
        ],
    )
}
