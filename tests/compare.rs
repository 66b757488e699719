//! `hotslot compare` from outside: every way has a row, edits arrive, and what goes wrong is said.

#[path = "cli/place.rs"]
#[allow(dead_code)]
mod place;

use place::{Outcome, Place};
use serde_json::Value;

const HEADER: (&str, &str) = ("k.h", "#define K 1\nint twice(int);\n");
const MAIN: (&str, &str) = (
    "main.c",
    "#include <stdio.h>\n#include \"k.h\"\nint version(void) { return K; }\n\
     int main(void) { printf(\"%d\\n\", twice(version())); return 3; }\n",
);
const TWICE: (&str, &str) =
    ("twice.c", "#include \"k.h\"\nstatic int calls;\nint twice(int x) { calls++; return 2 * x; }\n");
const EDITED: &str = "#include <stdio.h>\n#include \"k.h\"\nint version(void) { return twice(K + 20); }\n\
                      int main(void) { return 4; }\n";

const WAYS: [&str; 9] = [
    "hotslot",
    "hotslot-full",
    "relink",
    "relink-lto",
    "closure",
    "dlopen",
    "native",
    "native-lld",
    "native-mold",
];

fn compare(place: &Place, args: &[&str]) -> Outcome {
    Outcome::of(place.hotslot(&["compare", "--rounds", "1"]).args(args))
}

/// The JSON of a comparison that succeeds.
#[track_caller]
fn measured(place: &Place, args: &[&str]) -> Value {
    let outcome = compare(place, &[&["--json"], args].concat());
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

#[track_caller]
fn way<'v>(json: &'v Value, name: &str) -> &'v Value {
    let mut ways = json["ways"].as_array().expect("a list").iter();
    ways.find(|way| way["way"] == name).unwrap_or_else(|| panic!("no way {name}: {json}"))
}

/// Every way that this machine has the tools for, with a time that its phases fit into.
#[track_caller]
fn all_ways(json: &Value) -> Vec<&Value> {
    let ways: Vec<&Value> = WAYS.iter().map(|name| way(json, name)).collect();
    let installed: Vec<&Value> = ways.into_iter().filter(|way| way["installed"] == true).collect();
    for way in &installed {
        assert_eq!(way["error"], Value::Null, "{way}");
        let live = way["live"].as_f64().unwrap();
        assert!(live > 0.0, "{way}");
        assert!(way["ratio"].as_f64().unwrap() > 0.0, "{way}");
        for memory in ["before", "after"] {
            assert!(way[memory]["resident"].as_u64().unwrap() > 1 << 16, "{way}");
            assert!(way[memory]["mappings"].as_u64().unwrap() > 5, "{way}");
        }
        let phases = way["phases"].as_object().unwrap();
        assert!(!phases.is_empty(), "{way}");
        // With one edit, medians add up.
        if way["each"].as_array().unwrap().len() == 1 {
            let sum: f64 = phases.values().map(|phase| phase.as_f64().unwrap()).sum();
            // But for the last digit.
            assert!(sum > 0.0 && sum <= live * 1.000_001, "{sum} of {live}: {way}");
        }
    }
    installed
}

#[test]
fn an_edit_is_live_by_every_way() {
    let place = Place::new(&[HEADER, MAIN, TWICE]);
    std::fs::create_dir(place.dir.join("new")).unwrap();
    // It finds the header beside the file that it replaces.
    std::fs::write(place.dir.join("new/main.c"), EDITED).unwrap();
    let args = ["main.c", "twice.c", "--edit", "new/main.c", "--call", "version", "--count", "1", "--run"];
    let json = measured(&place, &args);
    assert_eq!((&json["modules"], &json["made_up"]), (&2.into(), &false.into()));
    assert!(json["front_end"].as_f64().unwrap() > 0.0);
    let ways = all_ways(&json);
    assert!(ways.len() >= 6, "{json}");
    for way in ways {
        assert_eq!(way["answers"], serde_json::json!([42]), "{way}");
        // The program itself runs as it was.
        assert_eq!(way["exit_code"], 3, "{way}");
        assert!(way["run"].as_f64().unwrap() > 0.0, "{way}");
    }
}

#[test]
fn edits_are_made_up() {
    let place = Place::new(&[HEADER, MAIN, TWICE]);
    let json = measured(&place, &["main.c", "twice.c", "--count", "3", "-O0"]);
    assert_eq!((&json["made_up"], &json["level"]), (&true.into(), &"O0".into()));
    for way in all_ways(&json) {
        assert_eq!(way["each"].as_array().unwrap().len(), 3, "{way}");
        assert_eq!((&way["answers"], &way["run"]), (&serde_json::json!([]), &Value::Null), "{way}");
    }
}

#[test]
fn cxx_with_constructors_and_exceptions() {
    let main = "int thrower(int);\nstruct S { int *v; S() : v(new int(30)) {} ~S() { delete v; } } s;\n\
        extern \"C\" int answer() { try { return thrower(1); } catch (int x) { return *s.v + x; } }\n\
        int main() { return answer(); }\n";
    let other = "int thrower(int x) { if (x) throw x; return 0; }\n";
    let place = Place::new(&[("m.cpp", main), ("n.cpp", other), ("e.cpp", &main.replace("+ x", "+ 2"))]);
    let args = ["m.cpp", "n.cpp", "--edit", "m.cpp=e.cpp", "--call", "answer", "--count", "2", "--run"];
    for way in all_ways(&measured(&place, &args)) {
        assert_eq!((&way["answers"], &way["exit_code"]), (&serde_json::json!([32]), &31.into()), "{way}");
    }
}

#[test]
fn ir_needs_no_front_end() {
    let text = "define i32 @f() {\n ret i32 1\n}\n";
    let place = Place::new(&[("f.ll", text), ("g.ll", &text.replace("i32 1", "i32 2"))]);
    let json = measured(&place, &["f.ll", "--edit", "f.ll=g.ll", "--call", "f", "--count", "1"]);
    assert_eq!(json["front_end"], Value::Null);
    for way in all_ways(&json) {
        assert_eq!(way["answers"], serde_json::json!([2]), "{way}");
    }
}

#[test]
fn what_a_way_cannot_do_is_a_row() {
    // LLJIT has no thread-local variables without LLVM's runtime library, and a shared library
    // that ends the process takes only its own way down.
    let text = "#include <dlfcn.h>\n#include <stdlib.h>\n#include <string.h>\n\
        _Thread_local int t; int f(void) { return t++; }\n\
        __attribute__((constructor)) static void start(void) {\n\
          Dl_info info; if (dladdr((void *)start, &info) && strstr(info.dli_fname, \".so\")) abort(); }\n";
    let place = Place::new(&[("f.c", text)]);
    let args = ["f.c", "--cflags=-D_GNU_SOURCE", "--count", "1", "--way", "hotslot,relink,dlopen,native"];
    let json = measured(&place, &args);
    for (name, why) in [("relink", "LLJIT"), ("dlopen", "signal: 6")] {
        let error = way(&json, name)["error"].as_str().unwrap();
        assert!(error.contains(why), "{error}");
    }
    for name in ["hotslot", "native"] {
        assert!(way(&json, name)["live"].as_f64().unwrap() > 0.0, "{json}");
    }
    let outcome = compare(&place, &args);
    assert!(outcome.stdout.contains("relink        failed: LLJIT"), "{outcome:?}");
}

#[test]
fn a_linker_that_is_missing_is_a_row() {
    let place = Place::new(&[("f.c", "int f(void) { return 1; }\n")]);
    let tools = place.dir.join("bin");
    std::fs::create_dir(&tools).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for tool in ["clang-19", "clang++-19", "ld"] {
        let found = std::env::split_paths(&path).map(|dir| dir.join(tool)).find(|path| path.exists());
        let found = found.expect(tool);
        std::os::unix::fs::symlink(found, tools.join(tool)).unwrap();
    }
    let args = ["compare", "f.c", "--rounds", "1", "--count", "1", "--way", "hotslot,native,native-mold"];
    let outcome = Outcome::of(place.hotslot(&args).env("PATH", &tools));
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert!(outcome.stdout.contains("native-mold   mold is not installed"), "{outcome:?}");
    assert!(outcome.stdout.contains("native        the program starts again"), "{outcome:?}");
}

#[test]
fn mistakes_are_said_and_nothing_is_measured() {
    let place = Place::new(&[HEADER, MAIN, TWICE, ("data.c", "static int x;\n"), ("broken.c", "int f( {\n")]);
    std::fs::create_dir(place.dir.join("sub")).unwrap();
    std::fs::write(place.dir.join("sub/main.c"), "int other;\n").unwrap();
    let cases: &[(&[&str], &str, &str)] = &[
        (&["absent.c"], "absent.c: No such file", ""),
        (&["main.c", "--edit", "absent.c"], "--edit absent.c: No such file", ""),
        (&["main.c", "--edit", "twice.c"], "--edit twice.c: none of the files has this name", "OLD=NEW"),
        (&["main.c", "--edit", "main.c"], "--edit main.c: this is the file itself", "changed copy"),
        (&["main.c", "sub/main.c", "--edit", "x/main.c=twice.c"], "several files", "path/of/OLD"),
        (&["main.c", "--edit", "sub/main.c"], "sub/main.c: defines no function that others can call", ""),
        (&["main.c", "twice.c", "--edit", "main.c=twice.c", "--call", "no"], "defines no function `no`", ""),
        (&["main.c", "--call", "version"], "--edit", ""),
        (&["data.c"], "there is nothing to edit", ""),
        (&["k.o"], "k.o: objects and archives cannot be compared", "sources"),
        (&["broken.c"], "broken.c: clang-19 failed", ""),
        (&["main.c", "--way", "magic"], "magic", "relink-lto"),
        (&["main.c", "--rounds", "0"], "--rounds", ""),
        (&["twice.c", "main.c", "--cc", "no-such-cc"], "cannot start no-such-cc", "--cc"),
    ];
    for (args, message, hint) in cases {
        let outcome = Outcome::of(place.hotslot(&["compare"]).args(*args));
        assert_eq!((outcome.code(), outcome.stdout.as_str()), (1, ""), "{args:?}: {outcome:?}");
        assert!(outcome.stderr.contains(message), "{args:?}: {message}: {outcome:?}");
        assert!(outcome.stderr.contains(hint), "{args:?}: {hint}: {outcome:?}");
    }
}

#[test]
fn nothing_stays_behind() {
    let place = Place::new(&[("f.c", "int f(void) { return 1; }\n")]);
    let temporary = place.dir.join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let args = ["compare", "f.c", "--rounds", "1", "--count", "1", "--way", "hotslot,relink,dlopen,native"];
    let outcome = Outcome::of(place.hotslot(&args).env("TMPDIR", &temporary));
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    // But for the folder of hotslot.h, which is the same for every run.
    let names = std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| !name.to_string_lossy().starts_with("hotslot-include-")).collect();
    assert!(left.is_empty(), "{left:?}");
}
