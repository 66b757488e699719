//! Where the parts of an input begin and end.
//!
//! Owns the boundaries: of directives and commands by lines, of declarations and statements by
//! brackets, keywords and semicolons. Which items a declaration is, is `declarations`' business.

use super::declarations;
use super::{Known, partner};
use crate::cli::repl::tokens::{self, Token};

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Command,
    Directive,
    Declaration,
    /// A statement or an expression.
    Code,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Whole,
    /// Without a semicolon, as an expression may.
    Bare,
    /// It does not.
    Open,
}

/// A part that begins somewhere.
#[derive(Debug)]
pub struct Found {
    pub kind: Part,
    pub end: End,
    /// Behind its last byte.
    pub at: usize,
}

/// Where the next part begins, behind space and comments.
pub fn start(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        let skipped = if trimmed.is_empty() {
            return None;
        } else if trimmed.starts_with("//") {
            trimmed.find('\n').unwrap_or(trimmed.len())
        } else if trimmed.starts_with("/*") {
            trimmed.find("*/").map_or(trimmed.len(), |end| end + 2)
        } else {
            return Some(at);
        };
        at += skipped;
    }
}

/// The part that begins at `start`.
pub fn part(text: &str, start: usize, known: &dyn Known) -> Found {
    let rest = &text[start..];
    if rest.starts_with('#') {
        return directive(text, start);
    }
    if rest.starts_with(':') {
        let at = start + rest.find('\n').unwrap_or(rest.len());
        return Found { kind: Part::Command, end: End::Whole, at };
    }
    let tokens = tokens::of(rest);
    let (kind, end) = if declarations::begins(&tokens, known) {
        (Part::Declaration, declaration(&tokens))
    } else {
        (Part::Code, statement(&tokens, 0, rest))
    };
    let ended = |last: usize| start + tokens[last].at + tokens[last].text.len();
    match end {
        Ok(last) => Found { kind, end: End::Whole, at: ended(last) },
        Err(Some(last)) => {
            let is_open = kind == Part::Declaration || continues(&tokens[..=last]);
            Found { kind, end: if is_open { End::Open } else { End::Bare }, at: ended(last) }
        }
        Err(None) => Found { kind, end: End::Open, at: text.len() },
    }
}

/// Up to the end of its line, or of the block that it begins.
fn directive(text: &str, start: usize) -> Found {
    let mut at = start;
    let mut depth = 0usize;
    loop {
        let line = logical_line(&text[at..]);
        let word = directive_word(&text[at..at + line]);
        match word {
            "if" | "ifdef" | "ifndef" => depth += 1,
            "endif" => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += line;
        let is_over = at >= text.len();
        if depth == 0 || is_over {
            let is_continued = text[start..at].trim_end_matches(['\n', '\r']).ends_with('\\') && is_over;
            let end = if depth > 0 || is_continued { End::Open } else { End::Whole };
            return Found { kind: Part::Directive, end, at };
        }
    }
}

fn directive_word(line: &str) -> &str {
    let word = line.trim_start().strip_prefix('#').unwrap_or_default().trim_start();
    word.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default()
}

/// The length of a line with those that it goes on in, and its end.
fn logical_line(text: &str) -> usize {
    let mut at = 0;
    loop {
        let Some(end) = text[at..].find('\n') else { return text.len() };
        let goes_on = text[at..at + end].trim_end_matches('\r').ends_with('\\');
        at += end + 1;
        if !goes_on || at >= text.len() {
            return at;
        }
    }
}

/// The last token of a declaration; or of what there is of it.
fn declaration(tokens: &[Token<'_>]) -> Result<usize, Option<usize>> {
    let mut at = 0;
    let mut assigned = false;
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return Ok(at),
            "=" => assigned = true,
            "{" if !assigned && is_body(tokens, at) => return partner(tokens, at).ok_or(None),
            "(" | "[" | "{" => at = partner(tokens, at).ok_or(None)?,
            _ => {}
        }
        at += 1;
    }
    Err(Some(tokens.len() - 1))
}

/// Whether a brace begins the body of a function, not that of a type.
fn is_body(tokens: &[Token<'_>], at: usize) -> bool {
    let before = &tokens[..at];
    // Behind a tag, `struct`, or an attribute of theirs it does not.
    let depth = tokens[at].depth;
    let mut words = before.iter().rev().filter(|token| token.depth == depth);
    let is_type = |token: &Token<'_>| matches!(token.text, "struct" | "union" | "enum");
    let first = words.next();
    match first.map(|token| token.text) {
        Some(")") => {
            // `struct __attribute__((packed)) {`
            let names: Vec<_> =
                before.iter().filter(|token| token.depth == depth && token.is_word()).collect();
            !matches!(names.as_slice(), [.., kind, last] if last.text.starts_with("__attribute") && is_type(kind))
        }
        Some(_) => {
            !first.is_some_and(is_type) && !words.next().is_some_and(is_type) && has_parameters(before, depth)
        }
        None => false,
    }
}

fn has_parameters(before: &[Token<'_>], depth: usize) -> bool {
    before.iter().any(|token| token.depth == depth && token.text == "(")
}

/// The last token of a statement; or of what there is of it.
fn statement(tokens: &[Token<'_>], from: usize, text: &str) -> Result<usize, Option<usize>> {
    let Some(first) = tokens.get(from) else { return Err(None) };
    let parenthesised = |at: usize| match tokens.get(at) {
        Some(token) if token.text == "(" => partner(tokens, at).ok_or(None),
        _ => Err(Some(tokens.len() - 1)),
    };
    match first.text {
        "{" => partner(tokens, from).ok_or(None),
        "if" => {
            let body = statement(tokens, parenthesised(from + 1)? + 1, text)?;
            match tokens.get(body + 1) {
                Some(next) if next.text == "else" => statement(tokens, body + 2, text),
                _ => Ok(body),
            }
        }
        "for" | "while" | "switch" => statement(tokens, parenthesised(from + 1)? + 1, text),
        "do" => {
            let body = statement(tokens, from + 1, text)?;
            match tokens.get(body + 1) {
                Some(next) if next.text == "while" => {
                    let end = parenthesised(body + 2)?;
                    let is_semicolon = |at: &usize| tokens.get(*at).is_some_and(|token| token.text == ";");
                    Ok(Some(end + 1).filter(is_semicolon).unwrap_or(end))
                }
                _ => Err(None),
            }
        }
        _ => simple(tokens, from, text),
    }
}

fn simple(tokens: &[Token<'_>], from: usize, text: &str) -> Result<usize, Option<usize>> {
    let mut at = from;
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return Ok(at),
            "(" | "[" | "{" => at = partner(tokens, at).ok_or(None)?,
            _ => {}
        }
        if let Some(next) = tokens.get(at + 1) {
            let between = &text[tokens[at].at + tokens[at].text.len()..next.at];
            if between.contains('\n') && !continues(&tokens[from..=at]) && begins_anew(next) {
                return Err(Some(at));
            }
        }
        at += 1;
    }
    Err(Some(tokens.len() - 1))
}

/// Whether a token on a new line cannot be meant to go on with what is before.
fn begins_anew(token: &Token<'_>) -> bool {
    matches!(token.text, "{" | "#")
        || token.text.starts_with(|c: char| c.is_alphanumeric() || "_\"':".contains(c))
}

/// Whether something has to follow.
fn continues(tokens: &[Token<'_>]) -> bool {
    let [.., last] = tokens else { return false };
    let before = tokens.len().checked_sub(2).map(|at| tokens[at]);
    let doubled = before.is_some_and(|before| before.text == last.text && before.at + 1 == last.at);
    match last.text {
        "+" | "-" => !doubled,
        "*" | "/" | "%" | "=" | "<" | ">" | "&" | "|" | "^" | "!" | "~" | "?" | ":" | "," | "." => true,
        "else" | "do" | "return" | "sizeof" | "case" | "goto" => last.text != "return",
        _ => false,
    }
}

/// Whether a comment, a bracket or a line goes on.
pub fn is_open(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"', '\'']) {
        let here = &rest[at..];
        let length = if here.starts_with("/*") {
            match here.find("*/") {
                Some(end) => end + 2,
                None => return true,
            }
        } else if here.starts_with("//") {
            here.find('\n').unwrap_or(here.len())
        } else if here.starts_with('/') {
            1
        } else {
            tokens::literal(here)
        };
        rest = &here[length..];
    }
    if text.trim_end_matches(['\n', '\r']).ends_with('\\') {
        return true;
    }
    // What closes too much is not going to be better.
    unmatched(text).is_none() && !text.trim_start().starts_with(':') && depth(text) > 0
}

fn depth(text: &str) -> usize {
    let code = without_directives(text);
    let tokens = tokens::of(&code);
    tokens.last().map_or(0, |last| last.depth + usize::from(matches!(last.text, "(" | "[" | "{")))
}

/// Lines of directives may have anything in them.
fn without_directives(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let line = logical_line(&text[at..]);
        let words = &text[at..at + line];
        match words.trim_start().starts_with(['#', ':']) {
            true => code.push_str(&" ".repeat(words.len())),
            false => code.push_str(words),
        }
        at += line;
    }
    code
}

/// A bracket that closes nothing, or another kind than was opened.
pub fn unmatched(text: &str) -> Option<usize> {
    let code = without_directives(text);
    let mut open = Vec::new();
    for token in tokens::of(&code) {
        match token.text {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" if open.pop() != Some(token.text) => return Some(token.at),
            _ => {}
        }
    }
    None
}
