//! What the line editor asks about the text: its colours, whether it is complete, how it goes on.
//!
//! Owns the answers' form. What is C is said by `syntax`, which names there are by the session.

use std::borrow::Cow;

use nu_ansi_term::{Color, Style};
use reedline::{
    Completer, Highlighter, PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus, Span, StyledText,
    Suggestion, ValidationResult, Validator,
};

use crate::cli::repl::commands::COMMANDS;
use crate::cli::repl::names::Names;
use crate::cli::repl::syntax::{self, Class};

pub const PROMPT: &str = "hotslot> ";
const MORE: &str = "    ...> ";

/// C's own words, which a name may be completed to.
const KEYWORDS: &[&str] = &[
    "_Bool", "_Generic", "alignof", "auto", "break", "case", "char", "const", "continue", "default", "do",
    "double", "else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register",
    "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union",
    "unsigned", "void", "volatile", "while",
];

pub struct Prompt;

impl reedline::Prompt for Prompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed(PROMPT)
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed(MORE)
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failing = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "nothing ",
        };
        Cow::Owned(format!("({failing}found for `{}`) ", search.term))
    }
}

pub struct Validation(pub Names);

impl Validator for Validation {
    fn validate(&self, line: &str) -> ValidationResult {
        // Who enters an empty line wants to be told what is missing.
        let is_enough = line.contains('\n') && line.lines().last().is_none_or(|last| last.trim().is_empty());
        match is_enough || line.ends_with('\n') || syntax::is_complete(line, &self.0) {
            true => ValidationResult::Complete,
            false => ValidationResult::Incomplete,
        }
    }
}

pub struct Highlight(pub Names);

impl Highlighter for Highlight {
    fn highlight(&self, line: &str, _: usize) -> StyledText {
        let mut text = StyledText::new();
        for (class, range) in syntax::colours(line, &self.0) {
            text.push((style(class), line[range].to_owned()));
        }
        text
    }
}

fn style(class: Class) -> Style {
    match class {
        Class::Plain => Style::new(),
        Class::Keyword => Style::new().fg(Color::Blue).bold(),
        Class::Type => Style::new().fg(Color::Cyan),
        Class::Function => Style::new().fg(Color::Yellow),
        Class::Number => Style::new().fg(Color::Magenta),
        Class::Text => Style::new().fg(Color::Green),
        Class::Comment => Style::new().dimmed(),
        Class::Directive => Style::new().fg(Color::Purple),
        Class::Command => Style::new().bold(),
    }
}

pub struct Completion(pub Names);

impl Completer for Completion {
    fn complete(&mut self, line: &str, position: usize) -> Vec<Suggestion> {
        let before = line.get(..position).unwrap_or(line);
        let (start, words) = self.words(before);
        let suggestion = |value: String| Suggestion {
            value,
            span: Span::new(start, before.len()),
            ..Suggestion::default()
        };
        words.into_iter().map(suggestion).collect()
    }
}

impl Completion {
    /// What the end of `before` can become, and where that begins.
    fn words(&self, before: &str) -> (usize, Vec<String>) {
        let trimmed = before.trim_start();
        if let Some(command) = trimmed.strip_prefix(':') {
            match command.split_once(char::is_whitespace) {
                None => {
                    let names = COMMANDS.iter().map(|command| format!(":{}", command.name));
                    let names = names.filter(|name| name.starts_with(trimmed));
                    return (before.len() - trimmed.len(), names.collect());
                }
                Some(("load" | "save", file)) => {
                    let file = file.trim_start();
                    return (before.len() - file.len(), files(file));
                }
                Some(_) => {}
            }
        }
        let is_part = |c: char| c == '_' || c.is_alphanumeric();
        let start = before
            .rfind(|c| !is_part(c))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
            return (start, Vec::new());
        }
        let keywords =
            KEYWORDS.iter().filter(|keyword| keyword.starts_with(word)).map(|&keyword| keyword.to_owned());
        let mut all: Vec<String> = self.0.starting_with(word).into_iter().chain(keywords).collect();
        all.sort();
        all.dedup();
        (start, all)
    }
}

/// The files that a path's beginning can mean.
fn files(begun: &str) -> Vec<String> {
    let (folder, name) = begun.rsplit_once('/').map_or(("", begun), |(folder, name)| (folder, name));
    let prefix = if begun.contains('/') { format!("{folder}/") } else { String::new() };
    let Ok(entries) = std::fs::read_dir(if prefix.is_empty() { "." } else { &prefix }) else {
        return Vec::new();
    };
    let mut all: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let own = entry.file_name().into_string().ok()?;
            let is_hidden = own.starts_with('.') && !name.starts_with('.');
            let end = if entry.path().is_dir() { "/" } else { "" };
            (own.starts_with(name) && !is_hidden).then(|| format!("{prefix}{own}{end}"))
        })
        .collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_files_and_names_are_completed() {
        let mut completion = Completion(Names::default());
        let mut values = |line: &str| -> Vec<String> {
            completion.complete(line, line.len()).into_iter().map(|one| one.value).collect()
        };
        assert_eq!(values(":sa"), [":save"]);
        assert_eq!(values("  :hi"), [":history"]);
        assert_eq!(values("x = siz"), ["sizeof"]);
        assert_eq!(values("1"), [""; 0]);
        assert_eq!(values("é + whi"), ["while"]);
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("shape.c"), "").unwrap();
        std::fs::create_dir(place.path().join("shapes")).unwrap();
        let at = place.path().display();
        assert_eq!(values(&format!(":load {at}/sh")), [format!("{at}/shape.c"), format!("{at}/shapes/")]);
    }

    #[test]
    fn an_empty_line_ends_an_input_that_goes_on() {
        let complete =
            |line| matches!(Validation(Names::default()).validate(line), ValidationResult::Complete);
        assert!(complete("1 + 2"));
        assert!(!complete("int f(void) {"));
        assert!(!complete("int f(void) {\n  return 1;"));
        assert!(complete("int f(void) {\n"));
        assert!(complete("int f(void) {\n  return 1;\n}"));
    }

    #[test]
    fn colours_keep_the_text() {
        let text = "int f(void) { return \"ä\"; } // 変";
        assert_eq!(Highlight(Names::default()).highlight(text, 0).raw_string(), text);
    }
}
