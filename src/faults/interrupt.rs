//! Ending a guarded call from outside: by a handle, or when its time is over.
//!
//! Owns the signal that the call's thread gets, and the thread of hotslot's that sends it again
//! until the call has ended: where it meets the call that cannot always be left, and nothing
//! but returning later helps. The rules for that are [`super::judge`]'s.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::caught::Why;
use super::handler;
use super::judge::Verdict;
use crate::error::{Error, ErrorKind, Result};
use crate::reclaim::{leave_signals_to_others, own_signal, wait_on};

/// A guarded call that may be ended from outside.
pub(crate) struct Call {
    thread: i32,
    wanted: AtomicU8,
    /// Held while the thread gets a signal, so that it is still there.
    active: Mutex<bool>,
    /// It was given up together with the frame that would have said so.
    over: AtomicBool,
    /// How often it was to get the signal since it last got one.
    unanswered: AtomicU32,
    due: Option<Instant>,
}

const BY_HANDLE: u8 = 1;
const BY_TIME: u8 = 2;

impl Call {
    /// Somebody wants it to end.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) != 0
    }

    pub(super) fn why(&self) -> Why {
        if self.wanted.load(Ordering::Acquire) == BY_TIME { Why::Deadline } else { Why::Interrupt }
    }

    /// Called by the call's thread, in a handler of signals perhaps.
    pub(super) fn is_given_up(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// The same.
    pub(super) fn has_got_signal(&self) {
        self.unanswered.store(0, Ordering::Release);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Sends the signal; whether the call still runs.
    fn send(&self, why: u8) -> bool {
        let active = self.active.lock();
        if !*active || self.is_over() {
            return false;
        }
        let _ = self.wanted.compare_exchange(0, why, Ordering::AcqRel, Ordering::Relaxed);
        // One is enough while the thread has not come to it, as where signals are blocked: they
        // would queue. Now and then there is another, as the program may have lost the first.
        let before = self.unanswered.fetch_add(1, Ordering::AcqRel);
        if (before == 0 || before.is_power_of_two())
            && let Some(signal) = signal()
        {
            // SAFETY: sends a signal, which has a handler, to a thread that is in the call.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), self.thread, signal) };
        }
        true
    }
}

/// Ends guarded calls that are running: a stop button.
///
/// Clones are the same handle, and one handle may be that of several calls. See
/// [`Guarded::interrupt`](crate::Guarded::interrupt).
#[derive(Clone, Default)]
pub struct Interrupt {
    running: Arc<Mutex<Vec<Arc<Call>>>>,
}

impl Interrupt {
    /// A handle that no call has yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the calls that run under this handle at the moment, each with an error of kind
    /// [`ErrorKind::Interrupted`]; returns how many those are. It does not wait for that: a call
    /// that cannot be left where it is gets another signal soon. One that returns meanwhile has
    /// returned. Calls that begin later are not concerned.
    ///
    /// Any thread may call this, but no handler of a signal.
    pub fn interrupt(&self) -> usize {
        // A child of fork has none of its own, and the lock may be anybody's.
        if PROCESS.load(Ordering::Acquire) != this_process() {
            return 0;
        }
        let running = {
            let mut running = self.running.lock();
            running.retain(|call| !call.is_over());
            running.clone()
        };
        let mut count = 0;
        for call in running {
            if call.send(BY_HANDLE) {
                count += 1;
                watch(call);
            }
        }
        count
    }
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let running = self.running.try_lock().map(|running| running.len());
        f.debug_struct("Interrupt").field("running", &running).finish()
    }
}

/// A call that is registered with those that may end it.
pub(crate) struct Limited {
    pub(crate) call: Arc<Call>,
    handle: Option<Interrupt>,
}

impl Limited {
    /// Registers a call that this thread is about to make.
    pub(crate) fn begin(handle: Option<&Interrupt>, due: Option<Instant>) -> Result<Self> {
        ready()?;
        // SAFETY: takes nothing.
        let thread = unsafe { libc::gettid() };
        let call = Arc::new(Call {
            thread,
            wanted: AtomicU8::new(0),
            active: Mutex::new(true),
            over: AtomicBool::new(false),
            unanswered: AtomicU32::new(0),
            due,
        });
        if let Some(handle) = handle {
            let mut running = handle.running.lock();
            running.retain(|call| !call.is_over());
            running.push(call.clone());
        }
        if due.is_some() {
            watch(call.clone());
        }
        Ok(Self { call, handle: handle.cloned() })
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.call.over.store(true, Ordering::Release);
        // The call may have forked. In the child nobody sends signals, and nobody is there to
        // give back a lock.
        if PROCESS.load(Ordering::Acquire) != this_process() {
            return;
        }
        // Waits for one that is just being sent.
        *self.call.active.lock() = false;
        if let Some(handle) = &self.handle {
            handle.running.lock().retain(|call| !Arc::ptr_eq(call, &self.call));
        }
    }
}

static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Whether `signal` is the one that ends calls.
pub(super) fn is_signal(signal: c_int) -> bool {
    signal == SIGNAL.load(Ordering::Acquire)
}

/// The signal, with its handler: the program may have reset or taken it.
fn signal() -> Option<c_int> {
    let last = SIGNAL.load(Ordering::Acquire);
    let signal = own_signal(Some(last).filter(|last| *last != 0), interrupted as *const () as usize)?;
    SIGNAL.store(signal, Ordering::Release);
    Some(signal)
}

unsafe extern "C" fn interrupted(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the calling thread's own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; then the kernel's arguments, with all signals blocked.
    unsafe {
        let before = *errno;
        if handler::decide(signal, info, context) == Verdict::Pass {
            wait_on(&mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs, true);
        }
        *errno = before;
    }
}

/// What the thread that sends signals looks at.
struct Watched {
    calls: Vec<Weak<Call>>,
    /// It has been started.
    runs: bool,
}

static WATCHED: Mutex<Watched> = Mutex::new(Watched { calls: Vec::new(), runs: false });

/// The process that it is a thread of, or is to be; 0 before. Looked at before any lock here is
/// taken: a child of fork has them as they were, locked for ever perhaps.
static PROCESS: AtomicI32 = AtomicI32::new(0);

fn this_process() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::getpid() }
}
static CHANGED: Condvar = Condvar::new();

/// Chooses the signal and starts the thread, once.
fn ready() -> Result<()> {
    let refuse = |what| Err(Error::new(ErrorKind::Host, what));
    let process = this_process();
    let claimed = PROCESS.compare_exchange(0, process, Ordering::AcqRel, Ordering::Acquire);
    if claimed.is_err_and(|other| other != process) {
        return refuse("a child of fork cannot limit its parent's calls");
    }
    let mut watched = WATCHED.lock();
    if watched.runs {
        return Ok(());
    }
    if signal().is_none() {
        return refuse("the program uses every real-time signal: none is left to interrupt calls with");
    }
    let started = std::thread::Builder::new().name("hotslot-limits".to_owned()).spawn(send_signals);
    if let Err(error) = started {
        return refuse("no thread can be started that interrupts calls")
            .map_err(|e| e.hint(error.to_string()));
    }
    watched.runs = true;
    Ok(())
}

fn watch(call: Arc<Call>) {
    let mut watched = WATCHED.lock();
    let known = watched.calls.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(&call)));
    if !known {
        watched.calls.push(Arc::downgrade(&call));
    }
    CHANGED.notify_one();
}

/// The thread: sends each call that is wanted the signal again, and those whose time is over.
fn send_signals() {
    leave_signals_to_others();
    let mut tries = 0u32;
    let mut watched = WATCHED.lock();
    loop {
        let now = Instant::now();
        let (mut next, mut insists) = (None::<Instant>, false);
        watched.calls.retain(|call| {
            let Some(call) = call.upgrade() else { return false };
            let over = call.due.is_some_and(|due| due <= now);
            if over || call.is_wanted() {
                insists = true;
                return call.send(BY_TIME);
            }
            if call.is_over() || !*call.active.lock() {
                return false;
            }
            next = [next, call.due].into_iter().flatten().min();
            true
        });
        tries = if insists { tries.saturating_add(1) } else { 0 };
        // Code that is in libraries most of the time is met elsewhere by chance.
        let pause = match tries {
            0..1000 => Duration::from_micros(100),
            1000..3000 => Duration::from_millis(1),
            _ => Duration::from_millis(20),
        };
        let again = insists.then(|| now + pause);
        match [next, again].into_iter().flatten().min() {
            Some(until) => _ = CHANGED.wait_until(&mut watched, until),
            None => CHANGED.wait(&mut watched),
        }
    }
}
