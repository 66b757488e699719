//! Keys of the terminal that ask for what `hotslot ctl` asks for.

use super::super::failure::Failure;
use super::desk::Desk;
use super::life::Life;

/// A terminal that is ours.
pub struct Terminal;

impl Terminal {
    /// Takes it.
    pub fn take() -> Result<Option<Self>, Failure> {
        Ok(None)
    }
}

/// Serves.
pub fn serve(_: &Terminal, _: &Desk, _: &Life) {}
