//! Faults of generated code that no guard waits for: somebody is told before the process ends.
//!
//! Owns the telling, on the thread that faulted and on its stack for that: a thread of hotslot's
//! would keep a process alive whose own threads have all ended. Decides nothing about the signal:
//! what would have happened without this happens afterwards.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::caught::Caught;
use super::{handler, judge, thread};
use crate::error::{Error, ErrorKind, Result};

/// Told of a fault.
pub(crate) type Reporter = Box<dyn Fn(&Caught) + Send + Sync>;

static REPORTER: OnceLock<Reporter> = OnceLock::new();

/// The end of a stack to look at a fault on, for threads without one.
static SPARE: AtomicU64 = AtomicU64::new(0);

/// A thread looks at its fault on that stack.
static SPARE_TAKEN: AtomicBool = AtomicBool::new(false);

/// A thread is telling of its fault, or has done so and ends the process.
static TELLING: AtomicBool = AtomicBool::new(false);

/// How long a thread waits until it looks again whether it is its turn, in milliseconds.
const PAUSE: c_int = 5;

/// How long telling may take, in seconds. It waits for ever where the thread that faulted has a
/// lock that it needs.
const PATIENCE: u32 = 5;

/// Has `reporter` told of faults that no guard waits for. One for each process. The calling
/// thread's stack overflows are among them, and those of threads that generated code starts.
pub(crate) fn report_to(reporter: Reporter) -> Result<()> {
    let stack = thread::map_stack()
        .ok_or_else(|| Error::new(ErrorKind::Host, "crashes cannot be reported: no memory"))?;
    if REPORTER.set(reporter).is_err() {
        return Err(Error::new(ErrorKind::Host, "crashes of this process are reported already"));
    }
    SPARE.store(stack, Ordering::Release);
    thread::prepare();
    Ok(())
}

/// To be called in a thread that generated code has started.
pub(crate) fn start_thread() {
    if SPARE.load(Ordering::Acquire) != 0 {
        thread::prepare();
    }
}

/// Tells of a fault, if it is one of generated code.
///
/// # Safety
/// Called by a handler with what the kernel gave it, while all signals are blocked.
pub(super) unsafe fn tell(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let spare = SPARE.load(Ordering::Acquire);
    // A child of fork is a program of its own.
    if spare == 0 || handler::is_child() {
        return;
    }
    // SAFETY: null, or this thread's own.
    let own = unsafe { thread::current().as_ref() }.map(|own| own.work);
    if own.is_none() {
        take_turn(&SPARE_TAKEN);
    }
    let mut noted = Noted { signal, info, context: context.cast() };
    // SAFETY: signals are blocked and it is this thread's turn, so nobody else uses the stack.
    unsafe { thread::on_stack(own.unwrap_or(spare), note, (&raw mut noted).cast()) };
    if own.is_none() {
        SPARE_TAKEN.store(false, Ordering::Release);
    }
}

/// Waits until nobody else has `turn`: that may be never, where the other one ends the process.
fn take_turn(turn: &AtomicBool) {
    while turn.swap(true, Ordering::AcqRel) {
        // SAFETY: waits only.
        unsafe { libc::poll(std::ptr::null_mut(), 0, PAUSE) };
    }
}

struct Noted {
    signal: c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::ucontext_t,
}

unsafe extern "C" fn note(noted: *mut c_void) {
    // SAFETY: what `tell` passes.
    let noted = unsafe { &mut *noted.cast::<Noted>() };
    // SAFETY: the kernel's record and context, by the contract of `tell`.
    let caught = unsafe { judge::unguarded(noted.signal, &*noted.info, &*noted.context) };
    // Most are a host's own, which it may well recover from: those do not wait for anybody.
    if let (Some(caught), Some(reporter)) = (caught, REPORTER.get()) {
        take_turn(&TELLING);
        within(PATIENCE, || reporter(&caught));
        // Otherwise the process is about to end, and there is nothing to add.
        if handler::goes_to_somebody(noted.signal) {
            TELLING.store(false, Ordering::Release);
        }
    }
}

/// Does `work`; the process ends by SIGALRM where that takes too long.
fn within(seconds: u32, work: impl FnOnce()) {
    // SAFETY: zeroes are valid values, filled before they are used. Afterwards the signal, its
    // handler and the thread's mask are as they were.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGALRM, std::ptr::null(), &mut before);
        let (off, mut timer) = (std::mem::zeroed(), std::mem::zeroed());
        libc::setitimer(libc::ITIMER_REAL, &off, &mut timer);
        handler::set(libc::SIGALRM, libc::SIG_DFL, 0);
        let (mut set, mut mask) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGALRM);
        libc::alarm(seconds);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, &mut mask);
        work();
        libc::alarm(0);
        libc::pthread_sigmask(libc::SIG_SETMASK, &mask, std::ptr::null_mut());
        libc::sigaction(libc::SIGALRM, &before, std::ptr::null_mut());
        // With the interval of a timer that goes off again and again.
        libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
    }
}
