//! `:load`, `:save`: from files and to them.

use crate::cli::repl::session::{Failed, Flow, Session};
use crate::cli::repl::{files, save};

/// Loads a file or a library.
pub fn load(session: &mut Session, words: &str) -> Result<Flow, Failed> {
    if words.is_empty() {
        session.console.error("name a file, or a library as -lNAME");
        return Err(Failed);
    }
    files::load(session, words)?;
    Ok(Flow::On)
}

/// Writes a C file.
pub fn save(session: &mut Session, file: &str) -> Result<Flow, Failed> {
    if file.is_empty() {
        session.console.error("name a file to write");
        return Err(Failed);
    }
    match std::fs::write(file, save::text(&session.document)) {
        Ok(()) => Ok(Flow::On),
        Err(error) => {
            session.console.error(&format!("{file} cannot be written: {error}"));
            Err(Failed)
        }
    }
}
