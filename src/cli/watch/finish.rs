//! The end of a burst of saves: what is compiled goes live, or the user reads why not.
//!
//! Owns what follows from the states of all units, from what the library says to an update, and
//! from `--on-incompatible`.

use std::collections::BTreeSet;
use std::time::Instant;

use hotslot::{Error, ErrorKind, Report};

use super::events::{Errors, Module, Then, UnitError, Update, What, round};
use super::options::OnIncompatible;
use super::session::{Burst, Live, Session, State, Watched};
use super::update::{Change, Rules};
use super::{Reply, outcome, restart};
use crate::cli::colours;

impl Session {
    /// Everything that was to be compiled is.
    pub(super) fn finish(&mut self, burst: &Burst) {
        let touched = !burst.changed.is_empty() || burst.asked;
        let same: BTreeSet<_> = burst.same.difference(&burst.changed).copied().collect();
        if !same.is_empty() && !touched {
            let files = self.names(&same);
            self.tell(&What::Unchanged { files }, &[]);
        }
        if !burst.reverted.is_empty() {
            let units = burst.reverted.iter().map(|&at| self.units[at].unit.name.clone()).collect();
            self.conclude(&What::Reverted { units }, &[]);
        }
        let is = |what: fn(&State) -> bool| -> Vec<usize> {
            (0..self.units.len()).filter(|&at| what(&self.units[at].state)).collect()
        };
        let broken = is(|state| matches!(state, State::Broken { .. }));
        let ready = is(|state| matches!(state, State::Ready { .. } | State::Leaving));
        let news = |&at: &usize| matches!(self.units[at].state, State::Broken { told: false, .. });
        if broken.iter().any(news) || !broken.is_empty() && !ready.is_empty() {
            self.say_broken(&broken, &ready);
        } else if broken.is_empty() && !ready.is_empty() && (touched || burst.compiled.is_some()) {
            self.make_live(burst, &ready, self.policy == OnIncompatible::Reset);
        } else if !self.replies.is_empty() {
            let text = "there is nothing to be done".to_owned();
            self.reply(false, text, serde_json::Value::Null);
        }
    }

    fn say_broken(&mut self, broken: &[usize], ready: &[usize]) {
        let waiting = ready.iter().map(|&at| self.units[at].unit.name.clone()).collect();
        let mut all = Vec::new();
        let mut units = Vec::new();
        for &at in broken {
            let watched = &mut self.units[at];
            let State::Broken { message, said, told } = &mut watched.state else { continue };
            let still = std::mem::replace(told, true);
            // That a compiler has failed it has said itself.
            let text = if said.is_empty() { message.as_bytes() } else { said };
            if !still {
                all.extend_from_slice(text);
            }
            units.push(UnitError {
                unit: watched.unit.name.clone(),
                diagnostics: colours::plain(text),
                still,
            });
        }
        self.conclude(&What::CompileError(Errors { units, waiting }), &all);
    }

    /// One update of all that is ready.
    pub(super) fn make_live(&mut self, burst: &Burst, ready: &[usize], reset: bool) {
        let mut changes = Vec::new();
        let (mut same, mut said) = (Vec::new(), Vec::new());
        for &at in ready {
            let watched = &self.units[at];
            let State::Ready { source, said: text, .. } = &watched.state else {
                let (module, on_demand) = (watched.unit.name.clone(), false);
                changes.push(Change { module, source: None, on_demand });
                continue;
            };
            said.extend_from_slice(text);
            let is_live = watched.live.as_ref().is_some_and(|live| live.code == source.hash());
            if is_live && !watched.forced {
                same.push(at);
                continue;
            }
            changes.push(Change {
                module: watched.unit.name.clone(),
                source: Some(source.clone()),
                on_demand: watched.unit.on_demand,
            });
        }
        let front_end = burst.begun.zip(burst.compiled).map(|(begun, end)| end.duration_since(begun));
        let front_end_ms = front_end.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        if changes.is_empty() {
            let modules = same.iter().map(|&at| self.as_it_is(at)).collect();
            let mut update = Update { modules, ..Update::default() };
            update.times.front_end_ms = round(front_end_ms);
            update.times.total_ms = total(burst);
            self.are_live(ready);
            self.conclude(&outcome::without_effect(update), &said);
            return;
        }
        let before = self.target.runtime.modules();
        let decides = matches!(self.policy, OnIncompatible::Restart | OnIncompatible::Ask);
        let rules = Rules { reset: false, keep_tables: decides && !reset };
        let result = match self.target.commit(&changes, rules) {
            Err(error) if reset && outcome::is_misfit(&error, ErrorKind::Storage) => {
                self.target.commit(&changes, Rules { reset, ..rules })
            }
            result => result,
        };
        match result {
            Ok(report) => {
                self.remember(&report, &before);
                self.are_live(ready);
                let loaded = |name: &str| !before.iter().any(|(known, _)| known == name);
                let mut what = outcome::committed(&report, loaded, front_end_ms);
                if let What::Live(update) | What::NoEffect(update) = &mut what {
                    update.times.total_ms = total(burst);
                }
                self.undecided = false;
                self.conclude(&what, &said);
                self.settle.iter().for_each(|settle| _ = settle.send(Instant::now()));
            }
            Err(error) => {
                // What was asked for was tried.
                ready.iter().for_each(|&at| self.units[at].forced = false);
                if self.offers_more(&error) {
                    return;
                }
                self.refused(&error, &changes, &said);
            }
        }
    }

    /// What is missing may be in a unit that nothing has needed so far, a member of a library:
    /// those are compiled, and the update is tried again with them.
    fn offers_more(&mut self, error: &Error) -> bool {
        if !error.problems().any(|one| one.kind() == ErrorKind::Resolve) {
            return false;
        }
        let loaded = self.target.modules();
        let is_idle = |watched: &Watched| {
            let is_loaded = loaded.contains(&watched.unit.name);
            watched.unit.on_demand && matches!(watched.state, State::Live) && !is_loaded
        };
        let idle: Vec<usize> = (0..self.units.len()).filter(|&at| is_idle(&self.units[at])).collect();
        for &at in &idle {
            self.units[at].live = None;
        }
        self.check(&idle);
        self.burst.asked |= !idle.is_empty();
        !idle.is_empty()
    }

    fn refused(&mut self, error: &Error, changes: &[Change], said: &[u8]) {
        let then = match self.policy {
            OnIncompatible::Restart => Then::Restart,
            OnIncompatible::Ask => Then::Asked,
            OnIncompatible::Refuse | OnIncompatible::Reset => Then::Kept,
        };
        let units = changes.iter().map(|change| change.module.clone()).collect();
        let what = outcome::refused(error, units, then);
        self.undecided = matches!(&what, What::Refused(refusal) if refusal.then == Then::Asked);
        let anew = matches!(&what, What::Refused(refusal) if refusal.then == Then::Restart);
        self.conclude(&what, said);
        if anew {
            self.restart("an update does not fit what runs");
        }
    }

    /// Starts the program anew; returns only where that fails.
    pub(super) fn restart(&mut self, why: &str) {
        self.tell(&What::Restart { why: why.to_owned() }, &[]);
        let text = restart::restart();
        self.tell(&What::Note { text }, &[]);
    }

    /// What the files say is what is live, for these units.
    fn are_live(&mut self, units: &[usize]) {
        for &at in units {
            let watched = &mut self.units[at];
            watched.forced = false;
            if let State::Leaving = watched.state {
                (watched.state, watched.live) = (State::Gone, None);
                continue;
            }
            if let State::Ready { source, inputs, .. } = std::mem::replace(&mut watched.state, State::Live) {
                watched.live = Some(Live { inputs, code: source.hash(), doubted: false });
            }
        }
    }

    /// A module that an update leaves alone.
    fn as_it_is(&self, at: usize) -> Module {
        let name = &self.units[at].unit.name;
        let modules = self.target.runtime.modules();
        let generation = modules.iter().find(|(known, _)| known == name).map_or(0, |(_, number)| *number);
        Module { module: name.clone(), generation, ..Module::default() }
    }

    /// What an update replaced.
    fn remember(&mut self, report: &Report, before: &[(String, u64)]) {
        let was = |name: &str| before.iter().find(|(known, _)| known == name).map(|(_, number)| *number);
        let modules = report.modules.iter().map(|module| (module.name.clone(), was(&module.name)));
        self.past.push(modules.collect());
        // Older ones the library has forgotten, too.
        if self.past.len() > 64 {
            self.past.remove(0);
        }
    }

    /// Tells what came of a burst, and those who wait for that.
    pub(super) fn conclude(&mut self, what: &What, said: &[u8]) {
        let (text, event) = self.tell(what, said);
        let ok =
            matches!(what, What::Live(_) | What::NoEffect(_) | What::Reverted { .. } | What::Undone { .. });
        self.reply(ok, text, event);
    }

    pub(super) fn reply(&mut self, ok: bool, text: String, event: serde_json::Value) {
        for reply in self.replies.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(Reply { ok, text: text.clone(), event: event.clone() });
        }
    }
}

fn total(burst: &Burst) -> f64 {
    round(burst.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64() * 1e3))
}
