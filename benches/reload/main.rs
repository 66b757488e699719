//! What a save costs under `hotslot run --watch`, from the file system to the running program.
//!
//! Owns the list of figures. What a figure means and how it is measured is in its own file;
//! the command line and the table are those of all benchmarks.
#![allow(unsafe_code)]

#[path = "../../tests/common/mod.rs"]
mod common;
mod crash;
mod edits;
#[path = "../common/mod.rs"]
mod harness;
mod header;
mod idle;
mod native;
mod program;
mod save;
mod tree;
mod watched;

use std::process::ExitCode;

use harness::{quick, report, rounds};

fn main() -> ExitCode {
    harness::run(
        &[
            ("save", save::figure),
            ("make", save::make_figure),
            ("header", header::figure),
            ("idle", idle::figure),
            ("crash", crash::figure),
        ],
        &[],
    )
}
