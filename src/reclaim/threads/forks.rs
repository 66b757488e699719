//! The one question at a time that a process may ask, and what forks do to it.
//!
//! Owns the lock of the line, and keeps it and the list of contexts whole in children.
#![allow(unsafe_code)]

use std::sync::Once;

use super::contexts;
use super::signal::{self, Line};
use crate::tls::{Forkable, Guard, around_forks};

static LINE: Forkable<Line> = Forkable::new(Line::new());

/// Waits for the question of another thread to end.
pub(super) fn line() -> Guard<'static, Line> {
    survive();
    LINE.lock()
}

/// To be called before generated code can register fork handlers.
pub(crate) fn survive() {
    unsafe extern "C" fn before() {
        // In the order in which a question takes them.
        // SAFETY: a static.
        unsafe { LINE.hold() };
        contexts::hold();
    }
    unsafe extern "C" fn after() {
        // SAFETY: the C library calls `before` first, in the same thread or the one that this
        // is the copy of.
        unsafe { contexts::release() };
        // SAFETY: as above.
        drop(unsafe { LINE.release() });
    }
    unsafe extern "C" fn child() {
        signal::start_process();
        // SAFETY: called where `after` is.
        unsafe { after() };
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| around_forks(before, after, child));
}
