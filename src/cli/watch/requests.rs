//! What others ask of the session: by keys, by `hotslot ctl`, by an editor.
//!
//! Owns how a request becomes the same work that a save does, and the ways back.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use hotslot::{Error, Report};

use super::events::{Problem, Then};
use super::finish::{Told, without};
use super::session::{Burst, Session, State, Watched};
use super::update::{commit, undo};
use super::{Decision, Reply, Request, outcome};
use crate::cli::program::{Kind, Unit};

impl Session {
    /// Does what is asked, or begins to.
    pub(super) fn ask(&mut self, request: Request, reply: Sender<Reply>) {
        self.replies.push(reply);
        match request {
            Request::Swap(paths) => match self.units_of(&paths) {
                Ok(units) => self.force(&units),
                Err(path) => self.senseless(format!("{} is not a file of the program", path.display())),
            },
            Request::Rebuild(names) => {
                // Of an archive its members are modules; what nothing needs is not loaded.
                let loaded = self.target.modules();
                let is_loaded = |&at: &usize| loaded.contains(&self.units[at].unit.name);
                let all: Vec<usize> = (0..self.units.len()).filter(is_loaded).collect();
                let is_module = |unit: &Unit| unit.kind != Kind::Archive;
                let named = |name: &String| {
                    let is_it = |one: &Watched| one.unit.name == *name && is_module(&one.unit);
                    self.units.iter().position(is_it)
                };
                match names.iter().find(|name| named(name).is_none()) {
                    Some(name) => self.senseless(format!("there is no module {name} with a file")),
                    None if names.is_empty() => self.force(&all),
                    None => self.force(&names.iter().filter_map(named).collect::<Vec<_>>()),
                }
            }
            Request::Undo => {
                let before = self.target.modules();
                match undo(&self.target.runtime) {
                    Ok(Some((report, lost))) => self.returned(Ok(report), &before, &lost),
                    Ok(None) => self.deny("there is no update to take back".to_owned()),
                    Err(error) => self.returned(Err(error), &before, &[]),
                }
            }
            Request::Rollback(module, generation) => self.roll_back(&module, generation),
            Request::Decide(decision) => self.decide(decision),
        }
    }

    fn deny(&mut self, text: String) {
        self.reply(false, text, serde_json::Value::Null);
    }

    fn senseless(&mut self, text: String) {
        for reply in self.replies.drain(..) {
            let event = serde_json::Value::Null;
            let _ = reply.send(Reply { ok: false, text: text.clone(), event, senseless: true, taken: None });
        }
    }

    /// The units that are made of these files.
    fn units_of(&self, paths: &[PathBuf]) -> Result<Vec<usize>, PathBuf> {
        let is = |at: usize, path: &Path| {
            let unit = &self.units[at].unit;
            if unit.kind == Kind::Archive {
                return false;
            }
            unit.path == path || self.files.find(path).is_some_and(|id| self.files.units(id).contains(&at))
        };
        let mut units = Vec::new();
        for path in paths {
            let found: Vec<usize> = (0..self.units.len()).filter(|&at| is(at, path)).collect();
            if found.is_empty() {
                return Err(path.clone());
            }
            units.extend(found);
        }
        units.sort_unstable();
        units.dedup();
        Ok(units)
    }

    /// Has units compiled and made live even if nothing has changed.
    fn force(&mut self, units: &[usize]) {
        self.burst.asked = true;
        self.begin();
        for &at in units {
            self.units[at].forced = true;
            self.burst.wanted.insert(at);
            self.evaluate(at);
        }
    }

    fn roll_back(&mut self, module: &str, generation: Option<u64>) {
        let past = || {
            let history = self.target.runtime.history(module).ok()?;
            let live = history.iter().find(|one| one.live)?.number;
            history.iter().map(|one| one.number).filter(|&number| number < live).max()
        };
        let Some(number) = generation.or_else(past) else {
            return self.deny(format!("there is no generation of {module} to return to"));
        };
        let before = self.target.modules();
        let result = commit(self.target.runtime.update().restore(module, number));
        self.returned(result, &before, &[]);
    }

    fn returned(&mut self, result: Result<Report, Error>, before: &[String], lost: &[String]) {
        match result {
            Ok(report) => {
                self.forget_returned();
                let was = |name: &str| before.iter().any(|known| known == name);
                self.conclude(&outcome::undone(&report, was, lost), &[]);
            }
            Err(error) => {
                let problems: Vec<Problem> = error.problems().map(outcome::problem).collect();
                let modules = problems.iter().filter_map(|problem| problem.module.clone()).collect();
                let what = outcome::refused(problems, modules, Vec::new(), Then::Kept);
                self.conclude(&what, &[]);
            }
        }
    }

    /// What the files say is not what is live any more, where something else has been made live:
    /// the next save of such a unit goes live in any case.
    pub(super) fn forget_returned(&mut self) {
        let runtime = &self.target.runtime;
        for watched in &mut self.units {
            let Some(live) = &watched.live else { continue };
            let history = runtime.history(&watched.unit.name).ok();
            let is_it = match history.as_ref().and_then(|all| all.iter().find(|one| one.live)) {
                Some(now) => now.source_hash == live.code,
                None => watched.unit.on_demand,
            };
            if !is_it {
                watched.live = None;
            }
        }
    }

    fn decide(&mut self, decision: Decision) {
        if !std::mem::take(&mut self.undecided) {
            return self.deny("nothing waits for a decision".to_owned());
        }
        match decision {
            Decision::Refuse => {
                self.reply(true, "the old code goes on".to_owned(), serde_json::Value::Null);
            }
            Decision::Restart if self.is_broken() => {
                self.undecided = true;
                self.deny("the program would not start: something does not compile".to_owned());
            }
            Decision::Restart => self.restart("somebody decided so", None),
            Decision::Reset => {
                let is_ready =
                    |at: &usize| matches!(self.units[*at].state, State::Ready { .. } | State::Leaving);
                let is_broken = |at: &usize| matches!(self.units[*at].state, State::Broken { .. });
                let ready: Vec<usize> = (0..self.units.len()).filter(is_ready).collect();
                let broken: Vec<usize> = (0..self.units.len()).filter(is_broken).collect();
                let free = without(&ready, &self.waiting_for(&broken, &ready));
                let mut told = Told::default();
                if self.make_live(&Burst::default(), &free, true, &mut told) {
                    self.answer(&Burst::default(), told);
                }
            }
        }
    }
}
