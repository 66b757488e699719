//! Edits that go live, or have no effect, and the program's state through all of them.

use crate::session::{FILES, MAIN, STEP, STEP_H, Session};

#[test]
fn a_body_is_swapped_and_the_state_stays() {
    let mut session = Session::start(&FILES, &[]);
    assert_eq!((session.ask(), session.ask()), ("1 2".to_owned(), "2 4".to_owned()));
    session.save("step.c", &STEP.replace("x * BY", "x * BY + 1000"));
    let event = session.expect("live");
    assert_eq!(event.modules(), ["step.c"]);
    assert_eq!(event.of("step.c", "swapped"), ["step"]);
    assert_eq!(event["modules"][0]["generation"], 2);
    for list in ["new", "removed", "new_variables", "reset_variables", "kept_variables"] {
        assert!(event.of("step.c", list).is_empty(), "{event:?}");
    }
    let times = &event["times"];
    assert!(times["front_end_ms"].as_f64().unwrap() > 0.0 && times["code_ms"].as_f64().unwrap() > 0.0);
    assert!(times["total_ms"].as_f64().unwrap() >= times["front_end_ms"].as_f64().unwrap(), "{event:?}");
    session.wait_for("optimised");
    assert_eq!(session.ask(), "3 1006");
    let (code, said) = session.end();
    assert_eq!(code, 7);
    assert!(said.starts_with("✔ step.c v2 · 1 function swapped · front end "), "{said}");
    assert!(said.ends_with(" · live\n") && said.lines().count() == 1, "{said}");
}

#[test]
fn functions_come_and_go() {
    let mut session = Session::start(&FILES, &[]);
    assert_eq!(session.ask(), "1 2");
    session.save(
        "step.c",
        "#include \"step.h\"\nint more(int x) { return x + 5; }\nint step(int x) { return more(x); }\n",
    );
    let event = session.expect("live");
    assert_eq!(
        (event.of("step.c", "new"), event.of("step.c", "swapped")),
        (names(&["more"]), names(&["step"]))
    );
    assert_eq!(session.ask(), "2 7");
    session.save("step.c", "#include \"step.h\"\nstatic int more(int x) { return x + 6; }\nint step(int x) { return more(x); }\n");
    session.expect("live");
    assert_eq!(session.ask(), "3 9");
    session.save("step.c", STEP);
    let event = session.expect("live");
    assert_eq!(event.of("step.c", "removed"), ["more"]);
    assert_eq!(session.ask(), "4 8");
    session.save("step.c", &STEP.replace("x * BY", "x - BY"));
    session.expect("live");
    // What other modules need does not go.
    session.save("step.c", "int other(void) { return 1; }\n");
    let event = session.expect("link-error");
    assert_eq!(event["problems"][0]["kind"], "missing");
    assert_eq!(event["problems"][0]["symbol"], "step");
    assert!(event["problems"][0]["message"].as_str().unwrap().contains("wanted by main.c"), "{event:?}");
    assert_eq!(session.ask(), "5 3");
    session.save("step.c", &STEP.replace("x * BY", "x - 1"));
    session.expect("live");
    assert_eq!(session.ask(), "6 5");

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}

#[test]
fn variables_are_kept_added_and_changed() {
    let step = "#include \"step.h\"\nint total = 100;\nint step(int x) { return total += x; }\n";
    let mut session = Session::start(&[FILES[0], FILES[1], ("step.c", step)], &[]);
    assert_eq!(session.ask(), "1 101");
    // An initial value is for those that are new.
    session.save("step.c", &step.replace("= 100", "= 500"));
    let event = session.expect("no-effect");
    assert_eq!(event.of("step.c", "kept_variables"), ["total"]);
    assert!(event["why"][0].as_str().unwrap().starts_with("total keeps the value"), "{event:?}");
    assert_eq!(session.ask(), "2 103");
    let more = "#include \"step.h\"\nint total = 500;\nint extra = 7000;\n\
                int step(int x) { return extra++ + (total += x); }\n";
    session.save("step.c", more);
    let event = session.expect("live");
    assert_eq!(event.of("step.c", "new_variables"), ["extra"]);
    assert_eq!((session.ask(), session.ask()), ("3 7106".to_owned(), "4 7111".to_owned()));
    // A constant of another value is another one for all who read it.
    let table = "#include \"step.h\"\nconst int table[] = { 1, 2, 3, 4, 5, 6, 7, 8 };\nint step(int x) { return table[x % 8]; }\n";
    session.save("step.c", table);
    session.expect("live");
    assert_eq!(session.ask(), "5 6");
    session.save("step.c", &table.replace("6, 7, 8", "60, 70, 80"));
    session.expect("live");
    assert_eq!(session.ask(), "6 70");
}

#[test]
fn a_header_reaches_every_file_that_includes_it() {
    let unit = |n: usize| {
        (format!("u{n}.c"), format!("#include \"step.h\"\nint f{n}(int x) {{ return x * BY + {n}; }}\n"))
    };
    let units: Vec<(String, String)> = (0..12).map(unit).collect();
    let sum: Vec<String> = (0..12).map(|n| format!("f{n}(x)")).collect();
    let declared: Vec<String> = (0..12).map(|n| format!("int f{n}(int);")).collect();
    let step = format!(
        "#include \"step.h\"\n{}\nint step(int x) {{ return {}; }}\n",
        declared.join(" "),
        sum.join(" + ")
    );
    let mut files = vec![FILES[0], FILES[1], ("step.c", &step)];
    files.extend(units.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let mut session = Session::start(&files, &[]);
    assert_eq!(session.ask(), "1 90");
    session.save("step.h", &STEP_H.replace("BY 2", "BY 10"));
    let event = session.expect("live");
    // Those that include it and are the same with it are none of the update's business.
    assert_eq!(event.modules().len(), 12, "{event:?}");
    assert_eq!(session.ask(), "2 306");
    // A new header, which the next edit changes.
    session.save("more.h", "#define MORE 1\n");
    session.save("u3.c", "#include \"more.h\"\nint f3(int x) { return MORE; }\n");
    assert_eq!(session.expect("live").modules(), ["u3.c"]);
    session.save("more.h", "#define MORE 100000\n");
    assert_eq!(session.expect("live").modules(), ["u3.c"]);
    assert_eq!(session.ask(), "3 100393");
}

#[test]
fn what_makes_no_code_has_no_effect() {
    let mut session = Session::start(&FILES, &[]);
    session.save("step.c", &format!("{STEP}// a comment\n#define UNUSED 1\n"));
    let event = session.expect("no-effect");
    assert_eq!(event.modules(), ["step.c"]);
    assert!(event["why"][0].as_str().unwrap().starts_with("the code is the same"), "{event:?}");
    session.save("main.c", &format!("\n\n{MAIN}"));
    session.expect("no-effect");
    assert_eq!(session.ask(), "1 2");
    let (_, said) = session.end();
    assert!(said.contains("= step.c v1 · no effect\n"), "{said}");
}

#[test]
fn cxx_with_classes_and_templates() {
    let main = "#include <cstdio>\n#include \"shape.h\"\nint main() {\n\
                    Shape *shape = make(); char line[64]; int n = 0;\n\
                    while (fgets(line, sizeof line, stdin)) { printf(\"%d %d\\n\", ++n, shape->area()); fflush(stdout); }\n\
                }\n";
    let header = "struct Shape { virtual int area() const = 0; virtual ~Shape() = default; };\nShape *make();\n\
                  template <class T> T twice(T x) { return x * 2; }\n";
    let shape = "#include \"shape.h\"\nstruct Square : Shape { int side = 3; int area() const override { return side * side; } };\n\
                 Shape *make() { return new Square; }\n";
    let mut session = Session::start(&[("main.cc", main), ("shape.h", header), ("shape.cc", shape)], &[]);
    assert_eq!(session.ask(), "1 9");
    // The object that is there follows.
    session.save("shape.cc", &shape.replace("side * side", "twice(side)"));
    session.expect("live");
    assert_eq!(session.ask(), "2 6");
    session.save("shape.h", &header.replace("x * 2", "x * 2 + 1"));
    session.expect("live");
    assert_eq!(session.ask(), "3 7");
}
