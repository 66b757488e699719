//! The options that say which project is run.
//!
//! That the others need `-p` is checked by hand: clap takes what conflicts with a FILE that is there
//! for not required.

use std::path::PathBuf;

use clap::Args;

/// `-p` and what belongs to it.
#[derive(Debug, Args)]
pub struct ProjectOptions {
    /// Run the program that is built in DIR, by its compile_commands.json and what CMake or Ninja
    /// say of linking
    #[arg(short = 'p', long, value_name = "DIR", conflicts_with = "files")]
    pub project: Option<PathBuf>,

    /// With -p: which program, where several are built
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,

    /// With -p: the command line that links the program, where neither CMake nor Ninja says
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    pub link: Option<String>,
}
