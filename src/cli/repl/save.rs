//! All definitions as a C file that compiles.
//!
//! Owns the order: directives, announcements of tags, types and prototypes, variables, functions.
//! What C does not allow at file scope, an initialiser that has to be run, becomes a function that
//! runs before `main`.

use std::sync::Arc;

use super::document::{Definition, Document};
use super::syntax::Kind;
use super::{dependencies, text, tokens};

/// The text of the file; `is_constant` says of a variable's initialiser what it is.
pub fn text(document: &Document, is_constant: &dyn Fn(&Definition) -> bool) -> String {
    let own = |kind: Kind| document.iter().filter(move |one| one.kind == kind && one.module().is_some());
    let lines = |texts: &mut dyn Iterator<Item = String>| texts.map(|text| text + "\n").collect::<String>();
    let all = dependencies::all(document);
    let directives = document.iter().filter(|one| one.kind == Kind::Directive);
    let (constant, others): (Vec<_>, Vec<_>) = own(Kind::Variable).partition(|one| is_constant(one));
    let mut assigned = String::new();
    for one in &others {
        let name = one.symbol().unwrap_or_default();
        let local = tokens::renamed(&tokens::exported(&one.text), name, text::NEW);
        assigned.push_str(&format!(
            "    {{\n        {}\n        __builtin_memcpy((void *)&{name}, &{new}, sizeof {new});\n    }}\n",
            local.trim(),
            new = text::NEW,
        ));
    }
    if !assigned.is_empty() {
        let head = "__attribute__((constructor)) static void hotslot_initialise(void)";
        assigned = format!("{head}\n{{\n{assigned}}}\n");
    }
    let sections = [
        lines(&mut directives.map(|one| one.text.clone())),
        dependencies::announcements(&all),
        lines(&mut all.iter().filter(|one| !is_said_once(one)).map(|one| match one.kind {
            Kind::Variable if others.iter().any(|other| Arc::ptr_eq(other, one)) => {
                tokens::writable(one.interface())
            }
            Kind::Function | Kind::Variable => one.interface().to_owned(),
            _ => one.text.clone(),
        })),
        lines(&mut constant.iter().map(|one| defined(one, &tokens::exported(&one.text)))),
        lines(
            &mut others.iter().map(|one| defined(one, &tokens::writable(&tokens::exported(one.interface())))),
        ),
        lines(&mut own(Kind::Function).map(|one| tokens::exported(&one.text).trim_start().to_owned())),
        assigned,
    ];
    let sections = sections.iter().filter(|section| !section.is_empty());
    let sections: Vec<&str> = sections.map(|section| &**section).collect();
    format!("// Written by hotslot repl.\n\n{}", sections.join("\n"))
}

/// Several variables of one type without a name: their definition is all there is of them.
fn is_said_once(one: &Definition) -> bool {
    let is_list = || tokens::of(one.interface()).iter().any(|token| token.depth == 0 && token.text == ",");
    one.kind == Kind::Variable && tokens::has_nameless_type(one.interface()) && is_list()
}

/// A variable's definition behind its declaration. Each `struct {...}` without a name is another type,
/// so that the second has to be asked for.
fn defined(one: &Definition, definition: &str) -> String {
    if !tokens::has_nameless_type(definition) || is_said_once(one) {
        return definition.trim().to_owned();
    }
    let name = one.symbol().unwrap_or_default();
    let of_thread = ["_Thread_local", "thread_local", "__thread"];
    let of_thread = of_thread.iter().find(|word| tokens::mentions(definition, word));
    let of_thread = of_thread.map_or(String::new(), |word| format!("{word} "));
    let value = tokens::initialiser(definition).map_or(";", |at| &definition[at - 1..]);
    format!("{of_thread}__typeof__({name}) {name} {}", value.trim())
}
