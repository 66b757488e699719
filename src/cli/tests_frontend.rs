//! The front end as those use it who compile a file again and again: the same bitcode with a
//! preamble as without, and what was read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::cancel::Cancel;
use super::frontend::{Frontend, Job, Language, Outcome, Verdict};
use super::options::{Compilers, Level};

fn plain() -> Frontend {
    let compilers = Compilers { cc: "clang-19".into(), cxx: "clang++-19".into() };
    Frontend::new(&compilers, Level::O2, None, &[], None).unwrap()
}

fn frontend() -> Frontend {
    plain().with_preambles()
}

/// A folder in which files lie that are older than a tick.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(30));
    folder
}

fn job(folder: &Path, path: &str, flags: &[&str]) -> Job {
    let language = if path.ends_with(".c") { Language::C } else { Language::Cxx };
    let flags = flags.iter().map(OsString::from).collect();
    Job { flags, directory: Some(folder.to_owned()), ..Job::new(path, language) }
}

fn bitcode(outcome: &Outcome) -> &[u8] {
    match &outcome.verdict {
        Verdict::Bitcode(bytes) => bytes,
        Verdict::Failed(failure) => panic!("{}{}", failure.render(), String::from_utf8_lossy(&outcome.said)),
        Verdict::Cancelled => panic!("cancelled"),
    }
}

/// Compiles without and with a preamble, and compares all that comes of it.
fn same(frontend: &Frontend, job: &Job) {
    let [without, with] = both(frontend, job);
    assert!(without == with, "{job:?}: other bitcode");
}

/// The same where some debug information is not: then no function may have changed for that.
fn alike(frontend: &Frontend, job: &Job) {
    let [without, with] = both(frontend, job);
    let runtime = hotslot::Runtime::builder().opt_level(hotslot::OptLevel::O0).lazy(true).build().unwrap();
    let load = |bitcode| {
        let mut update = runtime.update();
        let source = hotslot::Source::bitcode(bitcode).trusted();
        match runtime.modules().is_empty() {
            true => update.load("m", source),
            false => update.replace("m", source),
        };
        update.commit().unwrap().modules.remove(0)
    };
    load(without.clone());
    for bitcode in [with, without] {
        let report = load(bitcode);
        assert!(!report.unchanged_functions.is_empty());
        assert!(report.changed_functions.is_empty(), "{job:?}: {:?}", report.changed_functions);
    }
}

fn both(frontend: &Frontend, job: &Job) -> [Vec<u8>; 2] {
    let without = frontend.compile_one(job, &Cancel::default());
    assert!(frontend.make_preamble(job), "{job:?}: no preamble");
    let with = frontend.compile_one(job, &Cancel::default());
    assert!(frontend.make_preamble(job), "{job:?}: refused");
    assert_eq!(String::from_utf8_lossy(&without.said), String::from_utf8_lossy(&with.said));
    let sorted = |reads: &[PathBuf]| {
        let mut reads = reads.to_vec();
        reads.sort();
        reads
    };
    assert_eq!(without.reads[0], with.reads[0]);
    assert_eq!(sorted(&without.reads), sorted(&with.reads), "{job:?}");
    [bitcode(&without).to_vec(), bitcode(&with).to_vec()]
}

const ODD: &str = "// é comes first\n\
#define BEFORE 3\n\
#include \"sub/a.h\" /* a comment\n over lines */\n\
#if BEFORE > 2\n\
#include <stdio.h>\n\
#else\n\
#include <nowhere.h>\n\
#endif\n\
#include \"twice.h\"\n\
#include \"twice.h\"\n\
#include \"once.h\"\n\
#define COUNT __COUNTER__\n\
#define WHERE __FILE__\n\
#include \"once.h\"\n\
\n\
static int unused(void) { return 1; }\n\
int counters[] = { COUNT, COUNT, SEEN, __COUNTER__ };\n\
const char *names[] = { WHERE, __FILE__, __BASE_FILE__, A_FILE };\n\
int line = __LINE__;\n\
#include \"sub/a.h\"\n\
int f(int x) {\n\
    int y = inlined(x) + FIELD;\n\
    if (y = x) puts(in_header());\n\
    return y + BEFORE + (int)sizeof(struct pair);\n\
}\n";

const HEADERS: &[(&str, &str)] = &[
    (
        "src/sub/a.h",
        "#ifndef A_H\n#define A_H\n#include \"b.h\"\n#define A_FILE __FILE__\n#define SEEN BEFORE\n#endif\n",
    ),
    (
        "src/sub/b.h",
        "static const char *in_header(void) { return __FILE__; }\n#define FIELD 7\nenum { HERE = __COUNTER__ };\n",
    ),
    (
        "src/twice.h",
        "#ifdef FIRST\nstatic inline int inlined(int x) { return x + HERE; }\n#else\n#define FIRST\nstruct pair { int a, b; };\n#endif\n",
    ),
    ("src/once.h", "#pragma once\nextern int extra[__COUNTER__ + 1];\n"),
];

#[test]
fn a_preamble_makes_no_difference() {
    let crlf = ODD.replace('\n', "\r\n");
    let mut files = vec![("src/odd.c", ODD), ("src/odd.cc", ODD), ("src/crlf.c", &crlf)];
    files.extend(HEADERS);
    let folder = folder(&files);
    let frontend = frontend();
    for path in ["src/odd.c", "src/odd.cc", "src/crlf.c"] {
        for flags in [&["-g", "-Wall"][..], &["-g3", "-gdwarf-5", "-w"], &["-O0", "-DX", "-Isrc/sub"]] {
            same(&frontend, &job(folder.path(), path, flags));
        }
    }
    // From elsewhere, by other names.
    alike(&frontend, &job(&folder.path().join("src"), "odd.c", &["-g"]));
    same(&frontend, &job(&folder.path().join("src"), "../src/odd.c", &["-g"]));
    let whole = folder.path().join("src/odd.c");
    same(&frontend, &job(Path::new("/"), whole.to_str().unwrap(), &["-g"]));
    // And nothing is left beside the files.
    assert_eq!(std::fs::read_dir(folder.path().join("src")).unwrap().count(), 6);
}

#[test]
fn a_library_of_templates() {
    let text = "#include <iostream>\n#include <map>\n#include <string>\n#include <vector>\n\
        int main() { std::map<std::string, std::vector<int>> m; m[\"a\"].push_back(__LINE__);\n\
        for (auto &[k, v] : m) std::cout << k << v.size() << __FILE__; }\n";
    let folder = folder(&[("a.cc", text)]);
    same(&frontend(), &job(folder.path(), "a.cc", &["-std=c++20", "-fno-exceptions"]));
    same(&frontend(), &job(folder.path(), "a.cc", &["-gline-tables-only"]));
    // Without what `using` in a header says of names.
    alike(&frontend(), &job(folder.path(), "a.cc", &["-g"]));
}

/// The packages that other tests compile.
fn package(name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"),
        PathBuf::from,
    );
    let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
    let folders = registries.flatten().filter_map(|folder| std::fs::read_dir(folder.path()).ok());
    folders
        .flatten()
        .flatten()
        .map(|folder| folder.path())
        .find(|folder| folder.file_name().is_some_and(|own| own.to_string_lossy().starts_with(name)))
}

#[test]
fn files_of_lua() {
    let folder = package("lua-src-").expect("fetched with the other packages").join("lua-5.4.9");
    let frontend = frontend();
    for name in ["lzio.c", "lvm.c", "lauxlib.c", "loslib.c", "lparser.c"] {
        let whole = folder.join(name);
        same(&frontend, &job(Path::new("/"), whole.to_str().unwrap(), &["-g", "-Wall", "-Wextra"]));
        same(&frontend, &job(&folder, name, &[]));
        // A header is called `lua.h` in debug information then, not `./lua.h`.
        alike(&frontend, &job(&folder, name, &["-g"]));
    }
}

#[test]
fn no_preamble_where_there_is_nothing_to_gain_or_to_trust() {
    let folder = folder(&[
        ("none.c", "int x;\n"),
        ("date.c", "#include \"date.h\"\nint x;\n"),
        ("date.h", "static const char *date = __DATE__;\n"),
        ("warn.c", "#include \"warn.h\"\nint x;\n"),
        ("warn.h", "#warning careful\n"),
        ("bom.c", "\u{feff}#include <stdio.h>\nint x;\n"),
        ("open.c", "#include \"open.h\"\n}\n"),
        ("open.h", "int f(void) {\n"),
        ("good.c", "#include <stdio.h>\nint x;\n"),
    ]);
    let frontend = frontend();
    for path in ["none.c", "date.c", "warn.c", "bom.c", "open.c"] {
        let job = job(folder.path(), path, &[]);
        assert!(!frontend.make_preamble(&job), "{path}");
        bitcode(&frontend.compile_one(&job, &Cancel::default()));
    }
    for flag in ["-fplugin=x", "-include=x", "-gmodules", "-fdebug-macro"] {
        assert!(!frontend.make_preamble(&job(folder.path(), "good.c", &[flag])), "{flag}");
    }
}

#[test]
fn what_changes_is_seen() {
    let folder = folder(&[
        ("a.c", "#include \"a.h\"\nint x = A;\n"),
        ("a.h", "#include \"b.h\"\n"),
        ("b.h", "#define A 1\n"),
    ]);
    let frontend = frontend();
    let job = job(folder.path(), "a.c", &[]);
    let compile = || bitcode(&frontend.compile_one(&job, &Cancel::default())).to_vec();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let one = compile();
    assert!(frontend.make_preamble(&job));
    write("b.h", "#define A 2\n");
    let two = compile();
    assert_ne!(one, two);
    write("b.h", "#define A 1\n");
    assert_eq!(compile(), one);
    // The lead itself, and what is behind it.
    write("a.c", "#define A 2\n#include \"none.h\"\nint x = A;\n");
    write("none.h", "");
    assert_eq!(compile(), two);
    write("a.c", "#include \"a.h\"\n\nint x = A + 1;\n");
    assert_eq!(compile(), two);
}

#[test]
fn errors_are_the_compilers_own_and_say_what_was_read() {
    let folder =
        folder(&[("a.c", "#include \"a.h\"\nint f(void) { return A; }\n"), ("a.h", "#define A 1\n")]);
    let frontend = frontend();
    let job = job(folder.path(), "a.c", &[]);
    bitcode(&frontend.compile_one(&job, &Cancel::default()));
    assert!(frontend.make_preamble(&job));
    for (name, text, error) in [
        (
            "a.c",
            "#include \"a.h\"\nint f(void) { return B; }\n",
            "a.c:2:22: error: use of undeclared identifier 'B'",
        ),
        ("a.h", "#define A 1\n#error wrong\n", "a.h:2:2: error: wrong"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
        let outcome = frontend.compile_one(&job, &Cancel::default());
        assert!(matches!(outcome.verdict, Verdict::Failed(_)));
        let said = String::from_utf8(outcome.said).unwrap();
        assert!(said.contains(error), "{said}");
        assert_eq!(outcome.reads, [folder.path().join("a.c"), folder.path().join("a.h")]);
    }
}

#[test]
fn a_level_of_its_own_wins() {
    let folder = folder(&[("a.c", "int f(void) { return 1; }\n")]);
    let compile = |flags: &[&str]| {
        let outcome = frontend().compile_one(&job(folder.path(), "a.c", flags), &Cancel::default());
        bitcode(&outcome).to_vec()
    };
    // In the attributes of the function.
    let is_optnone = |bitcode: &[u8]| bitcode == compile(&["-O0"]);
    assert!(!is_optnone(&compile(&[])));
    assert!(!is_optnone(&compile(&["-O1"])));
    assert!(is_optnone(&compile(&["-O1", "-O0"])));
}

#[test]
fn a_compile_can_be_cancelled() {
    let folder = folder(&[("a.c", "#include <stdio.h>\nint f(void) { return 1; }\n")]);
    let (frontend, cancel) = (frontend(), Cancel::default());
    let job = job(folder.path(), "a.c", &[]);
    cancel.cancel();
    assert!(matches!(frontend.compile_one(&job, &cancel).verdict, Verdict::Cancelled));
    let cancel = Cancel::default();
    std::thread::scope(|scope| {
        let outcome = scope.spawn(|| {
            // As long as it takes until one is caught at it.
            loop {
                let outcome = frontend.compile_one(&job, &cancel);
                if matches!(outcome.verdict, Verdict::Cancelled) {
                    return outcome;
                }
            }
        });
        std::thread::sleep(std::time::Duration::from_millis(20));
        cancel.cancel();
        assert!(outcome.join().unwrap().said.is_empty());
    });
}

/// With compilers that have been waiting.
#[test]
fn compilers_that_wait_are_told_everything() {
    let odd = "a file's \\ \"name\".c";
    let folder = folder(&[
        (odd, "#include <stdio.h>\nconst char *text = TEXT;\nconst char *file = __FILE__;\n"),
        ("wrong.c", "int f(void) { return missing; }\n"),
    ]);
    let apart = frontend();
    let here = plain();
    let text = format!("-DTEXT={:?}", "a  'b' \\ \"c\" \t$HOME %s é @x");
    let job = job(folder.path(), odd, &[&text, "-g", ""][..2]);
    let wrong = super::tests_frontend::job(folder.path(), "wrong.c", &[]);
    let expected = bitcode(&here.compile_one(&job, &Cancel::default())).to_vec();
    let errors = here.compile_one(&wrong, &Cancel::default()).said;
    for _ in 0..4 {
        // The first time there is none.
        assert_eq!(bitcode(&apart.compile_one(&job, &Cancel::default())), expected);
        std::thread::sleep(std::time::Duration::from_millis(400));
        assert_eq!(apart.compile_one(&wrong, &Cancel::default()).said, errors);
        bitcode(&apart.compile_one(&job, &Cancel::default()));
        std::thread::sleep(std::time::Duration::from_millis(400));
    }
}
