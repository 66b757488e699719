//! Inputs of a person at a terminal.
//!
//! Owns the line editor and what it begins with: [`parts`] are what it asks about the text,
//! [`ahead`] is what was typed while there was no editor. Terminals that cannot move the cursor get
//! lines, see `script.rs`.

mod ahead;
mod parts;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, EditCommand, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder, Reedline,
    ReedlineEvent, ReedlineMenu, Signal, default_emacs_keybindings,
};

use super::names::Names;
use super::{script, syntax};
use crate::cli::failure::Failure;
use ahead::Ahead;
use parts::{Completion, Highlight, Prompt, Validation};

/// How many inputs are kept for later sessions.
const HISTORY: usize = 5_000;
const MENU: &str = "names";

/// What came of reading.
pub enum Read {
    Input(String),
    /// Ctrl-C: what was begun is thrown away.
    Cleared,
    End,
}

/// Where inputs come from.
pub enum Reader {
    Editor(Box<Editor>),
    /// Lines, and whether somebody wants a prompt before each.
    Lines {
        names: Names,
        prompts: bool,
    },
}

/// reedline, and what it does not know.
pub struct Editor {
    line: Reedline,
    names: Names,
    ahead: Ahead,
}

impl Reader {
    /// What suits stdin and stdout; where only lines are read, with `prompts` or without.
    pub fn new(names: Names, prompts: bool) -> Self {
        let is_plain = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !is_plain {
            return Self::Editor(Box::new(Editor::new(names)));
        }
        Self::Lines { names, prompts }
    }

    /// The next input; waits for it.
    pub fn read(&mut self) -> Result<Read, Failure> {
        match self {
            Self::Editor(editor) => editor.read(),
            Self::Lines { names, prompts } => {
                Ok(script::read(names, *prompts).map_or(Read::End, Read::Input))
            }
        }
    }
}

impl Editor {
    fn new(names: Names) -> Self {
        let mut keys = default_emacs_keybindings();
        let completes =
            ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext]);
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, completes);
        let newline = ReedlineEvent::Edit(vec![EditCommand::InsertNewline]);
        keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, newline);
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let menu = ColumnarMenu::default().with_name(MENU).with_text_style(Style::new().fg(Color::Cyan));
        let mut line = Reedline::create()
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_ansi_colors(colours)
            .use_bracketed_paste(true)
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_completer(Box::new(Completion(names.clone())))
            .with_highlighter(Box::new(Highlight(names.clone())))
            .with_validator(Box::new(Validation(names.clone())))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)));
        // Without a place to keep it the history is that of this session.
        if let Some(history) = history().and_then(|file| FileBackedHistory::with_file(HISTORY, file).ok()) {
            line = line.with_history(Box::new(history));
        }
        Self { line, names, ahead: Ahead::default() }
    }

    fn read(&mut self) -> Result<Read, Failure> {
        self.ahead.take();
        let mut begun = String::new();
        while let Some(line) = self.ahead.next() {
            begun.push_str(&line);
            begun.push('\n');
            if line.trim().is_empty() || syntax::is_complete(&begun, &self.names) {
                // It was shown when it was typed, but between other things.
                let mut stdout = std::io::stdout().lock();
                let _ = write!(stdout, "{}{begun}", parts::PROMPT).and_then(|()| stdout.flush());
                return Ok(Read::Input(begun));
            }
        }
        if !begun.is_empty() {
            self.line.run_edit_commands(&[EditCommand::InsertString(begun)]);
        }
        loop {
            let signal = self.line.read_line(&Prompt);
            let _ = self.line.sync_history();
            return match signal {
                Ok(Signal::Success(input)) => Ok(Read::Input(input)),
                Ok(Signal::CtrlC) => Ok(Read::Cleared),
                Ok(Signal::CtrlD) => Ok(Read::End),
                Ok(_) => continue,
                Err(error) => Err(Failure::new(format!("the terminal cannot be read: {error}"))
                    .hint("TERM=dumb hotslot repl reads plain lines")),
            };
        }
    }
}

/// The file with the inputs of earlier sessions.
fn history() -> Option<PathBuf> {
    let is_given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = is_given("XDG_STATE_HOME").or_else(|| Some(is_given("HOME")?.join(".local/state")))?;
    let folder = state.join("hotslot");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("repl_history"))
}
