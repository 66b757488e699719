//! Stacks that a program made for contexts of its own.
//!
//! A context that is suspended is on no thread. So the stack of every one that was made
//! through `makecontext` is remembered, and looked at whole. Owns that list.
#![allow(unsafe_code)]

use std::ops::{ControlFlow, Range};

use super::memory::sweep;
use super::wanted::Wanted;
use crate::tls::Forkable;

struct Known {
    stack: Range<u64>,
    /// Which call of [`remember`] it is of.
    number: u64,
}

struct List {
    known: Vec<Known>,
    next: u64,
}

static LIST: Forkable<List> = Forkable::new(List { known: Vec::new(), next: 0 });

/// Remembers a stack for as long as its memory is there. One that it overlaps is no more.
pub(crate) fn remember(start: u64, size: u64) {
    super::forks::survive();
    let stack = start..start.saturating_add(size);
    if stack.is_empty() {
        return;
    }
    let mut list = LIST.lock();
    let number = list.next;
    list.next += 1;
    list.known.retain(|known| known.stack.end <= stack.start || stack.end <= known.stack.start);
    let at = list.known.partition_point(|known| known.stack.start < stack.start);
    list.known.insert(at, Known { stack, number });
}

/// For tests, whose memory is used for something else afterwards.
#[cfg(test)]
pub(crate) fn forget(start: u64) {
    LIST.lock().known.retain(|known| known.stack.start != start);
}

pub(super) fn hold() {
    // SAFETY: a static.
    unsafe { LIST.hold() };
}

/// # Safety
/// `hold` was called by this thread, or by the one that this is the copy of.
pub(super) unsafe fn release() {
    // SAFETY: by the contract above.
    drop(unsafe { LIST.release() });
}

/// The stacks remembered at one moment, in order.
#[derive(Clone, Default)]
pub(super) struct Contexts(Vec<(Range<u64>, u64)>);

impl Contexts {
    pub(super) fn now() -> Self {
        Self(LIST.lock().known.iter().map(|known| (known.stack.clone(), known.number)).collect())
    }

    /// Called in signal handlers.
    pub(super) fn at(&self, address: u64) -> Option<&Range<u64>> {
        let next = self.0.partition_point(|(stack, _)| stack.start <= address);
        let (stack, _) = self.0.get(next.checked_sub(1)?)?;
        (address < stack.end).then_some(stack)
    }

    /// Shows every word found that points into a range, and forgets the stacks that are gone.
    pub(super) fn search(&self, wanted: &Wanted, mut found: impl FnMut(usize, u64)) {
        for (stack, number) in &self.0 {
            let mut any = false;
            // Page by page, because a guard page may be part of what the program said.
            let mut at = stack.start & !7;
            while at < stack.end {
                let mut next = at;
                let all = sweep(at, stack.end, |address, word| {
                    any = true;
                    next = address + 8;
                    wanted.search(word, |range| found(range, word));
                    ControlFlow::Continue(())
                });
                at = if all { stack.end } else { next.max(at + 1).next_multiple_of(4096) };
            }
            if !any {
                LIST.lock().known.retain(|known| known.number != *number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn a_stack_is_forgotten_with_its_memory() {
        let stack = vec![0x1234u64; 1000];
        let start = stack.as_ptr() as u64;
        remember(start, 4000);
        remember(start, 8000);
        // Nothing is mapped there.
        remember(0x1000, 0x2000);
        let ours =
            || Contexts::now().0.into_iter().filter(|(known, _)| [start, 0x1000].contains(&known.start));
        assert_eq!(ours().map(|(known, _)| known.end).collect::<Vec<_>>(), [0x3000, start + 8000]);
        assert_eq!(Contexts::now().at(start + 7999).map(|known| known.start), Some(start));
        let mut hits = 0;
        Contexts::now().search(&Wanted::new(&[0x1234..0x1235]), |_, _| hits += 1);
        assert_eq!(hits, 1000);
        assert_eq!(ours().map(|(known, _)| known.start).collect::<Vec<_>>(), [start]);
        LIST.lock().known.retain(|known| known.stack.start != start);
    }
}
