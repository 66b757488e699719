//! Thread-local accesses through a descriptor.

use std::arch::asm;
use std::cell::Cell;

use runtime_stubs::entry::{TlsDescArgument, tlsdesc_entry_address};

use crate::registers::{Registers, call_skewed, call_straight, level, probe, ruin};

thread_local! {
    static VARIABLES: [Cell<u64>; 4] = const { [const { Cell::new(0) }; 4] };
}

extern "C" fn resolve(key: u64) -> *mut u8 {
    let address = VARIABLES.with(|v| v[key as usize].as_ptr());
    // SAFETY: ruins only what a callee may ruin, and the control words, which the entry restores.
    unsafe { ruin(level()) };
    address.cast()
}

fn thread_pointer() -> u64 {
    let pointer;
    // SAFETY: the psABI keeps the thread pointer there too.
    unsafe { asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, readonly)) };
    pointer
}

#[test]
fn every_register_is_kept() {
    let argument = TlsDescArgument::new(resolve, 2);
    assert_eq!(argument.key(), 2);
    let descriptor = [tlsdesc_entry_address(), std::ptr::from_ref(&argument) as u64];
    for target in [call_skewed as *const (), call_straight as *const ()] {
        let mut before = Registers::distinct(level());
        before.rax = descriptor.as_ptr() as u64;
        let mut after = Registers::zero();
        // SAFETY: the targets call through the descriptor in rax; both structs are valid.
        unsafe { probe(&before, &mut after, target as u64, level()) };
        let expected = VARIABLES.with(|v| v[2].as_ptr()) as u64;
        assert_eq!(after.rax.wrapping_add(thread_pointer()), expected);
        after.rax = before.rax;
        before.assert_same(&after);
    }
}

#[test]
fn every_thread_has_its_own() {
    let argument = TlsDescArgument::new(resolve, 1);
    let descriptor = [tlsdesc_entry_address(), std::ptr::from_ref(&argument) as u64];
    let access = || {
        let mut offset = descriptor.as_ptr() as u64;
        // SAFETY: a call by the convention of descriptors: only rax and the flags change. The block
        // is not `nostack`, so the red zone is free.
        unsafe { asm!("call [rax]", inout("rax") offset) };
        let address = offset.wrapping_add(thread_pointer()) as *mut u64;
        assert_eq!(address, VARIABLES.with(|v| v[1].as_ptr()));
        address as u64
    };
    let mine = access();
    let other = std::thread::scope(|scope| scope.spawn(access).join().unwrap());
    assert_ne!(mine, other);
}
