//! A copy of Lua's sources that is edited: its files, its flags and how a file is saved.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::common::crates::{crate_dir, files_in, sub_dir};
use crate::edits::Edit;

/// What every file is compiled with, natively and under hotslot.
pub const FLAGS: [&str; 2] = ["-O2", "-DLUA_USE_LINUX"];

/// What the program is linked with.
pub const LIBRARIES: [&str; 2] = ["m", "dl"];

/// Whether `hotslot run` has this option.
pub fn has_option(binary: &str, option: &str) -> bool {
    let help = Command::new(binary).args(["run", "--help"]).output().expect("hotslot starts");
    String::from_utf8_lossy(&help.stdout).split_whitespace().any(|word| word == option)
}

/// A directory with the 32 files of Lua, all headers, a main and a Makefile.
pub struct Tree {
    directory: tempfile::TempDir,
}

impl Tree {
    /// A fresh copy.
    pub fn new() -> Self {
        let tree = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        let lua = sub_dir(crate_dir("lua-src"), "lua-5.4.");
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/reload/c/ask.c");
        for file in files_in(&lua, "c").into_iter().chain(files_in(&lua, "h")).chain([own]) {
            let text = std::fs::read(&file).expect("sources can be read");
            let name = file.file_name().expect("a file has a name");
            // Written, not copied: the packages' files can be read-only.
            std::fs::write(tree.path().join(name), text).expect("the directory is writable");
        }
        std::fs::write(tree.path().join("Makefile"), MAKEFILE).expect("the directory is writable");
        tree
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The C files, by name.
    pub fn units(&self) -> Vec<PathBuf> {
        files_in(self.path(), "c")
    }

    /// A file's text.
    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).expect("the tree's files are text")
    }

    /// The text of the next edit, whose number is new, and that number.
    pub fn next(&self, edit: &Edit, original: &str) -> (String, i64) {
        static LAST: AtomicI64 = AtomicI64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        (edit.apply(original, number), number)
    }

    /// Writes the text beside the file, as editors do; `replace` makes it the file.
    pub fn write_aside(&self, text: &str) -> Aside<'_> {
        let path = self.path().join(".aside~");
        std::fs::write(&path, text).expect("the directory is writable");
        Aside { tree: self, path }
    }
}

/// A file about to be saved.
pub struct Aside<'a> {
    tree: &'a Tree,
    path: PathBuf,
}

impl Aside<'_> {
    /// Saves it: the moment that the clock starts from.
    pub fn replace(self, file: &str) {
        std::fs::rename(self.path, self.tree.path().join(file)).expect("it is in the same directory");
    }
}

/// Dependencies by the compiler, objects side by side, the system's linker: as Lua's own, but
/// that one lists the dependencies by hand and is not in the package.
const MAKEFILE: &str = "\
CC = clang-19
CFLAGS = -O2 -DLUA_USE_LINUX
OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))

program: $(OBJECTS)
\t$(CC) -o $@ $(OBJECTS) -lm -ldl

%.o: %.c
\t$(CC) $(CFLAGS) -MMD -c -o $@ $<

-include $(OBJECTS:.o=.d)
";
