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
