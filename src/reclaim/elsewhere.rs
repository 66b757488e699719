//! Where threads cannot be asked: nothing is known, so everything is kept.

use std::ops::Range;

use super::{Findings, Silent};

/// See the one for x86-64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller;

impl Caller {
    pub(crate) fn here() -> Self {
        Self
    }
}

pub(crate) fn ask_threads(ranges: &[Range<u64>], _own: &Caller) -> Findings {
    let why = "threads can be asked on x86-64 Linux with glibc only";
    let silent = if ranges.is_empty() { Vec::new() } else { vec![Silent { thread: 0, why }] };
    Findings { silent, ..Findings::default() }
}

pub(crate) fn remember_context(_start: u64, _size: u64) {}

pub(crate) fn survive_forks() {}

pub(crate) fn leave_signals_to_others() {}

pub(crate) fn own_signal(_last: Option<i32>, _handler: usize) -> Option<i32> {
    None
}

pub(crate) fn wait_on(_registers: &mut [i64; 23], _often: bool) {}

pub(crate) fn thread_name(_thread: i32) -> Option<String> {
    None
}

#[cfg(test)]
pub(crate) fn forget_context(_start: u64) {}
