//! Inputs from somebody at a terminal.
//!
//! Owns the line editor's settings, what is done with lines that were typed while an input was worked
//! on, and where the history of all sessions is. Colours are in `look.rs`, names in `completion.rs`.

mod completion;
mod look;

use std::path::PathBuf;

use reedline::{
    ColumnarMenu, EditCommand, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder, Reedline,
    ReedlineEvent, ReedlineMenu, Signal, ValidationResult, Validator, default_emacs_keybindings,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::names::Names;
use super::{script, syntax};
use look::{Colours, Prompt};

/// How many inputs are remembered over sessions.
const REMEMBERED: usize = 10_000;

/// The editor.
pub struct Editor {
    editor: Reedline,
    names: Names,
}

/// What came of asking for an input.
pub enum Read {
    Input(String),
    /// Ctrl-C: there is none.
    Nothing,
    End,
    /// It cannot be edited here.
    Unable,
}

impl Editor {
    /// One that knows the session's names; none where the terminal can do nothing.
    pub fn new(names: &Names) -> Option<Self> {
        if std::env::var_os("TERM").is_none_or(|term| term == "dumb") {
            return None;
        }
        let mut keys = default_emacs_keybindings();
        let menu = || ReedlineEvent::Menu(completion::MENU.to_owned());
        let tab = ReedlineEvent::UntilFound(vec![menu(), ReedlineEvent::MenuNext]);
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, tab);
        keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
        let newline = ReedlineEvent::Edit(vec![EditCommand::InsertNewline]);
        keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, newline);
        let columns = ColumnarMenu::default().with_name(completion::MENU);
        let mut editor = Reedline::create()
            .with_validator(Box::new(Whole(names.clone())))
            .with_completer(Box::new(completion::Names(names.clone())))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(columns)))
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .use_bracketed_paste(true);
        let coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        editor = match coloured {
            true => editor.with_highlighter(Box::new(Colours(names.clone()))),
            false => editor.with_ansi_colors(false).with_highlighter(Box::new(look::Plain)),
        };
        // Without a place for it the history is that of this session.
        if let Some(history) = history() {
            editor = editor.with_history(Box::new(history));
        }
        Some(Self { editor, names: names.clone() })
    }

    /// The next input.
    pub fn read(&mut self) -> Read {
        let mut typed = String::new();
        while is_waiting() {
            // Lines that the terminal has kept, which the editor would take for other keys.
            match script::line() {
                Some(line) if !line.is_empty() => typed.push_str(&without_marks(&line)),
                // Ctrl-D, or nobody is there any more.
                _ if typed.is_empty() => return Read::End,
                _ => break,
            }
            if syntax::is_complete(&typed, &self.names) {
                return Read::Input(typed);
            }
        }
        if !typed.is_empty() {
            self.editor.run_edit_commands(&[EditCommand::InsertString(typed)]);
        }
        match self.editor.read_line(&Prompt) {
            Ok(Signal::Success(input)) => Read::Input(input),
            Ok(Signal::CtrlD) => Read::End,
            Ok(_) => Read::Nothing,
            // The terminal does not answer, or is gone.
            Err(_) => Read::Unable,
        }
    }
}

/// A line without what says that it was pasted: it was before the editor could ask.
fn without_marks(line: &str) -> String {
    line.replace("\x1b[200~", "").replace("\x1b[201~", "")
}

/// Whether there is something to be read without waiting.
fn is_waiting() -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let stdin = rustix::stdio::stdin();
    let mut wait = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut wait, Some(&now)).is_ok_and(|ready| ready > 0)
}

struct Whole(Names);

impl Validator for Whole {
    fn validate(&self, input: &str) -> ValidationResult {
        // Who enters an empty line wants to be told what is missing.
        let is_enough = input.rsplit_once('\n').is_some_and(|(_, last)| last.trim().is_empty());
        match is_enough || syntax::is_complete(input, &self.0) {
            true => ValidationResult::Complete,
            false => ValidationResult::Incomplete,
        }
    }
}

fn history() -> Option<FileBackedHistory> {
    let of = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = of("XDG_STATE_HOME").or_else(|| Some(of("HOME")?.join(".local/state")))?;
    let folder = state.join("hotslot");
    std::fs::create_dir_all(&folder).ok()?;
    FileBackedHistory::with_file(REMEMBERED, folder.join("repl_history")).ok()
}
