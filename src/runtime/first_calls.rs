//! Where functions are compiled that somebody has called for the first time.
//!
//! Owns the thread that does it, one for each runtime that is lazy, and the line of those who
//! wait for it. LLVM needs more stack than the caller may have, and must not be entered again by
//! a handler of a signal. Whoever calls a function that is being compiled waits with the first.
//! Deliberately does not know how functions are compiled; [`super::upgrade`] does.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::tiers::Worker;
use super::{Inner, upgrade};
use crate::error::{Error, ErrorKind, Result};
use crate::reclaim;
use crate::table::SymbolId;

/// Stack of the thread; memory is used as it is filled.
const STACK: usize = 64 << 20;

pub(super) struct FirstCalls {
    line: Arc<Line>,
    /// Its thread is in this process only.
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
    /// The one that is being worked on.
    current: Option<Arc<Request>>,
    stop: bool,
}

struct Request {
    symbol: SymbolId,
    /// Set under the lock of [`Waiting`].
    answer: OnceLock<Result<()>>,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'l>(&self, waiting: MutexGuard<'l, Waiting>) -> MutexGuard<'l, Waiting> {
        self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of the thread.
    fn work(&self) {
        loop {
            let request = {
                let mut waiting = self.lock();
                loop {
                    if waiting.stop {
                        return;
                    }
                    if let Some(request) = waiting.requests.pop_front() {
                        waiting.current = Some(request.clone());
                        break request;
                    }
                    waiting = self.wait(waiting);
                }
            };
            let (inner, worker) = self.runtime.get().map(|(i, w)| (i.upgrade(), w.upgrade())).unzip();
            let (inner, worker) = (inner.flatten(), worker.flatten());
            let compiled = match &inner {
                // Somebody waits, whatever happens here.
                Some(inner) => catch_unwind(AssertUnwindSafe(|| upgrade::first_call(inner, request.symbol)))
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
            {
                let mut waiting = self.lock();
                let _ = request.answer.set(compiled.map(|_| ()));
                waiting.current = None;
                self.changed.notify_all();
            }
        }
    }
}

impl FirstCalls {
    /// Starts the thread.
    pub(super) fn start(inner: &Arc<Inner>, worker: &Arc<Worker>) -> Result<Self> {
        let line = Arc::new(Line::default());
        let _ = line.runtime.set((Arc::downgrade(inner), Arc::downgrade(worker)));
        let own = line.clone();
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
        Ok(Self { line, process: std::process::id() })
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
