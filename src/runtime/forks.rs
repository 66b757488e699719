//! What a fork does to runtimes.
//!
//! A child has one thread, and the parent's code and table as they were: the arena sees to
//! that, see [`crate::memory::Arena::take_back`]. So calls, exceptions, thread-local variables
//! and exit handlers go on in the child, and its parent goes on to replace modules. Owns the list
//! of runtimes, and their locks during a fork: no update is half done in the child, and its one
//! thread can take every lock. Knows nothing of what they protect.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::sync::{Arc, Once, Weak};

use super::state::State;
use crate::memory::{Arena, Lent};
use crate::tls::{self, Forkable, around_forks};
use crate::{builtins, observe, process, reclaim, unwind};

/// What a fork needs of a runtime.
struct Live {
    reclaiming: Arc<Forkable<()>>,
    state: Arc<Forkable<State>>,
    arena: Arc<Arena>,
}

static LIVE: Forkable<Vec<Live>> = Forkable::new(Vec::new());

type Loans = Vec<(Weak<Arena>, Lent)>;

thread_local! {
    /// What this thread's forks have lent, while that is of interest.
    static LENT: RefCell<Option<Loans>> = const { RefCell::new(None) };
}

/// Does `work`, all of whose forks have ended when it returns, or look at no arena: then nobody
/// needs a copy of one for them.
pub(super) fn passing<T>(work: impl FnOnce() -> T) -> T {
    LENT.set(Some(Vec::new()));
    let result = work();
    for (arena, lent) in LENT.take().into_iter().flatten() {
        if let Some(arena) = arena.upgrade() {
            arena.give_back(lent);
        }
    }
    result
}

/// Has all of hotslot's locks survive forks. To be called before any generated code runs: its
/// own handlers then run before ours, which take the locks that they may need.
///
/// The order is the opposite of that in which the locks are taken, for the same reason.
pub(super) fn survive() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tls::survive_forks();
        observe::survive_forks();
        unwind::survive_forks();
        builtins::survive_forks();
        reclaim::survive_forks();
        process::survive_forks();
        around_forks(before, parent, child);
    });
}

/// Adds a runtime that is complete, so that generated code may run from now on.
pub(super) fn add(reclaiming: &Arc<Forkable<()>>, state: &Arc<Forkable<State>>, arena: &Arc<Arena>) {
    let live = Live { reclaiming: reclaiming.clone(), state: state.clone(), arena: arena.clone() };
    LIVE.lock().push(live);
}

/// Ends [`add`]: generated code of the runtime runs no more.
pub(super) fn remove(arena: &Arc<Arena>) {
    let removed = {
        let mut live = LIVE.lock();
        let at = live.iter().position(|live| Arc::ptr_eq(&live.arena, arena));
        at.map(|at| live.swap_remove(at))
    };
    // Not under the lock: it may be the last to hold the state.
    drop(removed);
}

impl Live {
    /// # Safety
    /// As for [`Forkable::hold`].
    unsafe fn hold(&self) {
        // SAFETY: by the contract above. In the order in which reclaiming takes them.
        unsafe {
            self.reclaiming.hold();
            self.state.hold();
        }
    }

    /// # Safety
    /// As for [`Forkable::hold`].
    unsafe fn try_hold(&self) -> bool {
        // SAFETY: by the contract above; released once for each that was held.
        unsafe {
            if !self.reclaiming.try_hold() {
                return false;
            }
            let both = self.state.try_hold();
            if !both {
                drop(self.reclaiming.release());
            }
            both
        }
    }

    /// # Safety
    /// As for [`Forkable::release`].
    unsafe fn release(&self) {
        // SAFETY: by the contract above.
        unsafe {
            drop(self.state.release());
            drop(self.reclaiming.release());
        }
    }
}

/// Holds every runtime. It waits for one while it holds no other: a thread that has the lock of
/// one may wait for another.
///
/// # Safety
/// They stay where they are until they are released.
unsafe fn hold_all(live: &[Live]) {
    let mut first = 0;
    // SAFETY: by the contract above; what cannot be had together is released.
    unsafe {
        while let Some(one) = live.get(first) {
            one.hold();
            let mut others = (0..live.len()).filter(|&at| at != first);
            let Some(busy) = others.find(|&at| !live[at].try_hold()) else { return };
            (0..busy).filter(|&at| at != first).for_each(|at| live[at].release());
            one.release();
            first = busy;
        }
    }
}

unsafe extern "C" fn before() {
    // SAFETY: a static. What is in the list stays there, and so alive, while it is held.
    unsafe { LIVE.hold() };
    let live = LIVE.lock();
    // SAFETY: as above.
    unsafe { hold_all(&live) };
    for live in live.iter() {
        let lent = live.arena.lend();
        // A thread that forks while it ends has no such list any more.
        let _ = LENT.try_with(|list| {
            if let Some(list) = &mut *list.borrow_mut() {
                list.push((Arc::downgrade(&live.arena), lent));
            }
        });
    }
}

unsafe extern "C" fn parent() {
    {
        let live = LIVE.lock();
        // SAFETY: the C library calls `before` first, in the same thread or the one that this is
        // the copy of.
        live.iter().for_each(|live| unsafe { live.release() });
    }
    // SAFETY: as above.
    drop(unsafe { LIVE.release() });
}

unsafe extern "C" fn child() {
    LIVE.lock().iter().for_each(|live| live.arena.start_child());
    // SAFETY: called where `parent` is.
    unsafe { parent() };
}
