//! `hotslot compare`: the ways to make an edit live, on the user's own program.
//!
//! Owns the order: files to bitcode, edits, rounds of processes, a table. The ways are in
//! `cli/ways`, what a process measures is there too.

mod input;
pub mod options;
mod process;
mod table;

use std::collections::BTreeMap;
use std::process::ExitCode;

use self::input::Input;
pub use self::process::one;
use self::table::Row;
use super::failure::Failure;
use super::progress::Progress;
use super::ways::{self, Contender, Trouble};
use options::CompareOptions;

/// Measures and prints.
pub fn compare(options: &CompareOptions) -> Result<ExitCode, Failure> {
    let progress = Progress::start("starting");
    let input = Input::read(options, &progress)?;
    let jobs = process::Jobs::new(&input.job)?;
    let chosen: Vec<&Contender> = ways::ALL.iter().filter(|way| wanted(options, way.name)).collect();
    let mut rows: BTreeMap<&str, Row> = chosen.iter().map(|way| (way.name, Row::new(way))).collect();
    let runs = options.run || !options.args.is_empty();
    for round in 0..options.rounds {
        for turn in 0..chosen.len() {
            // Nobody always follows the same neighbour.
            let way = chosen[(turn + round as usize) % chosen.len()];
            let Some(row) = rows.get_mut(way.name).filter(|row| !row.is_done()) else { continue };
            progress.say(format!("round {} of {}: {}", round + 1, options.rounds, way.name));
            match jobs.edits(way) {
                Ok(outcome) => row.add(outcome, &input.counted),
                Err(why) => row.trouble = Some(why),
            }
            if runs && row.trouble.is_none() {
                progress.say(format!("round {} of {}: running with {}", round + 1, options.rounds, way.name));
                row.add_run(jobs.run(way, &input.words));
            }
        }
    }
    progress.finish();
    let rows: Vec<Row> = chosen.iter().filter_map(|way| rows.remove(way.name)).collect();
    let text = if options.json { table::json(&input, &rows) } else { table::text(&input, &rows) };
    use std::io::Write;
    // A closed stdout is the reader's choice.
    let _ = std::io::stdout().write_all(text.as_bytes());
    match rows.iter().find(|row| row.way.name == "hotslot").and_then(|row| row.trouble.as_ref()) {
        // A program that hotslot itself cannot run is for `hotslot run` to explain.
        Some(Trouble::Failed(why)) => Err(Failure::new(why.clone())),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn wanted(options: &CompareOptions, name: &str) -> bool {
    options.ways.is_empty() || options.ways.iter().any(|way| way == name)
}
