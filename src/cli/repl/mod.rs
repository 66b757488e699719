//! `hotslot repl`: C, typed and run, definitions replaced while the session lives.

mod syntax;
mod terminal;
#[cfg_attr(not(test), allow(dead_code, unused_imports, reason = "the session is not there yet"))]
mod value;
