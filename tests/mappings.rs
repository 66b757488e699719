//! The number of mappings does not grow with modules or replacements.
//!
//! Alone in its process: what other tests map would be counted too.
#![allow(unsafe_code)] // frees what nothing runs

use hotslot::{OptLevel, Runtime, Source};

/// The mappings of the runtime's memory file and next to it, and all of the process.
fn mappings() -> (usize, Vec<String>) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let all: Vec<String> = maps.lines().map(str::to_owned).collect();
    (all.iter().filter(|line| line.contains("memfd:hotslot")).count(), all)
}

fn module(number: usize, value: usize) -> Source {
    let text = format!(
        "@v{number} = global i64 {value}\n\
         define i64 @f{number}() {{ %v = load i64, ptr @v{number} ret i64 %v }}\n\
         define i64 @g{number}() {{ %r = call i64 @f{number}() %s = add i64 %r, {value} ret i64 %s }}"
    );
    Source::ir(text).trusted()
}

#[test]
fn mappings_are_as_many_after_thousands_of_modules_and_replacements() {
    let rt = Runtime::builder().history(0).arena_size(128 << 20).opt_level(OptLevel::O0).build().unwrap();
    for number in 0..50 {
        rt.load(format!("m{number}"), module(number, 1)).unwrap();
    }
    let (of_arena, before) = mappings();
    for number in 50..2000 {
        rt.load(format!("m{number}"), module(number, 1)).unwrap();
    }
    for round in 0..2000 {
        rt.replace(format!("m{}", round % 100), module(round % 100, round)).unwrap();
        if round % 50 == 0 {
            // SAFETY: nothing of this runtime runs.
            unsafe { rt.free_retired() };
        }
    }
    let (of_arena_now, now) = mappings();
    assert_eq!(of_arena_now, of_arena);
    // The heap may have come to use a few more; a mapping for each module would be thousands.
    assert!(now.len() <= before.len() + 4, "{} then {}:\n{}", before.len(), now.len(), now.join("\n"));
}
