//! What can go live apart from what cannot.
//!
//! Owns the rule: a unit waits for another one that does not compile or was refused if a file
//! that has changed since is in both of them, as half of such a change would be live otherwise.
//! Does not know why a unit cannot go live.

use std::collections::BTreeSet;

use super::OpenUnit;
use super::events::Problem;
use super::files::FileId;
use super::session::{Session, State, Watched};
use crate::cli::colours;

/// Why a unit is not live that could be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Waits {
    /// It was refused.
    Refused(Vec<Problem>),
    /// The unit of this name cannot go live, and shares what has changed.
    For(String),
}

/// In place of a file: what the program consists of.
const COMPOSITION: FileId = FileId::MAX;

impl Session {
    /// Those of `units` that have to wait for `held`, each with the name of a unit that it waits
    /// for, which may be one that waits itself.
    pub(super) fn waiting_for(&self, held: &[usize], units: &[usize]) -> Vec<(usize, String)> {
        let mut open = held.to_vec();
        let mut rest: Vec<usize> = units.iter().copied().filter(|at| !held.contains(at)).collect();
        let mut found = Vec::new();
        while let Some(at) = open.pop() {
            if rest.is_empty() {
                break;
            }
            let files = self.made_of(at);
            let (waiting, free) = rest.iter().partition(|&&other| {
                let others = self.made_of(other);
                files.intersection(&others).any(|&file| file == COMPOSITION || self.is_pending(file))
            });
            rest = free;
            let waiting: Vec<usize> = waiting;
            found.extend(waiting.iter().map(|&other| (other, self.units[at].unit.name.clone())));
            open.extend(waiting);
        }
        found.sort_unstable();
        found
    }

    /// The files that a unit is made of, as far as they are known.
    fn made_of(&self, at: usize) -> BTreeSet<FileId> {
        let watched = &self.units[at];
        let now = match &watched.state {
            State::Ready { inputs, .. } | State::Broken { inputs, .. } => inputs.as_slice(),
            _ => &[],
        };
        // Where a compiler has failed it has not come to all of them.
        let before = watched.live.iter().flat_map(|live| &live.inputs);
        let mut files: BTreeSet<FileId> = before.chain(now).map(|&(file, _)| file).collect();
        let is_there = || self.target.runtime.modules().iter().any(|(name, _)| *name == watched.unit.name);
        let is_other = match &watched.live {
            Some(live) => live.doubted,
            None => !watched.unit.on_demand && !is_there(),
        };
        if is_other || matches!(watched.state, State::Leaving) {
            files.insert(COMPOSITION);
        }
        files
    }

    /// Whether a file holds something that is not live, or not in every unit.
    fn is_pending(&self, file: FileId) -> bool {
        let now = self.files.now(file);
        let live = self.files.units(file).iter().filter_map(|&at| self.units[at].live.as_ref());
        let mut was = live.flat_map(|live| &live.inputs).filter(|(id, _)| *id == file).peekable();
        was.peek().is_none() || was.any(|(_, was)| *was != now)
    }

    /// Notes why units wait.
    pub(super) fn hold(&mut self, waiting: &[(usize, String)]) {
        for (at, name) in waiting {
            self.units[*at].waits = Some(Waits::For(name.clone()));
        }
    }

    /// The names of units.
    pub(super) fn called(&self, units: impl IntoIterator<Item = usize>) -> Vec<String> {
        units.into_iter().map(|at| self.units[at].unit.name.clone()).collect()
    }

    /// The units that are not what their files say, and why not.
    pub(super) fn open_units(&self) -> Vec<OpenUnit> {
        let open = |watched: &Watched| {
            let (state, why) = match (&watched.state, &watched.waits) {
                (State::Compiling { .. }, _) => ("compiling", "it is being compiled".to_owned()),
                (State::Broken { message, said, .. }, _) => {
                    let text = colours::plain(if said.is_empty() { message.as_bytes() } else { said });
                    let first = text.lines().find(|line| line.contains("error:")).or(text.lines().next());
                    ("broken", first.unwrap_or("it does not compile").to_owned())
                }
                (State::Ready { .. } | State::Leaving, Some(Waits::Refused(problems))) => {
                    let problem = problems.first().map(|problem| problem.message.clone());
                    ("refused", problem.unwrap_or_else(|| "it was refused".to_owned()))
                }
                (State::Ready { .. } | State::Leaving, Some(Waits::For(name))) => {
                    ("waiting", format!("it waits for {name}, a file of both has changed"))
                }
                _ => return None,
            };
            Some(OpenUnit { unit: watched.unit.name.clone(), state: state.to_owned(), why })
        };
        self.units.iter().filter_map(open).collect()
    }

    /// A sentence for each unit that is not live though its file was saved.
    pub(super) fn not_live(&self) -> Vec<String> {
        let why = |open: OpenUnit| {
            let why = match open.state.as_str() {
                "broken" => "it does not compile",
                "refused" => "it was refused",
                "waiting" => &open.why,
                _ => return None,
            };
            Some(format!("{} is not live yet: {why}", open.unit))
        };
        self.open_units().into_iter().filter_map(why).collect()
    }
}
