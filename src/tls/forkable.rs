//! A lock that a forked process can still take.
//!
//! A child starts with one thread. If another thread held a lock at that moment, nobody
//! is there to give it back. So the forking thread takes it first, and gives it back on
//! both sides. Owns that, and nothing of what is locked.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value behind a lock that is free in a new child process. The lock is one that has no
/// state outside itself, which `parking_lot`'s have.
pub(crate) struct Forkable<T: 'static> {
    value: Mutex<T>,
    /// Used by the forking thread alone, which holds the lock while it is set.
    held: UnsafeCell<Option<MutexGuard<'static, T>>>,
}

// SAFETY: `held` is touched only by the thread that holds the lock, in `hold` and `release`.
unsafe impl<T: Send> Sync for Forkable<T> {}

impl<T> Forkable<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { value: Mutex::new(value), held: UnsafeCell::new(None) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // Nothing that holds these locks leaves a value half changed where it may panic.
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock for a fork.
    pub(crate) fn hold(&'static self) {
        let guard = self.lock();
        // SAFETY: this thread holds the lock, so no other thread is here or in `release`.
        unsafe { *self.held.get() = Some(guard) };
    }

    /// Hands over what [`Self::hold`] took, in the same thread or its copy in the child.
    ///
    /// # Safety
    /// `hold` was called by this thread, or by the one that this is the copy of.
    pub(crate) unsafe fn release(&'static self) -> Option<MutexGuard<'static, T>> {
        // SAFETY: by the contract above this thread holds the lock.
        unsafe { (*self.held.get()).take() }
    }
}

/// Has the C library call these three around every fork from now on: `before` it, and
/// after it in the `parent` and in the `child`.
pub(crate) fn around_forks(
    before: unsafe extern "C" fn(),
    parent: unsafe extern "C" fn(),
    child: unsafe extern "C" fn(),
) {
    type Handler = Option<unsafe extern "C" fn()>;
    unsafe extern "C" {
        fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> libc::c_int;
    }
    // SAFETY: functions of this crate; should it be unloaded, the C library forgets them.
    // It fails only without memory, and then a fork is as it would be without.
    unsafe { pthread_atfork(Some(before), Some(parent), Some(child)) };
}
