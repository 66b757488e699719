//! The process that a session runs in, and the one that waits for its end.
//!
//! Owns the fork between them, what they share, and what is done when a session's process is ended
//! by what was typed: another takes its place, with what the journal has. Owns also the terminal's
//! modes, which are put back whatever happens. It has a single thread, so that it can fork again,
//! and runs nothing of the user's.
#![allow(unsafe_code)] // fork, shared memory, a handler of a signal

use std::ffi::c_int;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::journal::Journal;
use crate::cli::failure::Failure;

/// What both processes see.
#[repr(C)]
#[derive(Default)]
pub struct Shared {
    /// How many inputs have come to their end.
    done: AtomicU64,
    /// What the session is at.
    state: AtomicU64,
}

const RESTORES: u64 = 1;
const RUNS: u64 = 2;
const ENDED: u64 = 3;

impl Shared {
    /// In memory that a child of fork shares.
    fn new() -> Result<&'static Self, Failure> {
        // SAFETY: a new mapping of its own, of zeroes, which is a valid value; it is never unmapped.
        unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
            let at = libc::mmap(std::ptr::null_mut(), size_of::<Self>(), protection, flags, -1, 0);
            if at == libc::MAP_FAILED {
                return Err(failed(std::io::Error::last_os_error()));
            }
            Ok(&*at.cast::<Self>())
        }
    }

    /// An input has come to its end.
    pub fn is_done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// What there was is there again.
    pub fn is_restored(&self) {
        self.state.store(RUNS, Ordering::Relaxed);
    }

    /// The session is going to end its process.
    fn ends(&self) {
        self.state.store(ENDED, Ordering::Relaxed);
    }
}

fn failed(error: std::io::Error) -> Failure {
    Failure::new(format!("no process for the session: {error}"))
}

/// What a session begins with.
pub struct Start {
    /// Where files can be put; it goes when all is over.
    pub folder: PathBuf,
    pub journal: Journal,
    pub shared: &'static Shared,
    /// The session before was ended by what was typed.
    pub again: bool,
}

/// Runs sessions in processes of their own until one has come to its end.
pub fn supervise(session: impl Fn(Start) -> Result<ExitCode, Failure>) -> Result<ExitCode, Failure> {
    let shared = Shared::new()?;
    let journal = Journal::new().map_err(failed)?;
    let modes = std::io::stdin().is_terminal().then(|| tcgetattr(std::io::stdin()).ok()).flatten();
    let folder = tempfile::Builder::new().prefix("hotslot-repl-").tempdir().map_err(failed)?;
    end_in_order();
    let mut deaths = 0;
    loop {
        shared.state.store(RESTORES, Ordering::Relaxed);
        let child = fork()?;
        if child == 0 {
            let result =
                session(Start { folder: folder.path().to_owned(), journal, shared, again: deaths > 0 });
            shared.ends();
            return result;
        }
        let status = wait_for(child, shared)?;
        if let Some(modes) = &modes {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, modes);
        }
        let signal = ENDED_BY.load(Ordering::Relaxed);
        if signal != 0 {
            return Ok(ExitCode::from(128 + signal as u8));
        }
        let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
        let state = shared.state.load(Ordering::Relaxed);
        match (code, state) {
            (Some(code), ENDED) => {
                return Ok(ExitCode::from(if deaths > 0 { code.max(1) } else { code } as u8));
            }
            (_, RUNS) => {}
            _ => {
                let what = format!("{}, while what was defined before was made again", end(status));
                return Err(Failure::new(format!("the session's process has ended: {what}"))
                    .hint("nothing of it is left; start another session"));
            }
        }
        eprintln!("the input has ended the session's process: {}", end(status));
        deaths += 1;
    }
}

/// In words.
fn end(status: c_int) -> String {
    if libc::WIFEXITED(status) {
        return format!("exit code {}", libc::WEXITSTATUS(status));
    }
    let signal = libc::WTERMSIG(status);
    let name = match signal {
        libc::SIGABRT => "abort (SIGABRT)",
        libc::SIGSEGV => "bad pointer (SIGSEGV)",
        libc::SIGBUS => "bad pointer (SIGBUS)",
        libc::SIGKILL => "killed (SIGKILL)",
        libc::SIGTERM => "SIGTERM",
        libc::SIGINT => "SIGINT",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

/// Another process that goes on from here; 0 in that.
fn fork() -> Result<i32, Failure> {
    // SAFETY: this process has a single thread, so the child may do whatever its parent may.
    let child = unsafe { libc::fork() };
    match child {
        -1 => Err(failed(std::io::Error::last_os_error())),
        0 => {
            // SAFETY: integers only. Without somebody who waits there is no session. The handlers that
            // Rust's start-up has installed would swallow a signal that a program sends itself.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                for signal in [libc::SIGTERM, libc::SIGHUP] {
                    if libc::signal(signal, libc::SIG_DFL) == libc::SIG_IGN {
                        libc::signal(signal, libc::SIG_IGN);
                    }
                }
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                libc::signal(libc::SIGBUS, libc::SIG_DFL);
            }
            Ok(0)
        }
        child => Ok(child),
    }
}

/// The session's process, which the handler ends when nothing else does.
static CHILD: AtomicI32 = AtomicI32::new(0);
static DONE: AtomicU64 = AtomicU64::new(0);
static SHARED: AtomicU64 = AtomicU64::new(0);
/// The signal that asked this process to end.
static ENDED_BY: AtomicI32 = AtomicI32::new(0);
static PRESSED: AtomicU64 = AtomicU64::new(0);
static SINCE: AtomicU64 = AtomicU64::new(0);

/// How often Ctrl-C is pressed in vain before the process is ended, and in which time at least.
const TIMES: u64 = 3;
const SECONDS: u64 = 1;

extern "C" fn pressed(_: c_int) {
    let shared = SHARED.load(Ordering::Relaxed) as *const Shared;
    // SAFETY: set before the handler is, and never unmapped; the call only writes to a local.
    let (done, now) = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time);
        ((*shared).done.load(Ordering::Relaxed), time.tv_sec as u64)
    };
    if DONE.swap(done, Ordering::Relaxed) != done || PRESSED.load(Ordering::Relaxed) == 0 {
        PRESSED.store(1, Ordering::Relaxed);
        SINCE.store(now, Ordering::Relaxed);
        return;
    }
    let times = PRESSED.fetch_add(1, Ordering::Relaxed) + 1;
    if now < SINCE.load(Ordering::Relaxed) + SECONDS {
        // It may be about to end.
        PRESSED.store(1, Ordering::Relaxed);
        return;
    }
    let text: &[u8] = match times {
        TIMES.. => b"",
        2.. => b"\nit cannot be ended where it is; Ctrl-C again ends the session's process\n",
        _ => return,
    };
    // SAFETY: writes a text that there is, or ends a child that is not waited for yet.
    unsafe {
        match text.is_empty() {
            true => kill_child(),
            false => _ = libc::write(2, text.as_ptr().cast(), text.len()),
        }
    }
}

/// # Safety
///
/// None that a caller has to see to: the child is not reaped before this is over, as `wait_for` takes
/// its number away first. May be called in a handler.
unsafe fn kill_child() {
    let child = CHILD.load(Ordering::Relaxed);
    if child != 0 {
        // SAFETY: a child of this process, which has not been reaped.
        unsafe { libc::kill(child, libc::SIGKILL) };
    }
}

extern "C" fn end_asked(signal: c_int) {
    ENDED_BY.store(signal, Ordering::Relaxed);
    // SAFETY: see there.
    unsafe { kill_child() };
}

/// A closed terminal and a polite kill end both processes, and what they have in the file system.
fn end_in_order() {
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: zeroes are a valid value; the handler does what a handler may.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut action);
            if action.sa_sigaction == libc::SIG_IGN {
                continue; // nohup
            }
            action.sa_sigaction = end_asked as extern "C" fn(c_int) as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}

fn wait_for(child: i32, shared: &'static Shared) -> Result<c_int, Failure> {
    CHILD.store(child, Ordering::Relaxed);
    SHARED.store(std::ptr::from_ref(shared) as u64, Ordering::Relaxed);
    PRESSED.store(0, Ordering::Relaxed);
    // SAFETY: zeroes are a valid value; the handler does what a handler may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = pressed as extern "C" fn(c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut());
    }
    if ENDED_BY.load(Ordering::Relaxed) != 0 {
        // It was asked for before the child could be told.
        // SAFETY: see there.
        unsafe { kill_child() };
    }
    // Its number stays its own as long as a handler may use it.
    // SAFETY: waits for the child, into locals.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        again(|| libc::waitid(libc::P_PID, child as u32, &mut info, libc::WEXITED | libc::WNOWAIT))?;
        CHILD.store(0, Ordering::Relaxed);
        let mut status = 0;
        again(|| libc::waitpid(child, &mut status, 0))?;
        Ok(status)
    }
}

/// A system call that signals may interrupt.
fn again(mut call: impl FnMut() -> c_int) -> Result<(), Failure> {
    while call() < 0 {
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(failed(error));
        }
    }
    Ok(())
}
