//! Which threads may still be in code that nothing leads to any more.
//!
//! Given ranges of addresses, asks every thread of the process whether it executes code in
//! one or may return there, and looks at the stacks of suspended contexts. What cannot be
//! asked is said to be so: unknown means keep. Knows nothing of modules or of why a range is
//! of interest, and frees nothing.
//!
//! What it rests on:
//!
//! - Nobody enters a range any more but from a range. Slots, stubs and tables led away from
//!   them before the question, and a word found in a register or on a stack is the only way
//!   back. So a thread that once did not hold a range does not hold it later, and threads need
//!   not be stopped together. A range that code of another range may call directly has to be
//!   kept while that one is.
//! - A thread that is blocked in the kernel is read from outside, because a signal would end
//!   its wait. Its registers `rbx`, `rbp` and `r12` to `r15` cannot be seen. Generated code has
//!   an address in a range nowhere but on the stack during a call: what it can load, compare
//!   and store are the addresses of stubs.
//! - A context that is suspended was left by a call, and a function that made a call leaves
//!   its return address on the stack just below its frame for as long as it runs. So the whole
//!   stack of a context, looked at after the threads, shows every function that was suspended
//!   on it; one that was not suspended has stayed on the thread it began on, and was seen there.
//! - A thread that starts during the question begins at a stub. It can hold a range only if it
//!   was made by a bare `clone` that returns in both threads, in code of the range. It is asked
//!   for that reason. Then all that were there at the first listing have been asked, and those
//!   that they made before it; who is left is the third in a row made in that way within one
//!   question, each before its maker was asked. That is not pursued.
//! - A child of `vfork` runs on the stack of a thread that waits for it. That thread is silent.

#[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")), path = "elsewhere.rs")]
mod threads;

#[cfg(test)]
pub(crate) use threads::forget_context;
pub(crate) use threads::{
    Caller, Left, ask_threads, leave_signals_to_others, own_signal, remember_context, survive_forks,
    thread_name, wait_on,
};

/// Somebody holds a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Its index among those given.
    pub range: usize,
    /// The thread by the kernel's number, or 0: a context that no thread may be on.
    pub thread: i32,
    /// The innermost word that points into the range: where execution is, or will return to.
    pub address: u64,
}

/// A thread that could not be asked, or 0 for all of them. Everything must be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Silent {
    pub thread: i32,
    pub why: &'static str,
}

#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// One for each range and thread at most.
    pub hits: Vec<Hit>,
    pub silent: Vec<Silent>,
    /// A thread was seen on a stack that hotslot does not know: so there may be more such
    /// stacks, with suspended code on them.
    pub odd_stack: Option<i32>,
}
