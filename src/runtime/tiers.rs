//! Better code for functions that went live without optimisation.
//!
//! Owns the thread that makes it, one for each runtime and only once there is something to do,
//! and the line of modules that wait for it. What it makes is committed like any update, unless
//! the module has become another one meanwhile: then it is dropped, and the newer one waits in
//! line itself. Deliberately does not know which functions these are; the compile stage does.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Inner, upgrade};
use crate::reclaim;

/// How long nothing has to be compiled on a first call before what was is made better, and how long
/// that waits at most.
const QUIET: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// The end of the worker; held by everybody but the worker itself.
pub(super) struct Worker {
    inner: Arc<Inner>,
    line: Arc<Line>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The process that this is of: a child of fork has none of its threads, and they may have
    /// had its locks.
    process: u32,
}

#[derive(Default)]
struct Line {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    modules: VecDeque<Arc<str>>,
    /// Nothing is begun before this, and this is when the first was put off.
    put_off: Option<(Instant, Instant)>,
    /// The worker is at one that it has taken out of the line.
    busy: bool,
    stop: bool,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'l>(&self, waiting: MutexGuard<'l, Waiting>) -> MutexGuard<'l, Waiting> {
        self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for<'l>(&self, waiting: MutexGuard<'l, Waiting>, time: Duration) -> MutexGuard<'l, Waiting> {
        self.changed.wait_timeout(waiting, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The next module; `None` at the end.
    fn next(&self) -> Option<Arc<str>> {
        let mut waiting = self.lock();
        waiting.busy = false;
        self.changed.notify_all();
        loop {
            if waiting.stop {
                return None;
            }
            if let Some((until, _)) = waiting.put_off
                && let Some(rest) = until.checked_duration_since(Instant::now())
            {
                waiting = self.wait_for(waiting, rest);
                continue;
            }
            waiting.put_off = None;
            if let Some(module) = waiting.modules.pop_front() {
                waiting.busy = true;
                return Some(module);
            }
            waiting = self.wait(waiting);
        }
    }
}

impl Worker {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, line: Arc::default(), thread: Mutex::new(None), process: std::process::id() }
    }

    /// Has the code of `modules` made better some time soon.
    pub(super) fn add(&self, modules: Vec<Arc<str>>) {
        if modules.is_empty() {
            return;
        }
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut waiting = self.line.lock();
            for module in modules {
                if !waiting.modules.contains(&module) {
                    waiting.modules.push_back(module);
                }
            }
            self.line.changed.notify_all();
        }
        if thread.is_none() {
            let (line, inner) = (self.line.clone(), self.inner.clone());
            let work = move || {
                reclaim::leave_signals_to_others();
                while let Some(module) = line.next() {
                    // What cannot be made better stays as it is, and others wait for the end of it.
                    let _ = catch_unwind(AssertUnwindSafe(|| upgrade::upgrade(&inner, &module)));
                }
            };
            let spawned = std::thread::Builder::new().name("hotslot optimiser".into()).spawn(work);
            // Without a thread nothing is made better.
            *thread = spawned.ok();
        }
    }

    /// The same for modules of which functions were compiled on their first call: others will be
    /// called for the first time soon, and somebody waits for those.
    pub(super) fn add_later(&self, modules: Vec<Arc<str>>) {
        {
            let mut waiting = self.line.lock();
            let now = Instant::now();
            let began = match waiting.put_off {
                Some((_, began)) => Some(began),
                None => waiting.modules.is_empty().then_some(now),
            };
            if let Some(began) = began.filter(|_| !modules.is_empty()) {
                waiting.put_off = Some(((now + QUIET).min(began + LONGEST), began));
            }
        }
        self.add(modules);
    }

    /// Has nothing more made better, and waits until what is being made is done, for as long as
    /// `limit`.
    pub(super) fn stop(&self, limit: Duration) {
        if self.process != std::process::id() || self.never_began() {
            return;
        }
        let begun = Instant::now();
        let mut waiting = self.line.lock();
        waiting.stop = true;
        waiting.modules.clear();
        self.line.changed.notify_all();
        while waiting.busy
            && let Some(rest) = limit.checked_sub(begun.elapsed())
        {
            waiting = self.line.wait_for(waiting, rest);
        }
    }

    fn never_began(&self) -> bool {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Waits until there is nothing left to do.
    pub(super) fn settle(&self) {
        if self.process != std::process::id() || self.never_began() {
            return;
        }
        let mut waiting = self.line.lock();
        waiting.put_off = None;
        self.line.changed.notify_all();
        while waiting.busy || !waiting.modules.is_empty() && !waiting.stop {
            waiting = self.line.wait(waiting);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        match thread {
            // A child of fork has the handle and not the thread.
            Some(thread) if self.process != std::process::id() => std::mem::forget(thread),
            Some(thread) => {
                self.line.lock().stop = true;
                self.line.changed.notify_all();
                let _ = thread.join();
            }
            None => {}
        }
        self.inner.run_end();
    }
}
