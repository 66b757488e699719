//! `:load`, `:save`: from files and to them.

use crate::cli::repl::document::Definition;
use crate::cli::repl::front_end::Output;
use crate::cli::repl::session::{Failed, Flow, Session};
use crate::cli::repl::{build, files, save, text, tokens};

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
    let cancel = session.new_cancel();
    let (clang, document) = (&session.clang, &session.document);
    let is_constant = |one: &Definition| {
        let text = |before| text::definition(document, one, before, true);
        tokens::initialiser(&one.text).is_none()
            || build::compile_to(Output::Check, clang, document, one, &cancel, text).is_ok()
    };
    match std::fs::write(file, save::text(document, &is_constant)) {
        Ok(()) => Ok(Flow::On),
        Err(error) => {
            session.console.error(&format!("{file} cannot be written: {error}"));
            Err(Failed)
        }
    }
}
