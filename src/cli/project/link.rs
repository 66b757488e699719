//! One command line that links or archives: what it makes, and of what.
//!
//! Owns what the words of a compiler driver and of `ar` mean for that. Which of the files are the
//! project's own, and what becomes of them, is [`super::target`]'s.

use std::path::{Path, PathBuf};

use super::super::words;
use super::database::{after_launchers, normal, with_responses};

/// What a command makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makes {
    Executable,
    Shared,
    Archive,
}

/// A word of the command that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// An object, a library, by its absolute path; all members of an archive if `whole`.
    File { path: PathBuf, whole: bool },
    /// `-l`.
    Library { name: String, whole: bool },
    /// A library is also looked for there.
    Directory(PathBuf),
    /// What changes the meaning of names, which is not followed.
    Unfollowed(String),
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub makes: Makes,
    /// As an absolute path.
    pub output: PathBuf,
    /// What the build system calls it, if that is known.
    pub target: Option<String>,
    pub inputs: Vec<Input>,
}

/// Flags whose operand is the next word and of no interest.
const WITH_OPERAND: &[&str] = &[
    "-x",
    "-z",
    "-u",
    "-e",
    "-h",
    "-soname",
    "-rpath",
    "-rpath-link",
    "-Xclang",
    "-mllvm",
    "-arch",
    "-target",
    "--sysroot",
    "-isysroot",
    "--param",
    "-D",
    "-U",
    "-I",
    "-isystem",
    "-include",
    "-MF",
    "-MT",
    "-MQ",
    "-B",
];

/// Flags of the linker that change which name is what.
const UNFOLLOWED: &[&str] = &["--wrap", "--defsym", "-T", "--script", "-nostdlib", "-nodefaultlibs"];

/// The commands in a shell's line, those of `link.txt` a line each, that link or archive.
pub fn read(text: &str, directory: &Path) -> Vec<Link> {
    let mut links = Vec::new();
    for line in text.lines() {
        // What is not understood is a command of the project's own.
        let Ok(words) = words::split(line) else { continue };
        let mut directory = directory.to_owned();
        for command in words.split(|word| matches!(word.as_str(), "&&" | ";" | "||")) {
            if let [cd, to] = command
                && cd == "cd"
            {
                directory = normal(&directory.join(to));
            } else if let Ok(command) = with_responses(command.to_vec(), &directory) {
                links.extend(one(&command, &directory));
            }
        }
    }
    links
}

fn one(words: &[String], directory: &Path) -> Option<Link> {
    let (tool, words) = after_launchers(words)?;
    let tool = Path::new(tool).file_name()?.to_str()?;
    let absolute = |path: &str| normal(&directory.join(path));
    if tool == "ar" || tool.ends_with("-ar") || tool.starts_with("llvm-ar") {
        let mut words = words.iter().filter(|word| !word.starts_with("--"));
        let operation = words.next()?;
        if !operation.contains(['q', 'r']) {
            return None;
        }
        let output = absolute(words.next()?);
        let inputs: Vec<Input> =
            words.map(|word| Input::File { path: absolute(word), whole: false }).collect();
        return Some(Link { makes: Makes::Archive, target: named_in(&inputs, &output), output, inputs });
    }
    if !is_driver(tool) {
        return None;
    }
    let mut reader =
        Reader { directory, whole: false, output: None, makes: Makes::Executable, inputs: Vec::new() };
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-c" | "-S" | "-E" | "-M" | "-MM" | "-fsyntax-only" => return None,
            "-o" => reader.output = words.next().map(absolute),
            "-Xlinker" => {
                // With the operand of what it hands on, if that has one.
                let option = words.next()?;
                let operand = if takes_operand(option) { words.nth(1) } else { None };
                reader.linker(&[option].into_iter().chain(operand).collect::<Vec<_>>());
            }
            "-L" | "-l" => {
                let operand = words.next()?;
                reader.word(&format!("{word}{operand}"));
            }
            "-T" => reader.unfollowed(word, words.next()),
            _ if WITH_OPERAND.contains(&word) => _ = words.next(),
            _ => reader.word(word),
        }
    }
    let Reader { output, makes, inputs, .. } = reader;
    let output = output?;
    Some(Link { makes, target: named_in(&inputs, &output), output, inputs })
}

fn is_driver(tool: &str) -> bool {
    let name = tool.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    ["cc", "c++", "gcc", "g++", "clang", "clang++"].iter().any(|driver| {
        name == *driver || name.strip_suffix(driver).is_some_and(|before| before.ends_with('-'))
    })
}

/// Linker options that are followed by a word of their own.
fn takes_operand(option: &str) -> bool {
    let own =
        ["-rpath", "--rpath", "-rpath-link", "--rpath-link", "-soname", "-h", "-z", "-u", "--undefined"];
    own.contains(&option) || ["--wrap", "--defsym", "-T", "--script", "-L", "-l"].contains(&option)
}

struct Reader<'a> {
    directory: &'a Path,
    whole: bool,
    output: Option<PathBuf>,
    makes: Makes,
    inputs: Vec<Input>,
}

impl Reader<'_> {
    fn word(&mut self, word: &str) {
        let whole = self.whole;
        if let Some(list) = word.strip_prefix("-Wl,") {
            self.linker(&list.split(',').collect::<Vec<_>>());
        } else if let Some(name) = word.strip_prefix("-l") {
            self.inputs.push(Input::Library { name: name.to_owned(), whole });
        } else if let Some(place) = word.strip_prefix("-L") {
            self.inputs.push(Input::Directory(normal(&self.directory.join(place))));
        } else if let Some(output) = word.strip_prefix("-o").filter(|output| !output.is_empty()) {
            self.output = Some(normal(&self.directory.join(output)));
        } else if word == "-shared" {
            self.makes = Makes::Shared;
        } else if word == "-pthread" {
            self.inputs.push(Input::Library { name: "pthread".to_owned(), whole: false });
        } else if UNFOLLOWED.contains(&word) {
            self.unfollowed(word, None);
        } else if !word.starts_with('-') && is_linked(word) {
            self.inputs.push(Input::File { path: normal(&self.directory.join(word)), whole });
        }
    }

    /// Words for the linker itself.
    fn linker(&mut self, words: &[&str]) {
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let (option, value) = word.split_once('=').map_or((word, None), |(o, v)| (o, Some(v)));
            match option {
                "--whole-archive" | "-whole-archive" => self.whole = true,
                "--no-whole-archive" | "-no-whole-archive" => self.whole = false,
                "-rpath" | "--rpath" => {
                    let places = value.or_else(|| words.next().copied()).unwrap_or_default();
                    // `$ORIGIN` is where the program is, which it is not.
                    let places = places.split(':').filter(|place| !place.is_empty() && !place.contains('$'));
                    let places: Vec<_> = places.map(|place| normal(&self.directory.join(place))).collect();
                    self.inputs.extend(places.into_iter().map(Input::Directory));
                }
                _ if UNFOLLOWED.contains(&option) => {
                    let value =
                        if value.is_none() && takes_operand(option) { words.next().copied() } else { value };
                    self.unfollowed(option, value);
                }
                _ if value.is_none() && takes_operand(option) => _ = words.next(),
                _ if option.starts_with("-l") || !option.starts_with('-') => self.word(word),
                _ => {}
            }
        }
    }

    fn unfollowed(&mut self, option: &str, value: Option<&str>) {
        let text = value.map_or_else(|| option.to_owned(), |value| format!("{option} {value}"));
        self.inputs.push(Input::Unfollowed(text));
    }
}

/// Objects and libraries by their names; a driver is also given sources, which are in the database.
fn is_linked(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    [".o", ".a", ".so", ".lo", ".obj"].iter().any(|end| name.ends_with(end)) || name.contains(".so.")
}

/// CMake keeps the objects of a target in a folder with its name; those of object libraries too, so
/// what is called like the output comes first.
fn named_in(inputs: &[Input], output: &Path) -> Option<String> {
    let names: Vec<&str> = inputs
        .iter()
        .filter_map(|input| {
            let Input::File { path, .. } = input else { return None };
            let mut parts = path.iter().filter_map(|part| part.to_str());
            parts.find(|part| *part == "CMakeFiles")?;
            parts.next()?.strip_suffix(".dir")
        })
        .collect();
    let output = output.file_name()?.to_str()?;
    let stem = output.strip_prefix("lib").unwrap_or(output).split(".so").next()?;
    let stem = stem.strip_suffix(".a").unwrap_or(stem);
    names
        .iter()
        .find(|name| **name == output || **name == stem)
        .or(names.first())
        .map(|name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, whole: bool) -> Input {
        Input::File { path: path.into(), whole }
    }

    fn library(name: &str) -> Input {
        Input::Library { name: name.into(), whole: false }
    }

    #[test]
    fn a_link_of_cmakes() {
        let line = "/usr/bin/c++ -g -Wl,--dependency-file=x.d -rdynamic CMakeFiles/sim.dir/src/main.cpp.o -o bin/sim \
                    -Wl,-rpath,/b/lib:/opt/l: lib/libx.so.1.2 -Wl,--whole-archive ../libr.a -Wl,--no-whole-archive \
                    -Lp -lm -pthread /usr/lib/libz.a -Wl,--wrap=malloc -Xlinker -rpath -Xlinker /q";
        let link = read(line, Path::new("/b/s")).remove(0);
        assert_eq!((link.makes, link.output), (Makes::Executable, "/b/s/bin/sim".into()));
        assert_eq!(link.target.as_deref(), Some("sim"));
        let expected = [
            file("/b/s/CMakeFiles/sim.dir/src/main.cpp.o", false),
            Input::Directory("/b/lib".into()),
            Input::Directory("/opt/l".into()),
            file("/b/s/lib/libx.so.1.2", false),
            file("/b/libr.a", true),
            Input::Directory("/b/s/p".into()),
            library("m"),
            library("pthread"),
            file("/usr/lib/libz.a", false),
            Input::Unfollowed("--wrap malloc".into()),
            Input::Directory("/q".into()),
        ];
        assert_eq!(link.inputs, expected);
    }

    #[test]
    fn archives_and_shared_libraries() {
        let text = ": && /usr/bin/cmake -E rm -f liba.a && /usr/bin/ar qc liba.a  a.o b.o && ranlib liba.a && :\n\
                    /usr/bin/cc -fPIC -shared -Wl,-soname,libs.so -o libs.so s.o\n\
                    cd /sub && cc -c x.c -o x.o\nmv 'a\npython gen.py -o x.o y.o";
        let links = read(text, Path::new("/b"));
        assert_eq!(links.len(), 2);
        assert_eq!((links[0].makes, &links[0].output), (Makes::Archive, &"/b/liba.a".into()));
        assert_eq!(links[0].inputs, [file("/b/a.o", false), file("/b/b.o", false)]);
        assert_eq!((links[1].makes, &links[1].output), (Makes::Shared, &"/b/libs.so".into()));
        assert_eq!(links[1].inputs, [file("/b/s.o", false)]);
    }

    #[test]
    fn drivers() {
        for name in ["cc", "gcc-12", "clang++-19", "x86_64-linux-gnu-g++-12", "aarch64-linux-gnu-gcc"] {
            assert!(is_driver(name), "{name}");
        }
        for name in ["ld", "python3", "ar", "occ", "ranlib", "cmake"] {
            assert!(!is_driver(name), "{name}");
        }
    }
}
