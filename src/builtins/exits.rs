//! Which functions of generated code the C library will call at the end.
//!
//! It keeps them by address, the address of a stub. A function that is removed from its
//! module must stay in memory as long as it is in that list. Owns a copy of the list, each
//! function once; deliberately knows nothing of what the functions are for.
#![allow(unsafe_code)]

use std::collections::BTreeSet;

use crate::tls::{Forkable, around_forks};

/// Runtimes, by their `__dso_handle`, and addresses of functions.
static EXITS: Forkable<BTreeSet<(u64, u64)>> = Forkable::new(BTreeSet::new());

pub(super) fn survive_forks() {
    unsafe extern "C" fn before() {
        // SAFETY: a static.
        unsafe { EXITS.hold() };
    }
    unsafe extern "C" fn after() {
        // SAFETY: the C library calls `before` first, in the same thread.
        drop(unsafe { EXITS.release() });
    }
    around_forks(before, after, after);
}

pub(super) fn note(dso: u64, function: u64) {
    EXITS.lock().insert((dso, function));
}

pub(super) fn of(dso: u64) -> Vec<u64> {
    EXITS.lock().range((dso, 0)..=(dso, u64::MAX)).map(|&(_, function)| function).collect()
}

pub(super) fn forget(dso: u64) {
    EXITS.lock().retain(|&(of, _)| of != dso);
}
