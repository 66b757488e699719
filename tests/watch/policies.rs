//! What becomes of an update that does not fit, as the user wants it.

use crate::session::{FILES, Session, names};

const STEP: &str = "int total[2] = {1, 2};\nint step(int x) { return total[0] += x; }\n";

fn start(options: &[&str]) -> Session {
    Session::start(&[FILES[0], FILES[1], ("step.c", STEP)], options)
}

#[test]
fn variables_start_anew() {
    let mut session = start(&["--on-incompatible", "reset"]);
    assert_eq!((session.ask(), session.ask()), ("1 2".to_owned(), "2 4".to_owned()));
    session.save("step.c", &STEP.replace("total[2]", "total[3]"));
    let event = session.expect("live");
    assert_eq!(event.of("step.c", "reset_variables"), ["total"]);
    assert_eq!(session.ask(), "3 4");
    let (_, said) = session.end();
    assert!(said.contains("1 variable reset"), "{said}");
}

#[test]
fn the_program_starts_anew() {
    let mut session = start(&["--on-incompatible", "restart", "--argv0", "it"]);
    assert_eq!((session.ask(), session.ask()), ("1 2".to_owned(), "2 4".to_owned()));
    let process = session.process();
    session.save("step.c", &STEP.replace("total[2] = {1, 2}", "total[3] = {500}"));
    assert_eq!(session.expect("refused")["then"], "restart");
    session.expect("restart");
    assert_eq!(session.expect("started")["process"], process);
    assert_eq!(session.ask(), "1 501");
    session
        .save("step.c", &STEP.replace("total[2] = {1, 2}", "total[3] = {500}").replace("+= x", "+= 2 * x"));
    session.expect("live");
    assert_eq!(session.ask(), "2 505");
    assert_eq!(session.end().0, 7);
}

#[test]
fn nothing_is_done_where_nobody_decides() {
    let mut session = start(&["--on-incompatible", "ask"]);
    session.save("step.c", &STEP.replace("total[2]", "total[3]"));
    let event = session.expect("refused");
    assert_eq!((event["then"].as_str(), names(&event["units"])), (Some("asked"), vec!["step.c".to_owned()]));
    assert_eq!(session.ask(), "1 2");
}
