//! Assembler files to objects, by the C compiler's own driver.
//!
//! Owns the command line for that. What is in an object is the library's business; nothing is
//! kept for the next run, as it takes no time.

use std::path::Path;
use std::process::{Command, Stdio};

use hotslot::Source;

use super::failure::Failure;
use super::program::Unit;
use super::progress::Progress;

/// Flags that the driver would warn of here.
const QUIET: &[&str] = &["-c", "-fPIC", "-Wno-unused-command-line-argument"];

/// The object of one file.
pub fn assemble(compiler: &Path, unit: &Unit, progress: &Progress) -> Result<Source, Failure> {
    let (object, said) = object(compiler, unit);
    progress.print(&said);
    Ok(Source::from_bytes(object?)?.label(unit.path.to_string_lossy()))
}

/// Its bytes, and what the compiler has to say.
pub fn object(compiler: &Path, unit: &Unit) -> (Result<Vec<u8>, Failure>, Vec<u8>) {
    let name = unit.path.display();
    let failed = |what: String| Failure::new(format!("{name}: {what}"));
    let mut said = Vec::new();
    let mut make = || {
        // A driver writes no object to its standard output: the assembler goes back in it.
        let object = tempfile::NamedTempFile::new().map_err(|e| failed(format!("no temporary file: {e}")))?;
        let mut command = Command::new(compiler);
        command.args(QUIET).args(&unit.flags).arg("-o").arg(object.path()).arg(&unit.path);
        if let Some(directory) = &unit.directory {
            command.current_dir(directory);
        }
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|e| failed(format!("cannot start {}: {e}", compiler.display())))?;
        said = output.stderr;
        if !output.status.success() {
            return Err(failed(format!("{} failed ({})", compiler.display(), output.status)));
        }
        // By its bytes: the file is gone when the source might be read again.
        std::fs::read(object.path()).map_err(|e| failed(format!("its object: {e}")))
    };
    let result = make();
    (result, said)
}
