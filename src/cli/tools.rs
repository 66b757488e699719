//! `--debug` and `--perf`: whether debuggers and profilers are told of code.
//!
//! Owns these options and what they mean for the compiler and the runtime. How tools are told is the
//! library's.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hotslot::{Builder, Profiler};

/// Which tools are told of code.
#[derive(Debug, Args)]
pub struct ToolOptions {
    /// Tell gdb of code: breakpoints by name, file and line, backtraces and variables work in replaced
    /// code too, and `f@v7` is `f` of generation 7. Adds -g to --cflags unless they have it; the
    /// optimisation level stays, and -O0 is the best to look at
    #[arg(long)]
    pub debug: bool,

    /// Tell perf of code: `map` writes /tmp/perf-PID.map, `jitdump` writes jit-PID.dump into
    /// $JITDUMPDIR or the current folder, for `perf inject --jit`
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "map")]
    pub perf: Option<PerfFormat>,
}

/// `--perf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PerfFormat {
    /// Names and addresses.
    Map,
    /// Names, addresses, code, lines and times.
    Jitdump,
}

impl ToolOptions {
    /// Flags for the compiler, those of `given` and what is to be added.
    pub fn flags(&self, given: &[String]) -> Vec<String> {
        let mut flags = given.to_vec();
        let words = given.iter().flat_map(|flags| flags.split_whitespace());
        // What takes it back is an answer too.
        if self.debug && !words.into_iter().any(|word| word.starts_with("-g")) {
            flags.push("-g".to_owned());
        }
        flags
    }

    /// Has the runtime tell them.
    pub fn apply(&self, builder: Builder) -> Builder {
        let builder = builder.debugger(self.debug);
        match self.perf {
            Some(PerfFormat::Map) => builder.profiler(Profiler::PerfMap),
            Some(PerfFormat::Jitdump) => {
                let folder = std::env::var_os("JITDUMPDIR").filter(|folder| !folder.is_empty());
                builder.profiler(Profiler::JitDump(folder.map_or_else(|| PathBuf::from("."), PathBuf::from)))
            }
            None => builder,
        }
    }
}
