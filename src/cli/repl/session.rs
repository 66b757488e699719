//! A session: one input after the other.
//!
//! Owns the state of the session and the order of things: parse, compile, load, run, tell. Every
//! definition of an input takes effect together with those beside it, or none does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::build::{self, Built};
use super::change::Change;
use super::console::Console;
use super::document::{Definition, Document};
use super::faults;
use super::files::Files;
use super::front_end::{FrontEnd, Made, Refusal};
use super::machine::{self, Host, Machine, Step};
use super::names::Names;
use super::refused::Refused;
use super::syntax::{self, Item, Kind};
use super::text::{self, Value};
use super::{commands, shown, tokens};
use crate::cli::cancel::Cancel;

/// Something was not done, and has been told.
#[derive(Debug)]
pub struct Failed;

/// Whether there is to be another input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    On,
    /// The session ends with this code, or that of what happened.
    End(Option<u8>),
}

/// What `:undo` goes back to.
pub struct Before {
    pub document: Document,
    pub files: Files,
    /// The input that came then.
    pub input: String,
}

/// The state of a session.
pub struct Session {
    pub document: Document,
    pub past: Vec<Before>,
    pub clang: FrontEnd,
    pub machine: Machine,
    pub names: Names,
    pub files: Files,
    pub console: Console,
    /// Every input so far.
    pub inputs: Vec<String>,
    /// How many there were in processes before this.
    pub before: usize,
    /// Whether initialisers that have to be run are.
    pub assigns: bool,
    /// What Ctrl-C ends while clang is at work.
    pub cancel: Arc<Mutex<Cancel>>,
}

impl Session {
    /// Nothing is defined yet.
    pub fn new(clang: FrontEnd, machine: Machine, names: Names, console: Console) -> Self {
        let (document, past, files, inputs, cancel) = Default::default();
        Self {
            document,
            past,
            clang,
            machine,
            names,
            files,
            console,
            inputs,
            before: 0,
            assigns: true,
            cancel,
        }
    }

    /// Does what an input says.
    pub fn input(&mut self, input: &str) -> Result<Flow, Failed> {
        if input.trim().is_empty() {
            return Ok(Flow::On);
        }
        self.inputs.push(input.to_owned());
        let place: Arc<str> = format!("input {}", self.before + self.inputs.len()).into();
        let (document, files, depth) = (self.document.clone(), self.files.clone(), self.past.len());
        let result = self.items(input, &place);
        // To have gone back is not gone back from.
        let is_changed = !self.document.is(&document) || self.files != files;
        if is_changed && self.past.len() == depth {
            self.past.push(Before { document, files, input: input.to_owned() });
        }
        result
    }

    fn items(&mut self, input: &str, place: &Arc<str>) -> Result<Flow, Failed> {
        let items = syntax::parse(input, &self.names).map_err(|trouble| {
            let syntax::Trouble { line, column, message, .. } = trouble;
            self.console.tell("", &format!("{place}:{line}:{column}: error: {message}"));
            Failed
        })?;
        let mut together = Vec::new();
        for item in items {
            if !is_executed(item.kind) {
                together.push(Arc::new(Definition::new(item, place, None)));
                continue;
            }
            self.define(std::mem::take(&mut together))?;
            match item.kind {
                Kind::Command => match commands::run(self, &item)? {
                    Flow::On => {}
                    end => return Ok(end),
                },
                _ => self.execute(item, place)?,
            }
        }
        self.define(together)?;
        Ok(Flow::On)
    }

    /// Adds definitions, all of them or none.
    pub fn define(&mut self, definitions: Vec<Arc<Definition>>) -> Result<(), Failed> {
        if definitions.is_empty() {
            return Ok(());
        }
        let mut document = self.document.clone();
        for one in &definitions {
            document.define(one.clone());
        }
        self.become_document(document)
    }

    /// Makes the session what the document says.
    pub fn become_document(&mut self, document: Document) -> Result<(), Failed> {
        self.become_these(document, self.files.clone())
    }

    /// The same, with other files loaded, in one step. What is refused is told.
    pub fn become_these(&mut self, document: Document, files: Files) -> Result<(), Failed> {
        self.try_become(document, files).map_err(|why| why.tell(&self.console))
    }

    /// The same, but what is refused comes back.
    pub fn try_become(&mut self, mut document: Document, files: Files) -> Result<(), Refused> {
        let cancel = self.new_cancel();
        let directives = document.directives();
        let mut old_header = None;
        if directives != self.document.directives() {
            let header = self.clang.precompile(&directives, &cancel)?;
            let warnings = header.warnings().to_owned();
            let old = self.clang.swap(header);
            // Those of earlier directives have been told.
            self.console.tell("", warnings.strip_prefix(old.warnings()).unwrap_or(&warnings));
            old_header = Some(old);
        }
        let new = document.without(&self.document);
        build::measure(&self.clang, &mut document, &new, &cancel);
        let change = Change::between(&self.document, &document);
        let loaded = self.load(&document, &change, self.files.steps_to(&files), &cancel);
        if loaded.is_err() {
            old_header.map(|header| self.clang.swap(header));
        }
        let assignments = loaded?;
        (self.document, self.files) = (document, files);
        self.names.update(&self.clang, &self.document, &change, &cancel);
        let mut failed = None;
        for (name, code) in assignments {
            if !self.assigns {
                self.console.note(&format!("all bytes of {name} are 0: its initialiser was not run again"));
            } else if let Err(why) = self.run(&format!("initialiser of {name}"), code, false, &mut |_| 0) {
                let left = format!("{why}note: {name} is defined, and all bytes of it are 0\n");
                failed.get_or_insert_with(String::new).push_str(&left);
            }
        }
        failed.map_or(Ok(()), |text| Err(Refused::Said(text)))
    }

    /// Loads what a change brings; returns code that is to be run then.
    fn load(
        &mut self,
        document: &Document,
        change: &Change,
        mut steps: Vec<Step>,
        cancel: &Cancel,
    ) -> Result<Vec<(String, Vec<u8>)>, Refused> {
        if !change.stuck.is_empty() {
            return Err(Refused::Said(change.stuck.concat()));
        }
        let built = build::build(&self.clang, document, change, cancel)?;
        let Built { steps: own, mut assignments, warnings } = built;
        steps.extend(own);
        self.console.tell("", &warnings);
        let mut reset = Vec::new();
        let prepared = loop {
            match self.machine.prepare(&steps, &reset) {
                Ok(prepared) => break prepared,
                Err(error) => match machine::unfitting(&error) {
                    Some(names) if reset.is_empty() => {
                        let s = if names.len() == 1 { "s" } else { "" };
                        self.console
                            .note(&format!("of another type now: {} start{s} anew", names.join(", ")));
                        if !self.console.asks("lose the values?") {
                            return Err(Refused::Declined);
                        }
                        reset = names;
                    }
                    _ => return Err(Refused::Said(format!("error: {}", faults::told(&error)))),
                },
            }
        };
        // A variable that kept its storage has the value it had, and is said to have another one.
        for one in change.new.iter().filter(|one| one.kind == Kind::Variable) {
            let Some(name) = one.module() else { continue };
            let kept = prepared.report().module(name).is_some_and(|report| report.kept_storage > 0);
            let has_value = tokens::initialiser(&one.text).is_some();
            if kept && has_value && assignments.iter().all(|(assigned, _)| assigned != name) {
                let Made { bytes, .. } = build::assignment(&self.clang, document, one, cancel)?;
                assignments.push((name.to_owned(), bytes));
            }
        }
        // Those that were compiled again for another reason have their values.
        let is_fresh = |name: &str| {
            change.new.iter().any(|one| one.module() == Some(name)) || reset.iter().any(|reset| reset == name)
        };
        assignments.retain(|(name, _)| is_fresh(name));
        prepared.commit().map_err(|error| Refused::Said(format!("error: {}", faults::told(&error))))?;
        if !change.rebuilt.is_empty() {
            let names: BTreeSet<&str> = change.rebuilt.iter().filter_map(|one| one.module()).collect();
            let names: Vec<&str> = names.into_iter().collect();
            self.console.note(&format!("compiled again: {}", names.join(", ")));
        }
        Ok(assignments)
    }

    /// Runs a statement, or an expression whose value is told.
    fn execute(&mut self, item: Item, place: &Arc<str>) -> Result<(), Failed> {
        let (kind, one) = (item.kind, Definition::new(item, place, None));
        let made = match kind {
            Kind::Expression => self.compile_expression(&one, false)?,
            _ => self.compile(&one, |document, before| text::statement(document, &one, before))?,
        };
        self.console.tell("", &made.warnings);
        // A static variable may be pointed to for ever.
        let keep = tokens::mentions(&one.text, "static");
        self.evaluate(place, made.bytes, keep)
    }

    /// Compiles an expression together with what shows its value.
    ///
    /// With `clock` the host is called before the expression, too, with no address.
    pub fn compile_expression(&mut self, one: &Definition, clock: bool) -> Result<Made, Failed> {
        let cancel = self.new_cancel();
        let (clang, document) = (&self.clang, &self.document);
        let compile = |value| {
            let text = |before| text::expression(document, one, before, value, clock);
            build::compile(clang, document, one, &cancel, text)
        };
        let made = match compile(Value::Typed) {
            Err(Refusal::Said(said)) if said.contains("bit-field") => compile(Value::Plain),
            made => made,
        };
        made.map_err(|why| self.refuse(why))
    }

    /// Compiles an input's text.
    pub fn compile(
        &mut self,
        one: &Definition,
        text: impl Fn(&Document, text::Before) -> String,
    ) -> Result<Made, Failed> {
        let cancel = self.new_cancel();
        let document = &self.document;
        let made = build::compile(&self.clang, document, one, &cancel, |before| text(document, before));
        made.map_err(|why| self.refuse(why))
    }

    /// Runs compiled code and tells its value, if it has one.
    fn evaluate(&mut self, name: &str, object: Vec<u8>, keep: bool) -> Result<(), Failed> {
        let shows = self.shows(&object);
        self.run(name, object, keep, &mut |address| {
            shows(address);
            0
        })
        .map_err(|text| {
            self.console.tell("", &text);
            Failed
        })
    }

    /// What tells the value that an object's code has.
    pub fn shows(&self, object: &[u8]) -> impl Fn(u64) + 'static {
        let (console, object) = (self.console, object.to_owned());
        let (runtime, document) = (self.machine.runtime().clone(), self.document.clone());
        move |address| {
            machine::flush();
            let name_of = |address: u64| machine::name_of(&runtime, &document, address);
            if let Some(text) = shown::value(&object, address, &name_of) {
                console.answer(&text);
            }
        }
    }

    /// Runs compiled code; what went wrong comes back as text.
    pub fn run(
        &mut self,
        name: &str,
        object: Vec<u8>,
        keep: bool,
        host: &mut Host<'_>,
    ) -> Result<(), String> {
        let result = self.machine.run(name, object, keep, host);
        machine::flush();
        result.map_err(|error| {
            let is_known = |name: &str| self.machine.runtime().symbol(name).is_some();
            let absent = faults::absent(&error, &self.document, is_known).into_iter();
            let absent = absent.map(|name| format!("note: {name} is declared, but not defined\n"));
            faults::told(&error) + &absent.collect::<String>()
        })
    }

    /// What ends the compilers that are started from now on.
    pub fn new_cancel(&self) -> Cancel {
        let cancel = Cancel::default();
        *self.cancel.lock().unwrap_or_else(|error| error.into_inner()) = cancel.clone();
        cancel
    }

    /// Tells what clang says.
    pub fn refuse(&self, why: Refusal) -> Failed {
        Refused::from(why).tell(&self.console)
    }
}

fn is_executed(kind: Kind) -> bool {
    matches!(kind, Kind::Statement | Kind::Expression | Kind::Command)
}
