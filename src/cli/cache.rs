//! The cache of the command: which one is used, and `hotslot cache`.
//!
//! Owns the choice and how it is described. What is kept is known to the library and to
//! `kept.rs`.

use std::io::Write;
use std::process::ExitCode;

use hotslot::Cache;

use super::failure::Failure;
use super::options::{CacheAction, CacheCommand, CacheOptions};

/// The cache that the options name; the user's own without them.
pub fn chosen(options: &CacheOptions) -> Option<Cache> {
    match &options.cache {
        Some(folder) if folder.as_os_str() == "none" => None,
        Some(folder) => Some(Cache::at(folder)),
        None => Cache::of_user(),
    }
}

/// `hotslot cache`.
pub fn run(command: &CacheCommand) -> Result<ExitCode, Failure> {
    let cache = chosen(&command.cache).ok_or_else(|| {
        Failure::new("there is no cache").hint("name a folder with --cache, or in HOTSLOT_CACHE_DIR")
    })?;
    let text = match command.action {
        CacheAction::Info => described(&cache) + "\n",
        CacheAction::Clear => match cache.info().problem {
            Some(problem) => return Err(Failure::new(problem)),
            None => format!("removed {} entries\n", cache.clear()),
        },
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::new(format!("stdout: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

/// Where the cache is and how much is in it, or why it is not used.
pub fn described(cache: &Cache) -> String {
    let info = cache.info();
    match info.problem {
        Some(problem) => format!("not used: {problem}"),
        None => format!(
            "{}: {} entries, {:.1} of {} MiB",
            cache.folder().display(),
            info.entries,
            info.bytes as f64 / f64::from(1 << 20),
            info.limit >> 20
        ),
    }
}
