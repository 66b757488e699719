//! The library as a host uses it: load, replace, remove, handles, host symbols, errors.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use hotslot::{CallForm, ErrorKind, OptLevel, Runtime, Source};

type Unary = extern "C" fn(i64) -> i64;
type Nullary = extern "C" fn() -> i64;

/// Without the optimiser behind: what is retired would depend on how far it has got.
fn runtime(form: CallForm) -> Runtime {
    let builder = Runtime::builder().call_form(form).opt_level(OptLevel::O1).arena_size(64 << 20);
    builder.tiered(false).build().unwrap()
}

/// Runs `test` with both forms of calls.
fn both(test: impl Fn(&Runtime)) {
    for form in [CallForm::Slot, CallForm::Stub] {
        test(&runtime(form));
    }
}

fn ir(text: &str) -> Source {
    Source::ir(text).trusted()
}

/// A function `name` that returns `value`.
fn constant(name: &str, value: i64) -> Source {
    ir(&format!("define i64 @{name}() {{ ret i64 {value} }}"))
}

/// A function `name` that calls `callee` and adds `more`.
fn caller(name: &str, callee: &str, more: i64) -> Source {
    ir(&format!(
        "declare i64 @{callee}()\n\
         define i64 @{name}() {{\n %r = call i64 @{callee}()\n %s = add i64 %r, {more}\n ret i64 %s\n}}"
    ))
}

fn call(rt: &Runtime, name: &str) -> i64 {
    // SAFETY: the tests define these functions with this type.
    unsafe { rt.function::<Nullary>(name) }.unwrap().call()
}

#[test]
fn callers_follow_a_replacement() {
    both(|rt| {
        rt.load("f", constant("f", 1)).unwrap();
        rt.load("g", caller("g", "f", 10)).unwrap();
        // SAFETY: as in `call`.
        let g = unsafe { rt.function::<Nullary>("g") }.unwrap();
        let address = rt.address_of("f").unwrap();
        assert_eq!(g.call(), 11);
        let report = rt.replace("f", constant("f", 2)).unwrap();
        assert_eq!(report.module("f").unwrap().generation, 2);
        assert_eq!(g.call(), 12);
        assert_eq!(rt.address_of("f").unwrap(), address, "a function's address is for life");
        assert_eq!((rt.stats().past, rt.stats().retired), (1, 0));
    });
}

#[test]
fn forward_references_are_reported_and_found_later() {
    both(|rt| {
        let report = rt.load("g", caller("g", "f", 1)).unwrap();
        assert_eq!(report.undefined.len(), 1);
        assert_eq!(
            (report.undefined[0].symbol.as_str(), &report.undefined[0].wanted_by[..]),
            ("f", &["g".to_owned()][..])
        );
        let report = rt.load("f", constant("f", 5)).unwrap();
        assert!(report.undefined.is_empty());
        assert_eq!(call(rt, "g"), 6);
    });
}

#[test]
fn one_update_may_be_cyclic_and_is_all_or_nothing() {
    both(|rt| {
        let even = "declare i64 @odd(i64)\ndefine i64 @even(i64 %n) {\n %z = icmp eq i64 %n, 0\n br i1 %z, label %y, label %r\ny:\n ret i64 1\nr:\n %m = sub i64 %n, 1\n %v = call i64 @odd(i64 %m)\n ret i64 %v\n}";
        let odd = "declare i64 @even(i64)\ndefine i64 @odd(i64 %n) {\n %z = icmp eq i64 %n, 0\n br i1 %z, label %y, label %r\ny:\n ret i64 0\nr:\n %m = sub i64 %n, 1\n %v = call i64 @even(i64 %m)\n ret i64 %v\n}";
        let before = rt.stats();
        let error = rt.update().load("even", ir(even)).load("odd", ir("nonsense")).commit().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parse);
        assert_eq!(error.module(), Some("odd"));
        assert_eq!(rt.stats(), before);
        rt.update().load("even", ir(even)).load("odd", ir(odd)).check().unwrap();
        assert_eq!(rt.stats(), before, "a check takes everything back");
        rt.update().load("even", ir(even)).load("odd", ir(odd)).strict().commit().unwrap();
        // SAFETY: defined above with this type.
        let even = unsafe { rt.function::<Unary>("even") }.unwrap();
        assert_eq!((even.call(10), even.call(11)), (1, 0));
    });
}

#[test]
fn the_strongest_then_newest_definition_is_used() {
    both(|rt| {
        rt.load("user", caller("use", "f", 0)).unwrap();
        rt.load("weak1", ir("define weak i64 @f() { ret i64 1 }")).unwrap();
        assert_eq!(call(rt, "use"), 1);
        rt.load("strong", constant("f", 2)).unwrap();
        rt.load("weak2", ir("define weak i64 @f() { ret i64 3 }")).unwrap();
        assert_eq!(call(rt, "use"), 2);
        let report = rt.load("strong2", constant("f", 4)).unwrap();
        assert_eq!(report.shadowed.len(), 1);
        assert_eq!(
            (report.shadowed[0].used.as_str(), report.shadowed[0].shadowed.as_str()),
            ("strong2", "strong")
        );
        assert_eq!(call(rt, "use"), 4);
        for (removed, left) in [("strong2", 2), ("strong", 3), ("weak2", 1)] {
            rt.remove(removed).unwrap();
            assert_eq!(call(rt, "use"), left, "after {removed}");
        }
    });
}

#[test]
fn variables_keep_their_value_over_a_replacement() {
    both(|rt| {
        let source = |step: i64| {
            ir(&format!(
                "@count = global i64 100\n@hidden_count = internal global i64 7\n\
                 define i64 @step() {{\n %a = load i64, ptr @count\n %b = add i64 %a, {step}\n store i64 %b, ptr @count\n \
                 %c = load i64, ptr @hidden_count\n %d = add i64 %c, 1\n store i64 %d, ptr @hidden_count\n \
                 %e = mul i64 %b, %d\n ret i64 %e\n}}"
            ))
        };
        rt.load("m", source(1)).unwrap();
        assert_eq!(call(rt, "step"), 101 * 8);
        let address = rt.address_of("count").unwrap();
        let report = rt.replace("m", source(10)).unwrap();
        assert_eq!(report.modules[0].kept_storage, 2);
        assert_eq!(call(rt, "step"), 111 * 9);
        assert_eq!(rt.address_of("count").unwrap(), address);
        // SAFETY: `count` is an i64 in storage of the runtime.
        assert_eq!(unsafe { *address.cast::<i64>() }, 111);
    });
}

#[test]
fn signatures_are_checked_where_they_are_known() {
    let rt = runtime(CallForm::Slot);
    rt.load("m", ir("define i32 @f(ptr %p, double %d) { ret i32 1 }\n@v = global i32 3")).unwrap();
    // SAFETY: never called.
    unsafe {
        let error = rt.function::<Unary>("f").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Signature);
        let text = error.to_string();
        assert!(text.contains("i32 (ptr, double)") && text.contains("i64 (i64)"), "{text}");
        rt.function::<extern "C" fn(*const u8, f64) -> i32>("f").unwrap();
        assert_eq!(rt.function::<Nullary>("v").unwrap_err().kind(), ErrorKind::Signature);
        assert_eq!(rt.function::<Nullary>("nobody").unwrap_err().kind(), ErrorKind::Resolve);
    }
}

#[test]
fn the_host_provides_functions_and_data() {
    extern "C" fn triple(x: i64) -> i64 {
        x * 3
    }
    extern "C" fn negate(x: i64) -> i64 {
        -x
    }
    both(|rt| {
        let mut level = 40i64;
        // SAFETY: the types are those declared in the IR; `level` outlives the calls.
        unsafe {
            rt.define_function("host_fn", triple as *const c_void).unwrap();
            rt.define_data("host_var", (&raw mut level).cast()).unwrap();
        }
        let text = "declare i64 @host_fn(i64)\n@host_var = external global i64\n\
             define i64 @f() {\n %a = load i64, ptr @host_var\n %b = add i64 %a, 1\n store i64 %b, ptr @host_var\n \
             %c = call i64 @host_fn(i64 %b)\n ret i64 %c\n}";
        rt.load("m", ir(text)).unwrap();
        assert_eq!(call(rt, "f"), 123);
        assert_eq!(level, 41);
        // SAFETY: as above.
        unsafe { rt.define_function("host_fn", negate as *const c_void).unwrap() };
        assert_eq!(call(rt, "f"), -42);
    });
}

#[test]
fn runtimes_do_not_see_each_other() {
    let (a, b) = (runtime(CallForm::Slot), runtime(CallForm::Stub));
    a.load("m", constant("f", 1)).unwrap();
    b.load("m", constant("f", 2)).unwrap();
    assert_eq!((call(&a, "f"), call(&b, "f")), (1, 2));
    drop(a);
    assert_eq!(call(&b, "f"), 2);
}

#[test]
fn a_module_built_with_inkwell_is_a_source() {
    let context = inkwell::context::Context::create();
    let module = context.create_module("built");
    let builder = context.create_builder();
    let i64_type = context.i64_type();
    let function = module.add_function("built", i64_type.fn_type(&[], false), None);
    builder.position_at_end(context.append_basic_block(function, "entry"));
    builder.build_return(Some(&i64_type.const_int(77, false))).unwrap();
    let rt = runtime(CallForm::Slot);
    rt.load("m", Source::module(&module)).unwrap();
    drop(module);
    assert_eq!(call(&rt, "built"), 77);
}

#[test]
fn mistakes_name_what_and_where_and_change_nothing() {
    let rt = runtime(CallForm::Slot);
    rt.load("m", constant("f", 1)).unwrap();
    let before = rt.stats();
    let cases: Vec<(hotslot::Error, ErrorKind, &[&str])> = vec![
        (rt.load("m", constant("g", 1)).unwrap_err(), ErrorKind::Update, &["m", "replace"]),
        (rt.replace("x", constant("g", 1)).unwrap_err(), ErrorKind::Update, &["x", "load"]),
        (rt.remove("x").unwrap_err(), ErrorKind::Update, &["x"]),
        (
            rt.update().load("a", constant("a", 1)).load("a", constant("b", 1)).commit().unwrap_err(),
            ErrorKind::Update,
            &["a", "twice"],
        ),
        (
            rt.load("bad", Source::object(&b"\x7fELF"[..]).label("bad.o")).unwrap_err(),
            ErrorKind::Parse,
            &["bad.o", "malformed"],
        ),
        (
            rt.update().load("n", caller("n", "nowhere", 0)).strict().commit().unwrap_err(),
            ErrorKind::Resolve,
            &["undefined symbol: nowhere", "wanted by n"],
        ),
        (
            rt.update().load("n", constant("f", 0)).strict().commit().unwrap_err(),
            ErrorKind::Resolve,
            &["multiple definitions of f", "m and n"],
        ),
        (rt.address_of("nowhere").unwrap_err(), ErrorKind::Resolve, &["nowhere"]),
        (rt.open_library("/nonexistent/lib.so").unwrap_err(), ErrorKind::Read, &["/nonexistent/lib.so"]),
        (
            rt.find_library("no-such-library", &[]).unwrap_err(),
            ErrorKind::Resolve,
            &["no-such-library", "-L"],
        ),
    ];
    for (error, kind, words) in cases {
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        for word in words {
            assert!(text.contains(word), "{word:?} is missing in: {text}");
        }
    }
    assert_eq!(rt.stats(), before);
    assert_eq!(call(&rt, "f"), 1);
}

#[test]
fn a_full_arena_is_an_error_that_changes_nothing() {
    let rt = Runtime::builder().arena_size(4 << 20).build().unwrap();
    rt.load("m", constant("f", 1)).unwrap();
    let before = rt.stats();
    let error = rt.load("big", ir("@big = global [67108864 x i8] zeroinitializer")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Memory);
    assert!(error.to_string().contains("arena_size"), "{error}");
    assert_eq!(rt.stats(), before);
    assert_eq!(call(&rt, "f"), 1);
}

#[test]
fn callers_on_other_threads_go_on_while_modules_change() {
    both(|rt| {
        rt.load("f", constant("f", 0)).unwrap();
        rt.load("g", caller("g", "f", 0)).unwrap();
        // SAFETY: as in `call`.
        let g = unsafe { rt.function::<Nullary>("g") }.unwrap();
        let (stop, newest) = (AtomicBool::new(false), AtomicI64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let committed = newest.load(Ordering::Acquire);
                        let seen = g.call();
                        assert!(
                            seen >= committed && seen >= last,
                            "{seen} after {last}, {committed} committed"
                        );
                        last = seen;
                    }
                });
            }
            for version in 1..=200 {
                rt.replace("f", constant("f", version)).unwrap();
                newest.store(version, Ordering::Release);
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn retired_code_is_returned() {
    let rt = Runtime::builder().tiered(false).arena_size(64 << 20).history(0).build().unwrap();
    rt.load("f", constant("f", 0)).unwrap();
    let mut flat = None;
    for version in 0..50 {
        rt.replace("f", constant("f", version)).unwrap();
        // SAFETY: no other thread runs code of this runtime.
        unsafe { rt.free_retired() };
        let stats = rt.stats();
        assert_eq!(*flat.get_or_insert(stats), stats);
    }
    assert_eq!(call(&rt, "f"), 49);
}

#[test]
fn exit_handlers_of_a_runtime_run_when_it_ends() {
    static ORDER: AtomicI64 = AtomicI64::new(0);
    extern "C" fn note(digit: i64) {
        ORDER.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n * 10 + digit)).unwrap();
    }
    let rt = runtime(CallForm::Slot);
    // SAFETY: the type is the one declared in the IR.
    unsafe { rt.define_function("note", note as *const c_void).unwrap() };
    let text = "declare void @note(i64)\ndeclare i32 @atexit(ptr)\n\
        @llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 65535, ptr @up, ptr null }]\n\
        @llvm.global_dtors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 65535, ptr @down, ptr null }]\n\
        define internal void @up() {\n call void @note(i64 1)\n %r = call i32 @atexit(ptr @handler)\n ret void\n}\n\
        define internal void @handler() {\n call void @note(i64 2)\n ret void\n}\n\
        define internal void @down() {\n call void @note(i64 3)\n ret void\n}";
    rt.load("m", ir(text)).unwrap();
    assert_eq!(ORDER.load(Ordering::Relaxed), 1);
    drop(rt);
    assert_eq!(ORDER.load(Ordering::Relaxed), 123);
}

#[test]
fn an_archive_is_a_module_for_each_member() {
    let object = |text: &str| {
        // The compile stage makes the objects: through a file that clang writes.
        let dir =
            std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("api-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (c, o) = (dir.join("m.c"), dir.join("m.o"));
        std::fs::write(&c, text).unwrap();
        let done = std::process::Command::new("clang-19")
            .args(["-O1", "-fPIC", "-c"])
            .arg(&c)
            .arg("-o")
            .arg(&o)
            .status();
        assert!(done.unwrap().success());
        let bytes = std::fs::read(&o).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        bytes
    };
    let archive = |members: &[(&str, Vec<u8>)]| {
        let mut bytes = b"!<arch>\n".to_vec();
        for (name, member) in members {
            bytes.extend(
                format!(
                    "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
                    format!("{name}/"),
                    0,
                    0,
                    0,
                    644,
                    member.len()
                )
                .bytes(),
            );
            bytes.extend(member);
            if member.len() % 2 == 1 {
                bytes.push(b'\n');
            }
        }
        Source::archive(bytes)
    };
    let two = object("long two(void) { return 2; }");
    let needs = object("long two(void); long four(void) { return two() + two(); }");
    let unneeded = object("long nowhere(void); long five(void) { return nowhere(); }");
    let all = || archive(&[("two.o", two.clone()), ("four.o", needs.clone()), ("five.o", unneeded.clone())]);
    let rt = runtime(CallForm::Slot);
    let report = rt.load("lib", all()).unwrap();
    let names: Vec<_> = report.modules.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["lib(two.o)", "lib(four.o)", "lib(five.o)"]);
    assert_eq!(call(&rt, "four"), 4);
    let three = object("long two(void) { return 3; }");
    let report = rt.replace("lib", archive(&[("two.o", three), ("four.o", needs.clone())])).unwrap();
    assert_eq!(report.removed, ["lib(five.o)"]);
    assert_eq!(call(&rt, "four"), 6);
    rt.remove("lib").unwrap();
    assert_eq!(rt.stats().modules, 0);

    let rt = runtime(CallForm::Slot);
    rt.update()
        .load("main", caller("start", "four", 0))
        .load("lib", all().on_demand())
        .strict()
        .commit()
        .unwrap();
    assert_eq!(rt.stats().modules, 3, "five.o is not needed");
    assert_eq!(call(&rt, "start"), 4);
}
