//! All definitions as a C file that compiles.
//!
//! Owns the order: directives, announcements of tags, types and prototypes, variables, functions.
//! What C does not allow at file scope, an initialiser that has to be run, becomes a function that
//! runs before `main`.

use super::document::{Definition, Document};
use super::syntax::Kind;
use super::{dependencies, tokens};

/// The text of the file.
pub fn text(document: &Document) -> String {
    let mut text = String::from("// Written by hotslot repl.\n");
    let mut section = |lines: String| {
        if !lines.is_empty() {
            text.push('\n');
            text.push_str(&lines);
        }
    };
    let of = |kind: Kind| document.iter().filter(move |one| one.kind == kind && one.origin.file.is_none());
    let lines = |texts: &mut dyn Iterator<Item = String>| texts.map(|text| text + "\n").collect::<String>();
    section(lines(&mut of(Kind::Directive).map(|one| one.text.clone())));
    let all = dependencies::all(document);
    section(dependencies::announcements(&all));
    section(lines(&mut all.iter().map(|one| match one.kind {
        Kind::Function | Kind::Variable => one.interface().to_owned(),
        _ => one.text.clone(),
    })));
    section(lines(&mut of(Kind::Variable).map(|one| variable(one))));
    section(lines(&mut of(Kind::Function).map(|one| tokens::exported(&one.text).trim_start().to_owned() + "\n")));
    text
}

fn variable(one: &Definition) -> String {
    tokens::exported(&one.text).trim_start().to_owned()
}
