//! The figures that the foundation must reach, measured and compared in one run.
//!
//! Owns the list of figures. What a figure means and how it is measured is in its own file;
//! the command line and the table are those of all benchmarks.
#![allow(unsafe_code)]

mod calls;
#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../common/mod.rs"]
mod harness;
mod link;
mod lljit;
mod memory;
mod programs;
mod scale;
mod sites;

use std::process::ExitCode;

use harness::{child, objects, report, resident, rounds};

fn main() -> ExitCode {
    harness::run(
        &[
            ("link", link::figure),
            ("memory", memory::figure),
            ("scale", scale::figure),
            ("call", calls::figure),
            ("sites", sites::figure),
            ("programs", programs::figure),
        ],
        &[
            ("link", |_| link::child()),
            ("relink", link::relink),
            ("memory", memory::child),
            ("scale", |_| scale::child()),
            ("call", |_| calls::child()),
            ("sites", |_| sites::child()),
        ],
    )
}
