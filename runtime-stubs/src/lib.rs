//! The contract between generated code and its host: which bytes a stub is made of, where slots
//! lie, and which registers the trampolines into the host keep.
//!
//! This crate owns the *shapes* only. It encodes bytes for addresses it is given and lays out tables
//! by arithmetic; it does not map memory, write code, store slots or know what a symbol is called.
//! It has no dependencies, needs no allocator and no LLVM.
//!
//! - [`Arch`] (in this file): one call for every stub and thunk, dispatched on the architecture.
//! - [`x86_64`], [`aarch64`]: the encoders. Pure functions, compiled and tested on every host.
//! - [`slot`]: where the cells and the stub of a symbol lie.
//! - [`entry`]: trampolines by which generated code enters the host (host architecture only), and
//!   the pair that leaves a guarded call after a fault.
//!
//! # What a stub may touch
//! A stub, a gate and a missing thunk run between a call instruction and the first instruction of the
//! callee. Everything that may carry an argument must survive: the integer and vector argument
//! registers, the static chain and `al` on x86-64, `x8` and `x18` on aarch64. Left over are `r11` and
//! the flags on x86-64 (System V psABI, "Register Usage": `r11` is the one scratch register that
//! passes nothing) and `x16`/`x17` on aarch64 (AAPCS64, "General-purpose registers": IP0 and IP1, which
//! a veneer may change).
//!
//! # Branch protection
//! Whatever is entered by an indirect branch starts with a landing pad (`endbr64`, `bti c`); both
//! are no-ops where the protection is off. The counting stub of x86-64 is the one exception, see
//! [`Arch::counting_stub`].
#![no_std]

#[cfg(test)]
extern crate std;

pub mod aarch64;
mod arch;
pub mod entry;
pub mod slot;
pub mod x86_64;

pub use arch::{Arch, OutOfRange};
pub use slot::TableLayout;

/// Size and alignment of a stub, on every architecture.
pub const STUB_SIZE: usize = 16;

/// Size of a missing thunk; its alignment is that of a stub.
///
/// Thirty-two, because on aarch64 the index takes two instructions and the jump through a cell three.
pub const THUNK_SIZE: usize = 32;

/// Size of a gate, the commit thunk; its alignment is that of a stub.
pub const GATE_SIZE: usize = 48;

/// Size of a context thunk; its alignment is that of a stub.
pub const CONTEXT_SIZE: usize = 48;

/// Size of a veneer or a far jump; its alignment is that of a stub.
pub const VENEER_SIZE: usize = 16;
