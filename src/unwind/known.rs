//! The frame records of generated code, for whoever may not wait for a lock.
//!
//! Owns the list of them by the code they describe. Writers take its lock for an instant; a
//! signal handler tries for a while and does without.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use crate::tls::{Forkable, around_forks};

/// One image's records.
#[derive(Clone, Copy)]
pub(super) struct Records {
    pub(super) begin: u64,
    end: u64,
}

/// By where the code starts, and the records: an image may have several sections of them.
static KNOWN: Forkable<BTreeMap<(u64, u64), Records>> = Forkable::new(BTreeMap::new());

/// How often a handler looks whether the list is free, and from when on it does so less often: whoever
/// has it may have lost its processor. All in all some two seconds.
const TRIES: u32 = 20_000;
const SPINS: u32 = 100;
const YIELDS: u32 = 1_000;
const PAUSE: Duration = Duration::from_micros(100);

pub(super) fn add(begin: u64, code: Range<u64>) {
    KNOWN.lock().insert((code.start, begin), Records { begin, end: code.end });
}

pub(super) fn remove(code: u64, begin: u64) {
    KNOWN.lock().remove(&(code, begin));
}

/// The records of the image that `address` is in, one after the other, given to `each` until it
/// is content. May be called by a signal handler, as long as that has not interrupted code of
/// hotslot's own.
pub(super) fn at<T>(address: u64, mut each: impl FnMut(Records) -> Option<T>) -> Option<T> {
    let known = (0..TRIES).find_map(|tries| {
        let known = if KNOWN.is_mine() { None } else { KNOWN.try_lock() };
        match tries {
            _ if known.is_some() => {}
            ..SPINS => std::hint::spin_loop(),
            SPINS..YIELDS => std::thread::yield_now(),
            _ if KNOWN.is_mine() => {}
            _ => std::thread::sleep(PAUSE),
        }
        known
    })?;
    let (&(start, _), _) = known.range(..=(address, u64::MAX)).next_back()?;
    let mut records = known.range((start, 0)..=(start, u64::MAX)).map(|(_, records)| *records);
    records.find_map(|records| if address < records.end { each(records) } else { None })
}

/// Keeps the list whole in children of fork.
pub(crate) fn survive_forks() {
    #[allow(unsafe_code)]
    unsafe extern "C" fn before() {
        // SAFETY: a static.
        unsafe { KNOWN.hold() };
    }
    #[allow(unsafe_code)]
    unsafe extern "C" fn after() {
        // SAFETY: the C library calls `before` first, in the same thread or the one that this
        // is the copy of.
        drop(unsafe { KNOWN.release() });
    }
    around_forks(before, after, after);
}
