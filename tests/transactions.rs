//! Updates that are prepared, dropped, overtaken, refused: what each leaves behind.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "common/clang.rs"]
mod clang;

use std::ffi::c_void;
use std::sync::Mutex;

use clang::c;
use hotslot::{Error, ErrorKind, Function, OptLevel, PreparedUpdate, Runtime, Source};

type Nullary = extern "C" fn() -> i64;

fn runtime() -> Runtime {
    Runtime::builder().tiered(false).arena_size(64 << 20).opt_level(OptLevel::O1).build().unwrap()
}

fn ir(text: &str) -> Source {
    Source::ir(text).trusted()
}

fn constant(name: &str, value: i64) -> Source {
    ir(&format!("define i64 @{name}() {{ ret i64 {value} }}"))
}

fn caller(name: &str, callee: &str, more: i64) -> Source {
    ir(&format!(
        "declare i64 @{callee}()\n define i64 @{name}() {{ %r = call i64 @{callee}()\n \
         %s = add i64 %r, {more}\n ret i64 %s }}"
    ))
}

fn function(rt: &Runtime, name: &str) -> Function<Nullary> {
    // SAFETY: the tests define their functions with this type.
    unsafe { rt.function(name) }.unwrap()
}

fn call(rt: &Runtime, name: &str) -> i64 {
    function(rt, name).call()
}

/// A caller `g` of `f` and a module with a variable, a thread-local, a weak definition.
fn loaded() -> Runtime {
    let rt = runtime();
    rt.load("f", constant("f", 1)).unwrap();
    rt.load("g", caller("g", "f", 10)).unwrap();
    rt.load("state", c(STATE)).unwrap();
    for value in 2..4 {
        rt.replace("f", constant("f", value)).unwrap();
    }
    for name in ["f", "g", "get", "weakly"] {
        call(&rt, name);
    }
    rt
}

const STATE: &str = "long n = 5; static __thread long t = 6; static long hidden(void) { return n; }\n\
    long (*hook)(void) = hidden; long get(void) { return hook() * 100 + t; }\n\
    __attribute__((weak)) long weakly(void) { return 7; }";

/// Everything that a host can see.
fn observed(rt: &Runtime) -> String {
    let mut modules = rt.modules();
    modules.sort();
    let generations = |name: &str| rt.history(name).unwrap();
    let history: Vec<_> = (modules.iter().flat_map(|(name, _)| generations(name)))
        .map(|generation| (generation.number, generation.live, generation.source_hash, generation.report))
        .collect();
    let names = ["f", "g", "get", "weakly", "n", "hook", "fresh", "other", "t"];
    let addresses: Vec<_> = names.iter().map(|name| rt.address_of(name).ok()).collect();
    let values: Vec<_> = ["f", "g", "get", "weakly"].iter().map(|name| call(rt, name)).collect();
    let pending = rt.pending().len();
    format!("{modules:?} {history:?} {addresses:?} {values:?} {:?} {pending}", rt.totals())
}

fn prepare_much(rt: &Runtime) -> Result<PreparedUpdate, Error> {
    let mut update = rt.update();
    update.load("fresh", caller("fresh", "nowhere", 1)).load("other", caller("other", "fresh", 1));
    update.replace("state", c(&STATE.replace("return 7", "return 8"))).restore("f", 1).remove("g");
    update.prepare()
}

#[test]
fn what_is_prepared_cannot_be_seen() {
    let rt = loaded();
    let (before, stats) = (observed(&rt), rt.stats());
    let prepared = prepare_much(&rt).unwrap();
    assert_eq!(observed(&rt), before);
    let now = rt.stats();
    assert_eq!((now.modules, now.past, now.retired), (stats.modules, stats.past, stats.retired));
    let names: Vec<&str> = prepared.report().modules.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["fresh", "other", "state", "f"]);
    assert_eq!(prepared.report().removed, ["g"]);
    assert!(prepared.is_current());
    drop(prepared);
    assert_eq!((observed(&rt), rt.stats()), (before, stats));
}

#[test]
fn what_failed_has_not_been() {
    let rt = loaded();
    let (before, stats) = (observed(&rt), rt.stats());
    let fail = |what: &dyn Fn(&mut hotslot::Update<'_>), kind: ErrorKind| {
        let mut update = rt.update();
        update.load("fresh", caller("fresh", "nowhere", 1)).replace("f", constant("f", 9)).remove("g");
        what(&mut update);
        assert_eq!(update.commit().unwrap_err().kind(), kind);
        assert_eq!((observed(&rt), rt.stats()), (before.clone(), stats), "{kind:?}");
    };
    fail(&|u| _ = u.load("bad", ir("nonsense")), ErrorKind::Parse);
    fail(&|u| _ = u.load("bad", ir("define i64 @b() { ret i32 1 }")), ErrorKind::Parse);
    fail(&|u| _ = u.load("state", constant("b", 1)), ErrorKind::Update);
    fail(&|u| _ = u.strict(), ErrorKind::Resolve);
    fail(&|u| _ = u.load("big", ir("@big = global [67108864 x i8] zeroinitializer")), ErrorKind::Memory);
    fail(&|u| _ = u.restore("state", 7), ErrorKind::Update);
    let assembler = |text: &str| clang::object(text, "clang-19", &["-x", "assembler"]);
    let odd = assembler(".data\n.globl words\nwords: .long later, 0x11223344\n");
    fail(&|u| _ = u.load("odd", odd.clone()), ErrorKind::Resolve);
    let mut update = rt.update();
    update.load("fresh", constant("fresh", 1)).restore("f", 1);
    update.check().unwrap();
    assert_eq!((observed(&rt), rt.stats()), (before, stats));
    update.commit().unwrap();
    assert_eq!((call(&rt, "fresh"), call(&rt, "g")), (1, 11));
    update.commit().unwrap();
    assert_eq!(call(&rt, "fresh"), 1, "an update is empty once it is committed");
}

#[test]
fn the_report_of_preparing_is_that_of_committing() {
    let rt = loaded();
    let prepared = prepare_much(&rt).unwrap();
    let text = |report: &hotslot::Report| {
        format!("{:?} {:?} {:?} {:?}", report.modules, report.removed, report.undefined, report.shadowed)
    };
    let before = text(prepared.report());
    let report = prepared.commit().unwrap();
    assert_eq!(text(&report), before);
    assert_eq!(report.undefined[0].symbol, "nowhere");
    assert!(report.module("f").unwrap().restored);
}

#[test]
fn an_update_that_still_fits_is_linked_again() {
    let rt = loaded();
    rt.load("a", constant("moving", 1)).unwrap();
    let late =
        rt.update().load("user", caller("user", "moving", 100)).replace("f", constant("f", 50)).prepare();
    let late = late.unwrap();
    // What it calls is somewhere else by then, and what it replaces is another generation.
    rt.update().remove("a").load("b", constant("moving", 2)).commit().unwrap();
    rt.replace("f", constant("f", 4)).unwrap();
    rt.rollback("f", 2).unwrap();
    assert!(!late.is_current());
    assert_eq!(call(&rt, "g"), 12);
    let report = late.commit().unwrap();
    assert_eq!(report.module("f").unwrap().generation, 5);
    assert_eq!((call(&rt, "user"), call(&rt, "g")), (102, 60));
}

/// The error of `prepare`d work that does not fit any more after `meanwhile`, which is named.
#[track_caller]
fn refused(rt: &Runtime, prepared: PreparedUpdate, meanwhile: impl FnOnce(), words: &[&str]) {
    meanwhile();
    let (before, stats) = (observed(rt), rt.stats());
    assert!(!prepared.is_current());
    let error = prepared.commit().unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Update, "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
    assert_eq!(observed(rt), before);
    let now = rt.stats();
    assert_eq!((now.modules, now.retired, now.past), (stats.modules, stats.retired, stats.past));
    assert!(now.code_bytes <= stats.code_bytes && now.symbols <= stats.symbols);
}

#[test]
fn an_update_that_does_not_fit_any_more_is_refused_by_name() {
    let rt = loaded();
    rt.load("x", constant("x", 1)).unwrap();
    let p = rt.update().replace("x", constant("x", 2)).prepare().unwrap();
    let words = ["an update of x was committed after", "there is no module x"];
    refused(&rt, p, || _ = rt.remove("x").unwrap(), &words);

    let p = rt.update().load("y", constant("y", 2)).prepare().unwrap();
    let words = ["an update of y was committed after", "module y is loaded already"];
    refused(&rt, p, || _ = rt.load("y", constant("y", 1)).unwrap(), &words);

    let p = rt.update().remove("y").prepare().unwrap();
    refused(&rt, p, || _ = rt.remove("y").unwrap(), &["update of y", "there is no module y"]);

    let p = rt.update().restore("f", 1).prepare().unwrap();
    let replace = || (4..8).for_each(|n| _ = rt.replace("f", constant("f", n)).unwrap());
    refused(&rt, p, replace, &["update of f", "generation 1 of f is not kept"]);

    let p = rt.update().restore("f", 4).prepare().unwrap();
    refused(
        &rt,
        p,
        || _ = rt.rollback("f", 4).unwrap(),
        &["update of f", "generation 4 of f is the live one"],
    );

    let p = rt.update().load("z", constant("fresh", 1)).strict().prepare().unwrap();
    let load = || _ = rt.load("w", constant("fresh", 2)).unwrap();
    refused(&rt, p, load, &["update of w", "multiple definitions of fresh: w and z"]);
}

extern "C" fn host_value() -> i64 {
    77
}

#[test]
fn a_change_by_the_host_is_one_that_overtakes() {
    let rt = loaded();
    // SAFETY: declared with this type.
    let define = || unsafe { rt.define_function("fresh", host_value as *const c_void) }.unwrap();
    let strict = rt.update().load("z", constant("fresh", 1)).strict().prepare().unwrap();
    let follows = rt.update().load("z", caller("fresh_user", "fresh", 1)).prepare().unwrap();
    assert_eq!(follows.report().undefined.len(), 1);
    let words = ["a change by the host was committed after", "multiple definitions of fresh"];
    refused(&rt, strict, define, &words);
    assert!(follows.commit().unwrap().undefined.is_empty());
    assert_eq!(call(&rt, "fresh_user"), 78);
}

#[test]
fn two_that_are_prepared_share_what_they_name() {
    let text = |n: i64| {
        format!(
            "@t = external thread_local global i64\n declare i64 @new_one()\n\
             define i64 @of{n}() {{ %r = call i64 @new_one()\n ret i64 %r }}"
        )
    };
    for first_dropped in [0, 1] {
        let rt = runtime();
        let before = rt.stats();
        let prepare = |n: i64| rt.update().load(format!("m{n}"), ir(&text(n))).prepare().unwrap();
        let mut both = vec![prepare(0), prepare(1)];
        drop(both.remove(first_dropped));
        let left = 1 - first_dropped;
        rt.load("new", constant("new_one", 5)).unwrap();
        both.remove(0).commit().unwrap();
        assert_eq!(call(&rt, &format!("of{left}")), 5);
        assert!(rt.address_of(&format!("of{first_dropped}")).is_err());

        let rt = runtime();
        let prepare = |n: i64| rt.update().load(format!("m{n}"), ir(&text(n))).prepare().unwrap();
        let mut both = vec![prepare(0), prepare(1)];
        drop(both.remove(first_dropped));
        drop(both);
        assert_eq!(rt.stats(), before, "what both named is gone with the second");
        // The same index serves another name now.
        rt.load("again", caller("again", "late", 1)).unwrap();
        rt.load("late", constant("late", 2)).unwrap();
        assert_eq!(call(&rt, "again"), 3);
    }
}

#[test]
fn an_update_may_wait_for_long() {
    let rt = loaded();
    let waiting = rt.update().replace("f", constant("f", 99)).replace("state", c(STATE)).prepare().unwrap();
    for round in 0..20 {
        rt.replace("f", constant("f", round)).unwrap();
        rt.load(format!("r{round}"), constant(&format!("r{round}"), round)).unwrap();
        if round % 3 == 0 {
            rt.rollback("f", rt.history("f").unwrap()[0].number).unwrap();
            rt.remove(format!("r{round}")).unwrap();
        }
    }
    rt.remove("g").unwrap();
    rt.load("g", caller("g", "f", 1000)).unwrap();
    let g = function(&rt, "g");
    drop(rt);
    let report = waiting.commit().unwrap();
    assert_eq!(report.module("f").unwrap().generation, 24);
    assert_eq!(g.call(), 1099);
}

#[test]
fn updates_of_many_threads_come_one_after_the_other() {
    const THREADS: i64 = 8;
    const ROUNDS: i64 = 40;
    let rt = runtime();
    rt.load("shared", constant("shared", -1)).unwrap();
    let commits = rt.totals().commits;
    let sources: Vec<Source> = (0..ROUNDS).map(|n| rt.compile(&constant("shared", n)).unwrap()).collect();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (rt, sources) = (&rt, &sources);
            scope.spawn(move || {
                let own = format!("own{thread}");
                rt.load(&own, caller(&own, "shared", thread * 1000)).unwrap();
                for source in sources {
                    rt.replace("shared", source.clone()).unwrap();
                    let prepared = rt.update().replace(&own, constant(&own, thread)).prepare().unwrap();
                    std::thread::yield_now();
                    prepared.commit().unwrap();
                }
            });
        }
    });
    let mut modules = rt.modules();
    modules.sort();
    assert_eq!(modules.len() as i64, THREADS + 1);
    for (name, generation) in modules {
        let expected = if name == "shared" { 1 + THREADS * ROUNDS } else { 1 + ROUNDS };
        assert_eq!(generation as i64, expected, "an update of {name} was lost");
    }
    assert_eq!((rt.totals().commits - commits) as i64, THREADS * (1 + 2 * ROUNDS));
    assert_eq!(call(&rt, "shared"), ROUNDS - 1);
    for thread in 0..THREADS {
        assert_eq!(call(&rt, &format!("own{thread}")), thread);
    }
}

#[test]
fn all_problems_are_listed() {
    let rt = loaded();
    let mut update = rt.update();
    update.load("f", constant("f", 1)).replace("nobody", constant("n", 1)).remove("nothing");
    update.load("twice", constant("a", 1)).load("twice", constant("b", 1));
    let error = update.commit().unwrap_err();
    let text = error.to_string();
    for word in ["module f is loaded", "no module nobody", "no module nothing", "twice occurs twice"] {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
    assert_eq!(error.problems().count(), 4);
    let error = rt.update().load("p", ir("one")).load("q", ir("two")).commit().unwrap_err();
    let modules: Vec<_> = error.problems().map(|p| p.module().unwrap().to_owned()).collect();
    assert_eq!(modules, ["p", "q"]);
    let mut update = rt.update();
    update.load("p", caller("p", "none_a", 1)).load("q", caller("f", "none_b", 1)).strict();
    let text = update.commit().unwrap_err().to_string();
    for word in ["none_a, wanted by p", "none_b, wanted by q", "multiple definitions of f: f and q"] {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

#[test]
fn a_strict_update_leaves_nothing_open() {
    let rt = loaded();
    let text = rt.update().remove("f").strict().commit().unwrap_err().to_string();
    assert!(text.contains("undefined symbol: f, wanted by g"), "{text}");
    let text = rt.update().replace("f", constant("e", 1)).strict().commit().unwrap_err().to_string();
    assert!(text.contains("undefined symbol: f, wanted by g"), "{text}");
    assert_eq!(call(&rt, "g"), 13);
    rt.update().remove("f").load("h", constant("f", 20)).strict().commit().unwrap();
    assert_eq!(call(&rt, "g"), 30);
    // What was open before is not this update's fault.
    rt.load("open", caller("open", "nowhere", 1)).unwrap();
    rt.update().load("i", constant("i", 1)).strict().commit().unwrap();
}

static RUNTIME: Mutex<Option<(Runtime, Option<PreparedUpdate>)>> = Mutex::new(None);

/// Called by a resolver, between the commit and the store of what it resolves to.
extern "C" fn prepare_now() {
    let mut guard = RUNTIME.lock().unwrap();
    let (rt, prepared) = guard.as_mut().unwrap();
    *prepared = Some(
        rt.update()
            .load(
                "second",
                c("long chosen(void); long user(void) { return chosen(); }\n\
        __attribute__((weak)) long chosen(void) { return 5; }"),
            )
            .prepare()
            .unwrap(),
    );
}

#[test]
fn what_a_resolver_finds_overtakes_as_well() {
    let rt = runtime();
    // SAFETY: declared with this type.
    unsafe { rt.define_function("prepare_now", prepare_now as *const c_void) }.unwrap();
    *RUNTIME.lock().unwrap() = Some((rt.clone(), None));
    let source = c("void prepare_now(void); static long impl(void) { return 9; }\n\
        static void *resolve(void) { prepare_now(); return impl; }\n\
        long chosen(void) __attribute__((ifunc(\"resolve\")));\n\
        long call_it(void) { return chosen(); }");
    rt.load("first", source).unwrap();
    assert_eq!(call(&rt, "call_it"), 9);
    let (_, prepared) = RUNTIME.lock().unwrap().take().unwrap();
    let prepared = prepared.unwrap();
    assert!(!prepared.is_current(), "its gates may lead to what the resolver has replaced");
    prepared.commit().unwrap();
    assert_eq!((call(&rt, "call_it"), call(&rt, "user")), (9, 9));
}
