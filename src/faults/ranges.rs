//! Whose code is where.
//!
//! Owns the list of the runtimes' reservations, which handlers read at any time.

use std::ffi::c_void;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use super::guard::Identity;

struct Entry {
    start: AtomicU64,
    end: AtomicU64,
    /// Null where there is none.
    of: AtomicPtr<c_void>,
    /// Its faults are contained.
    contained: AtomicBool,
    /// So is what would end the process otherwise.
    ends: AtomicBool,
}

/// Calls of more runtimes at a time than this are not limited, nor their faults contained.
const MOST: usize = 64;

static RANGES: [Entry; MOST] = [const {
    Entry {
        start: AtomicU64::new(0),
        end: AtomicU64::new(0),
        of: AtomicPtr::new(ptr::null_mut()),
        contained: AtomicBool::new(false),
        ends: AtomicBool::new(false),
    }
}; MOST];

/// Says that code of `of` may be in `range`, and whether its faults are contained, and its `ends` of
/// the process. Without room for it, it stays unknown.
pub(crate) fn add(of: Identity, range: Range<u64>, contained: bool, ends: bool) {
    for entry in &RANGES {
        let own = of.0.cast_mut();
        if entry.of.compare_exchange(ptr::null_mut(), own, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            entry.contained.store(contained, Ordering::Release);
            entry.ends.store(ends, Ordering::Release);
            entry.start.store(range.start, Ordering::Release);
            entry.end.store(range.end, Ordering::Release);
            return;
        }
    }
}

/// Ends [`add`].
pub(crate) fn remove(of: Identity) {
    for entry in &RANGES {
        if ptr::eq(entry.of.load(Ordering::Acquire), of.0) {
            entry.end.store(0, Ordering::Release);
            entry.of.store(ptr::null_mut(), Ordering::Release);
        }
    }
}

/// Whether it is known where code of `of` is.
pub(crate) fn is_known(of: Identity) -> bool {
    find(of).is_some()
}

/// Whether faults of `of` are contained.
pub(super) fn is_contained(of: Identity) -> bool {
    find(of).is_some_and(|entry| entry.contained.load(Ordering::Acquire))
}

/// Whether the same is true of what would end the process.
pub(super) fn contains_ends(of: Identity) -> bool {
    find(of).is_some_and(|entry| entry.ends.load(Ordering::Acquire))
}

fn find(of: Identity) -> Option<&'static Entry> {
    RANGES.iter().find(|entry| ptr::eq(entry.of.load(Ordering::Acquire), of.0))
}

/// Whose code `address` is.
pub(super) fn owner(address: u64) -> Option<Identity> {
    RANGES.iter().find_map(|entry| {
        let inside =
            address < entry.end.load(Ordering::Acquire) && address >= entry.start.load(Ordering::Acquire);
        let of = entry.of.load(Ordering::Acquire);
        (inside && !of.is_null()).then_some(Identity(of))
    })
}
