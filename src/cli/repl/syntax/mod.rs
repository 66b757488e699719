//! What an input is made of: whether it is complete, its items, what they define and use.
//!
//! Owns the rules by which a text is taken apart. It needs to be right about where items end and
//! which kind each is; whether they are C is for the compiler to say, in better words.

mod declarations;
mod scan;

use std::collections::BTreeSet;

use super::tokens::{self, Token};
use scan::End;

/// C's name spaces, as far as names are known outside of what they are defined in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    Ordinary,
    /// Of structures, unions and enumerations.
    Tag,
}

/// A name in its space.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub space: Space,
    pub text: String,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Directive,
    Type,
    Function,
    Variable,
    Prototype,
    Statement,
    Expression,
    Command,
}

/// A part of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub kind: Kind,
    pub text: String,
    /// Where in the input it begins, from 1.
    pub line: usize,
    /// The names it introduces at file scope.
    pub defines: Vec<Name>,
    /// The names it mentions, at least those that are not its own.
    pub uses: BTreeSet<Name>,
    /// Of a function or variable: what says to others what it is.
    pub declaration: Option<String>,
}

/// What was defined before.
pub trait Known {
    /// Whether the name is that of a type.
    fn is_type(&self, name: &str) -> bool;
}

/// Why an input cannot be taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Whether an input is to be worked on, or more lines belong to it.
pub fn is_complete(input: &str, known: &dyn Known) -> bool {
    if scan::is_open(input) {
        return false;
    }
    let mut types = BTreeSet::new();
    let mut rest = 0;
    while let Some(start) = scan::start(input, rest) {
        let known = Also { known, types: &types };
        let part = scan::part(input, start, &known);
        if part.end == End::Open {
            return false;
        }
        if part.kind == scan::Part::Declaration {
            let items = declarations::items(&input[start..part.at], 1, &known);
            types.extend(typedefs(&items));
        }
        rest = part.at;
    }
    true
}

/// Takes an input apart.
pub fn parse(input: &str, known: &dyn Known) -> Result<Vec<Item>, Trouble> {
    if let Some(at) = scan::unmatched(input) {
        let message = format!("there is nothing for this `{}` to close", &input[at..=at]);
        let (line, column) = position(input, at);
        return Err(Trouble { line, column, message });
    }
    let mut types = BTreeSet::new();
    let mut items = Vec::new();
    let mut rest = 0;
    while let Some(start) = scan::start(input, rest) {
        let known = Also { known, types: &types };
        let part = scan::part(input, start, &known);
        let text = input[start..part.at].trim_end();
        let line = position(input, start).0;
        let found = match part.kind {
            scan::Part::Command => vec![plain(Kind::Command, text, line)],
            scan::Part::Directive => vec![directive(text, line)],
            scan::Part::Declaration => declarations::items(text, line, &known),
            scan::Part::Code if text.trim_matches(|c: char| c == ';' || c.is_whitespace()).is_empty() => {
                Vec::new()
            }
            scan::Part::Code => {
                let kind = if part.end == End::Bare { Kind::Expression } else { Kind::Statement };
                vec![plain(kind, text, line)]
            }
        };
        types.extend(typedefs(&found));
        items.extend(found);
        rest = part.at;
    }
    Ok(items)
}

/// What a text declares, and whether each name is that of a type: for headers.
pub fn names_declared(text: &str, known: &dyn Known) -> Vec<(Name, bool)> {
    declarations::names(text, known)
}

struct Also<'a> {
    known: &'a dyn Known,
    types: &'a BTreeSet<String>,
}

impl Known for Also<'_> {
    fn is_type(&self, name: &str) -> bool {
        self.types.contains(name) || self.known.is_type(name)
    }
}

fn typedefs(items: &[Item]) -> impl Iterator<Item = String> + '_ {
    let is_typedef = |item: &&Item| item.kind == Kind::Type && tokens::mentions(&item.text, "typedef");
    let names = items.iter().filter(is_typedef).flat_map(|item| &item.defines);
    names.filter(|name| name.space == Space::Ordinary).map(|name| name.text.clone())
}

fn plain(kind: Kind, text: &str, line: usize) -> Item {
    let uses = if kind == Kind::Command { BTreeSet::new() } else { uses(text) };
    Item { kind, text: text.to_owned(), line, defines: Vec::new(), uses, declaration: None }
}

fn directive(text: &str, line: usize) -> Item {
    let mut item = plain(Kind::Directive, text, line);
    let tokens = tokens::of(text);
    if let [_, word, name, ..] = &tokens[..]
        && matches!(word.text, "define" | "undef")
    {
        let name = Name { space: Space::Ordinary, text: name.text.to_owned() };
        item.uses.remove(&name);
        item.defines.push(name);
    } else {
        item.uses.clear();
    }
    item
}

/// The names that a text mentions, without those of fields.
fn uses(text: &str) -> BTreeSet<Name> {
    let tokens = tokens::of(text);
    let name = |at: usize| {
        let token = tokens[at];
        let before = |back: usize| at.checked_sub(back).map_or("", |at| tokens[at].text);
        let is_field = before(1) == "." || before(1) == ">" && before(2) == "-";
        if !token.is_word() || declarations::is_keyword(token.text) || is_field {
            return None;
        }
        let is_tag = matches!(before(1), "struct" | "union" | "enum");
        let space = if is_tag { Space::Tag } else { Space::Ordinary };
        Some(Name { space, text: token.text.to_owned() })
    };
    (0..tokens.len()).filter_map(name).collect()
}

/// Line and column, from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, at - line + 1)
}

/// Where a bracket's partner is.
fn partner(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let depth = tokens[open].depth;
    (open + 1..tokens.len())
        .find(|&at| tokens[at].depth == depth && matches!(tokens[at].text, ")" | "]" | "}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Types(&'static [&'static str]);

    impl Known for Types {
        fn is_type(&self, name: &str) -> bool {
            self.0.contains(&name)
        }
    }

    fn kinds(input: &str) -> Vec<(Kind, String)> {
        let items = parse(input, &Types(&["FILE", "T"])).unwrap();
        items.into_iter().map(|item| (item.kind, item.text)).collect()
    }

    fn told(input: &str) -> String {
        kinds(input).into_iter().map(|(kind, text)| format!("{kind:?} {text}\n")).collect()
    }

    #[test]
    fn an_input_is_taken_apart() {
        assert_eq!(told("1 + 1"), "Expression 1 + 1\n");
        assert_eq!(told("x = 3;"), "Statement x = 3;\n");
        assert_eq!(told("f(2); g(3)"), "Statement f(2);\nExpression g(3)\n");
        assert_eq!(
            told("int sq(int x) { return x * x; } sq(7)"),
            "Function int sq(int x) { return x * x; }\nExpression sq(7)\n"
        );
        assert_eq!(told("int a, *b = &a;"), "Variable int a;\nVariable int *b = &a;\n");
        assert_eq!(
            told("struct p { int x; } o = {1};"),
            "Type struct p { int x; };\nVariable struct p o = {1};\n"
        );
        assert_eq!(
            told("if (a) { b(); } else c();\nd()"),
            "Statement if (a) { b(); } else c();\nExpression d()\n"
        );
        assert_eq!(told("do x++; while (x < 3);"), "Statement do x++; while (x < 3);\n");
        assert_eq!(told("#define N \\\n 3\nN"), "Directive #define N \\\n 3\nExpression N\n");
        assert_eq!(told(":type 1 + 1\n2"), "Command :type 1 + 1\nExpression 2\n");
        assert_eq!(told("T x; FILE *f; T"), "Variable T x;\nVariable FILE *f;\nExpression T\n");
        assert_eq!(told("int f(int), g(void);"), "Prototype int f(int);\nPrototype int g(void);\n");
        assert_eq!(told("extern int e;"), "Prototype extern int e;\n");
        assert_eq!(told("sq(1)\nsq(2)\n"), "Expression sq(1)\nExpression sq(2)\n");
        assert_eq!(told("typedef struct n n; n *first;"), "Type typedef struct n n;\nVariable n *first;\n");
        assert_eq!(told("foo bar;"), "Variable foo bar;\n");
        assert_eq!(told("a * b"), "Expression a * b\n");
        assert_eq!(told("// nothing\n;"), "");
        assert_eq!(
            told("int (*f(int a))(void) { return 0; }"),
            "Function int (*f(int a))(void) { return 0; }\n"
        );
        assert_eq!(told("enum { A, B };"), "Type enum { A, B };\n");
        assert_eq!(told("_Static_assert(1, \"\");"), "Type _Static_assert(1, \"\");\n");
    }

    #[test]
    fn names_are_found() {
        let items = parse("enum e { A = 1, B } x[2] = {A};", &Types(&[])).unwrap();
        let names = |item: &Item| item.defines.iter().map(|name| name.text.clone()).collect::<Vec<_>>();
        assert_eq!(names(&items[0]), ["e", "A", "B"]);
        assert_eq!(names(&items[1]), ["x"]);
        assert_eq!(items[1].declaration.as_deref(), Some("extern enum e x[2];"));
        let tag = Name { space: Space::Tag, text: "e".to_owned() };
        assert!(items[1].uses.contains(&tag), "{:?}", items[1].uses);
        let items = parse("static inline int f(struct s *p) { return p->next->x; }", &Types(&[])).unwrap();
        assert_eq!(items[0].declaration.as_deref(), Some("int f(struct s *p);"));
        assert!(items[0].uses.iter().all(|name| name.text != "next"));
        let items = parse("struct { int a; } anonymous;", &Types(&[])).unwrap();
        assert_eq!(items.len(), 2);
        let declared = names_declared(
            "typedef int T; extern T f(int a); static inline int g(void) { return 1; } enum { E };",
            &Types(&[]),
        );
        let declared: Vec<_> = declared.into_iter().map(|(name, is_type)| (name.text, is_type)).collect();
        let expected = [("T", true), ("f", false), ("g", false), ("E", false)];
        assert_eq!(declared, expected.map(|(name, is_type)| (name.to_owned(), is_type)));
    }

    #[test]
    fn what_is_open_goes_on() {
        for open in [
            "int f(int x) {",
            "int f(int x)",
            "(1 +",
            "1 +",
            "struct p { int x; }",
            "/* a",
            "\"a\\",
            "#if 1",
            "x = 3 *",
            "#define A \\",
            "for (;;)",
            "do { }",
            "int x",
            "typedef int",
            "a ? b :",
            "if (a)",
            "f(1,",
            "int a[] = {1,\n",
        ] {
            assert!(!is_complete(&format!("{open}\n"), &Types(&[])), "{open}");
        }
        for whole in [
            "1",
            "x++",
            "f()",
            "int f(int x) { }",
            "int x;",
            "struct p { int x; };",
            "#if 1\n#endif",
            "}",
            ")",
            "\"a",
            ":load x",
            "do { } while (0);",
            "if (a) b();",
            "# include <x>",
            "x--",
            "p->q",
            "'a",
            "",
        ] {
            assert!(is_complete(&format!("{whole}\n"), &Types(&[])), "{whole}");
        }
    }

    #[test]
    fn what_closes_nothing_is_told() {
        let trouble = parse("a;\n b)", &Types(&[])).unwrap_err();
        assert_eq!((trouble.line, trouble.column), (2, 3));
    }
}
