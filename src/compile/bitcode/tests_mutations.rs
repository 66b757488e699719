//! Every property of IR that code depends on is in a digest, and damage harms nobody.

use proptest::prelude::*;

use super::tests_input::*;
use super::*;

const BASE: &str = r#"
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"
%pair = type { i32, i64 }
$com = comdat any
@.text = private unnamed_addr constant [3 x i8] c"abc", align 1
@table = internal constant [2 x ptr] [ptr @callee, ptr @other]
@mutable = internal global i32 7, align 4
@tls = external thread_local(initialexec) global i32
define internal i32 @callee(i32 %x) { %r = add i32 %x, 1 ret i32 %r }
define internal i32 @other(i32 %x) { %r = add i32 %x, 2 ret i32 %r }
declare i32 @plain(i32 noundef, ...)
declare i32 @personality(...)
declare i64 @llvm.read_register.i64(metadata)
declare void @llvm.assume(i1)
define i32 @f(i32 %a, ptr noundef %p, float %q, <4 x i32> %v) #0 comdat($com) personality ptr @personality {
entry:
  %slot = alloca %pair, align 8
  %sum = add nsw i32 %a, 41
  %quot = udiv exact i32 %sum, 2
  %wide = zext nneg i32 %quot to i64
  %fast = fadd nnan float %q, 1.5
  %neg = fneg float %fast
  %field = getelementptr inbounds %pair, ptr %p, i64 %wide, i32 1
  %loaded = load volatile i64, ptr %field, align 8, !range !0, !tbaa !1
  %atomic = load atomic i32, ptr %p acquire, align 4
  store atomic i32 %atomic, ptr %p syncscope("singlethread") release, align 4
  %rmw = atomicrmw umax ptr %p, i32 %a monotonic
  %cas = cmpxchg weak ptr %p, i32 %a, i32 %sum acq_rel monotonic
  %won = extractvalue { i32, i1 } %cas, 1
  fence seq_cst
  %is = icmp slt i32 %a, %sum
  %chosen = select i1 %is, i32 %a, i32 %sum
  %lane = extractelement <4 x i32> %v, i32 2
  %mixed = shufflevector <4 x i32> %v, <4 x i32> poison, <4 x i32> <i32 3, i32 2, i32 1, i32 0>
  %put = insertelement <4 x i32> %mixed, i32 %lane, i32 1
  %asm = call i32 asm sideeffect "mov $1, $0", "=r,r"(i32 %a), !srcloc !9
  call void @llvm.assume(i1 %won) [ "align"(ptr %p, i64 16) ]
  %register = call i64 @llvm.read_register.i64(metadata !5)
  %direct = tail call i32 @callee(i32 signext %lane) #1
  %far = load i32, ptr @tls
  %again = load i32, ptr @mutable
  %from = load ptr, ptr getelementptr inbounds ([2 x ptr], ptr @table, i64 0, i64 1)
  %indirect = invoke fastcc i32 %from(i32 %again) to label %loop unwind label %pad
loop:
  %i = phi i32 [ 0, %entry ], [ %next, %loop ]
  %next = add i32 %i, 1
  %text = call i32 (i32, ...) @plain(i32 %next, ptr @.text)
  %done = icmp eq i32 %next, 10
  br i1 %done, label %pick, label %loop, !llvm.loop !3
pick:
  switch i32 %chosen, label %out [ i32 5, label %pad2
                                   i32 6, label %out ], !prof !8
pad2:
  br label %out
out:
  %result = phi i32 [ %chosen, %pick ], [ %chosen, %pick ], [ %direct, %pad2 ]
  ret i32 %result
pad:
  %caught = landingpad { ptr, i32 } cleanup catch ptr null
  resume { ptr, i32 } %caught
}
attributes #0 = { nounwind "frame-pointer"="all" }
attributes #1 = { cold }
!llvm.module.flags = !{!7}
!0 = !{i64 0, i64 100}
!1 = !{!2, !2, i64 0}
!2 = !{!"long", !10, i64 0}
!3 = distinct !{!3, !4}
!4 = !{!"llvm.loop.unroll.count", i32 4}
!5 = !{!"rsp"}
!7 = !{i32 1, !"PIC Level", i32 2}
!8 = !{!"branch_weights", i32 1, i32 2, i32 3}
!9 = !{i64 1234}
!10 = !{!"root"}
"#;

/// What makes other code, of the function, or of the whole module.
const MEANT: &[(&str, &str)] = &[
    ("add nsw i32 %a", "sub nsw i32 %a"),
    ("add nsw i32 %a", "add i32 %a"),
    ("add nsw i32 %a", "add nuw i32 %a"),
    ("%a, 41", "%a, 42"),
    ("udiv exact", "udiv"),
    ("zext nneg", "zext"),
    ("zext nneg", "sext"),
    ("fadd nnan", "fadd"),
    ("fadd nnan", "fadd ninf"),
    ("fadd nnan", "fmul nnan"),
    ("fneg float", "fneg nsz float"),
    ("1.5", "1.25"),
    ("getelementptr inbounds %pair", "getelementptr %pair"),
    ("getelementptr inbounds %pair", "getelementptr nuw %pair"),
    ("i64 %wide, i32 1", "i64 %wide, i32 0"),
    ("type { i32, i64 }", "type { i32, i32 }"),
    ("type { i32, i64 }", "type <{ i32, i64 }>"),
    ("alloca %pair, align 8", "alloca %pair, align 16"),
    ("alloca %pair", "alloca i64"),
    ("load volatile", "load"),
    ("ptr %field, align 8", "ptr %field, align 4"),
    ("acquire, align 4", "seq_cst, align 4"),
    (" syncscope(\"singlethread\")", ""),
    ("release, align 4", "release, align 8"),
    ("atomicrmw umax", "atomicrmw max"),
    ("atomicrmw umax", "atomicrmw volatile umax"),
    ("monotonic\n", "acquire\n"),
    ("cmpxchg weak", "cmpxchg"),
    ("acq_rel monotonic", "acq_rel acquire"),
    ("%cas, 1", "%cas, 1\n  %won2 = xor i1 %won, true"),
    ("fence seq_cst", "fence acquire"),
    ("icmp slt", "icmp sgt"),
    ("i32 %a, i32 %sum\n", "i32 %sum, i32 %a\n"),
    ("%v, i32 2", "%v, i32 3"),
    ("<i32 3, i32 2,", "<i32 2, i32 3,"),
    ("asm sideeffect", "asm"),
    ("mov $1, $0", "lea $1, $0"),
    ("=r,r", "=r,m"),
    ("\"align\"(ptr %p, i64 16)", "\"align\"(ptr %p, i64 32)"),
    ("\"align\"(ptr %p, i64 16)", "\"nonnull\"(ptr %p)"),
    ("tail call", "call"),
    ("tail call", "notail call"),
    ("@callee(i32 signext", "@other(i32 signext"),
    ("@callee(i32 signext", "@callee(i32 zeroext"),
    ("{ cold }", "{ cold nobuiltin }"),
    ("load i32, ptr @tls", "load i32, ptr @mutable"),
    ("thread_local(initialexec)", "thread_local"),
    ("thread_local(initialexec)", ""),
    ("@mutable = internal", "@mutable ="),
    ("internal global i32 7, align 4", "internal global i32 7, align 8"),
    ("internal global i32 7", "internal constant i32 7"),
    ("internal global i32 7", "internal global float 7.0"),
    ("i64 0, i64 1)", "i64 0, i64 0)"),
    ("[ptr @callee, ptr @other]", "[ptr @other, ptr @callee]"),
    ("invoke fastcc", "invoke"),
    ("[ 0, %entry ]", "[ 1, %entry ]"),
    ("[ 0, %entry ]", "[ %a, %entry ]"),
    ("c\"abc\"", "c\"abd\""),
    (".text = private unnamed_addr", ".text = private"),
    ("c\"abc\", align 1", "c\"abc\", align 4"),
    ("%next, 10", "%next, 11"),
    ("br i1 %done, label %pick, label %loop", "br i1 %done, label %loop, label %pick"),
    ("i32 5, label", "i32 7, label"),
    ("[ %direct, %pad2 ]", "[ %far, %pad2 ]"),
    ("i32 1, i32 2, i32 3}", "i32 1, i32 20, i32 3}"),
    (", !prof !8", ""),
    ("cleanup catch", "catch"),
    ("catch ptr null", "catch ptr @mutable"),
    ("unroll.count\", i32 4", "unroll.count\", i32 8"),
    (", !llvm.loop !3", ""),
    ("i64 0, i64 100", "i64 0, i64 101"),
    (", !range !0", ""),
    ("!\"long\"", "!\"int\""),
    ("!\"root\"", "!\"tree\""),
    ("rsp", "rbp"),
    ("nounwind \"frame", "\"frame"),
    ("=\"all\"", "=\"none\""),
    ("ptr noundef %p", "ptr noundef nonnull %p"),
    ("ptr noundef %p", "ptr %p"),
    ("ptr noundef %p", "ptr noundef dereferenceable(8) %p"),
    ("ptr noundef %p", "ptr noundef byval(i64) %p"),
    ("define i32 @f", "define weak i32 @f"),
    ("define i32 @f", "define hidden i32 @f"),
    ("define i32 @f", "define fastcc i32 @f"),
    ("define i32 @f", "define dso_local i32 @f"),
    ("#0 comdat", "unnamed_addr #0 comdat"),
    ("#0 comdat", "#0 section \".hot\" comdat"),
    ("#0 comdat($com)", "#0 comdat($com) align 32"),
    ("#0 comdat($com)", "#0 comdat($com) gc \"shadow-stack\""),
    ("#0 comdat($com)", "#0 comdat($com) prefix i32 5"),
    ("comdat any", "comdat nodeduplicate"),
    ("#0 comdat($com)", "#0"),
    ("personality ptr @personality", "personality ptr @plain"),
    ("@plain(i32 noundef, ...)", "@plain(i32, ...)"),
    ("internal i32 @callee", "internal coldcc i32 @callee"),
    ("declare i32 @plain", "declare hidden i32 @plain"),
    ("declare i32 @plain", "declare extern_weak i32 @plain"),
    ("%x, 1 ret", "%x, 3 ret"),
    ("internal i32 @callee(i32 %x)", "internal i32 @callee(i32 %x) noinline"),
    ("internal i32 @other", "i32 @other"),
    ("PIC Level\", i32 2", "PIC Level\", i32 1"),
    ("x86_64-pc-linux-gnu", "x86_64-pc-linux-musl"),
    ("-n8:16:32:64-S128", "-n8:16:32:64-S64"),
    ("%pair = type", "module asm \"nop\"\n%pair = type"),
];

/// What makes no other code.
const MEANINGLESS: &[(&str, &str)] = &[
    ("%chosen", "%selected"),
    ("%pair", "%another.12"),
    ("@.text", "@.str.44"),
    ("!srcloc !9", "!srcloc !11"),
    ("i64 1234", "i64 4321"),
    (", !srcloc !9", ""),
    (
        "%pair = type",
        "%unused = type { [3 x i16], %pair }\n@new = global %unused zeroinitializer\n%pair = type",
    ),
    ("declare i64 @llvm", "declare double @new(ptr byval(i32))\ndeclare i64 @llvm"),
    ("@table = ", "@front = constant [9 x i8] c\"new front\"\n@table = "),
    ("i32 7, align 4", "i32 8, align 4"),
    ("!0 = !{i64", "!11 = !{!\"new\"}\n!llvm.ident = !{!11}\n!0 = !{i64"),
    ("attributes #1", "define void @g() \"other\"=\"attribute\" { ret void }\nattributes #1"),
    ("target triple", "source_filename = \"other.c\"\ntarget triple"),
];

fn state(text: &str) -> Option<(Digest, Digest)> {
    let summary = summarise(&from_ir(text).ok()?).unwrap();
    let f = summary.functions.iter().find(|f| &*f.name == "f").unwrap();
    Some((summary.module, f.deep.expect("understood")))
}

#[test]
fn what_is_meant_is_seen() {
    let base = state(BASE).unwrap();
    let (mut blind, mut refused) = (Vec::new(), Vec::new());
    for (from, to) in MEANT {
        let text = BASE.replacen(from, to, 1);
        assert_ne!(text, BASE, "{from}");
        match state(&text) {
            None => refused.push((from, to)),
            Some(after) if after == base => blind.push((from, to)),
            Some(_) => {}
        }
    }
    assert!(blind.is_empty(), "not seen: {blind:?}");
    assert!(refused.is_empty(), "LLVM refuses: {refused:?}");
}

#[test]
fn what_means_nothing_is_not_seen() {
    let base = state(BASE).unwrap();
    for (from, to) in MEANINGLESS {
        let text = BASE.replace(from, to);
        assert_ne!(text, BASE, "{from}");
        if text.contains("!srcloc !11") {
            assert_eq!(state(&format!("{text}\n!11 = !{{i64 5}}")), Some(base), "{from}");
        } else {
            assert_eq!(state(&text), Some(base), "{from} to {to}");
        }
    }
}

/// Bitcode to damage: small, of all kinds.
fn small() -> &'static [Vec<u8>] {
    static ALL: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let cxx = "#include <cstdio>\n#include <stdexcept>\ninline int v = std::puts(\"x\");\n\
                   struct B { virtual int f() { throw std::runtime_error(\"b\"); } }; int g(B* b) { try { return b->f(); } \
                   catch (std::exception& e) { return v; } }";
        vec![
            from_ir(BASE).unwrap(),
            from_text("clang-19", GOTO, &["-g"]),
            from_text("clang++-19", cxx, &["-std=c++17", "-g"]),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Reads it in every way; the tests are built with checks for overflow.
    #[test]
    fn damage_harms_nobody(
        which in 0usize..3,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 0..4),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bitcode = small()[which].clone();
        for (at, bit) in &flips {
            let at = at.index(bitcode.len());
            bitcode[at] ^= 1 << bit;
        }
        if let Some(length) = length {
            bitcode.truncate(length.index(bitcode.len()));
        }
        let _ = summarise(&bitcode);
        let _ = sliced(&bitcode, &|_, name| name.len() % 2 == 0);
    }
}
