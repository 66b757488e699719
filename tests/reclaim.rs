//! What keeps retired code although no thread was found in it.
#![allow(unsafe_code)] // handles to generated code, signal masks

use std::sync::atomic::{AtomicI64, Ordering};

use hotslot::{OptLevel, Runtime, Source};

fn runtime() -> Runtime {
    Runtime::builder().arena_size(64 << 20).opt_level(OptLevel::O0).history(0).build().unwrap()
}

fn ir(text: &str) -> Source {
    Source::ir(text).trusted()
}

/// A loop that ends when `@go_on` is set.
fn looping(version: i64) -> Source {
    ir(&format!(
        "@inside = global i64 0\n@go_on = global i64 0\n\
         define i64 @loops() uwtable {{ store atomic i64 1, ptr @inside seq_cst, align 8\n br label %l\n\
         l:\n %g = load atomic i64, ptr @go_on acquire, align 8\n %z = icmp eq i64 %g, 0\n \
           br i1 %z, label %l, label %e\n\
         e:\n ret i64 {version} }}"
    ))
}

/// Lets a thread go, also where the test fails.
struct LetGo<'a>(&'a AtomicI64);

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        self.0.store(1, Ordering::Release);
    }
}

/// A thread that runs old code with every signal blocked cannot be asked.
#[test]
fn what_cannot_be_asked_keeps_everything() {
    let rt = runtime();
    // On a stack of its own: what is left of the addresses there would hold the code.
    let load = || {
        rt.load("m", looping(1)).unwrap();
        rt.load("n", ir("define i64 @other() { ret i64 1 }")).unwrap();
    };
    std::thread::scope(|scope| scope.spawn(load).join().unwrap());
    // SAFETY: the types are those above.
    let loops = unsafe { rt.function::<extern "C" fn() -> i64>("loops") }.unwrap();
    let word = |name: &str| {
        let at = rt.address_of(name).unwrap();
        // SAFETY: a variable of this size, in place for as long as the runtime.
        unsafe { &*at.cast::<AtomicI64>() }
    };
    std::thread::scope(|scope| {
        let let_go = LetGo(word("go_on"));
        let thread = scope.spawn(|| {
            // SAFETY: a set of this thread's own, filled before it is used.
            unsafe {
                let mut all = std::mem::zeroed();
                libc::sigfillset(&mut all);
                libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
            }
            loops.call()
        });
        while word("inside").load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        // As above.
        let replace = || {
            rt.replace("m", looping(2)).unwrap();
            rt.replace("n", ir("define i64 @other() { ret i64 2 }")).unwrap();
        };
        scope.spawn(replace).join().unwrap();
        assert_eq!(rt.reclaim().generations, 0);
        let pending = rt.pending();
        assert_eq!(pending.len(), 2, "{pending:?}");
        let n = pending.iter().find(|p| p.module == "n").unwrap();
        assert!(n.kept_because.contains("could not be asked"), "{pending:?}");
        drop(let_go);
        assert_eq!(thread.join().unwrap(), 1);
    });
}

/// Code that switches stacks may be suspended where nobody looks.
#[test]
fn code_that_switches_stacks_is_kept() {
    let rt = runtime();
    let source = |version: i64| {
        ir(&format!(
            "define void @switch_to(ptr %to) {{ call void asm sideeffect \"movq ($0), %rsp\", \"r\"(ptr %to)\n \
             store i64 {version}, ptr %to ret void }}\ndefine i64 @version() {{ ret i64 {version} }}"
        ))
    };
    rt.load("m", source(1)).unwrap();
    rt.replace("m", source(2)).unwrap();
    assert_eq!(rt.reclaim().generations, 0);
    let pending = rt.pending();
    assert!(pending.len() == 1 && pending[0].generation == 1, "{pending:?}");
    assert!(pending[0].kept_because.contains("stack"), "{pending:?}");
}

/// A limit refuses updates, naming what is held, and frees nothing early.
#[test]
fn a_limit_on_what_is_retained_refuses_updates() {
    let rt =
        Runtime::builder().arena_size(64 << 20).opt_level(OptLevel::O0).history(0).retained_limit(0).build();
    let rt = rt.unwrap();
    rt.load("m", looping(1)).unwrap();
    // SAFETY: the types are those above.
    let loops = unsafe { rt.function::<extern "C" fn() -> i64>("loops") }.unwrap();
    let word = |name: &str| {
        let at = rt.address_of(name).unwrap();
        // SAFETY: a variable of this size, in place for as long as the runtime.
        unsafe { &*at.cast::<AtomicI64>() }
    };
    std::thread::scope(|scope| {
        let let_go = LetGo(word("go_on"));
        let thread = scope.spawn(|| loops.call());
        while word("inside").load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        rt.replace("m", looping(2)).unwrap();
        let error = rt.replace("m", looping(3)).unwrap_err();
        assert_eq!(error.kind(), hotslot::ErrorKind::Reclaim);
        assert!(error.to_string().contains("m generation 1"), "{error}");
        drop(let_go);
        assert_eq!(thread.join().unwrap(), 1);
    });
}
