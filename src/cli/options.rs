//! The command line: every option, its default and its help text.
//!
//! Knows names and value formats only, not what the commands do with them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Run C, C++ and LLVM programs behind one table of swappable functions.
#[derive(Debug, Parser)]
#[command(name = "hotslot", version, about, max_term_width = 100)]
#[command(arg_required_else_help = true)]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile, load and run a program, each FILE a module of its own
    Run(Box<RunOptions>),
    /// Measure the ways to make an edit live, on a program of yours
    Compare(Box<CompareOptions>),
    /// Measure one of them
    #[command(hide = true)]
    CompareOne(CompareOneOptions),
    /// Say whether LLVM, clang and the kernel have what hotslot needs
    Doctor(DoctorOptions),
    /// Look at what is kept from earlier runs, or remove it
    Cache(CacheCommand),
    /// Type C and have it run: functions, variables and types can be redefined
    Repl(ReplOptions),
    /// Ask a program that runs with --control, or have it do something
    Ctl(CtlOptions),
    /// Print hotslot.h, which a program can include
    Header(HeaderOptions),
    /// Wait for a program's end and restore its terminal
    #[command(hide = true)]
    TerminalGuard(GuardOptions),
}

/// `hotslot run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything after `--` goes to the program. The program's exit code is hotslot's.

  hotslot run main.c parser.c -lm -- input.txt
  hotslot run -O0 --cflags '-DNDEBUG -Iinclude' src/*.cpp
  hotslot run -p build --target game -- --window 80x24
  hotslot run --stress 100 main.c parser.c -- input.txt")]
pub struct RunOptions {
    /// Sources and objects: .c .cc .cpp .cxx .s .S .ll .bc .o .a
    #[arg(required_unless_present = "project", value_name = "FILE")]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    /// A project instead of files.
    pub project: ProjectOptions,

    /// Arguments for the program
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<OsString>,

    #[command(flatten)]
    /// Which compilers to use.
    pub compilers: Compilers,

    /// Flags for the C and C++ compiler, split as a shell would
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    pub cflags: Vec<String>,

    /// Optimisation level, 2 unless a project has its own
    #[arg(short = 'O', value_name = "LEVEL")]
    pub optimise: Option<Level>,

    /// Let a replaced function go live only once it is optimised, instead of at once and
    /// unoptimised first
    #[arg(long)]
    pub optimised_only: bool,

    /// Link a library, as `cc -l` does
    #[arg(short = 'l', value_name = "NAME")]
    pub libraries: Vec<String>,

    /// Look for libraries in DIR first
    #[arg(short = 'L', value_name = "DIR")]
    pub library_dirs: Vec<PathBuf>,

    /// Function the program starts in
    #[arg(long, value_name = "SYMBOL", default_value = "main")]
    pub entry: String,

    /// The program's argv[0] instead of the first FILE
    #[arg(long, value_name = "NAME")]
    pub argv0: Option<OsString>,

    /// Print what each phase took to stderr when the program exits
    #[arg(long)]
    pub time: bool,

    /// How modules call each other
    #[arg(long, value_name = "FORM", default_value = "slot")]
    pub calls: Calls,

    /// Address space to reserve for code and data, from 4M to less than 2G
    #[arg(long, value_name = "SIZE", value_parser = parse_arena)]
    pub arena: Option<usize>,

    /// Generate code for this CPU, `native` for the one at hand
    #[arg(long, value_name = "NAME")]
    pub cpu: Option<String>,

    /// Compile a function when it is first called, not before the program starts
    #[arg(long)]
    pub lazy: bool,

    /// At every change of a module compile all of it as well, and refuse the change where code
    /// that was not compiled again would be another one
    #[arg(long, hide_short_help = true)]
    pub verify_diff: bool,

    #[command(flatten)]
    /// Whether debuggers and profilers are told of code.
    pub tools: super::tools::ToolOptions,

    #[command(flatten)]
    /// Where compiled code is kept.
    pub cache: CacheOptions,

    #[command(flatten)]
    /// What a crash of the program does.
    pub crash: super::crash::CrashOptions,

    #[command(flatten)]
    /// Who may have it changed while it runs.
    pub control: ControlOptions,

    #[command(flatten)]
    /// How updates meet it.
    pub hooks: HookOptions,

    #[command(flatten)]
    /// Whether modules are replaced while the program runs.
    pub stress: StressOptions,

    #[command(flatten)]
    /// Whether what is saved goes live.
    pub watch: WatchOptions,
}

/// `--stress` and what belongs to it.
#[derive(Debug, Args)]
pub struct StressOptions {
    /// Replace modules by themselves HZ times a second while the program runs, 0 for as often
    /// as possible, and print a summary to stderr when it exits. What goes wrong with that is
    /// in the summary; the exit code stays the program's
    #[arg(long = "stress", value_name = "HZ", value_parser = parse_rate)]
    pub rate: Option<f64>,

    /// With --stress: compile modules that are not objects again each time
    #[arg(long = "stress-recompile", requires = "rate")]
    pub recompile: bool,

    /// With --stress: choose the same modules as the run with this seed did
    #[arg(long = "stress-seed", value_name = "N", requires = "rate")]
    pub seed: Option<u64>,
}

pub use super::compare::options::{CompareOneOptions, CompareOptions};
pub use super::control::options::{ControlOptions, CtlOptions, GuardOptions};
pub use super::hooks::{HeaderOptions, HookOptions};
pub use super::project::options::ProjectOptions;
pub use super::repl::options::ReplOptions;
pub use super::watch::options::WatchOptions;

/// The compilers that make bitcode.
#[derive(Debug, Args)]
pub struct Compilers {
    /// C compiler, a clang of the LLVM version hotslot is built on
    #[arg(long, value_name = "PROGRAM", default_value = "clang-19")]
    pub cc: PathBuf,

    /// C++ compiler
    #[arg(long, value_name = "PROGRAM", default_value = "clang++-19")]
    pub cxx: PathBuf,
}

/// `hotslot doctor`.
#[derive(Debug, Args)]
pub struct DoctorOptions {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    /// Which compilers to look for.
    pub compilers: Compilers,

    #[command(flatten)]
    /// Which cache to look at.
    pub cache: CacheOptions,
}

/// `--cache`.
#[derive(Debug, Args)]
pub struct CacheOptions {
    /// Keep compiled code in DIR for later runs, instead of the user's cache folder; `none` keeps
    /// nothing
    #[arg(long, value_name = "DIR|none", global = true)]
    pub cache: Option<PathBuf>,
}

/// `hotslot cache`.
#[derive(Debug, Args)]
pub struct CacheCommand {
    /// What to do with it.
    #[command(subcommand)]
    pub action: CacheAction,

    #[command(flatten)]
    /// Which one.
    pub cache: CacheOptions,
}

/// What is done with a cache.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum CacheAction {
    /// Say where it is and how much is in it
    Info,
    /// Remove all of it
    Clear,
}

/// `-O0` to `-O3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// None: the fastest code generation.
    #[value(name = "0", alias = "O0")]
    O0,
    /// A little.
    #[value(name = "1", alias = "O1")]
    O1,
    /// The usual one.
    #[value(name = "2", alias = "O2")]
    O2,
    /// All of it.
    #[value(name = "3", alias = "O3")]
    O3,
}

/// `--calls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Calls {
    /// A call loads its target from the table
    Slot,
    /// A call jumps through the function's stub
    Stub,
}

/// How often in a second; 0 is as often as possible.
fn parse_rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "it has to be a number, for instance 100 or 0.5".to_owned())?;
    // Less than once in some thousand years is not a rate that can be waited for.
    if rate == 0.0 || (1e-9..=1e9).contains(&rate) {
        Ok(rate)
    } else {
        Err("it has to be 0, or a rate that a clock can follow".to_owned())
    }
}

/// A size that a runtime can have.
fn parse_arena(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text)?;
    if (4 << 20..2 << 30).contains(&bytes) {
        Ok(bytes)
    } else {
        Err("it has to be at least 4M and less than 2G".to_owned())
    }
}

/// Bytes, with an optional binary K, M or G behind them.
fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 0,
        "K" | "k" | "KiB" => 10,
        "M" | "m" | "MiB" => 20,
        "G" | "g" | "GiB" => 30,
        other => return Err(format!("unknown unit `{other}`, use K, M or G")),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| "a size is a whole number with K, M or G, for instance 512M".to_owned())?;
    number
        .checked_mul(1 << unit)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "a size must be above zero and fit this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn run(args: &[&str]) -> RunOptions {
        let mut line = vec!["hotslot", "run"];
        line.extend(args);
        match Options::try_parse_from(line).expect("valid").command {
            Command::Run(options) => *options,
            _ => unreachable!("the command is run"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn compiler_style_options_take_joined_and_separate_values() {
        let joined = run(&["-O3", "-lm", "-L/opt/lib", "a.c"]);
        let apart = run(&["a.c", "-O", "3", "-l", "m", "-L", "/opt/lib"]);
        for options in [joined, apart] {
            assert_eq!(options.optimise, Some(Level::O3));
            assert_eq!(options.libraries, ["m"]);
            assert_eq!(options.library_dirs, [PathBuf::from("/opt/lib")]);
            assert_eq!(options.files, [PathBuf::from("a.c")]);
        }
    }

    #[test]
    fn what_follows_the_dashes_is_the_programs() {
        let options = run(&["a.c", "b.c", "--", "-O3", "--", "x"]);
        assert_eq!(options.files.len(), 2);
        assert_eq!(options.args, ["-O3", "--", "x"]);
        assert_eq!(options.optimise, None);
    }

    #[test]
    fn flags_may_start_with_a_hyphen() {
        let options = run(&["--cflags", "-DA -DB", "--cflags=-g", "a.c"]);
        assert_eq!(options.cflags, ["-DA -DB", "-g"]);
    }

    #[test]
    fn rates() {
        for (text, rate) in [("0", Some(0.0)), ("100", Some(100.0)), ("0.5", Some(0.5)), ("1e3", Some(1e3))] {
            assert_eq!(parse_rate(text).ok(), rate, "{text}");
        }
        for bad in ["", "-1", "fast", "inf", "NaN", "1e-300", "10Hz"] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("1G"), Ok(1 << 30));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        for bad in ["", "G", "1T", "-1", "1.5G", "0", "99999999999G"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
        for (text, good) in [
            ("4095K", false),
            ("4M", true),
            ("2047M", true),
            ("2147483647", true),
            ("2G", false),
            ("9T", false),
        ] {
            assert_eq!(parse_arena(text).is_ok(), good, "{text}");
        }
    }
}
