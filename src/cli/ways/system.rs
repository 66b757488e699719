//! The libraries that a program is linked with, for ways that load it into this process and
//! find in the process what it does not define itself.

use super::dynamic::Open;
use super::tools::{Workshop, run};
use super::{Level, Program, Result};

/// Open libraries; the files they came from need not stay.
pub struct Libraries {
    _open: Option<Open>,
}

impl Libraries {
    /// Opens what the program names. C and C++ and their mathematics are in this process.
    ///
    /// Where a library is, and what its linker script means, the system's linker knows best: it
    /// makes one that needs all of them.
    pub fn open(program: &Program) -> Result<Self> {
        if program.libraries.is_empty() {
            return Ok(Self { _open: None });
        }
        let workshop = Workshop::new(program, Level::O0)?;
        let path = workshop.path("needs.so");
        run(workshop
            .linker()
            .args(["-shared", "-Wl,--no-as-needed", "-o"])
            .arg(&path)
            .args(workshop.libraries()))?;
        Ok(Self { _open: Some(Open::new(&path)?) })
    }
}
