//! The events that docs/hot-reload-watch.md shows: they are all there are, and have the fields
//! that real ones have.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::session::{FILES, STEP, Session};

/// The examples by their kind.
fn examples() -> BTreeMap<String, Value> {
    let text = include_str!("../../docs/hot-reload-watch.md");
    let mut blocks = text.split("```json\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let mut examples = BTreeMap::new();
    for block in &mut blocks {
        let value: Value = serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
        let kind = value["event"].as_str().unwrap().to_owned();
        assert!(examples.insert(kind, value).is_none(), "twice: {block}");
    }
    examples
}

/// The fields of a value, with those of what is in it, and of which kind each is.
fn shape(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| shape(field, &format!("{path}.{name}"), into));
        }
        Value::Array(all) => all.iter().for_each(|one| shape(one, &format!("{path}[]"), into)),
        // It may be missing, and is there all the same.
        Value::Null => _ = into.insert(path.to_owned()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => _ = into.insert(path.to_owned()),
    }
}

#[test]
fn every_kind_is_documented_once() {
    let source = include_str!("../../src/cli/watch/events.rs");
    let kinds = source.split_once("pub enum What {").unwrap().1.split_once("\n}").unwrap().0;
    let kinds: BTreeSet<String> = (kinds.lines())
        .filter_map(|line| {
            let name: String = line.trim().chars().take_while(char::is_ascii_alphabetic).collect();
            name.starts_with(char::is_uppercase).then_some(name)
        })
        .map(|name| {
            let dashed = |(at, c): (usize, char)| match c.is_uppercase() && at > 0 {
                true => format!("-{}", c.to_ascii_lowercase()),
                false => c.to_ascii_lowercase().to_string(),
            };
            name.chars().enumerate().map(dashed).collect()
        })
        .collect();
    let documented: BTreeSet<String> = examples().into_keys().collect();
    assert_eq!(documented, kinds);
    for (at, line) in include_str!("../../docs/hot-reload-watch.md")
        .lines()
        .filter(|line| line.starts_with("{\"v\""))
        .enumerate()
    {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!((value["v"].as_u64(), value["seq"].as_u64()), (Some(1), Some(at as u64 + 1)), "{line}");
    }
}

#[test]
fn real_events_have_the_documented_fields() {
    let examples = examples();
    let session = Session::start(&FILES, &[]);
    let mut seen = Vec::new();
    for (text, kind) in [
        (STEP.replace("BY", "BY + 1"), "live"),
        (format!("{}//\n", STEP.replace("BY", "BY + 1")), "no-effect"),
        ("int step(".to_owned(), "compile-error"),
        (STEP.replace("BY", "BY + 1"), "live or reverted"),
        ("int add(int); int step(int x) { return add(x); }".to_owned(), "link-error"),
        ("int step(int x, int y) { return x + y; }".to_owned(), "refused"),
    ] {
        session.save("step.c", &text);
        let event = session.next();
        assert!(kind.contains(event["event"].as_str().unwrap()) || kind.contains("or"), "{kind}: {event:?}");
        seen.push(event.0);
    }
    for event in seen {
        let example = &examples[event["event"].as_str().unwrap()];
        let (mut real, mut shown) = (BTreeSet::new(), BTreeSet::new());
        shape(&event, "", &mut real);
        shape(example, "", &mut shown);
        let unknown: Vec<&String> = real.difference(&shown).collect();
        assert!(unknown.is_empty(), "not documented: {unknown:?} of {event}");
        // Lists may be empty in one of the two.
        let plain = |fields: BTreeSet<String>| -> BTreeSet<String> {
            fields.into_iter().filter(|field| !field.contains("[]")).collect()
        };
        assert_eq!(plain(real), plain(shown), "{event}");
    }
}
