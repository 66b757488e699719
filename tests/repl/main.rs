//! `hotslot repl`, as scripts have it.

mod beside;
mod commands;
mod endings;
mod faults;
mod files;
mod hostile;
mod place;
mod prompt;
#[path = "../common/pty.rs"]
mod pty;
mod redefinition;
mod script;
mod terminal;
