//! `:list`, `:history`, `:source`: what was typed.

use crate::cli::repl::document::Definition;
use crate::cli::repl::session::{Failed, Flow, Session};
use crate::cli::repl::syntax::Kind;
use crate::cli::repl::tokens;

/// Every definition on a line.
pub fn list(session: &mut Session, _: &str) -> Result<Flow, Failed> {
    let line = |one: &Definition| {
        let text = match one.kind {
            Kind::Function => tokens::line(one.interface()),
            Kind::Variable => {
                let end = tokens::initialiser(&one.text).map_or(one.text.len(), |at| at - 1);
                format!("{};", tokens::line(&one.text[..end]).trim_end_matches(';'))
            }
            // In a directive blanks and quotes have a meaning of their own.
            Kind::Directive => one.text.split_whitespace().collect::<Vec<_>>().join(" "),
            _ => tokens::line(&one.text),
        };
        format!("{:16}{text}\n", one.origin.place)
    };
    let lines: String = session.document.iter().map(|one| line(one)).collect();
    session.console.answer(&lines);
    Ok(Flow::On)
}

/// The inputs with their numbers.
pub fn history(session: &mut Session, _: &str) -> Result<Flow, Failed> {
    let mut text = String::new();
    for (number, input) in session.inputs.iter().enumerate() {
        for (line, words) in input.trim_end().lines().enumerate() {
            let number = if line == 0 { (session.before + number + 1).to_string() } else { String::new() };
            text.push_str(&format!("{number:>5}  {words}\n"));
        }
    }
    session.console.answer(&text);
    Ok(Flow::On)
}

/// A definition as it was typed.
pub fn source(session: &mut Session, name: &str) -> Result<Flow, Failed> {
    match session.document.named(name) {
        Some(one) => {
            session.console.answer(&one.text);
            Ok(Flow::On)
        }
        None => {
            session.console.error(&format!("{name} is not defined here; :list says what is"));
            Err(Failed)
        }
    }
}
