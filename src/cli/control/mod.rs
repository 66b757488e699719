//! Control of a running program from outside: a socket, a command that talks to it, keys.
//!
//! [`protocol`] is what is said.

pub mod protocol;
