//! What clang gets to read: a definition or an input, with what it needs before it.
//!
//! Owns the C around what the user typed. Expressions are evaluated once, whatever their type is:
//! the choice between the ways to do it is made by clang.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::dependencies;
use super::document::{Definition, Document, located};
use super::syntax::{Kind, Name};
use super::tokens;

/// The function that an input's code is in.
pub const RUN: &str = "__hotslot_run";
/// What it calls with the place of the value that the input has.
pub const SHOW: &str = "__hotslot_show";
/// A pointer to the type of that.
pub const TYPE: &str = "__hotslot_type";
/// The value.
pub const VALUE: &str = "__hotslot_value";
/// Another name for a variable whose initialiser mentions it.
pub const NEW: &str = "__hotslot_new";
/// As long as an array has elements.
pub const SIZE: &str = "__hotslot_size";

/// The place of what the user has not typed.
pub const OURS: &str = "hotslot";

/// What it is called with, and calls that with.
const HOST: &str = "__hotslot";

/// How much comes before a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// What it seems to need.
    Needed,
    /// All types and declarations of the session.
    Everything,
}

/// Types and declarations that a text with these names needs, `own` not among them.
pub fn context(
    document: &Document,
    uses: &BTreeSet<Name>,
    own: Option<&Definition>,
    before: Before,
) -> String {
    let mut definitions = match before {
        Before::Needed => dependencies::before(document, uses),
        Before::Everything => dependencies::all(document),
    };
    definitions.retain(|one| own.is_none_or(|own| !std::ptr::eq(&raw const ***one, own)));
    let mut text = dependencies::announcements(&definitions);
    for one in definitions {
        text.push_str(&located(one, &external(one)));
    }
    text
}

/// A definition as others see it.
fn external(definition: &Definition) -> String {
    match definition.kind {
        Kind::Function | Kind::Variable => definition.interface().to_owned(),
        _ => definition.text.clone(),
    }
}

/// The module of a function or variable, with its initialiser or without.
pub fn definition(document: &Document, one: &Definition, before: Before, initialised: bool) -> String {
    let mut text = context(document, &one.uses, Some(one), before);
    let own = match initialised {
        true => tokens::exported(&one.text),
        false => uninitialised(one),
    };
    text.push_str(&located(one, &own));
    text
}

/// A definition of the variable with all bytes zero, which can be written to whatever its type says.
fn uninitialised(one: &Definition) -> String {
    let name = one.symbol().unwrap_or_default();
    let declaration = one.interface();
    // The declaration is of what is defined under another name in this text.
    format!("{declaration}\n__typeof_unqual__({name}) {NEW} __asm__(\"{name}\") = {{}};")
}

/// Code that gives a variable the value of its initialiser.
pub fn assignment(document: &Document, one: &Definition, before: Before) -> String {
    assigned(document, one, before, |local| {
        format!("__builtin_memcpy(__hotslot_to, (void *)&{local}, sizeof {local});\n")
    })
}

/// Code of which only the size of a variable is of interest: as many bytes as an array has elements.
pub fn measure(document: &Document, one: &Definition, before: Before) -> String {
    assigned(document, one, before, |local| {
        format!("static char {SIZE}[sizeof {local} / sizeof {local}[0]] __attribute__((used));\n")
    })
}

fn assigned(document: &Document, one: &Definition, before: Before, then: impl Fn(&str) -> String) -> String {
    let mut text = context(document, &one.uses, None, before);
    let name = one.symbol().unwrap_or_default();
    let exported = tokens::exported(&one.text);
    let value = tokens::initialiser(&exported).map_or("", |at| &exported[at..]);
    let (local, own) = match tokens::mentions(value, name) {
        true => (NEW, tokens::renamed(&exported, name, NEW)),
        false => (name, exported.clone()),
    };
    // Its own name may be among those that it does not use.
    let declaration = one.interface();
    let (own, then) = (inside(one, &own), then(local));
    text.push_str(&format!(
        "{declaration}\nvoid {RUN}(void *{HOST}) {{\nvoid *__hotslot_to = (void *)&{name};\n{own};\n{then}}}\n"
    ));
    text
}

/// Code that gives a variable without an initialiser the value that it began with.
pub fn zeroing(document: &Document, one: &Definition, before: Before) -> String {
    let mut text = context(document, &one.uses, None, before);
    let (name, declaration) = (one.symbol().unwrap_or_default(), one.interface());
    text.push_str(&format!(
        "{declaration}\nvoid {RUN}(void *{HOST}) {{\n__builtin_memset((void *)&{name}, 0, sizeof {name});\n}}\n"
    ));
    text
}

/// What the user has typed, in text of ours.
fn inside(one: &Definition, text: &str) -> String {
    format!("{}#line 1 \"{OURS}\"\n", located(one, text))
}

/// Statements.
pub fn statement(document: &Document, one: &Definition, before: Before) -> String {
    let mut text = context(document, &one.uses, None, before);
    text.push_str(&format!("void {RUN}(void *{HOST}) {{\n{};\n}}\n", inside(one, &one.text)));
    text
}

/// How the value of an expression is got at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// By its type.
    Typed,
    /// As it comes: of a bit-field the type cannot be asked for.
    Plain,
}

/// An expression whose value is shown.
pub fn expression(
    document: &Document,
    one: &Definition,
    before: Before,
    value: Value,
    clock: bool,
) -> String {
    let mut text = context(document, &one.uses, None, before);
    let e = inside(one, &one.text);
    text.push_str(&format!("unsigned long {SHOW}(void *, void *);\n"));
    let body = match value {
        Value::Plain => {
            format!("__auto_type {VALUE} = ({{ (\n{e}); }});\n__typeof__({VALUE}) *{TYPE} = &{VALUE};\n")
        }
        Value::Typed => {
            let is_void = format!("__builtin_types_compatible_p(__typeof__(\n{e}), void)");
            format!(
                "__typeof__(\n{e}) *{TYPE} = 0; (void){TYPE};\n\
                 __auto_type {VALUE} = __builtin_choose_expr({is_void}, (char)0, (\n{e}));\n\
                 __builtin_choose_expr({is_void}, (\n{e}), (void)0);\n"
            )
        }
    };
    let clock = if clock { format!("{SHOW}({HOST}, 0);\n") } else { String::new() };
    text.push_str(&format!(
        "void {RUN}(void *{HOST}) {{\n{clock}{body}{SHOW}({HOST}, (void *)&{VALUE});\n}}\n"
    ));
    text
}

/// Evaluates again and again, as often as it is told.
pub fn repeated(document: &Document, one: &Definition, before: Before) -> String {
    let mut text = context(document, &one.uses, None, before);
    let end = if one.kind == Kind::Expression { ";" } else { "" };
    text.push_str(&format!(
        "unsigned long {SHOW}(void *, void *);\nvoid {RUN}(void *{HOST}) {{\n\
         for (unsigned long {SIZE}; ({SIZE} = {SHOW}({HOST}, 0));)\nfor (; {SIZE}; {SIZE}--) {{\n{}{end}\n}}\n}}\n",
        inside(one, &one.text)
    ));
    text
}

/// Everything at once: whether it goes together.
pub fn everything(document: &Document) -> String {
    context(document, &BTreeSet::new(), None, Before::Everything)
}

/// Whether a text with these names gets less than there is.
pub fn is_less(document: &Document, uses: &BTreeSet<Name>) -> bool {
    let needed = dependencies::before(document, uses).len();
    let is_context = |one: &&Arc<Definition>| one.kind != Kind::Directive;
    needed < document.iter().filter(is_context).count()
}
