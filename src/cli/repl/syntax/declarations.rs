//! Declarations: which items one is, which names they introduce.
//!
//! Owns specifiers and declarators. A declaration of several variables becomes an item for each, and
//! a type that is defined on the way an item of its own.

use std::collections::BTreeSet;

use super::{Item, Kind, Known, Name, Space, partner, uses};
use crate::cli::repl::tokens::{self, Token};

const STORAGE: &[&str] =
    &["static", "extern", "inline", "__inline", "__inline__", "register", "auto", "_Noreturn"];
const QUALIFIERS: &[&str] = &[
    "const",
    "volatile",
    "restrict",
    "__restrict",
    "__restrict__",
    "__const",
    "__volatile__",
    "__extension__",
    "_Thread_local",
    "__thread",
    "thread_local",
    "_Nullable",
    "_Nonnull",
];
const TYPES: &[&str] = &[
    "void",
    "char",
    "short",
    "int",
    "long",
    "float",
    "double",
    "signed",
    "unsigned",
    "_Bool",
    "bool",
    "_Complex",
    "__int128",
    "__signed__",
    "_Float16",
    "_Float32",
    "_Float64",
    "_Float128",
    "_Float32x",
    "_Float64x",
    "__float128",
    "__builtin_va_list",
    "__auto_type",
    "_BitInt",
];
const TAGGED: &[&str] = &["struct", "union", "enum"];
/// With an argument in brackets.
const WITH_ARGUMENT: &[&str] = &[
    "typeof",
    "__typeof__",
    "__typeof",
    "typeof_unqual",
    "__typeof_unqual__",
    "_Atomic",
    "_Alignas",
    "alignas",
];
const ATTRIBUTES: &[&str] = &["__attribute__", "__attribute", "__declspec", "__asm__", "asm", "__asm"];
const OTHERS: &[&str] = &[
    "typedef",
    "if",
    "else",
    "for",
    "while",
    "do",
    "switch",
    "case",
    "default",
    "break",
    "continue",
    "return",
    "goto",
    "sizeof",
    "_Alignof",
    "alignof",
    "__alignof__",
    "_Generic",
    "_Static_assert",
    "static_assert",
    "nullptr",
    "true",
    "false",
];

/// Whether a word is C's own.
pub fn is_keyword(word: &str) -> bool {
    [STORAGE, QUALIFIERS, TYPES, TAGGED, WITH_ARGUMENT, ATTRIBUTES, OTHERS]
        .iter()
        .any(|all| all.contains(&word))
}

/// Whether these are the beginning of a declaration.
pub fn begins(tokens: &[Token<'_>], known: &dyn Known) -> bool {
    let Some(first) = tokens.first() else { return false };
    let next = tokens.get(1).map_or("", |token| token.text);
    match first.text {
        "typedef" | "_Static_assert" | "static_assert" => true,
        word if [STORAGE, QUALIFIERS, TYPES, TAGGED, WITH_ARGUMENT].iter().any(|all| all.contains(&word)) => {
            true
        }
        "__attribute__" | "__asm__" | "asm" => next == "(",
        word if is_keyword(word) || !first.is_word() => false,
        word => {
            let is_name = tokens.get(1).is_some_and(|token| token.is_word() && !OTHERS.contains(&token.text));
            // `T` alone is no declaration, nor is `T * 2`.
            is_name || known.is_type(word) && pointer_to_name(&tokens[1..])
        }
    }
}

fn pointer_to_name(tokens: &[Token<'_>]) -> bool {
    let rest = tokens.iter().skip_while(|token| matches!(token.text, "*" | "(" | "^"));
    rest.take(1).any(|token| token.is_word())
        && matches!(tokens.first().map(|token| token.text), Some("*" | "("))
}

/// A declaration, taken apart.
struct Parts<'t> {
    tokens: Vec<Token<'t>>,
    /// How many are specifiers.
    specifiers: usize,
    /// The declarators, each with its initialiser.
    declarators: Vec<std::ops::Range<usize>>,
    /// Where the body of a function begins.
    body: Option<usize>,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Self {
        Self::with(tokens::of(text))
    }

    fn with(tokens: Vec<Token<'t>>) -> Self {
        let specifiers = specifiers(&tokens);
        let mut declarators = Vec::new();
        let mut body = None;
        let (mut from, mut at, mut assigned) = (specifiers, specifiers, false);
        while at < tokens.len() {
            match tokens[at].text {
                ";" => break,
                "," => {
                    declarators.push(from..at);
                    (from, assigned) = (at + 1, false);
                }
                "=" => assigned = true,
                "{" if !assigned => {
                    body = Some(at);
                    break;
                }
                "(" | "[" | "{" => at = partner(&tokens, at).unwrap_or(tokens.len() - 1),
                _ => {}
            }
            at += 1;
        }
        let end = body.unwrap_or(at.min(tokens.len()));
        if from < end {
            declarators.push(from..end);
        }
        Self { tokens, specifiers, declarators, body }
    }

    fn has(&self, word: &str) -> bool {
        self.tokens[..self.specifiers].iter().any(|token| token.depth == 0 && token.text == word)
    }

    /// The braces of a type that is defined here.
    fn braces(&self) -> Option<(usize, usize)> {
        let open =
            (0..self.specifiers).find(|&at| self.tokens[at].depth == 0 && self.tokens[at].text == "{")?;
        Some((open, partner(&self.tokens, open)?))
    }

    /// The name that a declarator introduces, and where it is.
    fn name(&self, declarator: &std::ops::Range<usize>) -> Option<usize> {
        let mut at = declarator.start;
        while at < declarator.end {
            let token = self.tokens[at];
            if ATTRIBUTES.contains(&token.text) && at + 1 < declarator.end {
                at = partner(&self.tokens, at + 1)?;
            } else if token.is_word() && !is_keyword(token.text) {
                return Some(at);
            } else if matches!(token.text, "=" | "[") {
                return None;
            }
            at += 1;
        }
        None
    }

    fn is_function(&self, name: usize) -> bool {
        self.tokens.get(name + 1).is_some_and(|token| token.text == "(")
            || self.tokens.get(name + 1).is_some_and(|token| token.text == ")")
                && self.tokens.get(name + 2).is_some_and(|token| token.text == "(")
                && name.checked_sub(1).is_some_and(|at| self.tokens[at].text == "(")
    }
}

/// How many tokens are specifiers.
fn specifiers(tokens: &[Token<'_>]) -> usize {
    let (mut at, mut is_known) = (0, false);
    while let Some(token) = tokens.get(at) {
        let group = |at: usize| match tokens.get(at) {
            Some(token) if matches!(token.text, "(" | "{") => partner(tokens, at).unwrap_or(tokens.len() - 1),
            _ => at.saturating_sub(1),
        };
        match token.text {
            word if STORAGE.contains(&word) || QUALIFIERS.contains(&word) || word == "typedef" => {}
            word if TYPES.contains(&word) => {
                is_known = true;
                at = if word == "_BitInt" { group(at + 1) } else { at };
            }
            word if TAGGED.contains(&word) => {
                is_known = true;
                while tokens.get(at + 1).is_some_and(|token| ATTRIBUTES.contains(&token.text)) {
                    at = group(at + 2);
                }
                if tokens.get(at + 1).is_some_and(Token::is_word) {
                    at += 1;
                }
                if tokens.get(at + 1).is_some_and(|token| token.text == "{") {
                    at = group(at + 1);
                }
            }
            word if WITH_ARGUMENT.contains(&word) => {
                is_known |= !word.contains("lignas");
                at = group(at + 1);
            }
            word if ATTRIBUTES.contains(&word) => at = group(at + 1),
            _ if token.is_word() && !is_known && !is_keyword(token.text) => is_known = true,
            _ => return at,
        }
        at += 1;
    }
    at.min(tokens.len())
}

fn ordinary(text: &str) -> Name {
    Name { space: Space::Ordinary, text: text.to_owned() }
}

/// The tags and enumerators that are defined in these tokens.
fn defined_inside(tokens: &[Token<'_>]) -> Vec<Name> {
    let mut names = Vec::new();
    for at in 0..tokens.len() {
        if !TAGGED.contains(&tokens[at].text) {
            continue;
        }
        let mut brace = at + 1;
        while tokens.get(brace).is_some_and(|token| ATTRIBUTES.contains(&token.text)) {
            let Some(end) = partner(tokens, (brace + 1).min(tokens.len() - 1)) else { break };
            brace = end + 1;
        }
        let tag = tokens.get(brace).filter(|token| token.is_word());
        brace += usize::from(tag.is_some());
        if tokens.get(brace).is_none_or(|token| token.text != "{") {
            continue;
        }
        names.extend(tag.map(|tag| Name { space: Space::Tag, text: tag.text.to_owned() }));
        if tokens[at].text == "enum" {
            let depth = tokens[brace].depth + 1;
            let end = partner(tokens, brace).unwrap_or(tokens.len());
            let is_enumerator = |at: &usize| {
                let (before, one) = (tokens[at - 1], tokens[*at]);
                one.depth == depth && one.is_word() && matches!(before.text, "{" | ",")
            };
            names.extend((brace + 1..end).filter(is_enumerator).map(|at| ordinary(tokens[at].text)));
        }
    }
    names
}

/// The items that a declaration is.
pub fn items(text: &str, line: usize, _known: &dyn Known) -> Vec<Item> {
    let parts = Parts::of(text);
    let whole = |kind, defines: Vec<Name>| {
        let mut uses = uses(text);
        defines.iter().for_each(|name| _ = uses.remove(name));
        vec![Item { kind, text: text.to_owned(), line, defines, uses, declaration: None }]
    };
    let inside = defined_inside(&parts.tokens[..parts.specifiers]);
    let named = |declarator| parts.name(declarator).map(|at| ordinary(parts.tokens[at].text));
    if parts.has("typedef") {
        return whole(
            Kind::Type,
            inside.into_iter().chain(parts.declarators.iter().filter_map(named)).collect(),
        );
    }
    if parts.declarators.is_empty() || parts.tokens[0].text.ends_with("tatic_assert") {
        return whole(Kind::Type, if inside.is_empty() { announced(&parts) } else { inside });
    }
    if let Some(body) = parts.body {
        let Some(name) = parts.declarators.last().and_then(named) else {
            return whole(Kind::Statement, Vec::new());
        };
        let head = tokens::exported(&text[..parts.tokens[body].at]);
        let mut items = whole(Kind::Function, vec![name]);
        items[0].declaration = Some(head.trim().to_owned() + ";");
        return items;
    }
    let mut items = Vec::new();
    let specifiers = separated(text, line, &parts, inside, &mut items);
    let last = parts.tokens[parts.declarators[0].start].at;
    for declarator in &parts.declarators {
        let Some(name) = parts.name(declarator) else { return whole(Kind::Statement, Vec::new()) };
        let (first, end) = (parts.tokens[declarator.start].at, parts.tokens[declarator.end - 1]);
        let written = &text[first..end.at + end.text.len()];
        let begins = line
            + if declarator.start == parts.declarators[0].start {
                0
            } else {
                text[..first].matches('\n').count()
            };
        let _ = last;
        items.push(declared(&specifiers, written, parts.tokens[name].text, parts.is_function(name), begins));
    }
    items
}

/// `struct s;`
fn announced(parts: &Parts<'_>) -> Vec<Name> {
    let tag = parts.tokens.windows(2).find(|pair| TAGGED.contains(&pair[0].text) && pair[1].is_word());
    tag.map(|pair| Name { space: Space::Tag, text: pair[1].text.to_owned() }).into_iter().collect()
}

/// The specifiers that the variables have, once a type among them is an item of its own.
fn separated(
    text: &str,
    line: usize,
    parts: &Parts<'_>,
    mut inside: Vec<Name>,
    items: &mut Vec<Item>,
) -> String {
    let end = parts.tokens[parts.declarators[0].start].at;
    let Some((open, close)) = parts.braces() else { return text[..end].to_owned() };
    let kind = (0..open).rev().find(|&at| TAGGED.contains(&parts.tokens[at].text)).unwrap_or(0);
    let tag = parts.tokens[kind + 1..open].iter().rev().find(|token| token.depth == 0 && token.is_word());
    let tag = tag.filter(|tag| !ATTRIBUTES.contains(&tag.text)).map(|tag| tag.text.to_owned());
    let (from, braces, to) = (parts.tokens[kind].at, parts.tokens[open].at, parts.tokens[close].at + 1);
    let (head, tag) = match tag {
        Some(tag) => (text[from..braces].to_owned(), tag),
        None => {
            // Others have to be able to name it.
            let first = parts.declarators.first().and_then(|declarator| parts.name(declarator));
            let tag = format!("__{}", first.map_or("anonymous", |at| parts.tokens[at].text));
            inside.insert(0, Name { space: Space::Tag, text: tag.clone() });
            (format!("{}{tag} ", text[from..braces].trim_end().to_owned() + " "), tag)
        }
    };
    let own = format!("{head}{};", &text[braces..to]);
    let mut mentioned = uses(&own);
    inside.iter().for_each(|name| _ = mentioned.remove(name));
    items.push(Item {
        kind: Kind::Type,
        text: own,
        line,
        defines: inside,
        uses: mentioned,
        declaration: None,
    });
    format!("{}{} {tag}{}", &text[..from], parts.tokens[kind].text, &text[to..end])
}

fn declared(specifiers: &str, written: &str, name: &str, is_function: bool, line: usize) -> Item {
    let text = format!("{specifiers}{written};");
    let exported = tokens::exported(&text);
    let initialiser = tokens::initialiser(&exported);
    let is_extern = tokens::mentions(specifiers, "extern") && initialiser.is_none();
    let kind = if is_function || is_extern { Kind::Prototype } else { Kind::Variable };
    let text = match (initialiser, tokens::mentions(specifiers, "__auto_type")) {
        (Some(at), true) => tokens::renamed(
            &text,
            "__auto_type",
            &format!("__typeof__({})", exported[at..].trim().trim_end_matches(';')),
        ),
        _ => text,
    };
    let exported = tokens::exported(&text);
    let end =
        tokens::initialiser(&exported).map_or(exported.trim_end().trim_end_matches(';').len(), |at| at - 1);
    let declaration = format!("extern {};", exported[..end].trim());
    let declaration = (kind == Kind::Variable).then(|| declaration);
    let own = ordinary(name);
    let mut uses: BTreeSet<Name> = uses(&text);
    uses.remove(&own);
    Item { kind, text, line, defines: vec![own], uses, declaration }
}

/// The names that a whole text declares, and whether each is a type.
pub fn names(text: &str, known: &dyn Known) -> Vec<(Name, bool)> {
    let _ = known;
    let tokens = tokens::of(text);
    let mut names = Vec::new();
    let mut from = 0;
    while from < tokens.len() {
        let (mut at, mut assigned) = (from, false);
        let mut end = tokens.len();
        while at < tokens.len() {
            let token = tokens[at];
            match token.text {
                ";" => {
                    end = at + 1;
                    break;
                }
                "=" => assigned = true,
                "{" | "(" | "[" => {
                    let is_body = token.text == "{" && !assigned && at > from && tokens[at - 1].text == ")";
                    at = partner(&tokens, at).unwrap_or(tokens.len() - 1);
                    if is_body {
                        end = at + 1;
                        break;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        let parts = Parts::with(tokens[from..end].to_vec());
        let is_type = parts.has("typedef");
        names.extend(defined_inside(&parts.tokens[..parts.specifiers]).into_iter().map(|name| (name, false)));
        let declared = parts.declarators.iter().filter_map(|declarator| parts.name(declarator));
        names.extend(declared.map(|at| (ordinary(parts.tokens[at].text), is_type)));
        from = end;
    }
    names
}
