//! Calls from the host that come back where generated code cannot go on.
//!
//! Owns the limits of such a call and its errors. How calls are given up is
//! [`crate::faults`]'s.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Runtime;
use super::function::{Function, Signature};
use crate::error::{Error, ErrorKind, Fault, Result};
use crate::faults::{self, GivenUp, Interrupt, Limited};
use crate::table::SymbolId;

/// A guarded call that is about to be made; see [`Function::guarded`].
///
/// # What is contained
/// A SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGTRAP that generated code causes, a stack overflow of
/// it, a call or jump to where there is no code, and the same in a library that generated code
/// has called, as `memcpy` of a bad pointer. Calls of functions that nothing defines. The
/// innermost guard of the runtime, on the calling thread, gets the error, which names function,
/// module, generation and line.
///
/// Not contained, and left to the handlers that the process had before: a fault in a host
/// function that generated code called, and in hotslot itself; in the allocator of the C library,
/// beyond its first look at what it was given; whatever ends the process otherwise, as `abort`
/// does, unless [`Builder::contain_aborts`](super::Builder::contain_aborts) is set; a fault in code that hotslot runs on its way: a constructor run by an update, a
/// resolver, an exit handler, unless there is a guard further in.
///
/// # What is given up
/// The frames between the guard and the fault are left without being unwound, as `longjmp`
/// leaves them: those of generated code, and those of host functions that it called and that
/// called it in turn. Nothing of theirs is run: no destructor, no `catch`, no `finally`. Locks
/// they hold stay locked, a library's too; memory they own is leaked, and data they were changing
/// stays half changed. A guard of another runtime among them is given up too. Signals that were
/// blocked for a handler on the way are not any more.
///
/// An exception or a panic passes through, as does what the function returns.
///
/// # Safety
/// Whoever made the handle has promised that its code is sound, and here this includes that host
/// functions called back by it, and calling generated code, bear to be left so, and that nothing
/// leaves the guarded call by other ways than returning and unwinding: not by `longjmp`, nor by
/// switching to another stack for good.
#[derive(Debug)]
#[must_use = "nothing is called before `call`"]
pub struct Guarded<'f, F: Signature> {
    function: &'f Function<F>,
    due: Option<Instant>,
    interrupt: Option<&'f Interrupt>,
}

impl<'f, F: Signature> Guarded<'f, F> {
    pub(super) fn new(function: &'f Function<F>) -> Self {
        Self { function, due: None, interrupt: None }
    }

    /// Ends the call when it has run for `limit`, counted from now.
    ///
    /// Like an interrupt, it ends generated code wherever that is, and a library where it only
    /// waits: in `sleep`, `poll`, `read` and the like, called by generated code directly. In
    /// anything else, as the host's functions, it waits for generated code to be reached again.
    /// So a call may take longer, and one that has generated code wait for a lock may not end.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.due = Instant::now().checked_add(limit);
        self
    }

    /// Has the call end when `handle` says so, with the same rules as [`Self::deadline`].
    pub fn interrupt(mut self, handle: &'f Interrupt) -> Self {
        self.interrupt = Some(handle);
        self
    }

    pub(super) fn function(&self) -> &'f Function<F> {
        self.function
    }

    pub(super) fn run<T>(self, call: impl FnOnce() -> T) -> Result<T> {
        let runtime = self.function.runtime();
        if self.due.is_none() && self.interrupt.is_none() {
            return run(runtime, call);
        }
        let identity = runtime.inner.missing.identity();
        if !faults::is_known(identity) {
            let error = Error::new(ErrorKind::Host, "calls of this runtime cannot be limited");
            return Err(error.hint("there are more runtimes in this process than hotslot can tell apart"));
        }
        prepare(runtime);
        let limited = Limited::begin(self.interrupt, self.due)?;
        let result = faults::run(identity, Some(&limited.call), call);
        drop(limited);
        result.map_err(|given_up| error(runtime, given_up))
    }
}

/// Runs `call`, which calls generated code of `runtime` and does nothing else, under a guard.
#[inline]
pub(super) fn run<T>(runtime: &Runtime, call: impl FnOnce() -> T) -> Result<T> {
    if runtime.inner.prepares_threads {
        faults::prepare_thread();
    }
    let result = faults::run(runtime.inner.missing.identity(), None, call);
    result.map_err(|given_up| error(runtime, given_up))
}

/// Calls of the program's code that hotslot makes between steps of its own.
impl Runtime {
    /// Runs `call`, which calls generated code and does nothing else. What that cannot go on with
    /// ends here: a guard further out must not give up the frames between.
    pub(crate) fn contained<T>(&self, call: impl FnOnce() -> T) -> Result<T> {
        faults::barrier(|| run(self, call))
    }

    /// Whether `address` is that of a function that nothing defines any more.
    pub(crate) fn is_missing(&self, address: usize) -> bool {
        let state = self.inner.state.lock();
        let is_it = |id: SymbolId| state.symbols.slots.stub(id.0) == address as u64;
        state.symbols.iter().any(|(id, symbol)| is_it(id) && symbol.winner().is_none())
    }
}

/// Prepares the calling thread for a call with limits.
fn prepare(runtime: &Runtime) {
    match runtime.inner.prepares_threads {
        true => faults::prepare_thread(),
        false => faults::prepare_stacks(),
    }
}

#[cold]
fn error(runtime: &Runtime, given_up: GivenUp) -> Error {
    match given_up {
        GivenUp::Error(error) => error,
        GivenUp::Caught(caught, said) => runtime.inner.describe_fault(&caught, said.as_deref()).1,
    }
}

impl Runtime {
    /// Calls `function` with `data` under a guard, as [`Guarded::call`] does: for functions that
    /// are known by their address alone, as callbacks are.
    ///
    /// # Errors
    /// As [`Function::try_call`].
    ///
    /// # Safety
    /// It is a function of this type, which is generated code of this runtime or calls nothing
    /// else, may be called with `data`, and bears to be left as [`Guarded`] says.
    #[allow(unsafe_code)]
    pub unsafe fn guarded_call(
        &self,
        function: unsafe extern "C-unwind" fn(*mut c_void),
        data: *mut c_void,
    ) -> Result<()> {
        // SAFETY: by the contract above.
        run(self, move || unsafe { function(data) })
    }

    /// Ends the innermost guarded call of this runtime on the calling thread with
    /// [`ErrorKind::GivenUp`] and `message`: for a function of the host that generated code has called,
    /// and that finds that there is no going on. [`Error::fault`] says where the code was. Comes back,
    /// with the error, where there is no such call.
    ///
    /// # Safety
    /// All frames between the guarded call and this one bear to be left as [`Guarded`] says, those of the
    /// function that calls this among them: nothing of theirs is dropped.
    #[allow(unsafe_code)]
    pub unsafe fn give_up(&self, message: &str) -> Error {
        // SAFETY: by the contract above; nothing in this frame has to be dropped.
        unsafe { faults::give_up(self.inner.missing.identity(), message) };
        Error::new(ErrorKind::GivenUp, message)
    }

    /// Has `report` told of a fault of generated code that no guarded call waits for, before it
    /// ends the process: in the handler of the signal, on a stack of its own, for five seconds at
    /// most. It should do no more than tell: the thread that faulted may be in the middle of
    /// anything. What happens to the process is not changed by it; handlers that the program
    /// installs for these signals later replace hotslot's.
    ///
    /// Stack overflows are among them on this thread and on threads that generated code starts.
    /// Children of fork end without being reported.
    ///
    /// # Errors
    /// [`ErrorKind::Host`](crate::ErrorKind::Host) when crashes of this process are reported
    /// already, or what it takes is missing.
    pub fn report_crashes(&self, report: impl Fn(&Fault) + Send + Sync + 'static) -> Result<()> {
        let inner = Arc::downgrade(&self.inner);
        faults::report_to(Box::new(move |caught| {
            if let Some(inner) = inner.upgrade() {
                report(&inner.describe_fault(caught, None).0);
            }
        }))
    }
}
