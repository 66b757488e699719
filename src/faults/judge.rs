//! Whether a call can be given up where a signal has met it.
//!
//! Owns the walk from there to the guard, and the rules. Generated code can be left anywhere; a
//! library that it has called by a fault of its arguments, too, unless that holds the
//! allocator's lock. Code of the host is not left where it faults: nobody knows what it was
//! doing. The same holds for every place between that and the guard that a signal had
//! interrupted. An interrupt leaves libraries only where they wait. What would end the process is
//! judged as a fault is.
#![allow(unsafe_code)]

use std::ffi::c_int;

use super::caught::{Caught, Why};
use super::guard::{self, CAUGHT, Guard, Identity};
use super::interrupt::{self, Call};
use super::{ends, library, ranges};
use crate::unwind::{Registers, Stack, Step, find_object, read_word};

/// What becomes of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// The context leads to the guard.
    Leave,
}

/// Frames that the way to a guard is looked for in.
const DEEPEST: usize = 512;

/// How far from the stack pointer an access is one of the stack.
const NEAR: u64 = 1 << 20;

/// What the walk has found.
struct Way {
    caught: Caught,
    /// Whose code it was in, innermost.
    of: Option<Identity>,
    /// The mask of signals where the outermost of the handlers was entered.
    mask: Option<u64>,
}

/// Judges a signal; if it ends a call the context is changed so that the thread goes on at the
/// guard once the handler returns.
///
/// # Safety
/// What the kernel gave a handler that runs with all signals blocked.
pub(super) unsafe fn judge(signal: c_int, info: &libc::siginfo_t, context: &mut libc::ucontext_t) -> Verdict {
    let interrupts = interrupt::is_signal(signal);
    if interrupts {
        note_signal();
    }
    let wanted = if interrupts { interrupted_guard() } else { None };
    // Sent by somebody: the code there has done nothing.
    let passes = match signal {
        _ if interrupts => wanted.is_none(),
        libc::SIGABRT => !ends::is_own_abort(info),
        _ => is_sent(info),
    };
    if passes {
        return Verdict::Pass;
    }
    let Some(way) = walk(signal, info, context, wanted) else { return Verdict::Pass };
    let guard = match wanted {
        Some(guard) => Some(guard),
        None if signal == libc::SIGABRT => way.of.and_then(guard_of_ends),
        None => way.of.filter(|of| ranges::is_contained(*of)).and_then(guard_of),
    };
    let Some(guard) = guard else { return Verdict::Pass };
    // SAFETY: a guard on this thread's list, whose call is active.
    unsafe { guard.give_up(&way.caught) };
    leave(guard, context, way.mask);
    Verdict::Leave
}

/// What a fault that no guard waits for looks like, if it is one of generated code.
pub(super) fn unguarded(signal: c_int, info: &libc::siginfo_t, context: &libc::ucontext_t) -> Option<Caught> {
    if is_sent(info) {
        return None;
    }
    Some(walk(signal, info, context, None)?.caught)
}

/// Whether a signal of faults is none: it was sent, to this thread or to the process.
const fn is_sent(info: &libc::siginfo_t) -> bool {
    info.si_code <= 0
}

/// The way from a function of the host's, or of hotslot's, that is about to end a call, and whose
/// registers these are. `None` where that cannot be left.
pub(super) fn called(context: &libc::ucontext_t, why: Why) -> Option<(Caught, Option<Identity>)> {
    let way = Way { caught: Caught::because(why), of: None, mask: None };
    let registers = Registers::interrupted(&context.uc_mcontext.gregs);
    let place = Place { own: true, ..Place::new() };
    follow(registers, way, place, None).map(|way| (way.caught, way.of))
}

/// The guard where an end of the process ends that is asked for by code of a runtime.
pub(super) fn guard_of_ends(of: Identity) -> Option<&'static Guard> {
    guard_of(of).filter(|guard| ranges::contains_ends(of) && guard.is_own())
}

/// The innermost guard of a runtime.
pub(super) fn guard_of(of: Identity) -> Option<&'static Guard> {
    guards().find(|guard| guard.of == Some(of))
}

/// The innermost guard whose call somebody wants to end.
fn interrupted_guard() -> Option<&'static Guard> {
    // SAFETY: a call outlives its guard.
    guards().find(|guard| unsafe { guard.call.as_ref() }.is_some_and(Call::is_wanted))
}

/// Says to every call of the thread that a signal has come through.
fn note_signal() {
    let mut at = guard::innermost();
    // SAFETY: the list's invariant.
    while let Some(guard) = unsafe { at.as_ref() } {
        // SAFETY: a call outlives its guard.
        if let Some(call) = unsafe { guard.call.as_ref() } {
            call.has_got_signal();
        }
        at = guard.outer;
    }
}

/// The thread's guards, up to a barrier.
pub(super) fn guards() -> impl Iterator<Item = &'static Guard> {
    let mut at = guard::innermost();
    std::iter::from_fn(move || {
        // SAFETY: the list's invariant. They are not used for longer than the handler runs,
        // which is above all of them.
        let guard = unsafe { at.as_ref() }?;
        at = guard.outer;
        guard.of.is_some().then_some(guard)
    })
}

/// Has the thread go on at `guard`.
fn leave(guard: &Guard, context: &mut libc::ucontext_t, mask: Option<u64>) {
    let registers = &mut context.uc_mcontext.gregs;
    #[cfg(target_arch = "x86_64")]
    {
        registers[libc::REG_RIP as usize] = runtime_stubs::entry::recover_address() as i64;
    }
    registers[libc::REG_RDI as usize] = guard.frame() as i64;
    registers[libc::REG_RSI as usize] = i64::from(CAUGHT);
    // A signal that comes before the guard has restored it needs a stack as well.
    registers[libc::REG_RSP as usize] = guard.sp() as i64;
    if let Some(mask) = mask {
        // SAFETY: the kernel's set is a word.
        unsafe { (&raw mut context.uc_sigmask).cast::<u64>().write(mask) };
    }
}

fn classify(address: u64) -> Stack {
    match () {
        () if ranges::owner(address).is_some() => Stack::Generated,
        () if find_object(address).is_some() => Stack::Library,
        () => Stack::Unknown,
    }
}

fn is_code(address: u64) -> bool {
    ranges::owner(address).is_some()
}

/// One place that a signal has interrupted: what is known of it until generated code is reached.
struct Place {
    /// Generated code was reached.
    clear: bool,
    frames: usize,
    /// What called is the host's, and bears to be left.
    own: bool,
    /// The library's frame that is farthest out.
    last: u64,
}

impl Place {
    const fn new() -> Self {
        Self { clear: false, frames: 0, own: false, last: 0 }
    }

    /// Whether this frame of a library can be left.
    fn may_leave(&mut self, registers: &Registers, strict: bool) -> bool {
        let code = registers.code();
        let first = self.frames == 0;
        self.frames += 1;
        self.last = code;
        self.own &= library::is_own(code);
        if self.own {
            return true;
        }
        if library::is_own(code) || (!first && library::is_allocator(code)) {
            return false;
        }
        !(strict && first) || !library::is_allocator(code) && waits_in_kernel(registers)
    }
}

/// Whether a signal has met a system call there: the kernel has ended it for the signal, or is
/// about to make it once more. One that has come to its end may have brought something that
/// would be lost.
fn waits_in_kernel(registers: &Registers) -> bool {
    const SYSCALL: u64 = 0x050f;
    let code = registers.code();
    let before = code.checked_sub(8).and_then(read_word).is_some_and(|word| word >> 48 == SYSCALL);
    before && registers.result() == -i64::from(libc::EINTR)
        || read_word(code).is_some_and(|word| word & 0xffff == SYSCALL)
}

/// Follows the calls out to the guard `wanted`, or the innermost one of whoever's code it meets
/// first. `None` where the code cannot be left.
fn walk(
    signal: c_int,
    info: &libc::siginfo_t,
    context: &libc::ucontext_t,
    wanted: Option<&Guard>,
) -> Option<Way> {
    let registers = Registers::interrupted(&context.uc_mcontext.gregs);
    // SAFETY: signals of faults have an address in that place.
    let address = unsafe { info.si_addr() } as u64;
    let by_fault = wanted.is_none();
    let mut way = Way {
        caught: Caught::new(signal, info.si_code, if by_fault { address } else { 0 }),
        of: None,
        mask: None,
    };
    // SAFETY: as above.
    way.caught.why = match unsafe { wanted.and_then(|guard| guard.call.as_ref()) } {
        Some(call) => call.why(),
        None if signal == libc::SIGABRT => Why::Abort,
        None if overflows(signal, address, registers.sp()) => Why::Overflow,
        None => Why::Fault,
    };
    follow(registers, way, Place::new(), wanted)
}

/// The same from anywhere.
fn follow(mut registers: Registers, mut way: Way, mut place: Place, wanted: Option<&Guard>) -> Option<Way> {
    let (by_fault, signal) = (wanted.is_none(), way.caught.signal);
    let mut end = wanted.map_or(u64::MAX, Guard::sp);
    for _ in 0..DEEPEST {
        let code = registers.code();
        let what = classify(code);
        if place.clear && what == Stack::Library && is_guarded_call(code, registers.sp(), end) {
            return Some(way);
        }
        let step = match what {
            Stack::Generated => {
                if !place.clear && !by_fault && place.frames > 0 && !library::waits(place.last) {
                    return None;
                }
                place.clear = true;
                // The processor has gone on behind a trap.
                let trap = signal == libc::SIGTRAP && way.caught.frames().is_empty();
                way.caught.push(code.wrapping_sub(u64::from(trap)));
                if way.of.is_none() {
                    way.of = ranges::owner(code);
                    if by_fault && let Some(guard) = way.of.and_then(guard_of) {
                        end = guard.sp();
                    }
                }
                registers.step(what, end, is_code)
            }
            Stack::Library => {
                if !place.clear && !place.may_leave(&registers, !by_fault) {
                    return None;
                }
                if !place.own {
                    way.caught.push(code);
                }
                registers.step(what, end, is_code)
            }
            // Called, or jumped to, and nothing is there.
            Stack::Unknown if registers.exact => {
                if by_fault {
                    way.caught.why = Why::NoCode(code);
                }
                registers.pop()
            }
            Stack::Unknown => Step::End,
        };
        match step {
            Step::Caller => {}
            Step::Interrupted(mask) if place.clear => {
                way.mask = Some(mask);
                place = Place::new();
            }
            Step::Interrupted(_) => return None,
            Step::End => break,
        }
    }
    place.clear.then_some(way)
}

/// Whether the access was one of the stack, which has ended.
fn overflows(signal: c_int, address: u64, sp: u64) -> bool {
    let near = address.wrapping_sub(sp.wrapping_sub(NEAR)) < 2 * NEAR;
    signal == libc::SIGSEGV && near && read_word(address & !7).is_none() && {
        // Above is memory, as there is above the end of a stack.
        let above = (address | 0xfff).wrapping_add(1);
        (0..NEAR >> 12).step_by(16).any(|page| read_word(above + (page << 12)).is_some())
    }
}

/// Whether the frame is that of the guarded call that the guard with `sp` waits for.
fn is_guarded_call(code: u64, frame: u64, sp: u64) -> bool {
    #[cfg(target_arch = "x86_64")]
    let start = runtime_stubs::entry::guarded_call_address();
    #[cfg(not(target_arch = "x86_64"))]
    let start = 0;
    code.wrapping_sub(start) < 256 && sp.wrapping_sub(frame) < 64
}
