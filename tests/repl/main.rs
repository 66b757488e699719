//! `hotslot repl`, as scripts have it.

mod beside;
mod commands;
mod faults;
mod files;
mod hostile;
mod place;
mod redefinition;
mod script;
mod terminal;
