//! The options of `--control` and of `hotslot ctl`: names, formats and help.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::protocol::Decision;

/// Who may have the program changed while it runs.
#[derive(Debug, Args)]
pub struct ControlOptions {
    /// Listen on a Unix socket at PATH for `hotslot ctl PATH`
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// Take keys from the terminal: r rebuilds, u undoes the last update, s says what runs, q
    /// quits. The program's stdin is empty then
    #[arg(long)]
    pub keys: bool,
}

/// `hotslot ctl`.
#[derive(Debug, Args)]
#[command(after_help = "\
The exit code is 0 if it was done, 1 if it was refused or failed, or nobody listens, 2 if the \
request is not understood or names what is not there.

  hotslot ctl /tmp/game.sock status
  hotslot ctl /tmp/game.sock swap src/physics.c src/world.c
  hotslot ctl /tmp/game.sock swap src/physics.c=build/physics.o")]
pub struct CtlOptions {
    /// What `hotslot run --control` was given
    #[arg(value_name = "PATH")]
    pub socket: PathBuf,

    /// What is wanted.
    #[command(subcommand)]
    pub action: CtlAction,

    /// Print the answer as the line of JSON that it is
    #[arg(long, global = true)]
    pub json: bool,

    /// Give up after so many milliseconds, instead of never
    #[arg(long, value_name = "MS", global = true)]
    pub timeout: Option<u64>,
}

/// What is wanted of a program.
#[derive(Debug, Subcommand)]
pub enum CtlAction {
    /// Say what runs
    Status,
    /// List the generations that are in memory, of every module or of MODULE
    History {
        /// The module
        module: Option<String>,
    },
    /// Replace modules by what the files hold now, all in one update
    Swap {
        /// A file that the program was made of, or MODULE=FILE for any source, IR, bitcode or
        /// object
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// Return to an earlier generation
    Rollback {
        /// The module
        module: String,
        /// Which one, the one before the live one unless said otherwise
        generation: Option<u64>,
    },
    /// List what was replaced and cannot be freed yet, and who holds it
    Pending,
    /// Free what nobody holds
    Reclaim,
    /// Compile a module again from its file, or all of them
    Rebuild {
        /// The module
        module: Option<String>,
    },
    /// Take the last update back
    Undo,
    /// Say what becomes of the update that --on-incompatible ask waits with
    Decide {
        /// What
        decision: Decision,
    },
    /// End the program
    Quit,
}

/// What restores a terminal.
#[derive(Debug, Args)]
pub struct GuardOptions {
    /// Stay, instead of starting one that does
    #[arg(long)]
    pub stay: bool,
}
