//! The signals of faults: who handles them, and who handled them before.
//!
//! Owns the handlers. One that cannot end a call passes the signal on as if it had never been
//! there: to the handler that the program or the host had before, or to the kernel. A handler
//! that the program installs later takes the place of this one, and is left there.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use super::judge::{self, Verdict};
use super::{crash, library, thread};

/// Those that a thread causes by what it does. The last is handled where somebody asks for that.
const FAULTS: [c_int; 6] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT];

/// What a signal did before.
struct Before {
    handler: AtomicUsize,
    flags: AtomicI32,
    mask: AtomicU64,
}

static BEFORE: [Before; 6] =
    [const { Before { handler: AtomicUsize::new(0), flags: AtomicI32::new(0), mask: AtomicU64::new(0) } }; 6];

/// Handles faults from now on.
#[inline]
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        library::prepare();
        // SAFETY: takes nothing.
        PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
        for (signal, before) in FAULTS.into_iter().zip(&BEFORE).filter(|(signal, _)| *signal != libc::SIGABRT)
        {
            take(signal, before);
        }
    });
}

/// Handles SIGABRT from now on.
pub(super) fn install_abort() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        library::prepare();
        take(libc::SIGABRT, &BEFORE[FAULTS.len() - 1]);
    });
}

/// Becomes the handler of `signal`, and notes in `before` what was there.
fn take(signal: c_int, before: &Before) {
    // SAFETY: zeroes are a valid value; valid for writes, nothing is changed.
    let old = unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, null(), &mut old);
        old
    };
    before.flags.store(old.sa_flags, Ordering::Relaxed);
    before.mask.store(word(&old.sa_mask), Ordering::Relaxed);
    before.handler.store(old.sa_sigaction, Ordering::Release);
    set(signal, caught as *const () as usize, libc::SA_SIGINFO | libc::SA_ONSTACK);
}

/// The process that installed the handlers.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// Whether this is a child of fork.
pub(super) fn is_child() -> bool {
    // SAFETY: takes nothing.
    PROCESS.load(Ordering::Relaxed) != unsafe { libc::getpid() }
}

/// Makes `handler` that of `signal`; nothing interrupts it.
pub(super) fn set(signal: c_int, handler: usize, flags: c_int) -> bool {
    // SAFETY: zeroes are a valid value, every field that matters is set; the handler may run at
    // any time.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigfillset(&mut action.sa_mask);
        libc::sigaction(signal, &action, null_mut()) == 0
    }
}

/// The signals of a set that the kernel knows.
fn word(set: &libc::sigset_t) -> u64 {
    // SAFETY: it is longer than a word, and aligned for one.
    unsafe { std::ptr::from_ref(set).cast::<u64>().read() }
}

/// A signal to judge, and what comes of it.
pub(super) struct Case {
    pub(super) signal: c_int,
    pub(super) info: *mut libc::siginfo_t,
    pub(super) context: *mut libc::ucontext_t,
    verdict: Verdict,
}

/// Judges the signal on the thread's own stack for that. Whether the call is left.
///
/// # Safety
/// Called by a handler with what the kernel gave it, while all signals are blocked.
pub(super) unsafe fn decide(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) -> Verdict {
    unsafe extern "C" fn work(case: *mut c_void) {
        // SAFETY: what `decide` passes.
        let case = unsafe { &mut *case.cast::<Case>() };
        // SAFETY: the kernel's record and context, by the contract of `decide`.
        case.verdict = unsafe { judge::judge(case.signal, &*case.info, &mut *case.context) };
    }
    // SAFETY: null, or this thread's own, which stays while it runs.
    let Some(own) = (unsafe { thread::current().as_ref() }) else { return Verdict::Pass };
    let mut case = Case { signal, info, context: context.cast(), verdict: Verdict::Pass };
    // SAFETY: signals are blocked, so nobody else uses that stack.
    unsafe { thread::on_stack(own.work, work, (&raw mut case).cast()) };
    case.verdict
}

unsafe extern "C" fn caught(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the calling thread's own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    // SAFETY: the kernel's arguments; the handler's mask has all signals.
    let verdict = unsafe { decide(signal, info, context) };
    if verdict == Verdict::Pass {
        // SAFETY: as above.
        unsafe {
            crash::tell(signal, info, context);
            *errno = before;
            pass_on(signal, info, context);
        }
    }
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Whether a fault that is passed on has a handler from before, which may recover from it.
pub(super) fn goes_to_somebody(signal: c_int) -> bool {
    let at = FAULTS.iter().position(|fault| *fault == signal);
    let before = at.and_then(|at| BEFORE.get(at)).map(|before| before.handler.load(Ordering::Acquire));
    before.is_some_and(|handler| !matches!(handler, libc::SIG_DFL | libc::SIG_IGN))
}

/// Does what would have happened without us.
///
/// # Safety
/// As for [`decide`].
unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(at) = FAULTS.iter().position(|fault| *fault == signal) else { return };
    let before = &BEFORE[at];
    let handler = before.handler.load(Ordering::Acquire);
    let flags = before.flags.load(Ordering::Relaxed);
    // SAFETY: the kernel's record.
    let by_kernel = unsafe { (*info).si_code } > 0;
    match handler {
        libc::SIG_IGN if !by_kernel => {}
        libc::SIG_DFL | libc::SIG_IGN => as_the_kernel_does(signal),
        _ => {
            // SAFETY: the kernel's context. The masks are words, and the calls only change that
            // of this thread. The handler is one that was installed with these flags.
            unsafe {
                let interrupted = &(*context.cast::<libc::ucontext_t>()).uc_sigmask;
                let mut mask = word(interrupted) | before.mask.load(Ordering::Relaxed);
                if flags & libc::SA_NODEFER == 0 {
                    mask |= 1 << (signal - 1);
                }
                let mut set: libc::sigset_t = std::mem::zeroed();
                (&raw mut set).cast::<u64>().write(mask);
                libc::pthread_sigmask(libc::SIG_SETMASK, &set, null_mut());
                if flags & libc::SA_RESETHAND != 0 {
                    set_default(signal);
                }
                if flags & libc::SA_SIGINFO != 0 {
                    type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
                    std::mem::transmute::<usize, Handler>(handler)(signal, info, context);
                } else {
                    std::mem::transmute::<usize, unsafe extern "C" fn(c_int)>(handler)(signal);
                }
            }
        }
    }
}

fn set_default(signal: c_int) {
    set(signal, libc::SIG_DFL, 0);
}

/// Ends the process as the signal does, once its handler returns.
fn as_the_kernel_does(signal: c_int) {
    set_default(signal);
    // It is blocked until then. What faulted would do so again, but for a trap.
    // SAFETY: sends a signal to the calling thread.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal) };
}
