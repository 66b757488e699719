//! What does not compile, link or fit waits, and goes live with what mends it.

use crate::session::{FILES, MAIN, STEP, STEP_H, Session, names};

#[test]
fn an_error_changes_nothing_and_its_fix_brings_all() {
    let mut session = Session::start(&FILES, &[]);
    assert_eq!(session.ask(), "1 2");
    session.save("step.c", &STEP.replace("x * BY", "x * BY +"));
    let event = session.expect("compile-error");
    assert_eq!(event["units"][0]["unit"], "step.c");
    let text = event["units"][0]["diagnostics"].as_str().unwrap();
    assert!(text.starts_with("step.c:2:") && text.contains("error: expected expression"), "{text}");
    assert_eq!(session.ask(), "2 4");
    // Good, and has nothing to do with the other.
    session.save("main.c", &MAIN.replace("count++", "count += 10"));
    let event = session.expect("live");
    assert_eq!(event.modules(), ["main.c"]);
    let why = names(&event["why"]);
    assert!(why[0].starts_with("main is still running its old code"), "{why:?}");
    assert_eq!(why[1..], ["step.c is not live yet: it does not compile"]);
    assert_eq!(session.ask(), "3 6");
    session.save("step.c", &STEP.replace("x * BY", "-x"));
    assert_eq!(session.expect("live").modules(), ["step.c"]);
    // `main` is called once: the loop that runs is the old one.
    assert_eq!(session.ask(), "4 -4");
    let (_, said) = session.end();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("step.c:2:"), "{said}");
    assert_eq!(said.matches("expected expression").count(), 1, "{said}");
    assert!(said.contains("✘ step.c · does not compile · the old code is still running\n"), "{said}");
    assert!(said.contains("  step.c is not live yet: it does not compile\n"), "{said}");
}

#[test]
fn a_change_that_is_taken_back_is_nothing() {
    let mut session = Session::start(&FILES, &[]);
    session.save("step.c", "int step(");
    session.expect("compile-error");
    session.save("step.c", STEP);
    let event = session.expect("reverted");
    assert_eq!(names(&event["units"]), ["step.c"]);
    assert_eq!(session.ask(), "1 2");
}

#[test]
fn another_signature_is_refused_until_all_agree() {
    let caller = "long half(int);\nint step(int x) { return half(x); }\n";
    let half = "long half(int x) { return x / 2; }\n";
    let files = [FILES[0], FILES[1], ("step.c", caller), ("half.c", half)];
    let mut session = Session::start(&files, &[]);
    session.save("half.c", "long half(double x) { return x * 100; }\n");
    let event = session.expect("refused");
    let problem = &event["problems"][0];
    assert_eq!((&problem["kind"], &problem["symbol"]), (&"signature".into(), &"half".into()));
    let text = problem["message"].as_str().unwrap();
    assert!(text.contains("i64 (i32)") && text.contains("i64 (double)") && text.contains("step.c"), "{text}");
    assert_eq!((event["then"].as_str(), names(&event["units"])), (Some("kept"), vec!["half.c".to_owned()]));
    assert_eq!(session.ask(), "1 0");
    session.save("step.c", "long half(double);\nint step(int x) { return half(x); }\n");
    assert_eq!(session.expect("live").modules(), ["half.c", "step.c"]);
    assert_eq!(session.ask(), "2 200");
    let (_, said) = session.end();
    assert!(said.contains("✘ half.c · refused · the old code is still running\n  half.c"), "{said}");
    assert!(said.contains("\n  hint: save those who use it"), "{said}");
}

#[test]
fn a_variable_of_another_type_is_refused() {
    let step = "int total[2] = {1, 2};\nint step(int x) { return total[0] += x; }\n";
    let mut session = Session::start(&[FILES[0], FILES[1], ("step.c", step)], &[]);
    assert_eq!(session.ask(), "1 2");
    session.save("step.c", &step.replace("total[2]", "total[3]"));
    let event = session.expect("refused");
    let problem = &event["problems"][0];
    assert_eq!((&problem["kind"], &problem["symbol"]), (&"variable".into(), &"total".into()));
    let text = problem["message"].as_str().unwrap();
    assert!(text.contains("[2 x i32] before, [3 x i32] now"), "{text}");
    assert_eq!(session.ask(), "2 4");
    session.save("step.c", &step.replace("+= x", "+= 10 * x"));
    session.expect("live");
    assert_eq!(session.ask(), "3 34");
}

#[test]
fn a_symbol_that_is_missing_waits_for_its_definition() {
    let mut session = Session::start(&FILES, &[]);
    session.save("step.c", "int add(int);\nint step(int x) { return add(x); }\n");
    let event = session.expect("link-error");
    let problem = &event["problems"][0];
    assert_eq!((&problem["kind"], &problem["symbol"]), (&"missing".into(), &"add".into()));
    assert_eq!(problem["message"], "undefined symbol: add, wanted by step.c");
    assert_eq!(session.ask(), "1 2");
    session.save("main.c", &format!("{MAIN}\nint add(int x) {{ return x + 40; }}\n"));
    assert_eq!(session.expect("live").modules(), ["main.c", "step.c"]);
    assert_eq!(session.ask(), "2 42");
    // What a library has that is linked is found.
    session.save("step.c", "#include <math.h>\nint step(int x) { return (int)sqrt(x * 3.0); }\n");
    session.expect("live");
    assert_eq!(session.ask(), "3 3");
    // Two of them are one too many.
    session.save("step.c", "int step(int x) { return x; }\nint add(int x) { return x; }\n");
    assert_eq!(session.expect("link-error")["problems"][0]["kind"], "double");
}

#[test]
fn a_header_that_is_missing_is_found_when_it_comes() {
    let mut session = Session::start(&FILES, &[]);
    session.save("step.c", "#include \"step.h\"\n#include \"late.h\"\nint step(int x) { return LATE; }\n");
    let event = session.expect("compile-error");
    assert!(event["units"][0]["diagnostics"].as_str().unwrap().contains("'late.h' file not found"));
    session.save("late.h", "#define LATE 77\n");
    session.expect("live");
    assert_eq!(session.ask(), "1 77");
    // A header that goes is missed, and comes back.
    std::fs::remove_file(session.place.dir.join("step.h")).unwrap();
    session.expect("compile-error");
    session.save("step.h", STEP_H);
    session.expect("reverted");
    assert_eq!(session.ask(), "2 77");
}
