//! The C interface: what `include/hotslot.h` declares.
//!
//! A layer over the public interface of the library and nothing more: each function here makes
//! Rust values of what C gave, calls the library, and hands back a code, an error and JSON.
//! [`boundary`] is the way in and out, which every function takes: no panic crosses it, and a
//! NULL that may not be one is an error. [`error`] is what failed; [`options`] and [`source`] are
//! records that a host fills. [`runtime`], [`update`], [`rules`], [`prepared`], [`symbols`], [`anonymous`], [`calls`], [`interrupt`],
//! [`hooks`] and [`queries`] are the functions by what they are about, [`reports`] and
//! [`inventory`] are the library's records as JSON.
//!
//! The comments of public items are those of the header, which `cargo test --test capi` makes of
//! this folder; they are for readers of C. How to build and use it is in `docs/c-api.md`.

mod anonymous;
mod boundary;
mod calls;
mod error;
mod hooks;
mod interrupt;
mod inventory;
mod options;
mod prepared;
mod queries;
mod reports;
mod rules;
mod runtime;
mod source;
mod symbols;
mod update;
