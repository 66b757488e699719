//! Which functions of generated code the C library will call at the end, and with what.
//!
//! It keeps them by address, the address of a stub. A function that is removed from its
//! module must stay in memory as long as it is in that list, and so must the object that it
//! is to destroy. Owns a copy of the list, each function once; deliberately knows nothing
//! of what the functions are for.
#![allow(unsafe_code)]

use std::collections::BTreeSet;

use crate::tls::{Forkable, around_forks};

/// Runtimes, by their `__dso_handle`, and addresses.
type Addresses = BTreeSet<(u64, u64)>;

struct Exits {
    functions: Addresses,
    objects: Addresses,
}

static EXITS: Forkable<Exits> = Forkable::new(Exits { functions: BTreeSet::new(), objects: BTreeSet::new() });

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
    EXITS.lock().functions.insert((dso, function));
}

/// Notes that a function gets the address of `object`, which is in the memory of `dso`.
pub(super) fn note_object(dso: u64, object: u64) {
    EXITS.lock().objects.insert((dso, object));
}

fn all(addresses: &Addresses, dso: u64) -> Vec<u64> {
    addresses.range((dso, 0)..=(dso, u64::MAX)).map(|&(_, address)| address).collect()
}

pub(super) fn of(dso: u64) -> Vec<u64> {
    all(&EXITS.lock().functions, dso)
}

pub(super) fn objects_of(dso: u64) -> Vec<u64> {
    all(&EXITS.lock().objects, dso)
}

pub(super) fn contains(dso: u64, function: u64) -> bool {
    EXITS.lock().functions.contains(&(dso, function))
}

pub(super) fn forget(dso: u64) {
    let mut exits = EXITS.lock();
    exits.functions.retain(|&(of, _)| of != dso);
    exits.objects.retain(|&(of, _)| of != dso);
}
