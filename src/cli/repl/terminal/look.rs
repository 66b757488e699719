//! What an input looks like while it is typed: prompt and colours.

use std::borrow::Cow;

use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, PromptEditMode, PromptHistorySearch, StyledText};

use crate::cli::repl::names::Names;
use crate::cli::repl::syntax::{Class, colours};

/// The words before an input.
pub struct Prompt;

impl reedline::Prompt for Prompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("hotslot")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("    ...> ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!(" (search: {}) ", search.term))
    }
}

/// By what each part is.
pub struct Colours(pub Names);

impl Highlighter for Colours {
    fn highlight(&self, input: &str, _: usize) -> StyledText {
        let mut text = StyledText::new();
        for (class, range) in colours(input, &self.0) {
            text.push((style(class), input[range].to_owned()));
        }
        text
    }
}

/// None.
pub struct Plain;

impl Highlighter for Plain {
    fn highlight(&self, input: &str, _: usize) -> StyledText {
        let mut text = StyledText::new();
        text.push((Style::new(), input.to_owned()));
        text
    }
}

fn style(class: Class) -> Style {
    match class {
        Class::Plain => Style::new(),
        Class::Keyword => Color::Purple.normal(),
        Class::Type => Color::Cyan.normal(),
        Class::Function => Color::Blue.normal(),
        Class::Number => Color::Yellow.normal(),
        Class::Text => Color::Green.normal(),
        Class::Comment => Color::DarkGray.normal(),
        Class::Directive => Color::Purple.normal(),
        Class::Command => Style::new().bold(),
    }
}
