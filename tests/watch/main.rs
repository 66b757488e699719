//! `hotslot run --watch`: a program that runs, driven through the file system; what comes of each
//! edit is read from the events, and what the program does from the program.

mod apart;
mod classes;
mod crashes;
mod documented;
mod edits;
mod entered;
mod pending;
#[allow(dead_code)] // it is that of the command's tests
#[path = "../cli/place.rs"]
mod place;
mod policies;
mod program;
mod project;
mod saving;
mod session;
