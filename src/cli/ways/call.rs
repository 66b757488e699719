//! The end of an edit: its entry is called, or at least could be.
//!
//! Knows an address and what is expected of it; nothing of how it came there.
#![allow(unsafe_code)] // calls an address as a C function

use std::ffi::c_int;

use super::{Edit, Result, Trouble};

/// Calls the entry if the edit wants that. Its code must be there for as long as the call takes.
pub fn first(edit: &Edit, address: usize) -> Result<Option<i32>> {
    if address == 0 {
        return Err(Trouble::failed(format!("`{}` has no address", edit.entry)));
    }
    if !edit.call {
        return Ok(None);
    }
    // SAFETY: the edit says that its entry is an `int entry(void)`, and the way that it is live.
    let answer = unsafe { std::mem::transmute::<usize, extern "C" fn() -> c_int>(address)() };
    check(edit, answer).map(Some)
}

/// Whether the new code answered.
pub fn check(edit: &Edit, answer: i32) -> Result<i32> {
    match edit.answer {
        Some(expected) if expected != answer => Err(Trouble::failed(format!(
            "`{}` answers {answer}, the new code would answer {expected}",
            edit.entry
        ))),
        _ => Ok(answer),
    }
}
