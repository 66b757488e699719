//! Stubs, gates and jumps, called.

use std::sync::atomic::Ordering;

use runtime_stubs::Arch;

use crate::arena::Arena;

type Function = unsafe extern "C" fn(i64) -> i64;

extern "C" fn double(x: i64) -> i64 {
    2 * x
}

extern "C" fn negate(x: i64) -> i64 {
    -x
}

fn address(function: extern "C" fn(i64) -> i64) -> u64 {
    function as *const () as u64
}

fn function(at: u64) -> Function {
    // SAFETY: callers pass the address of code that jumps to `double` or `negate`.
    unsafe { std::mem::transmute::<*const (), Function>(at as *const ()) }
}

#[test]
fn a_stub_follows_its_slot() {
    let mut arena = Arena::new();
    let slot = arena.cell(address(double));
    let stub = arena.here();
    arena.code(&Arch::X86_64.stub(stub, slot).unwrap());
    let arena = arena.seal();
    let f = function(stub);
    // SAFETY: the slot holds one of the two functions.
    unsafe {
        assert_eq!(f(21), 42);
        arena.atomic(slot).store(address(negate), Ordering::Release);
        assert_eq!(f(21), -21);
    }
}

#[test]
fn a_counting_stub_counts() {
    let mut arena = Arena::new();
    let slot = arena.cell(address(double));
    let counter = arena.cell(0);
    let stub = arena.here();
    let code = Arch::X86_64.counting_stub(stub, slot, counter).unwrap();
    arena.code(&code.unwrap());
    let arena = arena.seal();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for i in 0..1000 {
                    // SAFETY: the slot holds `double`.
                    assert_eq!(unsafe { function(stub)(i) }, 2 * i);
                }
            });
        }
    });
    assert_eq!(arena.atomic(counter).load(Ordering::Relaxed), 4000);
}

#[test]
fn a_gate_turns_on_its_word() {
    let mut arena = Arena::new();
    let word = arena.cell(0);
    // The upper half of the cell is a neighbour the gate must not look at.
    let neighbour = 1 << 32;
    let gate = arena.here();
    arena.code(&Arch::X86_64.gate_thunk(gate, word, address(double), address(negate)).unwrap());
    let arena = arena.seal();
    let f = function(gate);
    // SAFETY: both targets are functions of this type.
    unsafe {
        assert_eq!(f(3), 6);
        arena.atomic(word).store(neighbour, Ordering::Release);
        assert_eq!(f(3), 6);
        arena.atomic(word).store(neighbour | 1, Ordering::Release);
        assert_eq!(f(3), -3);
        arena.atomic(word).store(1 << 31, Ordering::Release);
        assert_eq!(f(3), -3);
    }
}

#[test]
fn jumps_jump() {
    let mut arena = Arena::new();
    let far = arena.code(&Arch::X86_64.far_jump(address(double)));
    let at = arena.here();
    let near = arena.code(&Arch::X86_64.veneer(at, far).unwrap());
    let _arena = arena.seal();
    // SAFETY: both end in `double`.
    unsafe {
        assert_eq!(function(far)(4), 8);
        assert_eq!(function(near)(5), 10);
    }
}
