//! What would end the process, or is to end a call, asked for by a function that was called.
//!
//! Owns the difference to a fault: there is no signal, so the way out begins at the function itself.
//! And the question whose process it is: a child of fork that is still in its parent's guarded call
//! ends as any process does.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};

use super::caught::{Caught, Why};
use super::guard::{self, Identity};
use super::{exceptions, handler, judge};

/// The process that has the guards; 0 before anybody asked for this.
static PROCESS: AtomicI32 = AtomicI32::new(0);

fn this_process() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::getpid() }
}

/// Has ends of the process end guarded calls, where runtimes want that.
pub(crate) fn contain_ends() {
    unsafe extern "C" fn child() {
        guard::start_child();
        PROCESS.store(this_process(), Ordering::Relaxed);
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        PROCESS.store(this_process(), Ordering::Relaxed);
        // SAFETY: the function may be called in any child.
        unsafe { libc::pthread_atfork(None, None, Some(child)) };
        handler::install_abort();
        exceptions::install();
    });
}

/// Whether a SIGABRT is one that this thread has asked for, or another of the process for it.
pub(super) fn is_own_abort(info: &libc::siginfo_t) -> bool {
    // SAFETY: a signal that was sent has a sender.
    let sender = unsafe { info.si_pid() };
    // A child of vfork has its parent's memory and another number.
    info.si_code == libc::SI_TKILL && sender == this_process() && sender == PROCESS.load(Ordering::Relaxed)
}

/// Where this is, and what can be told of the way from there to the guard.
pub(super) fn from_here(why: Why) -> Option<(Caught, Option<Identity>)> {
    let mut context = MaybeUninit::<libc::ucontext_t>::uninit();
    // SAFETY: valid for writes. Nobody goes back to this context; its registers are looked at while
    // this frame, and those it leads to, are there.
    unsafe {
        if libc::getcontext(context.as_mut_ptr()) != 0 {
            return None;
        }
        judge::called(context.assume_init_ref(), why)
    }
}

/// Ends the guarded call that this thread is in, if its runtime wants that for an `exit` with
/// `status`; otherwise comes back.
///
/// # Safety
/// Called by a function that generated code has called, without anything to drop in between.
pub(crate) unsafe fn exit(status: i32) {
    if guard::innermost().is_null() || PROCESS.load(Ordering::Relaxed) != this_process() {
        return;
    }
    let Some((caught, of)) = from_here(Why::Exit(status)) else { return };
    if let Some(guard) = of.and_then(judge::guard_of_ends) {
        // SAFETY: a guard of this thread, and by the contract above.
        unsafe { guard.leave(&caught, None) }
    }
}

/// Ends the innermost guarded call of runtime `of` on this thread, with `message`; comes back if there
/// is none.
///
/// # Safety
/// As for [`exit`].
pub(crate) unsafe fn give_up(of: Identity, message: &str) {
    let Some(guard) = judge::guard_of(of).filter(|guard| guard.is_own()) else { return };
    let caught = from_here(Why::Host).map_or(Caught::because(Why::Host), |(caught, _)| caught);
    // SAFETY: as in `exit`.
    unsafe { guard.leave(&caught, Some(message.to_owned())) }
}
