//! `hotslot repl`: C, typed and run, definitions replaced while the session lives.
//!
//! The parts: [`syntax`] says what an input is; [`document`] has the definitions, [`dependencies`]
//! and [`change`] what follows from another one; [`text`] and [`front_end`] make objects of them,
//! [`build`] puts these together; [`machine`] loads and runs them; [`session`] is the order of all
//! that. [`value`] shows values, [`terminal`] reads inputs.

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
mod machine;
mod names;
pub mod options;
mod refused;
mod save;
mod session;
mod shown;
mod syntax;
mod terminal;
mod text;
mod tokens;
mod value;

use std::io::BufRead;
use std::process::ExitCode;

use console::Console;
use front_end::FrontEnd;
use machine::Machine;
use names::Names;
use options::ReplOptions;
use session::{Flow, Session};

use super::failure::Failure;
use super::words;

/// Runs a session until its inputs end.
pub fn run(options: &ReplOptions) -> Result<ExitCode, Failure> {
    let mut flags = Vec::new();
    for line in &options.cflags {
        flags.extend(words::split(line).map_err(Failure::new)?.into_iter().map(Into::into));
    }
    let clang = FrontEnd::new(&options.cc, flags)?;
    let machine = Machine::new()?;
    for name in &options.libraries {
        machine.find_library(name, &options.library_dirs)?;
    }
    let console = Console { interactive: false, agreed: options.yes };
    let mut session = Session::new(clang, machine, Names::default(), console);
    interrupts::install(session.machine.interrupt.clone(), session.cancel.clone())?;
    let mut failed = false;
    for file in &options.files {
        failed |= files::load(&mut session, &file.to_string_lossy()).is_err();
    }
    let mut input = String::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        input.push_str(&line);
        input.push('\n');
        if !syntax::is_complete(&input, &session.names) {
            continue;
        }
        match session.input(&std::mem::take(&mut input)) {
            Ok(Flow::On) => {}
            Ok(Flow::End(code)) => return Ok(code.map_or(ExitCode::from(u8::from(failed)), ExitCode::from)),
            Err(_) => failed = true,
        }
    }
    Ok(ExitCode::from(u8::from(failed)))
}
