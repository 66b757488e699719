//! The session: hears of saves, has units compiled, and makes them live together.
//!
//! Owns the state of every unit between a save and its being live, and when the time has come:
//! compilation starts with the first save, and what is ready goes live once nothing more was
//! saved for a moment. What is broken or refused waits, and goes live with whatever mends it.
//! How things are done is in the files beside this one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use hotslot::Source;

use super::apart::Waits;
use super::compile::Made;
use super::composition::Composition;
use super::directories::{self, Shared};
use super::events::{What, round};
use super::files::{FileId, Files, Inputs};
use super::helper::Helper;
use super::options::OnIncompatible;
use super::terminal::Teller;
use super::update::Target;
use super::{Crash, Event, Reply, Standing, stands};
use crate::cli::failure::Failure;
use crate::cli::program::Unit;

/// How often to look whether the program's threads are gone, once its first one is.
const LOOK: Duration = Duration::from_secs(1);

/// A unit, and how far it is.
pub(super) struct Watched {
    pub unit: Unit,
    pub state: State,
    /// What is live is made of this; nothing if it is not known.
    pub live: Option<Live>,
    /// It is made live even if it is what is live.
    pub forced: bool,
    /// Why it is not live though it could be, where that was tried.
    pub waits: Option<Waits>,
}

/// What a live module was made of.
pub(super) struct Live {
    pub inputs: Inputs,
    /// Tells one bitcode from another.
    pub code: u64,
    /// The files may have held something else when it was made.
    pub doubted: bool,
}

pub(super) enum State {
    /// What the files say is what is live.
    Live,
    Compiling {
        ticket: u64,
        since: SystemTime,
    },
    /// The program no longer consists of it: its module goes, or is gone.
    Leaving,
    Gone,
    /// It can go live.
    Ready {
        source: Source,
        inputs: Inputs,
        said: Vec<u8>,
    },
    Broken {
        message: String,
        said: Vec<u8>,
        /// What the compiler came to.
        inputs: Inputs,
        /// The user was told.
        told: bool,
    },
}

/// What was saved since the last time that nothing was.
#[derive(Default)]
pub(super) struct Burst {
    pub begun: Option<Instant>,
    pub changed: BTreeSet<FileId>,
    pub same: BTreeSet<FileId>,
    pub reverted: BTreeSet<usize>,
    /// Something is to be done that no file says.
    pub asked: bool,
    /// Somebody has asked for these.
    pub wanted: BTreeSet<usize>,
    /// It was told that units are compiled.
    pub announced: bool,
    pub compiled: Option<Instant>,
}

/// All of it.
pub(super) struct Session {
    pub target: Target,
    pub events: Receiver<Event>,
    pub settle: Option<Sender<Instant>>,
    pub helper: Helper,
    pub directories: Shared,
    pub files: Files,
    pub units: Vec<Watched>,
    pub teller: Teller,
    pub policy: OnIncompatible,
    pub debounce: Duration,
    pub next_ticket: u64,
    pub burst: Burst,
    /// When the burst is over.
    pub quiet_at: Option<Instant>,
    /// An update that was refused waits for a decision.
    pub undecided: bool,
    /// Who waits for what comes of the burst.
    pub replies: Vec<Sender<Reply>>,
    pub composition: Composition,
}

impl Session {
    /// Until the program ends.
    pub fn work(&mut self) {
        loop {
            let now = Instant::now();
            let wait = match self.quiet_at {
                Some(at) if at <= now => {
                    self.quiet();
                    self.publish();
                    continue;
                }
                Some(at) => at - now,
                None if super::threads::main_has_ended() => LOOK,
                // Nothing is to be done until something happens.
                None => Duration::MAX,
            };
            match self.events.recv_timeout(wait) {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(event) => {
                    self.hear(event);
                    self.publish();
                }
                Err(RecvTimeoutError::Timeout) => {
                    if crate::cli::threads::program_is_gone() {
                        return;
                    }
                }
            }
        }
    }

    fn publish(&self) {
        stands(Standing { undecided: self.undecided, open: self.open_units() });
    }

    /// Has units compiled that may be other ones than what was loaded.
    pub fn check(&mut self, units: &[usize]) {
        if !units.is_empty() {
            self.begin();
        }
        for &at in units {
            self.evaluate(at);
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Changed(paths) => self.changed(&paths),
            Event::Overflow => {
                let all: Vec<PathBuf> =
                    (0..self.files.count()).map(|id| self.files.path(id).to_owned()).collect();
                self.changed(&all);
            }
            Event::Made(made) => self.made(*made),
            Event::Program(units) => self.recompose(units),
            Event::Settled(since) => {
                let after_ms = round(since.elapsed().as_secs_f64() * 1e3);
                self.tell(&What::Optimised { after_ms }, &[]);
            }
            Event::Ask(request, reply) => self.ask(request, reply),
            Event::Crash(crash, told) => {
                self.crash(crash);
                let _ = told.send(());
            }
            Event::HelperGone => self.helper_is_gone(),
            Event::Deaf => {
                let text = "the program has closed a file of --watch: saves are not noticed any more";
                self.tell(&What::Note { text: text.to_owned() }, &[]);
            }
            Event::MainEnded | Event::Stop => {}
        }
    }

    /// Nothing that is waited for comes any more, and whoever waits is told.
    fn helper_is_gone(&mut self) {
        let text = "the process that compiles has ended: saved files have no effect any more";
        self.tell(&What::Note { text: text.to_owned() }, &[]);
        self.helper.is_gone = true;
        self.composition.asked = 0;
        for watched in &mut self.units {
            if let State::Compiling { .. } = watched.state {
                watched.state = State::without_compiler();
            }
        }
        self.look();
    }

    fn crash(&mut self, crash: Crash) {
        if crash.rolled_back {
            self.forget_returned();
        }
        self.tell(&What::Crash(crash), &[]);
    }

    /// Tells everybody, and who has asked for it as well.
    pub fn tell(&mut self, what: &What, said: &[u8]) -> (String, serde_json::Value) {
        self.teller.tell(what, said)
    }

    fn changed(&mut self, paths: &[PathBuf]) {
        let mut affected = BTreeSet::new();
        let mut relevant = false;
        for path in paths {
            let Some(id) = self.files.find(path) else {
                // It may be what a unit has been looking for, or be found before another.
                let before = affected.len();
                affected.extend((0..self.units.len()).filter(|&at| self.units[at].misses(path)));
                if self.files.has_name(path) {
                    affected.extend(self.files.units_of_name(path));
                }
                relevant |= affected.len() > before;
                continue;
            };
            relevant = true;
            if self.files.refresh(id) {
                self.burst.changed.insert(id);
                self.ask_again(id);
                affected.extend(self.files.units(id));
            } else {
                self.burst.same.insert(id);
                // A compiler that runs may have read what it held in between.
                let unknown = |&&at: &&usize| {
                    let watched = &self.units[at];
                    let is_compiling = matches!(&watched.state, State::Compiling { since, .. }
                        if self.files.is_surely_newer(id, *since));
                    watched.live.is_none() || is_compiling
                };
                affected.extend(self.files.units(id).iter().filter(unknown));
            }
        }
        if !relevant {
            return;
        }
        self.begin();
        for at in affected {
            self.evaluate(at);
        }
    }

    /// Something is going on, and goes on for a moment.
    pub fn begin(&mut self) {
        let now = Instant::now();
        self.burst.begun.get_or_insert(now);
        self.quiet_at = Some(now + self.debounce);
    }

    /// Has a unit compiled, unless its files are what they were when what is live was made.
    pub fn evaluate(&mut self, at: usize) {
        let watched = &self.units[at];
        if matches!(watched.state, State::Leaving | State::Gone) {
            return;
        }
        let was_live = matches!(watched.state, State::Live);
        if let State::Compiling { ticket, .. } = watched.state {
            self.helper.cancel(ticket);
            if self.burst.announced {
                self.burst.announced = false;
                let units = vec![watched.unit.name.clone()];
                self.tell(&What::Cancelled { units }, &[]);
            }
        }
        let watched = &mut self.units[at];
        watched.waits = None;
        let same =
            watched.live.as_ref().is_some_and(|live| !live.doubted && self.files.are_same(&live.inputs));
        if same && !watched.forced {
            watched.state = State::Live;
            if !was_live {
                self.burst.reverted.insert(at);
            }
            return;
        }
        self.burst.reverted.remove(&at);
        if self.helper.is_gone {
            self.units[at].state = State::without_compiler();
            return;
        }
        let watched = &mut self.units[at];
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        watched.state = State::Compiling { ticket, since: SystemTime::now() };
        self.helper.submit(ticket, &watched.unit);
    }

    fn made(&mut self, made: Made) {
        let is_it =
            |one: &Watched| matches!(one.state, State::Compiling { ticket, .. } if ticket == made.ticket);
        let Some(at) = self.units.iter().position(is_it) else { return };
        let State::Compiling { since, .. } = self.units[at].state else { return };
        self.burst.compiled = Some(Instant::now());
        let (inputs, overtaken) = self.inputs(at, &made.reads, Some(since));
        if overtaken {
            return self.evaluate(at);
        }
        // It is ours, and a child process to be on the safe side would be a fork that the program
        // can notice.
        let source = made.result.and_then(|code| {
            let source = Source::from_bytes(code).map_err(|error| Failure::from(error).render())?;
            Ok(source.trusted().label(self.units[at].unit.path.to_string_lossy()))
        });
        self.units[at].state = match source {
            Ok(source) => State::Ready { source, inputs, said: made.said },
            Err(message) => State::Broken { message, said: made.said, inputs, told: false },
        };
        self.look();
    }

    /// Goes on where nothing more is waited for.
    pub fn look(&mut self) {
        if self.quiet_at.is_none() {
            self.quiet();
        }
    }

    /// Watches what a unit has read, and returns what that holds; whether something of it that is
    /// new to this unit was written after the compiler had been started.
    pub fn inputs(&mut self, at: usize, reads: &[PathBuf], since: Option<SystemTime>) -> (Inputs, bool) {
        let unknown: Vec<&Path> =
            reads.iter().map(|path| &**path).filter(|path| self.files.find(path).is_none()).collect();
        // First watched, then read.
        let result = directories::lock(&self.directories).watch(unknown.iter().copied());
        if let Err(error) = result {
            let text = format!("cannot watch every file: {error}");
            self.tell(&What::Note { text }, &[]);
        }
        let mut overtaken = false;
        let mut inputs = Inputs::new();
        for path in reads {
            let id = self.files.add(path).0;
            // Of a change of what it was known to read the unit has heard.
            let new = self.files.read_by(id, at);
            overtaken |= new && since.is_some_and(|since| self.files.is_newer(id, since));
            inputs.push((id, self.files.now(id)));
        }
        (inputs, overtaken)
    }

    /// Nothing was saved for a moment.
    fn quiet(&mut self) {
        self.quiet_at = None;
        let compiling: Vec<String> = (self.units.iter())
            .filter(|one| matches!(one.state, State::Compiling { .. }))
            .map(|one| one.unit.name.clone())
            .collect();
        if !compiling.is_empty() {
            if !self.burst.announced {
                self.burst.announced = true;
                let files = self.names(&self.burst.changed);
                self.tell(&What::Compiling { files, units: compiling }, &[]);
            }
            return;
        }
        if self.composition.asked > 0 {
            return;
        }
        let burst = std::mem::take(&mut self.burst);
        self.finish(&burst);
    }

    /// Files as the user calls them.
    pub fn names(&self, files: &BTreeSet<FileId>) -> Vec<String> {
        let name = |&id: &FileId| {
            let path = self.files.path(id);
            let unit = self.units.iter().find(|one| path.ends_with(&one.unit.path));
            unit.map_or_else(|| path.display().to_string(), |one| one.unit.path.display().to_string())
        };
        files.iter().map(name).collect()
    }
}

impl State {
    fn without_compiler() -> Self {
        let message = "hotslot: the process that compiles has ended\n".to_owned();
        Self::Broken { message, said: Vec::new(), inputs: Inputs::new(), told: false }
    }
}

impl Watched {
    /// A unit that is live.
    pub fn new(unit: &Unit) -> Self {
        Self { unit: unit.clone(), state: State::Live, live: None, forced: false, waits: None }
    }

    /// Whether the compiler has asked for a file of this name.
    fn misses(&self, path: &Path) -> bool {
        let State::Broken { message, said, .. } = &self.state else { return false };
        let name = path.file_name().map_or(&b""[..], |name| name.as_encoded_bytes());
        [message.as_bytes(), said].iter().any(|text| memchr::memmem::find(text, name).is_some())
    }
}
