//! Guarded calls: calls from the host that generated code can be made to give up.
//!
//! Owns each thread's stack of guards, which is a list through the machine's stack, and
//! the way out of a call to the guard that waits for it. Deliberately knows nothing of why
//! a call is given up: whoever ends one brings the error, or notes what it has caught.
#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};

#[cfg(target_arch = "x86_64")]
use runtime_stubs::entry::{RecoveryFrame, THROWN, hotslot_guarded_call, hotslot_recover};

use super::caught::Caught;
use super::exceptions;
use super::interrupt::Call;
use crate::error::{Error, ErrorKind};

/// Which runtime a guard is for: an address that is the runtime's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(pub *const c_void);

/// Why a guarded call did not come to its end.
pub(crate) enum GivenUp {
    Error(Error),
    /// And what there is to say beside that.
    Caught(Box<Caught>, Option<String>),
}

/// One guarded call, in the frame that made it.
///
/// INVARIANT: [`INNERMOST`] and `outer` lead to guards of this thread whose frames are still
/// there. A guard takes itself off the list when its frame ends, in whichever way.
pub(super) struct Guard {
    pub(super) outer: *const Guard,
    /// `None` for a barrier.
    pub(super) of: Option<Identity>,
    frame: UnsafeCell<RecoveryFrame>,
    error: Cell<Option<Error>>,
    /// Where a handler notes what it has caught.
    caught: UnsafeCell<MaybeUninit<Caught>>,
    /// How the call is interrupted, if it can be.
    pub(super) call: *const Call,
    /// [`FORKS`] as it was made.
    forks: u32,
    /// What else there is to say of what was caught.
    said: Cell<Option<String>>,
    /// The exception that ends the call, and its class.
    pub(super) thrown: Cell<(*mut c_void, u64)>,
}

/// How many forks there are between this process and the first with a guard.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Says that this process is the child of the one that made the guards there are.
pub(super) fn start_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

thread_local! {
    // Without a destructor, so that it is there for as long as the thread runs anything.
    static INNERMOST: Cell<*const Guard> = const { Cell::new(ptr::null()) };
}

/// What [`hotslot_guarded_call`] returns when a call was given up: with an error, or by a handler.
const GIVEN_UP: u32 = 1;
pub(super) const CAUGHT: u32 = 2;

impl Guard {
    /// Runs `body` with a guard that is the thread's innermost one.
    #[inline(always)]
    fn with<R>(of: Option<Identity>, call: *const Call, body: impl FnOnce(&Guard) -> R) -> R {
        let guard = Guard {
            outer: INNERMOST.get(),
            of,
            frame: UnsafeCell::new(RecoveryFrame::new()),
            error: Cell::new(None),
            caught: UnsafeCell::new(MaybeUninit::uninit()),
            call,
            forks: FORKS.load(Ordering::Relaxed),
            said: Cell::new(None),
            thrown: Cell::new((ptr::null_mut(), 0)),
        };
        // A handler in this thread finds it complete.
        compiler_fence(Ordering::Release);
        INNERMOST.set(&raw const guard);
        body(&guard)
    }

    pub(super) fn frame(&self) -> *const RecoveryFrame {
        self.frame.get()
    }

    /// The stack pointer of its call.
    pub(super) fn sp(&self) -> u64 {
        // SAFETY: written when the call began, and not since.
        unsafe { (*self.frame.get()).stack_pointer() }
    }

    /// Whether it was made in this process, not in one that this is forked from.
    pub(super) fn is_own(&self) -> bool {
        self.forks == FORKS.load(Ordering::Relaxed)
    }

    /// Ends its call, with what is `caught` and what else there is to say.
    ///
    /// # Safety
    /// Its call is active, in this thread, and no frame in between has a value that must be dropped, as
    /// far as this crate knows them.
    pub(super) unsafe fn leave(&self, caught: &Caught, said: Option<String>) -> ! {
        self.said.set(said);
        // SAFETY: by the contract above.
        unsafe {
            self.give_up(caught);
            hotslot_recover(self.frame(), CAUGHT)
        }
    }

    /// Notes why it is given up, which the calling thread is about to do.
    ///
    /// # Safety
    /// Its call is active, in this thread, and goes on at the guard with [`CAUGHT`].
    pub(super) unsafe fn give_up(&self, caught: &Caught) {
        self.note(caught);
        self.become_innermost();
    }

    /// Notes why its call may be about to end.
    pub(super) fn note(&self, caught: &Caught) {
        // SAFETY: nobody reads it while the call is active, and only this thread writes it.
        unsafe { (*self.caught.get()).write(*caught) };
    }

    /// Gives up the guards further in, whose frames are about to be left: nothing in those is
    /// dropped, so the calls are told here that they are over.
    fn become_innermost(&self) {
        let mut at = INNERMOST.get();
        // SAFETY: the list's invariant; this guard is on it.
        while let Some(guard) = unsafe { at.as_ref() }.filter(|guard| !ptr::eq(*guard, self)) {
            // SAFETY: null, or leaked with the frame that owns it.
            if let Some(call) = unsafe { guard.call.as_ref() } {
                call.is_given_up();
            }
            at = guard.outer;
        }
        INNERMOST.set(ptr::from_ref(self));
    }
}

/// The calling thread's innermost guard, or null.
pub(super) fn innermost() -> *const Guard {
    INNERMOST.get()
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Guards further in, if there are any left, were given up together with their frames.
        INNERMOST.set(self.outer);
    }
}

/// Runs `call`, which calls generated code of runtime `of` and does nothing else.
///
/// An exception or a panic passes through. It ends early when `interruptible` is interrupted.
#[inline]
pub(crate) fn run<T, C: FnOnce() -> T>(
    of: Identity,
    interruptible: Option<&Call>,
    call: C,
) -> Result<T, GivenUp> {
    let mut work = Work { call: ManuallyDrop::new(call), result: MaybeUninit::<T>::uninit() };
    let data: *mut c_void = (&raw mut work).cast();
    let interruptible = interruptible.map_or(ptr::null(), ptr::from_ref);
    Guard::with(Some(of), interruptible, |guard| {
        // SAFETY: the guard, with its frame, and `work` stay in place until after the call,
        // and `work` is what `perform` is for.
        let end = unsafe { hotslot_guarded_call(guard.frame.get(), perform::<T, C>, data) };
        match end {
            // SAFETY: `perform` came to its end, so it has stored the result; `data` is `work`.
            0 => Ok(unsafe { (*data.cast::<Work<T, C>>()).result.assume_init_read() }),
            // SAFETY: `give_up` has written it.
            CAUGHT => {
                let caught = unsafe { (*guard.caught.get()).assume_init() };
                Err(GivenUp::Caught(Box::new(caught), guard.said.take()))
            }
            #[cfg(target_arch = "x86_64")]
            THROWN => {
                // SAFETY: it has been noted, or is as it was made here.
                let caught = unsafe { (*guard.caught.get()).assume_init() };
                let (exception, class) = guard.thrown.get();
                // What its destructor does is no concern of this guard's.
                INNERMOST.set(guard.outer);
                // SAFETY: the personality has claimed it for this guard.
                let said = unsafe { exceptions::end(of, exception, class) };
                Err(GivenUp::Caught(Box::new(caught), said))
            }
            _ => Err(GivenUp::Error(guard.error.take().unwrap_or_else(|| {
                Error::new(ErrorKind::Resolve, "a guarded call was given up for no known reason")
            }))),
        }
    })
}

struct Work<T, C> {
    call: ManuallyDrop<C>,
    result: MaybeUninit<T>,
}

/// # Safety
/// `work` is a `Work<T, C>`, and this is its one call.
unsafe extern "C-unwind" fn perform<T, C: FnOnce() -> T>(work: *mut c_void) {
    let work: *mut Work<T, C> = work.cast();
    // Nothing in this frame needs dropping while the call runs: it may be given up.
    // SAFETY: by the contract above; `call` is not used again.
    let call = unsafe { ManuallyDrop::take(&mut (*work).call) };
    let result = call();
    // SAFETY: as above.
    unsafe { (*work).result.write(result) };
}

/// Runs `body`, which calls generated code from frames that must not be given up: no guard
/// further out is found from inside it.
pub(crate) fn barrier<R>(body: impl FnOnce() -> R) -> R {
    Guard::with(None, ptr::null(), |_| body())
}

/// A guarded call of this thread whose error has been stored.
pub(crate) struct Ended(*const RecoveryFrame);

/// Stores `error` with the innermost guard of runtime `of` on this thread, or gives it back
/// where there is none to be reached.
pub(crate) fn end(of: Identity, error: Error) -> Result<Ended, Error> {
    let mut at = INNERMOST.get();
    // SAFETY: the list's invariant.
    while let Some(guard) = unsafe { at.as_ref() } {
        match guard.of {
            Some(runtime) if runtime == of => {
                guard.error.set(Some(error));
                guard.become_innermost();
                return Ok(Ended(guard.frame.get()));
            }
            Some(_) => at = guard.outer,
            None => break,
        }
    }
    Err(error)
}

impl Ended {
    /// Goes on at the guard.
    ///
    /// # Safety
    /// No frame between here and the guard has a value that must be dropped, as far as this
    /// crate knows them: see `Function::try_call` for those it does not.
    pub(crate) unsafe fn leave(self) -> ! {
        // SAFETY: the guard is on this thread's list, so its call is active.
        unsafe { hotslot_recover(self.0, GIVEN_UP) }
    }
}

/// Where no generated code can run, so that the rest compiles.
#[cfg(not(target_arch = "x86_64"))]
mod nowhere {
    use std::ffi::c_void;

    pub(super) struct RecoveryFrame;

    impl RecoveryFrame {
        pub(super) const fn new() -> Self {
            Self
        }

        pub(super) const fn stack_pointer(&self) -> u64 {
            0
        }
    }

    pub(super) unsafe fn hotslot_guarded_call(
        _: *mut RecoveryFrame,
        call: unsafe extern "C-unwind" fn(*mut c_void),
        data: *mut c_void,
    ) -> u32 {
        // SAFETY: by the contract of the real one.
        unsafe { call(data) };
        0
    }

    pub(super) unsafe fn hotslot_recover(_: *const RecoveryFrame, _: u32) -> ! {
        std::process::abort()
    }
}
#[cfg(not(target_arch = "x86_64"))]
use nowhere::{RecoveryFrame, hotslot_guarded_call, hotslot_recover};

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(of: Identity, call: impl FnOnce() -> T) -> Result<T, Error> {
        super::run(of, None, call).map_err(|given_up| match given_up {
            GivenUp::Error(error) => error,
            GivenUp::Caught(..) => Error::new(ErrorKind::Resolve, "caught"),
        })
    }

    fn identity(n: usize) -> Identity {
        Identity(ptr::without_provenance(n))
    }

    fn ended(of: usize, why: &str) -> Result<Ended, Error> {
        end(identity(of), Error::new(ErrorKind::Resolve, why))
    }

    fn give_up(of: usize) -> u32 {
        // SAFETY: these tests have no values to drop in between.
        let Ok(ended) = ended(of, "given up") else { return 0 };
        unsafe { ended.leave() }
    }

    #[test]
    fn a_call_ends_at_the_innermost_guard_of_its_runtime() {
        let (one, two) = (identity(1), identity(2));
        assert_eq!(run(one, || 5).unwrap(), 5);
        assert_eq!(run(one, || give_up(1)).unwrap_err().message(), "given up");
        let inner = run(one, || run(one, || give_up(1)).is_err()).unwrap();
        assert!(inner, "the inner guard gets it");
        assert!(run(one, || run(two, || give_up(1)).is_err()).is_err(), "not the other runtime's");
        assert_eq!(run(two, || give_up(1)).unwrap(), 0, "there is none");
        assert!(INNERMOST.get().is_null());
    }

    #[test]
    fn a_barrier_hides_the_guards_outside() {
        let value = run(identity(1), || barrier(|| (give_up(1), run(identity(1), || give_up(1)).is_err())));
        assert_eq!(value.unwrap(), (0, true));
        assert!(run(identity(1), || barrier(|| 0) + give_up(1)).is_err(), "it ends");
    }

    #[test]
    fn a_panic_takes_the_guard_with_it() {
        let caught = run(identity(1), || {
            let inner = std::panic::catch_unwind(|| run(identity(1), || -> u32 { std::panic::panic_any(7) }));
            let caught = *inner.unwrap_err().downcast::<i32>().unwrap();
            assert!(!INNERMOST.get().is_null() && caught == 7);
            give_up(1)
        });
        assert!(caught.is_err());
        assert!(INNERMOST.get().is_null());
    }

    #[test]
    fn each_thread_has_guards_of_its_own() {
        let found = run(identity(1), || std::thread::spawn(|| ended(1, "").is_ok()).join().unwrap());
        assert!(!found.unwrap());
    }
}
