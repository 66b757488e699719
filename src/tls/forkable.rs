//! A lock that a forked process can still take.
//!
//! A child starts with one thread. If another thread held a lock at that moment, nobody
//! is there to give it back. So the forking thread takes it first, and gives it back on
//! both sides. Owns that, and nothing of what is locked.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::thread_pointer;

/// A value behind a lock that is free in a new child process. The lock is one that has no
/// state outside itself, which `parking_lot`'s have.
///
/// While it is held for a fork, the forking thread can lock it all the same: fork handlers of
/// others run before and after those that hold it, and may need what is locked.
pub(crate) struct Forkable<T> {
    lock: Mutex<()>,
    value: UnsafeCell<T>,
    /// The pointer of the thread that has the lock, or 0. Only a thread's own is of use to it.
    owner: AtomicU64,
    /// Used by the owner alone.
    fork: UnsafeCell<Fork>,
}

struct Fork {
    /// Set while the lock is held for a fork and not lent to a [`Guard`].
    held: Option<MutexGuard<'static, ()>>,
    /// How many calls of [`Forkable::hold`] found that their thread had the lock already.
    nested: usize,
}

// SAFETY: `value` is reached through a guard, or through `held` by the thread that has the
// lock; `fork` by that thread alone.
unsafe impl<T: Send> Sync for Forkable<T> {}
// SAFETY: a guard in `fork` is there only between two calls in one thread, meanwhile nobody
// moves the lock: see `hold`.
unsafe impl<T: Send> Send for Forkable<T> {}

/// The value of a lock that is taken.
pub(crate) struct Guard<'a, T> {
    of: &'a Forkable<T>,
    /// Always there, until the guard is dropped.
    lock: Option<MutexGuard<'a, ()>>,
    /// Goes back to the fork that the lock is held for.
    lent: bool,
}

impl<T> Forkable<T> {
    pub(crate) const fn new(value: T) -> Self {
        let fork = Fork { held: None, nested: 0 };
        Self {
            lock: Mutex::new(()),
            value: UnsafeCell::new(value),
            owner: AtomicU64::new(0),
            fork: UnsafeCell::new(fork),
        }
    }

    /// Whether the calling thread has the lock.
    pub(crate) fn is_mine(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == thread_pointer() as u64
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        if self.is_mine() {
            // SAFETY: this thread has the lock, and no reference to `fork` outlives a call.
            if let Some(lock) = unsafe { (*self.fork.get()).held.take() } {
                return Guard { of: self, lock: Some(lock), lent: true };
            }
        }
        // Nothing that holds these locks leaves a value half changed where it may panic.
        self.own(self.lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the lock if this thread does not have it already.
    pub(crate) fn lock_once(&self) -> Option<Guard<'_, T>> {
        (!self.is_mine()).then(|| self.lock())
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        match self.lock.try_lock() {
            Ok(lock) => Some(self.own(lock)),
            Err(TryLockError::Poisoned(lock)) => Some(self.own(lock.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn own<'a>(&'a self, lock: MutexGuard<'a, ()>) -> Guard<'a, T> {
        self.owner.store(thread_pointer() as u64, Ordering::Relaxed);
        Guard { of: self, lock: Some(lock), lent: false }
    }

    /// Takes the lock for a fork. Where this thread has it already it keeps it: in the child,
    /// too, its holder is there to give it back.
    ///
    /// # Safety
    /// It stays where it is until [`Self::release`].
    pub(crate) unsafe fn hold(&self) {
        // SAFETY: this thread has the lock.
        if self.is_mine() {
            unsafe { (*self.fork.get()).nested += 1 };
        } else {
            self.keep(self.lock());
        }
    }

    /// The same without waiting; false if another thread has the lock.
    ///
    /// # Safety
    /// As for [`Self::hold`].
    pub(crate) unsafe fn try_hold(&self) -> bool {
        if self.is_mine() {
            // SAFETY: this thread has the lock.
            unsafe { (*self.fork.get()).nested += 1 };
            return true;
        }
        match self.lock.try_lock() {
            Ok(lock) => self.keep(self.own(lock)),
            Err(TryLockError::Poisoned(lock)) => self.keep(self.own(lock.into_inner())),
            Err(TryLockError::WouldBlock) => return false,
        }
        true
    }

    fn keep(&self, mut guard: Guard<'_, T>) {
        // SAFETY: only the lifetime changes: the lock stays where it is for as long, by the
        // contract of `hold`. This thread has the lock.
        unsafe {
            let lock = guard.lock.take().map(|l| std::mem::transmute::<MutexGuard<'_, ()>, _>(l));
            (*self.fork.get()).held = lock;
        }
    }

    /// Hands over what [`Self::hold`] took, in the same thread or its copy in the child;
    /// nothing if that thread had the lock before.
    ///
    /// # Safety
    /// `hold` was called by this thread, or by the one that this is the copy of.
    pub(crate) unsafe fn release(&self) -> Option<Guard<'_, T>> {
        // SAFETY: by the contract above this thread has the lock.
        let fork = unsafe { &mut *self.fork.get() };
        if fork.nested > 0 {
            fork.nested -= 1;
            return None;
        }
        let lock = fork.held.take()?;
        Some(Guard { of: self, lock: Some(lock), lent: false })
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock.
        unsafe { &*self.of.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the guard is borrowed mutably.
        unsafe { &mut *self.of.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        let Some(lock) = self.lock.take() else { return };
        if self.lent {
            self.of.keep(Guard { of: self.of, lock: Some(lock), lent: false });
        } else {
            self.of.owner.store(0, Ordering::Relaxed);
            drop(lock);
        }
    }
}

/// Has the C library call these three around every fork from now on: `before` it, and
/// after it in the `parent` and in the `child`. Those registered last are called first
/// before a fork, and last after it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forking_thread_still_has_what_it_holds() {
        static VALUE: Forkable<u32> = Forkable::new(1);
        // SAFETY: a static.
        unsafe { VALUE.hold() };
        *VALUE.lock() += 1;
        // A fork in a fork handler.
        // SAFETY: as above; one release for each hold.
        unsafe {
            assert!(VALUE.try_hold());
            assert!(VALUE.release().is_none());
        }
        *VALUE.lock() += 1;
        // SAFETY: as above.
        let elsewhere = || std::thread::spawn(|| unsafe { VALUE.try_hold() && VALUE.release().is_some() });
        assert!(!elsewhere().join().unwrap());
        // SAFETY: held above.
        assert_eq!(unsafe { VALUE.release() }.map(|value| *value), Some(3));
        assert!(elsewhere().join().unwrap());
    }

    #[test]
    fn a_holder_that_forks_goes_on_holding() {
        let value = Forkable::new(1);
        let mut guard = value.lock();
        // SAFETY: `value` stays where it is.
        unsafe {
            value.hold();
            assert!(value.release().is_none());
        }
        *guard += 1;
        drop(guard);
        assert_eq!(*value.lock(), 2);
    }
}
