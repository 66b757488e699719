//! Handles that end guarded calls, for C: from other threads and from handlers of signals.
//!
//! Owns the way out of a handler of a signal, in which nothing may be locked: it marks the handle
//! and wakes a thread, which does the rest. How calls are ended is the library's [`Interrupt`].
#![allow(unsafe_code)] // exports functions

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

use super::boundary::{object, put, run, run_or};
use super::error::{HotslotCode, HotslotError};
use crate::error::{Error, ErrorKind};
use crate::faults::Interrupt;
use crate::reclaim::leave_signals_to_others;

/// Ends guarded calls that are running: a stop button. One may be that of several calls.
pub struct HotslotInterrupt {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    handle: Interrupt,
    /// A handler of a signal wants its calls to end.
    wanted: AtomicBool,
}

impl HotslotInterrupt {
    pub fn handle(&self) -> &Interrupt {
        &self.shared.handle
    }
}

/// All that there are.
static HANDLES: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Written to by handlers of signals, read by the thread.
static WAKE: OnceLock<OwnedFd> = OnceLock::new();

/// Held while the thread is started.
static STARTING: Mutex<()> = Mutex::new(());

/// Starts the thread, once.
fn ready() -> crate::error::Result<()> {
    let _turn = STARTING.lock();
    if WAKE.get().is_some() {
        return Ok(());
    }
    let refuse = |why: String| {
        Error::new(ErrorKind::Host, format!("calls cannot be interrupted from a handler of a signal: {why}"))
    };
    let wake = eventfd(0, EventfdFlags::CLOEXEC).map_err(|why| refuse(why.to_string()))?;
    let read = wake.try_clone().map_err(|why| refuse(why.to_string()))?;
    let thread = std::thread::Builder::new().name("hotslot-stop".to_owned());
    thread.spawn(move || listen(&read)).map_err(|why| refuse(why.to_string()))?;
    let _ = WAKE.set(wake);
    Ok(())
}

/// The thread: ends the calls of handles that are marked.
fn listen(wake: &OwnedFd) {
    leave_signals_to_others();
    let mut count = [0; 8];
    loop {
        match rustix::io::read(wake, &mut count) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        }
        let handles: Vec<_> = HANDLES.lock().iter().filter_map(Weak::upgrade).collect();
        for shared in handles {
            if shared.wanted.swap(false, Ordering::AcqRel) {
                shared.handle.interrupt();
            }
        }
    }
}

/// Makes a handle that no call has yet, stored in `*interrupt`; NULL is stored where that fails.
/// Free it with `hotslot_interrupt_free`.
///
/// Fails with `HOTSLOT_CODE_HOST` where no thread can be started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_interrupt_new(
    interrupt: *mut *mut HotslotInterrupt,
    error: *mut *mut HotslotError,
) -> HotslotCode {
    // SAFETY: the caller's promise, as the header says.
    unsafe {
        put(interrupt, std::ptr::null_mut());
        run(error, || {
            object((!interrupt.is_null()).then_some(()), "interrupt")?;
            ready()?;
            let shared = Arc::<Shared>::default();
            let mut handles = HANDLES.lock();
            handles.retain(|handle| handle.strong_count() > 0);
            handles.push(Arc::downgrade(&shared));
            interrupt.write(Box::into_raw(Box::new(HotslotInterrupt { shared })));
            Ok(())
        })
    }
}

/// Ends the calls that run under this handle at the moment, each with `HOTSLOT_CODE_INTERRUPTED`;
/// returns how many those are. It does not wait for that: generated code is ended wherever it is,
/// a library where it only waits, as in `sleep` or `read`; in anything else, as a function of the
/// host, it goes on until generated code is reached again. Calls that begin later are not
/// concerned. Any thread may call this, but no handler of a signal. 0 if it is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_interrupt_raise(interrupt: Option<&HotslotInterrupt>) -> usize {
    run_or(0, || interrupt.map_or(0, |interrupt| interrupt.handle().interrupt()))
}

/// The same for handlers of signals, such as that of SIGINT: it is async-signal-safe. A thread of
/// hotslot's ends the calls a moment later, those included that have begun in between. NULL is
/// ignored.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_interrupt_raise_in_signal(interrupt: Option<&HotslotInterrupt>) {
    if let (Some(interrupt), Some(wake)) = (interrupt, WAKE.get()) {
        interrupt.shared.wanted.store(true, Ordering::Release);
        // The kernel's call itself: it sets no errno of the thread that was interrupted.
        let _ = rustix::io::write(wake, &1u64.to_ne_bytes());
    }
}

/// Frees a handle. Calls under it go on without. No handler of a signal may use it any more. NULL
/// is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_interrupt_free(interrupt: Option<Box<HotslotInterrupt>>) {
    run_or((), || drop(interrupt));
}
