//! Work for the next edit, done while nobody waits for an answer.
//!
//! Owns the thread that does it, in which order, and that it makes way at once when a file is to
//! be compiled. What is made is known to `preamble.rs`; compilers
//! that have started are to `spare.rs`.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::cancel::Cancel;
use super::contents::Contents;
use super::preamble::{Owned, Preambles};
use super::spare::Spares;

/// Who has just been answered is about to make use of that, on the same processors.
const QUIET: Duration = Duration::from_millis(250);

/// A header that many files include is edited now and then: the next edit is not in all of them.
const MOST: usize = 8;

/// The thread, which ends with this.
pub struct Ahead {
    /// What there is to use.
    pub preambles: Arc<Preambles>,
    /// And who may have started already.
    pub spares: Spares,
    wishes: Mutex<Sender<Option<Owned>>>,
    at_work: Arc<Mutex<Cancel>>,
}

impl Ahead {
    /// Starts it.
    pub fn start(contents: Arc<Contents>) -> std::io::Result<Self> {
        let preambles = Arc::new(Preambles::new(contents));
        let (wishes, asked) = channel();
        let at_work = Arc::new(Mutex::new(Cancel::default()));
        let (makes, token) = (Arc::clone(&preambles), Arc::clone(&at_work));
        let thread = std::thread::Builder::new().name("front end".into());
        thread.spawn(move || work(&asked, &makes, &token))?;
        Ok(Self { preambles, spares: Spares::new()?, wishes: Mutex::new(wishes), at_work })
    }

    /// A file is about to be compiled.
    pub fn pause(&self) {
        self.tell(None);
        lock(&self.at_work).cancel();
    }

    /// The file was compiled without a preamble, and may be again.
    pub fn want(&self, unit: Owned) {
        self.tell(Some(unit));
    }

    fn tell(&self, what: Option<Owned>) {
        // Without the thread there is nothing ahead.
        let _ = lock(&self.wishes).send(what);
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        lock(&self.at_work).cancel();
    }
}

fn work(asked: &Receiver<Option<Owned>>, makes: &Preambles, token: &Mutex<Cancel>) {
    let mut queue: VecDeque<Owned> = VecDeque::new();
    loop {
        let next = match queue.is_empty() {
            true => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => asked.recv_timeout(QUIET),
        };
        match next {
            Ok(Some(unit)) => {
                queue.retain(|other| *other != unit);
                queue.push_back(unit);
                if queue.len() > MOST {
                    queue.pop_front();
                }
            }
            Ok(None) => {}
            Err(RecvTimeoutError::Timeout) => {
                let Some(unit) = queue.pop_back() else { continue };
                let cancel = Cancel::default();
                *lock(token) = cancel.clone();
                if !makes.make(&unit, &cancel) {
                    queue.push_back(unit);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
