//! Compilers and linkers as processes.
//!
//! Owns their command lines and what becomes of their failures: a tool that is not there is
//! told from one that fails. Knows nothing of when they are run.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Level, Module, Program, Result, Trouble};

/// Where a way builds.
pub struct Workshop {
    /// Goes with everything in it when this is dropped.
    dir: tempfile::TempDir,
    level: Level,
    cpu: Option<String>,
    compilers: super::Compilers,
    /// The program has C++ in it.
    cxx: bool,
    /// What a link ends with.
    libraries: Vec<String>,
}

impl Workshop {
    /// An empty directory, and the settings of a program.
    pub fn new(program: &Program, level: Level) -> Result<Self> {
        let dir = tempfile::tempdir().map_err(Trouble::failed)?;
        let dirs = program.library_dirs.iter().map(|dir| format!("-L{}", dir.display()));
        let names = program.libraries.iter().map(|name| format!("-l{name}"));
        let mut libraries: Vec<String> = dirs.chain(names).collect();
        libraries.push("-lm".to_owned());
        Ok(Self {
            dir,
            level,
            cpu: program.cpu.clone(),
            compilers: program.compilers.clone(),
            cxx: program.modules.iter().any(|module| module.file.as_ref().is_some_and(|file| file.cxx)),
            libraries,
        })
    }

    /// A file in the directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A compiler that is about to compile a module, code that can be anywhere.
    pub fn compiler(&self, module: &Module, number: usize) -> Result<Command> {
        let cxx = module.file.as_ref().is_some_and(|file| file.cxx);
        let mut command = Command::new(if cxx { &self.compilers.cxx } else { &self.compilers.cc });
        // Of IR there is nothing that flags for a language are for.
        command.args([format!("-{}", self.level.name()).as_str(), "-fPIC", "-Qunused-arguments"]);
        if let Some(cpu) = &self.cpu {
            let flag = if cfg!(target_arch = "x86_64") { "-march" } else { "-mcpu" };
            command.arg(format!("{flag}={cpu}"));
        }
        match &module.file {
            Some(file) => command.args(&file.flags).arg(&file.path),
            None => {
                let path = self.path(format!("{number}.bc"));
                std::fs::write(&path, &module.bitcode).map_err(Trouble::failed)?;
                command.arg(path)
            }
        };
        Ok(command)
    }

    /// The compiler's driver, about to link.
    pub fn linker(&self) -> Command {
        Command::new(if self.cxx { &self.compilers.cxx } else { &self.compilers.cc })
    }

    /// What a link ends with.
    pub fn libraries(&self) -> &[String] {
        &self.libraries
    }
}

/// Runs a tool and waits for it.
pub fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output().map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            Trouble::NotInstalled(name.clone())
        } else {
            Trouble::failed(format!("cannot start {name}: {error}"))
        }
    })?;
    if output.status.success() {
        return Ok(());
    }
    // The first that is called an error says why; what comes before warns.
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("error")).or(text.lines().next());
    Err(Trouble::failed(format!(
        "{name} failed ({}): {}",
        output.status,
        line.unwrap_or("it does not say why")
    )))
}

/// Whether the driver can link with a linker.
pub fn has_linker(driver: &OsStr, linker: &str) -> bool {
    let mut command = Command::new(driver);
    command.arg(format!("-fuse-ld={linker}")).arg("-Wl,--version");
    run(&mut command).is_ok()
}

/// Calls `work` with each number below `count`, on all processors.
pub fn in_parallel(count: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let width = std::thread::available_parallelism().map_or(1, |n| n.get()).min(count);
    let (next, trouble) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..width {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    if let Err(why) = work(index) {
                        next.store(count, Ordering::Relaxed);
                        trouble.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(why);
                    }
                }
            });
        }
    });
    trouble.into_inner().unwrap_or_else(|e| e.into_inner()).map_or(Ok(()), Err)
}
