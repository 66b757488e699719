//! Command dispatch: parses the arguments, runs one command, turns its failure
//! into one message and an exit code.
//!
//! It knows the commands by name only. What they do is in `run.rs` and
//! `doctor.rs`; how the arguments look is in `options.rs`.

mod ahead;
mod assembler;
mod cache;
mod cancel;
mod colours;
mod compare;
mod compiler;
mod contents;
mod control;
mod crash;
mod descriptors;
mod doctor;
mod enter;
mod exit;
mod failure;
mod flags;
mod frontend;
mod hooks;
mod kept;
mod lead;
mod libraries;
mod members;
mod names;
mod notes;
mod optimiser;
mod options;
mod preamble;
mod probe;
mod program;
mod progress;
mod project;
mod repl;
mod rule;
mod run;
mod signals;
mod spare;
mod stress;
mod summary;
#[cfg(test)]
mod tests_frontend;
mod threads;
mod timing;
mod tools;
mod unit;
mod watch;
mod ways;
mod words;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use failure::Failure;
use options::{Command, Options};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return refuse(&error, usage_code()),
    };
    let result = match options.command {
        Command::Run(options) => run::run(&options).map(|never| match never {}),
        Command::Compare(options) => compare::compare(&options),
        Command::CompareOne(options) => compare::one(&options),
        Command::Doctor(options) => doctor::doctor(&options),
        Command::Cache(command) => cache::run(&command),
        Command::Ctl(options) => control::client::run(&options),
        Command::Repl(options) => repl::run(&options),
        Command::Header(options) => hooks::header(&options),
        Command::TerminalGuard(options) => control::guard::run(&options),
    };
    result.unwrap_or_else(|failure| fail(&failure))
}

/// Help and version go to stdout and are a success; everything else clap has to
/// say is a usage error and looks like our other errors.
fn refuse(error: &clap::Error, code: ExitCode) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed stdout is the reader's choice, not a failure of ours.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            code
        }
        _ => {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            match compilers_option(error, std::env::args_os().map(|word| word.to_string_lossy().into_owned()))
            {
                // The rest is on how to give it to the program, which it is not meant for.
                Some(word) => {
                    let first = text.lines().next().unwrap_or_default();
                    let hint = format!(
                        "flags for the compiler go into --cflags, as --cflags={word}; those for the \
                         program behind `--`"
                    );
                    fail(&Failure::new(first).hint(hint));
                }
                None => _ = fail(&Failure::new(text.trim_end())),
            }
            code
        }
    }
}

/// What a command line that is not understood ends with. To `hotslot ctl` 1 means that the
/// program has refused.
fn usage_code() -> ExitCode {
    match std::env::args_os().nth(1) {
        Some(word) if word == "ctl" => ExitCode::from(control::client::SENSELESS),
        _ => ExitCode::FAILURE,
    }
}

/// The whole of an unknown option with a single dash, as compilers have them: of `-Wall` the
/// error names `-W` only.
fn compilers_option(error: &clap::Error, mut words: impl Iterator<Item = String>) -> Option<String> {
    let Some(ContextValue::String(start)) = error.get(ContextKind::InvalidArg) else { return None };
    if error.kind() != ErrorKind::UnknownArgument || start.starts_with("--") || words.nth(1)? != "run" {
        return None;
    }
    words.take_while(|word| word != "--").find(|word| word.starts_with(start.as_str()))
}

/// Prints a failure the way every command of ours does.
fn fail(failure: &Failure) -> ExitCode {
    // Nobody is left to tell when stderr itself is gone.
    let _ = std::io::stderr().write_all(failure.render().as_bytes());
    ExitCode::FAILURE
}
