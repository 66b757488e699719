//! An input split into its items.
//!
//! Owns what becomes an item of its own: every declarator of a declaration, the type that is
//! defined within one. What each of them declares to others is put together in `split`.

use super::beginnings::declares;
use super::declarators::declaration;
use super::lexer::{Apart, Between, Kind as Token};
use super::source::{Source, Stop};
use super::words::Word;
use super::{Item, Kind, Known, Name, Space, Trouble, directives, statements, uses};

/// The items of `input`, in order.
///
/// # Errors
///
/// A [`Trouble`] for what cannot be C by its brackets, quotes and separators, and for what the
/// REPL does not take. Everything else is left to the compiler.
pub fn parse(input: &str, known: &dyn Known) -> Result<Vec<Item>, Trouble> {
    let mut source = Source::new(input, known);
    if let Some(wrong) = source.lexed.wrong.take() {
        return Err(Trouble::at(input, wrong.at, wrong.message));
    }
    if let Some((open, at)) = source.lexed.open {
        use super::lexer::Open;
        let message = match open {
            Open::Comment => "this comment has no end".to_owned(),
            Open::Line => "the input ends in the middle of a line that goes on".to_owned(),
            Open::Condition => "this #if has no #endif".to_owned(),
            Open::Bracket => format!("this `{}` is not closed", &input[at..at + 1]),
        };
        return Err(Trouble::at(input, at, message));
    }
    let mut walk = Walk::default();
    walk.run(&mut source).map_err(|stop| source.trouble(stop))?;
    Ok(walk.items)
}

/// What the walk over an input has found.
#[derive(Default)]
pub(super) struct Walk {
    pub items: Vec<Item>,
    /// The end, in `between`, of the part that belongs to items already.
    next: usize,
    /// The input ends in an `if` that may get an `else` yet.
    pub may_go_on: bool,
    /// The last declaration has no `;`, and whether its type is known.
    pub unfinished: Option<bool>,
    /// Where the text of the last item ends.
    end: usize,
    line: Lines,
}

/// Counts lines forwards.
#[derive(Default)]
struct Lines {
    at: usize,
    line: usize,
}

impl Lines {
    fn of(&mut self, text: &str, at: usize) -> usize {
        if at < self.at {
            *self = Self::default();
        }
        self.line += memchr::memchr_iter(b'\n', &text.as_bytes()[self.at..at]).count();
        self.at = at;
        self.line + 1
    }
}

impl Walk {
    pub fn run(&mut self, source: &mut Source) -> Result<(), Stop> {
        let mut at = 0;
        while at < source.len() || self.next < source.lexed.between.len() {
            let mut lead = None;
            // What stands before the next token.
            while let Some(&between) =
                source.lexed.between.get(self.next).filter(|one| one.before as usize <= at)
            {
                match between.what {
                    Apart::Comment => {
                        let inner = (between.start as usize) < self.end;
                        if !inner && !self.trails(source, between) {
                            lead = lead.or(Some(between.start as usize));
                        }
                        self.next += 1;
                    }
                    // Within an item.
                    _ if (between.start as usize) < self.end => self.next += 1,
                    Apart::Branch => self.next += 1,
                    Apart::Directive => {
                        let line = &source.lexed.text[between.start as usize..between.end as usize];
                        self.directive(source, line, lead.take(), between, between.end as usize);
                        self.next += 1;
                    }
                    Apart::If(end) => {
                        let Some(end) = end else { break };
                        at = self.group(source, end as usize, lead.take(), at)?;
                    }
                }
            }
            if at >= source.len() {
                break;
            }
            at = self.item(source, at, lead)?;
        }
        Ok(())
    }

    /// Whether a comment belongs to the item before it, on whose line it is; it is taken then.
    fn trails(&mut self, source: &Source, comment: Between) -> bool {
        let text = source.lexed.text;
        let Some(gap) = text.get(self.end..comment.start as usize) else { return false };
        let Some(last) = self.items.last_mut() else { return false };
        let bare = matches!(last.kind, Kind::Statement | Kind::Expression | Kind::Command);
        if gap.contains('\n') || bare {
            return bare && !gap.contains('\n');
        }
        last.text.push_str(gap);
        last.text.push_str(&text[comment.start as usize..comment.end as usize]);
        self.end = comment.end as usize;
        true
    }

    fn directive(&mut self, source: &Source, line: &str, lead: Option<usize>, from: Between, end: usize) {
        let start = lead.unwrap_or(from.start as usize);
        let mut item = self.new_item(source, Kind::Directive, start, end);
        item.defines.extend(directives::defined(line).map(Name::ordinary));
        item.uses.extend(directives::used(line));
        self.items.push(item);
    }

    /// An `#if` up to its `#endif` at `end` in the list. The next token is what is returned.
    fn group(
        &mut self,
        source: &mut Source,
        end: usize,
        lead: Option<usize>,
        at: usize,
    ) -> Result<usize, Stop> {
        let text = source.lexed.text;
        let (first, last) = (source.lexed.between[self.next], source.lexed.between[end]);
        let line = &text[first.start as usize..first.end as usize];
        let to = last.before as usize;
        let (start, stop) = (lead.unwrap_or(first.start as usize), last.end as usize);
        let mut group = self.new_item(source, Kind::Directive, start, stop);
        // What is in the branch that is read.
        let mut inner = Walk { next: self.next + 1, end: first.end as usize, ..Walk::default() };
        let mut next = at;
        while next < to || inner.next < end {
            let between = source.lexed.between.get(inner.next).copied().filter(|_| inner.next < end);
            match between.filter(|one| one.before as usize <= next) {
                Some(between) => {
                    if between.what == Apart::Directive && between.start as usize >= inner.end {
                        let line = &text[between.start as usize..between.end as usize];
                        inner.directive(source, line, None, between, between.end as usize);
                        inner.end = between.end as usize;
                    }
                    inner.next += 1;
                }
                None => next = inner.item(source, next, None)?,
            }
        }
        self.next = end + 1;
        self.end = stop;
        let (name, condition) = directives::split(line);
        group.uses.extend(directives::used(&format!("#{name} {condition}")));
        for item in inner.items {
            if !matches!(item.kind, Kind::Directive | Kind::Type | Kind::Prototype) {
                return Err(Stop::Wrong {
                    at: first.start as usize,
                    message:
                        "code between #if and #endif cannot be chosen here: enter the branch that you mean, \
                              or put the #if into a function"
                            .to_owned(),
                });
            }
            group.defines.extend(item.defines);
            group.uses.extend(item.uses);
        }
        self.items.push(group);
        Ok(next.max(to))
    }

    /// The item at the token `at`; the token after it is what is returned.
    fn item(&mut self, source: &mut Source, at: usize, lead: Option<usize>) -> Result<usize, Stop> {
        self.may_go_on = false;
        self.unfinished = None;
        let start = source.token(at).start as usize;
        if source.kind(at) == Token::Command {
            let item = self.new_item(source, Kind::Command, start, source.token(at).end as usize);
            self.items.push(item);
            return Ok(at + 1);
        }
        if source.is(at, b';') {
            self.end = start + 1;
            return Ok(at + 1);
        }
        if statements::leads(source, at)? {
            let (end, may_go_on) = statements::statement(source, at)?;
            self.may_go_on = may_go_on;
            self.run_item(source, Kind::Statement, at, end);
            return Ok(end);
        }
        if declares(source, at)? {
            return self.declaration(source, at, lead);
        }
        let ended = statements::expression(source, at)?;
        let kind = if ended.semicolon { Kind::Statement } else { Kind::Expression };
        self.run_item(source, kind, at, ended.at);
        Ok(ended.at)
    }

    /// Something to run, of the tokens `from..to`.
    fn run_item(&mut self, source: &Source, kind: Kind, from: usize, to: usize) {
        let (start, end) = (source.token(from).start as usize, source.token(to - 1).end as usize);
        let mut item = self.new_item(source, kind, start, end);
        uses::names(source, from, to, &mut |space, text| {
            item.uses.insert(Name { space, text: text.to_owned() });
        });
        self.items.push(item);
    }

    fn declaration(&mut self, source: &mut Source, at: usize, lead: Option<usize>) -> Result<usize, Stop> {
        let one = declaration(source, at, false)?;
        if one.unfinished {
            self.unfinished = Some(one.specifiers.typed);
        }
        let start = lead.unwrap_or(source.token(at).start as usize);
        let end = source.token(one.end - 1).end as usize;
        let whole = self.new_item(source, Kind::Variable, start, end);
        super::split::items(source, &one, whole, &mut self.items);
        for name in one.declarators.iter().filter_map(|one| one.name) {
            source.declare(source.text(name), one.specifiers.is_typedef);
        }
        Ok(one.end)
    }

    /// An item with the text `start..end`.
    fn new_item(&mut self, source: &Source, kind: Kind, start: usize, end: usize) -> Item {
        let text = source.lexed.text;
        self.end = end;
        Item {
            kind,
            text: text[start..end].to_owned(),
            line: self.line.of(text, start),
            defines: Vec::new(),
            uses: std::collections::BTreeSet::new(),
            declaration: None,
            name: None,
            initialiser: None,
            storage: Vec::new(),
        }
    }
}

/// The names of the enumerators between the brackets of an enum.
pub(super) fn enumerators<'s>(
    source: &'s Source,
    (open, close): (usize, usize),
) -> impl Iterator<Item = usize> + 's {
    let mut at = open + 1;
    std::iter::from_fn(move || {
        while at < close {
            let here = at;
            let next = super::declarators::until(source, at).unwrap_or(close).max(here);
            at = next + 1;
            if source.is_name(here) {
                return Some(here);
            }
        }
        None
    })
}

/// The tags and enumerators that the body of a struct introduces at file scope.
pub(super) fn nested(source: &Source, (open, close): (usize, usize), into: &mut dyn FnMut(Name)) {
    let mut enums = Vec::new();
    for at in open + 1..close {
        let Some(Word::Struct | Word::Enum) = source.word(at) else { continue };
        let Ok(mut next) = source.over_attributes(at + 1) else { continue };
        let tag = source.is_name(next).then(|| source.text(next));
        next += usize::from(tag.is_some());
        let is_enum = source.word(at) == Some(Word::Enum);
        if is_enum && source.is(next, b':') {
            next = (next..close).find(|&at| source.is(at, b'{') || source.is(at, b';')).unwrap_or(close);
        }
        if source.is(next, b'{') {
            if let Some(tag) = tag {
                into(Name { space: Space::Tag, text: tag.to_owned() });
            }
            if let (true, Ok(close)) = (is_enum, source.partner(next)) {
                enums.push((next, close));
            }
        }
    }
    for body in enums {
        for at in enumerators(source, body) {
            into(Name::ordinary(source.text(at)));
        }
    }
}
