//! `hotslot repl`, as scripts have it.

mod commands;
mod faults;
mod files;
mod hostile;
mod place;
mod redefinition;
mod script;
