//! Destructors of C++ `thread_local` objects.
//!
//! The C library runs them when a thread ends, and keeps a shared library loaded until it
//! has. It does not know generated code. So what it gets is a function of ours for every
//! registration, which keeps the order with the host's own, and here is kept what to call:
//! a runtime that ends takes its entries out. The objects of other threads are then never
//! destroyed: their destructors have to run in those threads, and the code goes now.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};

use crate::tls::{Forkable, around_forks, thread_pointer};

type Destructor = unsafe extern "C-unwind" fn(*mut c_void);

struct Entry {
    destructor: Destructor,
    object: *mut c_void,
    dso: u64,
    /// It is being called.
    running: bool,
}
// SAFETY: only the thread that registered the entry calls it with its object.
unsafe impl Send for Entry {}

/// The thread, by its pointer, and the number of the registration.
type Key = (u64, u64);

struct Entries {
    next: u64,
    entries: BTreeMap<Key, Entry>,
}

static ENTRIES: Forkable<Entries> = Forkable::new(Entries { next: 1, entries: BTreeMap::new() });

fn this_thread() -> u64 {
    thread_pointer() as u64
}

pub(super) fn survive_forks() {
    unsafe extern "C" fn before() {
        // SAFETY: a static.
        unsafe { ENTRIES.hold() };
    }
    unsafe extern "C" fn parent() {
        // SAFETY: the C library calls `before` first, in the same thread.
        drop(unsafe { ENTRIES.release() });
    }
    unsafe extern "C" fn child() {
        // SAFETY: as in `parent`; this is the copy of that thread.
        let Some(mut entries) = (unsafe { ENTRIES.release() }) else { return };
        // The other threads are not in the child, and new ones may have their pointers.
        let this = this_thread();
        entries.entries.retain(|key, _| key.0 == this);
    }
    around_forks(before, parent, child);
}

unsafe extern "C" {
    fn __cxa_thread_atexit_impl(f: Destructor, argument: *mut c_void, dso: *const c_void) -> c_int;
}

/// What generated code calls as `__cxa_thread_atexit`, and the C library's name for it.
pub(super) unsafe extern "C" fn thread_atexit(
    destructor: Destructor,
    object: *mut c_void,
    dso: *mut c_void,
) -> c_int {
    let Some(dso) = super::dso_among(dso as u64, destructor as usize as u64) else {
        // SAFETY: passes the arguments on; the code is not of any runtime.
        return unsafe { __cxa_thread_atexit_impl(destructor, object, dso) };
    };
    let number = {
        let mut entries = ENTRIES.lock();
        let number = entries.next;
        entries.next += 1;
        entries.entries.insert((this_thread(), number), Entry { destructor, object, dso, running: false });
        number
    };
    // The address of something here: a library that hotslot is part of has to stay.
    let own: *const c_void = (&raw const ENTRIES).cast();
    // SAFETY: `run` takes any number.
    let status = unsafe { __cxa_thread_atexit_impl(run, number as *mut c_void, own) };
    if status != 0 {
        ENTRIES.lock().entries.remove(&(this_thread(), number));
    }
    status
}

/// Runs the entry of the calling thread with this number, if it is still there.
unsafe extern "C-unwind" fn run(number: *mut c_void) {
    let key = (this_thread(), number as u64);
    let entry = ENTRIES.lock().entries.get_mut(&key).and_then(|entry| {
        let first = !std::mem::replace(&mut entry.running, true);
        first.then_some((entry.destructor, entry.object))
    });
    let Some((destructor, object)) = entry else { return };
    // SAFETY: registered to be called so; the runtime of the code has not ended, or the
    // entry would be gone. Until it returns the entry says that the code is in use.
    unsafe { destructor(object) };
    ENTRIES.lock().entries.remove(&key);
}

/// Destroys the calling thread's objects of `dso`, newest first.
///
/// # Safety
/// The code of `dso` is still in place.
pub(super) unsafe fn finalize(dso: u64) {
    loop {
        // A destructor may make objects: every round looks for the newest anew.
        let this = this_thread();
        let mut entries = ENTRIES.lock();
        let own = entries.entries.range((this, 0)..=(this, u64::MAX)).rev();
        let newest =
            own.into_iter().find(|(_, entry)| entry.dso == dso && !entry.running).map(|(key, _)| *key);
        let Some(Entry { destructor, object, .. }) = newest.and_then(|key| entries.entries.remove(&key))
        else {
            return;
        };
        drop(entries);
        // SAFETY: registered to be called so, and by the contract above.
        unsafe { destructor(object) };
    }
}

/// What is still to be called of `dso`, in any thread.
pub(super) fn destructors(dso: u64) -> Vec<u64> {
    let entries = ENTRIES.lock();
    let own = entries.entries.values().filter(|entry| entry.dso == dso);
    own.map(|entry| entry.destructor as usize as u64).collect()
}

/// What they are to destroy.
pub(super) fn objects(dso: u64) -> Vec<u64> {
    let entries = ENTRIES.lock();
    entries.entries.values().filter(|entry| entry.dso == dso).map(|entry| entry.object as u64).collect()
}

/// Forgets what is left of `dso`, whose code goes.
pub(super) fn forget(dso: u64) {
    ENTRIES.lock().entries.retain(|_, entry| entry.dso != dso);
}
