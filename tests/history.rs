//! Past generations: which are kept, and what it is like to return to one.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "common/clang.rs"]
mod clang;

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use clang::{cxx, object};
use hotslot::{ErrorKind, Function, OptLevel, Runtime, Source};

type Nullary = extern "C" fn() -> i64;

fn runtime(history: usize) -> Runtime {
    let builder = Runtime::builder().tiered(false).arena_size(64 << 20).opt_level(OptLevel::O1);
    builder.history(history).build().unwrap()
}

/// With a section for each variable, as hotslot itself makes objects: each is kept alone.
fn c(source: &str) -> Source {
    object(source, "clang-19", &["-fdata-sections"])
}

fn constant(name: &str, value: i64) -> Source {
    Source::ir(format!("define i64 @{name}() {{ ret i64 {value} }}")).trusted()
}

fn function(rt: &Runtime, name: &str) -> Function<Nullary> {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

fn call(rt: &Runtime, name: &str) -> i64 {
    function(rt, name).call()
}

/// Numbers of the generations in memory, and the live one.
fn numbers(rt: &Runtime, module: &str) -> (Vec<u64>, u64) {
    let history = rt.history(module).unwrap();
    let live: Vec<u64> = history.iter().filter(|g| g.live).map(|g| g.number).collect();
    assert_eq!(live.len(), 1, "{history:?}");
    (history.iter().map(|g| g.number).collect(), live[0])
}

/// Loads `sources` as generations 1, 2, … of `m`.
fn load(rt: &Runtime, sources: impl IntoIterator<Item = Source>) {
    for (number, source) in sources.into_iter().enumerate() {
        let report = match number {
            0 => rt.load("m", source),
            _ => rt.replace("m", source),
        };
        assert_eq!(report.unwrap().module("m").unwrap().generation, number as u64 + 1);
    }
}

#[test]
fn generations_are_listed_with_their_source() {
    let rt = runtime(4);
    load(&rt, [constant("f", 1), constant("f", 2), constant("f", 1)]);
    let history = rt.history("m").unwrap();
    let known: Vec<_> = history.iter().map(|g| (g.number, g.live, g.report.generation)).collect();
    assert_eq!(known, [(1, false, 1), (2, false, 2), (3, true, 3)]);
    assert_eq!(history[0].source_hash, history[2].source_hash);
    assert_ne!(history[0].source_hash, history[1].source_hash);
    assert!(history.iter().all(|g| g.bytes > 0 && g.report.functions == 1));
    assert_eq!(rt.stats().past, 2);
    assert_eq!(rt.history("n").unwrap_err().kind(), ErrorKind::Update);
}

#[test]
fn a_generation_keeps_its_number() {
    let rt = runtime(4);
    load(&rt, (1..4).map(|n| constant("f", n)));
    let (f, address) = (function(&rt, "f"), rt.address_of("f").unwrap());
    for (back, expected) in [(1, 1), (3, 3), (2, 2), (1, 1)] {
        let report = rt.rollback("m", back).unwrap();
        let module = report.module("m").unwrap();
        assert!(module.restored && module.generation == back, "{report:?}");
        assert_eq!((f.call(), numbers(&rt, "m")), (expected, (vec![1, 2, 3], back)));
    }
    let report = rt.replace("m", constant("f", 4)).unwrap();
    assert_eq!(report.module("m").unwrap().generation, 4);
    assert_eq!((f.call(), numbers(&rt, "m")), (4, (vec![1, 2, 3, 4], 4)));
    rt.rollback("m", 3).unwrap();
    assert_eq!((f.call(), rt.address_of("f").unwrap()), (3, address));
    assert_eq!(rt.stats().retired, 0);
}

#[test]
fn so_many_are_kept_as_the_host_said() {
    for kept in [0, 1, 4] {
        let rt = runtime(kept);
        load(&rt, (1..9).map(|n| constant("f", n)));
        let expected: Vec<u64> = (8 - kept as u64..=8).collect();
        assert_eq!(numbers(&rt, "m"), (expected.clone(), 8));
        assert_eq!(rt.stats().past, kept);
        let error = rt.rollback("m", 7 - kept as u64).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Update);
        let text = error.to_string();
        assert!(text.contains(&format!("{:?}", &expected[..kept])), "{text}");
        if kept > 0 {
            // The oldest is live, so the one after it is the oldest that may go.
            rt.rollback("m", expected[0]).unwrap();
            rt.replace("m", constant("f", 9)).unwrap();
            let (numbers, live) = numbers(&rt, "m");
            assert_eq!((numbers.len(), live, call(&rt, "f")), (kept + 1, 9, 9));
            assert!(!numbers.contains(&expected[0]), "{numbers:?}");
        }
    }
}

#[test]
fn what_is_not_kept_cannot_be_returned_to() {
    let rt = runtime(2);
    load(&rt, (1..5).map(|n| constant("f", n)));
    let before = (rt.stats(), numbers(&rt, "m"));
    for (module, number, words) in [
        ("m", 4, &["generation 4 of m is the live one"][..]),
        ("m", 1, &["generation 1 of m is not kept", "[2, 3]"]),
        ("m", 0, &["generation 0 of m is not kept"]),
        ("m", 5, &["generation 5 of m is not kept"]),
        ("n", 1, &["there is no module n"]),
    ] {
        let error = rt.rollback(module, number).unwrap_err();
        assert_eq!((error.kind(), error.module()), (ErrorKind::Update, Some(module)));
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
    let twice = rt.update().restore("m", 2).restore("m", 3).commit().unwrap_err();
    assert!(twice.to_string().contains("m occurs twice"), "{twice}");
    assert_eq!((rt.stats(), numbers(&rt, "m"), call(&rt, "f")), (before.0, before.1, 4));
}

#[test]
fn several_modules_go_back_together() {
    let rt = runtime(4);
    for n in 1..4 {
        let mut update = rt.update();
        for name in ["a", "b", "c"] {
            match n {
                1 => update.load(name, constant(name, n)),
                _ => update.replace(name, constant(name, n)),
            };
        }
        update.commit().unwrap();
    }
    let values = || ["a", "b", "c"].map(|name| call(&rt, name));
    rt.update().restore("a", 1).restore("b", 2).restore("c", 1).commit().unwrap();
    assert_eq!(values(), [1, 2, 1]);
    // All or nothing.
    rt.update().restore("a", 3).restore("b", 2).commit().unwrap_err();
    assert_eq!(values(), [1, 2, 1]);
    rt.update()
        .restore("a", 3)
        .remove("b")
        .replace("c", constant("c", 9))
        .load("d", constant("b", 8))
        .commit()
        .unwrap();
    assert_eq!(values(), [3, 8, 9]);
    assert_eq!(rt.history("b").unwrap_err().kind(), ErrorKind::Update);
}

fn counting(by: i64, also: &str) -> Source {
    c(&format!(
        "long n = 100; static long calls; long count(void) {{ calls++; return n += {by}; }}\n\
                long calls_so_far(void) {{ return calls; }} {also}"
    ))
}

#[test]
fn variables_keep_their_value() {
    let rt = runtime(4);
    load(&rt, [counting(1, ""), counting(10, "long more = 5; long get(void) { return more++; }")]);
    assert_eq!((call(&rt, "count"), call(&rt, "get"), call(&rt, "get")), (110, 5, 6));
    rt.rollback("m", 1).unwrap();
    assert_eq!((call(&rt, "count"), call(&rt, "calls_so_far")), (111, 2));
    // What the older one does not have is as it was left.
    rt.rollback("m", 2).unwrap();
    assert_eq!((call(&rt, "count"), call(&rt, "get"), call(&rt, "calls_so_far")), (121, 7, 3));
}

#[test]
fn a_variable_that_was_made_anew_stays_so() {
    // Generation 2 has no counter, so 3 starts again, and 1 counts on where 3 is.
    let rt = runtime(4);
    load(&rt, [counting(1, ""), c("long other;"), counting(10, "")]);
    assert_eq!(call(&rt, "count"), 110);
    rt.rollback("m", 1).unwrap();
    assert_eq!(call(&rt, "count"), 111);
    rt.rollback("m", 3).unwrap();
    assert_eq!((call(&rt, "count"), call(&rt, "calls_so_far"), numbers(&rt, "m").1), (121, 3, 3));
    assert_eq!(numbers(&rt, "m").0, [1, 2, 3]);
}

#[test]
fn a_variable_of_another_size_starts_anew() {
    let rt = runtime(4);
    let small =
        || c("int n[2] = {1, 2}; long keep = 3; long get(void) { return n[0] + n[1] + keep++ * 100; }");
    let large =
        || c("int n[4] = {4, 4, 4, 4}; long keep = 7; long get(void) { return n[3] + keep++ * 100; }");
    load(&rt, [small()]);
    assert_eq!(call(&rt, "get"), 303);
    rt.update().reset_all().replace("m", large()).commit().unwrap();
    assert_eq!(call(&rt, "get"), 404);
    let mut update = rt.update();
    let report = update.reset_all().restore("m", 1).commit().unwrap();
    let module = report.module("m").unwrap();
    assert!(module.restored && module.generation == 1, "{report:?}");
    assert_eq!((call(&rt, "get"), numbers(&rt, "m")), (503, (vec![1, 2], 1)));
    rt.update().reset_all().restore("m", 2).commit().unwrap();
    assert_eq!((call(&rt, "get"), numbers(&rt, "m")), (604, (vec![1, 2], 2)));
}

#[test]
fn going_back_to_another_size_is_refused_without_a_rule() {
    let rt = runtime(4);
    load(&rt, [c("int n[2]; long get(void) { return sizeof n; }")]);
    rt.update().reset("n").replace("m", c("int n[4]; long get(void) { return sizeof n; }")).commit().unwrap();
    let text = rt.rollback("m", 1).unwrap_err().to_string();
    assert!(text.contains('n') && text.contains('8') && text.contains("16"), "{text}");
    assert_eq!((call(&rt, "get"), numbers(&rt, "m")), (16, (vec![1, 2], 2)));
}

#[test]
fn functions_of_one_generation_only_come_and_go() {
    let rt = runtime(4);
    rt.load("user", c("long extra(void); long use(void) { return extra() + 1; }")).unwrap();
    load(&rt, [c("long extra(void) { return 5; }"), c("long nothing(void) { return 0; }")]);
    let (used, extra) = (function(&rt, "use"), "extra");
    let missing = |generation: u64| {
        let error = used.try_call().unwrap_err();
        let owner = format!("module m (generation {generation}) had it last");
        assert!(error.symbol() == Some(extra) && error.to_string().contains(&owner), "{error}");
    };
    missing(1);
    assert_eq!(call(&rt, "nothing"), 0);
    rt.rollback("m", 1).unwrap();
    assert_eq!(used.try_call().unwrap(), 6);
    assert_eq!(rt.address_of("nothing").unwrap_err().kind(), ErrorKind::Resolve);
    rt.replace("m", c("long extra(void) { return 50; }")).unwrap();
    assert_eq!(used.call(), 51);
    rt.rollback("m", 2).unwrap();
    missing(3);
    assert_eq!(call(&rt, "nothing"), 0);
}

#[test]
fn the_last_body_of_a_static_function_is_the_one_that_stays() {
    let with = |n: i64| {
        c(&format!(
            "static long handler(void) {{ return {n}; }} long (*hook)(void) = handler;\n\
             long run(void) {{ return hook(); }}"
        ))
    };
    let without = || c("long (*hook)(void); long run(void) { return hook() + 10; }");
    let rt = runtime(4);
    load(&rt, [with(1), without()]);
    assert_eq!(call(&rt, "run"), 11);
    rt.replace("m", with(3)).unwrap();
    assert_eq!(call(&rt, "run"), 3);
    rt.rollback("m", 2).unwrap();
    assert_eq!(call(&rt, "run"), 13);
    rt.rollback("m", 1).unwrap();
    assert_eq!(call(&rt, "run"), 1);
    rt.rollback("m", 2).unwrap();
    assert_eq!(call(&rt, "run"), 11);
}

#[test]
fn an_indirect_function_goes_back_to_what_it_was_resolved_to() {
    let rt = runtime(4);
    let source = |n: i64| {
        c(&format!(
            "long resolved; static long impl(void) {{ return {n}; }}\n\
             static void *resolve(void) {{ resolved++; return impl; }}\n\
             long chosen(void) __attribute__((ifunc(\"resolve\"))); long get(void) {{ return chosen(); }}\n\
             long times(void) {{ return resolved; }}"
        ))
    };
    load(&rt, [source(1), source(2)]);
    let chosen = function(&rt, "chosen");
    for (back, expected) in [(1, 1), (2, 2), (1, 1)] {
        rt.rollback("m", back).unwrap();
        assert_eq!((chosen.call(), call(&rt, "get")), (expected, expected));
    }
    assert_eq!(call(&rt, "times"), 2, "going back resolves nothing again");
}

#[test]
fn thread_locals_keep_their_values_in_every_thread() {
    let rt = runtime(4);
    let source = |by: i64, more: &str| {
        c(&format!("__thread long t = 10; {more} long add(void) {{ return t += {by}; }}"))
    };
    load(&rt, [source(1, ""), source(2, "")]);
    let add = function(&rt, "add");
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(add.call(), 12);
            barrier.wait();
            barrier.wait();
            assert_eq!(add.call(), 13);
        });
        assert_eq!((add.call(), add.call()), (12, 14));
        barrier.wait();
        rt.rollback("m", 1).unwrap();
        assert_eq!(add.call(), 15);
        barrier.wait();
    });
    // One more beside it changes nothing, nor does going back from there.
    rt.replace("m", source(5, "__thread long other[4];")).unwrap();
    assert_eq!(add.call(), 20);
    rt.rollback("m", 2).unwrap();
    assert_eq!((add.call(), numbers(&rt, "m").1), (22, 2));
}

#[test]
fn weak_definitions_win_and_lose_as_ever() {
    let rt = runtime(4);
    let weak = |n: i64| c(&format!("__attribute__((weak)) long f(void) {{ return {n}; }}"));
    load(&rt, [weak(1), constant("f", 2), constant("g", 3)]);
    rt.load("other", weak(50)).unwrap();
    let f = function(&rt, "f");
    assert_eq!(f.call(), 50);
    rt.rollback("m", 2).unwrap();
    assert_eq!(f.call(), 2, "a strong one wins");
    rt.rollback("m", 1).unwrap();
    assert_eq!(f.call(), 1, "of weak ones that which became live last");
    rt.remove("m").unwrap();
    assert_eq!(f.call(), 50);
}

#[test]
fn a_cxx_module_goes_back_with_its_objects() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn note() {
        RAN.fetch_add(1, Ordering::Relaxed);
    }
    let rt = runtime(4);
    // SAFETY: declared with this type below.
    unsafe { rt.define_function("note", note as *const c_void) }.unwrap();
    let source = |n: i64| {
        cxx(&format!(
            "#include <stdexcept>\n extern \"C\" void note();\n\
             struct Shape {{ virtual ~Shape() {{ }} virtual long area() {{ return {n}; }} }};\n\
             struct Guard {{ Guard() {{ note(); }} ~Guard() {{ note(); }} }}; static Guard guard;\n\
             static Shape *shape; inline long shared = 0;\n\
             extern \"C\" long area() {{ if (!shape) shape = new Shape; return shape->area(); }}\n\
             extern \"C\" long thrown() {{ try {{ throw std::runtime_error(\"x\"); }}\n\
               catch (std::exception &e) {{ return {n} + ++shared; }} }}"
        ))
    };
    load(&rt, [source(100), source(200)]);
    assert_eq!((call(&rt, "area"), call(&rt, "thrown")), (200, 201));
    rt.rollback("m", 1).unwrap();
    assert_eq!((call(&rt, "area"), call(&rt, "thrown")), (100, 102));
    rt.rollback("m", 2).unwrap();
    assert_eq!((call(&rt, "area"), call(&rt, "thrown")), (200, 203));
    assert_eq!(RAN.load(Ordering::Relaxed), 1, "constructors run once");
    drop(rt);
    assert_eq!(RAN.load(Ordering::Relaxed), 2, "and destructors once");
}

#[test]
fn the_history_goes_with_its_module() {
    let rt = runtime(4);
    load(&rt, (1..4).map(|n| constant("f", n)));
    rt.remove("m").unwrap();
    assert_eq!((rt.stats().past, rt.stats().retired), (0, 3));
    assert_eq!(rt.history("m").unwrap_err().kind(), ErrorKind::Update);
    assert_eq!(rt.rollback("m", 1).unwrap_err().kind(), ErrorKind::Update);
    load(&rt, [constant("f", 9)]);
    assert_eq!(numbers(&rt, "m"), (vec![1], 1));
    let before = rt.stats().code_bytes;
    // SAFETY: nothing of this runtime runs.
    unsafe { rt.free_retired() };
    assert!(rt.stats().code_bytes < before);
    assert_eq!(call(&rt, "f"), 9);
}
