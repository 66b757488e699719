//! Units that come and go while the program runs: what it consists of is in files, too.
//!
//! Owns the comparison of the units that there are with those that the project names now.

use std::path::PathBuf;

use super::directories;
use super::events::What;
use super::files::FileId;
use super::session::{Session, State, Watched};
use crate::cli::program::Unit;

/// Where it is said what the program consists of.
#[derive(Debug, Default)]
pub(super) struct Composition {
    files: Vec<FileId>,
    /// How often it was asked where the answer is to come.
    pub asked: usize,
}

impl Session {
    /// Watches the files that say what the program consists of.
    pub(super) fn compose(&mut self, files: &[PathBuf]) {
        // One that cannot be watched is as one that never changes.
        let _ = directories::lock(&self.directories).watch(files.iter().map(|path| &**path));
        self.composition.files = files.iter().map(|path| self.files.add(path).0).collect();
    }

    /// One of the files has changed, which may be one that says what the program consists of.
    pub(super) fn ask_again(&mut self, file: FileId) {
        if self.composition.files.contains(&file) && !self.helper.is_gone {
            self.composition.asked += 1;
            self.helper.program();
        }
    }

    /// What it consists of now.
    pub(super) fn recompose(&mut self, units: Result<Vec<Unit>, String>) {
        self.composition.asked = self.composition.asked.saturating_sub(1);
        match units {
            Ok(units) => self.compare(&units),
            // It is being written, or will be mended; what is there stays.
            Err(text) => {
                let text = text.trim_end().trim_start_matches("hotslot: ").to_owned();
                self.tell(&What::Note { text }, &[]);
            }
        }
        self.look();
    }

    fn compare(&mut self, units: &[Unit]) {
        for unit in units {
            let known = self.units.iter().position(|one| one.unit.name == unit.name);
            let at = match known {
                Some(at) => {
                    let watched = &mut self.units[at];
                    let left = matches!(watched.state, State::Leaving | State::Gone);
                    if watched.unit == *unit && !left {
                        continue;
                    }
                    watched.unit = unit.clone();
                    // With other flags the same files are something else.
                    watched.live.iter_mut().for_each(|live| live.doubted = true);
                    match watched.state {
                        State::Leaving => watched.state = State::Live,
                        State::Gone => (watched.state, watched.live) = (State::Live, None),
                        _ => {}
                    }
                    at
                }
                None => {
                    self.units.push(Watched::new(unit));
                    self.units.len() - 1
                }
            };
            self.burst.asked = true;
            self.evaluate(at);
        }
        for at in 0..self.units.len() {
            let watched = &self.units[at];
            let is_named = units.iter().any(|unit| unit.name == watched.unit.name);
            if is_named || matches!(watched.state, State::Leaving | State::Gone) {
                continue;
            }
            if let State::Compiling { ticket, .. } = watched.state {
                self.helper.cancel(ticket);
            }
            self.burst.asked = true;
            (self.units[at].state, self.units[at].waits) = (State::Leaving, None);
        }
    }
}
