//! `hotslot repl`: C, typed and run, definitions replaced while the session lives.

#[allow(dead_code, unused_imports)]
mod syntax;
mod terminal;
mod value;
