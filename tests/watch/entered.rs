//! Functions that are entered once and stay: edits of what only they call reach the program.

use crate::session::Session;

/// All of it would be a part of `main`: small, called once, through a table, inline.
const ALONE: &str = r#"
#include <stdio.h>
static int bias;
static int tick(int x) { return x * 2; }
static int tock(int x) { bias++; return x * 3; }
static int by_table(int x) { return x * 5; }
static int (*const table[])(int) = { by_table };
static inline __attribute__((always_inline)) int must(int x) { return x; }
int main(void) {
    char line[64];
    int n = 0;
    while (fgets(line, sizeof line, stdin)) {
        n++;
        printf("%d %d %d %d\n", tick(n), tock(n) + tock(0), table[0](n), must(n));
        fflush(stdout);
    }
    return 0;
}
"#;

#[test]
fn what_only_main_calls_is_live_at_once() {
    for options in [&["-O1"][..], &["-O2"], &["-O2", "--optimised-only"], &["-O3", "--lazy"], &["-O0"]] {
        let mut session = Session::start(&[("alone.c", ALONE)], options);
        assert_eq!(session.ask(), "2 3 5 1");
        let edits = [
            ("x * 2", "x * 20", "tick", "40 6 10 2"),
            ("x * 3", "x * 30", "tock", "60 90 15 3"),
            ("x * 5", "x * 50", "by_table", "80 120 200 4"),
        ];
        let mut text = ALONE.to_owned();
        for (from, to, function, answer) in edits {
            text = text.replace(from, to);
            session.save("alone.c", &text);
            let event = session.expect("live");
            assert_eq!(event.of("alone.c", "swapped"), [function], "{options:?}");
            assert_eq!(event["why"].as_array().map(Vec::len), Some(0), "{event:?}");
            if function == "tick" && options == ["-O2"] {
                session.wait_for("optimised");
            }
            assert_eq!(session.ask(), answer, "{options:?}");
        }
    }
}

#[test]
fn what_only_a_thread_calls_is_live_at_once() {
    let text = r#"
        #include <pthread.h>
        #include <stdio.h>
        static int tick(int x) { return x * 2; }
        static void *answer(void *with) {
            char line[64];
            int n = 0;
            while (fgets(line, sizeof line, stdin)) { printf("%d\n", tick(++n)); fflush(stdout); }
            return with;
        }
        static void run(void) {
            pthread_t thread;
            pthread_create(&thread, 0, answer, 0);
            pthread_join(thread, 0);
        }
        int main(void) { run(); return 0; }
    "#;
    for options in [&["-O2"][..], &["-O2", "--optimised-only"]] {
        let mut session = Session::start(&[("thread.c", text)], options);
        assert_eq!(session.ask(), "2");
        session.save("thread.c", &text.replace("x * 2", "x * 20"));
        assert_eq!(session.expect("live").of("thread.c", "swapped"), ["tick"]);
        assert_eq!(session.ask(), "40");
    }
}

#[test]
fn inline_functions_of_cxx() {
    let header = "struct Counter { int n = 0; int next() { return ++n; } };\n\
                  template <class T> T twice(T x) { return x * 2; }\n\
                  inline int tick(int x) { if (x < 0) throw x; return twice(x); }\n";
    let main = "#include <cstdio>\n#include <string>\n#include \"tick.h\"\n\
                static int half(const std::string &s) { return s.size() / 2; }\n\
                int main() {\n    char line[64]; Counter counter; std::string s;\n\
                    while (fgets(line, sizeof line, stdin)) {\n\
                        s += \"four\";\n\
                        try { std::printf(\"%d %d\\n\", tick(counter.next()), half(s)); } catch (int) { }\n\
                        std::fflush(stdout);\n    }\n}\n";
    for options in [&["-O2"][..], &["-O2", "--optimised-only"]] {
        let mut session = Session::start(&[("main.cc", main), ("tick.h", header)], options);
        assert_eq!(session.ask(), "2 2");
        session.save("tick.h", &header.replace("x * 2", "x * 20"));
        session.expect("live");
        assert_eq!(session.ask(), "40 4");
        session.save("tick.h", &header.replace("x * 2", "x * 20").replace("++n", "n += 10"));
        session.expect("live");
        assert_eq!(session.ask(), "240 6");
        session.save("main.cc", &main.replace("size() / 2", "size()"));
        session.expect("live");
        assert_eq!(session.ask(), "440 16");
    }
}

#[test]
fn what_keeps_running_is_told() {
    for options in [&["-O2"][..], &["-O0"], &["-O2", "--entry", "begin"]] {
        let entry = options.last().filter(|_| options.len() > 2).unwrap_or(&"main");
        let text = ALONE.replace("int main(", &format!("int {entry}("));
        let mut session = Session::start(&[("alone.c", &text)], options);
        assert_eq!(session.ask(), "2 3 5 1");
        session.save("alone.c", &text.replace("%d %d %d %d", "%d %d %d and %d"));
        let event = session.expect("live");
        assert_eq!(event.of("alone.c", "swapped"), [*entry]);
        let why = format!("{entry} is still running its old code: its new code is for its next call");
        assert_eq!(event["why"], serde_json::json!([why]));
        assert_eq!(session.ask(), "4 6 10 2");
        let (_, said) = session.end();
        assert!(said.contains(&format!("live\n  {why}\n")), "{said}");
    }
}
