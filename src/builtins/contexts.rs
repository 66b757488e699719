//! Contexts that generated code makes.
//!
//! Their stacks are remembered, because a suspended context is on no thread. That is all
//! that this adds to the C library's own function; it knows nothing of what is run there.
#![allow(unsafe_code)]

/// What generated code calls as `makecontext`. The real one takes as many arguments as its
/// third says, so that they are left where they are: in registers and on the stack.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn makecontext() {
    core::arch::naked_asm!(
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push r8",
        "push r9",
        // Seven words and the return address: the stack is aligned for the call.
        "push rax",
        "call {remember}",
        "pop rax",
        "pop r9",
        "pop r8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "jmp qword ptr [rip + {real}@GOTPCREL]",
        remember = sym remember,
        real = sym libc::makecontext,
    )
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) use libc::makecontext;

#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn remember(context: *const libc::ucontext_t) {
    // SAFETY: the caller of `makecontext` passes a context with its stack filled in.
    let stack = unsafe { (*context).uc_stack };
    crate::reclaim::remember_context(stack.ss_sp as u64, stack.ss_size as u64);
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    static GOT: std::sync::Mutex<Vec<u64>> = std::sync::Mutex::new(Vec::new());

    extern "C" fn start(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64) {
        *GOT.lock().unwrap() = vec![a, b, c, d, e, f, g, h];
    }

    #[test]
    fn arguments_get_to_the_context() {
        type Make = unsafe extern "C" fn(*mut libc::ucontext_t, *const (), libc::c_int, ...);
        let mut stack = vec![0u8; 65536];
        // SAFETY: zeroes are a valid value, filled in by getcontext.
        let [mut there, mut back]: [libc::ucontext_t; 2] = unsafe { std::mem::zeroed() };
        // SAFETY: a context with a stack and one to go on with; eight integers as arguments.
        unsafe {
            let make: Make = std::mem::transmute(makecontext as *const ());
            libc::getcontext(&mut there);
            there.uc_stack.ss_sp = stack.as_mut_ptr().cast();
            there.uc_stack.ss_size = stack.len();
            there.uc_link = &mut back;
            make(&mut there, start as *const (), 8, 1u64, 2u64, 3u64, 4u64, 5u64, 6u64, 7u64, 8u64);
            libc::swapcontext(&mut back, &there);
        }
        crate::reclaim::forget_context(stack.as_ptr() as u64);
        assert_eq!(*GOT.lock().unwrap(), [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
