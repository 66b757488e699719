//! Asking a thread that runs: it gets a signal, and looks at its own stack.
//!
//! Owns the signal, the request that its handler reads and the answers it leaves there. The
//! handler takes no lock and allocates nothing. It may run late, when nobody waits any more:
//! then it finds no request, or a newer one that it may as well answer.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::choice::own_signal;
use super::contexts::Contexts;
use super::memory::{Mappings, this_thread};
use super::stack::{Memory, RED_ZONE, Seen, Thread, is_main};
use super::task::{self, Doing};
use super::waits::wait_on;
use super::wanted::Wanted;
use crate::seeded::{Bug, bug};
use crate::tls::thread_pointer;

/// What a thread is asked, and its place to answer.
pub(super) struct Request {
    wanted: Wanted,
    mappings: Mappings,
    contexts: Contexts,
    /// In order of their threads.
    slots: Box<[Slot]>,
}

struct Slot {
    thread: i32,
    /// It was seen running. If the signal meets it in a system call, it has just begun that.
    ran: bool,
    state: AtomicU8,
    sp: AtomicU64,
    pointer: AtomicU64,
    /// For each range the first word found, or 0.
    found: Box<[AtomicU64]>,
}

// The states of a slot. Only its thread leaves ASKED.
const ASKED: u8 = 0;
/// Everything was looked at.
const DONE: u8 = 1;
/// Known, but not the thread's own: that one has to be looked at, too.
const ELSEWHERE: u8 = 2;
/// Not known: nothing but the registers was looked at.
const UNKNOWN: u8 = 3;
/// Where the mappings that were read have no stack.
const LOST: u8 = 4;

/// A thread's answer.
pub(super) enum Reply {
    All(Seen),
    /// Its own stack is still to be looked at.
    Elsewhere(Seen, Thread),
    /// And the one it is on.
    Unknown(Seen, Thread),
    /// Where it is was mapped later than the mappings were read.
    Lost,
    Gone,
    Late,
    /// It has blocked since, so it was not sent the signal.
    NotAsked,
}

/// The request that handlers answer. Its memory stays while a handler may use it: one that
/// has read this pointer has counted itself in `INSIDE` before.
static CURRENT: AtomicPtr<Request> = AtomicPtr::new(null_mut());
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// In a forked process: no other thread is in the handler any more.
pub(super) fn start_process() {
    INSIDE.store(0, Ordering::SeqCst);
}

/// What is kept from one question to the next.
pub(super) struct Line {
    signal: Option<c_int>,
    /// Requests that a handler may still be reading.
    #[allow(clippy::vec_box)] // which has its address
    attic: Vec<Box<Request>>,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { signal: None, attic: Vec::new() }
    }

    /// The signal, with our handler installed.
    pub(super) fn signal(&mut self) -> Option<c_int> {
        self.signal = own_signal(self.signal, answer as *const () as usize);
        self.signal
    }

    /// Asks `threads`, in order of their numbers; with each whether it was seen running. With
    /// `insist` those that have blocked since then, too.
    pub(super) fn ask(
        &mut self,
        signal: c_int,
        threads: &[(i32, bool)],
        insist: bool,
        memory: &Memory<'_>,
    ) -> Vec<Reply> {
        let slot = |&(thread, ran): &(i32, bool)| Slot {
            thread,
            ran,
            state: AtomicU8::new(ASKED),
            sp: AtomicU64::new(0),
            pointer: AtomicU64::new(0),
            found: (0..memory.wanted.len()).map(|_| AtomicU64::new(0)).collect(),
        };
        let request = Box::new(Request {
            wanted: memory.wanted.clone(),
            mappings: memory.mappings.clone(),
            contexts: memory.contexts.clone(),
            slots: threads.iter().map(slot).collect(),
        });
        CURRENT.store((&raw const *request).cast_mut(), Ordering::SeqCst);
        let mut sent: Vec<Sent> = Vec::with_capacity(threads.len());
        for &(thread, ran) in threads {
            // As late as can be: most that run have work to do, and some are about to block.
            let blocks = ran && !insist && matches!(task::doing(thread), Doing::Blocked(_));
            sent.push(match blocks {
                true => Sent::Not,
                false if task::send(thread, signal) => Sent::Yes,
                false => Sent::Gone,
            });
        }
        // As long as each has to wait for a turn on a busy machine.
        let patience = Duration::from_millis(50 + 10 * threads.len() as u64).min(Duration::from_secs(1));
        wait(&request, &mut sent, Instant::now() + patience);
        CURRENT.store(null_mut(), Ordering::SeqCst);
        let replies =
            request.slots.iter().zip(sent).map(|(slot, sent)| slot.reply(memory.wanted, sent)).collect();
        self.attic.push(request);
        // No handler that starts from now on gets at one of these.
        if INSIDE.load(Ordering::SeqCst) == 0 {
            self.attic.clear();
        }
        replies
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Yes,
    Not,
    Gone,
}

/// Waits until every thread has answered or is gone.
fn wait(request: &Request, sent: &mut [Sent], until: Instant) {
    for round in 0u32.. {
        let mut open = false;
        for (slot, sent) in request.slots.iter().zip(&mut *sent) {
            if *sent == Sent::Yes && slot.state.load(Ordering::Acquire) == ASKED {
                if round % 16 == 15 && task::doing(slot.thread) == Doing::Gone {
                    *sent = Sent::Gone;
                }
                open |= *sent == Sent::Yes;
            }
        }
        if !open || Instant::now() > until {
            return;
        }
        match round {
            0..10 => std::thread::yield_now(),
            10..40 => std::thread::sleep(Duration::from_micros(20)),
            _ => std::thread::sleep(Duration::from_micros(500)),
        }
    }
}

impl Slot {
    fn reply(&self, wanted: &Wanted, sent: Sent) -> Reply {
        let state = self.state.load(Ordering::Acquire);
        let mut seen = Seen::nothing(wanted);
        for (to, from) in seen.found.iter_mut().zip(&self.found) {
            *to = Some(from.load(Ordering::Relaxed)).filter(|word| *word != 0);
        }
        let thread = Thread {
            number: self.thread,
            sp: self.sp.load(Ordering::Relaxed),
            pointer: Some(self.pointer.load(Ordering::Relaxed)),
            alternate: None,
        };
        match (state, sent) {
            (DONE, _) => Reply::All(seen),
            (ELSEWHERE, _) => Reply::Elsewhere(seen, thread),
            (UNKNOWN, _) => Reply::Unknown(seen, thread),
            (LOST, _) => Reply::Lost,
            (_, Sent::Yes) => Reply::Late,
            (_, Sent::Not) => Reply::NotAsked,
            (_, Sent::Gone) => Reply::Gone,
        }
    }

    fn note(&self, wanted: &Wanted, word: u64) {
        wanted.search(word, |range| {
            if let Some(found) = self.found.get(range)
                && found.load(Ordering::Relaxed) == 0
            {
                found.store(word, Ordering::Relaxed);
            }
        });
    }

    /// Answers, in the thread itself. The state to end in.
    fn fill(&self, request: &Request, registers: &[i64]) -> u8 {
        let register = |index: c_int| registers.get(index as usize).map_or(0, |value| *value as u64);
        let sp = register(libc::REG_RSP);
        self.sp.store(sp, Ordering::Relaxed);
        self.pointer.store(thread_pointer() as u64, Ordering::Relaxed);
        self.note(&request.wanted, register(libc::REG_RIP));
        let (state, end) = place(request, self.thread, sp);
        let low = request.mappings.at(sp).map_or(sp, |mapping| mapping.start);
        let mut at = sp.saturating_sub(RED_ZONE).max(low) & !7;
        while at < end & !7 {
            // SAFETY: between this thread's stack pointer and the end of the stack it is on,
            // or in the zone below that belongs to it.
            let word = unsafe { (at as *const u64).read_volatile() };
            self.note(&request.wanted, word);
            at = at.wrapping_add(8);
        }
        let seen = if bug(Bug::SkipRegisters) { 0 } else { libc::REG_RIP + 1 };
        for index in 0..seen {
            self.note(&request.wanted, register(index));
        }
        state
    }
}

/// What stack the calling thread's `sp` is on, and where that ends.
fn place(request: &Request, thread: i32, sp: u64) -> (u8, u64) {
    let Some(mapping) = request.mappings.at(sp) else { return (LOST, 0) };
    if let Some(stack) = request.contexts.at(sp) {
        return (ELSEWHERE, stack.end.min(mapping.end));
    }
    if let Some(stack) = alternate_stack().filter(|stack| stack.contains(&sp)) {
        return (ELSEWHERE, stack.end.min(mapping.end));
    }
    let pointer = thread_pointer() as u64;
    if (sp..mapping.end).contains(&pointer) {
        (DONE, pointer)
    } else if mapping.main && is_main(thread) {
        (DONE, mapping.end)
    } else {
        (UNKNOWN, 0)
    }
}

/// The calling thread's stack for signals.
pub(super) fn alternate_stack() -> Option<std::ops::Range<u64>> {
    let mut stack = libc::stack_t { ss_sp: null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: valid for writes; nothing is changed.
    unsafe { libc::sigaltstack(null(), &mut stack) };
    let start = stack.ss_sp as u64;
    (stack.ss_flags & libc::SS_DISABLE == 0).then(|| start..start.saturating_add(stack.ss_size as u64))
}

/// Where a handler that the C library installs returns to, as the kernel knows it.
pub(super) fn restorer(signal: c_int) -> Option<u64> {
    // Handler, flags, restorer, mask.
    let mut action = [0u64; 4];
    // SAFETY: the kernel's record has this size with a mask of 8 bytes; nothing is changed.
    let status =
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, null::<u64>(), action.as_mut_ptr(), 8) };
    (status == 0 && action[2] != 0).then_some(action[2])
}

/// The handler.
unsafe extern "C" fn answer(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the calling thread's own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    INSIDE.fetch_add(1, Ordering::SeqCst);
    let request = CURRENT.load(Ordering::SeqCst);
    // SAFETY: the kernel passes a valid context for a handler with SA_SIGINFO.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    // SAFETY: not freed while INSIDE counts this thread, which it does since before the load.
    if let Some(request) = unsafe { request.as_ref() } {
        let this = this_thread();
        if let Ok(at) = request.slots.binary_search_by_key(&this, |slot| slot.thread)
            && let Some(slot) = request.slots.get(at)
        {
            if slot.state.load(Ordering::Relaxed) == ASKED {
                slot.state.store(slot.fill(request, registers), Ordering::Release);
            }
            if slot.ran {
                wait_on(registers, false);
            }
        }
    }
    INSIDE.fetch_sub(1, Ordering::SeqCst);
    // SAFETY: as above.
    unsafe { *errno = before };
}
