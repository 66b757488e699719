//! The flags that files are compiled with, and which flags leave the compiler's output a function
//! of its input.
//!
//! Owns what hotslot wants of every file, and the list of flags that are known to. Any other may read a file that no dependency file
//! names, or write one that somebody waits for, so what is compiled with it is not kept. Knows
//! nothing of compiling and keeping.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;

use super::failure::Failure;
use super::options::Level;
use super::words;

/// Flags whose operand may be the next word.
const WITH_OPERAND: &[&str] =
    &["-D", "-U", "-I", "-include", "-isystem", "-iquote", "-idirafter", "-isysroot", "-target", "-x"];

/// How flags begin that may be used; what follows is theirs.
const PLAIN: &[&str] =
    &["-D", "-U", "-I", "-O", "-W", "-f", "-g", "-m", "-std=", "--std=", "-isystem", "-iquote", "-idirafter"];

/// The same, whole.
const WHOLE: &[&str] = &[
    "-w",
    "-pthread",
    "-pedantic",
    "-pedantic-errors",
    "-ansi",
    "-nostdinc",
    "-nostdinc++",
    "-undef",
    "-trigraphs",
];

/// Those among them that may not: they hand on flags, or read or write files.
const NOT: &[&str] = &[
    "-Wa,",
    "-Wl,",
    "-Wp,",
    "-gsplit-dwarf",
    "-mllvm",
    "-fplugin",
    "-fpass-plugin",
    "-fmodule",
    "-fprebuilt",
    "-fbuiltin-module",
    "-fimplicit-module",
    "-fprofile",
    "-fauto-profile",
    "-fcs-profile",
    "-fmemory-profile",
    "-ftime-",
    "-ftest-coverage",
    "-fsave-",
    "-foptimization-record",
    "-fproc-stat",
    "-fstack-usage",
    "-fdiagnostics-",
    "-fcrash",
    "-fgen-reproducer",
    "-fcodegen-data",
    "-finclude-default",
    "-fapinotes",
    "-fsyntax-only",
    "-frewrite",
    "-fembed",
    "-fxray",
    "-foffload",
    "-fopenmp",
    "-fthinlto",
    "-flto",
    "-fuse-",
    "-fcas",
    "-fsycl",
];

/// Options of these with a value may name a file in it.
const WITH_FILE: &[&str] = &["-fsanitize-", "-fbasic-block-", "-fpatchable", "-frandomize-layout"];

/// The flags of all files.
pub struct Flags {
    /// What hotslot wants of every file.
    pub own: Vec<OsString>,
    level: OsString,
    /// `--cflags`.
    users: Vec<OsString>,
    users_are_plain: bool,
}

/// The flags of one.
pub struct FlagsOf {
    /// In order.
    pub all: Vec<OsString>,
    /// The output depends on nothing but them and the files that are read.
    pub plain: bool,
}

impl Flags {
    /// What clang gets for our options.
    pub fn new(level: Level, cpu: Option<&str>, cflags: &[String]) -> Result<Self, Failure> {
        // Bitcode, but without the order of uses, which `-emit-llvm` would have clang work out.
        // Every global function can be replaced, so none may be looked through.
        let mut own: Vec<OsString> = ["-c", "-Xclang", "-emit-llvm-bc", "-fPIC", "-fsemantic-interposition"]
            .map(OsString::from)
            .into();
        if let Some(cpu) = cpu {
            // clang writes the CPU into each function, where it wins over the
            // runtime's; and the source's own `#ifdef`s must agree with it.
            let flag = if cfg!(target_arch = "x86_64") { "-march" } else { "-mcpu" };
            own.push(format!("{flag}={cpu}").into());
        }
        if std::io::stderr().is_terminal() {
            // It reaches the terminal through us, which clang cannot see.
            own.push("-fcolor-diagnostics".into());
        }
        let mut users = Vec::new();
        for text in cflags {
            let words = words::split(text).map_err(|why| Failure::new(format!("--cflags: {why}")))?;
            users.extend(words.into_iter().map(OsString::from));
        }
        let users_are_plain = are_plain(&users);
        Ok(Self { own, level: format!("-O{}", level as u8).into(), users, users_are_plain })
    }

    /// The same for a file that has flags of its own.
    pub fn with(&self, flags: &[OsString]) -> FlagsOf {
        let level = level(flags).unwrap_or(&self.level);
        let mut all = self.own.clone();
        all.push(level.to_owned());
        if level != OsStr::new("-O0") {
            // The attributes of the level without its passes: those run on our side. Without a
            // level functions are marked as not to be optimised, which is what is wanted.
            all.extend(["-Xclang", "-disable-llvm-passes"].map(OsString::from));
        }
        all.extend(self.users.iter().chain(flags).cloned());
        FlagsOf { all, plain: self.users_are_plain && are_plain(flags) }
    }
}

/// The level of optimisation that the flags ask for: the last one counts.
fn level(flags: &[OsString]) -> Option<&OsString> {
    flags.iter().rfind(|flag| flag.as_encoded_bytes().starts_with(b"-O"))
}

/// Whether the flags are all known to be harmless.
fn are_plain(flags: &[OsString]) -> bool {
    let mut words = flags.iter();
    while let Some(word) = words.next() {
        let Some(word) = word.to_str() else { return false };
        let starts = |list: &[&str]| list.iter().any(|start| word.starts_with(start));
        if WITH_OPERAND.contains(&word) {
            // Without the operand clang has something to say, which is not kept.
            words.next();
        } else if !(WHOLE.contains(&word) || starts(PLAIN))
            || starts(NOT)
            || starts(WITH_FILE) && word.contains('=')
        {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::are_plain;

    fn plain(words: &str) -> bool {
        are_plain(&words.split(' ').map(Into::into).collect::<Vec<_>>())
    }

    #[test]
    fn what_programs_are_compiled_with() {
        for words in [
            "-O2 -g -Wall -Wextra -w -std=gnu11 -fPIC -fno-strict-aliasing -march=native -pthread",
            "-DNAME -DA=1 -D NAME=2 -Iinclude -I include -isystem /usr/x -include config.h -x c",
            "-fsanitize=address -fvisibility=hidden -gdwarf-4",
        ] {
            assert!(plain(words), "{words}");
        }
    }

    #[test]
    fn what_may_read_or_write_something_else() {
        for words in [
            "@flags",
            "-MD",
            "-MF x.d",
            "-o x",
            "other.c",
            "-D NAME other.c",
            "-Xclang -load",
            "-mllvm -x",
            "-Wp,-MD,x.d",
            "-fplugin=x.so",
            "-fprofile-use=x.profdata",
            "-fmodules",
            "-ftime-trace",
            "-fsanitize-ignorelist=x",
            "-gsplit-dwarf",
            "-save-temps",
            "--config=x",
            "-include-pch x",
            "-ivfsoverlay x",
            "-unheard-of",
        ] {
            assert!(!plain(words), "{words}");
        }
    }
}
