//! C++: classes whose virtual functions change, while there are objects of them.

use crate::session::{Session, names};

const MAIN: &str = "#include <cstdio>\n#include \"shape.h\"\nint main() {\n\
    n::Shape *old = make(); char line[64]; int n = 0;\n\
    while (fgets(line, sizeof line, stdin)) { printf(\"%d %d\\n\", ++n, ask(old)); fflush(stdout); }\n}\n";
const HEADER: &str = "namespace n { struct Shape { virtual int area() const; virtual int sides() const; }; }\n\
    n::Shape *make(); int ask(n::Shape *);\n";
const SHAPE: &str = "#include \"shape.h\"\nnamespace n {\nint Shape::area() const { return 3; }\n\
    int Shape::sides() const { return 4; }\n}\n\
    n::Shape *make() { return new n::Shape; }\nint ask(n::Shape *shape) { return shape->sides(); }\n";
const FILES: [(&str, &str); 3] = [("main.cc", MAIN), ("shape.h", HEADER), ("shape.cc", SHAPE)];
const WHY: &str = "objects of class n::Shape made before keep the old table of virtual functions: new virtual \
    calls of them go to the wrong place; with --on-incompatible restart the program starts anew";

/// With one more virtual function in front of the others.
fn more(session: &Session) {
    let shape = SHAPE.replace("namespace n {\n", "namespace n {\nint Shape::first() const { return 100; }\n");
    std::fs::write(session.place.dir.join("shape.cc"), shape).unwrap();
    session.save(
        "shape.h",
        &HEADER.replace("{ virtual int area", "{ virtual int first() const; virtual int area"),
    );
}

#[test]
fn another_order_of_virtual_functions_is_told() {
    let mut session = Session::start(&FILES, &[]);
    assert_eq!(session.ask(), "1 4");
    // Another body is none, and new objects are as the old ones.
    session.save("shape.cc", &SHAPE.replace("return 4", "return 5"));
    let event = session.expect("live");
    assert_eq!((&event["why"], event.of("shape.cc", "virtual_tables").len()), (&serde_json::json!([]), 0));
    assert_eq!(event.of("shape.cc", "swapped"), ["_ZNK1n5Shape5sidesEv"], "programs read symbols");
    assert_eq!(session.ask(), "2 5");
    more(&session);
    let event = loop {
        // The two files may be seen one after the other.
        let event = session.next();
        if event["event"] == "live" && !event.of("shape.cc", "virtual_tables").is_empty() {
            break event;
        }
    };
    assert_eq!(event.of("shape.cc", "virtual_tables"), ["_ZTVN1n5ShapeE"]);
    assert!(names(&event["why"]).contains(&WHY.to_owned()), "{event:?}");
    let (_, said) = session.end();
    assert!(said.contains(", 1 table of virtual functions changed · ") && said.contains(WHY), "{said}");
}

#[test]
fn it_is_refused_where_somebody_decides() {
    let mut session = Session::start(&FILES, &["--on-incompatible", "restart"]);
    assert_eq!(session.ask(), "1 4");
    session.save("shape.cc", &SHAPE.replace("return 4", "return 6"));
    session.expect("live");
    assert_eq!(session.ask(), "2 6");
    more(&session);
    let event = session.wait_for("refused");
    assert_eq!(
        (event["problems"][0]["kind"].as_str(), event["then"].as_str()),
        (Some("table"), Some("restart"))
    );
    assert_eq!(event["problems"][0]["symbol"], "_ZTVN1n5ShapeE");
    session.wait_for("started");
    assert_eq!(session.ask(), "1 4");
    let (_, said) = session.end();
    let refused = "shape.cc: objects of n::Shape made before keep the old table of virtual functions";
    assert!(said.contains(refused) && !said.contains("_ZTV"), "{said}");
    assert!(!said.contains("Update::"), "{said}");

    let mut session = Session::start(&FILES, &["--on-incompatible", "ask"]);
    more(&session);
    assert_eq!(session.wait_for("refused")["then"], "asked");
    assert_eq!(session.ask(), "1 4");
}
