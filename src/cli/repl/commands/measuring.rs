//! `:type`, `:time`, `:bench`: expressions that are not just evaluated.

use crate::cli::repl::session::{Failed, Flow, Session};

/// The type of an expression.
pub fn kind(session: &mut Session, _text: &str) -> Result<Flow, Failed> {
    session.console.error("not yet");
    Err(Failed)
}

/// How long it takes once.
pub fn time(session: &mut Session, text: &str) -> Result<Flow, Failed> {
    kind(session, text)
}

/// How long it takes.
pub fn bench(session: &mut Session, text: &str) -> Result<Flow, Failed> {
    kind(session, text)
}
