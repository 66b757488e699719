//! Faults and interrupts of generated code, and the calls that survive them.
//!
//! [`guard`] has each thread's stack of guarded calls. [`handler`] is what the kernel calls when
//! a thread does something wrong, on a stack of [`thread`]; [`judge`] decides whether the call
//! can be given up there, with the map of whose code is where in [`ranges`] and of what must not
//! be left in [`library`]. [`interrupt`] ends calls from outside, [`ends`] where a function asks for
//! it, [`exceptions`] where one is thrown that nothing catches, [`crash`] is for faults that nobody guards against. Knows addresses only: the names of what is there are found by
//! whoever made the call, once it has been given up.

mod caught;
mod crash;
mod ends;
mod exceptions;
mod guard;
mod handler;
mod interrupt;
mod judge;
mod library;
mod ranges;
mod thread;

pub(crate) use caught::{Caught, Why};
pub(crate) use crash::{report_to, start_thread};
pub(crate) use ends::{contain_ends, exit, give_up};
pub(crate) use guard::{Ended, GivenUp, Identity, barrier, end, run};
pub use interrupt::Interrupt;
pub(crate) use interrupt::Limited;
pub(crate) use library::is_allocator;
pub(crate) use ranges::{add, is_known, remove};
pub(crate) use thread::{prepare as prepare_thread, prepare_stacks};
