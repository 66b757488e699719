//! A summary of a version that was made from that of the one before is the summary that there is
//! without it, field by field.

use std::sync::Arc;

use proptest::prelude::*;

use super::tests_input::*;
use super::*;

/// Summarises versions one after the other and each by itself; returns how many were made from
/// the one before.
fn alike(versions: &[Vec<u8>]) -> usize {
    let entered_once = &["f".to_owned(), "main".to_owned()][..];
    alike_as(versions, Reads { entered_once, ..Reads::default() });
    alike_as(versions, Reads::default())
}

fn alike_as(versions: &[Vec<u8>], reads: Reads<'_>) -> usize {
    let mut before: Option<(Summary, Reading)> = None;
    let mut counted = 0;
    for version in versions {
        let version: Arc<[u8]> = version[..].into();
        let by_itself = summarise_after(None, &version, reads);
        let after = before.as_ref().map(|(summary, reading)| (summary, reading));
        let Ok((summary, reading)) = summarise_after(after, &version, reads) else {
            assert!(by_itself.is_err());
            continue;
        };
        assert_eq!(summary, by_itself.unwrap().0);
        counted += usize::from(before.is_some_and(|(_, before)| before.is_alike(&reading)));
        before = Some((summary, reading));
    }
    counted
}

const EDITED: &str = r#"
extern int printf(const char *, ...);
extern int pthread_create(void *, void *, int (*)(int), int);
static int counter = 7;
static inline int small(int x) { return x * 3; }
static int once(int x) { return small(x) + counter; }
static int round_and_round(int x);
static int round(int x) { return x > 9 ? round_and_round(x - 1) : small(x); }
static int round_and_round(int x) { return round(x - 2) + 5; }
__attribute__((always_inline)) static inline int must(int x) { return x ^ 21; }
static int (*const table[])(int) = {small, round};
int f(int x) { return once(x) + must(x) + table[x & 1](x); }
int g(int x) { return printf("%d\n", round(x)) + must(counter) + pthread_create(0, 0, round_and_round, x); }
int h(int x) { for (int i = 0; i < x; i++) counter += i ^ 11; return counter; }
__attribute__((constructor)) static void begin(void) { counter = h(2); }
"#;

#[test]
fn edits_of_c() {
    let edits = [
        ("x * 3", "x * 4"),
        ("x - 2", "x - 3"),
        // What may be looked into no longer is, and is again.
        ("return small(x) + counter", "return (small(x) + small(x + 1)) * counter"),
        ("round(x - 2) + 5", "x + 5"),
        ("once(x) + must(x)", "once(x) + once(x + 1) + must(x)"),
        ("^ 21", "^ 22"),
        ("{small, round}", "{small, once}"),
        ("i ^ 11", "i ^ 12"),
        ("h(2)", "h(3)"),
        ("0, round_and_round", "0, round"),
        ("once(x) +", "(int)(long)&once +"),
        // What a constant leads to no longer may be looked into.
        ("return x * 3;", "here: return x * 3 + (int)(long)&&here;"),
        ("int g(int x) {", "int fresh(void) { return 5; }\nint g(int x) {"),
        ("%d\\n", "%u\\n"),
    ];
    for (flags, least) in [(&[][..], 16), (&["-g"], 0)] {
        let base = from_text("clang-19", EDITED, flags);
        let edited = edits.map(|(from, to)| {
            assert!(EDITED.contains(from), "{from}");
            from_text("clang-19", &EDITED.replace(from, to), flags)
        });
        // There and back, and from each to the next.
        let there: Vec<_> = edited.iter().flat_map(|edited| [base.clone(), edited.clone()]).collect();
        let counted = alike(&there) + alike(&edited);
        assert!(counted >= least, "only {counted}");
    }
}

#[test]
fn edits_of_programs() {
    let path = lua("lvm.c");
    let text = std::fs::read_to_string(&path).unwrap();
    let include = format!("-I{}", path.parent().unwrap().display());
    let of = |text: &str| from_text("clang-19", text, &[&include]);
    let edits = [("l_castU2S(0) - l_castS2U(n)", "l_castU2S(1) - l_castS2U(n)"), ("return 0;", "return 2;")];
    let edited = edits.iter().map(|(from, to)| of(&text.replacen(from, to, 1)));
    let versions: Vec<_> = [of(&text)].into_iter().chain(edited).chain([of(&text)]).collect();
    assert!(alike(&versions) >= 2);
    let of = |text: &str| from_text("clang++-19", text, &[]);
    let edits = [("return 1;", "return 3;"), ("f() + 1", "f() + 5"), ("x + 1", "x + 2"), ("= 5;", "= 6;")];
    let versions: Vec<_> = edits.iter().map(|(from, to)| of(&CXX.replacen(from, to, 1))).collect();
    alike(&versions);
    // More variables than functions.
    let text = "int a = 1, b = 2, c = 3, d = 4; int f(int x) { return x + a + 5; }";
    let versions = [text.to_owned(), text.replace("+ 5", "+ 6")];
    assert_eq!(alike(&versions.map(|text| of(&text))), 1);
    let jumps = [GOTO.to_owned(), GOTO.replace("x++", "x += 3"), GOTO.replace("x + 1", "x + 2")];
    alike(&jumps.map(|text| from_text("clang-19", &text, &[])));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    /// Damage is understood as by itself, or not at all.
    #[test]
    fn damage(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        static BASE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let base = BASE.get_or_init(|| from_text("clang-19", EDITED, &[]));
        let mut damaged = base.clone();
        for (at, with) in flips {
            let at = at.index(damaged.len());
            damaged[at] ^= with;
        }
        alike(&[base.clone(), damaged, base.clone()]);
    }
}
