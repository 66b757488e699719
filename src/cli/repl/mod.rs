//! `hotslot repl`: C, typed and run, definitions replaced while the session lives.

mod syntax;
mod terminal;
mod value;
