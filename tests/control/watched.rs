//! What is asked of a program that is watched as well.

use crate::running::{Running, VALUE, counting};

/// Watched, with its events in a file.
fn start<'p>(place: &'p crate::place::Place, more: &[&str]) -> Running<'p> {
    Running::start(
        place,
        &[more, &["--watch", "--events", "events", "main.c", "value.c", "other.c"]].concat(),
    )
}

fn events(run: &Running<'_>, kind: &str) -> usize {
    let text = std::fs::read_to_string(run.place.dir.join("events")).unwrap();
    text.matches(&format!("\"event\":\"{kind}\"")).count()
}

#[test]
fn undo_is_for_updates_with_an_effect() {
    let place = counting();
    let run = start(&place, &[]);
    run.prints("1 1");
    run.write("value.c", &VALUE.replace('1', "2"));
    run.prints("2 1");
    run.write("value.c", &VALUE.replace('1', "2 /* two */"));
    run.until("no effect", || events(&run, "no-effect") == 1);
    let undone = run.json(&["undo"]);
    assert_eq!((&undone["ok"], &undone["event"]["event"]), (&true.into(), &"undone".into()), "{undone}");
    assert_eq!(undone["event"]["modules"][0]["generation"], 1, "{undone}");
    run.prints("1 1");
    let nothing = run.ctl(&["undo"]);
    assert_eq!((nothing.code(), nothing.stderr.as_str()), (1, "there is no update to take back\n"));
    // What the file says goes live with its next save, changed or not.
    run.write("value.c", &VALUE.replace('1', "2 /* two */"));
    run.prints("2 1");
}

const STATE: &str = "int total[2] = {1, 1};\nint value(void) { return total[0]; }\n";

#[test]
fn status_says_what_waits_and_why() {
    let place = counting();
    let run = start(&place, &["--on-incompatible", "ask"]);
    run.prints("1 1");
    let plain = run.json(&["status"]);
    assert_eq!((&plain["undecided"], &plain["not_live"]), (&false.into(), &serde_json::json!([])), "{plain}");
    run.write("value.c", STATE);
    run.until("live", || events(&run, "live") == 1);
    run.write("value.c", &STATE.replace("total[2] = {1, 1}", "total[3] = {7}"));
    run.until("refused", || events(&run, "refused") == 1);
    run.write("other.c", "int other(void) { return nowhere; }\n");
    run.until("an error", || events(&run, "compile-error") == 1);
    let status = run.json(&["status"]);
    assert_eq!(status["undecided"], true, "{status}");
    let open = status["not_live"].as_array().unwrap();
    let found: Vec<(&str, &str)> =
        (open.iter()).map(|open| (open["unit"].as_str().unwrap(), open["state"].as_str().unwrap())).collect();
    assert_eq!(found, [("value.c", "refused"), ("other.c", "broken")], "{status}");
    assert!(open[0]["why"].as_str().unwrap().contains("variable total no longer fits"), "{status}");
    assert!(open[1]["why"].as_str().unwrap().contains("undeclared identifier 'nowhere'"), "{status}");
    let text = run.ctl(&["status"]).stdout;
    assert!(text.contains("\nundecided  an update does not fit: `hotslot ctl PATH decide "), "{text}");
    assert!(text.contains("\nnot live   value.c (refused): value.c: variable total no longer"), "{text}");
    // It would not start as it is.
    let restart = run.ctl(&["decide", "restart"]);
    assert_eq!((restart.code(), restart.stdout.as_str()), (1, ""), "{restart:?}");
    assert!(restart.stderr.contains("something does not compile"), "{restart:?}");
    let reset = run.ctl(&["decide", "reset"]);
    assert_eq!((reset.code(), reset.stderr.as_str()), (0, ""), "{reset:?}");
    run.prints("7 1");
    let status = run.json(&["status"]);
    assert_eq!(
        (&status["undecided"], status["not_live"].as_array().map(Vec::len)),
        (&false.into(), Some(1)),
        "{status}"
    );
    // What nobody has asked for is no failure of what was.
    let swap = run.ctl(&["swap", "value.c"]);
    assert_eq!(swap.code(), 0, "{swap:?}");
    assert_eq!(run.ctl(&["rebuild"]).code(), 1);
}

#[test]
fn rebuilding_what_is_live_keeps_what_can_be_returned_to() {
    let place = counting();
    for words in [&["--keep", "1"][..], &["--keep", "1", "--watch"]] {
        let run = Running::start(&place, &[words, &["main.c", "value.c", "other.c"]].concat());
        run.write("value.c", &VALUE.replace('1', "2"));
        assert_eq!(run.ctl(&["rebuild", "value.c"]).code(), 0);
        for _ in 0..3 {
            assert_eq!(run.ctl(&["rebuild", "value.c"]).code(), 0);
            assert_eq!(run.ctl(&["rebuild"]).code(), 0);
        }
        run.prints("2 1");
        assert_eq!(run.ctl(&["rollback", "value.c", "1"]).code(), 0);
        run.prints("1 1");
        // What the file says comes back.
        assert_eq!(run.ctl(&["rebuild", "value.c"]).code(), 0);
        run.prints("2 1");
        run.write("value.c", VALUE);
    }
}

#[test]
fn a_restart_is_answered_first() {
    let place = counting();
    let run = start(&place, &["--on-incompatible", "ask"]);
    run.write("value.c", STATE);
    run.until("live", || events(&run, "live") == 1);
    run.write("value.c", &STATE.replace("total[2] = {1, 1}", "total[3] = {7}"));
    run.until("refused", || events(&run, "refused") == 1);
    let outcome = run.ctl(&["decide", "restart"]);
    assert_eq!((outcome.code(), outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    assert_eq!(outcome.stdout, "↻ restart: somebody decided so\n");
    run.prints("7 1");
    run.until("it answers again", || run.ctl(&["status"]).output.status.success());
    let idle = run.ctl(&["decide", "restart"]);
    assert_eq!((idle.code(), idle.stderr.as_str()), (1, "nothing waits for a decision\n"));
}

#[test]
fn exit_codes() {
    let place = counting();
    for watch in [false, true] {
        let words: &[&str] = if watch { &["--watch"] } else { &[] };
        let run = Running::start(&place, &[words, &["main.c", "value.c", "other.c"]].concat());
        for (words, code) in [
            (&["status"][..], 0),
            (&["undo"], 1),
            (&["rollback", "value.c"], 1),
            (&["rollback", "value.c", "9"], 1),
            (&["decide", "reset"], 1),
            (&["rollback", "nix.c"], 2),
            (&["history", "nix.c"], 2),
            (&["rebuild", "nix.c"], 2),
            (&["swap", "nix.c"], 2),
            (&["dance"], 2),
            (&["decide", "maybe"], 2),
            (&["rollback", "value.c", "x"], 2),
            (&[], 2),
        ] {
            let outcome = run.ctl(words);
            assert_eq!(outcome.code(), code, "{words:?}, watched: {watch}: {outcome:?}");
            assert_eq!(code == 0, outcome.stderr.is_empty(), "{outcome:?}");
            for item in ["Runtime::", "Update::", "Builder::"] {
                assert!(!outcome.stderr.contains(item), "{outcome:?}");
            }
        }
    }
}

#[test]
fn the_end_of_a_path_names_a_module() {
    let place = counting();
    for folder in ["a", "b"] {
        std::fs::create_dir(place.dir.join(folder)).unwrap();
        std::fs::write(place.dir.join(folder).join("same.c"), format!("int {folder}_;\n")).unwrap();
    }
    std::fs::write(place.dir.join("a/physics.c"), "int gravity(void) { return 9; }\n").unwrap();
    let sources = ["main.c", "value.c", "other.c", "a/same.c", "b/same.c", "a/physics.c"];
    let run = Running::start(&place, &sources);
    assert_eq!(run.json(&["history", "physics.c"])["modules"][0]["module"], "a/physics.c");
    let several = run.ctl(&["history", "same.c"]);
    assert_eq!(
        (several.code(), several.stderr.as_str()),
        (2, "hotslot: same.c may be any of a/same.c, b/same.c\n")
    );
    assert_eq!(run.ctl(&["history", "ysics.c"]).code(), 2);
    assert_eq!(run.json(&["rebuild", "physics.c"])["modules"][0]["module"], "a/physics.c");
    assert_eq!(
        run.ctl(&["rollback", "b/same.c"]).stderr,
        "hotslot: b/same.c has no generation before 1 in memory\n"
    );
}
