//! The options of `hotslot compare`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::super::options::{Compilers, Level};
use super::super::ways;

/// `hotslot compare`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --edit an edit is made up: one function of a module gets other code that does the same.
The program does not run unless --run is given; constructors do, where a way loads the program.

  hotslot compare src/*.c -lm
  hotslot compare main.c parser.c --edit new/parser.c
  hotslot compare main.c parser.c --edit parser.c=/tmp/parser-2.c --call version
  hotslot compare --run main.c parser.c -- input.txt

What is measured, and how, is in docs/compare.md.")]
pub struct CompareOptions {
    /// Sources and IR: .c .cc .cpp .cxx .ll .bc
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Arguments for the program with --run, which they imply
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<OsString>,

    /// The new content of the FILE with the same name, or of OLD
    #[arg(long = "edit", value_name = "[OLD=]FILE")]
    pub edits: Vec<OsString>,

    /// Call `int FUNCTION(void)` of the edited file after each edit and show what it answers
    #[arg(long, value_name = "FUNCTION", requires = "edits")]
    pub call: Option<String>,

    /// Also run the program by each way, and measure that
    #[arg(long)]
    pub run: bool,

    #[command(flatten)]
    /// Which compilers to use.
    pub compilers: Compilers,

    /// Flags for the C and C++ compiler, split as a shell would
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    pub cflags: Vec<String>,

    /// Optimisation level, the same for every way
    #[arg(short = 'O', long = "level", value_name = "LEVEL", default_value = "2")]
    pub optimise: Level,

    /// Link a library, as `cc -l` does
    #[arg(short = 'l', value_name = "NAME")]
    pub libraries: Vec<String>,

    /// Look for libraries in DIR first
    #[arg(short = 'L', value_name = "DIR")]
    pub library_dirs: Vec<PathBuf>,

    /// Generate code for this CPU, `native` for the one at hand
    #[arg(long, value_name = "NAME")]
    pub cpu: Option<String>,

    /// Only these ways
    #[arg(long = "way", value_name = "NAME", value_delimiter = ',', value_parser = way_names())]
    pub ways: Vec<String>,

    /// How often each way loads the program and takes the edits, in turn with the others
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// How many edits a round
    #[arg(long = "count", value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,

    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// One way, in a process of its own.
#[derive(Debug, Args)]
pub struct CompareOneOptions {
    /// The directory of the job
    pub job: PathBuf,
    /// The way
    pub way: String,
    /// Where the outcome goes
    pub outcome: PathBuf,
    /// Run the program instead of editing it
    #[arg(long)]
    pub run: bool,
    /// Its arguments, its name first
    #[arg(last = true)]
    pub args: Vec<OsString>,
}

fn way_names() -> clap::builder::PossibleValuesParser {
    ways::ALL.iter().map(|way| way.name).collect::<Vec<_>>().into()
}
