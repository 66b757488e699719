//! What can be asked, and that it is done.

use crate::place::Outcome;
use crate::running::{Running, counting};

#[test]
fn an_update_goes_live_and_is_taken_back() {
    let place = counting();
    let mut run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    run.prints("1 1");
    run.write("value.c", "int value(void) { return 2; }\nint more(void) { return value(); }\n");
    let outcome = run.ctl(&["swap", "value.c"]);
    assert_eq!((outcome.code(), outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    assert!(outcome.stdout.starts_with("value.c v2 · value swapped · more new\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains(" · live after "), "{}", outcome.stdout);
    run.prints("2 1");

    let again = run.json(&["swap", "value.c"]);
    assert_eq!((&again["answer"], &again["effect"]), (&"updated".into(), &false.into()), "{again}");
    let status = run.json(&["status"]);
    assert_eq!((&status["updates"], &status["watching"]), (&1.into(), &false.into()), "{status}");
    assert_eq!(status["process"], run.child.id());
    assert_eq!(status["modules"][2]["module"], "value.c");
    // What is the same pushes no generation out that can be returned to.
    assert_eq!(status["modules"][2]["generation"], 2);
    let history = run.json(&["history", "value.c"]);
    let generations = history["modules"][0]["generations"].as_array().unwrap();
    assert_eq!(generations.len(), 2, "{history}");
    assert_eq!(generations[1]["changed_functions"][0], "value");
    assert!(generations[1]["live"].as_bool().unwrap());

    // What had no effect is not what is undone.
    let undone = run.json(&["undo"]);
    assert_eq!(undone["modules"][0]["generation"], 1, "{undone}");
    assert_eq!(undone["modules"][0]["restored"], true);
    run.prints("1 1");
    let nothing = run.ctl(&["undo"]);
    assert_eq!((nothing.code(), nothing.stderr.as_str()), (1, "hotslot: there is no update to take back\n"));

    let back = run.ctl(&["rollback", "value.c", "2"]);
    assert_eq!(back.code(), 0, "{back:?}");
    run.prints("2 1");
    run.ctl(&["rollback", "value.c"]);
    run.prints("1 1");
    let unknown = run.ctl(&["rollback", "value.c", "17"]);
    assert_eq!(unknown.code(), 1, "{unknown:?}");
    assert!(unknown.stderr.contains("generation 17 of value.c is not kept"), "{}", unknown.stderr);

    assert_eq!(run.ctl(&["pending"]).code(), 0);
    assert_eq!(run.json(&["reclaim"])["answer"], "reclaimed");
    assert_eq!(run.json(&["pending"])["answer"], "pending");
    let quits = run.ctl(&["quit"]);
    assert_eq!((quits.code(), quits.stdout.as_str()), (0, "the program ends\n"));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&run.end()), Some(libc::SIGTERM));
    assert!(!place.dir.join("s.sock").exists());
}

#[test]
fn several_files_are_one_update() {
    let place = counting();
    let run = Running::start(&place, &["-O1", "main.c", "value.c", "other.c"]);
    run.prints("1 1");
    // Either alone would change the type that the other counts on.
    run.write("value.c", "long part(long); int value(void) { return (int)part(1) + 4; }\n");
    run.write("other.c", "long part(long x) { return x; } int other(void) { return 5; }\n");
    let alone = run.ctl(&["swap", "value.c"]);
    assert_eq!((alone.code(), alone.stdout.as_str()), (1, ""));
    assert!(alone.stderr.contains("undefined symbol: part") || alone.stderr.contains("part"), "{alone:?}");
    assert!(
        alone.stderr.ends_with("hotslot: it cannot be linked: the old code is still running\n"),
        "{alone:?}"
    );
    let both = run.json(&["swap", "value.c", "other.c"]);
    assert_eq!(both["modules"].as_array().map(Vec::len), Some(2), "{both}");
    run.prints("5 5");
    assert!(run.lines().iter().all(|line| line == "1 1" || line == "5 5" || line == "1 5" || line == "5 1"));
    assert_eq!(run.json(&["undo"])["modules"].as_array().map(Vec::len), Some(2));
    run.prints("1 1");
    run.write("other.c", "int other(void) { return 8; }\n");
    run.write("value.c", "int value(void) { return 9; }\n");
    assert_eq!(run.json(&["rebuild"])["modules"].as_array().map(Vec::len), Some(2));
    run.prints("9 8");
}

#[test]
fn what_is_refused_changes_nothing() {
    let place = counting();
    let run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    run.prints("1 1");
    run.write("value.c", "int value(void) { return nowhere; }\n");
    let broken = run.ctl(&["rebuild", "value.c"]);
    assert_eq!((broken.code(), broken.stdout.as_str()), (1, ""));
    // clang's own words, unchanged.
    assert!(broken.stderr.starts_with("value.c:1:26: error: use of undeclared identifier 'nowhere'\n"));
    assert!(broken.stderr.ends_with("hotslot: it does not compile: the old code is still running\n"));
    assert_eq!(run.json(&["swap", "value.c"])["why"], "compile-error");

    // Two problems, and both are told.
    run.write("value.c", "long value(int x) { return x; }\n");
    run.write("other.c", "long other(int x) { return x; }\n");
    let refused = run.json(&["swap", "value.c", "other.c"]);
    assert_eq!(refused["why"], "incompatible", "{refused}");
    let problems = refused["problems"].as_array().unwrap();
    let symbols: Vec<&str> = problems.iter().filter_map(|problem| problem["symbol"].as_str()).collect();
    assert_eq!(symbols, ["value", "other"], "{refused}");
    assert!(problems[0]["message"].as_str().unwrap().contains("main.c"), "{refused}");
    assert!(problems[0]["hint"].is_string(), "{refused}");
    run.prints("1 1");
    assert_eq!(run.json(&["status"])["updates"], 0);
}

#[test]
fn any_kind_of_file_takes_a_modules_place() {
    let place = counting();
    let run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    run.prints("1 1");
    for (number, flags, file) in
        [(2, "-c", "new.o"), (3, "-c -emit-llvm", "new.bc"), (4, "-S -emit-llvm", "new.ll")]
    {
        run.write("new.c", &format!("int value(void) {{ return {number}; }}\n"));
        let flags = flags.split(' ').chain(["-O1", "-fPIC", "new.c", "-o", file]);
        place.tool("clang-19", &flags.collect::<Vec<_>>());
        let outcome = run.ctl(&["swap", &format!("value.c={file}")]);
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        run.prints(&format!("{number} 1"));
    }
    run.write("new.c", "int value(void) { return 5; }\n");
    assert_eq!(run.ctl(&["swap", "value.c=new.c"]).code(), 0);
    run.prints("5 1");
    let unknown = run.ctl(&["swap", "new.c"]);
    assert_eq!(unknown.code(), 2);
    assert!(
        unknown.stderr.contains("no module was made of this file; those there are: main.c, value.c, other.c")
    );
    assert_eq!(run.ctl(&["swap", "nix.c=new.c"]).stderr, "hotslot: there is no module nix.c\n");
    assert_eq!(
        run.ctl(&["swap", "value.c", "./value.c"]).stderr,
        "hotslot: module value.c is to be replaced twice\n"
    );
}

#[test]
fn nobody_is_there() {
    let place = counting();
    let ctl = |path: &str| Outcome::of(&mut place.hotslot(&["ctl", path, "status"]));
    ctl("nix.sock").refused(&["hotslot: nix.sock: there is no such socket"]);
    ctl("main.c").refused(&["hotslot: main.c: this is not a socket"]);
    drop(std::os::unix::net::UnixListener::bind(place.dir.join("old.sock")).unwrap());
    ctl("old.sock").refused(&["hotslot: old.sock: nobody listens there any more: the program has ended"]);
    let silent = std::os::unix::net::UnixListener::bind(place.dir.join("silent.sock")).unwrap();
    let outcome = Outcome::of(&mut place.hotslot(&["ctl", "silent.sock", "status", "--timeout", "50"]));
    outcome.refused(&["hotslot: silent.sock: no answer within 50 ms"]);
    std::thread::spawn(move || {
        let (mut stream, _) = silent.accept().unwrap();
        let (mut stream2, _) = silent.accept().unwrap();
        drop(std::io::Write::write_all(&mut stream, b"what?\n"));
        drop(std::io::Write::write_all(&mut stream2, b"what?\n"));
        std::thread::sleep(std::time::Duration::from_secs(5));
    });
    let outcome = ctl("silent.sock");
    assert!(outcome.stderr.contains("this is no answer of hotslot's"), "{outcome:?}");
}

#[test]
fn the_program_may_have_gone_to_another_folder() {
    let place = counting();
    std::fs::create_dir(place.dir.join("elsewhere")).unwrap();
    let run = Running::start(&place, &["main.c", "value.c", "other.c"]);
    run.write("value.c", "#include <unistd.h>\nint value(void) { return chdir(\"/\") + 2; }\n");
    assert_eq!(run.ctl(&["swap", "value.c"]).code(), 0);
    run.prints("2 1");
    run.write("value.c", "#include \"three.h\"\nint value(void) { return THREE; }\n");
    run.write("three.h", "#define THREE 3\n");
    assert_eq!(run.ctl(&["rebuild", "value.c"]).code(), 0);
    run.prints("3 1");
    let outcome = place
        .hotslot(&["ctl", "../s.sock", "swap", "../value.c"])
        .current_dir(place.dir.join("elsewhere"))
        .output();
    assert_eq!(Outcome::from(outcome.unwrap()).code(), 0);
}

#[test]
fn rebuilding_all_leaves_archives_alone() {
    let place = counting();
    place.tool("clang-19", &["-c", "value.c"]);
    place.tool("ar", &["rcs", "libvalue.a", "value.o"]);
    let run = Running::start(&place, &["--watch", "main.c", "other.c", "libvalue.a"]);
    run.prints("1 1");
    let rebuilt = run.ctl(&["rebuild"]);
    assert_eq!(rebuilt.code(), 0, "{rebuilt:?}");
    // And nothing stays that is in the way of the next save.
    run.write("other.c", "int other(void) { return 5; }\n");
    run.prints("1 5");
}
