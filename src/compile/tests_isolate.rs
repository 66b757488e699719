//! A child process that compiles: how it may end, and what damaged input does to it.
#![allow(unsafe_code)]

use std::time::Duration;

use super::child::{PIPE, settle_descriptors};
use super::emit::Progress;
use super::isolate::{BEAT, MEMORY, Work, run};
use super::{CompileOptions, OptLevel, Source, compile};
use crate::error::{Error, ErrorKind};

const SHORT: Duration = Duration::from_millis(300);
/// For those that come to an end: on a busy machine that may take a while.
const LONG: Duration = Duration::from_secs(120);

fn error_of(patience: Duration, work: &Work<'_>) -> Error {
    run(patience, work).err().expect("there is no answer to be had")
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[test]
fn the_ends_a_child_may_come_to() {
    let crash = error_of(LONG, &|_| std::process::abort());
    assert_eq!(crash.kind(), ErrorKind::Parse);
    assert!(crash.message().contains("crashed (signal 6) while reading"), "{crash}");
    let crash = error_of(LONG, &|progress| {
        progress(Progress::Read);
        // SAFETY: none is needed: the point is that the process dies.
        unsafe { libc::raise(libc::SIGSEGV) };
        unreachable!()
    });
    assert_eq!(crash.kind(), ErrorKind::Compile);
    let exit = error_of(LONG, &|_| std::process::exit(0));
    assert!(exit.message().contains("gave up"), "{exit}");
    let panic = error_of(LONG, &|_| panic!("not shown"));
    assert!(panic.message().contains("panicked"), "{panic}");
    let endless = error_of(SHORT, &|_| loop {
        std::thread::sleep(SHORT);
    });
    assert!(endless.message().contains("got nowhere"), "{endless}");
    let hungry = error_of(LONG, &|_| {
        // Far more, because tests beside this one take and return memory of the process.
        let bytes: Vec<u8> = Vec::with_capacity((MEMORY as usize) * 8);
        // The allocation must not be optimised away.
        panic!("got {}", std::hint::black_box(&bytes).capacity())
    });
    assert!(hungry.message().contains("signal 6"), "{hungry}");
}

#[test]
fn signs_of_life_are_waited_for() {
    let slow = run(BEAT * 5, &|progress| {
        for _ in 0..6 {
            std::thread::sleep(BEAT);
            progress(Progress::Alive);
        }
        Err(Error::new(ErrorKind::Compile, "done"))
    });
    assert_eq!(slow.err().unwrap().message(), "done");
}

#[test]
fn descriptors_can_be_closed_and_settled_when_all_are_in_use() {
    let end = run(LONG, &|_| {
        let said = |what: String| Err(Error::new(ErrorKind::Host, what));
        let limit = libc::rlimit { rlim_cur: 16, rlim_max: 16 };
        // SAFETY: this process is a child of ours and has its own descriptors.
        unsafe {
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
            // What was at the pipe's place is the host's; the pipe is elsewhere.
            let pipe = libc::dup(PIPE);
            libc::dup2(0, PIPE);
            while libc::dup(0) >= 0 {}
            if !settle_descriptors(pipe) {
                return said("not settled".into());
            }
        }
        let left: Vec<_> = std::fs::read_dir("/proc/self/fd").unwrap().map(|e| e.unwrap().path()).collect();
        let to = std::fs::read_link("/proc/self/fd/3").unwrap();
        said(format!("{} {}", left.len(), to.display().to_string().starts_with("socket:")))
    });
    assert_eq!(end.err().unwrap().message(), "5 true");
}

#[test]
fn a_child_has_nothing_of_the_hosts_open() {
    let (_listening, _speaking) = std::io::pipe().unwrap();
    let open = run(LONG, &|_| {
        let names = std::fs::read_dir("/proc/self/fd").unwrap();
        let names: Vec<_> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        Err(Error::new(ErrorKind::Host, names.len().to_string()))
    });
    // Standard streams, the pipe, and the directory it reads.
    assert_eq!(open.err().unwrap().message(), "5");
}

#[test]
fn what_llvm_cannot_do_is_an_error() {
    let source = Source::ir(
        "target triple = \"x86_64-unknown-linux-gnu\"
         declare token @llvm.coro.id(i32, ptr, ptr, ptr)
         define i128 @f(ptr %p) \"target-features\"=\"-sse,-x87,-sse2\" {
           %a = load x86_fp80, ptr %p
           %b = fadd x86_fp80 %a, %a
           %c = fptosi x86_fp80 %b to i128
           %d = call i128 asm \"bad $0, $1\", \"={xmm0},r\"(i128 %c)
           ret i128 %d }",
    );
    let error = compile(&source, &CompileOptions::default()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Compile, "{error}");
}

#[test]
fn damaged_bitcode_harms_nobody() {
    let context = inkwell::context::Context::create();
    let text = "
        %pair = type { i32, ptr }
        @list = global [3 x %pair] [%pair { i32 1, ptr @list }, %pair { i32 2, ptr null }, %pair zeroinitializer]
        declare i32 @printf(ptr nocapture, ...) #0
        define i32 @sum(ptr %p, i32 %n) #0 {
        entry:
          br label %loop
        loop:
          %i = phi i32 [ 0, %entry ], [ %j, %loop ]
          %s = phi i32 [ 0, %entry ], [ %t, %loop ]
          %at = getelementptr %pair, ptr %p, i32 %i
          %v = load i32, ptr %at, !tbaa !0
          %t = add nsw i32 %s, %v
          %j = add i32 %i, 1
          %more = icmp ult i32 %j, %n
          br i1 %more, label %loop, label %end
        end:
          %r = call i32 (ptr, ...) @printf(ptr @list, i32 %t)
          switch i32 %r, label %no [ i32 7, label %yes i32 9, label %yes ]
        yes: ret i32 %t
        no: unreachable
        }
        attributes #0 = { nounwind \"frame-pointer\"=\"all\" }
        !0 = !{!1, !1, i64 0}
        !1 = !{!\"int\", !2}
        !2 = !{!\"root\"}";
    let buffer = inkwell::memory_buffer::MemoryBuffer::create_from_memory_range_copy(text.as_bytes(), "t");
    let module = context.create_module_from_ir(buffer).unwrap();
    let bitcode = module.write_bitcode_to_memory().as_slice().to_vec();
    let options = CompileOptions { level: OptLevel::O1, ..CompileOptions::default() };
    assert!(compile(&Source::bitcode(bitcode.clone()), &options).is_ok());
    let before = open_descriptors();
    let mut random = fastrand::Rng::with_seed(0x9e37_79b9_7f4a_7c15);
    let mut refused = 0;
    for round in 0..200 {
        let mut bytes = bitcode.clone();
        for _ in 0..random.usize(1..5) {
            let at = random.usize(..bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
        }
        if round % 10 == 0 {
            bytes.truncate(random.usize(..bytes.len()));
        }
        refused += usize::from(compile(&Source::bitcode(bytes), &options).is_err());
    }
    assert!(refused > 50, "{refused} of 200 refused");
    // Other tests have a few open.
    let after = open_descriptors();
    assert!(after < before + 50, "{before} {after}");
}
