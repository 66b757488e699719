//! `hotslot repl`: C, typed and run, definitions replaced while the session lives.
//!
//! The parts: [`syntax`] says what an input is; [`document`] has the definitions, [`dependencies`]
//! and [`change`] what follows from another one; [`text`] and [`front_end`] make objects of them,
//! [`build`] puts these together; [`machine`] loads and runs them; [`session`] is the order of all
//! that. [`value`] shows values, [`terminal`] reads inputs. [`supervisor`] has the processes.

mod branches;
mod build;
mod change;
mod commands;
mod console;
mod dependencies;
mod document;

mod faults;
mod files;
mod front_end;
mod interrupts;
mod journal;
mod machine;
mod names;
pub mod options;
mod refused;
mod running;
mod save;
mod script;
mod session;
mod shown;
mod supervisor;
mod syntax;
mod terminal;
mod text;
mod tokens;

mod value;

use std::process::ExitCode;

use options::ReplOptions;

use super::failure::Failure;

/// Runs a session until its inputs end.
pub fn run(options: &ReplOptions) -> Result<ExitCode, Failure> {
    supervisor::supervise(|start| running::run(options, start))
}
