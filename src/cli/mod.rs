//! Command dispatch: parses the arguments, runs one command, turns its failure
//! into one message and an exit code.
//!
//! It knows the commands by name only. What they do is in `run.rs` and
//! `doctor.rs`; how the arguments look is in `options.rs`.

mod doctor;
mod enter;
mod failure;
mod frontend;
mod libraries;
mod options;
mod probe;
mod progress;
mod run;
mod signals;
mod timing;
mod words;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use failure::Failure;
use options::{Command, Options};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return refuse(&error),
    };
    let result = match options.command {
        Command::Run(options) => run::run(&options).map(|never| match never {}),
        Command::Doctor(options) => doctor::doctor(&options),
    };
    result.unwrap_or_else(|failure| fail(&failure))
}

/// Help and version go to stdout and are a success; everything else clap has to
/// say is a usage error and looks like our other errors.
fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed stdout is the reader's choice, not a failure of ours.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::FAILURE
        }
        _ => {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            fail(&Failure::new(text.trim_end()))
        }
    }
}

/// Prints a failure the way every command of ours does.
fn fail(failure: &Failure) -> ExitCode {
    // Nobody is left to tell when stderr itself is gone.
    let _ = std::io::stderr().write_all(failure.render().as_bytes());
    ExitCode::FAILURE
}
