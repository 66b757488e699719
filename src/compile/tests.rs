//! What comes out of the compile stage, seen as a linker sees it.

use object::elf::{
    R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_PC32, R_X86_64_PLT32, R_X86_64_REX_GOTPCRELX,
    RelocationType,
};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget};

use super::*;

pub(super) fn options(level: OptLevel, call_form: CallForm) -> CompileOptions {
    CompileOptions { level, call_form, ..CompileOptions::default() }
}

pub(super) fn compiled(ir: &str, level: OptLevel, form: CallForm) -> Compiled {
    compile(&Source::ir(ir), &options(level, form)).unwrap()
}

fn failure(source: &Source) -> Error {
    compile(source, &CompileOptions::default()).err().expect("it should not compile")
}

/// Section, relocation type and symbol of every relocation in code.
fn references(object: &[u8]) -> Vec<(String, RelocationType, String)> {
    let file: ElfFile64<'_> = ElfFile64::parse(object).unwrap();
    let mut all = Vec::new();
    for section in file.sections().filter(|s| s.name().is_ok_and(|n| n.starts_with(".text"))) {
        for (_, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else {
                continue;
            };
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                continue;
            };
            let symbol = file.symbol_by_index(symbol).unwrap();
            all.push((section.name().unwrap().to_owned(), r_type, symbol.name().unwrap().to_owned()));
        }
    }
    all
}

fn sections(object: &[u8]) -> Vec<String> {
    let file: ElfFile64<'_> = ElfFile64::parse(object).unwrap();
    file.sections().map(|s| s.name().unwrap().to_owned()).collect()
}

const GOT: [RelocationType; 3] = [R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_REX_GOTPCRELX];

const CALLS: &str = r#"
declare i64 @elsewhere(i64)
declare hidden i64 @concealed(i64 noundef zeroext) #0
declare protected void @guarded()
@far = external hidden global i64
define i64 @near(i64 %x) noinline { ret i64 %x }
define i64 @caller(i64 %x, ptr %p, ptr %q) {
  %a = call i64 @elsewhere(i64 %x)
  %b = call i64 @concealed(i64 %a)
  %c = call i64 @near(i64 %b)
  call void @guarded()
  call void @llvm.memcpy.p0.p0.i64(ptr %p, ptr %q, i64 %c, i1 false)
  %d = load i64, ptr @far
  %e = add i64 %c, %d
  ret i64 %e
}
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
attributes #0 = { nounwind memory(none) }
"#;

#[test]
fn calls_load_their_target_from_the_slot() {
    for level in [OptLevel::O0, OptLevel::O1, OptLevel::O2, OptLevel::O3] {
        let object = compiled(CALLS, level, CallForm::Slot).object;
        let references = references(&object);
        for name in ["elsewhere", "concealed", "near", "guarded", "memcpy", "far"] {
            let kinds: Vec<RelocationType> = references.iter().filter(|r| r.2 == name).map(|r| r.1).collect();
            // LLVM's fast instruction selection has no such form for calls it makes up.
            let plt = level == OptLevel::O0 && name == "memcpy";
            let expected = |k: &RelocationType| {
                if plt { *k == R_X86_64_PLT32 } else { GOT.contains(k) }
            };
            assert!(!kinds.is_empty() && kinds.iter().all(expected), "{level:?} {name}: {kinds:?}");
        }
    }
}

#[test]
fn calls_go_through_stubs_when_asked() {
    // As from clang -fno-plt: marks that would make slot calls are taken off.
    let marked = format!(
        "{}\n!llvm.module.flags = !{{!0}}\n!0 = !{{i32 7, !\"RtLibUseGOT\", i32 1}}",
        CALLS.replace("noinline", "noinline nonlazybind")
    );
    for ir in [CALLS, &marked] {
        for level in [OptLevel::O0, OptLevel::O2] {
            let references = references(&compiled(ir, level, CallForm::Stub).object);
            for name in ["elsewhere", "concealed", "near", "guarded", "memcpy"] {
                let kinds: Vec<RelocationType> =
                    references.iter().filter(|r| r.2 == name).map(|r| r.1).collect();
                assert!(
                    !kinds.is_empty() && kinds.iter().all(|&k| k == R_X86_64_PLT32),
                    "{level:?} {name}: {kinds:?}"
                );
            }
        }
    }
}

#[test]
fn what_was_compiled_for_an_executable_is_replaceable_too() {
    let ir = r#"
@gone = external dso_local global i32
@mine = external dso_local thread_local global i32
@own = dso_local thread_local global i32 7
@count = dso_local global i32 7, align 4
@reader = dso_local constant ptr @count
declare dso_local i32 @outside(i32 noundef signext)
define dso_local noundef i32 @step(i32 noundef %0) personality ptr @handler !kind !9 { ret i32 %0 }
define dso_local i32 @main(i32 %argc, ptr %argv) {
  %a = call i32 @step(i32 %argc)
  %b = call i32 @outside(i32 signext %a)
  %c = load i32, ptr @gone
  %d = load i32, ptr @mine
  %e = load i32, ptr @own
  store i32 %d, ptr @count
  %f = add i32 %b, %c
  %g = add i32 %d, %e
  %h = add i32 %f, %g
  ret i32 %h
}
declare i32 @handler(...)
!llvm.module.flags = !{!0, !1, !2}
!0 = !{i32 8, !"PIC Level", i32 2}
!1 = !{i32 7, !"PIE Level", i32 2}
!2 = !{i32 1, !"SemanticInterposition", i32 0}
!9 = !{}
"#;
    for level in [OptLevel::O0, OptLevel::O2] {
        let compiled = compiled(ir, level, CallForm::Slot);
        let references = references(&compiled.object);
        for name in ["step", "outside", "gone", "count"] {
            let kinds: Vec<RelocationType> = references.iter().filter(|r| r.2 == name).map(|r| r.1).collect();
            assert!(
                !kinds.is_empty() && kinds.iter().all(|k| GOT.contains(k)),
                "{level:?} {name}: {kinds:?}"
            );
        }
        for name in ["mine", "own"] {
            let kind = references.iter().find(|r| r.2 == name).map(|r| r.1);
            let dynamic =
                [object::elf::R_X86_64_TLSGD, object::elf::R_X86_64_TLSLD, object::elf::R_X86_64_TLSDESC];
            assert!(kind.is_some_and(|kind| dynamic.contains(&kind)), "{name}: {references:?}");
        }
        assert_eq!(compiled.interface.type_of("main"), Some("i32 (i32, ptr)"));
    }
}

#[test]
fn bodies_that_move_keep_label_addresses_and_debug_information() {
    let ir = r#"
define dso_local i32 @jump(i32 %n) !dbg !4 {
entry:
  #dbg_value(i32 %n, !8, !DIExpression(), !9)
  %at = getelementptr [2 x ptr], ptr @targets, i32 0, i32 %n
  %to = load ptr, ptr %at
  indirectbr ptr %to, [label %one, label %two], !dbg !9
one:
  ret i32 1, !dbg !9
two:
  %again = call i32 @jump(i32 0), !dbg !9
  ret i32 %again, !dbg !9
}
@targets = global [2 x ptr] [ptr blockaddress(@jump, %one), ptr blockaddress(@jump, %two)]
!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!2}
!0 = distinct !DICompileUnit(language: DW_LANG_C, file: !1, emissionKind: FullDebug)
!1 = !DIFile(filename: "a.c", directory: "/")
!2 = !{i32 2, !"Debug Info Version", i32 3}
!4 = distinct !DISubprogram(name: "jump", file: !1, line: 1, type: !5, unit: !0, spFlags: DISPFlagDefinition, retainedNodes: !{})
!5 = !DISubroutineType(types: !6)
!6 = !{!7, !7}
!7 = !DIBasicType(name: "int", size: 32, encoding: DW_ATE_signed)
!8 = !DILocalVariable(name: "n", arg: 1, scope: !4, file: !1, line: 1, type: !7)
!9 = !DILocation(line: 1, scope: !4)
"#;
    for level in [OptLevel::O0, OptLevel::O2] {
        let object = compiled(ir, level, CallForm::Slot).object;
        assert!(sections(&object).iter().any(|s| s == ".debug_info"));
        let file: ElfFile64<'_> = ElfFile64::parse(&*object).unwrap();
        let table = file.section_by_name(".data.targets").unwrap();
        assert_eq!(table.relocations().count(), 2);
        // Optimised, the call to itself is a loop.
        let calls_itself = references(&object).iter().any(|r| r.2 == "jump" && GOT.contains(&r.1));
        assert!(calls_itself || level != OptLevel::O0);
    }
}

#[test]
fn every_definition_has_its_own_section() {
    let ir = r#"
$shared = comdat any
$inline = comdat any
@zero = global [4 x i32] zeroinitializer
@one = global i32 1
@hidden_one = hidden global i32 1
@table = constant [2 x i32] [i32 1, i32 2]
@placed = global i32 1, section ".mine"
@merged = common global i32 0
@shared = linkonce_odr global i32 5, comdat
@counter = internal global i32 3
@0 = private global i32 9
@each = thread_local global i32 4
@none = internal thread_local global i64 0
define i32 @first() { ret i32 1 }
define internal i32 @second() noinline optnone {
  %a = load i32, ptr @counter
  %b = load i32, ptr @0
  %c = add i32 %a, %b
  store i32 %c, ptr @counter
  store i32 %c, ptr @0
  ret i32 %c
}
define linkonce_odr i32 @inline() noinline comdat { ret i32 3 }
define i32 @"odd name\22 $@*"() { %r = call i32 @second() ret i32 %r }
define i32 @"\01raw"() { %r = call i32 @inline() %s = load i32, ptr @shared %t = add i32 %r, %s ret i32 %t }
define i32 @2() { ret i32 4 }
"#;
    let compiled = compiled(ir, OptLevel::O1, CallForm::Slot);
    let sections = sections(&compiled.object);
    for name in [
        ".bss.zero",
        ".data.one",
        ".data.hidden_one",
        ".mine",
        ".rodata.table",
        ".data.shared",
        ".data.counter",
        ".text.first",
        ".text.second",
        ".text.inline",
        ".text.odd name\" $@*",
        ".text.raw",
        ".tdata.each",
        ".tbss.none",
    ] {
        assert!(sections.iter().any(|s| s == name), "{name} is not in {sections:?}");
    }
    assert!(!sections.iter().any(|s| s == ".bss.merged"));
    let file: ElfFile64<'_> = ElfFile64::parse(&*compiled.object).unwrap();
    for section in [".text", ".data", ".bss"] {
        assert_eq!(file.section_by_name(section).map_or(0, |s| s.size()), 0, "{section}");
    }
    assert_eq!(compiled.interface.type_of("first"), Some("i32 ()"));
    assert_eq!(compiled.interface.type_of("raw"), Some("i32 ()"));
    assert_eq!(compiled.interface.type_of("second"), None);
}

#[test]
fn every_constant_has_its_own_section() {
    let ir = r#"
$type = comdat any
@.str = private unnamed_addr constant [4 x i8] c"abc\00"
@.str.1 = private unnamed_addr constant [4 x i8] c"abd\00"
@0 = private unnamed_addr constant [2 x i64] [i64 1, i64 2]
@numbers = internal constant [3 x i32] [i32 1, i32 2, i32 3]
@named = constant i32 7
@names = internal constant [2 x ptr] [ptr @.str, ptr @.str.1]
@nested = internal constant { i32, [2 x { ptr, i8 }] } { i32 1, [2 x { ptr, i8 }] [{ ptr, i8 } zeroinitializer, { ptr, i8 } { ptr @f, i8 2 }] }
@empty = internal constant [4 x i8] zeroinitializer
@distance = internal constant i32 trunc (i64 sub (i64 ptrtoint (ptr @named to i64), i64 ptrtoint (ptr @distance to i64)) to i32)
@type = linkonce_odr constant { ptr } { ptr @names }, comdat
define ptr @f(i32 %i) {
  switch i32 %i, label %no [
    i32 0, label %a i32 1, label %b i32 2, label %c i32 3, label %d i32 4, label %e i32 5, label %g i32 6, label %h ]
a: ret ptr @0
b: ret ptr @numbers
c: call void @out(ptr @named) ret ptr @names
d: call void @out(ptr @empty) ret ptr @nested
e: call void @out(ptr @type) ret ptr @distance
g: call void @out(ptr @.str) ret ptr @type
h: call void @out(ptr @0) ret ptr @empty
no: ret ptr null
}
declare void @out(ptr)
"#;
    for level in [OptLevel::O0, OptLevel::O2] {
        let object = compiled(ir, level, CallForm::Slot).object;
        let file: ElfFile64<'_> = ElfFile64::parse(&*object).unwrap();
        for (name, size, relocations) in [
            (".rodata..str", 4, 0),
            (".rodata..str.1", 4, 0),
            (".rodata.numbers", 12, 0),
            (".rodata.named", 4, 0),
            (".data.rel.ro.names", 16, 2),
            (".data.rel.ro.nested", 40, 1),
            (".rodata.empty", 4, 0),
            (".data.rel.ro.type", 8, 1),
        ] {
            let section =
                file.section_by_name(name).unwrap_or_else(|| panic!("{name}: {:?}", sections(&object)));
            assert_eq!(
                (section.size(), section.relocations().count()),
                (size, relocations),
                "{level:?} {name}"
            );
        }
        // What is left belongs to code: the table of the switch.
        let rest = file.section_by_name(".rodata").map_or(0, |section| section.size());
        assert_eq!(rest, 4 * 7, "{level:?}: {:?}", sections(&object));
        assert!(!sections(&object).iter().any(|name| name.starts_with(".rodata.str")));
    }
}

#[test]
fn the_optimiser_does_not_look_through_what_may_be_replaced() {
    let ir = "
define i32 @visible() { ret i32 1 }
define internal i32 @private() { ret i32 2 }
define i32 @user() { %a = call i32 @visible() %b = call i32 @private() %c = add i32 %a, %b ret i32 %c }
define available_externally i32 @copy() { ret i32 3 }
define i32 @uses_copy() { %a = call i32 @copy() ret i32 %a }";
    let references = references(&compiled(ir, OptLevel::O3, CallForm::Slot).object);
    assert!(references.iter().any(|r| r.0 == ".text.user" && r.2 == "visible"));
    assert!(!references.iter().any(|r| r.2 == "private" || r.1 == R_X86_64_PC32));
}

#[test]
fn errors_say_where() {
    let error = failure(&Source::ir("define i32 @f() {\n  ret i33 1\n}").label("m.ll"));
    assert_eq!(error.kind(), ErrorKind::Parse);
    assert!(error.to_string().contains("line 2, column 7: value doesn't match"), "{error}");
    let error =
        failure(&Source::ir("define i32 @f() {\n %a = add i32 %b, 1\n %b = add i32 1, 1\n ret i32 %a }"));
    assert!(error.to_string().contains("does not dominate"), "{error}");
    let error = failure(&Source::ir(b"define void @f() { \xff\xfe }".to_vec()));
    assert_eq!(error.kind(), ErrorKind::Parse);
    assert!(compile(&Source::ir(""), &CompileOptions::default()).is_ok());
    assert_eq!(failure(&Source::bitcode("")).kind(), ErrorKind::Parse);
    assert_eq!(failure(&Source::bitcode(b"BC\xc0\xde".to_vec())).kind(), ErrorKind::Parse);
    assert_eq!(failure(&Source::bitcode("define void @f() { ret void }")).message(), "not LLVM bitcode");
}

#[test]
fn bad_assembly_is_an_error_wherever_it_is_compiled() {
    let inline = "define void @f() { call void asm sideeffect \"frobnicate %rax\", \"\"() ret void }";
    for ir in [inline, "module asm \"frobnicate\""] {
        for source in [Source::ir(ir), Source::ir(ir).trusted()] {
            let error = failure(&source);
            assert!(error.to_string().contains("invalid instruction mnemonic 'frobnicate'"), "{error}");
        }
    }
}

#[test]
fn modules_for_other_machines_are_refused() {
    for triple in [
        "s390x-linux-gnu",
        "powerpc64-unknown-linux-gnu",
        "x86_64-apple-darwin",
        "x86_64-pc-windows-msvc",
        "x86_64-linux-gnux32",
        "nonsense",
        "aarch64-linux-gnu",
    ] {
        let error = failure(&Source::ir(format!("target triple = \"{triple}\"")));
        assert!(error.to_string().contains(triple) && error.advice().is_some(), "{error}");
    }
    for triple in [
        "x86_64-unknown-linux-gnu",
        "x86_64-pc-linux-gnu",
        "x86_64-linux-musl",
        "x86_64",
        "amd64-unknown-unknown",
    ] {
        let source = Source::ir(format!("target triple = \"{triple}\"\ndefine void @f() {{ ret void }}"));
        compile(&source, &CompileOptions::default()).unwrap();
    }
    let error = failure(&Source::ir("target datalayout = \"E-m:e-i64:64\""));
    assert!(error.to_string().contains("data layout"), "{error}");
}

#[test]
fn threads_compile_at_once() {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for round in 0..8 {
                    let source = Source::ir(CALLS);
                    let source = if (thread + round) % 2 == 0 { source } else { source.trusted() };
                    compile(&source, &CompileOptions::default()).unwrap();
                }
            });
        }
    });
}

#[test]
fn an_inkwell_module_is_copied() {
    let context = inkwell::context::Context::create();
    let module = context.create_module("m");
    let kind = context.i64_type().fn_type(&[context.i64_type().into()], false);
    let function = module.add_function("same", kind, None);
    let builder = context.create_builder();
    builder.position_at_end(context.append_basic_block(function, "entry"));
    builder.build_return(Some(&function.get_nth_param(0).unwrap())).unwrap();
    let source = Source::module(&module);
    assert!(source.is_trusted());
    drop(builder);
    let compiled = compile(&source, &CompileOptions::default()).unwrap();
    assert_eq!(compiled.interface.type_of("same"), Some("i64 (i64)"));
}

#[test]
fn variables_of_the_module_alone_stay_as_they_are() {
    let ir = "
        @state = internal global i32 0
        @written = internal global i32 0
        @parts = internal global [4 x i32] zeroinitializer
        @never = internal global i32 5
        @0 = internal global i64 0
        @own = internal thread_local global i32 0
        @kept = global i32 1
        @llvm.compiler.used = appending global [1 x ptr] [ptr @kept], section \"llvm.metadata\"
        define void @set() { store i32 5, ptr @state store i64 1, ptr @0 store i32 1, ptr @own ret void }
        define i32 @get() { %a = load i32, ptr @state %b = load i32, ptr @never %c = add i32 %a, %b ret i32 %c }
        define void @write(i32 %x) { store i32 %x, ptr @written ret void }
        define void @fill(i32 %x) { store i32 %x, ptr getelementptr (i32, ptr @parts, i64 1) ret void }
        define i32 @part() { %a = load i32, ptr getelementptr (i32, ptr @parts, i64 1) ret i32 %a }";
    for level in [OptLevel::O0, OptLevel::O3] {
        let compiled = compiled(ir, level, CallForm::Slot);
        let found = &compiled.interface.variables;
        let found: Vec<_> = found.iter().map(|(name, kind)| (name.as_str(), kind.text.as_str())).collect();
        let expected = [
            ("kept", "i32"),
            ("never", "i32"),
            ("own", "i32"),
            ("parts", "[4 x i32]"),
            ("state", "i32"),
            ("written", "i32"),
        ];
        assert_eq!(found, expected, "{level:?}");
        let file: ElfFile64<'_> = ElfFile64::parse(&*compiled.object).unwrap();
        assert_eq!(file.section_by_name(".bss.parts").unwrap().size(), 16);
    }
}
