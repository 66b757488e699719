//! Values of real programs: C is compiled, loaded, and looked at.
//!
//! Each case is a declaration of `$`, the type it must have and the value. All of a table are
//! compiled at once; `@name` in what is expected is an address in the program.

use std::ffi::{CString, OsStr};
use std::process::Command;

use tempfile::TempDir;

use super::{TypeId, Types, show, show_at_width};

/// Declaration, type, value.
type Case = (&'static str, &'static str, &'static str);

const PRELUDE: &str = r#"
#include <stdint.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <uchar.h>
#include <wchar.h>
struct point { int x; int y; };
typedef struct point point_t;
typedef struct { double re, im; } pair;
enum color { RED, GREEN, BLUE };
enum flags { READ = 1, WRITE = 2, EXEC = 4, ALL = 7 };
enum sign { LESS = -1, SAME, MORE };
typedef enum { NORTH, SOUTH } way_t;
union number { int i; float f; };
struct list { int value; struct list *next; };
struct opaque;
struct fields { int a : 3; unsigned b : 5; long c : 40; _Bool d : 1; enum color e : 2; };
struct tagged { int kind; union { int i; char c; }; struct { short s; } in; };
struct flexible { int n; int more[]; };
struct named { const char *name; char code[4]; double weight; };
struct inner { int a[3]; struct point p; };
struct outer { struct inner in[2]; int *p; };
struct many { int a0,a1,a2,a3,a4,a5,a6,a7,a8,a9; struct many *self; };
typedef int (*callback)(int, char);
typedef int triple[3];
typedef float float4 __attribute__((vector_size(16)));
typedef int int3 __attribute__((ext_vector_type(3)));
int add(int a, char b) { return a + b; }
int none(void) { return 0; }
void log_to(const char *form, ...) {}
struct point origin = {1, 2};
char long_text[] = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789tail";
"#;

const NUMBERS: &[Case] = &[
    ("int $ = 42;", "int", "42"),
    ("int $ = -2147483647 - 1;", "int", "-2147483648"),
    ("unsigned $ = 4294967295u;", "unsigned int", "4294967295"),
    ("short $ = -3;", "short", "-3"),
    ("unsigned short $ = 65535;", "unsigned short", "65535"),
    ("long $ = -5;", "long", "-5"),
    ("unsigned long $ = 18446744073709551615ul;", "unsigned long", "18446744073709551615"),
    ("long long $ = 7;", "long long", "7"),
    ("size_t $ = 3;", "size_t", "3"),
    ("uint8_t $ = 65;", "uint8_t", "65"),
    ("signed char $ = -1;", "signed char", "-1"),
    ("unsigned char $ = 200;", "unsigned char", "200"),
    ("int64_t $ = -9;", "int64_t", "-9"),
    ("__int128 $ = (__int128)-1 << 100;", "__int128", "-1267650600228229401496703205376"),
    ("unsigned __int128 $ = -1;", "unsigned __int128", "340282366920938463463374607431768211455"),
    (
        "_BitInt(200) $ = (_BitInt(200))-12345678901234567890wb * 100000000000wb;",
        "_BitInt",
        "-1234567890123456789000000000000",
    ),
    ("_Bool $ = 1;", "_Bool", "true"),
    ("bool $ = 0;", "_Bool", "false"),
    ("double $ = 3.14;", "double", "3.14"),
    ("double $ = 1e300;", "double", "1e+300"),
    ("double $ = -0.0;", "double", "-0"),
    ("double $ = 3;", "double", "3"),
    ("double $ = __builtin_nan(\"\");", "double", "nan"),
    ("double $ = -__builtin_inf();", "double", "-inf"),
    ("double $ = 0.1 + 0.2;", "double", "0.30000000000000004"),
    ("float $ = 0.1f;", "float", "0.1"),
    ("float $ = 16777216.f;", "float", "16777216"),
    ("long double $ = 0.1L;", "long double", "0.1"),
    ("long double $ = -1e-4000L;", "long double", "-1e-4000"),
    ("long double $ = 3.14159265358979323846L;", "long double", "3.1415926535897932385"),
    ("_Float16 $ = 0.1f16;", "_Float16", "0.1"),
    ("__bf16 $ = 3.140625;", "__bf16", "3.14"),
    ("__float128 $ = 1;", "__float128", "1"),
    ("_Complex double $ = 1.5 - 2i;", "_Complex double", "1.5 - 2i"),
    ("_Complex float $ = 2;", "_Complex float", "2 + 0i"),
    ("_Complex long double $ = 0.25L + 1e30Li;", "_Complex long double", "0.25 + 1e+30i"),
    ("const int $ = 4;", "const int", "4"),
    ("volatile const int $ = 4;", "const volatile int", "4"),
];

const CHARACTERS: &[Case] = &[
    ("char $ = 'a';", "char", "'a'"),
    ("char $ = '\\n';", "char", "'\\n'"),
    ("char $ = 0;", "char", "'\\0'"),
    ("char $ = '\\'';", "char", "'\\''"),
    ("char $ = -1;", "char", "'\\xff'"),
    ("wchar_t $ = L'é';", "wchar_t", "L'é'"),
    ("char16_t $ = u'x';", "char16_t", "u'x'"),
    ("char32_t $ = U'🦀';", "char32_t", "U'🦀'"),
    ("char $[] = \"hello\";", "char [6]", "\"hello\""),
    ("char $[10] = \"hello\";", "char [10]", "\"hello\""),
    ("char $[3] = \"abc\";", "char [3]", "\"abc\""),
    ("char $[] = \"a\\0b\";", "char [4]", "\"a\\0b\""),
    ("char $[4];", "char [4]", "\"\""),
    ("char $[2][4] = {\"ab\", \"cd\"};", "char [2][4]", "{\"ab\", \"cd\"}"),
    ("wchar_t $[] = L\"größer\";", "wchar_t [7]", "L\"größer\""),
    ("char16_t $[] = u\"a🦀\";", "char16_t [4]", "u\"a🦀\""),
    ("const char *$ = \"say \\\"hi\\\"\\n\";", "const char *", "\"say \\\"hi\\\"\\n\""),
    ("char *$ = \"a\\xff\\x01\";", "char *", "\"a\\xff\\x01\""),
    ("const wchar_t *$ = L\"wide\";", "const wchar_t *", "L\"wide\""),
    ("const char32_t *$ = U\"日本\";", "const char32_t *", "U\"日本\""),
    ("char *$ = 0;", "char *", "(char *) NULL"),
    ("char *$ = (char *)16;", "char *", "(char *) 0x10 <cannot be read>"),
    ("const char *const $ = \"\";", "const char *const", "\"\""),
    (
        "const char *$[] = {\"one\", 0, (char *)16};",
        "const char *[3]",
        "{\"one\", NULL, 0x10 <cannot be read>}",
    ),
    ("signed char $[2] = {1, 2};", "signed char [2]", "{1, 2}"),
    ("uint8_t $[2] = \"a\";", "uint8_t [2]", "{97, 0}"),
    ("char $[1000] = {[0 ... 998] = 'x'};", "char [1000]", "\"@xs\"... 799 more"),
    ("char *$ = long_text;", "char *", "\"@digits\"..."),
];

const POINTERS: &[Case] = &[
    ("int *$ = (int *)0x1000;", "int *", "(int *) 0x1000"),
    ("int *$;", "int *", "(int *) NULL"),
    ("void *$ = (void *)7;", "void *", "(void *) 0x7"),
    ("int *restrict $;", "int *restrict", "(int *restrict) NULL"),
    ("const volatile int *const $ = 0;", "const volatile int *const", "(const volatile int *const) NULL"),
    ("char **$ = (char **)8;", "char **", "(char **) 0x8"),
    ("unsigned char *$ = (unsigned char *)8;", "unsigned char *", "(unsigned char *) 0x8"),
    ("point_t *$ = &origin;", "point_t *", "(point_t *) @origin <origin>"),
    ("struct opaque *$;", "struct opaque *", "(struct opaque *) NULL"),
    ("struct { int a; } *$;", "struct {int a;} *", "(struct {int a;} *) NULL"),
    ("int (*$)(int, char) = add;", "int (*)(int, char)", "(int (*)(int, char)) @add <add>"),
    ("callback $ = add;", "callback", "(callback) @add <add>"),
    ("int (*$)(void) = none;", "int (*)(void)", "(int (*)(void)) @none <none>"),
    ("int (*$)() = (int (*)())1;", "int (*)()", "(int (*)()) 0x1"),
    (
        "void (*$)(const char *, ...) = log_to;",
        "void (*)(const char *, ...)",
        "(void (*)(const char *, ...)) @log_to <log_to>",
    ),
    ("callback $[2] = {add};", "callback [2]", "{@add <add>, NULL}"),
    ("int (*$[2])(void) = {none};", "int (*[2])(void)", "{@none <none>, NULL}"),
    ("int (*$)[3];", "int (*)[3]", "(int (*)[3]) NULL"),
    ("int *$[2];", "int *[2]", "{NULL, NULL}"),
    (
        "int (*(*$)(int (*)(void)))(char);",
        "int (*(*)(int (*)(void)))(char)",
        "(int (*(*)(int (*)(void)))(char)) NULL",
    ),
    ("int (*(*$)[2])(void);", "int (*(*)[2])(void)", "(int (*(*)[2])(void)) NULL"),
    ("const triple *$;", "const triple *", "(const triple *) NULL"),
    ("struct list $ = {1, 0};", "struct list", "{value = 1, next = NULL}"),
];

const AGGREGATES: &[Case] = &[
    ("struct point $ = {1, -2};", "struct point", "{x = 1, y = -2}"),
    ("point_t $ = {3, 4};", "point_t", "{x = 3, y = 4}"),
    ("pair $ = {0.5, 2};", "pair", "{re = 0.5, im = 2}"),
    ("const point_t $ = {3, 4};", "const point_t", "{x = 3, y = 4}"),
    ("struct { int a : 2; char *s; } $;", "struct {int a : 2; char *s;}", "{a = 0, s = NULL}"),
    (
        "struct { struct { int q; }; union { int i; float f; } u; } $ = {{1}, {2}};",
        "struct {struct {int q;}; union {int i; float f;} u;}",
        "{{q = 1}, u = {i = 2, f = 3e-45}}",
    ),
    ("struct {} $;", "struct {}", "{}"),
    (
        "struct fields $ = {-2, 17, -123456789012, 1, BLUE};",
        "struct fields",
        "{a = -2, b = 17, c = -123456789012, d = true, e = BLUE}",
    ),
    (
        "struct { long long a : 37; long long b : 60; } $ = {-1, 1ll << 58};",
        "struct {long long a : 37; long long b : 60;}",
        "{a = -1, b = 288230376151711744}",
    ),
    (
        "struct __attribute__((packed)) { int a : 5; long long b : 62; int c; } $ = {-3, -4, 9};",
        "struct {int a : 5; long long b : 62; int c;}",
        "{a = -3, b = -4, c = 9}",
    ),
    ("struct tagged $ = {1, {65}, {-7}};", "struct tagged", "{kind = 1, {i = 65, c = 'A'}, in = {s = -7}}"),
    ("struct flexible $ = {2, {1, 2}};", "struct flexible", "{n = 2, more = <array of unknown size>}"),
    (
        "struct named $ = {\"bob\", \"x1\", 1.5};",
        "struct named",
        "{name = \"bob\", code = \"x1\", weight = 1.5}",
    ),
    ("union number $ = {.i = 1065353216};", "union number", "{i = 1065353216, f = 1}"),
    ("enum color $ = GREEN;", "enum color", "GREEN"),
    ("enum color $ = (enum color)7;", "enum color", "(enum color)7"),
    ("enum color $ = (enum color)3;", "enum color", "(enum color)3"),
    ("enum flags $ = READ | EXEC;", "enum flags", "READ | EXEC"),
    ("enum flags $ = ALL;", "enum flags", "ALL"),
    ("enum flags $ = 9;", "enum flags", "(enum flags)9"),
    ("enum flags $ = 0;", "enum flags", "(enum flags)0"),
    ("enum sign $ = LESS;", "enum sign", "LESS"),
    ("enum sign $ = -5;", "enum sign", "(enum sign)-5"),
    ("way_t $ = SOUTH;", "way_t", "SOUTH"),
    ("way_t $ = 9;", "way_t", "(way_t)9"),
    ("enum { ONE_ = 1, FIVE_ = 5, SIX_ } $ = 6;", "enum {ONE_ = 1, FIVE_ = 5, SIX_}", "SIX_"),
    ("int $[] = {1, 2, 3};", "int [3]", "{1, 2, 3}"),
    ("triple $ = {1, 2, 3};", "triple", "{1, 2, 3}"),
    ("int $[2][3] = {{1, 2, 3}, {4, 5, 6}};", "int [2][3]", "{{1, 2, 3}, {4, 5, 6}}"),
    ("int $[2][2][2] = {{{1}}, {{0}, {0, 2}}};", "int [2][2][2]", "{{{1, 0}, {0, 0}}, {{0, 0}, {0, 2}}}"),
    ("int $[0];", "int [0]", "{}"),
    ("int $[100];", "int [100]", "{0 <repeats 100 times>}"),
    ("int $[13] = {5, [12] = 6};", "int [13]", "{5, 0 <repeats 11 times>, 6}"),
    ("int $[9];", "int [9]", "{0, 0, 0, 0, 0, 0, 0, 0, 0}"),
    ("point_t $[20] = {{1, 2}};", "point_t [20]", "{{x = 1, y = 2}, {x = 0, y = 0} <repeats 19 times>}"),
    (
        "char $[3][20][8];",
        "char [3][20][8]",
        "{{\"\" <repeats 20 times>}, {\"\" <repeats 20 times>}, {\"\" <repeats 20 times>}}",
    ),
    ("int $[3000000] = {1};", "int [3000000]", "{1, 0 <repeats 2999999 times>}"),
    ("float4 $ = {1, 2.5, 3, 4};", "float4", "{1, 2.5, 3, 4}"),
    ("int3 $ = {1, 2, 3};", "int3", "{1, 2, 3}"),
    (
        "float $ __attribute__((vector_size(8))) = {1, 2};",
        "float __attribute__((ext_vector_type(2)))",
        "{1, 2}",
    ),
    (
        "struct outer $ = {{{{1, 2, 3}, {4, 5}}}, (int *)9};",
        "struct outer",
        "{in = {{a = {1, 2, 3}, p = {x = 4, y = 5}}, {a = {0, 0, 0}, p = {x = 0, y = 0}}}, p = 0x9}",
    ),
    (
        "va_list $;",
        "va_list",
        "{{gp_offset = 0, fp_offset = 0, overflow_arg_area = NULL, reg_save_area = NULL}}",
    ),
];

/// What DWARF 5 has words for.
const NEWER: &[Case] = &[
    ("_Atomic int $ = 3;", "_Atomic(int)", "3"),
    ("_Atomic(int) *$;", "_Atomic(int) *", "(_Atomic(int) *) NULL"),
    ("int *_Atomic $;", "_Atomic(int *)", "(_Atomic(int *)) NULL"),
    ("const _Atomic point_t $;", "const _Atomic(point_t)", "{x = 0, y = 0}"),
];

const C23: &[Case] = &[
    ("bool $ = true;", "bool", "true"),
    ("nullptr_t $;", "nullptr_t", "nullptr"),
    ("char8_t $[] = u8\"é\";", "char8_t [3]", "u8\"é\""),
    ("enum small : unsigned char { BIG = 200 } $ = BIG;", "enum small", "BIG"),
    (
        "enum : signed char { MINUS = -100 } $ = (typeof($))-3;",
        "enum {MINUS = -100}",
        "(enum {MINUS = -100})-3",
    ),
    (
        "enum huge : unsigned long { TOP = 0x8000000000000000, LOW = 1 } $ = TOP | LOW;",
        "enum huge",
        "TOP | LOW",
    ),
    ("int (*$)();", "int (*)(void)", "(int (*)(void)) NULL"),
];

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
    let compressed = Program::of("int i;", &["-g", "-gz"]);
    let failure = Types::of(&compressed.object).unwrap_err();
    assert_eq!(failure.advice(), Some("compile it without -gz"));
    assert!(Types::of(b"no object").is_err());
}
