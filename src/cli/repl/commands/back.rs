//! `:undo`, `:drop`, `:reset`: what was defined and is no more.

use std::collections::BTreeSet;

use crate::cli::repl::build;
use crate::cli::repl::dependencies;
use crate::cli::repl::document::Document;
use crate::cli::repl::files::Files;
use crate::cli::repl::session::{Failed, Flow, Session};
use crate::cli::repl::syntax::Kind;
use crate::cli::repl::tokens;

/// Goes back to before the last inputs.
pub fn undo(session: &mut Session, count: &str) -> Result<Flow, Failed> {
    let count: usize = match count {
        "" => 1,
        count => match count.parse() {
            Ok(count) if count > 0 => count,
            _ => return refuse(session, &format!("how many inputs to undo is a number from 1, not {count}")),
        },
    };
    let most = session.past.len();
    if count > most {
        let there = match most {
            0 => "there is nothing to undo".to_owned(),
            1 => "there is 1 input to undo".to_owned(),
            _ => format!("there are {most} inputs to undo"),
        };
        return refuse(session, &there);
    }
    let before = &session.past[most - count];
    let (document, files) = (before.document.clone(), before.files.clone());
    session.become_these(document, files)?;
    for undone in session.past.drain(most - count..).rev() {
        session.console.answer(&format!("undone: {}", first_line(&undone.input)));
    }
    Ok(Flow::On)
}

/// The start of an input, to tell it from others.
pub fn first_line(input: &str) -> String {
    let input = input.trim();
    match input.split_once('\n') {
        Some((first, _)) => format!("{} ...", first.trim_end()),
        None => input.to_owned(),
    }
}

/// Takes a definition out.
pub fn drop(session: &mut Session, name: &str) -> Result<Flow, Failed> {
    let Some(one) = session.document.named(name).cloned() else {
        return refuse(session, &format!("{name} is not defined here"));
    };
    if one.origin.file.is_some() {
        return refuse(session, &format!("{name} is of a file: {}", one.origin.place));
    }
    let mut document = session.document.clone();
    document.remove(|other| std::ptr::eq(other, &*one));
    let names: BTreeSet<_> = one.defines.iter().cloned().collect();
    let users: BTreeSet<String> = dependencies::after(&document, &names)
        .into_iter()
        .filter(|user| user.uses.iter().any(|used| names.contains(used)))
        .flat_map(|user| user.defines.iter().map(|name| name.text.clone()))
        .collect();
    if !users.is_empty() {
        let users: Vec<String> = users.into_iter().collect();
        return refuse(session, &format!("{name} is used by {}", users.join(", ")));
    }
    session.become_document(document)?;
    Ok(Flow::On)
}

/// Gives variables their first values, or forgets everything.
pub fn reset(session: &mut Session, names: &str) -> Result<Flow, Failed> {
    if names.is_empty() {
        if session.console.interactive && !session.console.asks("forget all definitions?") {
            return Ok(Flow::On);
        }
        session.become_these(Document::default(), Files::default())?;
        return Ok(Flow::On);
    }
    for name in names.split_whitespace() {
        let found =
            session.document.symbol(name).filter(|one| one.kind == Kind::Variable && one.module().is_some());
        let Some(one) = found.cloned() else {
            return refuse(session, &format!("{name} is no variable of the session"));
        };
        let cancel = session.new_cancel();
        let (clang, document) = (&session.clang, &session.document);
        let code = match tokens::initialiser(&one.text) {
            Some(_) => build::assignment(clang, document, &one, &cancel),
            None => build::compile(clang, document, &one, &cancel, |before| {
                crate::cli::repl::text::zeroing(document, &one, before)
            }),
        };
        let code = code.map_err(|why| session.refuse(why))?;
        if let Err(text) = session.run(&format!("initialiser of {name}"), code.bytes, false, &mut |_| 0) {
            session.console.tell("", &text);
            return Err(Failed);
        }
    }
    Ok(Flow::On)
}

fn refuse(session: &Session, why: &str) -> Result<Flow, Failed> {
    session.console.error(why);
    Err(Failed)
}
