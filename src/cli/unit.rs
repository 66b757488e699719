//! One source file as a compiler is told of it.
//!
//! Owns the start of its command line and where names are looked for. Does not know what is
//! wanted of the file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One run of a compiler.
pub struct Unit<'a> {
    /// The program.
    pub compiler: &'a Path,
    /// The source file.
    pub path: &'a Path,
    /// All flags.
    pub flags: &'a [OsString],
    /// What is made depends on nothing that the flags have it read or write beside.
    pub plain: bool,
    /// Where it is started, if not here.
    pub directory: Option<&'a Path>,
}

impl Unit<'_> {
    /// Where the file is that the compiler calls so.
    pub fn at(&self, file: &Path) -> PathBuf {
        self.directory.map_or_else(|| file.to_owned(), |directory| directory.join(file))
    }

    /// Starts the compiler with the flags, and no input.
    pub fn command(&self) -> Command {
        let of_path = self.compiler.as_os_str().as_encoded_bytes().contains(&b'/');
        let absolute =
            self.directory.filter(|_| of_path).and_then(|_| std::path::absolute(self.compiler).ok());
        let mut command = Command::new(absolute.as_deref().unwrap_or(self.compiler));
        self.place(&mut command);
        command.args(self.flags).stdin(Stdio::null());
        command
    }

    /// Has a command start where the compiler does.
    pub fn place(&self, command: &mut Command) {
        if let Some(directory) = self.directory {
            // clang calls the directory so where that is true.
            command.current_dir(directory).env("PWD", directory);
        }
    }
}
