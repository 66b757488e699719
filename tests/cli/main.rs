//! The `hotslot` command from outside: exit codes, messages and what the program
//! sees, with a real clang and real programs.

mod cache;
mod compiling;
mod cxx;
mod linking;
mod place;
mod project;
mod reports;
mod running;
mod stress;
mod usage;
