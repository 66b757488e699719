//! Where functions are compiled that somebody has called for the first time.
//!
//! Owns the threads that do it, and the line of those who wait for them. LLVM needs more stack
//! than the caller may have, and must not be entered again by a handler of a signal. Whoever
//! calls a function that is being compiled waits with the first. Deliberately does not know how
//! functions are compiled; [`super::upgrade`] does.
//!
//! What is called for the first time mostly goes on to call others for the first time, in other
//! modules. While somebody waits, threads that have nothing else to do compile those ahead: so
//! no more is compiled that nobody calls than other cores can in the time that is waited
//! anyway. Only one of them is at a module at a time, because what one compiles another may
//! want.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use super::tiers::Worker;
use super::{Inner, upgrade};
use crate::compile;
use crate::error::{Error, ErrorKind, Result};
use crate::reclaim;
use crate::table::SymbolId;

/// Stack of a thread that compiles: LLVM's passes are recursive. Memory is used as it is filled.
pub(super) const STACK: usize = 64 << 20;
/// How many threads there are at most, and how many functions are noted to be compiled ahead.
const THREADS: usize = 4;
const AHEAD: usize = 256;
/// How long a thread keeps its compiling child without anything to do.
const KEPT: Duration = Duration::from_secs(1);

pub(super) struct FirstCalls {
    line: Arc<Line>,
    /// Its threads are in this process only.
    process: u32,
}

#[derive(Default)]
struct Line {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    runtime: OnceLock<(Weak<Inner>, Weak<Worker>)>,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Arc<Request>>,
    /// Those that are being worked on.
    current: Vec<Arc<Request>>,
    /// Functions that may be called soon, the soonest first.
    ahead: VecDeque<SymbolId>,
    /// Modules that a thread is at.
    claimed: Vec<Arc<str>>,
    stop: bool,
}

struct Request {
    symbol: SymbolId,
    /// Set under the lock of [`Waiting`].
    answer: OnceLock<Result<()>>,
}

/// What a thread does next.
enum Job {
    Call(Arc<Request>),
    Ahead(SymbolId),
}

/// A module that nobody else compiles functions of meanwhile.
pub(super) struct Claim<'l> {
    line: &'l Line,
    module: Arc<str>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.line.lock().claimed.retain(|module| !Arc::ptr_eq(module, &self.module));
        self.line.changed.notify_all();
    }
}

/// What compiling a first call asks of the others who do the same.
pub(super) struct Together<'l> {
    line: &'l Line,
    /// Nobody waits for it.
    pub ahead: bool,
}

impl Together<'_> {
    /// Waits until nobody else is at `module`; `None` where it is not worth waiting.
    pub(super) fn claim(&self, module: &Arc<str>) -> Option<Claim<'_>> {
        let mut waiting = self.line.lock();
        while waiting.claimed.contains(module) {
            if self.ahead {
                return None;
            }
            waiting = self.line.wait(waiting);
        }
        waiting.claimed.push(module.clone());
        Some(Claim { line: self.line, module: module.clone() })
    }

    /// Says what may be called for the first time next, the soonest first.
    pub(super) fn expect(&self, symbols: Vec<SymbolId>) {
        let mut waiting = self.line.lock();
        if self.ahead {
            waiting.ahead.extend(symbols);
        } else {
            symbols.into_iter().rev().for_each(|symbol| waiting.ahead.push_front(symbol));
        }
        waiting.ahead.truncate(AHEAD);
        self.line.changed.notify_all();
    }
}

impl Waiting {
    fn take(&mut self) -> Option<Job> {
        if let Some(request) = self.requests.pop_front() {
            self.current.push(request.clone());
            return Some(Job::Call(request));
        }
        let ahead = if self.current.is_empty() { None } else { self.ahead.pop_front() };
        ahead.map(Job::Ahead)
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'l>(&self, waiting: MutexGuard<'l, Waiting>) -> MutexGuard<'l, Waiting> {
        self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing to do; `None` at the end, or where there was none for as long as `patience`.
    fn next(&self, patience: Option<Duration>) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if waiting.stop {
                return None;
            }
            if let Some(job) = waiting.take() {
                return Some(job);
            }
            let Some(patience) = patience else {
                waiting = self.wait(waiting);
                continue;
            };
            let (again, timed) =
                self.changed.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner);
            waiting = again;
            if timed.timed_out() && waiting.requests.is_empty() {
                waiting.ahead.clear();
                return None;
            }
        }
    }

    /// The life of a thread.
    fn work(&self) {
        while let Some(job) = self.next(None) {
            compile::one_child(|| {
                let mut next = Some(job);
                while let Some(job) = next {
                    self.do_job(job);
                    next = self.next(Some(KEPT));
                }
            });
        }
    }

    fn do_job(&self, job: Job) {
        let (inner, worker) = self.runtime.get().map(|(i, w)| (i.upgrade(), w.upgrade())).unzip();
        let (inner, worker) = (inner.flatten(), worker.flatten());
        let (symbol, ahead) = match &job {
            Job::Call(request) => (request.symbol, false),
            Job::Ahead(symbol) => (*symbol, true),
        };
        let together = Together { line: self, ahead };
        let compiled = match &inner {
            // Somebody waits, whatever happens here.
            Some(inner) => catch_unwind(AssertUnwindSafe(|| upgrade::first_call(inner, symbol, &together)))
                .unwrap_or_else(|_| {
                    Err(Error::new(ErrorKind::Compile, "hotslot has failed to compile a function"))
                }),
            None => Err(Error::new(ErrorKind::Resolve, "code of a runtime that has ended was called")),
        };
        let module = compiled.as_ref().ok().cloned().flatten();
        // Before the answer: whoever has it may ask for the end of this.
        if let (Some(worker), Some(inner)) = (worker, &inner) {
            worker.add_later(module.filter(|_| inner.tiered).into_iter().collect());
        }
        // The runtime may end with the answer, and not here.
        drop(inner);
        if let Job::Call(request) = job {
            let mut waiting = self.lock();
            let _ = request.answer.set(compiled.map(|_| ()));
            waiting.current.retain(|current| !Arc::ptr_eq(current, &request));
            self.changed.notify_all();
        }
    }
}

impl FirstCalls {
    /// Starts the threads.
    pub(super) fn start(inner: &Arc<Inner>, worker: &Arc<Worker>) -> Result<Self> {
        let line = Arc::new(Line::default());
        let _ = line.runtime.set((Arc::downgrade(inner), Arc::downgrade(worker)));
        let first_calls = Self { line, process: std::process::id() };
        for _ in 0..inner.threads.clamp(1, THREADS) {
            let own = first_calls.line.clone();
            let work = move || {
                reclaim::leave_signals_to_others();
                own.work();
            };
            let thread = std::thread::Builder::new().name("hotslot compiler".into()).stack_size(STACK);
            thread.spawn(work).map_err(|error| {
                Error::new(
                    ErrorKind::Host,
                    format!("cannot start the thread that compiles on first calls: {error}"),
                )
            })?;
        }
        Ok(first_calls)
    }

    /// Has the function `symbol` compiled if it is not, and waits for that. The caller keeps no
    /// lock meanwhile.
    pub(super) fn compile(&self, symbol: SymbolId) -> Result<()> {
        if self.process != std::process::id() {
            let message = "a child of fork cannot compile what was not called before the fork";
            return Err(Error::new(ErrorKind::Memory, message)
                .hint("call it before the fork, or load the module without lazy compilation"));
        }
        let mut waiting = self.line.lock();
        let known = waiting.requests.iter().chain(&waiting.current).find(|r| r.symbol == symbol).cloned();
        let request = known.unwrap_or_else(|| {
            let request = Arc::new(Request { symbol, answer: OnceLock::new() });
            waiting.requests.push_back(request.clone());
            self.line.changed.notify_all();
            request
        });
        loop {
            match request.answer.get() {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => return Err(error.again()),
                None => waiting = self.line.wait(waiting),
            }
        }
    }
}

impl Drop for FirstCalls {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            self.line.lock().stop = true;
            self.line.changed.notify_all();
        }
    }
}
