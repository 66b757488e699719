//! Why a change was not made.
//!
//! Owns the words for it, so that those who can do without may say nothing.

use super::console::Console;
use super::front_end::Refusal;
use super::session::Failed;

/// What stood in the way. Nothing has changed.
#[derive(Debug)]
pub enum Refused {
    /// In the words of clang or the linker.
    Said(String),
    /// By Ctrl-C.
    Cancelled,
    /// The user was asked.
    Declined,
}

impl Refused {
    /// Tells it.
    pub fn tell(self, console: &Console) -> Failed {
        match self {
            Self::Said(said) => console.tell("", &said),
            Self::Cancelled => console.error("interrupted"),
            Self::Declined => console.error("nothing was changed"),
        }
        Failed
    }
}

impl From<Refusal> for Refused {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::Said(said) => Self::Said(said),
            Refusal::Cancelled => Self::Cancelled,
        }
    }
}
