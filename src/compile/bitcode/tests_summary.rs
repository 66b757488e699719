//! Summaries of real modules: what must not be seen, and what must.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tests_input::*;
use super::*;

/// Digests of the functions that are defined, by name.
fn digests(summary: &Summary) -> BTreeMap<&str, (Digest, Digest)> {
    let defined = summary.functions.iter().filter(|f| f.is_defined);
    let known = |f: &Function| (f.own.expect("understood"), f.deep.expect("understood"));
    defined.map(|f| (&f.name[..], known(f))).collect()
}

/// Goes in front of a file: shifts the numbers of types, values, strings, attributes, metadata.
const IN_FRONT: &str = r#"
struct in_front { long a[9]; char c; struct { short d; float e; } f[3]; };
extern int printf(const char *, ...);
static const char *const in_front_names[] = {"in", "front", "of"};
static struct in_front in_front_value = {{1, 2, 77}, 4};
__attribute__((cold, noinline)) float in_front_of_all(struct in_front *p, double d, unsigned char n) {
    for (int i = 0; i < n; i++) p->a[i % 9] += (long)(d * 4.75) ^ 0x1234;
    in_front_value.f[1].e += p->f[n % 3].e;
    printf("%s %f\n", in_front_names[n % 3], d);
    return (float)p->a[3] + in_front_value.c;
}


"#;

fn shifted_alike(compiler: &str, text: &str, flags: &[&str]) {
    let before = summarise(&from_text(compiler, text, flags)).unwrap();
    let after = summarise(&from_text(compiler, &format!("{IN_FRONT}{text}"), flags)).unwrap();
    let (before_all, mut after_all) = (digests(&before), digests(&after));
    assert!(before_all.len() > 1);
    after_all.retain(|name, _| !name.contains("in_front"));
    for (name, digests) in &before_all {
        assert_eq!(digests, &after_all[name], "{name} with {flags:?}");
    }
    assert_eq!(before_all.len(), after_all.len());
    assert_eq!((before.module, before.initialisers), (after.module, after.initialisers));
    // Different functions are different.
    let mut all: Vec<Digest> = before_all.values().map(|(own, _)| *own).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), before_all.len());
}

#[test]
fn what_stands_in_front_is_not_seen() {
    for debug in [&[][..], &["-g"], &["-g", "-gdwarf-4", "-fno-exceptions"]] {
        for file in ["lvm.c", "lapi.c", "lstrlib.c", "ltable.c"] {
            let path = lua(file);
            let text = std::fs::read_to_string(&path).unwrap();
            let include = format!("-I{}", path.parent().unwrap().display());
            shifted_alike("clang-19", &text, &[debug, &[&include[..]]].concat());
        }
        shifted_alike("clang-19", GOTO, debug);
    }
    let path = zstd("compress/zstd_double_fast.c");
    let include = format!("-I{}", path.parent().unwrap().display());
    shifted_alike("clang-19", &std::fs::read_to_string(&path).unwrap(), &[&include, "-g"]);
}

#[test]
fn places_in_the_source_count_where_they_are_to() {
    let text = "int first(int x) { return x + 1; }\n/* */ int second(int x) {\n  return x - 1;\n}\n";
    let moved = text.replace("/* */", "\n\n");
    let read = |text: &str, lines| {
        let bitcode = from_text("clang-19", text, &["-g"]);
        summarise_after(None, &Arc::from(bitcode), Reads { lines, ..Reads::default() }).unwrap().0
    };
    for lines in [false, true] {
        let (before, after) = (read(text, lines), read(&moved, lines));
        let (before, after) = (digests(&before), digests(&after));
        assert_eq!(before["first"], after["first"]);
        assert_eq!(before["second"] != after["second"], lines);
    }
}

#[test]
fn in_cxx_too() {
    let text = CXX.replace("#include", "\n\n#include");
    for debug in ["-g", "-g0"] {
        let flags = ["-std=c++17", debug];
        let before = summarise(&from_text("clang++-19", CXX, &flags)).unwrap();
        let moved = summarise(&from_text("clang++-19", &text, &flags)).unwrap();
        assert_eq!(digests(&before), digests(&moved));
        let more =
            format!("{text}\nstatic std::map<long, double> added; long more(long k) {{ return added[k]; }}");
        let more = summarise(&from_text("clang++-19", &more, &flags)).unwrap();
        let more_digests = digests(&more);
        for (name, digests) in digests(&before) {
            // Runs all dynamic initialisers.
            if !name.starts_with("_GLOBAL__") {
                assert_eq!(digests, more_digests[name], "{name}");
            }
        }
        assert_ne!(before.initialisers, more.initialisers);
        assert_eq!(before.module, more.module);
    }
}

/// The functions whose digests differ: `own` or `deep`.
fn changed(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let before = summarise(&from_text("clang-19", before, &[])).unwrap();
    let after = summarise(&from_text("clang-19", after, &[])).unwrap();
    let (before, after) = (digests(&before), digests(&after));
    let differ = |pick: fn(&(Digest, Digest)) -> Digest| {
        let differs = |name: &&&str| pick(&before[**name]) != pick(&after[**name]);
        before.keys().filter(differs).map(|name| name.to_string()).collect()
    };
    (differ(|d| d.0), differ(|d| d.1))
}

const EDITED: &str = r#"
#include <stdio.h>
static int small(int x) { return x + 1; }
static int uses_small(int x) { return small(x) * 3; }
__attribute__((noinline)) static int apart(int x) { return x + 2; }
static __attribute__((always_inline)) inline int always(int x) { return x + 4; }
static const int table[] = {5, 6, 7};
static int (*const calls[])(int) = {small, apart};
static int counter = 8;
int a(int x) { return uses_small(x); }
int b(int x) { return apart(x); }
int c(int x) { return always(x); }
int d(int x) { return table[x]; }
int e(int x) { return calls[x](x); }
int f(int x) { return counter += x; }
int g(int x) { puts("text"); return x; }
int odd(int x); int even(int x) { return x ? odd(x - 1) : 9; } int odd(int x) { return x ? even(x - 1) : 10; }
static int left(int x); static int right(int x) { return x ? left(x - 1) : 11; }
static int left(int x) { return x ? right(x - 1) : 12; }
int h(int x) { return left(x) + left(x + 1); }
"#;

#[test]
fn an_edit_is_seen_where_it_counts() {
    let cases: [(&str, &str, &[&str], &[&str]); 9] = [
        // What is edited, and whose own and deep digests it changes.
        ("x + 1;", "x + 100;", &["small"], &["a", "small", "uses_small"]),
        ("x + 2;", "x + 200;", &["apart"], &["apart"]),
        ("x + 4;", "x + 400;", &["always", "c"], &["always", "c"]),
        ("6, 7", "6, 70", &["d"], &["d"]),
        ("counter = 8", "counter = 80", &[], &[]),
        ("\"text\"", "\"tex\"", &["g"], &["g"]),
        (": 9", ": 90", &["even"], &["even"]),
        (": 11", ": 110", &["right"], &["h", "left", "right"]),
        (": 12", ": 120", &["left"], &["h", "left", "right"]),
    ];
    for (from, to, own, deep) in cases {
        let after = EDITED.replacen(from, to, 1);
        assert_ne!(after, EDITED);
        let found = changed(EDITED, &after);
        assert_eq!((&found.0[..], &found.1[..]), (&strings(own)[..], &strings(deep)[..]), "{from}");
    }
}

fn strings(of: &[&str]) -> Vec<String> {
    of.iter().map(|s| s.to_string()).collect()
}

#[test]
fn functions_and_variables_are_described() {
    let summary = summarise(&from_text("clang-19", EDITED, &[])).unwrap();
    let function = |name: &str| summary.functions.iter().find(|f| &*f.name == name).unwrap();
    let named = |places: &[u32]| -> Vec<&str> {
        places.iter().map(|place| &summary.functions[*place as usize].name[..]).collect()
    };
    assert_eq!(named(&function("a").functions), ["uses_small"]);
    assert!(function("small").is_inline_candidate && !function("apart").is_inline_candidate);
    assert!(function("apart").flags.no_inline && function("always").flags.always_inline);
    assert_eq!((function("small").linkage, function("a").linkage), (Linkage::Internal, Linkage::External));
    assert_eq!((function("small").direct_calls, function("small").address_taken), (1, true));
    assert_eq!((function("left").direct_calls, function("left").address_taken), (3, false));
    assert!(!function("puts").is_defined && function("puts").own.is_none());
    let variable = |name: &str| summary.variables.iter().find(|v| &*v.name == name).unwrap();
    assert!(variable("table").is_constant && !variable("counter").is_constant);
    assert_eq!(named(&variable("calls").functions), ["small", "apart"]);
    let of_f = &function("f").variables;
    assert_eq!(of_f.len(), 1);
    assert_eq!(&*summary.variables[of_f[0] as usize].name, "counter");
    let edited =
        summarise(&from_text("clang-19", &EDITED.replace("counter = 8", "counter = 9"), &[])).unwrap();
    let after = edited.variables.iter().find(|v| &*v.name == "counter").unwrap();
    assert_eq!(variable("counter").declaration, after.declaration);
    assert_ne!(variable("counter").initialiser, after.initialiser);

    let jumps = "#include <setjmp.h>\njmp_buf b; int f(void) { return setjmp(b); } int g(void) { return 1; }";
    let summary = summarise(&from_text("clang-19", jumps, &[])).unwrap();
    let jumps = |name| summary.functions.iter().find(|f| &*f.name == name).unwrap().calls_returns_twice;
    assert!(jumps("f") && !jumps("g"));
    let summary = summarise(&from_text("clang-19", GOTO, &[])).unwrap();
    assert!(summary.functions.iter().any(|f| &*f.name == "run" && f.block_address_taken));
}

#[test]
fn constructors_are_initialisers() {
    let base = r#"
        static int v; static int deeper(void) { return 1; } static int helper(void) { return deeper(); }
        __attribute__((constructor)) static void early(void) { v = helper(); }
        int other(void) { return v; }
    "#;
    let of = |text: &str| summarise(&from_text("clang-19", text, &[])).unwrap().initialisers.unwrap();
    let before = of(base);
    assert_eq!(before, of(&base.replace("return v;", "return v + 1;")));
    assert_ne!(before, of(&base.replace("return 1;", "return 2;")));
    assert_ne!(before, of(&base.replace("constructor", "destructor")));
    assert_ne!(before, of(&base.replace("constructor", "constructor(200)")));
}

#[test]
fn constants_in_circles() {
    let base = r#"
        @a = internal constant { ptr, i32 } { ptr @b, i32 1 }
        @b = internal constant { ptr, i32 } { ptr @c, i32 2 }
        @c = internal constant { ptr, ptr } { ptr @b, ptr @last }
        @last = private constant i32 3
        define ptr @f() { ret ptr @a }
        define ptr @g() { ret ptr @c }
        define ptr @h() { ret ptr @last }
    "#;
    let of = |text: &str| -> Vec<Digest> {
        let summary = summarise(&from_ir(text).unwrap()).unwrap();
        summary.functions.iter().map(|f| f.own.unwrap()).collect()
    };
    let before = of(base);
    let differ = |to: &str| -> Vec<bool> {
        of(to).iter().zip(&before).map(|(after, before)| after != before).collect()
    };
    assert_eq!(differ(&base.replace("@last", "@first")), [false; 3]);
    assert_eq!(differ(&base.replace("i32 1 }", "i32 10 }")), [true, false, false]);
    assert_eq!(differ(&base.replace("i32 2 }", "i32 20 }")), [true, true, false]);
    assert_eq!(differ(&base.replace("i32 3", "i32 30")), [true, true, true]);
}

#[test]
fn nothing_is_in_what_is_entered_once_but_what_must() {
    let base = r#"
        extern int pthread_create(void *, void *, void *(*)(void *), void *);
        static int tick(int x) { return x * 2; }
        static int deeper(int x) { return x * 7; }
        static inline __attribute__((always_inline)) int must(int x) { return deeper(x) + 3; }
        static void *loop(void *p) { return p + tick(4); }
        int start(void) { return pthread_create(0, 0, loop, 0); }
        int twice(void) { return tick(1) + tick(2) + must(3); }
        int main(void) { return tick(1) + must(2); }
    "#;
    let entered_once = &["main".to_owned()][..];
    let of = |text: &str, entered_once| {
        let bitcode = Arc::from(from_text("clang-19", text, &[]));
        summarise_after(None, &bitcode, Reads { entered_once, ..Reads::default() }).unwrap().0
    };
    let once = of(base, entered_once);
    let named: Vec<&str> = once.functions.iter().filter(|f| f.entered_once).map(|f| &*f.name).collect();
    assert_eq!(named, ["loop", "main"]);
    assert!(of(base, &[]).functions.iter().all(|f| !f.entered_once));
    // Whose optimised code is another one.
    let others = |from: &str, to: &str, entered_once| -> Vec<String> {
        let (before, after) = (of(base, entered_once), of(&base.replace(from, to), entered_once));
        let (before, after) = (digests(&before), digests(&after));
        let changed = before.iter().filter(|(name, digests)| digests.1 != after[*name].1);
        changed.map(|(name, _)| (*name).to_owned()).collect()
    };
    assert_eq!(others("x * 2", "x * 4", entered_once), ["tick", "twice"]);
    assert_eq!(others("x * 2", "x * 4", &[]), ["loop", "main", "start", "tick", "twice"]);
    // What must be a part of it is.
    assert_eq!(others("+ 3", "+ 5", entered_once), ["main", "must", "twice"]);
    assert_eq!(others("x * 7", "x * 8", entered_once), ["deeper", "main", "must", "twice"]);
    // It is not called any more where it is entered.
    assert_eq!(others("0, loop, 0", "loop, 0, 0", entered_once), ["loop", "start"]);
}
