//! How long the threads of control live: from the program's first instruction until its exit
//! handlers have run.
//!
//! Owns their start and their end. The program does not notice them: they take no signals, they
//! do not keep a process alive whose other threads have ended, and a fork of it has none.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use hotslot::Hooks;
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Pid, Signal, getpid, kill_process};
use rustix::thread::gettid;

use super::super::cancel::Cancel;
use super::super::descriptors::out_of_the_way;
use super::super::failure::Failure;
use super::super::threads::{LAST_UPDATE, STACK, program_is_gone};
use super::super::{exit, signals};
use super::socket::Socket;

/// The threads of control.
pub struct Life {
    process: u32,
    /// Rung when the program ends.
    bell: OwnedFd,
    hooks: Hooks,
    cancel: Cancel,
    /// What is to be removed at the end.
    pub socket: OnceLock<Arc<Socket>>,
    threads: Mutex<Threads>,
    changed: Condvar,
}

#[derive(Default)]
struct Threads {
    over: bool,
    running: usize,
    all: Vec<Pid>,
}

static LIFE: OnceLock<Life> = OnceLock::new();

impl Life {
    /// Begins it, once for the process.
    pub fn begin(hooks: Hooks, cancel: Cancel) -> Result<&'static Self, Failure> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(std::io::Error::from);
        let bell = bell.and_then(out_of_the_way).map_err(|e| Failure::new(format!("--control: {e}")))?;
        let (socket, threads, changed) = Default::default();
        let life = Self { process: std::process::id(), bell, hooks, cancel, socket, threads, changed };
        let life = LIFE.get_or_init(|| life);
        exit::first(stop);
        Ok(life)
    }

    /// Readable when the program ends.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Whether the program ends.
    pub fn is_over(&self) -> bool {
        if !lock(&self.threads).over && program_is_gone() {
            self.end();
        }
        lock(&self.threads).over
    }

    /// Starts a thread, whose name begins with `hotslot-`.
    pub fn spawn(&'static self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK);
        lock(&self.threads).running += 1;
        let work = move || {
            lock(&self.threads).all.push(gettid());
            work();
            lock(&self.threads).running -= 1;
            self.changed.notify_all();
        };
        signals::while_blocked(|| thread.spawn(work)).map(drop).map_err(|error| {
            lock(&self.threads).running -= 1;
            Failure::new(format!("a thread for --control: {error}"))
        })
    }

    /// Has all threads end.
    fn end(&self) {
        lock(&self.threads).over = true;
        self.hooks.close();
        self.cancel.cancel();
        // A counter that is full is readable, too.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.end();
        let mut threads = lock(&self.threads);
        // By the kernel's number: what Rust knows of a thread may be gone by now.
        if threads.all.contains(&gettid()) {
            // The program's own code ends it, called by an update.
            return;
        }
        while threads.running > 0 {
            let (now, wait) =
                self.changed.wait_timeout(threads, LAST_UPDATE).unwrap_or_else(PoisonError::into_inner);
            threads = now;
            if wait.timed_out() {
                return;
            }
        }
    }

    /// Ends the program as `kill` does.
    pub fn quit(&self) {
        // Nothing of it runs any more, unless it takes the signal.
        let ends = signals::is_default(libc::SIGTERM);
        self.socket.get().filter(|_| ends).inspect(|socket| socket.remove());
        let _ = kill_process(getpid(), Signal::TERM);
    }
}

/// An exit handler.
extern "C" fn stop() {
    LIFE.get().filter(|life| life.process == std::process::id()).inspect(|life| life.stop());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
