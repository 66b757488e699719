//! From a change of the document to what the runtime is to load.
//!
//! Owns what is compiled for each definition, and in which way where the first does not do: with
//! all that there is before it, or a variable without its initialiser and code that assigns it.
//! Changes nothing: what comes of it is the session's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotslot::Source;
use object::{Object, ObjectSymbol};

use super::change::Change;
use super::document::{Definition, Document};
use super::front_end::{FrontEnd, Made, Output, Refusal, each};
use super::machine::Step;
use super::refused::Refused;
use super::syntax::Kind;
use super::text::{self, Before};
use super::tokens;
use crate::cli::cancel::Cancel;

/// What is to be loaded.
#[derive(Default)]
pub struct Built {
    pub steps: Vec<Step>,
    /// Code that gives variables their first values, in the order of the document.
    pub assignments: Vec<(String, Vec<u8>)>,
    pub warnings: String,
}

/// Compiles what a change takes; the directives are in use already.
pub fn build(
    clang: &FrontEnd,
    document: &Document,
    change: &Change,
    cancel: &Cancel,
) -> Result<Built, Refused> {
    let modules: Vec<&Arc<Definition>> =
        change.new.iter().chain(&change.rebuilt).filter(|one| one.module().is_some()).collect();
    let made = each(&modules, |one| module(clang, document, one, cancel));
    let mut built = Built::default();
    let (mut refused, mut cancelled) = (String::new(), false);
    let mut assignments = BTreeMap::new();
    for (one, made) in modules.iter().zip(made) {
        match made {
            Ok(Module { object, assignment }) => {
                let name = one.module().unwrap_or_default().to_owned();
                if change.new.iter().any(|new| Arc::ptr_eq(new, one)) {
                    built.warnings.push_str(&object.warnings);
                }
                let source = Source::object(object.bytes).label(&*one.origin.place);
                built.steps.push(Step::Set(name.clone(), source));
                assignment.into_iter().for_each(|code| _ = assignments.insert(name.clone(), code));
            }
            Err(Refusal::Cancelled) => cancelled = true,
            Err(Refusal::Said(said)) => {
                // It was typed before, and is not to blame.
                if let Some(name) =
                    one.symbol().filter(|_| !change.new.iter().any(|new| Arc::ptr_eq(new, one)))
                {
                    let place = &one.origin.place;
                    refused.push_str(&format!("error: {name} ({place}) would not compile any more:\n"));
                }
                refused.push_str(&said);
            }
        }
    }
    // Types and declarations that nothing uses yet, and whether everything goes together.
    if refused.is_empty() && change.new.iter().any(|one| one.module().is_none()) {
        match clang.compile(&text::everything(document), Output::Check, cancel) {
            Ok(made) => built.warnings.push_str(&made.warnings),
            Err(Refusal::Cancelled) => cancelled = true,
            Err(Refusal::Said(said)) => refused = said,
        }
    }
    if cancelled {
        return Err(Refused::Cancelled);
    }
    if !refused.is_empty() {
        return Err(Refused::Said(refused));
    }
    let in_order = document.iter().filter_map(|one| one.module());
    let code = |name: &str| assignments.remove(name).map(|code| (name.to_owned(), code));
    built.assignments = in_order.filter_map(code).collect();
    built.steps.extend(change.removed.iter().cloned().map(Step::Remove));
    Ok(built)
}

/// What a definition becomes.
struct Module {
    object: Made,
    assignment: Option<Vec<u8>>,
}

fn module(
    clang: &FrontEnd,
    document: &Document,
    one: &Definition,
    cancel: &Cancel,
) -> Result<Module, Refusal> {
    let compile = |initialised| {
        compile(clang, document, one, cancel, |before| text::definition(document, one, before, initialised))
    };
    match compile(true) {
        Err(Refusal::Said(said)) if one.kind == Kind::Variable && is_to_be_assigned(&said) => {
            let assignment = assignment(clang, document, one, cancel)?;
            let object = compile(false)?;
            Ok(Module {
                object: Made { warnings: assignment.warnings, ..object },
                assignment: Some(assignment.bytes),
            })
        }
        result => result.map(|object| Module { object, assignment: None }),
    }
}

/// Code that gives a variable the value of its initialiser.
pub fn assignment(
    clang: &FrontEnd,
    document: &Document,
    one: &Definition,
    cancel: &Cancel,
) -> Result<Made, Refusal> {
    compile(clang, document, one, cancel, |before| text::assignment(document, one, before))
}

/// Compiles an object with what it seems to need, and with all there is if that is not enough.
pub fn compile(
    clang: &FrontEnd,
    document: &Document,
    one: &Definition,
    cancel: &Cancel,
    text: impl Fn(Before) -> String,
) -> Result<Made, Refusal> {
    compile_to(Output::Object, clang, document, one, cancel, text)
}

/// The same for another output.
pub fn compile_to(
    output: Output,
    clang: &FrontEnd,
    document: &Document,
    one: &Definition,
    cancel: &Cancel,
    text: impl Fn(Before) -> String,
) -> Result<Made, Refusal> {
    match clang.compile(&text(Before::Needed), output, cancel) {
        Err(Refusal::Said(_)) if text::is_less(document, &one.uses) => {
            clang.compile(&text(Before::Everything), output, cancel)
        }
        result => result,
    }
}

fn is_to_be_assigned(said: &str) -> bool {
    said.contains("not a compile-time constant") || said.contains("not constant")
}

/// Gives arrays whose length is that of their initialiser a declaration that says it.
pub fn measure(clang: &FrontEnd, document: &mut Document, new: &[Arc<Definition>], cancel: &Cancel) {
    for one in new.iter().filter(|one| one.module().is_some() && is_open_array(one)) {
        let made = compile(clang, document, one, cancel, |before| text::measure(document, one, before));
        // What does not compile is going to be told.
        let Ok(made) = made else { continue };
        let Some(count) = symbol_size(&made.bytes, |symbol| symbol.contains(text::SIZE)) else { continue };
        let declaration = tokens::with_length(one.interface(), count);
        let Definition { kind, text, origin, defines, uses, .. } = &**one;
        let measured = Definition {
            kind: *kind,
            text: text.clone(),
            origin: origin.clone(),
            defines: defines.clone(),
            uses: uses.clone(),
            declaration: Some(declaration),
        };
        document.exchange(one, Arc::new(measured));
    }
}

fn is_open_array(one: &Definition) -> bool {
    one.kind == Kind::Variable && {
        let tokens = tokens::of(one.interface());
        tokens.windows(2).any(|pair| pair[0].text == "[" && pair[1].text == "]")
    }
}

fn symbol_size(object: &[u8], is_it: impl Fn(&str) -> bool) -> Option<u64> {
    let file = object::File::parse(object).ok()?;
    let found = file.symbols().find(|symbol| symbol.name().is_ok_and(&is_it));
    found.map(|symbol| symbol.size())
}
