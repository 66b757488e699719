//! `hotslot repl`: C, typed and run, definitions replaced while the session lives.

#[allow(dead_code)]
mod life;
mod syntax;
mod terminal;
#[allow(dead_code)]
mod value;
