//! Faults of generated code that no guard waits for: somebody is told before the process ends.
//!
//! Owns the thread that tells them. The one that faulted may hold any lock and have no stack
//! left, so it only notes what it was doing, and waits. Decides nothing about the signal: what
//! would have happened without this happens afterwards.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use super::caught::Caught;
use super::{handler, judge, thread};
use crate::error::{Error, ErrorKind, Result};
use crate::reclaim::leave_signals_to_others;

/// Told of a fault, on a thread of its own.
pub(crate) type Reporter = Box<dyn Fn(&Caught) + Send + Sync>;

static REPORTER: OnceLock<Reporter> = OnceLock::new();

/// The ends of two pipes: a fault has happened, and has been told of.
struct Pipes {
    happened: AtomicI32,
    told: AtomicI32,
}

static PIPES: Pipes = Pipes { happened: AtomicI32::new(-1), told: AtomicI32::new(-1) };

/// The end of a stack to look at a fault on, for threads without one.
static SPARE: AtomicU64 = AtomicU64::new(0);

/// A thread has come here before.
static TAKEN: AtomicBool = AtomicBool::new(false);

struct Place(UnsafeCell<MaybeUninit<Caught>>);

// SAFETY: written by the one thread that has set TAKEN, before it tells the reading one.
unsafe impl Sync for Place {}

static CAUGHT: Place = Place(UnsafeCell::new(MaybeUninit::uninit()));

/// How long a thread that has faulted waits to be told of, in milliseconds.
const PATIENCE: c_int = 5000;

/// Has `reporter` told of faults that no guard waits for. One for each process. The calling
/// thread's stack overflows are among them, and those of threads that generated code starts.
pub(crate) fn report_to(reporter: Reporter) -> Result<()> {
    if REPORTER.set(reporter).is_err() {
        return Err(Error::new(ErrorKind::Host, "crashes of this process are reported already"));
    }
    let refuse = |what: &str| Error::new(ErrorKind::Host, format!("crashes cannot be reported: no {what}"));
    let (wait, happened) = pipe().ok_or_else(|| refuse("pipe"))?;
    let (told, done) = pipe().ok_or_else(|| refuse("pipe"))?;
    SPARE.store(thread::map_stack().ok_or_else(|| refuse("memory"))?, Ordering::Release);
    let tell = move || {
        leave_signals_to_others();
        if read(wait) {
            // SAFETY: the thread that faulted has written it, and then to the pipe.
            let caught = unsafe { (*CAUGHT.0.get()).assume_init_ref() };
            REPORTER.get().inspect(|reporter| reporter(caught));
        }
        write(done);
    };
    let started = std::thread::Builder::new().name("hotslot-crash".to_owned()).spawn(tell);
    started.map_err(|_| refuse("thread"))?;
    PIPES.happened.store(happened, Ordering::Release);
    PIPES.told.store(told, Ordering::Release);
    thread::prepare();
    Ok(())
}

/// To be called in a thread that generated code has started.
pub(crate) fn start_thread() {
    if PIPES.told.load(Ordering::Acquire) >= 0 {
        thread::prepare();
    }
}

/// Tells of a fault, if it is one of generated code, and waits until that is done.
///
/// # Safety
/// Called by a handler with what the kernel gave it, while all signals are blocked.
pub(super) unsafe fn tell(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let (happened, told) = (PIPES.happened.load(Ordering::Acquire), PIPES.told.load(Ordering::Acquire));
    // Of a child of fork nobody is told: the thread that would is its parent's.
    if told < 0 || handler::is_child() {
        return;
    }
    if TAKEN.swap(true, Ordering::AcqRel) {
        // Another thread is ending the process.
        loop {
            // SAFETY: waits for ever.
            unsafe { libc::poll(std::ptr::null_mut(), 0, -1) };
        }
    }
    // SAFETY: null, or this thread's own.
    let top = match unsafe { thread::current().as_ref() } {
        Some(own) => own.work,
        None => SPARE.load(Ordering::Acquire),
    };
    let mut noted = Noted { signal, info, context: context.cast(), found: false };
    // SAFETY: signals are blocked, so nobody else uses this thread's stack, nor the spare one.
    unsafe { thread::on_stack(top, note, (&raw mut noted).cast()) };
    if noted.found {
        write(happened);
        let mut wait = libc::pollfd { fd: told, events: libc::POLLIN, revents: 0 };
        // SAFETY: one record, valid for writes.
        unsafe { libc::poll(&mut wait, 1, PATIENCE) };
    } else {
        TAKEN.store(false, Ordering::Release);
    }
}

struct Noted {
    signal: c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::ucontext_t,
    found: bool,
}

unsafe extern "C" fn note(noted: *mut c_void) {
    // SAFETY: what `tell` passes.
    let noted = unsafe { &mut *noted.cast::<Noted>() };
    // SAFETY: the kernel's record and context, by the contract of `tell`.
    let caught = unsafe { judge::unguarded(noted.signal, &*noted.info, &*noted.context) };
    if let Some(caught) = caught {
        // SAFETY: this thread has set TAKEN.
        unsafe { (*CAUGHT.0.get()).write(caught) };
        noted.found = true;
    }
}

fn pipe() -> Option<(c_int, c_int)> {
    let mut ends = [0; 2];
    // SAFETY: room for two numbers.
    (unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } == 0).then_some((ends[0], ends[1]))
}

fn read(from: c_int) -> bool {
    let mut byte = 0u8;
    loop {
        // SAFETY: room for a byte.
        let read = unsafe { libc::read(from, (&raw mut byte).cast(), 1) };
        // SAFETY: the calling thread's own.
        if read >= 0 || unsafe { *libc::__errno_location() } != libc::EINTR {
            return read == 1;
        }
    }
}

fn write(to: c_int) {
    // SAFETY: one byte of a constant.
    unsafe { libc::write(to, b"!".as_ptr().cast(), 1) };
}
