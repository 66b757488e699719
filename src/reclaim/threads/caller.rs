//! The thread that asks: where its own frames begin.
//!
//! Owns the capture of its registers; says nothing of what they hold.
#![allow(unsafe_code)]

/// The stack pointer and the registers that belong to a function's caller, at one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(super) sp: u64,
    pub(super) registers: [u64; 6],
}

impl Caller {
    /// Of the function that this is called in: to be called first in a function of the public
    /// interface. What that function calls is the host library's and is not looked at.
    #[inline(always)]
    pub(crate) fn here() -> Self {
        let mut registers = [0u64; 6];
        let sp;
        // SAFETY: stores six words where there is room for them.
        unsafe {
            std::arch::asm!(
                "mov [rax], rbx",
                "mov [rax + 8], rbp",
                "mov [rax + 16], r12",
                "mov [rax + 24], r13",
                "mov [rax + 32], r14",
                "mov [rax + 40], r15",
                "mov {sp}, rsp",
                in("rax") registers.as_mut_ptr(),
                sp = lateout(reg) sp,
                options(nostack, preserves_flags),
            );
        }
        Self { sp, registers }
    }
}
