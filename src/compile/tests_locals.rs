//! Static functions as symbols of their own: names, linkage, calls, and what depends on what.

use std::collections::BTreeMap;

use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use object::elf::{
    R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_PLT32, R_X86_64_REX_GOTPCRELX, RelocationType,
};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget};

use super::locals::{self, Local, Locals};
use super::tests::compiled;
use super::*;

const GOT: [RelocationType; 3] = [R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_REX_GOTPCRELX];
const LEVELS: [OptLevel; 3] = [OptLevel::O0, OptLevel::O1, OptLevel::O2];

/// `count` instructions that cannot be left out.
fn work(count: usize) -> String {
    "store volatile i64 %x, ptr @sink\n".repeat(count)
}

/// The types of relocations and the symbols they are against.
type Leads = Vec<(RelocationType, String)>;

/// The code of a function, and what it refers to: the type of the relocation and the symbol.
fn code(object: &[u8], function: &str) -> Option<(Vec<u8>, Leads)> {
    let file: ElfFile64<'_> = ElfFile64::parse(object).unwrap();
    let symbol = file.symbols().find(|s| s.name() == Ok(function) && s.is_definition())?;
    let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
    let mut leads = Vec::new();
    for (_, relocation) in section.relocations() {
        let RelocationTarget::Symbol(to) = relocation.target() else { continue };
        let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
        leads.push((r_type, file.symbol_by_index(to).unwrap().name().unwrap().to_owned()));
    }
    Some((section.data().unwrap().to_vec(), leads))
}

/// Every function that is defined, and whether others can see it.
fn functions(object: &[u8]) -> BTreeMap<String, bool> {
    let file: ElfFile64<'_> = ElfFile64::parse(object).unwrap();
    let all = file.symbols().filter(|s| s.is_definition() && s.kind() == object::SymbolKind::Text);
    all.map(|s| (s.name().unwrap().to_owned(), s.is_global())).collect()
}

#[test]
fn calls_of_a_static_function_go_through_its_slot() {
    let ir = format!(
        "@sink = global i64 0
         define internal i64 @large(i64 %x) {{ {} ret i64 %x }}
         define i64 @one(i64 %x) {{ %r = call i64 @large(i64 %x) ret i64 %r }}
         define i64 @two(i64 %x) {{ %r = call i64 @large(i64 %x) %s = add i64 %r, 1 ret i64 %s }}",
        work(100)
    );
    for level in LEVELS {
        let of = compiled(&ir, level, CallForm::Slot);
        let all = [("hotslot.local.large", true), ("one", true), ("two", true)];
        assert_eq!(functions(&of.object), all.map(|(n, g)| (n.to_owned(), g)).into(), "{level:?}");
        for caller in ["one", "two"] {
            let (_, leads) = code(&of.object, caller).unwrap();
            assert!(
                matches!(&*leads, [(kind, to)] if GOT.contains(kind) && to == "hotslot.local.large"),
                "{level:?} {caller}: {leads:?}"
            );
        }
        let stubs = compiled(&ir, level, CallForm::Stub);
        let leads = code(&stubs.object, "one").unwrap().1;
        assert_eq!(leads, [(R_X86_64_PLT32, "hotslot.local.large".to_owned())], "{level:?}");
        // Nobody else can have an idea of its type.
        let defined: Vec<_> = of.interface.defined.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(defined, ["one", "two"]);
    }
}

#[test]
fn small_functions_are_copied_and_what_is_not_called_is_left_out() {
    let ir = "define internal i64 @small(i64 %x) { %r = mul i64 %x, 3 ret i64 %r }
        define internal i64 @unused(i64 %x) { ret i64 %x }
        define i64 @user(i64 %x) { %r = call i64 @small(i64 %x) ret i64 %r }
        define i64 @other(i64 %x) { %r = call i64 @small(i64 %x) ret i64 %r }";
    for level in [OptLevel::O1, OptLevel::O2] {
        let of = compiled(ir, level, CallForm::Slot);
        assert_eq!(functions(&of.object).into_keys().collect::<Vec<_>>(), ["other", "user"], "{level:?}");
    }
    let of = compiled(ir, OptLevel::O0, CallForm::Slot);
    let (_, leads) = code(&of.object, "user").unwrap();
    assert!(matches!(&*leads, [(kind, _)] if GOT.contains(kind)), "{leads:?}");
    // What says so is inlined without optimisation too.
    let always = ir.replace("@small(i64 %x) {", "@small(i64 %x) alwaysinline {");
    let of = compiled(&always, OptLevel::O0, CallForm::Slot);
    assert_eq!(code(&of.object, "user").unwrap().1, []);
}

#[test]
fn the_code_of_a_static_function_does_not_depend_on_its_callers() {
    // One that may be copied, and one that may not: always with the same numbers.
    for count in [3, 150] {
        let module = |first: &str, second: &str| {
            format!(
                "@sink = global i64 0
                 @table = global ptr @f
                 define internal i64 @f(i64 %x, i64 %y) {{
                   {} %c = icmp eq i64 %y, 5 %r = select i1 %c, i64 %x, i64 9 ret i64 %r }}
                 define i64 @one() {{ %r = call i64 @f({first}) ret i64 %r }}
                 define i64 @two() {{ %r = call i64 @f({second}) ret i64 %r }}",
                work(count)
            )
        };
        for level in LEVELS {
            let always_five = compiled(&module("i64 1, i64 5", "i64 2, i64 5"), level, CallForm::Slot);
            let ever_other = compiled(&module("i64 7, i64 5", "i64 2, i64 6"), level, CallForm::Slot);
            let (one, other) = (&always_five.object, &ever_other.object);
            let name = "hotslot.local.f";
            assert_eq!(code(one, name).unwrap(), code(other, name).unwrap(), "{count} {level:?}");
            let copied = count == 3 && level != OptLevel::O0;
            let called = |object| code(object, "one").unwrap().1.iter().any(|(_, to)| to == name);
            assert_eq!((called(one), called(other)), (!copied, !copied), "{count} {level:?}");
        }
    }
}

#[test]
fn callers_do_not_depend_on_the_body_of_a_large_one() {
    let module = |result: &str| {
        format!(
            "@sink = global i64 0
             define internal i64 @f(i64 %x) {{ {} ret i64 {result} }}
             define i64 @user(i64 %x) {{ %r = call i64 @f(i64 %x) %s = add i64 %r, 1 ret i64 %s }}
             define i64 @more(i64 %x) {{ %r = call i64 @f(i64 %x) ret i64 %r }}",
            work(150)
        )
    };
    let of = |result| compiled(&module(result), OptLevel::O2, CallForm::Slot).object;
    assert_eq!(code(&of("7"), "user"), code(&of("%x"), "user"));
    assert_ne!(code(&of("7"), "hotslot.local.f"), code(&of("%x"), "hotslot.local.f"));
}

/// Whether the only call of `@f`, a function of 200 instructions, is inlined.
fn inlined(f: &str, caller: &str, level: OptLevel) -> bool {
    let ir = format!(
        "@sink = global i64 0
         define internal i64 @f(i64 %x) {f} {{ {} ret i64 %x }}
         define i64 @user(i64 %x) {caller} {{ %r = call i64 @f(i64 %x) ret i64 %r }}",
        work(200)
    );
    !functions(&compiled(&ir, level, CallForm::Slot).object).contains_key("hotslot.local.f")
}

#[test]
fn what_is_called_once_is_inlined_where_that_is_sound() {
    assert!(inlined("", "", OptLevel::O2) && inlined("", "", OptLevel::O1));
    assert!(!inlined("", "", OptLevel::O0));
    let avx = "\"target-features\"=\"+avx2\"";
    assert!(inlined(avx, avx, OptLevel::O2));
    for (f, caller) in [(avx, ""), ("", avx), ("noinline", ""), ("cold", ""), ("sanitize_address", "")] {
        assert!(!inlined(f, caller, OptLevel::O2), "{f} {caller}");
    }
    let stack = |bytes: &str| {
        let ir = format!(
            "@sink = global i64 0
             declare void @fill(ptr)
             define internal i64 @f(i64 %x) {{
               %room = alloca {bytes} call void @fill(ptr %room) {} ret i64 %x }}
             define i64 @user(i64 %x) {{ %r = call i64 @f(i64 %x) ret i64 %r }}",
            work(200)
        );
        let of = compiled(&ir, OptLevel::O2, CallForm::Slot);
        !functions(&of.object).contains_key("hotslot.local.f")
    };
    assert!(stack("[1000 x i8]"));
    assert!(!stack("[2000 x i8]") && !stack("i8, i64 %x"));
}

/// The functions of `ir` that are told apart, and what is left of it once that is applied.
fn applied(ir: &str, told: Option<Locals>) -> (BTreeMap<String, Local>, String) {
    let context = Context::create();
    let buffer = MemoryBuffer::create_from_memory_range_copy(ir.as_bytes(), "ir");
    let module = context.create_module_from_ir(buffer).unwrap();
    let locals = told.unwrap_or_else(|| Locals::of(&module));
    // SAFETY: the module is live and nobody holds a value of it.
    #[allow(unsafe_code)]
    unsafe {
        let hidden = locals::hide(module.as_mut_ptr(), &locals);
        locals::apply(module.as_mut_ptr(), &locals, true, &hidden);
        entries::show(module.as_mut_ptr(), &hidden);
    }
    module.verify().unwrap();
    (locals.functions.into_iter().collect(), module.print_to_string().to_string())
}

#[test]
fn functions_that_others_know_by_name_or_place_stay_static() {
    let ir = "
        @llvm.used = appending global [1 x ptr] [ptr @named_by_assembly], section \"llvm.metadata\"
        @llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 1, ptr @first, ptr null }]
        @llvm.global_dtors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 1, ptr @last, ptr null }]
        @alias = alias void (), ptr @aliased
        @chosen = ifunc void (), ptr @chooser
        define internal void @named_by_assembly() { ret void }
        define internal void @first() { ret void }
        define internal void @last() { ret void }
        define internal void @aliased() { ret void }
        define internal ptr @chooser() { ret ptr null }
        define internal void @bare() naked { unreachable }
        define internal void @main.omp_outlined(ptr %a) { ret void }
        define internal void @__cxx_global_var_init() { ret void }
        define internal void @_ZTWL1x() { ret void }
        define internal void @before() prefix i32 1 { ret void }
        define internal void @0() { ret void }
        define internal void @labels(ptr %p) { indirectbr ptr %p, [label %a] a: ret void }
        define ptr @taker() { ret ptr blockaddress(@labels, %a) }
        define internal ptr @own(ptr %p) { indirectbr ptr %p, [label %a] a: ret ptr blockaddress(@own, %a) }
        define linkonce_odr void @inline() { ret void }
        declare void @outside()
        define internal void @ordinary() { ret void }";
    let (found, text) = applied(ir, None);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["ordinary", "own"]);
    assert!(text.contains("define linkonce_odr dso_local void @hotslot.local.ordinary()"), "{text}");
    assert!(text.contains("blockaddress(@hotslot.local.own, %a)"), "{text}");
}

#[test]
fn who_may_be_copied_is_told_by_size_calls_and_attributes() {
    let ir = |count: usize, attributes: &str, calls: usize| {
        let call = "call void @f(i64 1)\n".repeat(calls);
        format!(
            "@sink = global i64 0 declare void @llvm.lifetime.start.p0(i64, ptr)
             define internal void @f(i64 %x) {attributes} {{ {} ret void }}
             define void @user() {{ {call} ret void }}",
            work(count - 1)
        )
    };
    let told = |count, attributes, calls| applied(&ir(count, attributes, calls), None).0["f"];
    let copied = |once| Local::Copied { once, kept: false };
    assert_eq!(told(100, "", 2), copied(false));
    assert_eq!(told(101, "", 2), Local::Apart);
    assert_eq!(told(101, "", 1), copied(true));
    assert_eq!(told(300, "", 1), copied(true));
    assert_eq!(told(301, "", 1), Local::Apart);
    assert_eq!(told(120, "inlinehint", 2), copied(false));
    assert_eq!(told(121, "inlinehint", 2), Local::Apart);
    assert_eq!(told(500, "alwaysinline", 2), copied(false));
    assert_eq!(told(2, "noinline", 1), Local::Apart);
    assert_eq!(told(2, "noinline optnone", 1), Local::Apart);
    // Its address is taken, or it calls itself.
    let other = ir(110, "", 1) + "\n@table = global ptr @f";
    assert_eq!(applied(&other, None).0["f"], Local::Apart);
    let itself = ir(110, "", 0).replace("ret void }\n", "call void @f(i64 1) ret void }\n");
    assert_eq!(applied(&itself, None).0["f"], Local::Apart);
}

#[test]
fn constants_name_static_functions_again_when_code_is_optimised() {
    let ir = "@table = constant [3 x ptr] [ptr @small, ptr @stays, ptr @aliased]
        @llvm.used = appending global [1 x ptr] [ptr @stays], section \"llvm.metadata\"
        @alias = alias void (), ptr @aliased
        define internal i32 @small() { ret i32 5 }
        define internal i32 @stays() { ret i32 6 }
        define internal void @aliased() { ret void }
        define i32 @by_table() { %f = load ptr, ptr @table %x = call i32 %f() ret i32 %x }
        define i32 @by_name() { %x = call i32 @small() ret i32 %x }";
    let (_, text) = applied(ir, None);
    // What may be dropped if nothing names it is not while it is hidden.
    assert!(text.contains("define weak_odr dso_local i32 @hotslot.local.small()"), "{text}");
    assert!(text.contains("[ptr @hotslot.local.small, ptr @stays, ptr @aliased]"), "{text}");
    assert!(!text.contains(".entry"), "{text}");
    for level in [OptLevel::O1, OptLevel::O2, OptLevel::O3] {
        let object = compiled(ir, level, CallForm::Slot).object;
        let leads = |function| code(&object, function).unwrap().1;
        let through = leads("by_table");
        assert!(through.iter().any(|(_, name)| name.ends_with("small") || name == "table"), "{through:?}");
        assert_eq!(leads("by_name"), [], "it has a copy");
    }
}

#[test]
fn a_slice_names_what_is_elsewhere_and_keeps_what_it_is_told_to() {
    let ir = "declare dso_local void @body_elsewhere()
        declare void @of_others()
        define internal void @kept() { ret void }
        define internal void @plain() { ret void }
        define internal void @part() { ret void }
        define void @user() {
          call void @body_elsewhere() call void @of_others() call void @kept() call void @plain() call void @part()
          ret void }";
    let told = [
        ("body_elsewhere", Local::Elsewhere),
        ("kept", Local::Copied { once: false, kept: true }),
        ("part", Local::Apart),
        ("not_there", Local::Apart),
    ];
    let functions = told.map(|(name, local)| (name.to_owned(), local)).into();
    let (_, text) = applied(ir, Some(Locals { functions }));
    for line in [
        "declare void @hotslot.local.body_elsewhere()",
        "declare void @of_others()",
        "define weak_odr dso_local void @hotslot.local.kept()",
        "define internal void @plain()",
        "define void @hotslot.local.part()",
        "call void @hotslot.local.body_elsewhere()",
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
}
