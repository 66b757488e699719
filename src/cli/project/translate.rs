//! From the flags of a project's own compiler to those that clang gets from us.
//!
//! Owns what is dropped, and asking clang which of the rest it does not know, instead of keeping a
//! list of that. Everything that is dropped and could matter is noted, once a flag.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::frontend::Language;
use super::super::program::Kind;
use super::database::{self, WITH_OPERAND};

/// How flags begin that are of no use here, without a word about it: they concern linking, the way
/// in which files are written, or what hotslot decides itself.
const SILENT: &[&str] = &[
    "-Wl,",
    "-Wa,",
    "-l",
    "-L",
    "-pipe",
    "-flto",
    "-fno-lto",
    "-fno-fat-lto",
    "-ffat-lto",
    "-fuse-ld",
    "-rdynamic",
    "-shared",
    "-static",
    "-pie",
    "-no-pie",
    "-nopie",
    "-save-temps",
    "-fdiagnostics-color",
    "-fno-diagnostics-color",
    "-fcolor-diagnostics",
    "-Winvalid-pch",
    "-gsplit-dwarf",
    "-fPIC",
    "-fpic",
    "-fPIE",
    "-fpie",
    "-fno-pic",
    "-fno-pie",
    "-fno-PIC",
    "-fno-PIE",
    "-ftime-",
    "-fdeps-format",
    "-ftls-model",
    "-fsemantic-interposition",
    "-fno-semantic-interposition",
    "-fpch",
    "-aux-info",
    "-B",
    "-no-canonical",
    "-fwhole-program",
    "-emit-llvm",
    "-z",
];

/// The same for what would have to be linked in and is not, or needs what hotslot does not do.
const NOTED: &[(&str, &str)] = &[
    ("-fsanitize", "the libraries of sanitizers are not loaded"),
    ("-fno-sanitize", "the libraries of sanitizers are not loaded"),
    ("--coverage", "coverage is not measured"),
    ("-coverage", "coverage is not measured"),
    ("-fcoverage", "coverage is not measured"),
    ("-ftest-coverage", "coverage is not measured"),
    ("-fprofile", "profiles are neither made nor used"),
    ("-fauto-profile", "profiles are neither made nor used"),
    ("-pg", "profiles are neither made nor used"),
    ("-fopenmp", "the library for OpenMP is not loaded, its directives mean nothing"),
    ("-fplugin", "it is a plug-in of another compiler"),
    ("-m32", "code is for this process"),
    ("-mx32", "code is for this process"),
];

/// Those that begin like that and are another thing.
const KEPT: &[&str] = &["-fopenmp-simd"];

/// What older compilers warn of, and clang ends with an error for: the project is built with it.
const OLD_C: &[&str] = &[
    "-Wno-error=implicit-function-declaration",
    "-Wno-error=implicit-int",
    "-Wno-error=int-conversion",
    "-Wno-error=incompatible-function-pointer-types",
];

/// What is made of a command.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub flags: Vec<OsString>,
    /// The level of the project's own, if it has one.
    pub level: Option<String>,
}

/// Translates the commands of a project, and remembers what clang knows.
#[derive(Default)]
pub struct Translator {
    refused: HashMap<(PathBuf, &'static str, Vec<String>), Vec<String>>,
    compilers: HashMap<String, bool>,
    /// What was dropped, with the reason, and in how many files.
    dropped: BTreeMap<String, usize>,
}

impl Translator {
    /// The flags for `clang`.
    pub fn translate(&mut self, command: &database::Command, clang: &Path) -> Flags {
        let name = command.compiler.clone();
        let is_clang =
            *self.compilers.entry(name).or_insert_with_key(|name| is_clang(name, &command.directory));
        let mut dropped = Vec::new();
        let (mut kept, level) = known(&command.flags, is_clang, command.language, &mut dropped);
        let language = name_of(command.language);
        let refused = self.refused(&kept, clang, language);
        kept.retain(|group| !refused.contains(&group[0]));
        dropped.extend(refused.into_iter().map(|flag| format!("{flag}: clang does not know it")));
        dropped.sort();
        dropped.dedup();
        for flag in dropped {
            *self.dropped.entry(flag).or_default() += 1;
        }
        let mut flags: Vec<OsString> = kept.into_iter().flatten().map(OsString::from).collect();
        if command.language != Kind::Assembly {
            // A header that gcc has precompiled is read as it is.
            flags.push("-Wno-ignored-gch".into());
            if !is_clang {
                flags.push("-Wno-unknown-warning-option".into());
            }
            if !is_clang && command.language == Kind::Source(Language::C) {
                flags.extend(OLD_C.iter().map(OsString::from));
            }
        }
        flags.extend(own_name(command));
        if command.says_language {
            flags.extend(["-x".into(), language.into()]);
        }
        Flags { flags, level }
    }

    /// A line for each flag that was dropped.
    pub fn notes(&self) -> Vec<String> {
        let line = |(what, count): (&String, &usize)| {
            let (flag, why) = what.split_once(": ").unwrap_or((what, ""));
            let files = if *count == 1 { "file" } else { "files" };
            format!("{flag} is left out in {count} {files}: {why}")
        };
        self.dropped.iter().map(line).collect()
    }

    /// What of it clang ends with an error for, or ignores.
    fn refused(&mut self, flags: &[Vec<String>], clang: &Path, language: &'static str) -> Vec<String> {
        // Files that differ in names only are many in a project, and asking takes as long as a
        // small file.
        let flags = flags
            .iter()
            .filter(|group| !is_of_names(&group[0]) && group.len() < 3)
            .flatten()
            .cloned()
            .collect();
        let key = (clang.to_owned(), language, flags);
        self.refused
            .entry(key)
            .or_insert_with_key(|(clang, language, flags)| ask(clang, language, flags))
            .clone()
    }
}

/// What `-x` calls it.
fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Source(Language::Cxx) => "c++",
        Kind::Assembly => "assembler-with-cpp",
        _ => "c",
    }
}

/// The flags with their operands.
fn groups(flags: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = flags;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let count = if WITH_OPERAND.contains(&first.as_str()) { 2 } else { 1 };
        let (head, tail) = rest.split_at(count.min(rest.len()));
        rest = tail;
        Some(head)
    })
}

fn is_of_names(flag: &str) -> bool {
    ["-D", "-U", "-I", "-i"].iter().any(|start| flag.starts_with(start))
}

/// Whether the project is built by a clang: `cc` may be the name of one.
fn is_clang(compiler: &str, directory: &Path) -> bool {
    let named = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("clang"));
    let path = Path::new(compiler);
    let path = if compiler.contains('/') {
        Some(directory.join(path))
    } else {
        let places = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&places).map(|place| place.join(path)).find(|path| path.is_file())
    };
    named(Path::new(compiler))
        || path.and_then(|path| path.canonicalize().ok()).is_some_and(|path| named(&path))
}

/// What remains by our own lists, and the level.
fn known(
    flags: &[String],
    clang: bool,
    kind: Kind,
    dropped: &mut Vec<String>,
) -> (Vec<Vec<String>>, Option<String>) {
    let mut kept: Vec<Vec<String>> = Vec::new();
    let mut level = None;
    let mut groups = groups(flags).peekable();
    while let Some(group) = groups.next() {
        let flag = group[0].as_str();
        let starts = |start: &str| flag.starts_with(start) && !KEPT.contains(&flag);
        if flag == "-Xclang" {
            // Both by CMake, for a header that another clang has precompiled: the header itself is
            // read. By the driver's own `-include` it would look for a precompiled one again.
            let operand = group.get(1).map_or("", String::as_str);
            if matches!(operand, "-include-pch" | "-include")
                && let Some([_, file]) = groups.next_if(|next| next[0] == "-Xclang")
            {
                if operand == "-include" {
                    let words = ["-Xclang", operand, "-Xclang", file];
                    kept.push(words.map(str::to_owned).into());
                }
                continue;
            }
            if ["-emit-pch", "-fno-pch-timestamp"].contains(&operand) {
                continue;
            }
        }
        if flag == "-include-pch" {
            continue;
        }
        if let Some(number) = flag.strip_prefix("-O") {
            level = Some(number.to_owned());
        } else if kind == Kind::Assembly && flag.starts_with("-Wa,") {
            kept.push(group.to_vec());
        } else if let Some((_, why)) = NOTED.iter().find(|(start, _)| starts(start)) {
            dropped.push(format!("{flag}: {why}"));
        } else if SILENT.iter().any(|start| starts(start)) {
        } else if !clang && (flag == "-Werror" || flag.starts_with("-Werror=") || flag == "-pedantic-errors")
        {
            // What one compiler warns of another need not: it is no error of the project's.
        } else {
            kept.push(group.to_vec());
        }
    }
    (kept, level)
}

/// `__FILE__` is what the project's compiler was given, not the absolute path that clang gets.
fn own_name(command: &database::Command) -> Option<OsString> {
    let named = command.named.to_str()?;
    let whole = command.file.to_str()?;
    if command.named.is_absolute() {
        return None;
    }
    let base = command.file.file_name()?.to_str()?;
    let (from, to) = (whole.strip_suffix(base)?, named.strip_suffix(base)?);
    Some(format!("-fmacro-prefix-map={from}={to}").into())
}

/// Those of `flags` that clang ends with an error for, or says that it does nothing for.
fn ask(clang: &Path, language: &str, flags: &[String]) -> Vec<String> {
    let mut refused = Vec::new();
    let mut flags = flags.to_vec();
    // An error may hide another.
    for _ in 0..8 {
        let mut command = Command::new(clang);
        command.args(&flags).args(["-Wno-unknown-warning-option", "-fno-color-diagnostics"]);
        command.args(["-fsyntax-only", "-x", language, "/dev/null"]).stdin(Stdio::null());
        // That it is not there, or no clang, is noticed where files are compiled.
        let Ok(output) = command.env("LC_ALL", "C").output() else { return refused };
        let text = String::from_utf8_lossy(&output.stderr);
        let mut named: Vec<String> = text.lines().filter_map(|line| refused_in(line, &flags)).collect();
        if named.is_empty() {
            return refused;
        }
        named.sort();
        named.dedup();
        flags = groups(&flags).filter(|group| !named.contains(&group[0])).flatten().cloned().collect();
        refused.extend(named);
    }
    refused
}

/// The flag that a line of clang's is about.
fn refused_in(line: &str, flags: &[String]) -> Option<String> {
    let (_, what) = line.split_once("error: ").or_else(|| line.split_once("warning: "))?;
    let what = what.split("did you mean").next()?;
    let names: Vec<&str> = what.split('\'').skip(1).step_by(2).collect();
    let flag = |is: &dyn Fn(&str) -> bool| flags.iter().find(|flag| is(flag)).cloned();
    let whole = names.iter().find_map(|name| flag(&|flag| flag == *name));
    // `unsupported argument 'x' to option '-fy='`, `unknown target CPU 'x'`
    whole.or_else(|| {
        names.iter().find_map(|name| {
            flag(&|flag| flag.strip_suffix(name).is_some_and(|start| start.ends_with('=') && start.len() > 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn command(compiler: &str, flags: &str) -> database::Command {
        database::Command {
            file: "/s/a.c".into(),
            named: "/s/a.c".into(),
            directory: "/b".into(),
            compiler: compiler.into(),
            language: Kind::Source(Language::C),
            says_language: false,
            flags: words(flags),
            output: None,
        }
    }

    fn text(flags: &Flags) -> String {
        let words = flags.flags.iter().map(|word| word.to_str().unwrap());
        words.filter(|word| !OLD_C.contains(word)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_of_gcc() {
        let mut translator = Translator::default();
        let line = "-DX=1 -O3 -std=gnu11 -Werror -Wlogical-op -fno-tree-vectorize -fsanitize=address -fPIC -fipa-pta \
                    -include x.h -mveclibabi=svml -g -fopenmp-simd -fanalyzer -march=no-such -flto=auto -fno-plt";
        let flags = translator.translate(&command("/usr/bin/gcc-12", line), Path::new("clang-19"));
        assert_eq!(flags.level.as_deref(), Some("3"));
        assert_eq!(
            text(&flags),
            "-DX=1 -std=gnu11 -Wlogical-op -fno-tree-vectorize -include x.h -g -fopenmp-simd -fno-plt -Wno-ignored-gch \
             -Wno-unknown-warning-option"
        );
        let notes = translator.notes().join("\n");
        for flag in ["-fipa-pta", "-fanalyzer", "-march=no-such", "-fsanitize=address", "-mveclibabi=svml"] {
            assert!(notes.contains(&format!("{flag} is left out in 1 file: ")), "{flag}: {notes}");
        }
        assert!(!notes.contains("-Werror") && !notes.contains("-fPIC"), "{notes}");
    }

    #[test]
    fn flags_of_clang_stay() {
        let mut translator = Translator::default();
        let line = "-Werror -Xclang -include-pch -Xclang /b/p.hxx.pch -Xclang -include -Xclang /b/p.hxx -Oz";
        let flags = translator.translate(&command("/usr/bin/clang-19", line), Path::new("clang-19"));
        assert_eq!(text(&flags), "-Werror -Xclang -include -Xclang /b/p.hxx -Wno-ignored-gch");
        assert_eq!(flags.level.as_deref(), Some("z"));
        assert!(translator.notes().is_empty());
    }

    #[test]
    fn names_and_languages() {
        let mut one = command("g++", "-std=c++17");
        (one.named, one.directory) = ("../s/a.c".into(), "/b".into());
        (one.language, one.says_language) = (Kind::Source(Language::Cxx), true);
        let flags = Translator::default().translate(&one, Path::new("clang++-19"));
        assert!(text(&flags).ends_with("-fmacro-prefix-map=/s/=../s/ -x c++"), "{flags:?}");
        assert!(text(&flags).starts_with("-std=c++17"), "a flag of C++ alone: {flags:?}");
    }

    #[test]
    fn what_clang_complains_of() {
        let flags = words("-mfoo -fy=x -march=bad -Wa");
        let named = |line| refused_in(line, &flags);
        assert_eq!(named("clang: error: unknown argument: '-mfoo'").as_deref(), Some("-mfoo"));
        assert_eq!(named("error: unsupported argument 'x' to option '-fy='").as_deref(), Some("-fy=x"));
        assert_eq!(named("error: unknown target CPU 'bad'").as_deref(), Some("-march=bad"));
        assert_eq!(named("error: unknown argument '-wa'; did you mean '-Wa'?"), None);
        assert_eq!(named("note: see '-mfoo'"), None);
    }
}
