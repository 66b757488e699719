//! Types in C's own words.
//!
//! Owns how declarators are written, from the inside out.

use super::types::{Type, TypeId, Types};

/// How deep a type is written; what is further in is left out.
const DEEPEST: usize = 60;
/// How many members of a type without a name are written.
const MEMBERS: usize = 20;

impl Types {
    /// The type as C writes it, without a name: `int (*)(const char *)`.
    pub fn spelling(&self, id: TypeId) -> String {
        self.declared(id, String::new(), DEEPEST)
    }

    /// A declaration of `inner`, which is a declarator.
    fn declared(&self, id: TypeId, inner: String, depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else { return after("...", &inner) };
        match self.get(id) {
            Type::Void => after("void", &inner),
            Type::Unknown => after("?", &inner),
            Type::Base { name, .. } | Type::Named { name, .. } => after(name, &inner),
            Type::Pointer(to) => match self.get(*to) {
                Type::Array { vector: false, .. } | Type::Function { .. } => {
                    self.declared(*to, format!("(*{inner})"), depth)
                }
                _ => self.declared(*to, format!("*{inner}"), depth),
            },
            Type::Qualified { word, of } => match self.unqualified(*of) {
                // It stands behind the star.
                Type::Pointer(_) => {
                    let space = if inner.is_empty() || inner.starts_with(['[', ')']) { "" } else { " " };
                    self.declared(*of, format!("{word}{space}{inner}"), depth)
                }
                _ if *word == "_Atomic" => {
                    after(&format!("_Atomic({})", self.declared(*of, String::new(), depth)), &inner)
                }
                _ => format!("{word} {}", self.declared(*of, inner, depth)),
            },
            Type::Array { of, count, vector: true } => {
                let count = count.map_or("?".to_owned(), |count| count.to_string());
                let of = self.declared(*of, String::new(), depth);
                after(&format!("{of} __attribute__((ext_vector_type({count})))"), &inner)
            }
            Type::Array { of, count, .. } => {
                let count = count.map_or(String::new(), |count| count.to_string());
                self.declared(*of, format!("{inner}[{count}]"), depth)
            }
            Type::Function { returns, parameters, variadic, prototyped } => {
                let mut list: Vec<String> =
                    parameters.iter().map(|of| self.declared(*of, String::new(), depth)).collect();
                if *variadic && !list.is_empty() {
                    list.push("...".to_owned());
                }
                if list.is_empty() && *prototyped {
                    list.push("void".to_owned());
                }
                self.declared(*returns, format!("{inner}({})", list.join(", ")), depth)
            }
            Type::Record { keyword, name: Some(name), .. } => after(&format!("{keyword} {name}"), &inner),
            Type::Record { keyword, name: None, members, .. } => {
                let mut fields = String::new();
                for member in members.iter().take(MEMBERS) {
                    let name = member.name.clone().unwrap_or_default();
                    fields.push_str(&format!("{}; ", self.declared(member.of, name, depth)));
                }
                let more = if members.len() > MEMBERS { "... " } else { "" };
                after(&format!("{keyword} {{ {fields}{more}}}"), &inner)
            }
            Type::Enum { name: Some(name), .. } => after(&format!("enum {name}"), &inner),
            Type::Enum { name: None, enumerators, .. } => {
                let names: Vec<&str> = enumerators.iter().take(MEMBERS).map(|(name, _)| &**name).collect();
                let more = if enumerators.len() > MEMBERS { ", ..." } else { "" };
                after(&format!("enum {{ {}{more} }}", names.join(", ")), &inner)
            }
        }
    }

    /// What is behind more qualifiers.
    fn unqualified(&self, mut id: TypeId) -> &Type {
        for _ in 0..DEEPEST {
            match self.get(id) {
                Type::Qualified { of, .. } => id = *of,
                _ => break,
            }
        }
        self.get(id)
    }
}

/// A declarator behind a type's name.
fn after(name: &str, inner: &str) -> String {
    if inner.is_empty() { name.to_owned() } else { format!("{name} {inner}") }
}
