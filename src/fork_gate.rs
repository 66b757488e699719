//! Compile children are not born while the C library's lock of exit handlers is held.
//!
//! Owns the turns that these two take. `__cxa_finalize`, and `dlclose` with it, holds that lock
//! while it waits for the list of fork handlers, which a fork on another thread has in use (glibc
//! 2.36, `stdlib/cxa_finalize.c`). A child of that fork has the lock as it was, locked for ever,
//! and LLVM waits for it as soon as it registers the end of a static of its own.
//!
//! Both sides wait for a second at most: handlers are anybody's code, which may take long and may
//! wait for the very thread that forks. Deliberately knows nothing of forks that are not ours; the
//! turns are not taken by locks, so a child of one of those finds nothing held.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long one waits for the others at most, and how often one looks.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_micros(50);

static GATE: Gate = Gate::new(PATIENCE);

thread_local! {
    /// How many ends this thread is at: a handler may compile something.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// Begins what may hold the C library's lock of exit handlers.
pub(crate) fn ending() -> Turn<'static> {
    GATE.ending()
}

/// Begins a fork.
pub(crate) fn forking() -> Turn<'static> {
    GATE.forking()
}

struct Gate {
    /// Threads that are at the end of something.
    ending: AtomicUsize,
    /// Threads that fork.
    forking: AtomicUsize,
    patience: Duration,
}

/// One's turn, until it is dropped.
pub(crate) struct Turn<'g> {
    among: &'g AtomicUsize,
    ends: bool,
}

impl Gate {
    const fn new(patience: Duration) -> Self {
        Self { ending: AtomicUsize::new(0), forking: AtomicUsize::new(0), patience }
    }

    fn ending(&self) -> Turn<'_> {
        self.take(&self.ending, &self.forking, 0);
        HERE.set(HERE.get() + 1);
        Turn { among: &self.ending, ends: true }
    }

    fn forking(&self) -> Turn<'_> {
        self.take(&self.forking, &self.ending, HERE.get());
        Turn { among: &self.forking, ends: false }
    }

    /// Announces oneself, and steps back as long as more than `own` of the others have.
    fn take(&self, mine: &AtomicUsize, others: &AtomicUsize, own: usize) {
        let began = Instant::now();
        loop {
            // In one order for both sides: at least one of two sees the other.
            mine.fetch_add(1, Ordering::SeqCst);
            if others.load(Ordering::SeqCst) <= own || began.elapsed() > self.patience {
                return;
            }
            mine.fetch_sub(1, Ordering::SeqCst);
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.among.fetch_sub(1, Ordering::SeqCst);
        if self.ends {
            HERE.set(HERE.get().saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_forks_take_turns() {
        let (gate, ends) = (Gate::new(PATIENCE * 100), AtomicUsize::new(0));
        let met = std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..200 {
                    let _turn = gate.ending();
                    ends.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                    ends.fetch_sub(1, Ordering::SeqCst);
                }
            });
            let met = || {
                let _turn = gate.forking();
                ends.load(Ordering::SeqCst) != 0
            };
            (0..200).filter(|_| met()).count()
        });
        assert_eq!(met, 0);
    }

    #[test]
    fn a_handler_may_fork_and_nobody_waits_for_ever() {
        let gate = Gate::new(PATIENCE / 10);
        let _end = gate.ending();
        drop(gate.forking());
        let began = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| drop(gate.forking()));
        });
        assert!(began.elapsed() >= PATIENCE / 10);
    }
}
