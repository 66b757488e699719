//! Declarations: their specifiers, their declarators, what ends them.
//!
//! Owns C's declaration syntax as far as names need it: which word of `int (*f(int))(void)` is
//! the name, and that it is a function's. Types are not checked. Nothing here recurses, so
//! that no input is too deep.

use super::beginnings::is_macro;
use super::lexer::{Kind, STEP};
use super::source::{Source, Stop};
use super::words::Word;

/// A struct, union or enum among the specifiers.
#[derive(Clone, Debug)]
pub(super) struct Tagged {
    /// Its keyword.
    pub at: usize,
    pub is_enum: bool,
    pub tag: Option<usize>,
    /// The brackets of its members.
    pub body: Option<(usize, usize)>,
    /// After its body and the attributes that follow.
    pub end: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Specifiers {
    pub from: usize,
    pub to: usize,
    /// Storage classes and `inline`: words that a declaration elsewhere does not have.
    pub storage: Vec<usize>,
    pub is_typedef: bool,
    pub is_extern: bool,
    pub is_constant: bool,
    /// `auto` without a type: the initialiser gives it.
    pub deduced: bool,
    /// It has a type that is known as one.
    pub typed: bool,
    pub tagged: Option<Tagged>,
}

#[derive(Clone, Debug)]
pub(super) struct Declarator {
    pub from: usize,
    /// Before its initialiser or bit width.
    pub to: usize,
    pub name: Option<usize>,
    /// The brackets of the parameters, for a function.
    pub parameters: Option<(usize, usize)>,
    /// The tokens of the initialiser, after the `=`.
    pub initialiser: Option<(usize, usize)>,
}

#[derive(Clone, Debug)]
pub(super) struct Declaration {
    pub specifiers: Specifiers,
    pub declarators: Vec<Declarator>,
    /// The brackets of a function's body.
    pub body: Option<(usize, usize)>,
    /// After its last token.
    pub end: usize,
    /// Its `;` is missing, the input ending there.
    pub unfinished: bool,
}

/// The declaration at `at`. `inner` is one in a struct or a block, where no function has a body.
pub(super) fn declaration(source: &Source, at: usize, inner: bool) -> Result<Declaration, Stop> {
    let specifiers = specifiers(source, at)?;
    let mut declarators = Vec::new();
    let mut at = specifiers.to;
    let mut unfinished = false;
    let mut body = None;
    if source.is(at, b';') {
        return Ok(Declaration { specifiers, declarators, body, end: at + 1, unfinished });
    }
    loop {
        if source.kind(at) == Kind::End && (declarators.is_empty() && specifiers.to > specifiers.from) {
            unfinished = true;
            break;
        }
        let mut one = declarator(source, at, false)?;
        at = one.to;
        if one.name.is_none() && !(inner && source.is(at, b':')) {
            return match source.kind(at) {
                Kind::End => Err(Stop::End { missing: "a name" }),
                _ => source.wrong(at, format!("a name is expected before `{}`", source.text(at))),
            };
        }
        if source.is(at, b'{') && one.parameters.is_some() && declarators.is_empty() && !inner {
            let close = source.partner(at)?;
            body = Some((at, close));
            declarators.push(one);
            at = close + 1;
            break;
        }
        if inner && source.is(at, b':') {
            at = until(source, at + 1)?;
        }
        if source.is(at, b'=') {
            let from = at + 1;
            if source.kind(from) == Kind::End {
                return Err(Stop::End { missing: "an initialiser" });
            }
            at = until(source, from)?;
            one.initialiser = Some((from, at));
        }
        let old_style = one.parameters;
        declarators.push(one);
        match source.kind(at) {
            Kind::Sign(b',') => at += 1,
            Kind::Sign(b';') => {
                at += 1;
                break;
            }
            Kind::End => {
                unfinished = true;
                break;
            }
            Kind::Word(_) if old_style.is_some_and(|parameters| only_names(source, parameters)) => {
                return source.wrong(
                    at,
                    "parameters are declared within the brackets: `int f(int a, int b)` instead of the old \
                     `int f(a, b) int a, b;`",
                );
            }
            _ => {
                return source.wrong(at, format!("`;` is expected before `{}`", short(source.text(at))));
            }
        }
    }
    Ok(Declaration { specifiers, declarators, body, end: at, unfinished })
}

fn short(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

/// Whether the brackets hold nothing but names: `(a, b)`.
fn only_names(source: &Source, (open, close): (usize, usize)) -> bool {
    close > open + 1
        && (open + 1..close).all(|at| match (at - open) % 2 {
            1 => source.is_name(at),
            _ => source.is(at, b','),
        })
}

/// Before the next `,` or `;` outside of brackets.
pub(super) fn until(source: &Source, mut at: usize) -> Result<usize, Stop> {
    loop {
        match source.kind(at) {
            Kind::Sign(b',' | b';') | Kind::End => return Ok(at),
            Kind::Sign(b')' | b']' | b'}') | Kind::Command => return Ok(at),
            _ => at = source.over(at)?,
        }
    }
}

/// The words before the declarators.
pub(super) fn specifiers(source: &Source, from: usize) -> Result<Specifiers, Stop> {
    let mut found = Specifiers { from, ..Specifiers::default() };
    let mut at = from;
    let mut auto = None;
    // A type, be it known as one or not.
    let mut has_type = false;
    loop {
        let word = match source.kind(at) {
            Kind::Word(word) => word,
            Kind::Sign(b'[') if source.attribute(at) => {
                at = source.over(at)?;
                continue;
            }
            _ => break,
        };
        let mut next = at + 1;
        match word {
            Word::Typedef => found.is_typedef = true,
            Word::Extern => {
                found.is_extern = true;
                found.storage.push(at);
                // extern "C"
                if source.kind(next) == Kind::Text {
                    return source.wrong(next, "`extern \"C\"` is C++: leave it out");
                }
            }
            Word::Static | Word::Inline | Word::Register => found.storage.push(at),
            Word::Auto => {
                auto = Some(at);
                found.storage.push(at);
            }
            Word::Constexpr => found.is_constant = true,
            Word::ThreadLocal | Word::Qualifier | Word::Extension => {}
            Word::Type => (has_type, found.typed) = (true, true),
            Word::Typeof | Word::Atomic => {
                let after = source.over_arguments(next)?;
                (has_type, found.typed) = (has_type | (after > next), found.typed | (after > next));
                next = after;
            }
            Word::Attribute => next = source.over_arguments(next)?,
            Word::Struct | Word::Enum => {
                let tagged = tagged(source, at)?;
                next = tagged.end;
                found.tagged = Some(tagged);
                (has_type, found.typed) = (true, true);
            }
            Word::Name if !has_type => {
                let macros = match source.kind(next) {
                    Kind::Word(Word::Name) => !source.is_type(at) && takes_name(source, next),
                    Kind::Word(_) if source.is_type(at) => false,
                    Kind::Word(word) => word.declares() && word != Word::Qualifier,
                    _ => false,
                };
                let deduced = auto.is_some() && !source.is_type(at);
                let declarator =
                    matches!(source.kind(next), Kind::Sign(b'=' | b';' | b',' | b'[' | b'(') | Kind::End);
                if deduced || (declarator && !source.is_type(at)) {
                    break;
                }
                if !macros {
                    has_type = true;
                    found.typed |= source.is_type(at);
                }
            }
            // A macro after the type: `void API f(void)`.
            Word::Name if source.is_name(next) || source.is(next, b'*') => {
                if source.is_name(next)
                    && source.token(next).first
                    && found.to == 0
                    && !is_macro(source.text(at))
                {
                    break;
                }
            }
            _ => break,
        }
        at = next;
    }
    found.to = at;
    found.deduced = auto.is_some() && !has_type;
    Ok(found)
}

/// Whether the name at `at` is followed by a name, so that what stands before it is a macro.
fn takes_name(source: &Source, at: usize) -> bool {
    source.is_type(at) || source.is_name(at + 1) || source.is(at + 1, b'*')
}

/// The struct, union or enum at `at`.
fn tagged(source: &Source, at: usize) -> Result<Tagged, Stop> {
    let is_enum = source.word(at) == Some(Word::Enum);
    let mut next = source.over_attributes(at + 1)?;
    let mut tag = source.is_name(next).then_some(next);
    // `struct PACKED p {`
    if tag.is_some() && source.is_name(next + 1) && source.is(next + 2, b'{') {
        next += 1;
        tag = Some(next);
    }
    next += usize::from(tag.is_some());
    if is_enum && source.is(next, b':') {
        next += 1;
        while matches!(source.word(next), Some(Word::Type | Word::Qualifier | Word::Name | Word::Typeof)) {
            next = source.over_arguments(next + 1)?;
        }
    }
    let mut body = None;
    if source.is(next, b'{') {
        let close = source.partner(next)?;
        body = Some((next, close));
        next = source.over_attributes(close + 1)?;
    } else if tag.is_none() {
        return match source.kind(next) {
            Kind::End => Err(Stop::End { missing: "a tag or `{`" }),
            _ => {
                source.wrong(next, format!("a tag or `{{` is expected before `{}`", short(source.text(next))))
            }
        };
    }
    Ok(Tagged { at, is_enum, tag, body, end: next })
}

/// The declarator at `at`, with what may follow it before `=`, `,`, `;` or `{`. `in_parameters`
/// allows for one without a name.
pub(super) fn declarator(source: &Source, from: usize, in_parameters: bool) -> Result<Declarator, Stop> {
    let mut at = from;
    // For each bracket that is open: its partner, and whether a pointer stands in it.
    let mut levels: Vec<(usize, bool)> = Vec::new();
    let mut pointer = false;
    let mut name = None;
    loop {
        match source.kind(at) {
            Kind::Sign(b'*') => {
                pointer = true;
                at += 1;
            }
            // `^` of clang's blocks is not C; `&` a slip that the compiler explains.
            Kind::Word(Word::Qualifier | Word::Atomic | Word::Extension) => at += 1,
            Kind::Word(Word::Attribute) => at = source.over_arguments(at + 1)?,
            Kind::Sign(b'[') if source.attribute(at) => at = source.over(at)?,
            Kind::Word(Word::Name) => {
                // A macro before the name: `(WINAPI *f)(int)`.
                if source.is_name(at + 1) || (source.is(at + 1, b'*') && !levels.is_empty()) {
                    at += 1;
                    continue;
                }
                name = Some(at);
                at += 1;
                break;
            }
            Kind::Sign(b'(') => {
                if in_parameters && begins_parameters(source, at + 1) {
                    break;
                }
                levels.push((source.partner(at)?, pointer));
                pointer = false;
                at += 1;
            }
            _ => break,
        }
    }
    // Outwards from the name.
    let mut parameters = None;
    let mut decided = false;
    loop {
        match source.kind(at) {
            Kind::Sign(b'(') => {
                let close = source.partner(at)?;
                if !decided {
                    parameters = Some((at, close));
                }
                decided = true;
                at = close + 1;
            }
            Kind::Sign(b'[') => {
                decided |= !source.attribute(at);
                at = source.over(at)?;
            }
            Kind::Sign(b')') if levels.last().is_some_and(|&(close, _)| close == at) => {
                decided |= pointer;
                pointer = levels.pop().is_some_and(|(_, pointer)| pointer);
                at += 1;
            }
            Kind::Word(Word::Attribute | Word::Asm) => at = source.over_arguments(at + 1)?,
            // A macro in place of an attribute: `void f(void) NOTHROW;`
            Kind::Word(Word::Name) if name.is_some() && levels.is_empty() && trails(source, at)? => {
                at = source.over_arguments(at + 1)?;
            }
            _ => break,
        }
    }
    if let Some(&(close, _)) = levels.last() {
        return source.wrong(at.min(close), "a declarator cannot be read up to its `)`");
    }
    let parameters = parameters.filter(|_| name.is_some());
    Ok(Declarator { from, to: at, name, parameters, initialiser: None })
}

/// Whether a name after a declarator can be a macro: another such, or an end, must follow.
fn trails(source: &Source, at: usize) -> Result<bool, Stop> {
    if source.is_type(at) || source.token(at).first && !is_macro(source.text(at)) {
        return Ok(false);
    }
    let next = source.over_arguments(at + 1)?;
    Ok(match source.kind(next) {
        Kind::Sign(b';' | b'{' | b',' | b'=') | Kind::End => true,
        Kind::Word(Word::Attribute) => true,
        Kind::Word(Word::Name) => is_macro(source.text(at)),
        _ => false,
    })
}

/// Whether what follows a `(` are parameters rather than a declarator.
fn begins_parameters(source: &Source, at: usize) -> bool {
    match source.kind(at) {
        Kind::Sign(b')') => true,
        Kind::Word(word) => word.declares() || source.is_type(at),
        _ => false,
    }
}

/// Whether `kind` can be the last token of an operand.
pub(super) fn ends_operand(kind: Kind) -> bool {
    match kind {
        Kind::Word(word) => word == Word::Name || matches!(word, Word::Type | Word::Leave),
        Kind::Number | Kind::Text | Kind::Char => true,
        Kind::Sign(sign) => matches!(sign, b')' | b']' | b'}' | STEP),
        Kind::Command | Kind::End => false,
    }
}
