//! The threads of the session, and their end.
//!
//! Owns what makes them invisible to the program: signals go to the program's threads alone, a
//! fork of the program has none of ours, the program ends when its own threads have, and none of
//! ours is at work when it does.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Instant;

use hotslot::Runtime;

use super::helper::Answers;
use super::session::Session;
use super::{Event, session};
use crate::cli::failure::Failure;
use crate::cli::threads::{LAST_UPDATE, STACK, program_is_gone};
use crate::cli::{exit, hooks};

static WORKER: OnceLock<ThreadId> = OnceLock::new();
static ENDED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
/// The program's first thread has ended, or may have without our hearing of it.
static MAIN_HAS_ENDED: AtomicBool = AtomicBool::new(false);

/// Starts the thread of the session. Call on the thread that runs the program, with signals
/// blocked.
pub fn start(mut session: Session) -> Result<(), Failure> {
    exit::first(stop);
    if !exit::at_thread_exit(main_ends) {
        MAIN_HAS_ENDED.store(true, Ordering::Relaxed);
    }
    spawn("hotslot-watch", move || {
        let _ = WORKER.set(std::thread::current().id());
        session.work();
        *ENDED.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        ENDED.1.notify_all();
        if program_is_gone() {
            // Its last thread has ended and left the end of the process to us.
            exit::exit(0);
        }
    })
}

/// Passes on what the helper has made.
pub fn listen(answers: Answers, events: Sender<Event>) -> Result<(), Failure> {
    spawn("hotslot-made", move || {
        for answer in answers {
            if events.send(answer).is_err() {
                return;
            }
        }
        let _ = events.send(Event::HelperGone);
    })
}

/// Says when what went live is optimised, too. Takes the times at which something did.
pub fn settle(runtime: Runtime, events: Sender<Event>) -> Result<Sender<Instant>, Failure> {
    let (sender, updates) = channel();
    spawn("hotslot-settle", move || {
        while let Ok(mut since) = updates.recv() {
            runtime.settle();
            // Those that came meanwhile.
            while let Ok(later) = updates.try_recv() {
                since = later;
                runtime.settle();
            }
            if events.send(Event::Settled(since)).is_err() {
                return;
            }
        }
    })?;
    Ok(sender)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK);
    let failure = |error| Failure::new(format!("a thread for --watch: {error}"));
    thread.spawn(work).map(drop).map_err(failure)
}

/// An exit handler: waits for the session's end.
extern "C" fn stop() {
    // A fork of the program has no session, and the session does not wait for itself.
    let Some(events) = session() else { return };
    if WORKER.get() == Some(&std::thread::current().id()) || events.send(Event::Stop).is_err() {
        return;
    }
    // No update waits for a safe point any more.
    hooks::of_program().inspect(|hooks| hooks.close());
    let ended = ENDED.0.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = ENDED.1.wait_timeout_while(ended, LAST_UPDATE, |ended| !*ended);
}

/// The program's first thread ends by `pthread_exit`.
extern "C" fn main_ends(_: *mut c_void) {
    MAIN_HAS_ENDED.store(true, Ordering::Relaxed);
    // To look again how long to wait. A session that is gone has no need to.
    if let Some(events) = session() {
        let _ = events.send(Event::MainEnded);
    }
}

/// Whether it is worth looking from time to time whether the program is gone.
pub fn main_has_ended() -> bool {
    MAIN_HAS_ENDED.load(Ordering::Relaxed)
}
