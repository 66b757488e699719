//! `hotslot run --watch`: what is saved while the program runs goes live in it.
//!
//! This file is how the rest of the command talks to the session: its [`Event`]s, the channel
//! they go through, and the [`Request`]s that others make of it. What the session does with them
//! is in `session.rs`; who changed which file in `files.rs` and `directories.rs`; what can go live
//! apart from what cannot in `apart.rs`; what came of an update in `outcome.rs`, how that is told
//! in `story.rs` and `events.rs`.

mod apart;
mod compile;
mod composition;
mod directories;
mod events;
mod files;
mod finish;
mod helper;
pub mod options;
mod outcome;
mod requests;
mod restart;
mod session;
mod start;
mod story;
mod terminal;
mod threads;
mod update;

pub use helper::Compilers;
pub use start::{Plan, Running, start};
pub use update::runs;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::program::Unit;

/// What the session hears of.
pub enum Event {
    /// These files may have changed, come or gone.
    Changed(Vec<PathBuf>),
    /// The kernel had more to tell than there was room for: any file may have changed.
    Overflow,
    /// Somebody wants something done, and is told what came of it.
    Ask(Request, Sender<Reply>),
    /// Generated code has crashed. Whoever says so may end the process as soon as it is told.
    Crash(Crash, Sender<()>),
    /// A unit was compiled.
    Made(Box<compile::Made>),
    /// What the program consists of now, or why that is not known.
    Program(Result<Vec<Unit>, String>),
    /// The process that compiles has ended.
    HelperGone,
    /// Nothing is heard of files any more.
    Deaf,
    /// What went live at this time is optimised.
    Settled(Instant),
    /// The program ends.
    Stop,
    /// Its first thread has, and others may go on.
    MainEnded,
}

/// What can be asked of the session, by `hotslot ctl` and by keys. What only needs the runtime
/// is not asked here.
#[derive(Debug, Clone)]
pub enum Request {
    /// Compiles these files now, changed or not, and makes them live in one update.
    Swap(Vec<PathBuf>),
    /// The same for modules by name; all of them where there is no name.
    Rebuild(Vec<String>),
    /// Takes the last update back. The files stay as they are; they go live with their next save.
    Undo,
    /// Returns a module to an earlier generation, the one before where there is no number.
    Rollback(String, Option<u64>),
    /// What to do with an update that was refused, where `--on-incompatible ask` waits for that.
    Decide(Decision),
}

/// What becomes of an update that does not fit what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The old code stays.
    Refuse,
    /// Variables that do not fit start anew.
    Reset,
    /// The program starts anew.
    Restart,
}

/// What came of a request.
#[derive(Debug)]
pub struct Reply {
    /// It was done.
    pub ok: bool,
    /// The line that the terminal got, without colours; several where there was more to say.
    pub text: String,
    /// The event as `--events` has it; nothing where there is none, and nothing was told.
    pub event: serde_json::Value,
    /// The request names what is not there.
    pub senseless: bool,
    /// Dropped once the answer is on its way: somebody may be waiting for that.
    pub taken: Option<Sender<()>>,
}

/// A crash of generated code, as the session tells it to whoever reads the events.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Crash {
    /// The signal's name, as `SIGSEGV`, or `interrupt`.
    pub signal: String,
    /// The function that it happened in, where that is known, and the same for the rest.
    pub function: Option<String>,
    /// Its module.
    pub module: Option<String>,
    /// The module's generation.
    pub generation: Option<u64>,
    /// `file:line`.
    pub place: Option<String>,
    /// The function was changed in the last update.
    pub changed_last: bool,
    /// The last update was taken back.
    pub rolled_back: bool,
    /// One frame a line, innermost first.
    pub backtrace: Vec<String>,
}

/// A unit that is not what its files say.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OpenUnit {
    /// Its name.
    pub unit: String,
    /// `compiling`, `broken` where it does not compile, `refused`, or `waiting` for another one.
    pub state: String,
    /// Why, in a line.
    pub why: String,
}

/// What waits.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// An update that was refused waits for a decision.
    pub undecided: bool,
    pub open: Vec<OpenUnit>,
}

static STANDING: Mutex<Standing> = Mutex::new(Standing { undecided: false, open: Vec::new() });

/// What waits at the moment.
pub fn standing() -> Standing {
    STANDING.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn stands(standing: Standing) {
    *STANDING.lock().unwrap_or_else(PoisonError::into_inner) = standing;
}

static SESSION: OnceLock<(u32, Sender<Event>)> = OnceLock::new();

/// Where the session takes its events from; nothing without `--watch`, and nothing in a fork of
/// the program, which has no session.
pub fn session() -> Option<&'static Sender<Event>> {
    SESSION.get().filter(|(process, _)| *process == std::process::id()).map(|(_, sender)| sender)
}

/// How long a crash waits to be told: the session may be waiting for a lock that the thread has.
const PATIENCE: Duration = Duration::from_millis(500);

/// Has the session tell of a crash, if there is one, and waits for that.
pub fn crashed(crash: Crash) {
    let Some(session) = session() else { return };
    let (done, told) = channel();
    if session.send(Event::Crash(crash, done)).is_ok() {
        let _ = told.recv_timeout(PATIENCE);
    }
}

/// Makes the channel, once for the process.
fn open() -> Option<Receiver<Event>> {
    let (sender, events) = channel();
    SESSION.set((std::process::id(), sender)).ok().map(|()| events)
}
