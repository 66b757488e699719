//! What hotslot is compared with: clang's front end alone, and a native build with a restart.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::edits::Edit;
use crate::program::Program;
use crate::tree::{self, Tree};

/// The front end to its end.
pub const CHECK: &[&str] = &["-fsyntax-only"];

/// The front end up to LLVM's code, unoptimised, which is what a JIT needs of it.
pub const EMIT: &[&str] = &["-c", "-emit-llvm", "-Xclang", "-disable-llvm-passes", "-o", "/dev/null"];

/// How long clang takes for one file, in milliseconds.
pub fn front_end(tree: &Tree, file: &Path, how: &[&str]) -> f64 {
    let begun = Instant::now();
    let mut command = Command::new("clang-19");
    command.args(tree::FLAGS).args(how).arg(file).current_dir(tree.path()).stdin(Stdio::null());
    let status = command.status().expect("clang-19 is installed: apt install clang-19");
    assert!(status.success(), "{command:?} failed");
    begun.elapsed().as_secs_f64() * 1e3
}

/// How long it takes for all files, as many at once as there are processors.
pub fn front_end_of_all(tree: &Tree, how: &[&str]) -> f64 {
    let files = tree.units();
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..processors() {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    front_end(tree, file, how);
                }
            });
        }
    });
    begun.elapsed().as_secs_f64() * 1e3
}

/// The cores there are.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A tree that make builds, and the program that runs from it.
pub struct Made {
    tree: Tree,
    program: Option<Program>,
}

impl Made {
    /// Builds all of it.
    pub fn new() -> Self {
        let made = Self { tree: Tree::new(), program: None };
        make(&made.tree);
        made
    }

    /// From the save to the first answer of the program that was started anew, in milliseconds,
    /// and how much of that make took.
    pub fn edit(&mut self, edit: &Edit, original: &str) -> (f64, f64) {
        if self.program.is_none() {
            self.restart(edit);
        }
        let (text, number) = self.tree.next(edit, original);
        let aside = self.tree.write_aside(&text);
        let begun = Instant::now();
        aside.replace(edit.file);
        make(&self.tree);
        let built = begun.elapsed().as_secs_f64() * 1e3;
        self.restart(edit);
        let program = self.program.as_ref().expect("it was just started");
        ((program.wait_for(number) - begun).as_secs_f64() * 1e3, built)
    }

    /// The old program ends before the new one starts.
    fn restart(&mut self, edit: &Edit) {
        self.program = None;
        let mut program = Program::start(&mut Command::new(self.tree.path().join("program")));
        program.ask(edit.index, edit.script);
        self.program = Some(program);
    }
}

fn make(tree: &Tree) {
    let mut command = Command::new("make");
    command.args(["-s", "-j", &processors().to_string()]).current_dir(tree.path()).stdin(Stdio::null());
    let status = command.status().expect("make is installed: apt install make");
    assert!(status.success(), "make failed");
}
