//! Types from debug information, of objects that compilers make, and of damaged ones.

use proptest::prelude::*;

use super::tests_types::{ir, made};
use super::*;

const FLAGS: [(&str, &str); 6] = [
    ("gcc", "-g -O0"),
    ("gcc", "-g -O2 -ffunction-sections -fdata-sections"),
    ("gcc", "-gdwarf-4 -O1"),
    ("clang-19", "-g -O0"),
    ("clang-19", "-g -O2"),
    ("clang-19", "-gdwarf-4 -O1 -fdebug-types-section"),
];

fn read(compiler: &str, flags: &str, text: &str) -> Interface {
    interface_of_object(&made(compiler, flags, text))
}

const C: &str = "
    struct S { int a; char *b; struct S *next; union { long l; double d; }; unsigned bits : 3; };
    enum E { A, B }; typedef int callback(int); typedef unsigned long size;
    int ext(struct S, double, long double, _Bool); int noproto(); void nothing(const volatile void *);
    int count; static int hidden; _Thread_local long each = 1; struct S known = {0}; double table[2][3];
    _Bool plain(signed char c, unsigned short s, enum E e, size n, float f, __int128 w) { return c + s + e + n + f + w; }
    void *pointers(callback *call, struct S *restrict s, int list[3], const char *const *names) { s->a = call(list[0]); return s; }
    struct S by_value(struct S s) { return s; }
    int variadic(const char *text, ...) { static short inner; inner += hidden++ + each++ + count++; nothing(text); return inner; }
    int old(a) int a; { return a; }
    static int own(int x) { return x + 1; }
    int user(int x) { table[0][0] = own(x); return ext(known, 1, 2, 1) + noproto(x) + variadic(\"\", x); }";

#[test]
fn functions_are_told_in_the_words_of_ir() {
    for (compiler, flags) in FLAGS {
        let found = read(compiler, flags, C);
        let long = if cfg!(target_arch = "x86_64") { "x86_fp80" } else { "fp128" };
        assert_eq!(found.checked, Types::DebugInfo);
        let defined: Vec<_> =
            found.defined.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
        let expected = [
            ("by_value", "? (?)"),
            ("plain", "i1 (i8, i16, i32, i64, float, ?)"),
            ("pointers", "ptr (ptr, ptr, ptr, ptr)"),
            ("user", "i32 (i32)"),
            ("variadic", "i32 (ptr, ...)"),
        ];
        assert_eq!(defined, expected, "{compiler} {flags}");
        // Which calls are described is up to the compiler.
        for (name, kind) in &found.declared {
            let expected = match name.as_str() {
                "ext" => format!("i32 (?, double, {long}, i1)"),
                "nothing" => "void (ptr)".to_owned(),
                other => panic!("{other} {kind}"),
            };
            assert_eq!(*kind, expected, "{compiler} {flags}");
        }
        let optimised = !flags.contains("-O0");
        assert!(found.declared.len() == 2 || !optimised, "{compiler} {flags}: {:?}", found.declared);
        // The same source as IR agrees with it, function by function.
        let other = tests::compiled(&ir(C), OptLevel::O1, CallForm::Slot).interface;
        for (name, kind) in &found.defined {
            let other = other.type_of(name).unwrap();
            assert!(compatible(kind, other) && compatible(other, kind), "{name}: {kind} / {other}");
        }
        for (name, kind) in &found.declared {
            assert!(compatible(kind, other.declared_type_of(name).unwrap()), "{name}");
        }
    }
}

#[test]
fn variables_have_their_members() {
    for (compiler, flags) in FLAGS {
        let found = read(compiler, flags, C);
        let variable = |name: &str| {
            let is = |symbol: &str| symbol.split('.').any(|part| part == name);
            let found = found.variables.iter().find(|(symbol, _)| is(symbol));
            found.unwrap_or_else(|| panic!("{compiler} {flags}: no {name}")).1.clone()
        };
        let known = variable("known");
        assert!(known.text.starts_with("struct S { int a; char * b; struct S * next;"), "{known:?}");
        assert_eq!(variable("table").text, "double[2][3]");
        for name in ["count", "hidden", "each", "inner", "table", "known"] {
            assert!(variable(name).fingerprint() != 0 && variable(name).runs.is_none(), "{name}");
        }
        for (change, to, fits) in [
            ("int count;", "float count;", Some(false)),
            ("int count;", "unsigned count = 2;", Some(true)),
            ("", "", Some(true)),
        ] {
            let other = read("gcc", "-g", &C.replace(change, to));
            assert_eq!(variable("count").fits(other.variable("count").unwrap()), fits, "{compiler} {flags}");
        }
        for (change, to, fits) in [
            ("int a; char *b;", "char *b; int a;", Some(false)),
            ("int a; char *b;", "int a; long b;", Some(false)),
            ("double d;", "float d;", Some(false)),
            ("bits : 3", "bits : 4", Some(false)),
            ("struct S", "struct T", Some(true)),
            ("struct S *next;", "union { int x; } *next;", Some(true)),
        ] {
            let other = read(compiler, flags, &C.replace(change, to));
            assert_eq!(known.fits(other.variable("known").unwrap()), fits, "{compiler} {flags} {to}");
        }
        // Debug information and IR are not compared.
        let other = tests::compiled(&ir(C), OptLevel::O1, CallForm::Slot).interface;
        assert_eq!(known.fits(other.variable("known").unwrap()), None);
        assert_eq!(other.variable("known").unwrap().fits(&known), None);
    }
}

const CPP: &str = "
    struct V { virtual ~V() {} int v; };
    struct D : virtual V { D(int); ~D(); static int shared; int method(const D &) const; int more[3]; };
    struct Out { Out(int, bool); ~Out(); int call(char, Out *); int x; };
    int D::shared; D::D(int i) { more[0] = i; } D::~D() {} int D::method(const D &o) const { return o.v; }
    namespace n { int f(long &&, decltype(nullptr)); int g(wchar_t, char16_t) { return 1; } }
    template <class T> T twice(T t) { return t + t; } template int twice<int>(int);
    inline int shared_by_all(int x) { static int once = x; return once++; }
    D made(1);
    int user(int x) { Out o(x, true); return o.call('c', &o) + n::f(1, nullptr) + shared_by_all(x); }";

#[test]
fn functions_of_cpp_have_their_symbols() {
    for (compiler, flags) in
        [("g++", "-g -O2"), ("g++", "-g -O0"), ("clang++-19", "-g -O2"), ("clang++-19", "-g")]
    {
        let found = read(compiler, flags, CPP);
        let defined = |name: &str| found.type_of(name).unwrap_or_else(|| panic!("{compiler} {flags} {name}"));
        assert_eq!(defined("_ZNK1D6methodERKS_"), "i32 (ptr, ptr)");
        assert_eq!(defined("_Z5twiceIiET_S0_"), "i32 (i32)");
        assert_eq!(defined("_ZN1n1gEwDs"), "i32 (i32, i16)");
        for name in ["_ZN1DC1Ei", "_ZN1DC2Ei"] {
            assert!(
                compatible(defined(name), "void (ptr, i32)")
                    || compatible(defined(name), "void (ptr, ptr, i32)")
            );
            assert!(!compatible(defined(name), "void (ptr, i64)"), "{}", defined(name));
        }
        for (name, kind) in &found.declared {
            let expected = match name.as_str() {
                "_ZN3OutC1Eib" => "void (ptr, i32, i1)",
                "_ZN3Out4callEcPS_" => "i32 (ptr, i8, ptr)",
                "_ZN1n1fEOlDn" => "i32 (ptr, ptr)",
                "_ZN3OutD1Ev" | "_ZN1VD2Ev" => "void (ptr)",
                "__cxa_guard_acquire" => "i32 (ptr)",
                "__cxa_guard_release" => "void (ptr)",
                other => panic!("{other} {kind}"),
            };
            assert!(compatible(kind, expected), "{compiler} {name}: {kind}");
        }
        // Clang leaves a class out whose constructor is elsewhere.
        let told = found.declared_type_of("_ZN3Out4callEcPS_").is_some();
        assert!(told || compiler.starts_with("clang"), "{compiler} {flags}");
        let made = found.variable("made").unwrap();
        let other = read(compiler, flags, &CPP.replace("int more[3]", "int more[4]"));
        assert_eq!(made.fits(other.variable("made").unwrap()), Some(false));
        let other = read(compiler, flags, &CPP.replace("int v;", "float v;"));
        assert_eq!(made.fits(other.variable("made").unwrap()), Some(false), "in a base");
        assert!(found.variable("_ZN1D6sharedE").is_some());
        assert!(found.variables.iter().any(|(name, _)| name.contains("once")));
    }
}

#[test]
fn objects_without_debug_information_say_nothing() {
    for flags in ["-O1", "-g -gz"] {
        assert_eq!(read("gcc", flags, C), Interface::default(), "{flags}");
    }
    assert_eq!(interface_of_object(b""), Interface::default());
    assert_eq!(interface_of_object(b"\x7fELF\x02\x01\x01"), Interface::default());
}

/// Where the debug information is in an object.
fn debug_range(object: &[u8]) -> Vec<std::ops::Range<usize>> {
    use object::{Object as _, ObjectSection as _};
    let file: object::read::elf::ElfFile64<'_> = object::read::elf::ElfFile64::parse(object).unwrap();
    let sections = file.sections().filter(|s| s.name().unwrap().contains("debug_"));
    sections.filter_map(|s| s.file_range()).map(|(at, size)| at as usize..(at + size) as usize).collect()
}

/// An object, and where its debug information is.
type Target = (Vec<u8>, Vec<std::ops::Range<usize>>);

fn objects() -> &'static [Target] {
    static MADE: std::sync::OnceLock<Vec<Target>> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        let made = [made("gcc", "-g -O2", C), made("clang-19", "-g -O1", C), made("g++", "-g", CPP)];
        made.into_iter().map(|object| (object.clone(), debug_range(&object))).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn damage_is_survived(
        which in 0usize..3,
        damage in prop::collection::vec((prop::num::usize::ANY, prop::num::usize::ANY, prop::num::u8::ANY), 1..8),
        cut in prop::option::of(prop::num::usize::ANY),
    ) {
        let (object, ranges) = &objects()[which];
        let mut object = object.clone();
        for (range, at, byte) in damage {
            let range = &ranges[range % ranges.len()];
            if !range.is_empty() {
                object[range.start + at % range.len()] = byte;
            }
        }
        if let Some(cut) = cut.filter(|cut| cut % 8 == 0) {
            object.truncate(cut % object.len());
        }
        let started = std::time::Instant::now();
        let found = interface_of_object(&object);
        prop_assert!(started.elapsed() < std::time::Duration::from_secs(60));
        prop_assert!(found.defined.len() < 1000 && found.variables.len() < 1000);
    }
}
