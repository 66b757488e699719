//! The options of `--watch`: names, formats and defaults.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// `--watch` and what belongs to it.
#[derive(Debug, Args)]
pub struct WatchOptions {
    /// Watch the sources and all headers they include: what is saved while the program runs
    /// goes live in it, its state kept
    #[arg(long)]
    pub watch: bool,

    /// With --watch: write what happens to FILE as JSON, an event a line; `-` is stdout
    #[arg(long, value_name = "FILE|-", requires = "watch")]
    pub events: Option<PathBuf>,

    /// With --watch: what becomes of an update that does not fit what runs, as a variable of
    /// another size or a function of another type
    #[arg(long, value_name = "WHAT", default_value = "refuse", requires = "watch")]
    pub on_incompatible: OnIncompatible,

    /// With --watch: how long no more files may be saved before what was is made live,
    /// in milliseconds
    #[arg(long, value_name = "MS", default_value = "15", value_parser = milliseconds, requires = "watch")]
    pub debounce: Duration,

    /// With --watch: how many files are compiled at once, as many as there are processors
    /// unless said otherwise
    #[arg(long, value_name = "N", requires = "watch")]
    pub jobs: Option<std::num::NonZeroUsize>,

    /// How many past versions of each module are kept to return to
    #[arg(long, value_name = "N", default_value = "4")]
    pub keep: usize,
}

/// `--on-incompatible`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnIncompatible {
    /// The old code goes on running
    Refuse,
    /// Variables that do not fit start anew; the rest is refused
    Reset,
    /// The program starts anew
    Restart,
    /// Somebody decides by `hotslot ctl`
    Ask,
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let value: u64 = text.parse().map_err(|_| "it has to be a number of milliseconds".to_owned())?;
    if value > 60_000 {
        return Err("that is more than a minute".to_owned());
    }
    Ok(Duration::from_millis(value))
}
