//! Telling the unwinder about generated code, and walking stacks without it.
//!
//! Owns the registration of call frame information with the system's unwinder (libgcc),
//! one for each image, and its end. [`known`] has the same list for signal handlers, which
//! must not ask libgcc, and [`walk`] steps from a frame to its caller. It deliberately knows
//! nothing of what the frames are.
#![allow(unsafe_code)]

mod known;
mod libraries;
mod walk;

use std::ffi::c_void;
use std::ops::Range;

pub(crate) use known::survive_forks;
pub(crate) use libraries::{find_object, prepare};
pub(crate) use walk::{Registers, Stack, Step, read_word};

unsafe extern "C" {
    // libgcc, unwind-dw2-fde: takes the start of a sequence of frame records that ends
    // with a zero length word.
    fn __register_frame(begin: *const c_void);
    fn __deregister_frame(begin: *const c_void);
}

/// Call frame information known to the unwinder until it is dropped.
#[derive(Debug)]
pub(crate) struct Frames {
    begin: u64,
    code: u64,
}

impl Frames {
    /// Registers the records at `begin` for an image's code, which end with a zero length word
    /// and stay in place for as long as the result.
    ///
    /// # Safety
    /// The bytes there are well-formed call frame information.
    pub(crate) unsafe fn register(begin: u64, code: Range<u64>) -> Self {
        // SAFETY: by the contract above.
        unsafe { __register_frame(begin as *const c_void) };
        known::add(begin, code.clone());
        Self { begin, code: code.start }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        known::remove(self.code, self.begin);
        // SAFETY: registered by `register`, and only once.
        unsafe { __deregister_frame(self.begin as *const c_void) };
    }
}
