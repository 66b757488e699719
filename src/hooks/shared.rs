//! What a program has registered, and the meeting of an update with its safe point.
//!
//! Owns the lists and the hand-over: an update that is ready is a [`Job`], which the thread that
//! comes to a safe point takes and runs. Knows nothing of what a job does, nor of C.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use parking_lot::Mutex;

/// An update that is ready, to be run on the thread of the safe point.
type Job = Box<dyn FnOnce() + Send>;

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
            callbacks: Mutex::default(),
            migrations: Mutex::default(),
            turn: Mutex::new(()),
        }
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// An update is live.
    pub fn advance(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
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
        job();
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
            *job = Some(Box::new(move || _ = sender.send(work())));
            self.waiting.store(true, Ordering::Release);
        }
        match result.recv_timeout(patience) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Disconnected) => return Err(NotRun::Closed),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if self.withdraw() {
            return Err(NotRun::Late);
        }
        // It has begun in the last moment.
        result.recv().map_err(|_| NotRun::Closed)
    }

    /// Takes a job back that has not begun; whether there was one.
    fn withdraw(&self) -> bool {
        let job = self.job.lock().take();
        if job.is_some() {
            self.waiting.store(false, Ordering::Release);
        }
        job.is_some()
    }

    /// Nothing waits any more, from now on.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.withdraw();
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

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
