//! From the options to the end of a session: its parts, its inputs, its exit code.
//!
//! Owns what comes before the first input and between any two.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use super::console::Console;
use super::front_end::FrontEnd;
use super::journal::{Journal, Record};
use super::machine::Machine;
use super::names::Names;
use super::options::ReplOptions;
use super::script::Lines;
use super::session::{Failed, Flow, Session};
use super::supervisor::Start;
use super::terminal::{Editor, Read};
use super::{files, interrupts};
use crate::cli::failure::Failure;
use crate::cli::words;

/// What a script that was interrupted ends with.
const INTERRUPTED: u8 = 130;

/// A session in this process.
pub fn run(options: &ReplOptions, start: Start) -> Result<ExitCode, Failure> {
    let Start { folder, mut journal, shared, again } = start;
    let mut session = session(options, &folder)?;
    interrupts::install(session.machine.interrupt.clone(), session.cancel.clone())?;
    let mut failed = again;
    match journal.read().filter(|_| again) {
        Some(record) => restore(&mut session, &record),
        None => {
            for file in &options.files {
                failed |= files::load(&mut session, &file.to_string_lossy()).is_err();
            }
        }
    }
    note(&mut journal, &session);
    shared.is_restored();
    let mut reader = Reader::new(&session);
    loop {
        let input = match reader.read(&session) {
            Read::Input(input) => input,
            Read::Nothing | Read::Unable => continue,
            Read::End => break,
        };
        let (pressed, document, files): (u64, _, _) =
            (interrupts::count(), session.document.clone(), session.files.clone());
        let flow = session.input(&input);
        shared.is_done();
        if !session.document.is(&document) || session.files != files {
            note(&mut journal, &session);
        }
        match flow {
            Ok(Flow::On) => {}
            Ok(Flow::End(code)) => return Ok(ExitCode::from(code.unwrap_or(u8::from(failed)))),
            Err(Failed) => failed = true,
        }
        if interrupts::count() != pressed && !session.console.interactive {
            return Ok(ExitCode::from(INTERRUPTED));
        }
    }
    Ok(ExitCode::from(u8::from(failed)))
}

fn session(options: &ReplOptions, folder: &Path) -> Result<Session, Failure> {
    let mut flags = Vec::new();
    for line in &options.cflags {
        flags.extend(words::split(line).map_err(Failure::new)?.into_iter().map(Into::into));
    }
    let clang = FrontEnd::new(&options.cc, flags, folder)?;
    let mut machine = Machine::new()?;
    machine.limit = options.limit;
    for name in &options.libraries {
        machine.find_library(name, &options.library_dirs)?;
    }
    let console = Console { interactive: std::io::stdin().is_terminal(), agreed: options.yes };
    Ok(Session::new(clang, machine, Names::default(), console))
}

/// Where inputs come from.
enum Reader {
    Editor(Box<Editor>),
    Lines(Lines),
}

impl Reader {
    fn new(session: &Session) -> Self {
        let is_seen = session.console.interactive && std::io::stdout().is_terminal();
        match is_seen.then(|| Editor::new(&session.names)).flatten() {
            Some(editor) => Self::Editor(Box::new(editor)),
            None => Self::Lines(Lines::new(session.console.interactive)),
        }
    }

    fn read(&mut self, session: &Session) -> Read {
        match self {
            Self::Editor(editor) => match editor.read() {
                Read::Unable => {
                    *self = Self::Lines(Lines::new(true));
                    Read::Nothing
                }
                read => read,
            },
            Self::Lines(lines) => lines.read(&session.names).map_or(Read::End, Read::Input),
        }
    }
}

/// Notes what there is now, for a process after this one.
fn note(journal: &mut Journal, session: &Session) {
    let files = session.files.names().map(str::to_owned).collect();
    let record = Record::of(&session.document, files, session.before + session.inputs.len());
    if let Err(error) = journal.write(&record) {
        session.console.note(&format!("what is defined cannot be kept for a crash of hotslot: {error}"));
    }
}

/// Defines again what another process had defined.
fn restore(session: &mut Session, record: &Record) {
    session.before = record.inputs;
    session.assigns = false;
    for file in &record.files {
        // What went wrong has been told.
        let _ = files::load(session, file);
    }
    let mut document = session.document.clone();
    for one in record.document().iter() {
        document.define(one.clone());
    }
    let result = session.become_document(document);
    session.assigns = true;
    match result {
        Ok(()) => session.console.note("what was defined is there again; variables have their first values"),
        Err(Failed) => session.console.note("what was defined is lost"),
    }
}
