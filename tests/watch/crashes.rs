//! An edit that crashes: what is told, and what runs afterwards.

use crate::session::Session;

const MAIN: &str = r#"
#include <hotslot.h>
#include <stdio.h>
int step(int);
int count, result;
static void turn(void *data) { result = step(count); (void)data; }
int main(void) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        count++;
        int crashed = hotslot_guard(turn, 0);
        printf("%d %d %d\n", count, crashed, result);
        fflush(stdout);
    }
    return 7;
}
"#;
const STEP: &str = "int step(int x) { return x * 2; }\n";
const BAD: &str = "int *nowhere;\n\nint step(int x) {\n    return *nowhere + x;\n}\n";

#[test]
fn a_guarded_crash_takes_the_update_back() {
    let options = ["--on-crash", "rollback", "--cflags", "-g"];
    let mut session = Session::start(&[("main.c", MAIN), ("step.c", STEP)], &options);
    assert_eq!(session.ask(), "1 0 2");
    for round in 0..3 {
        session.save("step.c", BAD);
        session.expect("live");
        let count = 2 + round * 3;
        assert_eq!(session.ask(), format!("{count} 1 {}", (count - 1) * if round == 0 { 2 } else { 3 }));
        let crash = session.expect("crash");
        assert_eq!((&crash["signal"], &crash["function"]), (&"SIGSEGV".into(), &"step".into()));
        assert_eq!((&crash["module"], &crash["rolled_back"]), (&"step.c".into(), &true.into()));
        assert!(crash["place"].as_str().unwrap().ends_with("step.c:4"), "{crash:?}");
        assert!(crash["changed_last"].as_bool().unwrap() && crash["backtrace"].as_array().unwrap().len() > 1);
        // The code before the edit, with the state that there is.
        let factor = if round == 0 { 2 } else { 3 };
        assert_eq!(session.ask(), format!("{} 0 {}", count + 1, (count + 1) * factor));
        // What the file said before is not what it says: any save of it goes live.
        session.save("step.c", &STEP.replace('2', "3"));
        let event = session.next();
        assert!(["live", "no-effect"].contains(&event["event"].as_str().unwrap()), "{event:?}");
        assert_eq!(session.ask(), format!("{} 0 {}", count + 2, (count + 2) * 3));
    }
    let (code, said) = session.end();
    assert_eq!(code, 7);
    assert!(said.contains("the last update is undone: step.c"), "{said}");
}

#[test]
fn a_crash_that_nobody_guards_is_told_before_the_end() {
    let main = "#include <stdio.h>\nint step(int);\nint main(void) {\n    char line[64];\n    int n = 0;\n\
                while (fgets(line, sizeof line, stdin)) { printf(\"%d\\n\", step(++n)); fflush(stdout); }\n}\n";
    let mut session = Session::start(&[("main.c", main), ("step.c", STEP)], &["--cflags", "-g"]);
    assert_eq!(session.ask(), "2");
    session.save("step.c", BAD);
    session.expect("live");
    session.send();
    let crash = session.expect("crash");
    assert_eq!((&crash["function"], &crash["rolled_back"]), (&"step".into(), &false.into()));
    let (code, said) = session.end();
    assert_eq!(code, -1, "by the signal");
    assert!(said.contains("the program crashed: SIGSEGV at address 0x0 in step"), "{said}");
}
