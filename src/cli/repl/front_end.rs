//! clang for a session: texts to objects, with the directives compiled ahead.
//!
//! Owns the command line, the precompiled header and when it is made anew, and what is left of
//! clang's messages. How the texts come about is in `text.rs`; how processes are started ahead and
//! ended is in `spare.rs` and `cancel.rs`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::text::OURS;
use crate::cli::cancel::{Cancel, Ended};
use crate::cli::failure::Failure;
use crate::cli::spare::Spares;

/// What clang makes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Object,
    Bitcode,
    /// IR to be read.
    Ir,
    Assembly,
    /// Nothing: is it C?
    Check,
    /// What the preprocessor makes of it, with the macros that there are at its end.
    Preprocessed,
    /// The same, with what comes from where, comments and `#include`s.
    Branches,
}

impl Output {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Object => &["-c", "-g"],
            Self::Bitcode => &["-c", "-g", "-emit-llvm", "-Xclang", "-disable-O0-optnone"],
            Self::Ir => &["-S", "-emit-llvm"],
            Self::Assembly => &["-S", "-masm=intel", "-fno-asynchronous-unwind-tables"],
            Self::Check => &["-fsyntax-only"],
            Self::Preprocessed => &["-E", "-P", "-dD"],
            Self::Branches => &["-E", "-C", "-dD", "-dI"],
        }
    }
}

/// Why there is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// In clang's words.
    Said(String),
    Cancelled,
}

/// What clang made, and what it had to say nevertheless.
#[derive(Debug, Clone, Default)]
pub struct Made {
    pub bytes: Vec<u8>,
    pub warnings: String,
}

/// The compiler of a session.
pub struct FrontEnd {
    compiler: PathBuf,
    flags: Vec<OsString>,
    spares: Spares,
    folder: PathBuf,
    /// Where what is typed looks for `"files"`.
    here: PathBuf,
    number: AtomicU64,
    header: Mutex<Header>,
}

/// Directives, precompiled; what was made of them goes with this.
#[derive(Default)]
pub struct Header {
    directives: String,
    /// Nothing if there are no directives.
    file: Option<PathBuf>,
    warnings: String,
}

impl Header {
    /// What clang has to say of them.
    pub fn warnings(&self) -> &str {
        &self.warnings
    }
}

impl Drop for Header {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file);
            let _ = std::fs::remove_file(file.with_extension("h"));
        }
    }
}

impl FrontEnd {
    /// None is started yet.
    pub fn new(compiler: &Path, flags: Vec<OsString>, folder: &Path) -> Result<Self, Failure> {
        let spares = Spares::new()
            .map_err(|error| Failure::new(format!("no thread that starts compilers: {error}")))?;
        // What is typed may go to another folder, which does not count.
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let (compiler, folder, number) = (compiler.to_owned(), folder.to_owned(), AtomicU64::new(0));
        Ok(Self { compiler, flags, spares, folder, here, number, header: Mutex::default() })
    }

    /// Has everything compiled with these directives from now on; returns those before, to be put
    /// back if nothing comes of it.
    pub fn swap(&self, header: Header) -> Header {
        std::mem::replace(&mut *self.lock(), header)
    }

    /// Makes what is precompiled anew: a file that is included may have changed.
    fn refresh(&self, cancel: &Cancel) -> Result<(), Refusal> {
        let directives = self.lock().directives.clone();
        self.swap(self.precompile(&directives, cancel)?);
        Ok(())
    }

    /// Compiles directives ahead of what comes after them.
    pub fn precompile(&self, directives: &str, cancel: &Cancel) -> Result<Header, Refusal> {
        if directives.trim().is_empty() {
            return Ok(Header::default());
        }
        let source = self.write(directives, "h")?;
        let file = source.with_extension("pch");
        let mut command = self.command();
        command
            .arg("-iquote")
            .arg(&self.here)
            .args(["-g", "-x", "c-header"])
            .arg(&source)
            .arg("-o")
            .arg(&file);
        // clang looks at what it was made of again whenever it is used.
        let mut header =
            Header { directives: directives.to_owned(), file: Some(file), warnings: String::new() };
        header.warnings = self.run(&mut command, cancel)?.warnings;
        Ok(header)
    }

    /// Compiles a text that comes after the directives.
    pub fn compile(&self, text: &str, output: Output, cancel: &Cancel) -> Result<Made, Refusal> {
        match self.compile_once(text, output, cancel) {
            // A header has been edited since.
            Err(Refusal::Said(said))
                if ["precompiled", "PCH file", "AST file"].iter().any(|what| said.contains(what)) =>
            {
                self.refresh(cancel)?;
                self.compile_once(text, output, cancel)
            }
            result => result,
        }
    }

    fn compile_once(&self, text: &str, output: Output, cancel: &Cancel) -> Result<Made, Refusal> {
        let header = self.lock().file.clone();
        let source = self.write(text, "c")?;
        let mut command = self.command();
        command.args(output.flags()).arg("-iquote").arg(&self.here);
        if let Some(header) = header.filter(|_| output != Output::Preprocessed) {
            command.arg("-include-pch").arg(header);
        }
        command.args(["-x", "c"]).arg(&source).args(["-o", "-"]);
        let result = self.run(&mut command, cancel);
        let _ = std::fs::remove_file(&source);
        result
    }

    /// Compiles a file of its own, which knows nothing of the session.
    pub fn compile_file(&self, file: &Path, output: Output, cancel: &Cancel) -> Result<Made, Refusal> {
        let mut command = self.command();
        command.args(output.flags()).arg(file).args(["-o", "-"]);
        self.run(&mut command, cancel)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.compiler);
        command.args(FLAGS).args(&self.flags).stdin(Stdio::null());
        command
    }

    fn write(&self, text: &str, extension: &str) -> Result<PathBuf, Refusal> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{number}.{extension}"));
        match std::fs::write(&path, text) {
            Ok(()) => Ok(path),
            Err(error) => Err(Refusal::Said(format!("{} cannot be written: {error}\n", path.display()))),
        }
    }

    fn run(&self, command: &mut Command, cancel: &Cancel) -> Result<Made, Refusal> {
        let Ended { status, wrote, said } = self.spares.run(command, cancel).map_err(|error| {
            let program = command.get_program().display();
            Refusal::Said(format!("{program} cannot be started: {error}; name a clang with --cc\n"))
        })?;
        let Some(status) = status else { return Err(Refusal::Cancelled) };
        let said = readable(&String::from_utf8_lossy(&said));
        match status.success() {
            true => Ok(Made { bytes: wrote, warnings: said }),
            false if said.is_empty() => Err(Refusal::Said(format!("clang failed: {status}\n"))),
            false => Err(Refusal::Said(said)),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Header> {
        self.header.lock().unwrap_or_else(|error| error.into_inner())
    }
}

/// Does something for each of several, side by side.
pub fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let width = std::thread::available_parallelism().map_or(1, usize::from).min(all.len());
    if width <= 1 {
        return all.iter().map(work).collect();
    }
    let results: Vec<Mutex<Option<R>>> = all.iter().map(|_| Mutex::default()).collect();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..width {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed) as usize;
                    let (Some(one), Some(result)) = (all.get(at), results.get(at)) else { return };
                    *result.lock().unwrap_or_else(|error| error.into_inner()) = Some(work(one));
                }
            });
        }
    });
    results.into_iter().filter_map(|one| one.into_inner().unwrap_or_else(|e| e.into_inner())).collect()
}

/// Calls go through the table, and nothing is looked at through it.
const FLAGS: &[&str] = &[
    "-fPIC",
    "-fno-plt",
    "-fsemantic-interposition",
    "-fno-color-diagnostics",
    "-Wno-unused-value",
    "-Wno-unused-command-line-argument",
];

/// clang's messages without what they say of texts that the user has not written, each once: of an
/// expression there are several copies.
fn readable(said: &str) -> String {
    let mut seen = BTreeSet::new();
    // Each with whether it is about text of ours, as what comes after a mistake of the user's is.
    let mut messages: Vec<(bool, String)> = Vec::new();
    let mut keeps = true;
    for line in said.lines() {
        if is_count(line) || line.starts_with("In file included from ") {
            continue;
        }
        let line = without_folder(line);
        if is_heading(line) {
            keeps = seen.insert(line);
            // A note belongs to what is before it.
            if keeps && (!line.contains(" note: ") || messages.is_empty()) {
                messages.push((line.starts_with(OURS), String::new()));
            }
        }
        if messages.is_empty() {
            messages.push((false, String::new()));
        }
        if let (true, Some((_, message))) = (keeps, messages.last_mut()) {
            message.push_str(line);
            message.push('\n');
        }
    }
    if let Some((_, first)) = messages.first().filter(|_| messages.iter().all(|(is_ours, _)| *is_ours)) {
        // What was typed is C only as far as itself goes.
        let first = first.lines().next().unwrap_or_default();
        let what = first.split_once(": ").map_or(first, |(_, what)| what);
        return format!(
            "{what}\nnote: behind the input: does a macro of it end in the midst of something?\n"
        );
    }
    messages.into_iter().filter(|(is_ours, _)| !is_ours).map(|(_, message)| message).collect()
}

/// The place of what was typed is no file of a folder, though clang says so of what it has compiled
/// ahead.
fn without_folder(line: &str) -> &str {
    match line.find("/input ") {
        Some(at) if line.starts_with('/') && line[at + 7..].starts_with(|c: char| c.is_ascii_digit()) => {
            &line[at + 1..]
        }
        _ => line,
    }
}

fn is_heading(line: &str) -> bool {
    [" error: ", " warning: ", " note: "].iter().any(|kind| line.contains(kind)) && !line.starts_with(' ')
}

/// `2 errors generated.`
fn is_count(line: &str) -> bool {
    line.ends_with(" generated.") && line.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front_end() -> (FrontEnd, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (FrontEnd::new(Path::new("clang-19"), Vec::new(), folder.path()).unwrap(), folder)
    }

    #[test]
    fn directives_count_from_when_they_are_used() {
        let ((clang, _folder), cancel) = (front_end(), Cancel::default());
        let check = |text: &str| clang.compile(text, Output::Check, &cancel);
        assert!(check("int n = N;").is_err());
        clang.swap(clang.precompile("#define N 3\n", &cancel).unwrap());
        assert!(check("int n = N;").is_ok());
        let Err(Refusal::Said(said)) = clang.precompile("#include \"no_such.h\"\n", &cancel) else {
            panic!("there is such a file");
        };
        assert!(said.contains("no_such.h"), "{said}");
        assert!(check("int n = N;").is_ok());
        clang.swap(clang.precompile("", &cancel).unwrap());
        assert!(check("int n = N;").is_err());
    }

    #[test]
    fn an_edited_header_is_read_again() {
        let place = tempfile::tempdir().unwrap();
        let header = place.path().join("h.h");
        std::fs::write(&header, "enum { E = 1 };\n").unwrap();
        let ((clang, _folder), cancel) = (front_end(), Cancel::default());
        let directives = format!("#include \"{}\"\n", header.display());
        clang.swap(clang.precompile(&directives, &cancel).unwrap());
        std::fs::write(&header, "enum { E = 1, Other = 2 };\n").unwrap();
        let made = clang.compile("int n = Other;", Output::Check, &cancel);
        assert!(made.is_ok(), "{made:?}");
    }

    #[test]
    fn copies_of_a_message_are_one() {
        let said = "input 1:1:1: error: a\n    1 | x\n      | ^\ninput 1:1:1: error: a\n    1 | x\n\
                    input 1:2:1: note: b\n2 errors generated.\n";
        assert_eq!(
            readable("hotslot:1:1: error: a\n/tmp/x/input 1:1:1: error: b\n"),
            "input 1:1:1: error: b\n"
        );
        assert!(
            readable("hotslot:1:1: error: a\n  x\nhotslot:1:2: error: b\n").starts_with("error: a\nnote: ")
        );
        assert_eq!(readable(""), "");
        assert_eq!(readable(said), "input 1:1:1: error: a\n    1 | x\n      | ^\ninput 1:2:1: note: b\n");
    }

    #[test]
    fn many_are_compiled_at_once() {
        let ((clang, _folder), cancel) = (front_end(), Cancel::default());
        let texts = ["int x;", "int x;", "x", "int x;"];
        let made = each(&texts, |text| clang.compile(text, Output::Check, &cancel).is_ok());
        assert_eq!(made, [true, true, false, true]);
    }
}
