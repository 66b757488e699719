//! `hotslot run --control`, `hotslot ctl` and `hotslot.h`, with the real binary, a real clang and
//! programs that run meanwhile.

#[path = "../cli/place.rs"]
mod place;

mod clients;
mod ends;
mod headers;
mod hooks;
mod keys;
mod requests;
mod running;
mod watched;
