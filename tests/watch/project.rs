//! A project: its units come and go with its compile_commands.json.

use crate::place::{Outcome, Place};
use crate::session::{FILES, STEP, Session, names};

/// The database of these files, each with its flags.
fn database(place: &Place, files: &[(&str, &str)]) {
    let dir = place.dir.to_str().unwrap();
    let entry = |(file, flags): &(&str, &str)| {
        serde_json::json!({
            "directory": dir,
            "file": file,
            "command": format!("cc {flags} -o {file}.o -c {file}"),
        })
    };
    let entries: Vec<serde_json::Value> = files.iter().map(entry).collect();
    let text = serde_json::to_string(&entries).unwrap();
    // As build systems write it: whole, at once.
    std::fs::write(place.dir.join("database.new"), text).unwrap();
    std::fs::rename(place.dir.join("database.new"), place.dir.join("compile_commands.json")).unwrap();
}

#[test]
fn units_come_and_go_and_change_their_flags() {
    let place = Place::new(&FILES);
    database(&place, &[("main.c", ""), ("step.c", "-O1")]);
    let mut session = Session::of(place, &["-p", "."]);
    assert_eq!(session.ask(), "1 2");
    // A unit more, and who needs it.
    session.save("more.c", "int more(int x) { return x + 100; }\n");
    session.save("step.c", "int more(int);\nint step(int x) { return more(x); }\n");
    session.expect("link-error");
    database(&session.place, &[("main.c", ""), ("step.c", "-O1"), ("more.c", "")]);
    let event = session.expect("live");
    assert_eq!(event.modules(), ["more.c", "step.c"]);
    assert_eq!(event["modules"][0]["loaded"], event["modules"][0]["module"] == "more.c");
    assert_eq!(session.ask(), "2 102");
    session.save("more.c", "int more(int x) { return x + 200; }\n");
    assert_eq!(session.expect("live").modules(), ["more.c"]);
    assert_eq!(session.ask(), "3 203");
    // Other flags.
    session.save("more.c", "#ifndef BY\n#define BY 7\n#endif\nint more(int x) { return x * BY; }\n");
    session.expect("live");
    database(&session.place, &[("main.c", ""), ("step.c", "-O1"), ("more.c", "-DBY=9")]);
    assert_eq!(session.expect("live").modules(), ["more.c"]);
    assert_eq!(session.ask(), "4 36");
    // It is needed as long as it is needed.
    database(&session.place, &[("main.c", ""), ("step.c", "-O1")]);
    assert_eq!(session.expect("link-error")["problems"][0]["symbol"], "more");
    session.save("step.c", STEP);
    let event = session.expect("live");
    assert_eq!((event.modules(), names(&event["unloaded"])), (vec!["step.c".into()], vec!["more.c".into()]));
    assert_eq!(session.ask(), "5 10");
    // What is half written is not believed.
    session.save("compile_commands.json", "[ {");
    let event = session.expect("note");
    assert!(event["text"].as_str().unwrap().contains("compile_commands.json"), "{event:?}");
    session.save("step.c", &STEP.replace("BY", "3"));
    session.expect("live");
    assert_eq!(session.ask(), "6 18");
}

#[test]
fn a_unit_that_has_gone_comes_back_with_undo() {
    let more = "int bonus = 5;\nint more(int x) { return x + bonus++; }\n";
    let step = "int more(int);\nint step(int x) { return more(x); }\n";
    let place = Place::new(&[FILES[0], FILES[1], ("step.c", step), ("more.c", more)]);
    database(&place, &[("main.c", ""), ("step.c", ""), ("more.c", "")]);
    let mut session = Session::of(place, &["-p", ".", "--control", "s.sock"]);
    assert_eq!((session.ask(), session.ask()), ("1 6".to_owned(), "2 8".to_owned()));
    session.save("step.c", STEP);
    session.expect("live");
    database(&session.place, &[("main.c", ""), ("step.c", "")]);
    assert_eq!(names(&session.expect("live")["unloaded"]), ["more.c"]);
    let undo = || Outcome::of(&mut session.place.hotslot(&["ctl", "s.sock", "undo"])).code();
    assert_eq!(undo(), 0);
    let event = session.expect("undone");
    assert_eq!(
        (&event["modules"][0]["module"], &event["modules"][0]["generation"]),
        (&"more.c".into(), &1.into())
    );
    assert_eq!(names(&event["why"]), ["variables of more.c start anew: it was removed and is loaded again"]);
    assert_eq!(undo(), 0);
    session.expect("undone");
    assert_eq!(session.ask(), "3 8");
}
