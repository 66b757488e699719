//! Files that are loaded as modules: `.c`, `.ll`, `.bc`, `.o`, and shared libraries.
//!
//! Owns which files are loaded, and what the session learns of a C file's definitions: they are
//! known by their declarations, and replaced by what is typed.

use super::session::{Failed, Session};

/// The files that are loaded.
#[derive(Debug, Default)]
pub struct Files {}

/// Loads a file, or what has changed of it since; or a library.
pub fn load(session: &mut Session, _words: &str) -> Result<(), Failed> {
    session.console.error("not yet");
    Err(Failed)
}
