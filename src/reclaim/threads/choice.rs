//! Signals of hotslot's own: which they are, and which threads get those of others.
//!
//! Owns the choice among the real-time signals, for everybody in hotslot who needs one. Knows
//! nothing of what they are sent for. Takes no lock, so that it works in a child of fork.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::mem::zeroed;
use std::ptr::{null, null_mut};

/// A signal with `handler` as its handler: `last`, where the program has left it alone since, or
/// else the highest real-time signal but one that the program has no use for.
pub(crate) fn own_signal(last: Option<c_int>, handler: usize) -> Option<c_int> {
    if last.is_some_and(|signal| handler_of(signal) == Some(handler)) {
        return last;
    }
    let mut signals = (libc::SIGRTMIN()..libc::SIGRTMAX()).rev();
    signals.find(|signal| handler_of(*signal) == Some(libc::SIG_DFL) && take(*signal, handler))
}

/// Has `handler` handle `signal`, unless somebody has taken it meanwhile.
fn take(signal: c_int, handler: usize) -> bool {
    // SAFETY: zeroes are a valid value, of which every field that matters is set; valid for
    // reads and writes. The handler may run at any time, and the one from before belongs there.
    unsafe {
        let (mut action, mut before): (libc::sigaction, libc::sigaction) = (zeroed(), zeroed());
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigfillset(&mut action.sa_mask);
        if libc::sigaction(signal, &action, &mut before) != 0 {
            return false;
        }
        let free = before.sa_sigaction == libc::SIG_DFL || before.sa_sigaction == handler;
        if !free {
            libc::sigaction(signal, &before, null_mut());
        }
        free
    }
}

fn handler_of(signal: c_int) -> Option<usize> {
    // SAFETY: zeroes are a valid value; valid for writes, nothing is changed.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        (libc::sigaction(signal, null(), &mut action) == 0).then_some(action.sa_sigaction)
    }
}

/// Has the calling thread, which is none of the program's, handle no signal of the program's:
/// another thread of it may be waiting for them. The real-time signals stay, of which one is ours.
pub(crate) fn leave_signals_to_others() {
    // SAFETY: valid for writes; the set is filled before it is used.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigfillset(&mut set);
        let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];
        for signal in faults.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
            libc::sigdelset(&mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, null_mut());
    }
}
