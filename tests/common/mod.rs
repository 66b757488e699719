//! Shared support of the tests (and benchmarks) that run real programs.
//!
//! `crates` finds C sources in the Cargo registry, `programs` is the table of programs,
//! `build` turns a program into sets of files (bitcode, objects, …) with a cache,
//! `expected` is what the native program does,
//! `run` runs a file set under `hotslot run`, or natively, and compares what came out.
//! Nothing here knows the library: the programs go through the command line only.
//!
//! Every test binary compiles its own copy and uses a part of it.
#![allow(dead_code)]

pub mod build;
pub mod crates;
pub mod expected;
pub mod programs;
pub mod run;
