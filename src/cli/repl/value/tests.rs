//! Values of real objects: compiled by clang, linked into a library, loaded into the test.

use std::process::Command;

use super::{Types, show};

/// A variable's definition, what is shown of it, and its type.
const CASES: &[(&str, &str, &str)] = &[
    ("int v0 = 42;", "42", "int"),
    ("int v1 = -2147483647 - 1;", "-2147483648", "int"),
    ("unsigned v2 = 4294967295u;", "4294967295", "unsigned int"),
    ("long v3 = -1;", "-1", "long"),
    ("unsigned long long v4 = ~0ull;", "18446744073709551615", "unsigned long long"),
    ("_Bool v5 = 1;", "true", "bool"),
    ("char v6 = 'a';", "'a' 97", "char"),
    ("char v7 = '\\n';", "'\\n' 10", "char"),
    ("char v8 = -1;", "'\\xff' -1", "char"),
    ("signed char v9 = -3;", "-3", "signed char"),
    ("unsigned char v10 = 200;", "200", "unsigned char"),
    ("short v11 = -5;", "-5", "short"),
    ("double v12 = 3.14;", "3.14", "double"),
    ("double v13 = 1e300;", "1e+300", "double"),
    ("double v14 = -0.0;", "-0.0", "double"),
    ("double v15 = __builtin_nan(\"\");", "nan", "double"),
    ("float v16 = 0.1f;", "0.1", "float"),
    ("double v17 = 3;", "3.0", "double"),
    ("double v18 = 1e-7;", "1e-7", "double"),
    ("long double v19 = 3.14L;", "3.14", "long double"),
    ("long double v20 = 1e4000L;", "1e+4000", "long double"),
    ("long double v21 = 1.0L / 3;", "0.33333333333333333334", "long double"),
    ("long double v22 = -100;", "-100.0", "long double"),
    ("long double v23 = 1e-4940L;", "1e-4940", "long double"),
    ("_Complex double v24 = 1.5 - 2.0i;", "1.5-2.0i", "_Complex double"),
    ("__int128 v25 = -((__int128)1 << 100);", "-1267650600228229401496703205376", "__int128"),
    ("enum color { RED, GREEN, BLUE } v26 = GREEN;", "GREEN", "enum color"),
    ("enum color v27 = 7;", "(enum color) 7", "enum color"),
    ("enum bits { A = 1, B = 2, C = 4 } v28 = A | C;", "A | C", "enum bits"),
    ("enum sign { MINUS = -1, PLUS = 1 } v29 = MINUS;", "MINUS", "enum sign"),
    ("int *v30 = 0;", "(int *) NULL", "int *"),
    ("int *v31 = (int *)0x1234;", "(int *) 0x1234", "int *"),
    ("const char *v32 = \"he\\\"llo\\n\";", "\"he\\\"llo\\n\"", "const char *"),
    ("char *v33 = (char *)16;", "(char *) 0x10 <cannot be read>", "char *"),
    ("char v34[] = \"abc\";", "\"abc\"", "char [4]"),
    ("char v35[8] = \"ab\";", "\"ab\"", "char [8]"),
    ("const char *v36 = \"\\xff\\xc3\\xa4\";", "\"\\377ä\"", "const char *"),
    ("char v37[3] = {'x', 0, '1'};", "\"x\\0001\"", "char [3]"),
    ("struct point { int x, y; } v38 = {1, 2};", "{x = 1, y = 2}", "struct point"),
    (
        "typedef struct { struct point at; const char *name; } place; place v39 = {{3, 4}, \"home\"};",
        "{at = {x = 3, y = 4}, name = \"home\"}",
        "place",
    ),
    ("union u { int i; float f; } v40 = {0};", "{i = 0, f = 0.0}", "union u"),
    (
        "struct { unsigned a : 3; int b : 5; unsigned c : 24; } v41 = {5, -7, 70000};",
        "{a = 5, b = -7, c = 70000}",
        "",
    ),
    (
        "struct { long a : 40; _Bool b : 1; enum color c : 2; } v42 = {-1, 1, BLUE};",
        "{a = -1, b = true, c = BLUE}",
        "",
    ),
    (
        "struct { int a; struct { int b; }; union { int c; char d; }; } v43 = {1, {2}, {65}};",
        "{a = 1, {b = 2}, {c = 65, d = 'A' 65}}",
        "",
    ),
    ("struct flexible { int n; int rest[]; } v44 = {3};", "{n = 3, rest = {...}}", "struct flexible"),
    ("int v45[3] = {1, 2, 3};", "{1, 2, 3}", "int [3]"),
    ("int v46[2][3] = {{1, 2, 3}, {4, 5, 6}};", "{{1, 2, 3}, {4, 5, 6}}", "int [2][3]"),
    ("int v47[100];", "{0 <repeats 100 times>}", "int [100]"),
    ("int v48[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 2};", "{1, 0 <repeats 8 times>, 2}", "int [10]"),
    ("struct point v49[2] = {{1, 2}, {3, 4}};", "{{x = 1, y = 2}, {x = 3, y = 4}}", "struct point [2]"),
    ("const volatile int v50 = 3;", "3", "const volatile int"),
    ("int *const v51 = 0;", "(int *const) NULL", "int *const"),
    ("const char *const *v52 = 0;", "(const char *const *) NULL", "const char *const *"),
    ("int (*v53)(const char *, ...) = 0;", "(int (*)(const char *, ...)) NULL", "int (*)(const char *, ...)"),
    ("int (*v54[2])(void) = {0};", "{(int (*)(void)) NULL, (int (*)(void)) NULL}", "int (*[2])(void)"),
    ("int (*(*v55)(int))[3] = 0;", "(int (*(*)(int))[3]) NULL", "int (*(*)(int))[3]"),
    ("typedef unsigned long word; word v56 = 9;", "9", "word"),
    ("typedef int (*callback)(int); callback v57 = 0;", "(callback) NULL", "callback"),
    ("_Atomic int v58 = 4;", "4", "_Atomic(int)"),
    (
        "typedef float four __attribute__((ext_vector_type(4))); four v59 = {1, 2, 3, 4};",
        "{1.0, 2.0, 3.0, 4.0}",
        "four",
    ),
    ("typedef int wchar_t; const wchar_t *v60 = L\"w\u{e4}h\";", "L\"wäh\"", "const wchar_t *"),
    (
        "struct node { struct node *next; int n; } v61 = {0, 1};",
        "{next = (struct node *) NULL, n = 1}",
        "struct node",
    ),
    ("struct opaque; struct opaque *v62 = (void *)8;", "(struct opaque *) 0x8", "struct opaque *"),
    ("void *v63 = (void *)255;", "(void *) 0xff", "void *"),
    ("_Float16 v64 = 1.5;", "1.5", "_Float16"),
    ("struct empty {} v65;", "{}", "struct empty"),
    ("char v66[3] = {'a', 'b', 'c'};", "\"abc\"", "char [3]"),
    ("unsigned char v67[3] = {1, 2, 3};", "{1, 2, 3}", "unsigned char [3]"),
    ("const char *v68[2] = {\"a\", 0};", "{\"a\", (const char *) NULL}", "const char *[2]"),
    ("enum color v69[2] = {RED, BLUE};", "{RED, BLUE}", "enum color [2]"),
    (
        "void (*v70)(int (*)(void), struct point) = 0;",
        "(void (*)(int (*)(void), struct point)) NULL",
        "void (*)(int (*)(void), struct point)",
    ),
    ("int *restrict v71 = 0;", "(int *restrict) NULL", "int *restrict"),
    ("double v72 = __builtin_inf();", "inf", "double"),
    ("double v73 = 123456789012345680.0;", "1.2345678901234568e+17", "double"),
    ("float v74 = 16777216;", "16777216.0", "float"),
    ("int (*v75)[3] = 0;", "(int (*)[3]) NULL", "int (*)[3]"),
];

struct Loaded {
    object: Vec<u8>,
    library: *mut libc::c_void,
    _place: tempfile::TempDir,
}

impl Loaded {
    fn new(source: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::write(path("a.c"), source).unwrap();
        let run = |arguments: &[&str]| {
            let output = Command::new("clang-19").args(arguments).current_dir(place.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        run(&["-g", "-O0", "-w", "-fPIC", "-std=gnu2x", "-c", "a.c"]);
        run(&["-shared", "a.o", "-o", "a.so"]);
        let name = std::ffi::CString::new(path("a.so").to_str().unwrap()).unwrap();
        #[allow(unsafe_code)]
        // SAFETY: a library without constructors.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null());
        Self { object: std::fs::read(path("a.o")).unwrap(), library, _place: place }
    }

    fn address(&self, name: &str) -> u64 {
        let name = std::ffi::CString::new(name).unwrap();
        #[allow(unsafe_code)]
        // SAFETY: a library that is loaded, and a name.
        let address = unsafe { libc::dlsym(self.library, name.as_ptr()) };
        assert!(!address.is_null());
        address as u64
    }
}

#[test]
fn values_and_types() {
    let source: String = CASES.iter().map(|(text, ..)| format!("{text}\n")).collect();
    let loaded = Loaded::new(&source);
    let types = Types::of(&loaded.object, |_| true).unwrap();
    let mut wrong = Vec::new();
    for (index, (text, value, kind)) in CASES.iter().enumerate() {
        let name = format!("v{index}");
        assert!(text.contains(&name), "{text} is not {name}");
        let id = types.variable(&name).unwrap_or_else(|| panic!("{text}"));
        let shown = show(&types, id, loaded.address(&name), &|_| None);
        let spelled = types.spelling(id);
        if shown != *value || (!kind.is_empty() && spelled != *kind) {
            wrong.push(format!("{text}\n  {shown}\n  {spelled}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn long_ones_take_several_lines_and_huge_ones_are_cut() {
    let loaded = Loaded::new(
        "struct person { const char *name, *street, *town; int age; };
         struct person one = {\"Ada King, Countess of Lovelace\", \"12 St James's Square\", \"London, Westminster\", 36};
         int many[5000]; char longer[1000]; struct { int a[1000000]; } wide;
         int fill(void) { for (int i = 0; i < 5000; i++) many[i] = i; for (int i = 0; i < 999; i++) longer[i] = 'x'; return 0; }
         int filled; __attribute__((constructor)) static void start(void) { filled = fill(); }",
    );
    let types = Types::of(&loaded.object, |_| true).unwrap();
    let text = |name: &str| show(&types, types.variable(name).unwrap(), loaded.address(name), &|_| None);
    assert_eq!(
        text("one"),
        "{\n  name = \"Ada King, Countess of Lovelace\",\n  street = \"12 St James's Square\",\n  \
         town = \"London, Westminster\",\n  age = 36\n}"
    );
    let many = text("many");
    assert!(many.ends_with("198, 199, ... 4800 more\n}"), "{many}");
    assert!(many.lines().all(|line| line.len() <= 100), "{many}");
    assert_eq!(text("longer"), format!("\"{}\"...", "x".repeat(200)));
    assert_eq!(text("wide"), "{a = {0 <repeats 20000 times>, ... 980000 more}}");
}

#[test]
fn functions_have_names_and_memory_may_be_missing() {
    let loaded = Loaded::new("int f(int x) { return x; } int (*pointer)(int) = f; struct { int a, b; } two;");
    let types = Types::of(&loaded.object, |_| true).unwrap();
    let pointer = types.variable("pointer").unwrap();
    let f = loaded.address("f");
    let name_of = |address: u64| (address == f).then(|| "f".to_owned());
    assert_eq!(
        show(&types, pointer, loaded.address("pointer"), &name_of),
        format!("(int (*)(int)) 0x{f:x} <f>")
    );
    let two = types.variable("two").unwrap();
    assert_eq!(show(&types, two, 64, &|_| None), "{a = <cannot be read>, b = <cannot be read>}");
    assert_eq!(show(&types, two, u64::MAX - 2, &|_| None), "{a = <cannot be read>, b = <cannot be read>}");
}

#[test]
fn damaged_objects_are_no_danger() {
    let loaded =
        Loaded::new("struct s { struct s *next; int a[3]; enum e { X } e; } one; int (*f)(struct s);");
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..3000 {
        let mut object = loaded.object.clone();
        for _ in 0..random.usize(1..8) {
            let at = random.usize(..object.len());
            object[at] = random.u8(..);
        }
        if random.bool() {
            object.truncate(random.usize(..object.len()));
        }
        let Ok(types) = Types::of(&object, |_| true) else { continue };
        for name in ["one", "f"] {
            if let Some(id) = types.variable(name) {
                types.spelling(id);
                show(&types, id, loaded.address(name), &|_| None);
            }
        }
    }
}
