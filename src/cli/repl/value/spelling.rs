//! Types in C's syntax: `int (*)(const char *)`, `struct point [4]`.
//!
//! Owns declarators, which are written from the inside out, and types without a name, which are
//! written out. What is too long or goes in circles ends in `...`.

use std::fmt::Write as _;

use super::types::{Count, Encoding, Function, Kind, Member, Place, Qualifier, TypeId, Types};

/// How many types are looked at for one spelling.
const MOST_STEPS: u32 = 2000;
/// How deep types are nested in each other.
const DEEPEST: u32 = 100;
/// Of a type without a name, so many members are written.
const MOST_MEMBERS: usize = 64;
/// A declarator does not grow longer.
const LONGEST: usize = 8000;

impl Types<'_> {
    /// The type as C writes it, names as the program has them.
    pub fn spelling(&self, of: TypeId) -> String {
        self.declaration(of, "")
    }

    /// The declaration of a thing of this type: `int (*f)(void)`.
    pub fn declaration(&self, of: TypeId, name: &str) -> String {
        let mut writer = Writer { types: self, steps: MOST_STEPS };
        writer.declare(of, Vec::new(), name.to_owned(), 0)
    }

    /// What a structure, union or enumeration consists of, with its name: `struct point {int x; int y;}`;
    /// other types are spelled.
    pub fn definition(&self, of: TypeId) -> String {
        let mut writer = Writer { types: self, steps: MOST_STEPS };
        let bare = self.bare(of);
        writer.body(bare, 0).unwrap_or_else(|| self.spelling(bare))
    }
}

struct Writer<'t, 'o> {
    types: &'t Types<'o>,
    steps: u32,
}

impl Writer<'_, '_> {
    /// Writes a type around what is already there of its declarator.
    fn declare(&mut self, of: TypeId, mut qualifiers: Vec<Qualifier>, inner: String, depth: u32) -> String {
        let left = self.steps.checked_sub(1).filter(|_| depth < DEEPEST && inner.len() < LONGEST);
        let Some(left) = left else {
            return join("...", &inner);
        };
        self.steps = left;
        match self.types.kind(of) {
            Kind::Qualified(Qualifier::Atomic, atom) => {
                let atom = self.declare(*atom, Vec::new(), String::new(), depth + 1);
                join(&format!("{}_Atomic({atom})", words(&qualifiers)), &inner)
            }
            Kind::Qualified(qualifier, inside) => {
                qualifiers.push(*qualifier);
                self.declare(*inside, qualifiers, inner, depth + 1)
            }
            Kind::Pointer(target) => {
                let qualifiers = words(&qualifiers);
                let qualifiers = if inner.is_empty() { qualifiers.trim_end() } else { &qualifiers };
                let pointer = format!("*{qualifiers}{inner}");
                let binds =
                    matches!(self.types.kind(*target), Kind::Array { vector: false, .. } | Kind::Function(_));
                let pointer = if binds { format!("({pointer})") } else { pointer };
                self.declare(*target, Vec::new(), pointer, depth + 1)
            }
            Kind::Array { element, count, vector: true } => {
                let element = self.declare(*element, qualifiers, String::new(), depth + 1);
                let count = match count {
                    Count::Known(count) => count.to_string(),
                    _ => "?".to_owned(),
                };
                join(&format!("{element} __attribute__((ext_vector_type({count})))"), &inner)
            }
            // The elements are what is constant.
            Kind::Array { element, count, .. } => {
                let inner = match count {
                    Count::Known(count) => format!("{inner}[{count}]"),
                    Count::Open => format!("{inner}[]"),
                    Count::Variable => format!("{inner}[*]"),
                };
                self.declare(*element, qualifiers, inner, depth + 1)
            }
            Kind::Function(function) => {
                let parameters = self.parameters(function, depth);
                self.declare(function.result, Vec::new(), format!("{inner}({parameters})"), depth + 1)
            }
            _ => join(&format!("{}{}", words(&qualifiers), self.name(of, depth)), &inner),
        }
    }

    fn parameters(&mut self, function: &Function, depth: u32) -> String {
        let mut text = String::new();
        for (index, &parameter) in function.parameters.iter().enumerate() {
            if text.len() > LONGEST {
                text.push_str(", ...");
                break;
            }
            text.push_str(if index > 0 { ", " } else { "" });
            text.push_str(&self.declare(parameter, Vec::new(), String::new(), depth + 1));
        }
        match (function.variadic, function.parameters.is_empty()) {
            (true, true) => text.push_str("..."),
            (true, false) => text.push_str(", ..."),
            (false, true) if function.prototyped => text.push_str("void"),
            _ => {}
        }
        text
    }

    /// A type that has no declarator of its own.
    fn name(&mut self, of: TypeId, depth: u32) -> String {
        match self.types.kind(of) {
            Kind::Void => "void".to_owned(),
            Kind::Null => "nullptr_t".to_owned(),
            Kind::Base { name, encoding, size } => match encoding {
                // Compilers only say that it is one.
                Encoding::Complex if !name.contains(' ') => match size {
                    8 => "_Complex float".to_owned(),
                    16 => "_Complex double".to_owned(),
                    32 => "_Complex long double".to_owned(),
                    4 => "_Complex _Float16".to_owned(),
                    _ => name.to_string(),
                },
                Encoding::ComplexInteger => match size {
                    2 => "_Complex char".to_owned(),
                    4 => "_Complex short".to_owned(),
                    8 => "_Complex int".to_owned(),
                    16 => "_Complex long".to_owned(),
                    _ => name.to_string(),
                },
                _ => name.to_string(),
            },
            Kind::Named(name, _) => name.to_string(),
            Kind::Record { union, name: Some(name), .. } => format!("{} {name}", record(*union)),
            Kind::Enumeration { name: Some(name), .. } => format!("enum {name}"),
            Kind::Record { .. } | Kind::Enumeration { .. } => {
                self.body(of, depth).unwrap_or_else(|| "...".to_owned())
            }
            _ => "<unknown type>".to_owned(),
        }
    }

    fn body(&mut self, of: TypeId, depth: u32) -> Option<String> {
        let (mut text, parts) = match self.types.kind(of) {
            Kind::Record { union, name, size, members } => {
                let text = join(record(*union), name.as_deref().unwrap_or_default());
                if size.is_none() {
                    return Some(text);
                }
                (text, Parts::Members(members))
            }
            Kind::Enumeration { name, enumerators, size: Some(_), .. } => {
                (join("enum", name.as_deref().unwrap_or_default()), Parts::Enumerators(enumerators))
            }
            _ => return None,
        };
        text.push_str(" {");
        match parts {
            Parts::Members(members) => {
                for (index, member) in members.iter().enumerate() {
                    text.push_str(if index > 0 { " " } else { "" });
                    if index == MOST_MEMBERS || text.len() > LONGEST {
                        text.push_str("...");
                        break;
                    }
                    text.push_str(&self.member(member, depth));
                }
            }
            Parts::Enumerators(enumerators) => {
                let mut next = 0;
                for (index, (name, value)) in enumerators.iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    if index == MOST_MEMBERS || text.len() > LONGEST {
                        text.push_str("...");
                        break;
                    }
                    text.push_str(name);
                    if *value != next {
                        let _ = match self.types.is_signed(of) {
                            true => write!(text, " = {}", *value as i64),
                            false => write!(text, " = {value}"),
                        };
                    }
                    next = value.wrapping_add(1);
                }
            }
        }
        text.push('}');
        Some(text)
    }

    fn member(&mut self, member: &Member<'_>, depth: u32) -> String {
        let name = member.name.as_deref().unwrap_or_default().to_owned();
        let mut text = self.declare(member.kind, Vec::new(), name, depth + 1);
        if let Place::Bits { count, .. } = member.place {
            let _ = write!(text, " : {count}");
        }
        text.push(';');
        text
    }
}

enum Parts<'p, 'o> {
    Members(&'p [Member<'o>]),
    Enumerators(&'p [(std::borrow::Cow<'o, str>, u64)]),
}

fn record(union: bool) -> &'static str {
    if union { "union" } else { "struct" }
}

fn join(outer: &str, inner: &str) -> String {
    let space = if inner.is_empty() { "" } else { " " };
    format!("{outer}{space}{inner}")
}

/// The qualifiers in the usual order, each with a space behind it.
fn words(qualifiers: &[Qualifier]) -> String {
    let mut sorted = qualifiers.to_vec();
    sorted.sort();
    sorted.dedup();
    let word = |qualifier: &Qualifier| match qualifier {
        Qualifier::Const => "const ",
        Qualifier::Volatile => "volatile ",
        Qualifier::Restrict => "restrict ",
        Qualifier::Atomic => "_Atomic ",
    };
    sorted.iter().map(word).collect()
}
