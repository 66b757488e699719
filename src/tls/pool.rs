//! The static pool: thread-local bytes at a constant offset from the thread pointer.
//!
//! A thread-local variable of the host itself, of fixed size, handed out in parts. Owns
//! which parts are free and where a part lies in a thread; knows nothing of templates.
#![allow(unsafe_code)]

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::sync::OnceLock;

/// Bytes of static TLS set aside for code that cannot use any other.
pub(super) const POOL_SIZE: usize = 4096;
/// The largest alignment that a part can have.
pub(super) const POOL_ALIGN: usize = 64;

#[repr(align(64))]
struct Pool(UnsafeCell<[u8; POOL_SIZE]>);

thread_local! {
    static POOL: Pool = const { Pool(UnsafeCell::new([0; POOL_SIZE])) };
}

/// The free parts of the pool, as start and length in order of their starts, with no two
/// that touch. It is the same in every thread.
pub(super) struct Parts(Vec<(usize, usize)>, bool);

impl Parts {
    pub(super) const fn new() -> Self {
        Self(Vec::new(), false)
    }

    /// Takes a part for `layout`, the first that fits.
    pub(super) fn take(&mut self, layout: Layout) -> Option<usize> {
        // Set up here because a vector that is not empty cannot be a constant.
        if !std::mem::replace(&mut self.1, true) {
            self.0.push((0, POOL_SIZE));
        }
        let (index, at) = self.0.iter().enumerate().find_map(|(index, &(start, length))| {
            let at = start.checked_next_multiple_of(layout.align())?;
            (at.checked_add(layout.size())? <= start + length).then_some((index, at))
        })?;
        let (start, length) = self.0.remove(index);
        let end = at + layout.size();
        if end < start + length {
            self.0.insert(index, (end, start + length - end));
        }
        if start < at {
            self.0.insert(index, (start, at - start));
        }
        Some(at)
    }

    /// Returns a part that [`Self::take`] gave, joining it with free neighbours.
    pub(super) fn give(&mut self, at: usize, length: usize) {
        let index = self.0.partition_point(|&(start, _)| start < at);
        self.0.insert(index, (at, length));
        for first in [index, index.saturating_sub(1)] {
            if let Some(&(next, more)) = self.0.get(first + 1)
                && self.0[first].0 + self.0[first].1 == next
            {
                self.0[first].1 += more;
                self.0.remove(first + 1);
            }
        }
    }
}

/// The pool's offset from the thread pointer, if it is the same in every thread.
pub(super) fn offset() -> Option<i64> {
    fn here() -> i64 {
        POOL.with(|pool| pool.0.get() as i64 - thread_pointer() as i64)
    }
    static OFFSET: OnceLock<Option<i64>> = OnceLock::new();
    *OFFSET.get_or_init(|| {
        let elsewhere = std::thread::spawn(here).join().ok()?;
        (elsewhere == here()).then_some(elsewhere)
    })
}

/// The calling thread's pointer register.
pub(crate) fn thread_pointer() -> *mut u8 {
    let pointer: *mut u8;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the System V ABI stores the thread pointer at its own address, %fs:0.
    unsafe {
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reads a register.
    unsafe {
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, nomem, preserves_flags));
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_again() {
        let mut parts = Parts::new();
        let layout = |size, align| Layout::from_size_align(size, align).unwrap();
        let a = parts.take(layout(3, 1)).unwrap();
        let b = parts.take(layout(64, 64)).unwrap();
        let c = parts.take(layout(8, 8)).unwrap();
        assert_eq!((a, b, c), (0, 64, 8));
        for (at, length) in [(b, 64), (a, 3), (c, 8)] {
            parts.give(at, length);
        }
        assert_eq!(parts.take(layout(POOL_SIZE, 64)), Some(0));
        assert_eq!(parts.take(layout(1, 1)), None);
        parts.give(0, POOL_SIZE);
        assert_eq!(parts.0, [(0, POOL_SIZE)]);
    }
}
