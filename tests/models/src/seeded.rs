//! Bugs in models: the library's list, chosen by a test or by `HOTSLOT_BUG`.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[path = "../../../src/seeded.rs"]
mod list;

pub(crate) use list::Bug;

thread_local! {
    /// Loom runs all threads of a model on the thread of the test.
    static CHOSEN: Cell<Option<Bug>> = const { Cell::new(None) };
}

pub(crate) fn bug(asked: Bug) -> bool {
    CHOSEN.get() == Some(asked) || list::bug(asked)
}

/// Asserts that `model` fails with each of these bugs.
pub(crate) fn notices<T>(bugs: &[Bug], model: impl Fn() -> T) {
    for &bug in bugs {
        CHOSEN.set(Some(bug));
        let result = catch_unwind(AssertUnwindSafe(&model));
        CHOSEN.set(None);
        assert!(result.is_err(), "the model does not notice {bug:?}");
    }
}
