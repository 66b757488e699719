//! How generated code gets at thread-local variables: by the address of a pair.
//!
//! The first word of a pair names a variable of ours, or leads to a pair of the C library's
//! for one of a shared library. Owns those; knows nothing of how blocks are made.
#![allow(unsafe_code)]

use super::{FOREIGN, OURS, REGISTRY, address};

/// The word for the thread-local variable of a shared library at `address` in the
/// calling thread.
pub(crate) fn foreign_word(module: u64, offset: u64) -> u64 {
    let mut registry = REGISTRY.lock();
    let pair = [module, offset];
    let known = registry.foreign.iter().copied().find(|known| **known == pair);
    // Kept for good, so that an access needs no lock; there is one for each variable.
    let pair = known.unwrap_or_else(|| {
        let pair: &'static [u64; 2] = Box::leak(Box::new(pair));
        registry.foreign.push(pair);
        pair
    });
    OURS | FOREIGN | &raw const *pair as u64
}

unsafe extern "C" {
    /// The C library's own, for variables of shared libraries.
    fn __tls_get_addr(pair: *const [u64; 2]) -> *mut u8;
}

/// What generated code calls as `__tls_get_addr`.
pub(crate) unsafe extern "C" fn tls_get_addr(pair: *const [u64; 2]) -> *mut u8 {
    // SAFETY: generated code passes the address of a pair cell. The first word may be
    // stored to at any time by an update.
    let word = unsafe { std::ptr::read_volatile(pair.cast::<u64>()) };
    if word & (OURS | FOREIGN) == OURS {
        address(word)
    } else if word & OURS != 0 {
        // SAFETY: `foreign_word` put the address of a pair there that is kept for good and
        // was read off a loaded library.
        unsafe { __tls_get_addr((word & !(OURS | FOREIGN)) as *const [u64; 2]) }
    } else {
        // SAFETY: a pair of the C library's own making.
        unsafe { __tls_get_addr(pair) }
    }
}

/// What a TLS descriptor resolves through: `key` is the address of the variable's pair.
pub(crate) extern "C" fn descriptor_address(key: u64) -> *mut u8 {
    // SAFETY: descriptors are made by the linker with the address of a pair that lives at
    // least as long as they do.
    unsafe { tls_get_addr(key as *const [u64; 2]) }
}
