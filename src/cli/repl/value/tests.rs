//! Values of real programs: C is compiled, loaded, and looked at.
//!
//! All [`cases`](super::tests_cases) of a table are compiled at once.

use std::ffi::{CString, OsStr};
use std::process::Command;

use tempfile::TempDir;

use super::tests_cases::{AGGREGATES, C23, CHARACTERS, Case, NEWER, NUMBERS, POINTERS, PRELUDE};
use super::{TypeId, Types, show, show_at_width};

/// A program that has been compiled and loaded.
struct Program {
    object: Vec<u8>,
    library: *mut libc::c_void,
    _folder: TempDir,
}

#[allow(unsafe_code)]
impl Program {
    fn of(source: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [c, o, so] = ["program.c", "program.o", "program.so"].map(|name| folder.path().join(name));
        std::fs::write(&c, source).unwrap();
        clang(
            &[
                OsStr::new("-c"),
                "-fPIC".as_ref(),
                "-O0".as_ref(),
                "-w".as_ref(),
                c.as_ref(),
                "-o".as_ref(),
                o.as_ref(),
            ],
            flags,
        );
        clang(&[OsStr::new("-shared"), o.as_ref(), "-o".as_ref(), so.as_ref()], &[]);
        let path = CString::new(so.to_str().unwrap()).unwrap();
        // SAFETY: the library has no code that runs when it is loaded.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null(), "cannot load {}", so.display());
        Self { object: std::fs::read(o).unwrap(), library, _folder: folder }
    }

    /// One in which each case has a variable of its own.
    fn of_cases(cases: &[Case], flags: &[&str]) -> Self {
        let declarations: Vec<String> =
            cases.iter().enumerate().map(|(index, case)| case.0.replace('$', &variable(index))).collect();
        Self::of(&format!("{PRELUDE}{}", declarations.join("\n")), flags)
    }

    fn address(&self, name: &str) -> u64 {
        let text = CString::new(name).unwrap();
        // SAFETY: the library stays loaded for as long as the tests run.
        let address = unsafe { libc::dlsym(self.library, text.as_ptr()) };
        assert!(!address.is_null(), "no {name}");
        address as u64
    }

    fn value(&self, types: &Types<'_>, name: &str, kind: TypeId) -> String {
        let names = |address| {
            let known = ["add", "none", "log_to", "origin"];
            known.into_iter().find(|name| self.address(name) == address).map(str::to_owned)
        };
        show(types, kind, self.address(name), &names)
    }
}

fn variable(index: usize) -> String {
    format!("variable_{index}")
}

fn clang(arguments: &[&OsStr], flags: &[&str]) {
    let output = Command::new("clang-19").args(flags).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn check(cases: &[Case], flags: &[&str]) {
    let program = Program::of_cases(cases, flags);
    let types = Types::of(&program.object).unwrap();
    let mut wrong = String::new();
    for (index, (declaration, spelling, value)) in cases.iter().enumerate() {
        let name = variable(index);
        let kind = types.variable(&name).unwrap_or_else(|| panic!("no type: {declaration}"));
        let mut expected =
            value.replace("@xs", &"x".repeat(200)).replace("@digits", &"0123456789".repeat(20));
        for name in ["add", "none", "log_to", "origin"] {
            expected = expected.replace(&format!("@{name}"), &format!("{:#x}", program.address(name)));
        }
        let shown = program.value(&types, &name, kind);
        if types.spelling(kind) != *spelling {
            wrong += &format!("{declaration}\n  type {}\n  not  {spelling}\n", types.spelling(kind));
        }
        if shown != expected {
            wrong += &format!("{declaration}\n  is  {shown}\n  not {expected}\n");
        }
    }
    assert!(wrong.is_empty(), "{flags:?}\n{wrong}");
}

#[test]
fn numbers() {
    check(NUMBERS, &["-g", "-std=gnu17"]);
}

#[test]
fn characters() {
    check(CHARACTERS, &["-g", "-std=gnu17"]);
}

#[test]
fn pointers() {
    check(POINTERS, &["-g", "-std=gnu17"]);
}

#[test]
fn aggregates() {
    check(AGGREGATES, &["-g", "-std=gnu17"]);
}

#[test]
fn what_newer_debug_information_and_newer_c_have() {
    check(NEWER, &["-g", "-std=gnu17"]);
    check(C23, &["-g", "-std=gnu23"]);
}

#[test]
fn older_debug_information() {
    for version in ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4"] {
        check(&AGGREGATES[..30], &[version, "-std=gnu17"]);
        // The oldest has no word for `restrict`.
        check(if version == "-gdwarf-2" { &POINTERS[4..] } else { POINTERS }, &[version, "-std=gnu17"]);
    }
    check(AGGREGATES, &["-g", "-gdwarf64", "-std=gnu17"]);
}

/// A program in which the types of `text` are.
fn program(text: &str) -> Program {
    Program::of(&format!("{PRELUDE}{text}"), &["-g", "-std=gnu17"])
}

#[test]
fn what_is_long_goes_over_lines() {
    let program = program(
        "struct outer o = {{{{1, 2, 3}, {4, 5}}}, (int *)9}; int a[12] = {1,2,3,4,5,6,7,8,9,10,11,12};",
    );
    let types = Types::of(&program.object).unwrap();
    let at = |name: &str, width| {
        show_at_width(&types, types.variable(name).unwrap(), program.address(name), &|_| None, width)
    };
    assert_eq!(
        at("o", 50),
        "{\n  in = {\n    {a = {1, 2, 3}, p = {x = 4, y = 5}},\n    {a = {0, 0, 0}, p = {x = 0, y = 0}}\n  },\n  p = 0x9\n}"
    );
    assert_eq!(at("a", 20), "{\n  1, 2, 3, 4, 5, 6,\n  7, 8, 9, 10, 11,\n  12\n}");
    assert_eq!(at("a", 40), "{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}");
}

#[test]
fn what_is_huge_is_counted() {
    let program = program(
        "int a[100000]; struct point g[50][50]; struct many m[120]; struct deep { struct deep *d; };
         __attribute__((constructor)) void fill(void) { for (int i = 0; i < 100000; i++) a[i] = i;
         for (int i = 0; i < 2500; i++) g[i / 50][i % 50].x = i; for (int i = 0; i < 120; i++) m[i].a3 = i; }",
    );
    let types = Types::of(&program.object).unwrap();
    let of = |name: &str| program.value(&types, name, types.variable(name).unwrap());
    let numbers = of("a");
    assert!(numbers.contains("198, 199, ... 99800 more\n}"), "{numbers}");
    let grid = of("g");
    assert!(grid.ends_with(" more\n}") && grid.len() < 20_000, "{}: {grid}", grid.len());
    let many = of("m");
    assert!(many.contains("more") && many.len() < 30_000, "{}: {many}", many.len());
}

#[test]
fn what_is_not_there_says_so() {
    let program = program(
        "int i; struct point p; int a[3]; char c[8]; struct named n; struct fields f; int *q; double d;",
    );
    let types = Types::of(&program.object).unwrap();
    for (name, expected) in [
        ("i", "<cannot be read>"),
        ("p", "{x = <cannot be read>, y = <cannot be read>}"),
        ("a", "<cannot be read>"),
        ("c", "<cannot be read>"),
        ("n", "{name = <cannot be read>, code = <cannot be read>, weight = <cannot be read>}"),
        ("q", "<cannot be read>"),
        ("d", "<cannot be read>"),
    ] {
        for address in [0, 8, u64::MAX - 2, 1 << 60] {
            assert_eq!(show(&types, types.variable(name).unwrap(), address, &|_| None), expected, "{name}");
        }
    }
}

#[test]
#[allow(unsafe_code)]
fn a_string_that_runs_into_nothing() {
    let mut pages = memmap2::MmapOptions::new().len(8192).map_anon().unwrap();
    let start = pages.as_ptr() as u64;
    pages[..4096].fill(b'z');
    pages[..8].copy_from_slice(&(start + 4090).to_le_bytes());
    // SAFETY: nothing reads or writes the second page.
    assert_eq!(unsafe { libc::mprotect((start + 4096) as *mut _, 4096, libc::PROT_NONE) }, 0);
    let program = program("char *s;");
    let types = Types::of(&program.object).unwrap();
    let shown = show(&types, types.variable("s").unwrap(), start, &|_| None);
    assert_eq!(shown, "\"zzzzzz\" <the rest cannot be read>");
}

#[test]
fn types_without_values() {
    let program = program(
        "int f(int n) { int a[n][3]; static struct point kept; a[0][0] = 1; return a[0][0] + kept.x; }
         extern int later[]; int later[4]; int (*table(int a))[3] { return 0; } struct opaque *o; enum flags e;
         typedef struct { int deep[2]; union { char c; long l; }; } form; form v; void *w;",
    );
    let types = Types::of(&program.object).unwrap();
    let of = |name: &str| types.variable(name).unwrap();
    assert_eq!(types.spelling(of("a")), "int [*][3]");
    assert_eq!(types.size(of("a")), None);
    assert_eq!(show(&types, of("a"), 4096, &|_| None), "<array of unknown size>");
    assert_eq!(types.spelling(of("kept")), "struct point");
    assert_eq!(types.spelling(of("later")), "int [4]");
    assert_eq!(types.spelling(of("f")), "int (int)");
    assert_eq!(types.spelling(of("none")), "int (void)");
    assert_eq!(types.spelling(of("table")), "int (*(int))[3]");
    assert_eq!(types.declaration(of("table"), "table"), "int (*table(int))[3]");
    assert_eq!(types.declaration(of("later"), "x"), "int x[4]");
    let add = program.address("add");
    assert_eq!(program.value(&types, "add", of("add")), format!("(int (int, char)) {add:#x} <add>"));
    let opaque = types.target(of("o")).unwrap();
    assert_eq!(show(&types, opaque, add, &|_| None), "<incomplete type>");
    assert_eq!((types.size(opaque), types.definition(opaque)), (None, "struct opaque".to_owned()));
    assert_eq!(show(&types, types.target(of("w")).unwrap(), add, &|_| None), "<void>");
    assert_eq!(types.spelling(types.target(of("w")).unwrap()), "void");
    assert_eq!(types.definition(of("v")), "struct {int deep[2]; union {char c; long l;};}");
    assert_eq!(types.definition(of("e")), "enum flags {READ = 1, WRITE, EXEC = 4, ALL = 7}");
    assert_eq!(types.definition(of("later")), "int [4]");
    assert_eq!(types.variable("nothing"), None);
}

#[test]
fn sizes() {
    let program = program(
        "int a[2][3]; struct fields f; float4 v; int3 t; long double l; char *p; enum sign e; point_t s[5];",
    );
    let types = Types::of(&program.object).unwrap();
    for (name, size) in [("a", 24), ("f", 8), ("v", 16), ("t", 16), ("l", 16), ("p", 8), ("e", 4), ("s", 40)]
    {
        assert_eq!(types.size(types.variable(name).unwrap()), Some(size), "{name}");
    }
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let without = Program::of("int i;", &[]);
    let failure = Types::of(&without.object).unwrap_err();
    assert_eq!(failure.advice(), Some("compile it with -g"));
    // What would not become smaller is not compressed.
    let many: String = (0..200).map(|number| format!("int variable_{number};")).collect();
    let compressed = Program::of(&many, &["-g", "-gz"]);
    let failure = Types::of(&compressed.object).unwrap_err();
    assert_eq!(failure.advice(), Some("compile it without -gz"));
    assert!(Types::of(b"no object").is_err());
}
