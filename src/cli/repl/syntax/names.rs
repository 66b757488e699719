//! The names that headers declare.
//!
//! Reads what the preprocessor has made of them, hundreds of kilobytes at a time, once over. A
//! declaration that cannot be read is passed over.

use super::declarators::declaration;
use super::items::{enumerators, nested};
use super::lexer::{Apart, Kind};
use super::source::Source;
use super::{Known, Name, directives};

/// The names that `text`, preprocessed, declares at file scope, each with whether it is a type.
/// Lines of `#define` in it count.
pub fn names_declared(text: &str, known: &dyn Known) -> Vec<(Name, bool)> {
    let mut source = Source::new(text, known);
    let mut found = Vec::new();
    for between in &source.lexed.between {
        if between.what == Apart::Directive {
            let line = &text[between.start as usize..between.end as usize];
            found.extend(directives::defined(line).map(|name| (Name::ordinary(name), false)));
        }
    }
    let mut at = 0;
    while at < source.len() {
        if source.is(at, b';') {
            at += 1;
            continue;
        }
        let Ok(one) = declaration(&source, at, false) else {
            at = resume(&source, at);
            continue;
        };
        if let Some(tagged) = &one.specifiers.tagged {
            if let Some(tag) = tagged.tag {
                found.push((Name::tag(source.text(tag)), true));
            }
            if let Some(body) = tagged.body {
                if tagged.is_enum {
                    found.extend(
                        enumerators(&source, body).map(|at| (Name::ordinary(source.text(at)), false)),
                    );
                } else {
                    nested(&source, body, &mut |name| found.push((name, false)));
                }
            }
        }
        for name in one.declarators.iter().filter_map(|one| one.name) {
            let text = source.text(name);
            source.declare(text, one.specifiers.is_typedef);
            found.push((Name::ordinary(text), one.specifiers.is_typedef));
        }
        at = one.end.max(at + 1);
    }
    found
}

/// After what cannot be read.
fn resume(source: &Source, mut at: usize) -> usize {
    loop {
        match source.kind(at) {
            Kind::End => return at,
            Kind::Sign(b';') => return at + 1,
            Kind::Sign(b'{') => return source.over(at).unwrap_or(at + 1),
            _ => at = source.over(at).unwrap_or(at + 1),
        }
    }
}
