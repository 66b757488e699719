//! The memory that each thread has for its faults.
//!
//! Owns a stack for signals, for threads that have none, and a stack to look at the fault on:
//! the program's own stack for signals may be small. Both are given back when the thread ends.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use super::{handler, library};
use crate::reclaim::Left;

const GUARD: usize = 1 << 12;
const SIGNALS: usize = 64 << 10;
const WORK: usize = 448 << 10;
const ALL: usize = GUARD + SIGNALS + WORK;

pub(super) struct Thread {
    /// The end of the stack that faults are looked at on.
    pub(super) work: u64,
    memory: *mut c_void,
}

thread_local! {
    // Without a destructor: a handler reads it.
    static CURRENT: Cell<*const Thread> = const { Cell::new(ptr::null()) };
    static OWNER: Cell<Option<Owner>> = const { Cell::new(None) };
}

struct Owner(Box<Thread>);

impl Drop for Owner {
    fn drop(&mut self) {
        CURRENT.set(ptr::null());
        let start = self.0.memory as u64;
        // SAFETY: valid for writes; the memory is this thread's, which ends and is on no part of
        // it: what made it the stack for signals is undone first.
        unsafe {
            let mut stack: libc::stack_t = std::mem::zeroed();
            libc::sigaltstack(ptr::null(), &mut stack);
            // A thread may end in a handler. Then its memory stays.
            if stack.ss_flags & libc::SS_ONSTACK != 0 {
                return;
            }
            if (start..start + ALL as u64).contains(&(stack.ss_sp as u64)) {
                stack.ss_flags = libc::SS_DISABLE;
                libc::sigaltstack(&stack, ptr::null_mut());
            }
            libc::munmap(self.0.memory, ALL);
        }
    }
}

/// Has faults of the calling thread handled. Cheap when called again.
#[inline]
pub(crate) fn prepare() {
    handler::install();
    prepare_stacks();
}

/// Gives the calling thread its stacks for signals, whichever those are. Cheap when called again.
#[inline]
pub(crate) fn prepare_stacks() {
    if CURRENT.get().is_null() {
        first();
    }
}

/// The calling thread's memory, if it was prepared.
pub(super) fn current() -> *const Thread {
    CURRENT.get()
}

#[cold]
fn first() {
    library::prepare();
    let Some(memory) = map() else { return };
    // SAFETY: new memory, which stays until the thread ends.
    unsafe {
        let mut before: libc::stack_t = std::mem::zeroed();
        libc::sigaltstack(ptr::null(), &mut before);
        // A stack that the program has chosen stays.
        if before.ss_flags & libc::SS_DISABLE != 0 {
            let start = memory.byte_add(GUARD);
            let stack = libc::stack_t { ss_sp: start, ss_flags: 0, ss_size: SIGNALS };
            libc::sigaltstack(&stack, ptr::null_mut());
        }
    }
    let thread = Box::new(Thread { work: memory as u64 + ALL as u64, memory });
    let at: *const Thread = &raw const *thread;
    // A thread that is at its end has no such variables any more: its faults are the program's.
    let thread = Owner(thread);
    if OWNER.try_with(|owner| owner.set(Some(thread))).is_ok() {
        CURRENT.set(at);
    }
}

/// The end of a stack of the same size that belongs to nobody, and stays.
pub(super) fn map_stack() -> Option<u64> {
    Some(map()? as u64 + ALL as u64)
}

fn map() -> Option<*mut c_void> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    // SAFETY: new memory, of which the first page is made unusable.
    unsafe {
        let memory = libc::mmap(ptr::null_mut(), ALL, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if memory == libc::MAP_FAILED {
            return None;
        }
        libc::mprotect(memory, GUARD, libc::PROT_NONE);
        Some(memory)
    }
}

/// Calls `work` with `data` on the stack that ends at `top`, while all signals are blocked:
/// whoever passes one on to us as an earlier handler may have them open.
///
/// # Safety
/// No other thread uses that stack, and `work` may be called with `data` and returns.
pub(super) unsafe fn on_stack(top: u64, work: unsafe extern "C" fn(*mut c_void), data: *mut c_void) {
    // A variable of this frame, which is above all that the stack had before.
    let here = 0u64;
    let left = (top & !15) - Left::SIZE;
    // SAFETY: valid for writes; the set is filled before it is used. The stack is ours, and has
    // room. Then by the contract above.
    unsafe {
        let (mut all, mut mask) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut mask);
        let record = left as *mut Left;
        record.write_volatile(Left::new(left, &raw const here as u64));
        switch(left, work, data);
        record.write_volatile(Left::none());
        libc::pthread_sigmask(libc::SIG_SETMASK, &mask, ptr::null_mut());
    }
}

/// # Safety
/// Nobody uses that stack, and `work` may be called with `data` and returns.
#[cfg(target_arch = "x86_64")]
unsafe fn switch(top: u64, work: unsafe extern "C" fn(*mut c_void), data: *mut c_void) {
    // SAFETY: by the contract above; the stack pointer comes back in a register that the callee
    // keeps.
    unsafe {
        std::arch::asm!(
            "xchg rsp, r12",
            "call {work}",
            "mov rsp, r12",
            work = in(reg) work,
            in("rdi") data,
            inout("r12") top & !15 => _,
            clobber_abi("C"),
        );
    }
}

/// Where no generated code can run.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn switch(_: u64, work: unsafe extern "C" fn(*mut c_void), data: *mut c_void) {
    // SAFETY: by the contract of the real one.
    unsafe { work(data) };
}
