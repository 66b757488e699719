//! What becomes of variables when their module is replaced: kept, refused, reset, migrated.
#![allow(unsafe_code)] // handles to generated code are made with a promise

mod compile;
mod cxx;
#[path = "../common/reclaimed.rs"]
mod reclaimed;

use std::sync::atomic::{AtomicUsize, Ordering};

use compile::*;
use hotslot::{ErrorKind, Runtime, Source, Update};
use parking_lot::Mutex;
use reclaimed::all_reclaimed;

fn replacing<'rt>(rt: &'rt Runtime, source: Source) -> Update<'rt> {
    let mut update = rt.update();
    update.replace("m", source);
    update
}

const COUNTERS: &str = "int global = 1; static int hidden = 10;
    int f(void) { static int local = 100; return global++ + hidden++ + local++; }
    int g(void) { static int local = 7; return local++; }";

#[test]
fn what_fits_is_kept() {
    for form in ALL {
        let rt = runtime();
        rt.load("m", c(form, COUNTERS)).unwrap();
        assert_eq!(calls(&rt, ["f", "f", "g"]), [111, 114, 7]);
        // Another initial value; a function more with another static of that name, which
        // gives the others other numbers in gcc; the function it was in is inlined.
        let text = COUNTERS
            .replace("= 1;", "= 2;")
            .replace("int g(", "int h(void) { static long other; return other++; } int g(");
        let report = rt.replace("m", c(form, &text)).unwrap();
        assert_eq!(calls(&rt, ["f", "f", "g", "h"]), [117, 120, 8, 0], "{form:?}");
        let report = only(&report);
        assert_eq!(report.ineffective, ["global"], "{form:?}");
        assert_eq!(report.new_variables.len(), 1, "{form:?} {:?}", report.new_variables);
        assert!(report.reset_variables.is_empty() && report.migrated_variables.is_empty());
        assert!(report.new_functions.contains(&"h".to_owned()) && report.removed_functions.is_empty());
    }
}

#[test]
fn a_variable_that_no_longer_fits_is_refused_reset_or_migrated() {
    for form in ALL {
        for (name, declared) in [("x", "int x[2] = {1, 2};"), ("x", "static int x[2] = {1, 2};")] {
            let source = |n: usize| {
                c(
                    form,
                    &format!(
                        "{} int get(void) {{ return x[1]++; }} int last(void) {{ return x[{n} - 1]; }} int *at(void) {{ return x; }}",
                        declared.replace("[2]", &format!("[{n}]"))
                    ),
                )
            };
            let rt = runtime();
            rt.load("m", source(2)).unwrap();
            assert_eq!(calls(&rt, ["get", "get"]), [2, 3]);
            let before = rt.address_of("get").unwrap();
            let error = replacing(&rt, source(3)).commit().unwrap_err();
            assert_eq!(
                (error.kind(), error.symbol(), error.module()),
                (ErrorKind::Storage, Some(name), Some("m"))
            );
            let text = error.to_string();
            assert!(text.contains("8 bytes before, 12 now"), "{text}");
            if form == Ir {
                assert!(text.contains("[2 x i32] before, [3 x i32] now"), "{text}");
            }
            assert!(error.advice().unwrap().contains("Update::migrate"), "{text}");
            assert_eq!((call(&rt, "get"), rt.address_of("get").unwrap()), (4, before), "{form:?}");

            let report = replacing(&rt, source(3)).reset(name).commit().unwrap();
            assert_eq!(
                (&*only(&report).reset_variables, calls(&rt, ["get", "last"])),
                (&[name.to_owned()][..], [2, 0])
            );
            // Smaller is another size, too.
            assert!(replacing(&rt, source(2)).reset("y").commit().is_err());
            // SAFETY: defined with this type above.
            let old_address =
                unsafe { rt.function::<extern "C" fn() -> *const i32>("at") }.unwrap().call() as u64;
            type Seen = (u64, u64, Vec<u8>, Vec<u8>);
            static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());
            SEEN.lock().clear();
            let migrate = |m: &mut hotslot::Migrated<'_>| {
                assert_eq!((m.module, m.name), ("m", "x"));
                SEEN.lock().push((m.old_address, m.new_address, m.old.to_vec(), m.new.to_vec()));
                m.new[..12].copy_from_slice(m.old);
                m.new[16..].copy_from_slice(&77i32.to_le_bytes());
            };
            let mut update = replacing(&rt, source(5));
            let prepared = update.migrate(name, migrate).prepare().unwrap();
            assert_eq!(call(&rt, "get"), 3, "up to the commit the old one counts");
            assert!(SEEN.lock().is_empty());
            let report = prepared.commit().unwrap();
            assert_eq!(only(&report).migrated_variables, [name]);
            assert_eq!(calls(&rt, ["get", "last"]), [4, 77], "{form:?}");
            // SAFETY: as above.
            let new_address =
                unsafe { rt.function::<extern "C" fn() -> *const i32>("at") }.unwrap().call() as u64;
            let ints = |list: &[i32]| list.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
            let seen = (old_address, new_address, ints(&[1, 4, 0]), ints(&[1, 2, 0, 0, 0]));
            assert_eq!(*SEEN.lock(), [seen], "{form:?}");
        }
    }
}

#[test]
fn types_of_one_size_are_told_apart() {
    for (before, now, forms) in [
        ("struct { int a; float b; }", "struct { float a; int b; }", &TYPED[..]),
        ("long", "double", &TYPED[..]),
        ("long", "char *", &TYPED[..]),
        ("struct { int a, b; }", "struct { int b, a; }", &[ClangTypes, GccTypes][..]),
        ("int [4]", "long [2]", &TYPED[..]),
    ] {
        for &form in forms {
            let rt = runtime();
            let source = |kind: &str| {
                c(
                    form,
                    &format!(
                        "typedef __typeof__({kind}) T; T x; static T y; void *at(void) {{ return (void *)((char *)&x - (char *)&y); }}"
                    ),
                )
            };
            rt.load("m", source(before)).unwrap();
            rt.replace("m", source(before)).unwrap();
            let error = rt.replace("m", source(now)).expect_err(&format!("{form:?} {before} {now}"));
            let texts = texts(&error);
            assert_eq!(texts.len(), 2, "{texts:?}");
            assert!(texts.iter().all(|text| text.contains("its type is another one")), "{texts:?}");
            assert!(texts.iter().all(|text| text.contains(" before, ")), "both types: {texts:?}");
            let report = replacing(&rt, source(now)).reset_all().commit().unwrap();
            assert_eq!(only(&report).reset_variables.len(), 2);
        }
    }
    // Where nothing is known it stays.
    for form in [Clang, Gcc] {
        let rt = runtime();
        rt.load("m", c(form, "long x = 5;")).unwrap();
        let report = rt.replace("m", c(form, "double x = 5; double get(void) { return x; }")).unwrap();
        assert_eq!(only(&report).types, hotslot::TypesFrom::Unchecked);
    }
}

#[test]
fn alignment_may_shrink_and_not_grow() {
    for form in ALL {
        let source = |align: u32| {
            c(
                form,
                &format!(
                    "_Alignas({align}) static int x = 5; int get(void) {{ return x++; }} int *at(void) {{ return &x; }}"
                ),
            )
        };
        let rt = runtime();
        rt.load("m", source(64)).unwrap();
        assert_eq!(call(&rt, "get"), 5);
        rt.replace("m", source(4)).unwrap();
        assert_eq!(call(&rt, "get"), 6);
        // Its storage is as aligned as it was.
        rt.replace("m", source(64)).unwrap();
        let text = rt.replace("m", source(256)).unwrap_err().to_string();
        assert!(text.contains("64 bytes before, to 256 now"), "{text}");
        assert_eq!(call(&rt, "get"), 7);
    }
}

#[test]
fn a_rule_by_name_goes_before_that_for_all() {
    let source = |n: usize| {
        c(
            Ir,
            &format!(
                "int a[{n}] = {{1}}, b[{n}] = {{2}}, c[2] = {{3}}; int get(void) {{ return a[0] + b[0] * 10 + c[0] * 100; }} int set(void) {{ return a[0] = b[0] = c[0] = 7; }}"
            ),
        )
    };
    for (all, expected) in [("reset", 727), ("migrate", 771)] {
        let rt = runtime();
        rt.load("m", source(2)).unwrap();
        call(&rt, "set");
        assert_eq!(call(&rt, "get"), 777);
        let keep = |m: &mut hotslot::Migrated<'_>| {
            let size = m.old.len();
            m.new[..size].copy_from_slice(m.old);
        };
        let mut update = replacing(&rt, source(4));
        let report = match all {
            "reset" => update.reset_all().migrate("a", keep).commit(),
            _ => update.migrate_all(keep).reset("a").commit(),
        };
        let report = report.unwrap();
        let report = only(&report);
        let (migrated, reset) = if all == "reset" { ("a", "b") } else { ("b", "a") };
        assert_eq!(
            (&report.migrated_variables[..], &report.reset_variables[..]),
            (&[migrated.to_owned()][..], &[reset.to_owned()][..])
        );
        assert_eq!(call(&rt, "get"), expected);
    }
}

#[test]
fn all_problems_are_listed_and_nothing_changes() {
    for form in ALL {
        let rt = runtime();
        let one = |n: u32| {
            c(
                form,
                &format!(
                    "int a[{n}] = {{1}}, b[{n}]; static char s[{n}]; int fa(void) {{ return a[0]++ + b[0] + s[0]; }} char *at(void) {{ return s; }}"
                ),
            )
        };
        let two =
            |kind: &str, n: u32| c(form, &format!("{kind} z; int fz(void) {{ z += 1; return z * {n}; }}"));
        rt.load("m", one(4)).unwrap();
        rt.load("n", two("int", 1)).unwrap();
        assert_eq!(calls(&rt, ["fa", "fz"]), [1, 1]);
        let update = |more: &dyn Fn(&mut Update<'_>)| {
            let mut update = rt.update();
            update
                .replace("m", one(8))
                .replace("n", two("long", 5))
                .load("new", c(form, "int fn(void) { return 5; }"));
            more(&mut update);
            update.commit()
        };
        let error = update(&|_| ()).unwrap_err();
        let listed = texts(&error);
        assert_eq!(listed.len(), 4, "{listed:?}");
        for name in ["a", "b", "s", "z"] {
            assert!(error.problems().any(|p| p.symbol() == Some(name)), "{name} {listed:?}");
        }
        assert_eq!(
            texts(
                &update(&|u| {
                    u.reset("a").reset("z");
                })
                .unwrap_err()
            )
            .len(),
            2
        );
        assert_eq!(calls(&rt, ["fa", "fz"]), [2, 2], "{form:?}");
        assert_eq!(rt.modules(), [("m".to_owned(), 1), ("n".to_owned(), 1)]);
        assert!(rt.address_of("fn").is_err());
        update(&|u| {
            u.reset_all();
        })
        .unwrap();
        assert_eq!(calls(&rt, ["fa", "fz", "fn"]), [1, 5, 5], "{form:?}");
    }
}

#[test]
fn a_constant_that_changes_is_seen_by_its_readers() {
    for form in ALL {
        let rt = runtime();
        let define = |n: i32| {
            c(
                form,
                &format!(
                    "extern const int limit[2]; const int limit[2] = {{{n}, 1}}; int own(void) {{ return *(volatile const int *)limit; }}"
                ),
            )
        };
        rt.load("m", define(5)).unwrap();
        rt.load("reader", c(form, "extern const int limit[2]; int read(void) { return limit[0]; }")).unwrap();
        rt.load(
            "pointer",
            c(
                form,
                "extern const int limit[2]; const int *volatile p = limit; int kept(void) { return *p; }",
            ),
        )
        .unwrap();
        assert_eq!(calls(&rt, ["own", "read", "kept"]), [5, 5, 5]);
        let report = rt.replace("m", define(6)).unwrap();
        assert_eq!(calls(&rt, ["own", "read"]), [6, 6], "{form:?}");
        let stale: Vec<_> = report.stale.iter().map(|s| (&*s.symbol, &*s.module)).collect();
        assert_eq!((stale, call(&rt, "kept")), (vec![("limit", "pointer")], 5), "{form:?}");
        let report = rt.replace("m", define(6)).unwrap();
        assert!(report.stale.is_empty(), "it did not move");
    }
}

#[test]
fn removed_variables_live_as_long_as_their_code_runs() {
    for form in [Ir, Gcc] {
        let rt = runtime();
        static GO: AtomicUsize = AtomicUsize::new(0);
        GO.store(0, Ordering::SeqCst);
        extern "C" fn wait() {
            GO.store(1, Ordering::SeqCst);
            while GO.load(Ordering::SeqCst) != 2 {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        // SAFETY: declared with this type below.
        unsafe { rt.define_function("wait", wait as *const _) }.unwrap();
        rt.load("m", c(form, "void wait(void); static int state[64] = {3}; int f(void) { int *p = state; p[1]++; wait(); for (int i = 0; i < 64; i++) if (p[i] != (i == 0 ? 3 : i == 1)) return -1; return state[0] + state[1]; }")).unwrap();
        let f = function(&rt, "f");
        std::thread::scope(|scope| {
            let running = scope.spawn(|| f.call());
            while GO.load(Ordering::SeqCst) != 1 {
                std::thread::yield_now();
            }
            let report = rt.replace("m", c(form, "int f(void) { return 9; }")).unwrap();
            assert!(only(&report).reset_variables.is_empty());
            rt.reclaim();
            for i in 0..20 {
                rt.load(format!("fill{i}"), c(form, &format!("int fill{i}[64] = {{-1, -1}};"))).unwrap();
            }
            assert_eq!(rt.pending().len(), 1);
            GO.store(2, Ordering::SeqCst);
            assert_eq!(running.join().unwrap(), 4, "{form:?}");
        });
        assert!(all_reclaimed(&rt), "{:?}", rt.pending());
        assert_eq!(f.call(), 9);
    }
}

#[test]
fn rollback_follows_the_same_rules() {
    let rt = Runtime::builder().history(3).arena_size(16 << 20).build().unwrap();
    let source = |kind: &str| c(Ir, &format!("{kind} x = 4; int get(void) {{ return x++; }}"));
    rt.load("m", source("int")).unwrap();
    assert_eq!(call(&rt, "get"), 4);
    replacing(&rt, source("long")).reset("x").commit().unwrap();
    assert_eq!(calls(&rt, ["get", "get"]), [4, 5]);
    let text = rt.rollback("m", 1).unwrap_err().to_string();
    assert!(text.contains("8 bytes before, 4 now"), "{text}");
    assert_eq!(call(&rt, "get"), 6);
    let mut update = rt.update();
    update.restore("m", 1).migrate("x", |m| m.new.copy_from_slice(&m.old[..4])).commit().unwrap();
    assert_eq!(call(&rt, "get"), 7);
}
