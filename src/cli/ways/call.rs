//! The end of an edit: its entry is called, or at least could be.
//!
//! Knows an address and what is expected of it; nothing of how it came there.
#![allow(unsafe_code)] // calls an address as a C function

use std::ffi::c_int;

use super::{Edit, Result, Trouble};

/// Calls the entry where the edit says what it answers.
pub fn first(edit: &Edit, address: usize) -> Result<()> {
    if address == 0 {
        return Err(Trouble::failed(format!("`{}` has no address", edit.entry)));
    }
    let Some(expected) = edit.answer else { return Ok(()) };
    // SAFETY: an edit with an answer says that its entry is an `int entry(void)`, and the way
    // says that the code is there and stays while it is called.
    let answer = unsafe { std::mem::transmute::<usize, extern "C" fn() -> c_int>(address)() };
    if answer == expected {
        return Ok(());
    }
    Err(Trouble::failed(format!("`{}` answers {answer}, the new code would answer {expected}", edit.entry)))
}
