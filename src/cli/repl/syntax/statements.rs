//! Where a statement or an expression ends.
//!
//! Knows the shape of C's statements and what may stand at the end of an expression; not what
//! they mean. It does not recurse, so that no input is too deep.

use super::beginnings::declares;
use super::declarators::{declaration, ends_operand};
use super::lexer::{ADD, AND, ARROW, BETWEEN, Kind, NOT, STEP};
use super::source::{Source, Stop};
use super::words::Word;

/// What waits for a statement to end.
enum Waits {
    /// An `if`, whose `else` may follow.
    If,
    /// A `do`, whose `while (...);` must follow.
    Do,
    /// Anything that ends with the statement.
    Ends,
}

/// How an expression at file scope ended.
pub(super) struct Ended {
    /// After its last token, the `;` included.
    pub at: usize,
    /// It has its `;`.
    pub semicolon: bool,
}

/// Whether a statement that is no expression begins at `at`.
pub(super) fn leads(source: &Source, at: usize) -> Result<bool, Stop> {
    let at = source.over_attributes(at)?;
    Ok(match source.kind(at) {
        Kind::Word(Word::Name) => {
            source.is(at + 1, b':') && !source.token(at + 1).first || loops(source, at)?
        }
        Kind::Word(word) => word.leads_statement(),
        Kind::Sign(b'{' | b';') => true,
        _ => false,
    })
}

/// Whether a macro with a block after it stands at `at`: `list_for_each(x, list) {`.
fn loops(source: &Source, at: usize) -> Result<bool, Stop> {
    if !source.is(at + 1, b'(') {
        return Ok(false);
    }
    let after = source.over(at + 1)?;
    Ok(source.is(after, b'{'))
}

/// After the statement at `at`. The second value says that it ends in an `if` that may still get
/// its `else`.
pub(super) fn statement(source: &Source, mut at: usize) -> Result<(usize, bool), Stop> {
    let mut waits: Vec<Waits> = Vec::new();
    loop {
        // To the end of a statement that holds no other.
        at = source.over_attributes(at)?;
        match source.kind(at) {
            Kind::End => return Err(Stop::End { missing: "a statement" }),
            Kind::Sign(b'{') => at = source.over(at)?,
            Kind::Word(Word::If) => {
                at = condition(source, at)?;
                waits.push(Waits::If);
                continue;
            }
            Kind::Word(Word::While | Word::For | Word::Switch) => {
                at = condition(source, at)?;
                waits.push(Waits::Ends);
                continue;
            }
            Kind::Word(Word::Do) => {
                at += 1;
                waits.push(Waits::Do);
                continue;
            }
            Kind::Word(Word::Else) => return source.wrong(at, "an `else` without an `if` before it"),
            Kind::Word(Word::Default) if source.is(at + 1, b':') => {
                at += 2;
                waits.push(Waits::Ends);
                continue;
            }
            Kind::Word(Word::Case) => {
                at = over_case(source, at + 1)?;
                waits.push(Waits::Ends);
                continue;
            }
            Kind::Word(Word::Name) if source.is(at + 1, b':') => {
                at += 2;
                // In C23 a label may end a block; at file scope something must follow.
                waits.push(Waits::Ends);
                continue;
            }
            Kind::Word(Word::Name) if loops(source, at)? => {
                at = source.over(at + 1)?;
                continue;
            }
            _ if declares(source, at)? => {
                let found = declaration(source, at, true)?;
                if found.unfinished {
                    return Err(Stop::End { missing: "`;`" });
                }
                at = found.end;
            }
            _ => at = simple(source, at)?,
        }
        // What waited for it ends too, or goes on.
        loop {
            match waits.pop() {
                None => return Ok((at, false)),
                Some(Waits::Ends) => {}
                Some(Waits::If) => {
                    if source.word(at) == Some(Word::Else) {
                        at += 1;
                        waits.push(Waits::Ends);
                        break;
                    }
                    if source.kind(at) == Kind::End && waits.iter().all(|wait| !matches!(wait, Waits::Do)) {
                        return Ok((at, true));
                    }
                }
                Some(Waits::Do) => {
                    if source.kind(at) == Kind::End {
                        return Err(Stop::End { missing: "the `while` of its `do`" });
                    }
                    if source.word(at) != Some(Word::While) {
                        return source.wrong(at, "the `while` of a `do` is expected here");
                    }
                    at = condition(source, at)?;
                    at = semicolon(source, at)?;
                }
            }
        }
    }
}

/// After the brackets of the `if`, `for`, `while`, `switch` at `at`.
fn condition(source: &Source, at: usize) -> Result<usize, Stop> {
    match source.kind(at + 1) {
        Kind::Sign(b'(') => source.over(at + 1),
        Kind::End => Err(Stop::End { missing: "`(`" }),
        _ => source.wrong(at + 1, format!("`(` is expected after `{}`", source.text(at))),
    }
}

fn semicolon(source: &Source, at: usize) -> Result<usize, Stop> {
    match source.kind(at) {
        Kind::Sign(b';') => Ok(at + 1),
        Kind::End => Err(Stop::End { missing: "`;`" }),
        _ => source
            .wrong(at, format!("`;` is expected before `{}`", source.text(at).lines().next().unwrap_or(""))),
    }
}

/// After the `:` of a `case`, whose expression may hold a `?:`.
fn over_case(source: &Source, mut at: usize) -> Result<usize, Stop> {
    let mut questions = 0usize;
    loop {
        match source.kind(at) {
            Kind::End => return Err(Stop::End { missing: "the `:` of its `case`" }),
            Kind::Sign(b'?') => questions += 1,
            Kind::Sign(b':') if questions == 0 => return Ok(at + 1),
            Kind::Sign(b':') => questions -= 1,
            Kind::Sign(b';' | b')' | b']' | b'}') => {
                return source.wrong(at, "the `:` of a `case` is expected here");
            }
            _ => {}
        }
        at = source.over(at)?;
    }
}

/// After the `;` of a statement that must have one.
fn simple(source: &Source, mut at: usize) -> Result<usize, Stop> {
    loop {
        match source.kind(at) {
            Kind::Sign(b';') => return Ok(at + 1),
            Kind::End => return Err(Stop::End { missing: "`;`" }),
            Kind::Command => return source.wrong(at, "`;` is expected before this command"),
            Kind::Sign(b')' | b']' | b'}') => {
                return source.wrong(at, format!("`;` is expected before `{}`", source.text(at)));
            }
            _ => at = source.over(at)?,
        }
    }
}

/// The expression at `at`: up to its `;`, the end, or a line that cannot go on with it.
pub(super) fn expression(source: &Source, from: usize) -> Result<Ended, Stop> {
    let mut at = from;
    let mut questions = 0usize;
    loop {
        let token = source.token(at);
        if at > from
            && (token.first || token.directed || token.kind == Kind::Command)
            && !goes_on(source, at, questions)
        {
            return Ok(Ended { at, semicolon: false });
        }
        match token.kind {
            Kind::Sign(b';') => {
                return if questions > 0 {
                    source.wrong(at, "the `:` of a `?` is missing")
                } else {
                    Ok(Ended { at: at + 1, semicolon: true })
                };
            }
            Kind::End => {
                return if questions > 0 || !may_end(source, at) {
                    Err(Stop::End { missing: "the end of its expression" })
                } else {
                    Ok(Ended { at, semicolon: false })
                };
            }
            Kind::Command => return source.wrong(at, "the expression before this command is unfinished"),
            Kind::Sign(b'?') => questions += 1,
            Kind::Sign(b':') => questions = questions.saturating_sub(1),
            _ => {}
        }
        at = source.over(at)?;
    }
}

/// Whether the token at `at`, on a new line, belongs to the expression before it.
fn goes_on(source: &Source, at: usize, questions: usize) -> bool {
    let last = source.kind(at - 1);
    if questions > 0 || !may_end(source, at) {
        return true;
    }
    match source.kind(at) {
        // `"a" "b"`
        Kind::Text => last == Kind::Text,
        Kind::Word(_) | Kind::Number | Kind::Char | Kind::Command => false,
        Kind::Sign(NOT) => false,
        // `f\n{` is no expression; `(T)\n{1}` is.
        Kind::Sign(b'{') => last == Kind::Sign(b')'),
        Kind::Sign(STEP) => false,
        _ => true,
    }
}

/// Whether an expression can end before `at`.
fn may_end(source: &Source, at: usize) -> bool {
    match source.kind(at - 1) {
        Kind::Sign(b'*' | b'&' | b'=' | b'?' | b':' | b'.' | b',' | ARROW | AND | ADD | BETWEEN | NOT) => {
            false
        }
        Kind::Word(Word::Operator | Word::Generic | Word::Struct | Word::Enum | Word::Extension) => false,
        kind => ends_operand(kind) || !matches!(kind, Kind::Word(_)),
    }
}
