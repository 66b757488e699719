//! `hotslot repl`, as scripts have it.

mod commands;
mod faults;
mod files;
mod place;
mod redefinition;
mod script;
