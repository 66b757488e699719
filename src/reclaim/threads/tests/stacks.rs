//! Threads on stacks other than their own, and contexts that are on no thread.

#![allow(unsafe_code)]

use std::cell::Cell;

use super::*;

type Work<'a> = dyn Fn() + 'a;

thread_local! {
    /// What the handler or the context is to do.
    static WORK: Cell<Option<&'static Work<'static>>> = const { Cell::new(None) };
}

/// Lends the work for a time that ends before it does.
fn set_work(work: &Work<'_>) {
    // SAFETY: every test that sets it runs it, and nothing runs it later.
    WORK.set(Some(unsafe { std::mem::transmute::<&Work<'_>, &'static Work<'static>>(work) }));
}

fn do_work() {
    WORK.get().unwrap()();
}

/// Runs `work` in a handler on `stack`.
fn on_alternate_stack(stack: &mut [u8], work: &Work<'_>) {
    extern "C" fn handler(_: i32) {
        do_work();
    }
    set_work(work);
    let ours = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
    let mut before = libc::stack_t { ss_sp: null_mut(), ss_flags: 0, ss_size: 0 };
    handle(libc::SIGUSR2, handler, libc::SA_ONSTACK);
    // SAFETY: a stack that outlives its use; the one before is put back.
    unsafe {
        libc::sigaltstack(&ours, &mut before);
        libc::raise(libc::SIGUSR2);
        libc::sigaltstack(&before, null_mut());
    }
}

fn alternate(run: bool, in_frame: bool) {
    let (native, inner) = (Code::new(), Code::new());
    let other = Other::start({
        let (native, inner) = (native.clone(), inner.clone());
        move |inside| {
            let work = || inner.call(|| if run { inside.run() } else { inside.block() });
            let mut frame = [0u8; 65536];
            let mut heap = vec![0u8; 65536];
            let stack = if in_frame { &mut frame[..] } else { &mut heap[..] };
            native.call(|| on_alternate_stack(stack, &work));
        }
    });
    let other = if run { other.until_running() } else { other.until_in(libc::SYS_poll) };
    assert_eq!(held(&inner, other.thread), Some(Code::RETURN), "on the stack for signals");
    assert!(held(&native, other.thread).is_some(), "on the stack that was interrupted");
    assert_ne!(ask(&[&inner])[0].0.odd_stack, Some(other.thread));
    other.end();
}

#[test]
fn a_handler_runs_on_its_own_stack() {
    alternate(true, false);
    alternate(true, true);
}

#[test]
fn a_handler_is_blocked_on_its_own_stack() {
    alternate(false, false);
    alternate(false, true);
}

/// A context with a stack of its own, and the one that it came from.
struct Context {
    there: Box<libc::ucontext_t>,
    back: Box<libc::ucontext_t>,
    stack: Vec<u8>,
}

impl Context {
    fn new(known: bool) -> Self {
        extern "C" fn start() {
            do_work();
        }
        let mut stack = vec![0u8; 262_144];
        // SAFETY: zeroes are a valid value, filled in by getcontext.
        let [mut there, mut back]: [Box<libc::ucontext_t>; 2] =
            unsafe { std::mem::zeroed::<[_; 2]>() }.map(|context: libc::ucontext_t| Box::new(context));
        // SAFETY: a context with a stack and one to go on with.
        unsafe {
            libc::getcontext(&mut *there);
            there.uc_stack.ss_sp = stack.as_mut_ptr().cast();
            // What is above is for who looks at it.
            there.uc_stack.ss_size = stack.len() - 64;
            there.uc_link = &mut *back;
            libc::makecontext(&mut *there, start, 0);
        }
        if known {
            remember_context(stack.as_ptr() as u64, stack.len() as u64);
        }
        Self { there, back, stack }
    }

    /// Above what it uses of its stack.
    fn place_of_left(&mut self) -> u64 {
        (self.stack.as_mut_ptr_range().end as u64 & !15) - Left::SIZE
    }

    fn enter(&mut self) {
        // SAFETY: a context that was made, or left.
        unsafe { libc::swapcontext(&mut *self.back, &*self.there) };
    }

    fn leave(this: *mut Self) {
        // SAFETY: the context that is running, and the one that entered it.
        unsafe { libc::swapcontext(&mut *(*this).there, &*(*this).back) };
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        contexts::forget(self.stack.as_ptr() as u64);
    }
}

#[test]
fn a_suspended_context_holds_its_code() {
    let (code, never) = (Code::new(), Code::new());
    let mut context = Context::new(true);
    let this = &raw mut context;
    let work = || code.call(|| Context::leave(this));
    set_work(&work);
    context.enter();
    let by_none = |code: &Code| ask(&[code])[0].0.hits.iter().any(|hit| hit.thread == 0);
    assert!(by_none(&code));
    assert!(!by_none(&never));
    context.enter();
    drop(context);
}

/// Puts above the context's stack what another thread's handler may have there.
fn leave_by_another_thread(context: &mut Context) {
    let here = 0u64;
    let (top, sp) = (context.place_of_left(), &raw const here as u64);
    let left = std::thread::spawn(move || Left::new(top, sp)).join().unwrap();
    // SAFETY: the stack's own memory, of which the context leaves the end alone.
    unsafe { (top as *mut Left).write_volatile(left) };
}

fn on_context(run: bool, known: bool) {
    let (native, inner) = (Code::new(), Code::new());
    let other = Other::start({
        let (native, inner) = (native.clone(), inner.clone());
        move |inside| {
            let mut context = Context::new(known);
            leave_by_another_thread(&mut context);
            let work = || inner.call(|| if run { inside.run() } else { inside.block() });
            set_work(&work);
            native.call(|| context.enter());
        }
    });
    let other = if run { other.until_running() } else { other.until_in(libc::SYS_poll) };
    assert_eq!(held(&inner, other.thread), Some(Code::RETURN), "on the context's stack");
    assert!(held(&native, other.thread).is_some(), "on the thread's own");
    let odd = ask(&[&inner])[0].0.odd_stack;
    if known {
        assert_ne!(odd, Some(other.thread));
    } else {
        assert!(odd.is_some());
    }
    other.end();
}

#[test]
fn a_thread_is_on_a_context() {
    on_context(true, true);
    on_context(false, true);
}

/// As a fault is looked at: a handler on its stack leaves that for another one.
#[test]
fn a_stack_that_a_handler_left_its_own_for() {
    let (native, middle, inner) = (Code::new(), Code::new(), Code::new());
    let other = Other::start({
        let (native, middle, inner) = (native.clone(), middle.clone(), inner.clone());
        move |inside| {
            let handler = || {
                let mut context = Context::new(false);
                let work = || inner.call(|| inside.block());
                set_work(&work);
                let top = context.place_of_left();
                middle.call(|| {
                    let here = 0u64;
                    // SAFETY: the stack's own memory, of which the context leaves the end alone.
                    unsafe { (top as *mut Left).write_volatile(Left::new(top, &raw const here as u64)) };
                    context.enter();
                });
            };
            let mut stack = vec![0u8; 65536];
            native.call(|| on_alternate_stack(&mut stack, &handler));
        }
    });
    let other = other.until_in(libc::SYS_poll);
    assert_eq!(held(&inner, other.thread), Some(Code::RETURN), "on the other stack");
    assert!(held(&middle, other.thread).is_some(), "on the handler's");
    assert!(held(&native, other.thread).is_some(), "on the thread's own");
    assert_ne!(ask(&[&inner])[0].0.odd_stack, Some(other.thread));
    other.end();
}

#[test]
fn a_stack_that_nobody_knows_is_noticed() {
    on_context(true, false);
    on_context(false, false);
}
