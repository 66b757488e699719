//! What goes live while something else does not compile, fit or link, and what waits with it.

use crate::session::{FILES, MAIN, STEP, STEP_H, Session, names};

const HALF: &str = "long half(int x) { return x / 2; }\n";
const CALLER: &str = "#include \"step.h\"\nlong half(int);\nint step(int x) { return half(x) + BY; }\n";
const OTHER: &str = "int other(void) { return 1; }\nint total[2] = {1, 2};\n";

fn start() -> Session {
    let files = [FILES[0], FILES[1], ("step.c", CALLER), ("half.c", HALF), ("other.c", OTHER)];
    Session::start(&files, &[])
}

#[test]
fn half_of_a_headers_change_waits_for_the_other_half() {
    let mut session = Session::start(&FILES, &[]);
    assert_eq!(session.ask(), "1 2");
    session.save(
        "step.c",
        "#include \"step.h\"\n_Static_assert(BY == 2, \"two\");\nint step(int x) { return x * BY; }\n",
    );
    let event = session.next();
    assert!(["live", "no-effect"].contains(&event["event"].as_str().unwrap()), "{event:?}");
    session.save("main.c", &MAIN.replace("%ld", "%ld \" \"by\" \"").replace("(long)step", "BY * (long)step"));
    session.expect("live");
    // Both include it, and one of them does not compile with it.
    session.save("step.h", &STEP_H.replace("BY 2", "BY 3"));
    let event = session.expect("compile-error");
    assert_eq!(
        (event["units"][0]["unit"].as_str(), names(&event["waiting"])),
        (Some("step.c"), vec!["main.c".to_owned()])
    );
    // Another edit of the one that waits waits too.
    session.save("main.c", MAIN);
    let event = session.expect("compile-error");
    assert_eq!(
        (event["units"][0]["still"].as_bool(), names(&event["waiting"])),
        (Some(true), vec!["main.c".to_owned()])
    );
    session.save("step.c", STEP);
    assert_eq!(session.expect("live").modules(), ["main.c", "step.c"]);
    assert_eq!(session.ask(), "2 6");
}

#[test]
fn what_is_refused_does_not_hold_up_others() {
    let mut session = start();
    assert_eq!(session.ask(), "1 2");
    session.save("half.c", &HALF.replace("int x", "double x"));
    assert_eq!(names(&session.expect("refused")["units"]), ["half.c"]);
    session.save("other.c", &OTHER.replace("return 1", "return 2"));
    let event = session.expect("live");
    assert_eq!(event.modules(), ["other.c"]);
    assert_eq!(names(&event["why"]), ["half.c is not live yet: it was refused"]);
    // A second one is told alone.
    session.save("other.c", &OTHER.replace("total[2]", "total[3]"));
    let event = session.expect("refused");
    assert_eq!(names(&event["units"]), ["other.c"]);
    assert_eq!(event["problems"].as_array().unwrap().len(), 1, "{event:?}");
    // What mends the one leaves the other.
    session.save("step.c", &CALLER.replace("half(int)", "half(double)"));
    let event = session.expect("live");
    assert_eq!(event.modules(), ["half.c", "step.c"]);
    assert_eq!(names(&event["why"]), ["other.c is not live yet: it was refused"]);
    assert_eq!(session.ask(), "2 3");
    session.save("other.c", OTHER);
    session.expect("live");
}

#[test]
fn what_mends_a_refusal_may_share_its_header() {
    let header = format!("{STEP_H}typedef int number;\n");
    let half = HALF.replace("int x", "number x").replace("long half", "#include \"step.h\"\nlong half");
    let files = [FILES[0], ("step.h", &*header), ("step.c", CALLER), ("half.c", &*half)];
    let mut session = Session::start(&files, &[]);
    assert_eq!(session.ask(), "1 2");
    session.save("step.h", &header.replace("typedef int", "typedef double"));
    let event = session.expect("refused");
    assert_eq!(names(&event["units"]), ["half.c"]);
    assert!(names(&event["waiting"]).contains(&"step.c".to_owned()), "{event:?}");
    // It waits for that one, and that one for it.
    session.save("step.c", &CALLER.replace("half(int)", "half(double)").replace("+ BY", "+ 7"));
    assert_eq!(session.expect("live").modules(), ["half.c", "step.c"]);
    assert_eq!(session.ask(), "2 8");
}

#[test]
fn of_several_saved_at_once_those_that_fit_go_live() {
    let mut session = start();
    assert_eq!(session.ask(), "1 2");
    session.save("half.c", &HALF.replace("int x", "double x"));
    session.save(
        "other.c",
        &OTHER.replace("return 1", "return absent()").replace("int other", "int absent(void);\nint other"),
    );
    session.save("main.c", &MAIN.replace("count++", "count += 2"));
    session.save("step.c", &CALLER.replace("+ BY", "+ 100"));
    // In one update or in two, as the saves come.
    let (mut live, mut units, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    while live.len() < 2 || units.len() < 2 {
        let event = session.next();
        kinds.push(event["event"].as_str().unwrap().to_owned());
        match event["event"].as_str() {
            Some("live") => live.extend(event.modules()),
            _ => units.extend(names(&event["units"])),
        }
    }
    live.sort();
    units.sort();
    assert_eq!(
        (live, units),
        (vec!["main.c".to_owned(), "step.c".to_owned()], vec!["half.c".to_owned(), "other.c".to_owned()]),
        "{kinds:?}"
    );
    assert_eq!(session.ask(), "2 101");
    // Who takes away what others need is the one to wait, not they.
    session.save("step.c", &CALLER.replace("+ BY", "+ 200"));
    session.expect("live");
    session.save("half.c", "int nothing;\n");
    assert_eq!(names(&session.expect("link-error")["units"]), ["half.c"]);
    session.save("step.c", &CALLER.replace("+ BY", "+ 300"));
    assert_eq!(session.expect("live").modules(), ["step.c"]);
    assert_eq!(session.ask(), "3 301");
}

#[test]
fn a_restart_waits_until_everything_compiles() {
    let other = "#include \"step.h\"\nint total[2] = {1, 2};\nint step(int x) { return total[0] += x; }\n";
    let files = [FILES[0], FILES[1], ("step.c", other), ("half.c", HALF)];
    let mut session = Session::start(&files, &["--on-incompatible", "restart"]);
    assert_eq!(session.ask(), "1 2");
    session.save("half.c", "long half(");
    session.expect("compile-error");
    session.save("step.c", &other.replace("total[2]", "total[3]"));
    assert_eq!(session.expect("refused")["then"], "kept");
    assert_eq!(session.ask(), "2 4");
    session.save("half.c", &HALF.replace("/ 2", "/ 3"));
    assert_eq!(session.expect("refused")["then"], "restart");
    session.wait_for("started");
    assert_eq!(session.ask(), "1 2");
}
