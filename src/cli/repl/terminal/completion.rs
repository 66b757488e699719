//! What the start of a word may become.
//!
//! Owns which words there are where: commands behind a colon, files behind `:load` and `:save`, names
//! of the session and its headers elsewhere.

use std::path::Path;

use reedline::{Completer, Span, Suggestion};

use crate::cli::repl::commands::COMMANDS;
use crate::cli::repl::names;

/// The menu that words are chosen from.
pub const MENU: &str = "names";

/// More are not shown.
const MOST: usize = 200;

/// All that can be completed.
pub struct Names(pub names::Names);

impl Completer for Names {
    fn complete(&mut self, line: &str, at: usize) -> Vec<Suggestion> {
        let (start, words) = words(&line[..at], || self.0.all());
        let words = words.into_iter().take(MOST);
        words.map(|(word, is_whole)| suggestion(word, is_whole, Span::new(start, at))).collect()
    }
}

fn suggestion(value: String, append_whitespace: bool, span: Span) -> Suggestion {
    Suggestion { value, append_whitespace, span, ..Suggestion::default() }
}

/// Where the word begins that is being typed, and what it may be, each with whether a space follows.
fn words(before: &str, names: impl FnOnce() -> Vec<String>) -> (usize, Vec<(String, bool)>) {
    if let Some(rest) = before.strip_prefix(':') {
        match rest.split_once(' ') {
            None => {
                let found = COMMANDS.iter().filter(|command| command.name.starts_with(rest));
                return (1, found.map(|command| (command.name.to_owned(), true)).collect());
            }
            Some(("load" | "save", file)) => return (before.len() - file.len(), files(file)),
            Some(_) => {}
        }
    }
    let is_part = |c: char| c == '_' || c.is_alphanumeric();
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| is_part(*c))
        .last()
        .map_or(before.len(), |(at, _)| at);
    let word = &before[start..];
    if word.is_empty() {
        return (start, Vec::new());
    }
    let found = names().into_iter().filter(|name| name.starts_with(word));
    (start, found.map(|name| (name, false)).collect())
}

fn files(start: &str) -> Vec<(String, bool)> {
    let (folder, name) = start.rsplit_once('/').map_or(("", start), |(folder, name)| (folder, name));
    let shown = if start.contains('/') { format!("{folder}/") } else { String::new() };
    let place = if shown.is_empty() { Path::new(".") } else { Path::new(&shown) };
    let mut found: Vec<(String, bool)> = std::fs::read_dir(place)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path().is_dir())))
        .filter(|(entry, _)| entry.starts_with(name) && (name.starts_with('.') || !entry.starts_with('.')))
        .map(|(entry, is_folder)| match is_folder {
            true => (format!("{shown}{entry}/"), false),
            false => (format!("{shown}{entry}"), true),
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_those_of_the_place() {
        let names = || vec!["puts".to_owned(), "putchar".to_owned(), "sq".to_owned()];
        assert_eq!(
            words("x = pu", names),
            (4, vec![("puts".to_owned(), false), ("putchar".to_owned(), false)])
        );
        assert_eq!(words(":lo", names), (1, vec![("load".to_owned(), true)]));
        assert_eq!(words(":source s", names), (8, vec![("sq".to_owned(), false)]));
        assert_eq!(words("x ", names).1, []);
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("file.c"), "").unwrap();
        let start = format!(":load {}/fi", place.path().display());
        let (at, found) = words(&start, names);
        assert_eq!((at, found), (6, vec![(format!("{}/file.c", place.path().display()), true)]));
    }
}
