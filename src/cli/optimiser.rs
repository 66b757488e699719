//! The optimiser of the program that runs, at its end.
//!
//! Owns that LLVM is not at work when its own destructors run.

use std::sync::OnceLock;

use hotslot::Runtime;

use super::exit;
use super::threads::LAST_UPDATE;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Has the program's end wait for the optimiser of `runtime`. There is one program in a process.
pub fn rest_at_exit(runtime: &Runtime) {
    if RUNTIME.set(runtime.clone()).is_ok() {
        exit::first(rest);
    }
}

/// An exit handler. In a fork of the program there is no optimiser.
extern "C" fn rest() {
    RUNTIME.get().inspect(|runtime| runtime.stop_optimising(LAST_UPDATE));
}
