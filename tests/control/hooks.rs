//! `hotslot.h` under hotslot: callbacks, safe points and migrations, in a program that is updated.

use crate::place::Place;
use crate::running::Running;

/// Steps through a loop; with an argument each step is a safe point. Says who is called when.
const MAIN: &str = r#"
#include <hotslot.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
int value(void);
static pthread_t first;
static void told(unsigned long generation, void *context) {
    printf("%s %lu, value %d, %s\n", (const char *)context, generation, value(),
           pthread_equal(first, pthread_self()) ? "here" : "elsewhere");
    fflush(stdout);
}
int main(int count, char **words) {
    (void)words;
    first = pthread_self();
    hotslot_before_update(told, "before");
    hotslot_after_update(told, "after");
    hotslot_after_update(told, "also after");
    for (;;) {
        int a = value();
        usleep(2000);
        int b = value();
        printf("%lu %d %d\n", hotslot_generation(), a, b);
        fflush(stdout);
        if (count > 1) hotslot_safe_point();
        if (access("forget", F_OK) == 0 && unlink("forget") == 0) {
            int all = hotslot_forget(told, "before") + hotslot_forget(told, "after");
            printf("forgot %d\n", all);
        }
    }
}
"#;

fn place() -> Place {
    Place::new(&[("main.c", MAIN), ("value.c", "int value(void) { return 1; }\n")])
}

fn story(run: &Running<'_>) -> Vec<String> {
    run.lines().into_iter().filter(|line| line.contains(',')).collect()
}

#[test]
fn callbacks_are_around_the_update_at_the_safe_point() {
    let place = place();
    let run = Running::start(&place, &["main.c", "value.c", "--", "safe"]);
    run.prints("1 1 1");
    run.write("value.c", "int value(void) { return 2; }\n");
    let updated = run.json(&["swap", "value.c"]);
    assert_eq!(updated["effect"], true, "{updated}");
    run.prints("2 2 2");
    let wanted = ["before 2, value 1, here", "after 2, value 2, here", "also after 2, value 2, here"];
    assert_eq!(story(&run), wanted);
    run.write("forget", "");
    run.prints("forgot 2");
    for number in 3..23 {
        run.write("value.c", &format!("int value(void) {{ return {number}; }}\n"));
        run.json(&["swap", "value.c"]);
    }
    run.prints("22 22 22");
    assert_eq!(story(&run).len(), 3 + 20);
    // Between two safe points nothing changes.
    for line in run.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let [_, a, b] = words[..] {
            assert_eq!(a, b, "{line}");
        }
    }
    assert_eq!(run.json(&["status"])["updates"], 21);
}

#[test]
fn without_safe_points_it_happens_beside_the_program() {
    let place = place();
    let run = Running::start(&place, &["main.c", "value.c"]);
    run.prints("1 1 1");
    run.write("value.c", "int value(void) { return 2; }\n");
    run.json(&["swap", "value.c"]);
    run.prints("2 2 2");
    let wanted =
        ["before 2, value 1, elsewhere", "after 2, value 2, elsewhere", "also after 2, value 2, elsewhere"];
    assert_eq!(story(&run), wanted);
}

/// One safe point, and the next when the file `go` is there.
const RARE: &str = r#"
#include <hotslot.h>
#include <stdio.h>
#include <unistd.h>
int value(void);
int main(void) {
    hotslot_safe_point();
    puts("safe");
    fflush(stdout);
    while (access("go", F_OK)) usleep(1000);
    int done = hotslot_safe_point();
    printf("%d %d\n", done, value());
    return 0;
}
"#;

#[test]
fn an_update_waits_and_is_refused_when_nobody_comes() {
    let place = Place::new(&[("main.c", RARE), ("value.c", "int value(void) { return 1; }\n")]);
    let mut run = Running::start(&place, &["--safe-point-wait", "300", "main.c", "value.c"]);
    run.prints("safe");
    run.write("value.c", "int value(void) { return 2; }\n");
    let refused = run.json(&["swap", "value.c"]);
    assert_eq!(
        (&refused["answer"], &refused["why"]),
        (&"refused".into(), &"no-safe-point".into()),
        "{refused}"
    );
    let message = refused["problems"][0]["message"].as_str().unwrap();
    assert_eq!(message, "the program came to no safe point within 0.3 seconds: nothing was changed");
    assert_eq!(run.json(&["status"])["waiting"], false);
    run.write("go", "");
    assert_eq!(run.end().code(), Some(0));
    run.until("the last line", || run.last() == "0 1");
}

#[test]
fn the_end_does_not_wait_for_a_safe_point() {
    let place = Place::new(&[("main.c", RARE), ("value.c", "int value(void) { return 1; }\n")]);
    // It ends without another one.
    run_to_the_end(&place, &RARE.replace("int done = hotslot_safe_point();", "int done = 0;"), "0 1");
    // It comes by just in time.
    run_to_the_end(&place, RARE, "1 2");
}

fn run_to_the_end(place: &Place, main: &str, last: &str) {
    std::fs::write(place.dir.join("main.c"), main).unwrap();
    std::fs::write(place.dir.join("value.c"), "int value(void) { return 1; }\n").unwrap();
    let mut run = Running::start(place, &["main.c", "value.c"]);
    run.prints("safe");
    run.write("value.c", "int value(void) { return 2; }\n");
    let stream = run.connect();
    run.write("value.c", "int value(void) { return 2; }\n");
    std::io::Write::write_all(&mut &stream, b"{\"ask\":\"rebuild\",\"module\":\"value.c\"}\n").unwrap();
    run.until("it waits", || run.json(&["status"])["waiting"] == true);
    let begun = std::time::Instant::now();
    run.write("go", "");
    assert_eq!(run.end().code(), Some(0));
    assert!(begun.elapsed().as_secs() < 8, "{:?}", begun.elapsed());
    run.until("the last line", || run.last() == last);
    std::fs::remove_file(place.dir.join("go")).unwrap();
}

/// A list of numbers, first as `int`, later as pairs.
const STATE: &str = r#"
#include <hotslot.h>
static struct { int x; } points[3] = {{1}, {2}, {3}};
int total = 10;
int value(void) { points[0].x++; return points[0].x + points[1].x + points[2].x + total; }
"#;

const WIDER: &str = r#"
#include <hotslot.h>
#include <stdio.h>
static struct { long x; long y; } points[3];
int total = 10;
HOTSLOT_MIGRATION(points)(void *now, size_t now_size, const void *old, size_t old_size, void *context) {
    const int *from = old;
    printf("carried %zu to %zu, %d\n", old_size, now_size, context == 0);
    for (int i = 0; i < 3; i++) points[i].x = from[i];
    if (now != points) printf("elsewhere\n");
}
int value(void) { return (int)(points[1].x * 100 + points[2].x * 10 + total); }
"#;

#[test]
fn the_edit_that_changes_a_type_brings_its_migration() {
    for options in [&["-O2"][..], &["-O0"], &["-O1", "--lazy"]] {
        let place = Place::new(&[("main.c", MAIN), ("value.c", STATE)]);
        let run = Running::start(&place, &[options, &["main.c", "value.c", "--", "safe"]].concat());
        run.until("it runs", || run.lines().len() > 3);
        // Without one it is refused, and the state stays.
        run.write("value.c", &WIDER.replace("HOTSLOT_MIGRATION(points)", "HOTSLOT_MIGRATION(nothing)"));
        let refused = run.json(&["swap", "value.c"]);
        assert_eq!(
            (&refused["answer"], &refused["why"]),
            (&"refused".into(), &"incompatible".into()),
            "{refused}"
        );
        assert_eq!(refused["problems"][0]["symbol"], "points", "{refused}");
        run.write("value.c", WIDER);
        let updated = run.json(&["swap", "value.c"]);
        assert_eq!(updated["modules"][0]["migrated_variables"][0], "points", "{updated}");
        run.prints("2 240 240");
        assert!(run.lines().iter().any(|line| line == "carried 12 to 48, 1"), "{:?}", run.lines());
        assert!(!run.lines().iter().any(|line| line == "elsewhere"));
        // It is there before the callbacks.
        let told: Vec<String> = story(&run).into_iter().filter(|line| line.contains("after")).collect();
        assert_eq!(told, ["after 2, value 240, here", "also after 2, value 240, here"]);
        // The way back has none.
        let undone = run.json(&["undo"]);
        let note = undone["notes"][0].as_str().unwrap_or_default();
        assert!(note.starts_with("variable points has its initial value: no migration"), "{undone}");
    }
}

/// The migration is registered, with a context, before anything is known of the edit.
const REGISTERS: &str = r#"
#include <hotslot.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int value(void);
static int seen = 0;
static void carry(void *now, size_t now_size, const void *old, size_t old_size, void *context) {
    memcpy(now, old, old_size < now_size ? old_size : now_size);
    ++*(int *)context;
}
int main(void) {
    hotslot_migrate("numbers", carry, &seen);
    for (;;) {
        printf("%d %d\n", value(), seen);
        fflush(stdout);
        if (access("stop", F_OK) == 0) hotslot_migrate("numbers", 0, 0);
        hotslot_safe_point();
        usleep(1000);
    }
}
"#;

#[test]
fn a_registered_migration_is_used_each_time() {
    let state = |count: usize| {
        format!(
            "int numbers[{count}] = {{9}};\nint value(void) {{ return numbers[1] ? numbers[1] : (numbers[1] = 5); }}\n"
        )
    };
    let place = Place::new(&[("main.c", REGISTERS), ("value.c", &state(2))]);
    let run = Running::start(&place, &["main.c", "value.c"]);
    run.prints("5 0");
    for (count, seen) in [(4, 1), (3, 2)] {
        run.write("value.c", &state(count).replace("(numbers[1] = 5)", "0"));
        let updated = run.json(&["swap", "value.c"]);
        assert_eq!(updated["answer"], "updated", "{updated}");
        run.prints(&format!("5 {seen}"));
    }
    run.write("stop", "");
    std::thread::sleep(std::time::Duration::from_millis(50));
    run.write("value.c", &state(7));
    assert_eq!(run.json(&["swap", "value.c"])["why"], "incompatible");
}

/// Ends in a callback, at a safe point.
const ENDS: &str = r#"
#include <hotslot.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int value(void);
static void told(unsigned long generation, void *context) { (void)context; exit((int)generation + 40); }
int main(void) {
    hotslot_after_update(told, 0);
    for (;;) { printf("%d\n", value()); fflush(stdout); hotslot_safe_point(); usleep(1000); }
}
"#;

#[test]
fn a_callback_can_end_the_program() {
    let place = Place::new(&[("main.c", ENDS), ("value.c", "int value(void) { return 1; }\n")]);
    let mut run = Running::start(&place, &["main.c", "value.c"]);
    run.prints("1");
    let begun = std::time::Instant::now();
    let stream = run.connect();
    run.write("value.c", "int value(void) { return 2; }\n");
    std::io::Write::write_all(&mut &stream, b"{\"ask\":\"rebuild\",\"module\":\"value.c\"}\n").unwrap();
    assert_eq!(run.end().code(), Some(42));
    assert!(begun.elapsed().as_secs() < 8, "{:?}", begun.elapsed());
}
