//! Looking at the stack of a thread that does not run, from outside.
//!
//! Owns which memory that is: from its stack pointer to the end of the stack, and where it is
//! on another stack than its own, its own as well. Knows nothing of how the thread was
//! stopped, or whether it was.
#![allow(unsafe_code)]

use std::ops::{ControlFlow, Range};

use super::contexts::Contexts;
use super::memory::{Mappings, is_thread_pointer, read, sweep, this_thread};
use super::wanted::Wanted;
use crate::seeded::{Bug, bug};

/// Bytes below the stack pointer that a function may use.
pub(super) const RED_ZONE: u64 = 128;
/// No more of a stack that hotslot does not know is looked at.
const MOST_UNKNOWN: u64 = 64 << 20;

/// At the top of a stack that a handler of hotslot's has left its own for: so a thread is known
/// to be on it, and where it came from.
#[repr(C)]
pub(crate) struct Left {
    mark: u64,
    /// Where this is: what looks like it by accident is at another place.
    here: u64,
    /// Where the stack that was left ends.
    sp: u64,
    /// Whose stack that is: what others left may be in the same mapping.
    thread: u64,
}

static MARK: u8 = 0;

impl Left {
    /// Bytes to leave free at the top.
    pub(crate) const SIZE: u64 = 32;

    /// To be put at the address `here` by the thread that it is for, and taken away when that is
    /// back. `sp` is a stack pointer of the thread from before.
    pub(crate) fn new(here: u64, sp: u64) -> Self {
        Self { mark: &raw const MARK as u64, here, sp, thread: this_thread() as u64 }
    }

    /// What is there when the thread is back.
    pub(crate) fn none() -> Self {
        Self { mark: 0, here: 0, sp: 0, thread: 0 }
    }

    /// The stack pointer of one at this address, if there is one of this thread.
    fn at(at: u64, word: u64, thread: i32) -> Option<u64> {
        let mut rest = [0; 3];
        let whole = word == &raw const MARK as u64 && read(at + 8, &mut rest) == rest.len();
        (whole && (rest[0], rest[2]) == (at, thread as u64)).then_some(rest[1])
    }
}

/// Why something could not be found out, if it could not.
pub(super) type Told<T> = Result<T, &'static str>;

const UNMAPPED: &str = "its stack is not mapped";
const UNREADABLE: &str = "its stack could not be read";
const TOO_LARGE: &str = "it is on a very large stack that hotslot does not know";

/// A thread as far as it is known.
#[derive(Debug, Clone)]
pub(super) struct Thread {
    pub number: i32,
    pub sp: u64,
    /// Its thread pointer.
    pub pointer: Option<u64>,
    /// Its stack for signals.
    pub alternate: Option<Range<u64>>,
}

/// What was found in one thread: for each range the first word that points into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub found: Box<[Option<u64>]>,
    /// It is on a stack that hotslot does not know.
    pub odd: bool,
}

impl Seen {
    pub(super) fn nothing(wanted: &Wanted) -> Self {
        Self { found: vec![None; wanted.len()].into(), odd: false }
    }

    pub(super) fn note(&mut self, wanted: &Wanted, word: u64) {
        wanted.search(word, |range| _ = self.found[range].get_or_insert(word));
    }
}

/// What is known of the process's memory while it is searched.
pub(super) struct Memory<'a> {
    pub wanted: &'a Wanted,
    pub mappings: &'a Mappings,
    pub contexts: &'a Contexts,
    /// Where signal handlers return to, which tells the frame of one.
    pub restorer: Option<u64>,
}

impl Memory<'_> {
    /// Looks at the stack of `thread`, whose registers are given as far as they are known.
    pub(super) fn look(&self, thread: &Thread, registers: &[u64], seen: &mut Seen) -> Told<()> {
        let Thread { number, sp, .. } = *thread;
        let mapping = self.mappings.at(sp).ok_or(UNMAPPED)?;
        let context = self.contexts.at(sp);
        let from = sp.saturating_sub(RED_ZONE).max(mapping.start);
        let mut native = context.is_none() && mapping.main && is_main(number);
        let mut to = context.map_or(mapping.end, |stack| stack.end.min(mapping.end));
        if context.is_none() && !native {
            to = to.min(from.saturating_add(MOST_UNKNOWN));
        }
        let mut on_alternate = thread.alternate.as_ref().is_some_and(|stack| stack.contains(&sp));
        let mut left = None;
        for &register in registers.iter().filter(|_| !bug(Bug::SkipRegisters)) {
            seen.note(self.wanted, register);
        }
        let whole = sweep(from, to, |at, word| {
            seen.note(self.wanted, word);
            if word == at && context.is_none() && is_thread_pointer(at, number) {
                native = true;
                return ControlFlow::Break(());
            }
            if Some(word) == self.restorer && alternate_of(at).contains(&sp) {
                on_alternate = true;
            }
            // Not where it left from here: that is searched already.
            left = Left::at(at, word, number).filter(|left| !(sp..at).contains(left));
            if left.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if !whole {
            return Err(UNREADABLE);
        }
        if let Some(sp) = left {
            return self.look(&Thread { sp, ..thread.clone() }, &[], seen);
        }
        // An alternate stack may be an array on the native one, with the frames that were
        // interrupted below it.
        if native && !on_alternate {
            return Ok(());
        }
        seen.odd = context.is_none() && !on_alternate;
        if !native && context.is_none() && to < mapping.end {
            return Err(TOO_LARGE);
        }
        self.native(thread, seen)
    }

    /// Looks at a stack that hotslot does not know.
    pub(super) fn unknown(&self, thread: &Thread, seen: &mut Seen) -> Told<()> {
        seen.odd = true;
        let mapping = self.mappings.at(thread.sp).ok_or(UNMAPPED)?;
        if mapping.end - thread.sp > MOST_UNKNOWN {
            return Err(TOO_LARGE);
        }
        self.all(thread.sp.saturating_sub(RED_ZONE).max(mapping.start), mapping.end, seen)?;
        self.native(thread, seen)
    }

    /// Looks at the whole stack that a thread was started with, while it is on another.
    pub(super) fn native(&self, thread: &Thread, seen: &mut Seen) -> Told<()> {
        // In a forked process the first thread can be one with another stack.
        let main = self.mappings.main_stack().filter(|_| is_main(thread.number));
        if let Some(mapping) = main {
            self.all(mapping.start, mapping.end, seen)?;
        }
        let search = || self.mappings.parts.iter().find_map(|part| top(part, thread.number));
        let pointer = thread.pointer.or_else(search);
        match pointer.and_then(|pointer| Some((pointer, self.mappings.at(pointer)?))) {
            Some((pointer, mapping)) => self.all(mapping.start, pointer, seen),
            None if main.is_some() => Ok(()),
            None => Err("the stack that it was started with cannot be found"),
        }
    }

    fn all(&self, from: u64, to: u64, seen: &mut Seen) -> Told<()> {
        let whole = sweep(from, to, |_, word| {
            seen.note(self.wanted, word);
            ControlFlow::Continue(())
        });
        if whole { Ok(()) } else { Err(UNREADABLE) }
    }
}

/// The first thread of a process has its number.
pub(super) fn is_main(thread: i32) -> bool {
    // SAFETY: asks a number.
    thread == unsafe { libc::getpid() }
}

/// The alternate stack that was in use when a signal's frame was made: `at` is where the
/// frame has its return address, behind which comes the `ucontext_t`.
fn alternate_of(at: u64) -> Range<u64> {
    // Flags and link, then address, flags and size of the stack.
    let mut words = [0; 5];
    if read(at + 8, &mut words) < words.len() {
        return 0..0;
    }
    words[2]..words[2].saturating_add(words[4])
}

/// The thread pointer of `thread`, if it is where glibc puts it: at the top of a stack.
fn top(mapping: &Range<u64>, thread: i32) -> Option<u64> {
    // The thread's own record of somewhat above 2 KiB comes after it.
    const RECORD: u64 = 0x2000;
    let mut found = None;
    sweep(mapping.end.saturating_sub(RECORD).max(mapping.start), mapping.end, |at, word| {
        if word == at && is_thread_pointer(at, thread) {
            found = Some(at);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    found
}
