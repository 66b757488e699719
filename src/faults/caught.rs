//! What a handler notes of a fault.
//!
//! Owns plain numbers only: they are written where nothing may be allocated, and looked up later.

/// Frames that are noted, innermost first.
pub(crate) const MOST_FRAMES: usize = 64;

/// Why a call was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Why {
    #[default]
    Fault,
    /// There was no more stack.
    Overflow,
    /// The code at that address was called, and there is none.
    NoCode(u64),
    Interrupt,
    Deadline,
    /// The code asked for the end of the process, by SIGABRT.
    Abort,
    /// The same, with this status.
    Exit(i32),
    /// An exception that nothing would have caught.
    Exception,
    /// The host wanted it.
    Host,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Caught {
    pub(crate) why: Why,
    pub(crate) signal: i32,
    /// The signal's `si_code`.
    pub(crate) code: i32,
    /// The address that could not be used, where the signal is about one.
    pub(crate) address: u64,
    /// In the order of the calls, the innermost first.
    frames: [u64; MOST_FRAMES],
    count: usize,
    /// There are more.
    pub(crate) more: bool,
}

impl Caught {
    pub(super) const fn new(signal: i32, code: i32, address: u64) -> Self {
        Self { why: Why::Fault, signal, code, address, frames: [0; MOST_FRAMES], count: 0, more: false }
    }

    /// Without a signal, and without a place.
    pub(super) const fn because(why: Why) -> Self {
        let mut caught = Self::new(0, 0, 0);
        caught.why = why;
        caught
    }

    pub(super) fn push(&mut self, address: u64) {
        match self.frames.get_mut(self.count) {
            Some(frame) => {
                *frame = address;
                self.count += 1;
            }
            None => self.more = true,
        }
    }

    /// The code of each frame: of a caller, the end of its call.
    pub(crate) fn frames(&self) -> &[u64] {
        self.frames.get(..self.count).unwrap_or_default()
    }
}
