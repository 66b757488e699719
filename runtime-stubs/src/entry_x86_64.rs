//! The trampolines of x86-64, in assembly, and the measure of the vector state they save.
//!
//! Owns which registers survive an entry into the host. Does not know what the host answers.
//!
//! Facts relied on:
//! - System V psABI for AMD64, "The Stack Frame" and "Parameter Passing": `rsp` is a multiple of 16
//!   before a call; arguments travel in `rdi rsi rdx rcx r8 r9`, the vector registers, `al` (how many
//!   vector registers a variadic call uses) and `r10` (static chain); `rbx rbp r12-r15`, the control
//!   bits of MXCSR and the x87 control word belong to the caller.
//! - A. Oliva, G. Araújo, "Thread-Local Storage Descriptors for IA32 and AMD64/EM64T": a descriptor's
//!   function gets the descriptor's address in `rax`, returns the offset from the thread pointer in
//!   `rax`, and keeps every other register but the flags. psABI, "Thread-Local Storage": the thread
//!   pointer is also the word at `fs:0`. Compilers do not align the stack for such a call.
//! - Intel SDM volume 1, chapter 13: the XSAVE area is 64-byte aligned; its 64-byte header, at byte 512,
//!   must be zero where XSAVE(C) does not write it; CPUID leaf 0DH gives each component's size.
//!
//! Every trampoline has call frame information that is exact wherever an exception can pass.
#![allow(unsafe_code)]

use core::arch::global_asm;
use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use core::ffi::c_void;
use core::mem::offset_of;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::{EntryContext, TlsDescArgument};

/// The state components that are saved: x87, SSE, AVX, MPX, the three of AVX-512, and APX (r16-r31).
///
/// Left out on purpose: AMX tiles (8 KiB, and never live over a call that knows nothing of them), and
/// PKRU, whose restore would undo a change of memory protection that the handler made.
const KEPT: u64 = 0xff | 1 << 19;

/// How the vector state is saved. All zero but the size: with `fxsave`.
///
/// INVARIANT: set before the first [`EntryContext`] or [`TlsDescArgument`] exists and only ever set to
/// the same values again, so that no save sees other values than its restore.
#[repr(C)]
struct StateLayout {
    /// The components for `xsave`, or zero to use `fxsave`.
    mask: AtomicU64,
    /// Bytes to reserve on the stack.
    size: AtomicU64,
    /// Not zero: `xsavec` instead of `xsave`.
    compact: AtomicU64,
}

static STATE: StateLayout =
    StateLayout { mask: AtomicU64::new(0), size: AtomicU64::new(FXSAVE_SIZE), compact: AtomicU64::new(0) };

/// The legacy region of every save area.
const FXSAVE_SIZE: u64 = 512;

/// The header behind it.
const HEADER_SIZE: u64 = 64;

/// Finds out which vector state this processor and kernel have, and how large its save area is.
pub(super) fn measure_state() {
    const OSXSAVE: u32 = 1 << 27;
    const XSAVEC: u32 = 1 << 1;
    const XSAVE_LEAF: u32 = 0xd;

    if STATE.mask.load(Ordering::Acquire) != 0 {
        return;
    }
    // Newer compilers declare `__cpuid` safe.
    #[allow(unused_unsafe)]
    // SAFETY: every x86-64 processor has CPUID.
    let (has_leaf, leaf_1) = unsafe { (__cpuid(0).eax >= XSAVE_LEAF, __cpuid(1)) };
    if !has_leaf || leaf_1.ecx & OSXSAVE == 0 {
        return;
    }
    // SAFETY: OSXSAVE says that the kernel enabled XGETBV, and register 0 exists with it.
    let mask = unsafe { _xgetbv(0) } & KEPT;
    let component = |number: u32| {
        #[allow(unused_unsafe)]
        // SAFETY: as above; the leaf was found to exist.
        unsafe {
            __cpuid_count(XSAVE_LEAF, number)
        }
    };
    let compact = component(1).eax & XSAVEC != 0;
    let mut size = FXSAVE_SIZE + HEADER_SIZE;
    for number in 2..63 {
        if mask & (1 << number) == 0 {
            continue;
        }
        let this = component(number);
        if compact {
            // Bit 1: this component starts at a multiple of 64.
            if this.ecx & 2 != 0 {
                size = size.next_multiple_of(64);
            }
            size += u64::from(this.eax);
        } else {
            size = size.max(u64::from(this.ebx) + u64::from(this.eax));
        }
    }
    STATE.size.store(size, Ordering::Relaxed);
    STATE.compact.store(u64::from(compact), Ordering::Relaxed);
    STATE.mask.store(mask, Ordering::Release);
}

/// Where a guarded call was made: the registers to go on with when it is left by
/// [`hotslot_recover`].
#[repr(C)]
#[derive(Debug)]
pub struct RecoveryFrame {
    rsp: u64,
    rbx: u64,
    rbp: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    r15: u64,
    /// Zero where shadow stacks are off.
    shadow_stack: u64,
    mxcsr: u32,
    x87_control: u16,
}

impl RecoveryFrame {
    /// An empty frame, for [`hotslot_guarded_call`] to fill in.
    pub const fn new() -> Self {
        RecoveryFrame {
            rsp: 0,
            rbx: 0,
            rbp: 0,
            r12: 0,
            r13: 0,
            r14: 0,
            r15: 0,
            shadow_stack: 0,
            mxcsr: 0,
            x87_control: 0,
        }
    }

    /// The stack pointer of the call that filled it in: where its return address is.
    pub const fn stack_pointer(&self) -> u64 {
        self.rsp
    }
}

impl Default for RecoveryFrame {
    fn default() -> Self {
        Self::new()
    }
}

unsafe extern "C-unwind" {
    fn hotslot_resolve_entry();
    fn hotslot_tlsdesc_entry();

    fn hotslot_guard_landing();

    /// Calls `call(data)` and returns zero; or, if [`hotslot_recover`] ends the call, its code.
    ///
    /// An exception passes through, unless [`set_guard_personality`] has somebody claim it: then this
    /// returns [`THROWN`].
    ///
    /// # Safety
    /// `frame` is valid for writes and stays in place during the call, and `call` may be called
    /// with `data`.
    pub fn hotslot_guarded_call(
        frame: *mut RecoveryFrame,
        call: unsafe extern "C-unwind" fn(*mut c_void),
        data: *mut c_void,
    ) -> u32;

    /// Leaves the guarded call that filled in `frame`: it returns `code`, which should not be zero.
    ///
    /// It does not use the stack it is entered on, which may be exhausted or a signal stack, and needs
    /// no alignment of it: a signal handler may call it, or point the interrupted context at
    /// [`recover_address`] and return, which also restores the signal mask. The x87 stack is
    /// emptied and the direction flag cleared.
    ///
    /// # Safety
    /// The guarded call is still active, on this thread. The frames in between are given up without
    /// being unwound: none of them may hold a value whose destructor must run.
    pub fn hotslot_recover(frame: *const RecoveryFrame, code: u32) -> !;
}

/// The address a [context thunk](crate::Arch::context_thunk) jumps to.
///
/// It keeps every register that can carry an argument, asks the context's handler and jumps to the
/// answer with the caller's stack, as if the caller had called that directly.
pub fn resolve_entry_address() -> u64 {
    hotslot_resolve_entry as *const () as u64
}

/// The first word of a TLS descriptor, whose second is the address of a [`TlsDescArgument`].
pub fn tlsdesc_entry_address() -> u64 {
    hotslot_tlsdesc_entry as *const () as u64
}

/// What [`hotslot_guarded_call`] returns where an exception has ended the call.
pub const THROWN: u32 = 3;

/// A personality routine, as the Itanium C++ ABI has it: version, actions, the exception's class, the
/// exception, and the unwinder's context.
pub type Personality = unsafe extern "C" fn(i32, i32, u64, *mut c_void, *mut c_void) -> i32;

/// Null, or a [`Personality`].
static PERSONALITY: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

/// Has `personality` decide, from now on, whether exceptions end at a guarded call. To claim one it has
/// the unwinder go on at [`guard_landing_address`].
///
/// # Safety
/// It keeps the rules of the ABI, and claims exceptions only at calls whose caller expects [`THROWN`].
pub unsafe fn set_guard_personality(personality: Personality) {
    PERSONALITY.store(personality as *mut c_void, Ordering::Release);
}

/// Where an exception ends that was claimed.
pub fn guard_landing_address() -> u64 {
    hotslot_guard_landing as *const () as u64
}

/// The address of [`hotslot_guarded_call`], which is less than 256 bytes long.
pub fn guarded_call_address() -> u64 {
    hotslot_guarded_call as *const () as u64
}

/// The address of [`hotslot_recover`], for a signal handler that changes the interrupted context:
/// the instruction pointer to this, `rdi` to the frame, `rsi` to the code.
pub fn recover_address() -> u64 {
    hotslot_recover as *const () as u64
}

// SAFETY: the code keeps the promises in the comments beside it. It reads only `STATE`, the context or
// argument it was given, and its own stack. The state is found through the GOT, so the code is
// position-independent however the crate is linked; the symbols are hidden.
global_asm!(
    // Saves the vector and x87 state at the new `rsp`. The caller has `rbp` as frame pointer and
    // has saved rax, rcx and rdx.
    ".macro hotslot_save_state",
    "    mov rdx, qword ptr [rip + {state}@GOTPCREL]",
    "    sub rsp, qword ptr [rdx + {size}]",
    "    and rsp, -64",
    "    mov rax, qword ptr [rdx + {mask}]",
    "    test rax, rax",
    "    jz 3f",
    "    xor ecx, ecx",
    "    mov qword ptr [rsp + 512], rcx",
    "    mov qword ptr [rsp + 520], rcx",
    "    mov qword ptr [rsp + 528], rcx",
    "    mov qword ptr [rsp + 536], rcx",
    "    mov qword ptr [rsp + 544], rcx",
    "    mov qword ptr [rsp + 552], rcx",
    "    mov qword ptr [rsp + 560], rcx",
    "    mov qword ptr [rsp + 568], rcx",
    "    mov rcx, qword ptr [rdx + {compact}]",
    "    mov rdx, rax",
    "    shr rdx, 32",
    "    test rcx, rcx",
    "    jz 2f",
    "    xsavec64 [rsp]",
    "    jmp 4f",
    "2:  xsave64 [rsp]",
    "    jmp 4f",
    "3:  fxsave64 [rsp]",
    "4:",
    ".endm",
    // The reverse, with the same `rsp`. Changes rax and rdx.
    ".macro hotslot_restore_state",
    "    mov rdx, qword ptr [rip + {state}@GOTPCREL]",
    "    mov rax, qword ptr [rdx + {mask}]",
    "    test rax, rax",
    "    jz 3f",
    "    mov rdx, rax",
    "    shr rdx, 32",
    "    xrstor64 [rsp]",
    "    jmp 4f",
    "3:  fxrstor64 [rsp]",
    "4:",
    ".endm",
    ".pushsection .text.hotslot_entry,\"ax\",@progbits",
    //
    // Reached by jumps from the call: [rsp] context, [rsp+8] index, [rsp+16] return address. r11 is
    // free. What the handler itself must keep by its convention is not saved again.
    ".globl hotslot_resolve_entry",
    ".hidden hotslot_resolve_entry",
    ".type hotslot_resolve_entry,@function",
    ".p2align 4",
    "hotslot_resolve_entry:",
    "    .cfi_startproc",
    "    .cfi_def_cfa rsp, 24",
    "    endbr64",
    "    push rbp",
    "    .cfi_def_cfa_offset 32",
    "    .cfi_offset rbp, -32",
    "    mov rbp, rsp",
    "    .cfi_def_cfa_register rbp",
    "    push rax",
    "    push rdi",
    "    push rsi",
    "    push rdx",
    "    push rcx",
    "    push r8",
    "    push r9",
    "    push r10",
    "    hotslot_save_state",
    "    mov rax, qword ptr [rbp + 8]",
    "    mov rdi, qword ptr [rax + {context_data}]",
    "    mov esi, dword ptr [rbp + 16]",
    "    mov rdx, qword ptr [rbp + 24]",
    "    call qword ptr [rax + {context_handler}]",
    "    mov r11, rax",
    "    hotslot_restore_state",
    "    mov rax, qword ptr [rbp - 8]",
    "    mov rdi, qword ptr [rbp - 16]",
    "    mov rsi, qword ptr [rbp - 24]",
    "    mov rdx, qword ptr [rbp - 32]",
    "    mov rcx, qword ptr [rbp - 40]",
    "    mov r8, qword ptr [rbp - 48]",
    "    mov r9, qword ptr [rbp - 56]",
    "    mov r10, qword ptr [rbp - 64]",
    "    leave",
    "    .cfi_def_cfa rsp, 24",
    "    .cfi_restore rbp",
    "    add rsp, 16",
    "    .cfi_def_cfa_offset 8",
    "    jmp r11",
    "    .cfi_endproc",
    ".size hotslot_resolve_entry, . - hotslot_resolve_entry",
    //
    // rax: the descriptor. The x87 stack may be in use here, so the resolver gets an empty one.
    ".globl hotslot_tlsdesc_entry",
    ".hidden hotslot_tlsdesc_entry",
    ".type hotslot_tlsdesc_entry,@function",
    ".p2align 4",
    "hotslot_tlsdesc_entry:",
    "    .cfi_startproc",
    "    endbr64",
    "    push rbp",
    "    .cfi_def_cfa_offset 16",
    "    .cfi_offset rbp, -16",
    "    mov rbp, rsp",
    "    .cfi_def_cfa_register rbp",
    "    push rdi",
    "    push rsi",
    "    push rdx",
    "    push rcx",
    "    push r8",
    "    push r9",
    "    push r10",
    "    push r11",
    "    mov rsi, qword ptr [rax + 8]",
    "    hotslot_save_state",
    "    fninit",
    "    mov rdi, qword ptr [rsi + {argument_key}]",
    "    call qword ptr [rsi + {argument_resolve}]",
    "    mov r11, rax",
    "    sub r11, qword ptr fs:[0]",
    "    hotslot_restore_state",
    "    mov rax, r11",
    "    mov rdi, qword ptr [rbp - 8]",
    "    mov rsi, qword ptr [rbp - 16]",
    "    mov rdx, qword ptr [rbp - 24]",
    "    mov rcx, qword ptr [rbp - 32]",
    "    mov r8, qword ptr [rbp - 40]",
    "    mov r9, qword ptr [rbp - 48]",
    "    mov r10, qword ptr [rbp - 56]",
    "    mov r11, qword ptr [rbp - 64]",
    "    leave",
    "    .cfi_def_cfa rsp, 8",
    "    .cfi_restore rbp",
    "    ret",
    "    .cfi_endproc",
    ".size hotslot_tlsdesc_entry, . - hotslot_tlsdesc_entry",
    //
    // rdi: frame, rsi: function, rdx: its argument. The saved `rsp` points at the return address,
    // which stays there as long as the call is active: hotslot_recover returns through it.
    ".globl hotslot_guarded_call",
    ".hidden hotslot_guarded_call",
    ".type hotslot_guarded_call,@function",
    ".p2align 4",
    "hotslot_guarded_call:",
    "    .cfi_startproc",
    // Relative, signed, four bytes.
    "    .cfi_personality 0x1b, hotslot_guard_personality",
    "    endbr64",
    "    mov qword ptr [rdi + {rsp}], rsp",
    "    mov qword ptr [rdi + {rbx}], rbx",
    "    mov qword ptr [rdi + {rbp}], rbp",
    "    mov qword ptr [rdi + {r12}], r12",
    "    mov qword ptr [rdi + {r13}], r13",
    "    mov qword ptr [rdi + {r14}], r14",
    "    mov qword ptr [rdi + {r15}], r15",
    "    xor eax, eax",
    // A no-op where shadow stacks are off.
    "    rdsspq rax",
    "    mov qword ptr [rdi + {shadow_stack}], rax",
    "    stmxcsr dword ptr [rdi + {mxcsr}]",
    "    fnstcw word ptr [rdi + {x87_control}]",
    "    sub rsp, 8",
    "    .cfi_def_cfa_offset 16",
    "    mov rdi, rdx",
    "    call rsi",
    "    add rsp, 8",
    "    .cfi_def_cfa_offset 8",
    "    xor eax, eax",
    "    ret",
    // Where an exception ends that the personality has claimed: with the stack of the call.
    "    .cfi_def_cfa_offset 16",
    ".globl hotslot_guard_landing",
    ".hidden hotslot_guard_landing",
    "hotslot_guard_landing:",
    "    endbr64",
    "    add rsp, 8",
    "    .cfi_def_cfa_offset 8",
    "    mov eax, {thrown}",
    "    ret",
    "    .cfi_endproc",
    ".size hotslot_guarded_call, . - hotslot_guarded_call",
    //
    // The unwinder's question. Without anybody to answer: go on.
    ".hidden hotslot_guard_personality",
    ".type hotslot_guard_personality,@function",
    ".p2align 4",
    "hotslot_guard_personality:",
    "    .cfi_startproc",
    "    endbr64",
    "    mov rax, qword ptr [rip + {personality}@GOTPCREL]",
    "    mov rax, qword ptr [rax]",
    "    test rax, rax",
    "    jz 2f",
    "    jmp rax",
    "2:  mov eax, 8",
    "    ret",
    "    .cfi_endproc",
    ".size hotslot_guard_personality, . - hotslot_guard_personality",
    //
    // rdi: frame, esi: code. No stack access before `rsp` is the guarded call's.
    ".globl hotslot_recover",
    ".hidden hotslot_recover",
    ".type hotslot_recover,@function",
    ".p2align 4",
    "hotslot_recover:",
    "    .cfi_startproc",
    "    endbr64",
    "    fninit",
    "    fldcw word ptr [rdi + {x87_control}]",
    "    ldmxcsr dword ptr [rdi + {mxcsr}]",
    "    cld",
    "    xor eax, eax",
    "    rdsspq rax",
    "    test rax, rax",
    "    jz 3f",
    // Pops what lies between, at most 255 entries at a time.
    "    mov rcx, qword ptr [rdi + {shadow_stack}]",
    "    sub rcx, rax",
    "    shr rcx, 3",
    "    jz 3f",
    "    mov eax, 255",
    "2:  cmp rcx, rax",
    "    cmovb rax, rcx",
    "    incsspq rax",
    "    sub rcx, rax",
    "    jnz 2b",
    "3:  mov eax, esi",
    "    mov rbx, qword ptr [rdi + {rbx}]",
    "    mov rbp, qword ptr [rdi + {rbp}]",
    "    mov r12, qword ptr [rdi + {r12}]",
    "    mov r13, qword ptr [rdi + {r13}]",
    "    mov r14, qword ptr [rdi + {r14}]",
    "    mov r15, qword ptr [rdi + {r15}]",
    "    mov rsp, qword ptr [rdi + {rsp}]",
    "    ret",
    "    .cfi_endproc",
    ".size hotslot_recover, . - hotslot_recover",
    ".popsection",
    ".purgem hotslot_save_state",
    ".purgem hotslot_restore_state",
    state = sym STATE,
    personality = sym PERSONALITY,
    thrown = const THROWN,
    mask = const offset_of!(StateLayout, mask),
    size = const offset_of!(StateLayout, size),
    compact = const offset_of!(StateLayout, compact),
    context_handler = const offset_of!(EntryContext, handler),
    context_data = const offset_of!(EntryContext, data),
    argument_resolve = const offset_of!(TlsDescArgument, resolve),
    argument_key = const offset_of!(TlsDescArgument, key),
    rsp = const offset_of!(RecoveryFrame, rsp),
    rbx = const offset_of!(RecoveryFrame, rbx),
    rbp = const offset_of!(RecoveryFrame, rbp),
    r12 = const offset_of!(RecoveryFrame, r12),
    r13 = const offset_of!(RecoveryFrame, r13),
    r14 = const offset_of!(RecoveryFrame, r14),
    r15 = const offset_of!(RecoveryFrame, r15),
    shadow_stack = const offset_of!(RecoveryFrame, shadow_stack),
    mxcsr = const offset_of!(RecoveryFrame, mxcsr),
    x87_control = const offset_of!(RecoveryFrame, x87_control),
);

// Shared with the integration tests.
#[cfg(all(test, target_os = "linux"))]
#[path = "../tests/x86_64/registers.rs"]
#[allow(dead_code, missing_docs)]
mod registers;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    //! The ways of saving that this processor would not choose. They need the private `STATE`; the
    //! one that it does choose is tested from outside.
    use super::registers::{Level, Registers, call_skewed, level, probe, ruin};
    use super::*;

    extern "C" fn ruin_all(key: u64) -> *mut u8 {
        // SAFETY: ruins only what a callee may ruin, and the control words, which the entry restores.
        unsafe { ruin(level()) };
        key as *mut u8
    }

    extern "C" fn ruin_sse(key: u64) -> *mut u8 {
        // SAFETY: as above.
        unsafe { ruin(Level::Sse) };
        key as *mut u8
    }

    fn keeps_everything(argument: &TlsDescArgument, level: Level) {
        let descriptor = [tlsdesc_entry_address(), core::ptr::from_ref(argument) as u64];
        let mut before = Registers::distinct(level);
        before.rax = descriptor.as_ptr() as u64;
        let mut after = Registers::zero();
        // SAFETY: the target calls through the descriptor in rax; both structs are valid.
        unsafe { probe(&before, &mut after, call_skewed as *const () as u64, level) };
        after.rax = before.rax;
        before.assert_same(&after);
    }

    #[test]
    fn other_processors() {
        let all = TlsDescArgument::new(ruin_all, 0);
        let sse = TlsDescArgument::new(ruin_sse, 0);
        keeps_everything(&all, level());
        let mask = STATE.mask.load(Ordering::Relaxed);
        if mask == 0 {
            std::println!("only fxsave on this machine");
            return;
        }
        #[allow(unused_unsafe)]
        // SAFETY: there is a mask, so there is the leaf.
        let standard = unsafe { __cpuid_count(0xd, 0) }.ebx;
        let measured = STATE.size.load(Ordering::Relaxed);
        std::println!("mask {mask:#x}, {measured} bytes, of a standard {standard}");
        assert!(measured <= u64::from(standard));
        // `xsave`: nobody else uses the state in this process.
        STATE.compact.store(0, Ordering::Relaxed);
        STATE.size.store(u64::from(standard), Ordering::Relaxed);
        keeps_everything(&all, level());
        // `fxsave`
        STATE.mask.store(0, Ordering::Relaxed);
        STATE.size.store(FXSAVE_SIZE, Ordering::Relaxed);
        keeps_everything(&sse, Level::Sse);
    }
}
