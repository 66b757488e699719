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
    let blocked = || {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        status.lines().find(|line| line.starts_with("SigBlk")).unwrap().to_owned()
    };
    let before = blocked();
    session.save("step.c", &STEP.replace("total[2] = {1, 2}", "total[3] = {500}"));
    assert_eq!(session.expect("refused")["then"], "restart");
    session.expect("restart");
    assert_eq!(session.expect("started")["process"], process);
    assert_eq!(session.ask(), "1 501");
    assert_eq!(blocked(), before, "Ctrl-C ends it as before");
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

#[test]
fn what_the_program_ignored_is_not_ignored_by_the_next_one() {
    let step = "#include <signal.h>\nint total[2] = {1, 2};\n\
                int step(int x) { return total[0] += signal(SIGUSR1, SIG_IGN) == SIG_IGN ? 1000 : x; }\n";
    let options = ["--on-incompatible", "restart"];
    let mut session = Session::start(&[FILES[0], FILES[1], ("step.c", step)], &options);
    assert_eq!((session.ask(), session.ask()), ("1 2".to_owned(), "2 1002".to_owned()));
    session.save("step.c", &step.replace("total[2]", "total[3]"));
    session.wait_for("restart");
    session.expect("started");
    assert_eq!(session.ask(), "1 2");
}
