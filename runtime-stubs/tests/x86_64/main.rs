//! Runs what the encoders make, and the trampolines, on an x86-64 Linux host.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)]

mod arena;
mod encoded;
mod guarded;
mod registers;
mod resolve;
mod tlsdesc;
