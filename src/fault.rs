//! Failures on demand, to test what a failure leaves behind.
//!
//! Whatever may fail while an update is prepared asks [`step`] first. Owns the count of these
//! questions and which of them is answered with an error; knows nothing of what the steps do.
//! Outside of hotslot's own unit tests nothing ever fails here, and nothing is left of it.

/// Fails if a test has asked for it.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn step(_what: &'static str) -> crate::error::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(crate) use armed::{inject, step};

#[cfg(test)]
mod armed {
    use std::cell::{Cell, RefCell};

    use crate::error::{Error, ErrorKind, Result};

    thread_local! {
        /// How many steps from now the failure is; 0 for none.
        static LEFT: Cell<usize> = const { Cell::new(0) };
        static FAILED: RefCell<Option<&'static str>> = const { RefCell::new(None) };
    }

    /// Fails if this is the step that [`inject`] chose.
    pub(crate) fn step(what: &'static str) -> Result<()> {
        let left = LEFT.get();
        LEFT.set(left.saturating_sub(1));
        if left != 1 {
            return Ok(());
        }
        FAILED.set(Some(what));
        Err(Error::new(ErrorKind::Memory, format!("injected: {what}")))
    }

    /// Runs `work` on this thread with its `n`th step failing; says which step that was, if
    /// there are so many.
    pub(crate) fn inject<T>(n: usize, work: impl FnOnce() -> T) -> (T, Option<&'static str>) {
        LEFT.set(n);
        FAILED.set(None);
        let result = work();
        LEFT.set(0);
        (result, FAILED.take())
    }
}

#[cfg(test)]
mod tests {
    use super::{inject, step};

    #[test]
    fn one_step_fails() {
        let work = || ["a", "b", "c"].map(|what| step(what).is_ok());
        assert_eq!(inject(2, work), ([true, false, true], Some("b")));
        assert_eq!(inject(4, work), ([true; 3], None));
        assert_eq!(work(), [true; 3]);
    }
}
