//! What a program has registered, and the meeting of an update with its safe point.
//!
//! Owns the lists and the hand-over: an update that is ready is a [`Job`], which the thread that
//! comes to a safe point takes and runs. Knows nothing of what a job does, nor of C.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rustix::thread::{Pid, gettid};

/// An update that is ready, to be run on the thread of the safe point.
struct Job {
    run: Box<dyn FnOnce() + Send>,
    /// Tells the one that waits for its end that there will be none.
    give_up: GiveUp,
}

type GiveUp = Box<dyn Fn() + Send>;

/// How often whoever waits for another update to be made looks whether the program ends.
const LOOK: Duration = Duration::from_millis(50);

/// A function of the program by its address, and what it is called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    /// Its stub, so that the newest version is called.
    pub function: usize,
    /// The program's own.
    pub context: usize,
}

/// When a callback is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// While the old code is live.
    Before,
    /// While the new code is.
    After,
}

/// Why a job did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRun {
    /// The program did not come by.
    Late,
    /// It ends.
    Closed,
}

/// What a program and the runtime's updates share. In a child of fork all of it is as if nothing
/// ever waited: nobody is there to update anything.
pub struct Shared {
    process: u32,
    generation: AtomicU64,
    /// The program has safe points.
    met: AtomicBool,
    /// A job is there.
    waiting: AtomicBool,
    closed: AtomicBool,
    job: Mutex<Option<Job>>,
    /// The thread that runs a job, and how to give that up.
    running: Mutex<Option<(Pid, GiveUp)>>,
    /// Held while callbacks are called and an update goes live.
    making: Mutex<()>,
    /// The thread that holds it, or 0.
    maker: AtomicI32,
    callbacks: Mutex<Vec<(When, Hook)>>,
    migrations: Mutex<HashMap<String, Hook>>,
    /// Held while an update is made: they take turns.
    pub turn: Mutex<()>,
}

impl Shared {
    pub fn new() -> Self {
        Self {
            process: std::process::id(),
            generation: AtomicU64::new(1),
            met: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            job: Mutex::new(None),
            running: Mutex::new(None),
            making: Mutex::new(()),
            maker: AtomicI32::new(0),
            callbacks: Mutex::default(),
            migrations: Mutex::default(),
            turn: Mutex::new(()),
        }
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// An update is live: the generation now.
    pub fn advance(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Waits until no other thread makes an update live, and has others wait meanwhile.
    pub fn begin(&self, patience: Duration) -> Result<Making<'_>, NotRun> {
        let begun = Instant::now();
        loop {
            if let Some(lock) = self.making.try_lock_for(LOOK) {
                self.maker.store(this_thread(), Ordering::Relaxed);
                return Ok(Making { shared: self, _lock: lock });
            }
            // The thread that ends the program may be the one that has begun.
            if self.closed.load(Ordering::Acquire) {
                return Err(NotRun::Closed);
            }
            if begun.elapsed() >= patience {
                return Err(NotRun::Late);
            }
        }
    }

    /// Whether it is this thread that makes an update live.
    pub fn is_making(&self) -> bool {
        self.maker.load(Ordering::Relaxed) == this_thread()
    }

    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// Whether updates have to wait for the program.
    pub fn has_safe_points(&self) -> bool {
        self.met.load(Ordering::Acquire)
    }

    /// The program is at a safe point; whether a job ran.
    pub fn safe_point(&self) -> bool {
        if !self.met.load(Ordering::Relaxed) {
            self.met.store(true, Ordering::Release);
        }
        // A child of fork has what waited, and a lock that may be held for ever.
        if !self.waiting.load(Ordering::Acquire) || std::process::id() != self.process {
            return false;
        }
        let Some(job) = self.job.lock().take() else { return false };
        self.waiting.store(false, Ordering::Release);
        *self.running.lock() = Some((gettid(), job.give_up));
        (job.run)();
        *self.running.lock() = None;
        true
    }

    /// Has `work` run at the next safe point, and waits for its end; gives up if it has not
    /// begun after `patience`.
    pub fn at_safe_point<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotRun> {
        let (sender, result) = channel();
        {
            let mut job = self.job.lock();
            if self.closed.load(Ordering::Acquire) {
                return Err(NotRun::Closed);
            }
            // Nobody is left to hear of it if the program's end came meanwhile.
            let other = sender.clone();
            *job = Some(Job {
                run: Box::new(move || _ = sender.send(Ok(work()))),
                give_up: Box::new(move || _ = other.send(Err(NotRun::Closed))),
            });
            self.waiting.store(true, Ordering::Release);
        }
        match result.recv_timeout(patience) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => return Err(NotRun::Closed),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if self.withdraw() {
            return Err(NotRun::Late);
        }
        // It has begun in the last moment.
        result.recv().unwrap_or(Err(NotRun::Closed))
    }

    /// Takes a job back that has not begun; whether there was one.
    fn withdraw(&self) -> bool {
        let job = self.job.lock().take();
        if job.is_some() {
            self.waiting.store(false, Ordering::Release);
        }
        job.is_some()
    }

    /// Nothing waits any more, from now on: neither for a safe point nor for a job that this
    /// thread runs, and in which it ends the program.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.withdraw();
        if let Some((_, give_up)) = self.running.lock().as_ref().filter(|(thread, _)| *thread == gettid()) {
            give_up();
        }
    }

    pub fn add(&self, when: When, hook: Hook) {
        self.callbacks.lock().push((when, hook));
    }

    /// Ends all registrations of `hook`; how many there were.
    pub fn remove(&self, hook: Hook) -> usize {
        let mut callbacks = self.callbacks.lock();
        let before = callbacks.len();
        callbacks.retain(|(_, known)| *known != hook);
        before - callbacks.len()
    }

    /// Those to be called now. They may change the list.
    pub fn callbacks(&self, when: When) -> Vec<Hook> {
        self.callbacks.lock().iter().filter(|(at, _)| *at == when).map(|(_, hook)| *hook).collect()
    }

    pub fn set_migration(&self, variable: &str, hook: Hook) {
        if hook.function == 0 {
            self.migrations.lock().remove(variable);
        } else {
            self.migrations.lock().insert(variable.to_owned(), hook);
        }
    }

    pub fn migration(&self, variable: &str) -> Option<Hook> {
        self.migrations.lock().get(variable).copied()
    }
}

/// An update that goes live; until this is dropped it is the only one.
pub struct Making<'s> {
    shared: &'s Shared,
    _lock: MutexGuard<'s, ()>,
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.shared.maker.store(0, Ordering::Relaxed);
    }
}

/// By the kernel's number: what Rust knows of a thread may be gone when it ends the program.
fn this_thread() -> i32 {
    gettid().as_raw_nonzero().get()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_job_runs_on_the_thread_that_comes_by() {
        let shared = Arc::new(Shared::new());
        assert!(!shared.has_safe_points());
        assert!(!shared.safe_point());
        assert!(shared.has_safe_points());
        let other = shared.clone();
        let updater = std::thread::spawn(move || {
            other.at_safe_point(Duration::from_secs(20), || std::thread::current().id())
        });
        while !shared.safe_point() {
            std::thread::yield_now();
        }
        assert_eq!(updater.join().unwrap(), Ok(std::thread::current().id()));
        assert!(!shared.is_waiting());
    }

    #[test]
    fn nobody_comes_by() {
        let shared = Shared::new();
        let late = shared.at_safe_point(Duration::from_millis(5), || panic!("it ran"));
        assert_eq!(late, Err(NotRun::Late));
        assert!(!shared.safe_point(), "it was withdrawn");
    }

    #[test]
    fn the_end_does_not_wait() {
        let shared = Arc::new(Shared::new());
        let other = shared.clone();
        let begun = Instant::now();
        let updater = std::thread::spawn(move || other.at_safe_point(Duration::from_secs(60), || ()));
        while !shared.is_waiting() {
            std::thread::yield_now();
        }
        shared.close();
        assert_eq!(updater.join().unwrap(), Err(NotRun::Closed));
        assert_eq!(shared.at_safe_point(Duration::from_secs(60), || ()), Err(NotRun::Closed));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn registrations_end() {
        let shared = Shared::new();
        let (one, two) = (Hook { function: 1, context: 0 }, Hook { function: 1, context: 2 });
        shared.add(When::Before, one);
        shared.add(When::After, one);
        shared.add(When::After, two);
        assert_eq!(shared.callbacks(When::After), [one, two]);
        assert_eq!(shared.remove(one), 2);
        assert_eq!(shared.callbacks(When::Before), []);
        assert_eq!(shared.callbacks(When::After), [two]);
        shared.set_migration("v", one);
        assert_eq!(shared.migration("v"), Some(one));
        shared.set_migration("v", Hook { function: 0, context: 0 });
        assert_eq!(shared.migration("v"), None);
    }
}
