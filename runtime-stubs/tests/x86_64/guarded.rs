//! Guarded calls: left in the ordinary way, by recovery, by an exception, by a signal.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

use runtime_stubs::entry::{RecoveryFrame, hotslot_guarded_call, hotslot_recover, recover_address};

use crate::registers::{Registers, level, probe, ruin_kept};

unsafe extern "C-unwind" fn count(data: *mut c_void) {
    // SAFETY: the tests pass a number.
    unsafe { *data.cast::<u32>() += 1 };
}

#[test]
fn an_ordinary_call_returns_zero() {
    let mut frame = RecoveryFrame::new();
    let mut calls = 0u32;
    let data = (&raw mut calls).cast();
    // SAFETY: `count` takes a number.
    let code = unsafe { hotslot_guarded_call(&mut frame, count, data) };
    assert_eq!((code, calls), (0, 1));
}

#[inline(never)]
fn deep(levels: u32, frame: *const RecoveryFrame) -> u32 {
    if levels == 0 {
        // SAFETY: the guarded call is active and the frames between hold nothing to drop.
        unsafe { hotslot_recover(frame, 7) }
    }
    std::hint::black_box(deep(std::hint::black_box(levels) - 1, frame)) + 1
}

unsafe extern "C-unwind" fn dive(data: *mut c_void) {
    deep(100, data.cast());
}

#[test]
fn recovery_leaves_many_frames() {
    let mut frame = RecoveryFrame::default();
    let pointer = &raw mut frame;
    for _ in 0..3 {
        // SAFETY: `dive` takes the frame.
        let code = unsafe { hotslot_guarded_call(pointer, dive, pointer.cast()) };
        assert_eq!(code, 7);
    }
}

#[test]
fn nested_calls_recover_to_their_own_frame() {
    unsafe extern "C-unwind" fn outer(data: *mut c_void) {
        let mut inner = RecoveryFrame::new();
        let pointer = &raw mut inner;
        // SAFETY: `dive` takes the frame.
        assert_eq!(unsafe { hotslot_guarded_call(pointer, dive, pointer.cast()) }, 7);
        // SAFETY: the outer call is active; this frame holds nothing to drop.
        unsafe { hotslot_recover(data.cast(), 9) }
    }
    let mut frame = RecoveryFrame::new();
    let pointer = &raw mut frame;
    // SAFETY: `outer` takes the frame.
    let code = unsafe { hotslot_guarded_call(pointer, outer, pointer.cast()) };
    assert_eq!(code, 9);
}

/// Leaves the guarded call after its kept registers were ruined.
unsafe extern "C-unwind" fn ruined(frame: *const RecoveryFrame) -> ! {
    // SAFETY: called inside the guarded call of that frame.
    unsafe { hotslot_recover(frame, 3) }
}

unsafe extern "C-unwind" fn ruin_and_recover(frame: *mut c_void) {
    // SAFETY: does not return, so the ruined registers are nobody's. `ruined` finds its argument.
    unsafe {
        std::arch::asm!(
            "call {ruin_kept}",
            ruin_kept = sym ruin_kept,
            in("rax") ruined as *const (),
            in("rdi") frame,
            options(noreturn),
        )
    }
}

#[test]
fn recovery_restores_what_a_callee_keeps() {
    let mut before = Registers::distinct(level());
    let mut frame = RecoveryFrame::new();
    before.rdi = &raw mut frame as u64;
    before.rsi = ruin_and_recover as *const () as u64;
    before.rdx = before.rdi;
    let mut after = Registers::zero();
    let target = hotslot_guarded_call as *const () as u64;
    // SAFETY: the registers hold the arguments of a guarded call.
    unsafe { probe(&before, &mut after, target, level()) };
    assert_eq!(after.rax as u32, 3);
    let kept = |r: &Registers| [r.rbx, r.rbp, r.r12, r.r13, r.r14, r.r15, r.mxcsr, r.x87_control];
    assert_eq!(kept(&before), kept(&after));
}

#[test]
fn an_exception_passes_through() {
    unsafe extern "C-unwind" fn throw(_: *mut c_void) {
        std::panic::resume_unwind(Box::new(5u8));
    }
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let mut frame = RecoveryFrame::new();
        // SAFETY: `throw` uses no argument.
        unsafe { hotslot_guarded_call(&mut frame, throw, std::ptr::null_mut()) }
    }));
    assert_eq!(*caught.unwrap_err().downcast::<u8>().unwrap(), 5);
}

/// The frame of the guarded call that a fault belongs to. The tests that fault take turns.
static FAULTING: AtomicPtr<RecoveryFrame> = AtomicPtr::new(std::ptr::null_mut());
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

extern "C" fn on_fault(signal: i32, _: *mut libc::siginfo_t, context: *mut c_void) {
    let frame = FAULTING.swap(std::ptr::null_mut(), Ordering::Relaxed);
    if frame.is_null() {
        // SAFETY: not ours.
        unsafe { libc::abort() };
    }
    // SAFETY: the kernel's context, ours to change until we return.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    registers[libc::REG_RIP as usize] = recover_address() as i64;
    registers[libc::REG_RDI as usize] = frame as i64;
    registers[libc::REG_RSI as usize] = i64::from(signal);
}

fn catch_faults() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: a valid handler that runs on the thread's signal stack.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            assert_eq!(libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut()), 0);
        }
    });
}

fn guarded_fault(body: unsafe extern "C-unwind" fn(*mut c_void)) {
    let _turn = TURN.lock().unwrap();
    catch_faults();
    let mut frame = RecoveryFrame::new();
    let pointer = &raw mut frame;
    // Twice: a signal that stayed blocked would kill the process the second time.
    for _ in 0..2 {
        FAULTING.store(pointer, Ordering::Relaxed);
        // SAFETY: the bodies use no argument and hold nothing to drop.
        let code = unsafe { hotslot_guarded_call(pointer, body, std::ptr::null_mut()) };
        assert_eq!(code, libc::SIGSEGV as u32);
    }
}

#[test]
fn a_fault_recovers() {
    unsafe extern "C-unwind" fn fault(_: *mut c_void) {
        // SAFETY: not safe, and meant to fault, with the direction flag set.
        unsafe { std::arch::asm!("std", "mov eax, [{}]", in(reg) 8u64, out("eax") _) };
    }
    guarded_fault(fault);
}

#[test]
fn an_exhausted_stack_recovers() {
    // The test harness runs this in a thread of std, which has a signal stack.
    unsafe extern "C-unwind" fn overflow(_: *mut c_void) {
        // SAFETY: not safe, and meant to fault: pushes until the guard page.
        unsafe { std::arch::asm!("2: push 0", "jmp 2b", options(noreturn)) };
    }
    guarded_fault(overflow);
}
