//! `--events`: what happens, as JSON, a line each.
//!
//! Owns the schema, which docs/hot-reload-watch.md describes with an example of every kind, and
//! writing it. The terminal's lines are made of the same values, in `story.rs`.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Crash;
use crate::cli::descriptors::out_of_the_way;
use crate::cli::failure::Failure;

/// The version of the schema. It grows when a reader of the old one would be wrong; new kinds of
/// events and new fields do not count.
pub const VERSION: u32 = 1;

/// A line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// [`VERSION`].
    pub v: u32,
    /// 1 for the first line, one more for each.
    pub seq: u64,
    /// Milliseconds since the program was started.
    pub at_ms: f64,
    /// What has happened.
    #[serde(flatten)]
    pub what: What,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum What {
    /// The program is loaded and about to run, and its files are watched.
    Started { process: u32, units: usize, files: usize, directories: usize },
    /// Files were saved or touched, and hold what they did.
    Unchanged { files: Vec<String> },
    /// Files were saved that differ from before; these units are compiled for it.
    Compiling { files: Vec<String>, units: Vec<String> },
    /// Newer saves came while these units were compiled: they are compiled once more.
    Cancelled { units: Vec<String> },
    /// What was changed is what is live again: there is nothing left to be done.
    Reverted { units: Vec<String> },
    /// New code is live.
    Live(Update),
    /// All was compiled, and the program does as before.
    NoEffect(Update),
    /// The compiler refused; the old code is still running.
    CompileError(Errors),
    /// It does not fit what runs, which goes on.
    Refused(Refusal),
    /// A symbol is missing, or defined twice; the old code is still running.
    LinkError(Refusal),
    /// Something else stood in the way; the old code is still running.
    Failed(Refusal),
    /// The optimised code of what went live is live now.
    Optimised { after_ms: f64 },
    /// The last update was taken back, or a module was returned to an earlier generation.
    Undone {
        modules: Vec<Version>,
        /// Names of modules that are no longer there.
        #[serde(default)]
        unloaded: Vec<String>,
        /// What is not as it was before, a sentence each.
        #[serde(default)]
        why: Vec<String>,
    },
    /// Generated code has crashed.
    Crash(Crash),
    /// The program is started anew, with the code that the files have now.
    Restart { why: String },
    /// Something that the user should know.
    Note { text: String },
}

/// A module and which version of it is live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub module: String,
    pub generation: u64,
}

/// An update that was committed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The modules replaced or loaded.
    pub modules: Vec<Module>,
    /// Names of modules that are no longer there.
    pub unloaded: Vec<String>,
    /// Why there is no effect, or a part has none.
    pub why: Vec<String>,
    pub times: Times,
}

/// What became of a module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Module {
    pub module: String,
    pub generation: u64,
    /// It was not there before.
    pub loaded: bool,
    /// Functions with new code.
    pub swapped: Vec<String>,
    /// Functions that were not there before.
    pub new: Vec<String>,
    /// Functions that are no longer there.
    pub removed: Vec<String>,
    /// Variables that were not there before, and have their initial value.
    pub new_variables: Vec<String>,
    /// Variables that did not fit and have their initial value.
    pub reset_variables: Vec<String>,
    /// Variables that did not fit and were migrated.
    pub migrated_variables: Vec<String>,
    /// Variables that have another initial value now, and keep the value that they have.
    pub kept_variables: Vec<String>,
    /// C++: tables of virtual functions with another order, which objects made before do not follow.
    pub virtual_tables: Vec<String>,
    /// Variables that may have to be constructed and were not.
    pub uninitialised: Vec<String>,
}

/// Where the time went, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// From the first save to the end of the last compilation, without the time that the
    /// session waited for further saves after that.
    pub front_end_ms: f64,
    /// Parsing, optimising and generating code.
    pub code_ms: f64,
    pub link_ms: f64,
    /// Making it visible.
    pub publish_ms: f64,
    /// From the first save to the new code's being live.
    pub total_ms: f64,
}

/// What the compiler did not accept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    pub units: Vec<UnitError>,
    /// Units that are compiled and share a changed file with these: they go live together.
    pub waiting: Vec<String>,
}

/// A unit that the compiler did not accept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitError {
    pub unit: String,
    /// What the compiler said, colours left out.
    pub diagnostics: String,
    /// It was broken before, and nobody has changed it.
    pub still: bool,
}

/// Why an update was not committed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The units that it is about, which go live with the next update that fits.
    pub units: Vec<String>,
    /// Units that share a changed file with these and go live together with them.
    #[serde(default)]
    pub waiting: Vec<String>,
    pub problems: Vec<Problem>,
    /// What comes of it.
    pub then: Then,
}

/// One of the reasons.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// `signature`, `variable`, `table`, `missing`, `compile`, `link`, `held` or `other`.
    pub kind: String,
    pub module: Option<String>,
    pub symbol: Option<String>,
    pub message: String,
    pub advice: Option<String>,
}

/// What comes of an update that does not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// The old code goes on.
    #[default]
    Kept,
    /// The program is started anew.
    Restart,
    /// Somebody is asked.
    Asked,
}

/// Writes the lines.
pub struct Log {
    to: Option<Box<dyn Write + Send>>,
    begun: Instant,
    seq: u64,
}

impl Log {
    /// A log into a file or onto stdout, or none.
    pub fn open(to: Option<&Path>) -> Result<Self, Failure> {
        let to: Option<Box<dyn Write + Send>> = match to {
            None => None,
            // Without the buffer of Rust's: a line is written when it happens, and at once.
            Some(path) if path == Path::new("-") => Some(Box::new(own_stdout()?)),
            Some(path) => {
                let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
                let file = file.and_then(out_of_the_way).map(std::fs::File::from);
                let failure = |error| Failure::new(format!("--events {}: {error}", path.display()));
                Some(Box::new(file.map_err(failure)?))
            }
        };
        Ok(Self { to, begun: Instant::now(), seq: 0 })
    }

    /// Writes a line, if anybody wants it, and returns it.
    pub fn write(&mut self, what: &What) -> Line {
        self.seq += 1;
        let at_ms = self.begun.elapsed().as_secs_f64() * 1e3;
        let line = Line { v: VERSION, seq: self.seq, at_ms: round(at_ms), what: what.clone() };
        if let (Some(to), Ok(mut text)) = (&mut self.to, serde_json::to_vec(&line)) {
            text.push(b'\n');
            // A reader that has gone has no more use for it.
            let _ = to.write_all(&text);
        }
        line
    }
}

/// The program may close or redirect its own.
fn own_stdout() -> Result<std::fs::File, Failure> {
    let own = out_of_the_way(std::io::stdout());
    own.map(std::fs::File::from).map_err(|error| Failure::new(format!("--events -: {error}")))
}

/// To the microsecond.
pub fn round(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_event_is_one_and_is_written_as_it_stands() {
        let text = include_str!("../../../docs/hot-reload-watch.md");
        let lines = text.lines().filter(|line| line.starts_with("{\"v\""));
        let mut count = 0;
        for line in lines {
            let event: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
            count += 1;
        }
        assert_eq!(count, 16);
    }
}
