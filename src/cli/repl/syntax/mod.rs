//! What an input is made of: whether it is complete, its items, what they define and use.
use std::collections::BTreeSet;
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space { Ordinary, Tag }
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name { pub space: Space, pub text: String }
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind { Directive, Type, Function, Variable, Prototype, Statement, Expression, Command }
pub struct Item { pub kind: Kind, pub text: String, pub line: usize, pub defines: Vec<Name>, pub uses: BTreeSet<Name>, pub declaration: Option<String> }
pub trait Known { fn is_type(&self, name: &str) -> bool; }
#[derive(Debug)]
pub struct Trouble { pub line: usize, pub column: usize, pub message: String }
pub fn is_complete(input: &str, _: &dyn Known) -> bool { crate::cli::repl::tokens::of(input).iter().map(|t| match t.text { "{"|"("|"[" => 1, "}"|")"|"]" => -1, _ => 0 }).sum::<i32>() <= 0 }
pub fn parse(input: &str, known: &dyn Known) -> Result<Vec<Item>, Trouble> {
    use crate::cli::repl::tokens;
    let text = input.trim();
    let toks = tokens::of(text);
    let name = |space, text: &str| Name { space, text: text.to_owned() };
    let mut uses = BTreeSet::new();
    for (i, t) in toks.iter().enumerate().filter(|(_, t)| t.is_word()) {
        let tag = i > 0 && matches!(toks[i - 1].text, "struct" | "union" | "enum");
        uses.insert(name(if tag { Space::Tag } else { Space::Ordinary }, t.text));
    }
    let first = toks.first().map_or("", |t| t.text);
    let mut defines = vec![];
    let mut declaration = None;
    let is_ty = ["int", "char", "double", "float", "void", "struct", "static", "const", "long", "unsigned", "enum", "extern"].contains(&first) || known.is_type(first);
    let kind = if first == ":" { Kind::Command } else if first == "#" {
        if toks[1].text == "define" { defines.push(name(Space::Ordinary, toks[2].text)); }
        Kind::Directive
    } else if first == "typedef" { let n = toks[toks.len() - 2].text; defines.push(name(Space::Ordinary, n)); Kind::Type }
    else if is_ty {
        let open = toks.iter().position(|t| t.text == "(" || t.text == "{" || t.text == "=" || t.text == "[" || t.text == ";").unwrap_or(toks.len() - 1);
        let before = toks[open - 1].text;
        match toks[open].text {
            "(" if text.ends_with('}') => { defines.push(name(Space::Ordinary, before)); let b = toks.iter().find(|t| t.text == "{").unwrap(); declaration = Some(format!("{};", tokens::exported(&text[..b.at]))); Kind::Function }
            "(" => { defines.push(name(Space::Ordinary, before)); Kind::Prototype }
            "{" => { defines.push(name(Space::Tag, before)); Kind::Type }
            _ => { defines.push(name(Space::Ordinary, before)); let end = toks.iter().find(|t| t.text == "=" || t.text == ";").unwrap(); declaration = Some(format!("extern {};", tokens::exported(&text[..end.at]))); Kind::Variable }
        }
    } else if text.ends_with(';') || text.ends_with('}') { Kind::Statement } else { Kind::Expression };
    for d in &defines { uses.remove(d); }
    Ok(vec![Item { kind, text: text.to_owned(), line: 1, defines, uses, declaration }])
}
pub fn names_declared(_: &str, _: &dyn Known) -> Vec<(Name, bool)> { vec![] }
