//! The options of `hotslot repl`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// `hotslot repl`.
#[derive(Debug, Args)]
#[command(after_help = "\
Definitions replace those of the same name, and callers follow. The value of an expression is
shown; :help lists the commands. Inputs are read from a pipe as well: the exit code is 1 then if
one of them failed.

  hotslot repl
  hotslot repl shapes.c -lm
  echo 'int sq(int x) { return x * x; } sq(7)' | hotslot repl")]
pub struct ReplOptions {
    /// Files to load first, each a module: .c .ll .bc .o, and shared libraries
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// C compiler, a clang of the LLVM version hotslot is built on
    #[arg(long, value_name = "PROGRAM", default_value = "clang-19")]
    pub cc: PathBuf,

    /// Flags for the C compiler, split as a shell would
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    pub cflags: Vec<String>,

    /// Load a library first, as `cc -l` does
    #[arg(short = 'l', value_name = "NAME")]
    pub libraries: Vec<String>,

    /// Look for libraries in DIR first
    #[arg(short = 'L', value_name = "DIR")]
    pub library_dirs: Vec<PathBuf>,

    /// End the code of an input after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub limit: Option<Duration>,

    /// Do not ask before values are lost
    #[arg(short, long)]
    pub yes: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "it has to be a number, for instance 10 or 0.5".to_owned())?;
    match number > 0.0 {
        true => Duration::try_from_secs_f64(number).map_err(|error| error.to_string()),
        false => Err("it has to be above 0".to_owned()),
    }
}
