//! One declaration taken apart: the type that it defines and each declarator become items.
//!
//! Owns how the parts are spelled: what stays of the specifiers, and what others are told.

use std::ops::Range;

use super::declarators::{Declaration, Declarator, Tagged};
use super::items::{enumerators, nested};
use super::source::Source;
use super::words::Word;
use super::{Item, Kind, Name, Space, uses};

/// Adds the items of `one` to `items`. `whole` has the text and line of all of it.
pub(super) fn items(source: &Source, one: &Declaration, whole: Item, items: &mut Vec<Item>) {
    let specifiers = &one.specifiers;
    let tagged = specifiers.tagged.as_ref();
    let mut types = Vec::new();
    if let Some(tagged) = tagged {
        defined(source, tagged, &mut types);
    }
    let typed = specifiers.is_typedef || specifiers.is_constant;
    if typed || one.declarators.is_empty() {
        let mut item = whole;
        item.kind = match tagged {
            // `struct s;`
            Some(tagged) if one.declarators.is_empty() && tagged.body.is_none() => Kind::Prototype,
            _ => Kind::Type,
        };
        item.defines = types;
        if let (Kind::Prototype, Some(tag)) = (item.kind, tagged.and_then(|tagged| tagged.tag)) {
            item.defines.push(Name::tag(source.text(tag)));
        }
        item.defines.extend(
            one.declarators.iter().filter_map(|one| one.name).map(|at| Name::ordinary(source.text(at))),
        );
        finish(&mut item, one.unfinished);
        mention(source, &[specifiers.from..specifiers.to, specifiers.to..one.end], &mut item);
        items.push(item);
        return;
    }
    // A body without a tag cannot be said twice: such a declaration stays in one piece.
    let apart = tagged.filter(|tagged| tagged.body.is_some() && tagged.tag.is_some());
    let nameless = tagged.is_some_and(|tagged| tagged.body.is_some() && tagged.tag.is_none());
    if apart.is_none() && (nameless || one.declarators.len() == 1) {
        items.push(in_one_piece(source, one, whole, types));
        return;
    }
    let text = &source.lexed.text;
    let start = source.token(specifiers.from).start as usize;
    let end = source.token(one.end - 1).end as usize;
    // The comments before and after it.
    let lead = whole.text.find(&text[start..end]).map_or("", |length| &whole.text[..length]).to_owned();
    let newlines = |from: usize, to: usize| text[from..to].matches('\n').count();
    let first_line = whole.line + lead.matches('\n').count();
    let mut lead = Some((lead, whole.line));
    if let Some(tagged) = apart {
        let at = source.token(tagged.at).start as usize;
        let (comments, line) = lead.take().unwrap_or_default();
        let mut item = Item {
            kind: Kind::Type,
            text: format!("{comments}{};", source.slice(tagged.at, tagged.end)),
            line: line + newlines(start, at),
            defines: types,
            ..whole.clone()
        };
        mention(source, std::slice::from_ref(&(tagged.at..tagged.end)), &mut item);
        items.push(item);
    }
    let spelled = Spelled::of(source, one);
    for declarator in &one.declarators {
        let from = source.token(declarator.from).start as usize;
        let to = declarator.initialiser.map_or(declarator.to, |(_, to)| to);
        let (comments, line) = lead.take().unwrap_or((String::new(), first_line + newlines(start, from)));
        let head = format!("{comments}{} ", spelled.specifiers);
        let base = head.len();
        let mut item = Item { line, text: head, ..whole.clone() };
        item.text.push_str(source.slice(declarator.from, to));
        let within = |at: usize| base + source.token(at).start as usize - from;
        match one.body {
            Some((open, close)) => {
                item.text.truncate(base);
                item.text.push_str(source.slice(declarator.from, close + 1));
                debug_assert!(open > declarator.from);
            }
            None => item.text.push(';'),
        }
        item.name = declarator.name.map(|at| within(at)..within(at) + source.text(at).len());
        item.initialiser =
            declarator.initialiser.map(|(from, to)| within(from)..within(to - 1) + source.text(to - 1).len());
        item.storage = spelled
            .storage
            .iter()
            .map(|range| range.start + comments.len()..range.end + comments.len())
            .collect();
        describe(source, one, declarator, &spelled, &mut item);
        items.push(item);
    }
}

/// A declaration of one declarator, or of several that cannot be told apart.
fn in_one_piece(source: &Source, one: &Declaration, whole: Item, types: Vec<Name>) -> Item {
    let mut item = whole;
    let enumerators = types.len();
    item.defines = types;
    let declarator = &one.declarators[0];
    let start = source.token(one.specifiers.from).start as usize;
    let end = source.token(one.end - 1).end as usize;
    let base = item.text.find(&source.lexed.text[start..end]).unwrap_or(0);
    let range = |from: usize, to: usize| {
        base + source.token(from).start as usize - start..base + source.token(to - 1).end as usize - start
    };
    item.name = declarator.name.map(|at| range(at, at + 1));
    item.initialiser =
        declarator.initialiser.map(|(from, to)| range(from, to)).filter(|_| one.declarators.len() == 1);
    item.storage = one.specifiers.storage.iter().map(|&at| range(at, at + 1)).collect();
    finish(&mut item, one.unfinished);
    let spelled = Spelled::of(source, one);
    for declarator in &one.declarators {
        describe(source, one, declarator, &spelled, &mut item);
    }
    // What it is called comes first.
    item.defines.rotate_left(enumerators);
    if one.declarators.len() > 1 {
        // Said together: the body can stand only once.
        let all: Vec<String> =
            one.declarators.iter().map(|one| collapsed(source, one.from, one.to, &[])).collect();
        item.declaration = Some(format!("extern {} {};", spelled.plain, all.join(", ")));
    }
    item
}

/// Adds the `;` that the end of the input has spared.
fn finish(item: &mut Item, unfinished: bool) {
    if unfinished {
        item.text.push(';');
    }
}

/// Kind, names and declaration of `declarator` for `item`.
fn describe(source: &Source, one: &Declaration, declarator: &Declarator, spelled: &Spelled, item: &mut Item) {
    let bare = collapsed(source, declarator.from, declarator.to, &[]);
    let name = declarator.name.map_or("", |at| source.text(at));
    item.kind = match (declarator.parameters, one.body) {
        (_, Some(_)) => Kind::Function,
        (Some(_), None) => Kind::Prototype,
        (None, None) if one.specifiers.is_extern && declarator.initialiser.is_none() => Kind::Prototype,
        (None, None) => Kind::Variable,
    };
    item.defines.push(Name::ordinary(name));
    item.declaration = Some(match (declarator.parameters, declarator.initialiser) {
        (Some(_), _) => format!("{} {bare};", spelled.plain),
        (None, Some((from, to))) if one.specifiers.deduced => {
            // What the compiler makes of `auto`: the value, not the array or function.
            let value = collapsed(source, from, to, &[]);
            format!("extern {} __typeof__(((void)0, {value})) {bare};", spelled.plain).replace("  ", " ")
        }
        (None, _) => format!("extern {} {bare};", spelled.plain),
    });
    let specifiers = one.specifiers.from..one.specifiers.to;
    let to =
        one.body.map_or(declarator.initialiser.map_or(declarator.to, |(_, to)| to), |(_, close)| close + 1);
    mention(source, &[specifiers, declarator.from..to], item);
}

/// The names that the tokens of `parts` mention.
fn mention(source: &Source, parts: &[Range<usize>], item: &mut Item) {
    let mut found = std::mem::take(&mut item.uses);
    let mut found_one = |space, text: &str| {
        if !item.defines.iter().any(|own| own.space == space && own.text == text) {
            found.insert(Name { space, text: text.to_owned() });
        }
    };
    parts.iter().for_each(|part| uses::names(source, part.start, part.end, &mut found_one));
    // A function that calls itself, a struct that points to itself.
    found.retain(|name| !item.defines.contains(name));
    item.uses = found;
}

/// The specifiers as they are said again.
struct Spelled {
    /// Without the body of a struct that has a tag.
    specifiers: String,
    storage: Vec<Range<usize>>,
    /// Without storage classes and `inline` as well.
    plain: String,
}

impl Spelled {
    fn of(source: &Source, one: &Declaration) -> Self {
        let specifiers = &one.specifiers;
        let mut left_out = Vec::new();
        if let Some(Tagged { tag: Some(tag), body: Some(_), end, .. }) = specifiers.tagged {
            left_out.push(tag + 1..end);
        }
        let mut text = collapsed(source, specifiers.from, specifiers.to, &left_out);
        let mut storage = Vec::new();
        // Only words before and after the type are storage classes, one token each.
        let mut from = 0;
        for &at in &specifiers.storage {
            if let Some(found) = find_word(&text, source.text(at), from) {
                storage.push(found..found + source.text(at).len());
                from = found + 1;
            }
        }
        left_out.extend(specifiers.storage.iter().map(|&at| at..at + 1));
        left_out.sort_by_key(|range| range.start);
        let plain = collapsed(source, specifiers.from, specifiers.to, &left_out);
        if text.is_empty() {
            text = plain.clone();
        }
        Self { specifiers: text, storage, plain }
    }
}

/// Where `word` stands by itself in `text`, from `from` on.
fn find_word(text: &str, word: &str, from: usize) -> Option<usize> {
    let part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    text[from..].match_indices(word).map(|(at, _)| at + from).find(|&at| {
        let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
        !part(before) && !part(text.as_bytes().get(at + word.len()))
    })
}

/// The tokens `from..to` without those of `left_out`, on one line, with one space where there was
/// any. Directives between them keep their lines.
fn collapsed(source: &Source, from: usize, to: usize, left_out: &[Range<usize>]) -> String {
    if source.directed(from, to) && left_out.is_empty() {
        return source.slice(from, to).to_owned();
    }
    let mut text = String::new();
    let mut left_out = left_out.iter().peekable();
    let mut end = None;
    for at in from..to {
        while left_out.peek().is_some_and(|range| range.end <= at) {
            left_out.next();
        }
        let token = source.token(at);
        if left_out.peek().is_some_and(|range| range.contains(&at)) {
            end = end.map(|_| 0);
            continue;
        }
        if end.is_some_and(|end| end != token.start) {
            text.push(' ');
        }
        text.push_str(source.text(at));
        end = Some(token.end);
    }
    text
}

/// The names that a struct, union or enum with a body introduces.
fn defined(source: &Source, tagged: &Tagged, into: &mut Vec<Name>) {
    let Some(body) = tagged.body else { return };
    if let Some(tag) = tagged.tag {
        into.push(Name { space: Space::Tag, text: source.text(tag).to_owned() });
    }
    if source.word(tagged.at) == Some(Word::Enum) {
        into.extend(enumerators(source, body).map(|at| Name::ordinary(source.text(at))));
    } else {
        nested(source, body, &mut |name| into.push(name));
    }
}
