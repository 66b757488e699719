//! What a host needs that runs lines typed at a prompt: code without a name that goes after it ran.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::ffi::c_void;

use hotslot::{ErrorKind, Origin, Runtime, Source, SymbolKind};

#[path = "common/alone.rs"]
mod alone;

type Get = extern "C" fn() -> i64;

fn runtime() -> Runtime {
    Runtime::builder().arena_size(64 << 20).build().unwrap()
}

fn ir(text: &str) -> Source {
    Source::ir(text).trusted()
}

fn call(module: &hotslot::Anonymous, name: &str) -> i64 {
    // SAFETY: the tests' functions have this type.
    unsafe { module.function::<Get>(name) }.unwrap().call()
}

/// A line that says something, with a variable, a thread-local and a string of its own.
fn line(n: usize) -> Source {
    ir(&format!(
        "@text = private unnamed_addr constant [16 x i8] c\"line {n:010}\\00\"
         @count = global i64 {n}
         @mine = thread_local global i64 1
         declare i64 @strlen(ptr)
         define internal i64 @once(i64 %x) noinline {{ %y = add i64 %x, 0 ret i64 %y }}
         define i64 @line{n}() {{
           %l = call i64 @strlen(ptr @text)
           %c = load i64, ptr @count
           %m = load i64, ptr @mine
           %s = add i64 %l, %c
           %t = add i64 %s, %m
           %r = call i64 @once(i64 %t)
           ret i64 %r
         }}"
    ))
}

#[test]
fn two_of_a_name_know_nothing_of_each_other_and_nobody_of_them() {
    let rt = runtime();
    rt.load("base", ir("define i64 @twice(i64 %x) { %y = mul i64 %x, 2 ret i64 %y }")).unwrap();
    let text = |n: i64| {
        format!("declare i64 @twice(i64) define i64 @f() {{ %r = call i64 @twice(i64 {n}) ret i64 %r }}")
    };
    let one = rt.anonymous(ir(&text(1))).unwrap();
    let two = rt.anonymous(ir(&text(2))).unwrap();
    assert_eq!((call(&one, "f"), call(&two, "f")), (2, 4));
    rt.replace("base", ir("define i64 @twice(i64 %x) { %y = mul i64 %x, 20 ret i64 %y }")).unwrap();
    assert_eq!((call(&one, "f"), call(&two, "f")), (20, 40));
    assert_eq!(rt.address_of("f").unwrap_err().kind(), ErrorKind::Resolve);
    assert_eq!(one.address_of("g").unwrap_err().kind(), ErrorKind::Resolve);
    let wants = rt.load("wants", ir("declare i64 @f() define i64 @g() { %r = call i64 @f() ret i64 %r }"));
    assert_eq!(wants.unwrap().undefined[0].symbol, "f");
    assert_eq!(rt.modules().len(), 2);
    assert_eq!(rt.stats().modules, 2);
    // It is none of the updates that can be taken back.
    rt.undo().unwrap();
    assert_eq!(call(&one, "f"), 20, "the load of wants is what was last");
    rt.undo().unwrap();
    assert_eq!(call(&one, "f"), 2);
    // SAFETY: as above.
    let wrong = unsafe { one.function::<extern "C" fn(i64) -> f64>("f") };
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Signature);
}

#[test]
fn a_handle_keeps_its_module() {
    let rt = runtime();
    let module = rt.anonymous(line(5)).unwrap();
    // SAFETY: it has this type.
    let function = unsafe { module.function::<Get>("line5") }.unwrap();
    drop(module);
    rt.reclaim();
    assert!(rt.stats().code_bytes > 0);
    let again = function.clone();
    drop(function);
    rt.reclaim();
    assert_eq!(again.try_call().unwrap(), 15 + 5 + 1);
    assert_eq!(again.guarded().call().unwrap(), 15 + 5 + 1);
    drop(again);
    rt.reclaim();
    assert!(rt.pending().is_empty(), "{:?}", rt.pending());
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

#[test]
fn ten_thousand_lines_leave_nothing() {
    alone::alone("ten_thousand_lines_leave_nothing", || {
        let rt = runtime();
        let run = |from: usize, to: usize| {
            for n in from..to {
                let module = rt.anonymous(line(n)).unwrap();
                assert_eq!(call(&module, &format!("line{n}")), 15 + n as i64 + 1);
            }
            // A thread of another test may start just when it is to be asked.
            (0..20).for_each(|_| _ = rt.reclaim());
        };
        run(0, 1000);
        let (before, memory, maps) = (rt.stats(), resident(), mappings());
        run(1000, 10_000);
        let after = rt.stats();
        assert_eq!(
            (after.symbols, after.code_bytes, after.constant_bytes, after.variable_bytes, after.retired),
            (before.symbols, before.code_bytes, before.constant_bytes, before.variable_bytes, before.retired),
        );
        assert_eq!(after.retired, 0, "{:?}", rt.pending());
        // 9,000 of them with a page each would be 36 MB.
        assert!(resident() < memory + (4 << 20), "{memory} bytes became {}", resident());
        assert!(mappings() <= maps + 16, "{maps} mappings became {}", mappings());
    });
}

/// Looks whether `name` leads to what source `at` says, and has it lead nowhere.
fn look(at: usize, name: *mut *const c_void) {
    // SAFETY: it leads to what the source says, which is still there.
    unsafe {
        match at {
            0 => assert_eq!(std::ffi::CStr::from_ptr((*name).cast()), c"Bob"),
            1 => assert_eq!(*(*name).cast::<i64>(), 7),
            _ => assert_eq!(std::mem::transmute::<*const c_void, Get>(*name)(), 3),
        }
        *name = std::ptr::null();
    }
}

#[test]
fn what_a_variable_leads_to_stays_until_it_leads_elsewhere() {
    let rt = runtime();
    rt.load("vars", ir("@name = global ptr null")).unwrap();
    let name = rt.address_of("name").unwrap().cast::<*const c_void>().cast_mut();
    let sources = [
        // A string, a variable of its own, a function.
        "@s = private unnamed_addr constant [4 x i8] c\"Bob\\00\" @name = external global ptr
         define i64 @f() { store ptr @s, ptr @name ret i64 0 }",
        "@v = internal global i64 7 @name = external global ptr
         define i64 @f() { store ptr @v, ptr @name ret i64 0 }",
        "@name = external global ptr define internal i64 @g() { ret i64 3 }
         define i64 @f() { store ptr @g, ptr @name ret i64 0 }",
    ];
    for (at, source) in sources.into_iter().enumerate() {
        let module = rt.anonymous(ir(source)).unwrap();
        call(&module, "f");
        drop(module);
        assert_eq!(rt.reclaim().generations, 0, "source {at}");
        // In a thread of its own, so that nothing of it stays on this stack.
        let name = name as usize;
        std::thread::spawn(move || look(at, name as *mut *const c_void)).join().unwrap();
        assert_eq!(rt.reclaim().generations, 1, "source {at}");
    }
    let module = rt.anonymous(ir(sources[0])).unwrap();
    call(&module, "f");
    module.keep();
    // SAFETY: as above.
    unsafe { *name = std::ptr::null() };
    assert_eq!(rt.reclaim().generations, 0);
    assert_eq!(rt.pending().len(), 0);
}

#[test]
fn bad_input_is_refused_and_leaves_nothing() {
    let rt = runtime();
    let before = rt.stats();
    let bad = [
        ("define i64 @f( {", ErrorKind::Parse),
        (
            "@v = external thread_local(localexec) global i64 define i64 @f() { %r = load i64, ptr @v ret i64 %r }",
            ErrorKind::Link,
        ),
    ];
    for (source, kind) in bad {
        match rt.anonymous(ir(source)) {
            Err(error) => assert_eq!(error.kind(), kind, "{error}"),
            Ok(module) => assert!(!module.report().undefined.is_empty(), "{source}"),
        }
    }
    let archive = Source::archive(*b"!<arch>\n");
    assert_eq!(rt.anonymous(archive).unwrap_err().kind(), ErrorKind::Update);
    rt.reclaim();
    assert_eq!(rt.stats().code_bytes, before.code_bytes);
}

#[test]
fn every_symbol_is_listed_with_its_type() {
    let rt = runtime();
    extern "C" fn answer(x: i64) -> i64 {
        x + 42
    }
    // SAFETY: it has this type, and stays.
    unsafe { rt.define::<extern "C" fn(i64) -> i64>("answer", answer) }.unwrap();
    rt.load(
        "m",
        ir("@v = global [3 x i32] zeroinitializer
            @t = thread_local global i64 1
            declare i64 @strlen(ptr)
            define internal void @hidden() noinline { ret void }
            define double @half(double %x, ptr %p) {
              %n = call i64 @strlen(ptr %p) call void @hidden() %h = fmul double %x, 0.5 ret double %h }"),
    )
    .unwrap();
    rt.replace(
        "m",
        ir("@v = global [3 x i32] zeroinitializer
            @t = thread_local global i64 1
            declare i64 @strlen(ptr)
            define double @half(double %x, ptr %p) {
              %n = call i64 @strlen(ptr %p) %h = fmul double %x, 0.25 ret double %h }"),
    )
    .unwrap();
    let hidden = rt.anonymous(line(1)).unwrap();
    let all = rt.symbols();
    let find = |name: &str| all.iter().find(|symbol| symbol.name == name);
    let half = find("half").unwrap();
    let module = Origin::Module { name: "m".into(), generation: 2 };
    assert_eq!((half.kind, &half.origin), (SymbolKind::Function, &module));
    assert_eq!(half.signature.as_deref(), Some("double (double, ptr)"));
    let v = find("v").unwrap();
    assert_eq!((v.kind, &v.origin, v.size), (SymbolKind::Variable, &module, 12));
    assert_eq!(find("t").unwrap().kind, SymbolKind::ThreadLocal);
    let answer = find("answer").unwrap();
    assert_eq!((&answer.origin, answer.signature.as_deref()), (&Origin::Host, Some("i64 (i64)")));
    assert_eq!(find("atexit").unwrap().origin, Origin::Builtin);
    assert_eq!(find("strlen").unwrap().origin, Origin::Library);
    for name in ["line1", "once", "hidden", "count"] {
        assert!(find(name).is_none(), "{name} is nobody else's");
    }
    assert!(all.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(rt.symbol("half").as_ref(), Some(half));
    assert_eq!(rt.symbol("puts").unwrap().origin, Origin::Library);
    assert_eq!(rt.symbol("no such thing"), None);
    drop(hidden);
}

#[test]
fn a_module_is_built_from_what_others_export() {
    let rt = runtime();
    rt.load(
        "m",
        ir("@v = global i64 5 @t = thread_local global i64 6
                     define i64 @\"odd name\"(i64 %x) { %r = mul i64 %x, 7 ret i64 %r }"),
    )
    .unwrap();
    let head = rt.declarations(["odd name", "v", "t"]).unwrap();
    let text = format!(
        "{head} define i64 @f() {{ %v = load i64, ptr @v %t = load i64, ptr @t %s = add i64 %v, %t
         %r = call i64 @\"odd name\"(i64 %s) ret i64 %r }}"
    );
    assert_eq!(call(&rt.anonymous(ir(&text)).unwrap(), "f"), 77);
    let error = rt.declarations(["v", "nothing", "puts"]).unwrap_err();
    let kinds: Vec<ErrorKind> = error.problems().map(hotslot::Error::kind).collect();
    assert_eq!(kinds, [ErrorKind::Resolve, ErrorKind::Signature]);
}

const ASK: &str = "declare i64 @f(i64) define i64 @g() { %r = call i64 @f(i64 1) ret i64 %r }";

#[test]
fn a_declaration_that_is_wrong_is_refused() {
    let rt = runtime();
    rt.load("m", ir("define double @f(i64 %x) { ret double 1.0 }")).unwrap();
    let error = rt.load("n", ir(ASK)).unwrap_err();
    assert_eq!((error.kind(), error.symbol(), error.module()), (ErrorKind::Signature, Some("f"), Some("n")));
    let text = error.to_string();
    assert!(text.contains("module n declares f as i64 (i64); module m defines it as double (i64)"), "{text}");
    assert_eq!(rt.anonymous(ir(ASK)).unwrap_err().kind(), ErrorKind::Signature);
    // Both at once, in either order.
    let mut both = rt.update();
    both.load("n", ir(ASK)).replace("m", ir("define i64 @f(i64 %x) { ret i64 2 }"));
    both.commit().unwrap();
    // The one that is defined first learns of it later.
    let rt = Runtime::builder().arena_size(64 << 20).build().unwrap();
    rt.load("n", ir(ASK)).unwrap();
    let error = rt.load("m", ir("define double @f(i64 %x) { ret double 1.0 }"));
    // Nothing defined it before, so nothing changes its type: the declaration is not new.
    assert!(error.is_ok());
    rt.replace("n", ir(ASK)).unwrap();
    // What takes any arguments fits, and a result may be left.
    for fits in [
        "declare i64 @f(...) define i64 @g() { %r = call i64 (...) @f(i64 1) ret i64 %r }",
        "declare void @f(i64) define i64 @g() { call void @f(i64 1) ret i64 1 }",
    ] {
        let rt = runtime();
        rt.load("m", ir("define i64 @f(i64 %x) { ret i64 1 }")).unwrap();
        if let Err(error) = rt.load("n", ir(fits)) {
            panic!("{fits}: {error}");
        }
    }
    // Who does not want to know.
    let rt = Runtime::builder().arena_size(64 << 20).check_declarations(false).build().unwrap();
    rt.load("m", ir("define double @f(i64 %x) { ret double 1.0 }")).unwrap();
    rt.load("n", ir(ASK)).unwrap();
}

extern "C" fn one(x: i64) -> i64 {
    x
}

extern "C" fn two(x: i64) -> i64 {
    x * 2
}

extern "C" fn other(x: f64) -> f64 {
    x
}

#[test]
fn the_newest_definition_of_host_and_modules_is_used() {
    let rt = runtime();
    // SAFETY: they have these types, and stay.
    let define = |f: extern "C" fn(i64) -> i64| unsafe { rt.define("f", f) };
    define(one).unwrap();
    rt.load("n", ir(ASK)).unwrap();
    // SAFETY: it has this type.
    let g = unsafe { rt.function::<Get>("g") }.unwrap();
    assert_eq!(g.call(), 1);
    define(two).unwrap();
    assert_eq!(g.call(), 2);
    let report = rt.load("m", ir("define i64 @f(i64 %x) { ret i64 3 }")).unwrap();
    assert_eq!(report.shadowed.len(), 1);
    assert_eq!((report.shadowed[0].used.as_str(), report.shadowed[0].shadowed.as_str()), ("m", "the host"));
    assert_eq!(g.call(), 3);
    define(one).unwrap();
    assert_eq!(g.call(), 1);
    rt.replace("m", ir("define i64 @f(i64 %x) { ret i64 4 }")).unwrap();
    assert_eq!(g.call(), 4, "the newest of the two");
    rt.remove("m").unwrap();
    assert_eq!(g.call(), 1, "the host's is there again");
    // A type that somebody was not compiled against.
    let error = rt.load("k", ir("define double @f(double %x) { ret double %x }")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signature, "{error}");
    // SAFETY: as above.
    let error = unsafe { rt.define::<extern "C" fn(f64) -> f64>("f", other) }.unwrap_err();
    assert_eq!((error.kind(), error.symbol()), (ErrorKind::Signature, Some("f")));
    assert!(error.to_string().contains("compiled against another one: n"), "{error}");
    assert_eq!(g.call(), 1);
    // SAFETY: as above.
    assert_eq!(
        unsafe { rt.define::<extern "C" fn(i64) -> i64>("", one) }.unwrap_err().kind(),
        ErrorKind::Update
    );
    let wrong =
        "declare double @f(double) define double @k() { %r = call double @f(double 1.0) ret double %r }";
    let error = rt.load("k", ir(wrong)).unwrap_err();
    assert!(error.to_string().contains("the host defines it as i64 (i64)"), "{error}");
}
