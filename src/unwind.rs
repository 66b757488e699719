//! Telling the unwinder about generated code.
//!
//! Owns the registration of call frame information with the system's unwinder (libgcc),
//! one for each image, and its end. It deliberately knows nothing of what the frames are.
#![allow(unsafe_code)]

use std::ffi::c_void;

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
}

impl Frames {
    /// Registers the records at `begin`, which end with a zero length word and stay in
    /// place for as long as the result.
    ///
    /// # Safety
    /// The bytes there are well-formed call frame information.
    pub(crate) unsafe fn register(begin: u64) -> Self {
        // SAFETY: by the contract above.
        unsafe { __register_frame(begin as *const c_void) };
        Self { begin }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // SAFETY: registered by `register`, and only once.
        unsafe { __deregister_frame(self.begin as *const c_void) };
    }
}
