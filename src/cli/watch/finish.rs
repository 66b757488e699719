//! The end of a burst of saves: what is compiled goes live, or the user reads why not.
//!
//! Owns what follows from the states of all units, from what the library says to an update, and
//! from `--on-incompatible`.

use std::collections::BTreeSet;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use hotslot::{Error, ErrorKind};

use super::apart::Waits;
use super::events::{Errors, Module, Problem, Then, UnitError, Update, What, round};
use super::options::OnIncompatible;
use super::session::{Burst, Live, Session, State, Watched};
use super::update::{Change, Rules};
use super::{Reply, outcome, restart};
use crate::cli::colours;

/// How long an answer may take to get on its way.
const FAREWELL: Duration = Duration::from_millis(500);

/// What has been told of a burst.
#[derive(Default)]
pub(super) struct Told {
    text: String,
    /// The last event of something that was done, and of something that was not.
    good: Option<serde_json::Value>,
    bad: Option<serde_json::Value>,
}

/// Units that updates were refused for.
#[derive(Default)]
struct SetAside {
    units: BTreeSet<usize>,
    /// Those of which that is not known, or not for this reason.
    news: BTreeSet<usize>,
    /// What goes live together with them.
    waiting: BTreeSet<usize>,
}

impl Session {
    /// Everything that was to be compiled is.
    pub(super) fn finish(&mut self, burst: &Burst) {
        let touched = !burst.changed.is_empty() || burst.asked;
        let same: BTreeSet<_> = burst.same.difference(&burst.changed).copied().collect();
        if !same.is_empty() && !touched {
            let files = self.names(&same);
            self.tell(&What::Unchanged { files }, &[]);
        }
        let mut told = Told::default();
        if !burst.reverted.is_empty() {
            let units = self.called(burst.reverted.iter().copied());
            self.say(&What::Reverted { units }, &[], &mut told);
        }
        let is = |what: fn(&State) -> bool| -> Vec<usize> {
            (0..self.units.len()).filter(|&at| what(&self.units[at].state)).collect()
        };
        let broken = is(|state| matches!(state, State::Broken { .. }));
        let ready = is(|state| matches!(state, State::Ready { .. } | State::Leaving));
        let waiting = self.waiting_for(&broken, &ready);
        let free = without(&ready, &waiting);
        let acts = touched || burst.compiled.is_some();
        let is_new = |at: usize| self.units[at].waits.is_none();
        let news = broken.iter().any(|&at| matches!(self.units[at].state, State::Broken { told: false, .. }))
            || acts && waiting.iter().any(|&(at, _)| is_new(at) || burst.wanted.contains(&at));
        // What waits has nothing new to go live with, unless one of those is new itself.
        let any_new = free.iter().any(|&at| is_new(at)) || !self.fresh(&free).is_empty();
        let tries = acts && (any_new || burst.asked && !free.is_empty());
        self.hold(&waiting);
        if news {
            self.say_broken(&broken, waiting.iter().map(|(at, _)| *at).collect(), &mut told);
        }
        if tries && !self.make_live(burst, &free, self.policy == OnIncompatible::Reset, &mut told) {
            return;
        }
        self.answer(burst, told);
    }

    /// Tells those who wait for it what came of a burst.
    pub(super) fn answer(&mut self, burst: &Burst, told: Told) {
        let is_live = |&at: &usize| matches!(self.units[at].state, State::Live | State::Gone);
        let ok = match burst.wanted.is_empty() {
            true => told.good.is_some(),
            false => burst.wanted.iter().all(is_live),
        };
        let event = if ok { told.good.or(told.bad) } else { told.bad.or(told.good) };
        match event {
            Some(event) => self.reply(ok, told.text, event),
            None => self.reply(false, "there is nothing to be done".to_owned(), serde_json::Value::Null),
        }
    }

    fn say(&mut self, what: &What, said: &[u8], told: &mut Told) {
        let (text, event) = self.tell(what, said);
        told.text += &text;
        if is_good(what) { told.good = Some(event) } else { told.bad = Some(event) }
    }

    fn say_broken(&mut self, broken: &[usize], waiting: Vec<usize>, told: &mut Told) {
        let waiting = self.called(waiting);
        let mut all = Vec::new();
        let mut units = Vec::new();
        for &at in broken {
            let watched = &mut self.units[at];
            let State::Broken { message, said, told, .. } = &mut watched.state else { continue };
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
        self.say(&What::CompileError(Errors { units, waiting }), &all, told);
    }

    /// Makes live what is ready: all of it in one update or, where that is refused, what has
    /// nothing to do with those that bring the problem. False where more is compiled first.
    pub(super) fn make_live(&mut self, burst: &Burst, ready: &[usize], reset: bool, told: &mut Told) -> bool {
        // What waited may be what is in the way.
        let mut alone = Some(self.fresh(ready)).filter(|fresh| !fresh.is_empty());
        let (mut rest, mut aside) = (ready.to_vec(), SetAside::default());
        let mut tried = Vec::new();
        let live = loop {
            if rest.is_empty() || !aside.units.is_empty() && self.is_of_no_use(&rest) {
                match alone.take().filter(|fresh| !tried.contains(fresh)) {
                    Some(fresh) => rest = fresh,
                    None => break None,
                }
            }
            tried.push(rest.clone());
            match self.attempt(burst, &rest, reset) {
                Ok(live) => break Some(live),
                Err(error) if aside.units.is_empty() && self.offers_more(&error) => {
                    self.burst.wanted.extend(&burst.wanted);
                    return false;
                }
                Err(error) => {
                    self.set_aside(&error, &mut rest, &mut aside);
                    if matches!(error.kind(), ErrorKind::SafePoint | ErrorKind::Reclaim | ErrorKind::Memory) {
                        break None;
                    }
                }
            }
        };
        // What has gone live after all was not refused.
        let is_open = |at: &usize| !matches!(self.units[*at].state, State::Live | State::Gone);
        aside.units.retain(is_open);
        aside.waiting.retain(is_open);
        let restarts = self.policy == OnIncompatible::Restart && !self.is_broken();
        let is_told = |at: &usize| restarts || aside.news.contains(at) || burst.wanted.contains(at);
        if live.is_some() || told.bad.is_some() || aside.units.iter().any(is_told) {
            aside.units.retain(is_told);
        }
        if !aside.units.is_empty() {
            self.refused(&aside, told);
        }
        let is_refused = |one: &Watched| matches!(one.waits, Some(Waits::Refused(_)));
        self.undecided &= self.units.iter().any(is_refused);
        if let Some((mut what, said)) = live {
            if let What::Live(update) | What::NoEffect(update) = &mut what {
                update.why.extend(self.not_live());
                update.times.total_ms = total(burst);
            }
            self.say(&what, &said, told);
            if let What::Live(_) = what {
                self.settle.iter().for_each(|settle| _ = settle.send(Instant::now()));
            }
        }
        true
    }

    /// Those that were not refused before, and need none that was.
    fn fresh(&self, units: &[usize]) -> Vec<usize> {
        let is_refused = |at: &usize| matches!(self.units[*at].waits, Some(Waits::Refused(_)));
        let (refused, others): (Vec<usize>, Vec<usize>) = units.iter().partition(|at| is_refused(at));
        without(&others, &self.waiting_for(&refused, &others))
    }

    /// One update of these units.
    fn attempt(&mut self, burst: &Burst, ready: &[usize], reset: bool) -> Result<(What, Vec<u8>), Error> {
        let (mut changes, mut same) = (Vec::new(), Vec::new());
        for &at in ready {
            let watched = &self.units[at];
            let module = watched.unit.name.clone();
            let State::Ready { source, .. } = &watched.state else {
                changes.push(Change { module, source: None, on_demand: false });
                continue;
            };
            let is_live = watched.live.as_ref().is_some_and(|live| live.code == source.hash());
            // A generation more would push one out that can be returned to.
            if is_live && !watched.forced || self.target.runs(&module, source) {
                same.push(at);
                continue;
            }
            let on_demand = watched.unit.on_demand;
            changes.push(Change { module, source: Some(source.clone()), on_demand });
        }
        let front_end = burst.begun.zip(burst.compiled).map(|(begun, end)| end.duration_since(begun));
        let front_end_ms = front_end.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        if changes.is_empty() {
            let modules = same.iter().map(|&at| self.as_it_is(at)).collect();
            let mut update = Update { modules, ..Update::default() };
            update.times.front_end_ms = round(front_end_ms);
            let said = self.said(ready);
            self.are_live(ready);
            return Ok((outcome::without_effect(update), said));
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
        let report = result?;
        let said = self.said(ready);
        self.are_live(ready);
        let loaded = |name: &str| !before.iter().any(|(known, _)| known == name);
        Ok((outcome::committed(&report, loaded, front_end_ms), said))
    }

    /// What the compiler has said of them, once.
    fn said(&mut self, units: &[usize]) -> Vec<u8> {
        let mut all = Vec::new();
        for &at in units {
            if let State::Ready { said, .. } = &mut self.units[at].state {
                all.append(said);
            }
        }
        all
    }

    /// Takes those from `rest` that an update of them was refused for, and what goes with them.
    fn set_aside(&mut self, error: &Error, rest: &mut Vec<usize>, aside: &mut SetAside) {
        let brings = |at: usize, one: &Error| one.culprits().any(|name| name == self.units[at].unit.name);
        let brought = |at: usize| -> Vec<Problem> {
            error.problems().filter(|one| brings(at, one)).map(outcome::problem).collect()
        };
        let mut found: Vec<(usize, Vec<Problem>)> = rest.iter().map(|&at| (at, brought(at))).collect();
        found.retain(|(_, problems)| !problems.is_empty());
        if found.is_empty() {
            let all: Vec<Problem> = error.problems().map(outcome::problem).collect();
            found.extend(rest.iter().map(|&at| (at, all.clone())));
        }
        let units: Vec<usize> = found.iter().map(|(at, _)| *at).collect();
        let bound = self.waiting_for(&units, rest);
        self.hold(&bound);
        for (at, problems) in found {
            let watched = &mut self.units[at];
            if !matches!(&watched.waits, Some(Waits::Refused(known)) if is_known(known, &problems)) {
                aside.news.insert(at);
            }
            watched.waits = Some(Waits::Refused(problems));
            aside.units.insert(at);
        }
        aside.waiting.extend(bound.into_iter().map(|(at, _)| at));
        rest.retain(|at| !aside.units.contains(at) && !aside.waiting.contains(at));
        // What was asked for was tried.
        aside.units.iter().chain(&aside.waiting).for_each(|&at| self.units[at].forced = false);
    }

    /// Whether something does not compile.
    pub(super) fn is_broken(&self) -> bool {
        self.units.iter().any(|one| matches!(one.state, State::Broken { .. }))
    }

    /// Nothing needs these, and nothing else is to be done.
    fn is_of_no_use(&self, units: &[usize]) -> bool {
        let loaded = self.target.modules();
        let is_idle = |watched: &Watched| watched.unit.on_demand && !loaded.contains(&watched.unit.name);
        units.iter().all(|&at| is_idle(&self.units[at]))
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

    fn refused(&mut self, aside: &SetAside, told: &mut Told) {
        let then = match self.policy {
            // It would not start.
            OnIncompatible::Restart if self.is_broken() => Then::Kept,
            OnIncompatible::Restart => Then::Restart,
            OnIncompatible::Ask => Then::Asked,
            OnIncompatible::Refuse | OnIncompatible::Reset => Then::Kept,
        };
        let mut problems = Vec::new();
        for &at in &aside.units {
            let Some(Waits::Refused(own)) = &self.units[at].waits else { continue };
            let new: Vec<Problem> = own.iter().filter(|one| !problems.contains(*one)).cloned().collect();
            problems.extend(new);
        }
        let said = self.said(&aside.units.iter().copied().collect::<Vec<_>>());
        let (units, waiting) =
            (self.called(aside.units.iter().copied()), self.called(aside.waiting.iter().copied()));
        let what = outcome::refused(problems, units, waiting, then);
        self.say(&what, &said, told);
        match what {
            What::Refused(refusal) if refusal.then == Then::Asked => self.undecided = true,
            What::Refused(refusal) if refusal.then == Then::Restart => {
                self.restart("an update does not fit what runs", Some(std::mem::take(told)));
            }
            _ => {}
        }
    }

    /// Starts the program anew; returns only where that fails. Whoever asked is told before.
    pub(super) fn restart(&mut self, why: &str, before: Option<Told>) {
        let (text, event) = self.tell(&What::Restart { why: why.to_owned() }, &[]);
        match before {
            Some(told) => self.farewell(false, &(told.text + &text), &told.bad.unwrap_or(event)),
            None => self.farewell(true, &text, &event),
        }
        let text = restart::restart();
        self.tell(&What::Note { text }, &[]);
    }

    /// What the files say is what is live, for these units.
    fn are_live(&mut self, units: &[usize]) {
        for &at in units {
            let watched = &mut self.units[at];
            watched.forced = false;
            watched.waits = None;
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

    /// Tells what came of a request, and those who wait for that.
    pub(super) fn conclude(&mut self, what: &What, said: &[u8]) {
        let (text, event) = self.tell(what, said);
        self.reply(is_good(what), text, event);
    }

    pub(super) fn reply(&mut self, ok: bool, text: String, event: serde_json::Value) {
        self.send(ok, &text, &event, None);
    }

    /// The same before this program ends: waits until the answer is on its way.
    fn farewell(&mut self, ok: bool, text: &str, event: &serde_json::Value) {
        if self.replies.is_empty() {
            return;
        }
        let (taken, gone) = channel();
        self.send(ok, text, event, Some(taken));
        // Ends with the last of those who hold the other end.
        let _ = gone.recv_timeout(FAREWELL);
    }

    fn send(&mut self, ok: bool, text: &str, event: &serde_json::Value, taken: Option<Sender<()>>) {
        for reply in self.replies.drain(..) {
            let (text, event, taken) = (text.to_owned(), event.clone(), taken.clone());
            // Whoever asked may have gone.
            let _ = reply.send(Reply { ok, text, event, senseless: false, taken });
        }
    }
}

/// Whether these are the same problems; the words may name other callers.
fn is_known(known: &[Problem], problems: &[Problem]) -> bool {
    let is_same = |(a, b): (&Problem, &Problem)| a.kind == b.kind && a.symbol == b.symbol;
    known.len() == problems.len() && known.iter().zip(problems).all(is_same)
}

/// Units but for those that wait.
pub(super) fn without(units: &[usize], waiting: &[(usize, String)]) -> Vec<usize> {
    units.iter().copied().filter(|at| waiting.iter().all(|(held, _)| held != at)).collect()
}

/// Whether it was done.
fn is_good(what: &What) -> bool {
    matches!(what, What::Live(_) | What::NoEffect(_) | What::Reverted { .. } | What::Undone { .. })
}

fn total(burst: &Burst) -> f64 {
    round(burst.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64() * 1e3))
}
