//! The `hotslot` command.
//!
//! All of it lives in `cli/` and is built on the library's public API alone, so
//! whatever the command does an embedder can do too.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
