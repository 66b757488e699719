//! `compile_commands.json`: how each file of a project is compiled.
//!
//! Owns the format, <https://clang.llvm.org/docs/JSONCompilationDatabase.html>, and what of a
//! command is the compiler, the file, where its outcome goes and the rest. What the rest means to
//! clang is [`super::translate`]'s, which files make a program [`super::link`]'s.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::super::failure::Failure;
use super::super::frontend::Language;
use super::super::program::Kind;
use super::super::words;

/// One way in which a file is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The file, as an absolute path.
    pub file: PathBuf,
    /// The same as the command names it.
    pub named: PathBuf,
    /// Where the compiler is started.
    pub directory: PathBuf,
    /// The program, without `ccache` and the like.
    pub compiler: String,
    /// What is in the file.
    pub language: Kind,
    /// Whether the file's name says something else.
    pub says_language: bool,
    /// Without the file, and without what says where the outcome goes.
    pub flags: Vec<String>,
    /// The object, as an absolute path.
    pub output: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Entry {
    directory: PathBuf,
    file: PathBuf,
    arguments: Option<Vec<String>>,
    command: Option<String>,
    output: Option<PathBuf>,
}

/// The name of the file in a build directory.
pub const NAME: &str = "compile_commands.json";

/// How deep response files may name others.
const DEPTH: usize = 8;

/// What the database in `folder`, an absolute path, says of C, C++ and assembler files, and the
/// files in other languages. Of an object that is made several times the last command stands.
pub fn read(folder: &Path) -> Result<(Vec<Command>, Vec<PathBuf>), Failure> {
    let path = folder.join(NAME);
    let text = std::fs::read(&path).map_err(|error| {
        let ninja = folder.join("build.ninja").is_file();
        let (what, how) = if folder.join("CMakeCache.txt").is_file() {
            ("cmake writes it", format!("cmake -DCMAKE_EXPORT_COMPILE_COMMANDS=ON {}", folder.display()))
        } else if ninja {
            ("ninja writes it", format!("ninja -C {0} -t compdb > {1}", folder.display(), path.display()))
        } else {
            (
                "cmake writes it with -DCMAKE_EXPORT_COMPILE_COMMANDS=ON, and for make bear does",
                "bear -- make".into(),
            )
        };
        Failure::new(format!("{}: {error}", path.display())).hint(format!("{what}: {how}"))
    })?;
    let entries: Vec<Entry> = serde_json::from_slice(&text)
        .map_err(|error| Failure::new(format!("{}: not a compilation database: {error}", path.display())))?;
    let (mut commands, mut others, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        match command(folder, entry) {
            Ok(Ok(command)) => commands.push(command),
            Ok(Err(other)) => others.push(other),
            Err(why) => failures.push(Failure::new(format!("{}: {why}", path.display()))),
        }
    }
    Failure::all(failures).map_or(Ok((last_of_each(commands), others)), Err)
}

/// bear appends what is built again.
fn last_of_each(commands: Vec<Command>) -> Vec<Command> {
    let mut places: HashMap<(PathBuf, Option<PathBuf>), usize> = HashMap::new();
    let mut kept: Vec<Command> = Vec::with_capacity(commands.len());
    for command in commands {
        match places.entry((command.file.clone(), command.output.clone())) {
            Occupied(place) => kept[*place.get()] = command,
            Vacant(place) => {
                place.insert(kept.len());
                kept.push(command);
            }
        }
    }
    kept
}

/// The command of an entry, or its file if that is in another language.
fn command(folder: &Path, entry: Entry) -> Result<Result<Command, PathBuf>, String> {
    let directory = normal(&folder.join(&entry.directory));
    let file = normal(&directory.join(&entry.file));
    let name = entry.file.display();
    let words = match (entry.arguments, entry.command) {
        (Some(words), _) => words,
        (None, Some(line)) => words::split(&line).map_err(|why| format!("{name}: {why}"))?,
        (None, None) => return Err(format!("{name}: an entry without `arguments` and without `command`")),
    };
    let words = with_responses(words, &directory)?;
    let Some((compiler, words)) = after_launchers(&words) else {
        return Err(format!("{name}: an empty command"));
    };
    let mut flags = Vec::new();
    let (mut output, mut language, mut named) = (entry.output, None, entry.file.clone());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-c" | "-S" | "-E" | "-M" | "-MM" | "-MD" | "-MMD" | "-MP" | "-MG" | "-MV" | "--" => {}
            "-MF" | "-MT" | "-MQ" | "-MJ" | "-dumpbase" | "-dumpdir" => _ = words.next(),
            "-o" | "--output" => output = words.next().map(PathBuf::from),
            "-x" => language = words.next().cloned(),
            word if is_same(word, &entry.file, &directory, &file) => named = PathBuf::from(word),
            word => {
                let joined = |start| word.strip_prefix(start).filter(|rest| !rest.is_empty());
                if let Some(to) = joined("-o").or_else(|| joined("--output=")) {
                    output = Some(PathBuf::from(to));
                } else if let Some(to) = joined("-x") {
                    language = Some(to.to_owned());
                } else if !["-MF", "-MT", "-MQ", "-MJ"].iter().any(|start| word.starts_with(start)) {
                    flags.push(word.to_owned());
                    // What belongs to it is nothing of the above, whatever it looks like.
                    if WITH_OPERAND.contains(&word) {
                        flags.extend(words.next().cloned());
                    }
                }
            }
        }
    }
    let Some(kind) = language_of(language.as_deref(), compiler, &file) else { return Ok(Err(file)) };
    // Without a name the driver has one for it.
    let unnamed = || {
        file.file_stem().map(|stem| PathBuf::from([stem, OsStr::new(".o")].into_iter().collect::<OsString>()))
    };
    let output = output.or_else(unnamed);
    let output = output.map(|output| normal(&directory.join(output)));
    let says_language = language_of(None, "", &file) != Some(kind);
    let compiler = compiler.to_owned();
    Ok(Ok(Command { file, named, directory, compiler, language: kind, says_language, flags, output }))
}

/// Flags whose operand is the next word.
pub const WITH_OPERAND: &[&str] = &[
    "-D",
    "-U",
    "-I",
    "-include",
    "-isystem",
    "-iquote",
    "-idirafter",
    "-isysroot",
    "-imacros",
    "-target",
    "-Xclang",
    "-mllvm",
    "-Xpreprocessor",
    "-iprefix",
    "-iwithprefix",
    "-iwithprefixbefore",
    "-arch",
    "--sysroot",
    "--param",
    "-Xassembler",
    "-Xlinker",
    "-L",
    "-l",
    "-T",
    "-u",
    "-z",
    "-framework",
    "-B",
    "-include-pch",
    "-wrapper",
    "-aux-info",
    "-cxx-isystem",
    "-ivfsoverlay",
];

fn is_same(word: &str, named: &Path, directory: &Path, file: &Path) -> bool {
    !word.starts_with('-') && (Path::new(word) == named || normal(&directory.join(word)) == file)
}

/// Replaces words like `@flags.rsp` by what is in these files, if they are there.
pub fn with_responses(words: Vec<String>, directory: &Path) -> Result<Vec<String>, String> {
    expand(words, directory, DEPTH)
}

fn expand(words: Vec<String>, directory: &Path, depth: usize) -> Result<Vec<String>, String> {
    if depth == 0 || !words.iter().any(|word| word.starts_with('@')) {
        return Ok(words);
    }
    let mut all = Vec::with_capacity(words.len());
    for word in words {
        let text = word.strip_prefix('@').map(|file| std::fs::read_to_string(directory.join(file)));
        match text {
            Some(Ok(text)) => {
                let inner = words::split(&text).map_err(|why| format!("{word}: {why}"))?;
                all.extend(expand(inner, directory, depth - 1)?);
            }
            _ => all.push(word),
        }
    }
    Ok(all)
}

/// The compiler and its arguments, without the programs that start it.
pub fn after_launchers(words: &[String]) -> Option<(&str, &[String])> {
    const LAUNCHERS: &[&str] = &["ccache", "sccache", "distcc", "icecc", "env", "time", "nice"];
    let stem = |word: &str| Path::new(word).file_name().and_then(OsStr::to_str).unwrap_or(word).to_owned();
    let mut rest = words;
    while let [first, others @ ..] = rest {
        let is_launcher = LAUNCHERS.contains(&stem(first).as_str());
        let is_number = first.starts_with(|c: char| c.is_ascii_digit());
        let is_word = first.starts_with('-') || first.contains('=') || is_number;
        let is_their_word = rest.len() < words.len() && is_word;
        // Options of a launcher come before the compiler, which is a word of another kind.
        if !is_launcher && !is_their_word {
            return Some((first, others));
        }
        rest = others;
    }
    None
}

/// As a driver decides it: by `-x`, or by the file's name; `c++` takes C for C++.
fn language_of(option: Option<&str>, compiler: &str, file: &Path) -> Option<Kind> {
    match option {
        Some("c" | "cpp-output") => return Some(Kind::Source(Language::C)),
        Some("c++" | "c++-cpp-output") => return Some(Kind::Source(Language::Cxx)),
        Some("assembler" | "assembler-with-cpp") => return Some(Kind::Assembly),
        Some("none") | None => {}
        Some(_) => return None,
    }
    match file.extension()?.to_str()? {
        "c" | "i" if compiler.ends_with("++") => Some(Kind::Source(Language::Cxx)),
        "c" | "i" => Some(Kind::Source(Language::C)),
        "cc" | "cp" | "cxx" | "cpp" | "CPP" | "c++" | "C" | "ii" => Some(Kind::Source(Language::Cxx)),
        "s" | "S" | "sx" => Some(Kind::Assembly),
        _ => None,
    }
}

/// The path without `.` and, where nothing but names is before it, `..`; as it is where that would
/// be another file, because a name on the way is a link.
pub fn normal(path: &Path) -> PathBuf {
    let mut parts: Vec<Component<'_>> = Vec::new();
    let mut up = false;
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(parts.last(), Some(Component::Normal(_))) => {
                parts.pop();
                up = true;
            }
            part => parts.push(part),
        }
    }
    let normal: PathBuf = parts.iter().collect();
    if up && path.exists() && !same_file(path, &normal) { path.to_owned() } else { normal }
}

fn same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(entry: &str) -> Result<Vec<Command>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), format!("[{entry}]")).unwrap();
        std::fs::write(folder.path().join("f.rsp"), "-DR=1 '-DS=a b'").unwrap();
        read(folder.path()).map(|(commands, _)| commands)
    }

    #[test]
    fn a_command_of_cmakes() {
        let command = r#"{"directory": "/b", "file": "/s/a.c", "output": "CMakeFiles/t.dir/a.c.o",
            "command": "/usr/bin/cc -DX=\\\"q\\\" -I/s/../s/inc -g -std=gnu11 -MD -MT a.o -MF a.d -o CMakeFiles/t.dir/a.c.o -c /s/a.c"}"#;
        let found = read_one(command).unwrap().remove(0);
        assert_eq!(found.flags, ["-DX=\"q\"", "-I/s/../s/inc", "-g", "-std=gnu11"]);
        assert_eq!((found.compiler.as_str(), found.language), ("/usr/bin/cc", Kind::Source(Language::C)));
        assert_eq!(found.output.unwrap(), Path::new("/b/CMakeFiles/t.dir/a.c.o"));
        assert_eq!((found.file, found.directory), ("/s/a.c".into(), "/b".into()));
        let unnamed = r#"{"directory": "/b", "file": "/s/a.b.c", "command": "cc -c /s/a.b.c"}"#;
        assert_eq!(read_one(unnamed).unwrap().remove(0).output.unwrap(), Path::new("/b/a.b.o"));
    }

    #[test]
    fn arguments_launchers_and_response_files() {
        let entry = r#"{"directory": ".", "file": "./x/../a.c", "arguments":
            ["env", "A=1", "nice", "-n", "5", "ccache", "g++", "-c", "@f.rsp", "-oa.o", "a.c"]}"#;
        let found = read_one(entry).unwrap().remove(0);
        assert_eq!(found.flags, ["-DR=1", "-DS=a b"]);
        assert_eq!((found.compiler.as_str(), found.language), ("g++", Kind::Source(Language::Cxx)));
        assert!(found.output.unwrap().ends_with("a.o") && found.file.ends_with("a.c"));
    }

    #[test]
    fn languages() {
        let of = |option, compiler, file| language_of(option, compiler, Path::new(file));
        assert_eq!(of(None, "gcc", "a.cc"), Some(Kind::Source(Language::Cxx)));
        assert_eq!(of(Some("c"), "g++", "a.cc"), Some(Kind::Source(Language::C)));
        assert_eq!(of(Some("cuda"), "clang", "a.c"), None);
        assert_eq!(of(None, "gcc", "a.S"), Some(Kind::Assembly));
        assert_eq!(of(None, "gfortran", "a.f90"), None);
    }

    #[test]
    fn what_is_no_database_is_refused_by_name() {
        for (text, part) in [
            (r#"{"file": "a.c"}"#, "directory"),
            (r#"{"directory": "/", "file": "a.c"}"#, "neither"),
            (r#"{"directory": "/", "file": "a.c", "command": "cc 'a.c"}"#, "closed"),
            (r#"{"directory": "/", "file": "a.c", "command": " "}"#, "empty"),
        ] {
            let failure = read_one(text).map(|_| ()).unwrap_err().render();
            let part = if part == "neither" { "without `arguments`" } else { part };
            assert!(failure.contains(part) && failure.contains(NAME), "{failure}");
        }
    }
}
