//! The ways in which files are saved.

use std::fs;

use crate::place::Place;
use crate::session::{FILES, MAIN, STEP, STEP_H, Session, names};

#[test]
fn by_renaming_by_removing_and_by_linking() {
    let mut session = Session::start(&FILES, &[]);
    let at = |session: &Session, name: &str| session.place.dir.join(name);
    session.save(".step.c.swp", &STEP.replace("BY", "3"));
    fs::rename(at(&session, ".step.c.swp"), at(&session, "step.c")).unwrap();
    session.expect("live");
    assert_eq!(session.ask(), "1 3");
    // The old one aside, the new one in its place.
    fs::rename(at(&session, "step.c"), at(&session, "step.c~")).unwrap();
    session.save("step.c", &STEP.replace("BY", "4"));
    session.wait_for("live");
    assert_eq!(session.ask(), "2 8");
    // A link to a file elsewhere.
    fs::create_dir(at(&session, "elsewhere")).unwrap();
    session.save("elsewhere/step.c", &STEP.replace("BY", "5"));
    std::os::unix::fs::symlink("elsewhere/step.c", at(&session, "link")).unwrap();
    fs::rename(at(&session, "link"), at(&session, "step.c")).unwrap();
    session.wait_for("live");
    assert_eq!(session.ask(), "3 15");
    session.save("elsewhere/step.c", &STEP.replace("BY", "6"));
    session.wait_for("live");
    assert_eq!(session.ask(), "4 24");
}

#[test]
fn what_is_saved_while_the_program_is_compiled_goes_live_in_all_of_its_units() {
    let main = MAIN.replace("int count;", "int count, other(void);");
    let place = Place::new(&[
        ("main.c", &main.replace("step(count)", "step(count) + other()")),
        ("other.c", "#include \"step.h\"\nint other(void) { return BY; }\n"),
        FILES[1],
        FILES[2],
        ("new.h", &STEP_H.replace("BY 2", "BY 50")),
    ]);
    // When all of them are compiled, and before they are watched.
    place.script(
        "clang",
        "#!/bin/sh\nclang-19 \"$@\"\ncode=$?\ncase \"$*\" in *step.c*)\n\
         [ ! -e new.h ] || { sleep 2; mv new.h step.h; };;\nesac\nexit $code\n",
    );
    let clang = place.dir.join("clang");
    let mut session = Session::of(place, &["--cc", clang.to_str().unwrap(), "main.c", "other.c", "step.c"]);
    assert_eq!(session.expect("live").modules(), ["other.c", "step.c"]);
    assert_eq!(session.ask(), "1 100");
}

#[test]
fn the_same_content_is_no_change() {
    let mut session = Session::start(&FILES, &[]);
    session.save("step.c", STEP);
    assert_eq!(names(&session.wait_for("unchanged")["files"]), ["step.c"]);
    let file = fs::File::options().append(true).open(session.place.dir.join("step.c")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    drop(file);
    assert_eq!(names(&session.wait_for("unchanged")["files"]), ["step.c"]);
    assert_eq!(session.ask(), "1 2");
    session.save("step.c", &STEP.replace("BY", "9"));
    assert_eq!(session.expect("live")["modules"][0]["generation"], 2);
}

#[test]
fn two_files_at_once_are_one_update() {
    let mut session = Session::start(&FILES, &["--debounce", "200"]);
    assert_eq!(session.ask(), "1 2");
    // Each alone would not fit.
    session.save("step.h", &STEP_H.replace("int step(int)", "long step(double)"));
    session.save("step.c", "#include \"step.h\"\nlong step(double x) { return x * 50; }\n");
    session.save("main.c", &MAIN.replace("step(count)", "step(count + 0.5)"));
    assert_eq!(session.expect("live").modules(), ["main.c", "step.c"]);
    // `main` runs and goes on with what it was compiled with, which was said to be so.
    session.save("step.c", "#include \"step.h\"\nlong step(double x) { return 12; }\n");
    session.expect("live");
}

#[test]
fn a_newer_save_overtakes() {
    let mut session = Session::start(&FILES, &["--debounce", "0"]);
    for n in 0..20 {
        session.save("step.c", &STEP.replace("BY", &format!("{n}")));
    }
    session.save("step.c", &STEP.replace("BY", "1000"));
    // However many of them went live, the last one is.
    loop {
        session.wait_for("live");
        let answer = session.ask();
        let (count, result) = answer.split_once(' ').unwrap();
        if result.parse() == Ok(1000 * count.parse::<u64>().unwrap()) {
            break;
        }
    }
}

#[test]
fn a_burst_of_two_hundred_files() {
    let unit = |n: usize, by: usize| (format!("u{n}.c"), format!("int f{n}(int x) {{ return x * {by}; }}\n"));
    let units: Vec<(String, String)> = (0..200).map(|n| unit(n, 1)).collect();
    let declared: String = (0..200).map(|n| format!("int f{n}(int);\n")).collect();
    let sum: Vec<String> = (0..200).map(|n| format!("f{n}(x)")).collect();
    let step = format!("{declared}int step(int x) {{ return {}; }}\n", sum.join(" + "));
    let mut files = vec![FILES[0], FILES[1], ("step.c", &step)];
    files.extend(units.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let mut session = Session::start(&files, &["-O0", "--debounce", "300"]);
    assert_eq!(session.ask(), "1 200");
    for n in 0..200 {
        let (name, text) = unit(n, 3);
        session.save(&name, &text);
    }
    assert_eq!(session.expect("live").modules().len(), 200);
    assert_eq!(session.ask(), "2 1200");
}

#[test]
fn a_directory_that_goes_and_comes_back() {
    let place = Place::new(&[("main.c", &MAIN.replace("step.h", "src/step.h"))]);
    let src = place.dir.join("src");
    let fill = |by: &str| {
        fs::create_dir(&src).unwrap();
        fs::write(src.join("step.h"), STEP_H.replace("BY 2", by)).unwrap();
        fs::write(src.join("step.c"), STEP).unwrap();
    };
    fill("BY 2");
    let mut session = Session::of(place, &["main.c", "src/step.c"]);
    assert_eq!(session.ask(), "1 2");
    // As when a branch is left that has it for one that has not.
    fs::remove_dir_all(&src).unwrap();
    session.wait_for("compile-error");
    fill("BY 3");
    session.wait_for("live");
    assert_eq!(session.ask(), "2 6");
    session.save("src/step.h", &STEP_H.replace("BY 2", "BY 4"));
    session.wait_for("live");
    assert_eq!(session.ask(), "3 12");
    fs::rename(&src, src.with_extension("old")).unwrap();
    session.wait_for("compile-error");
    fill("BY 5");
    session.wait_for("live");
    assert_eq!(session.ask(), "4 20");
}
