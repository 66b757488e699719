//! Gives the program the signal dispositions it would have had without us.
//!
//! Rust's start-up ignores SIGPIPE and installs handlers for SIGSEGV and SIGBUS
//! with a signal stack of its own. This file owns undoing that, and keeping the
//! program's signals away from threads of ours.
#![allow(unsafe_code)] // signal dispositions are process state behind libc calls

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether whoever started us ignores SIGPIPE. A disposition of "ignore" is
/// inherited, and Rust overwrites it before `main`.
static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);

/// Looks at SIGPIPE before Rust's start-up does.
extern "C" fn note_inherited() {
    // SAFETY: all bytes zero is a valid `sigaction` record of integers and pointers.
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: with no new action the call only writes to `old`, which lives here.
    let known = unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), &mut old) } == 0;
    PIPE_IGNORED.store(known && old.sa_sigaction == libc::SIG_IGN, Ordering::Relaxed);
}

// SAFETY: the section is an array of function pointers that libc calls once before
// `main`. `note_inherited` uses only libc and an atomic, so it needs no Rust start-up.
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE_INHERITED: extern "C" fn() = note_inherited;

/// Restores what a native program starts with. Call once, before any of the
/// program's code runs.
pub fn restore() {
    let pipe = if PIPE_IGNORED.load(Ordering::Relaxed) { libc::SIG_IGN } else { libc::SIG_DFL };
    let off = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: these replace Rust's handlers by the kernel's own actions; no handler is
    // running, and no Rust code relies on them: a stack overflow is now a plain SIGSEGV.
    // The signal stack is only used by those handlers and stays mapped.
    unsafe {
        libc::signal(libc::SIGPIPE, pipe);
        libc::signal(libc::SIGSEGV, libc::SIG_DFL);
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
        libc::sigaltstack(&off, std::ptr::null_mut());
    }
}

/// The signals that whoever started us ignores, a bit each.
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// The signals that are blocked where this process began.
static BLOCKED: AtomicU64 = AtomicU64::new(0);

/// Notes what is ignored, and what this thread blocks. Call before the program can change that.
pub fn note() {
    // SAFETY: all bytes zero is a valid set, and longer than the kernel's word; with no new mask the
    // call only writes to it.
    let blocked = unsafe {
        let mut now: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), &mut now);
        (&raw const now).cast::<u64>().read()
    };
    BLOCKED.store(blocked, Ordering::Relaxed);
    let ignored = (1..=64).filter(|&signal| match signal {
        libc::SIGPIPE => PIPE_IGNORED.load(Ordering::Relaxed),
        _ => disposition(signal) == Some(libc::SIG_IGN),
    });
    IGNORED.store(ignored.fold(0, |all, signal| all | 1 << (signal - 1)), Ordering::Relaxed);
}

/// Gives every signal the disposition that it had then: what is ignored stays so in another
/// program that this process becomes.
pub fn reset() {
    let ignored = IGNORED.load(Ordering::Relaxed);
    for signal in 1..=64 {
        let is_ignored = ignored & 1 << (signal - 1) != 0;
        // Handlers are the kernel's to take away, once the process is another program.
        if (disposition(signal) == Some(libc::SIG_IGN)) != is_ignored {
            let new = if is_ignored { libc::SIG_IGN } else { libc::SIG_DFL };
            // SAFETY: the kernel's own actions take the place of another such one or of the
            // handler of a program that is about to be no more.
            unsafe { libc::signal(signal, new) };
        }
    }
}

/// What a signal does; nothing for one that there is not.
fn disposition(signal: libc::c_int) -> Option<libc::sighandler_t> {
    // SAFETY: all bytes zero is a valid record; with no new action the call only writes to it.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal, std::ptr::null(), &mut now) == 0).then_some(now.sa_sigaction)
    }
}

/// Whether the signal does what it does where nobody said otherwise.
pub fn is_default(signal: libc::c_int) -> bool {
    disposition(signal) == Some(libc::SIG_DFL)
}

/// Calls `work` with those signals blocked that were when [`note`] was called: another program that
/// this process becomes keeps the mask of the thread that made it that.
pub fn as_noted<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: as in `note`; the calls only change the calling thread's mask.
    let before = unsafe {
        let (mut noted, mut before): (libc::sigset_t, libc::sigset_t) =
            (std::mem::zeroed(), std::mem::zeroed());
        (&raw mut noted).cast::<u64>().write(BLOCKED.load(Ordering::Relaxed));
        libc::pthread_sigmask(libc::SIG_SETMASK, &noted, &mut before);
        before
    };
    let result = work();
    // SAFETY: the mask that the thread had.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
    }
    result
}

/// Calls `start` with every signal blocked, which a thread that it starts inherits: signals
/// sent to the process then go to the program's threads alone.
pub fn while_blocked<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: all bytes zero is a valid set; both calls only change the calling thread's mask
    // and write to sets that live here.
    let before = unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        before
    };
    let result = start();
    // SAFETY: the mask that the thread had.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
    }
    result
}

/// A file that these signals are read from; none of them does anything by itself any more. Call
/// while this process has a single thread.
pub fn as_file(signals: impl IntoIterator<Item = libc::c_int>) -> io::Result<File> {
    // SAFETY: all bytes zero is a valid set; the calls change the calling thread's mask and a set
    // that lives here, and the descriptor is new and nobody else's.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        signals.into_iter().for_each(|signal| _ = libc::sigaddset(&mut set, signal));
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        match libc::signalfd(-1, &set, libc::SFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            file => Ok(OwnedFd::from_raw_fd(file).into()),
        }
    }
}

/// The next signal out of such a file; waits for it.
pub fn read(file: &mut File) -> io::Result<libc::c_int> {
    let mut record = [0; size_of::<libc::signalfd_siginfo>()];
    file.read_exact(&mut record)?;
    // Its first field is the signal's number.
    let number = u32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
    Ok(libc::c_int::try_from(number).unwrap_or(0))
}
