//! What the fuzz targets share: a runtime that lives as long as the process, and the
//! check that an update that was only checked left no trace.
//!
//! Nothing here commits what the fuzzer made: a commit would run its constructors and
//! resolvers.

use std::sync::LazyLock;

use hotslot::{CallForm, Runtime, Update};

pub mod edit;

/// Small, so that an input that asks for too much memory is refused soon.
pub const ARENA: usize = 64 << 20;

/// A runtime for each form of calls, with no modules.
pub static EMPTY: LazyLock<[Runtime; 2]> =
    LazyLock::new(|| [CallForm::Slot, CallForm::Stub].map(|form| build(form).expect("no runtime")));

pub fn build(form: CallForm) -> hotslot::Result<Runtime> {
    Runtime::builder().arena_size(ARENA).call_form(form).compile_threads(1).build()
}

/// Checks an update and that nothing is left of it afterwards.
///
/// # Panics
/// Where something is left, or an error has no text.
pub fn checked<'rt>(rt: &'rt Runtime, fill: impl FnOnce(&mut Update<'rt>)) {
    let before = rt.stats();
    check(rt, fill);
    assert_eq!(rt.stats(), before, "something was left behind");
}

fn check<'rt>(rt: &'rt Runtime, fill: impl FnOnce(&mut Update<'rt>)) {
    let mut update = rt.update();
    fill(&mut update);
    if let Err(error) = update.check() {
        assert!(!error.to_string().is_empty(), "an error without a text");
    }
}
