//! The programs that sessions edit: their files, and how hotslot and a native build take them.

use std::fs;
use std::path::{Path, PathBuf};

use super::crates::{crate_dir, entries, files_in, sub_dir};
use super::step::Files;

/// A program.
#[derive(Clone)]
pub struct Subject {
    pub files: Files,
    pub build: Build,
    /// For hotslot, where no project says it: `-O1`.
    pub level: &'static str,
}

/// How it is made of its files.
#[derive(Clone)]
pub enum Build {
    /// `hotslot run FILE...`, and clang for each file.
    Units { units: Vec<String>, flags: Vec<String>, libraries: Vec<String> },
    /// `hotslot run -p`, and CMake.
    CMake { target: &'static str },
}

/// Options for CMake, natively and for hotslot.
pub const CMAKE: [&str; 5] = [
    "-GNinja",
    "-DCMAKE_C_COMPILER=clang-19",
    "-DCMAKE_CXX_COMPILER=clang++-19",
    "-DCMAKE_BUILD_TYPE=Debug",
    "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
];

/// What the project's build makes for its compiler.
pub const GENERATED: &str = "generated/names.c";

impl Subject {
    /// The arguments of `hotslot run`, in the folder of the files.
    pub fn arguments(&self, build: &Path) -> Vec<String> {
        let mut arguments = Vec::new();
        match &self.build {
            Build::Units { units, flags, libraries } => {
                arguments.push(self.level.to_owned());
                arguments.push(format!("--cflags=-w {}", flags.join(" ")));
                arguments.extend(libraries.iter().cloned());
                arguments.extend(units.iter().cloned());
            }
            Build::CMake { target } => {
                arguments.extend(["-p".to_owned(), build.display().to_string()]);
                arguments.extend(["--target".to_owned(), (*target).to_owned()]);
            }
        }
        arguments
    }
}

/// The executable that CMake has built.
pub fn built(build: &Path, target: &str) -> PathBuf {
    let places = [build.to_owned(), build.join("app"), build.join("bin")];
    let found = places.iter().map(|place| place.join(target)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{target} is not where it was expected in {}", build.display()))
}

/// Files of ours beside a program's own: the loop, and what one round of its work is.
const OURS: &str = "tests/sessions/programs";

fn own(files: &mut Files, names: &[&str]) {
    for name in names {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(OURS).join(name);
        files.insert((*name).to_owned(), read(&path));
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All C files and headers of a folder, below `to`; the C files are units.
fn folder(from: &Path, to: &str, files: &mut Files, units: &mut Vec<String>) {
    for extension in ["c", "h"] {
        for path in files_in(from, extension) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let name = if to.is_empty() { name.to_owned() } else { format!("{to}/{name}") };
            files.insert(name.clone(), read(&path));
            if extension == "c" {
                units.push(name);
            }
        }
    }
}

fn of_units(files: Files, units: Vec<String>, flags: &[&str], level: &'static str) -> Subject {
    let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    Subject { files, build: Build::Units { units, flags, libraries: vec!["-lm".to_owned()] }, level }
}

/// Lua 5.4.
pub fn lua() -> Subject {
    let (mut files, mut units) = (Files::new(), Vec::new());
    folder(&sub_dir(crate_dir("lua-src"), "lua-5.4."), "lua", &mut files, &mut units);
    own(&mut files, &["turns.h", "turns.c", "with_lua.c"]);
    units.extend(["turns.c".to_owned(), "with_lua.c".to_owned()]);
    of_units(files, units, &["-DLUA_USE_LINUX", "-Ilua"], "-O2")
}

/// The zstd library, without assembly and what is deprecated.
pub fn zstd() -> Subject {
    let lib = crate_dir("zstd-sys").join("zstd/lib");
    let (mut files, mut units) = (Files::new(), Vec::new());
    for part in ["common", "compress", "decompress"] {
        folder(&lib.join(part), &format!("lib/{part}"), &mut files, &mut units);
    }
    for header in ["zstd.h", "zstd_errors.h", "zdict.h"] {
        files.insert(format!("lib/{header}"), read(&lib.join(header)));
    }
    own(&mut files, &["turns.h", "turns.c", "with_zstd.c"]);
    units.extend(["turns.c".to_owned(), "with_zstd.c".to_owned()]);
    of_units(files, units, &["-DZSTD_DISABLE_ASM", "-Ilib", "-Ilib/common"], "-O1")
}

/// SQLite.
pub fn sqlite() -> Subject {
    let sqlite = crate_dir("libsqlite3-sys").join("sqlite3");
    let mut files = Files::new();
    for name in ["sqlite3.c", "sqlite3.h"] {
        files.insert(format!("sqlite/{name}"), read(&sqlite.join(name)));
    }
    let ours = ["with_sqlite.c", "functions.c", "functions.h", "turns.h", "turns.c"];
    own(&mut files, &ours);
    let units = ["sqlite/sqlite3.c", "turns.c", "with_sqlite.c", "functions.c"].map(str::to_owned).to_vec();
    of_units(files, units, &["-DSQLITE_THREADSAFE=1", "-DHAVE_USLEEP=1", "-Isqlite"], "-O0")
}

/// The simulated world, with a `main` of ours.
pub fn world() -> Subject {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/world");
    let mut files = Files::new();
    let mut folders = vec![from.clone()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&from).unwrap().to_str().unwrap().to_owned();
                files.insert(name, read(&path));
            }
        }
    }
    own(&mut files, &["turns.h", "turns.c", "with_world.cpp"]);
    let main = files.remove("with_world.cpp").unwrap();
    files.insert("app/main.cpp".to_owned(), main);
    let lists = files.get_mut("CMakeLists.txt").unwrap();
    let with_ours =
        lists.replace("add_executable(world ", "include_directories(.)\nadd_executable(world turns.c ");
    assert_ne!(*lists, with_ours, "the project has another shape");
    *lists = with_ours;
    Subject { files, build: Build::CMake { target: "world" }, level: "" }
}
