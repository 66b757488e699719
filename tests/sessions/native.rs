//! What a native build of the same sources answers.
//!
//! Each program has one copy of its files in which clang builds it, for all sessions of this test
//! binary: a unit is compiled once for every content of what it includes. Answers are kept by
//! the content of all files.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::disk;
use super::step::{Files, Save};
use super::subject::{Build, Subject};

/// The native world of one program.
pub struct Native {
    inner: Mutex<Inner>,
}

struct Inner {
    subject: Subject,
    scratch: tempfile::TempDir,
    on_disk: Files,
    answers: HashMap<u64, String>,
    /// By unit: what it read, a hash of that, the object.
    objects: HashMap<String, Vec<Object>>,
    made: usize,
}

struct Object {
    reads: Vec<String>,
    hash: u64,
    path: PathBuf,
}

impl Native {
    pub fn new(subject: Subject) -> Self {
        let scratch = super::scratch();
        fs::create_dir(scratch.path().join("tree")).unwrap();
        fs::create_dir(scratch.path().join("aside")).unwrap();
        disk::lay_out(&scratch.path().join("tree"), &subject.files);
        let on_disk = subject.files.clone();
        let (answers, objects) = (HashMap::new(), HashMap::new());
        Self { inner: Mutex::new(Inner { subject, scratch, on_disk, answers, objects, made: 0 }) }
    }

    /// What the program made of these files answers to its first `do`, without the count of
    /// turns.
    pub fn answer(&self, files: &Files) -> String {
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = hash(files);
        if let Some(answer) = inner.answers.get(&key) {
            return answer.clone();
        }
        let program = inner.build(files);
        let answer = inner.run(&program);
        inner.answers.insert(key, answer.clone());
        answer
    }
}

impl Inner {
    fn build(&mut self, files: &Files) -> PathBuf {
        let tree = self.scratch.path().join("tree");
        if self.on_disk != *files {
            let aside = self.scratch.path().join("aside");
            disk::save(&tree, &aside, &self.on_disk, files, Save::Rename);
        }
        self.on_disk = files.clone();
        match self.subject.build.clone() {
            Build::Units { units, flags, libraries } => {
                let objects: Vec<PathBuf> = self.compile(&units, &flags);
                let program = self.scratch.path().join("program");
                let mut link = Command::new("clang-19");
                link.args(&objects).args(&libraries).arg("-pthread").arg("-o").arg(&program);
                checked(&mut link);
                program
            }
            Build::CMake { target } => {
                let build = self.scratch.path().join("build");
                // Later the build itself sees whether the project has changed.
                if !build.is_dir() {
                    let mut configure = Command::new("cmake");
                    configure.arg("-S").arg(&tree).arg("-B").arg(&build).args(super::subject::CMAKE);
                    checked(&mut configure);
                }
                checked(Command::new("cmake").arg("--build").arg(&build).args(["--target", target, "-j2"]));
                super::subject::built(&build, target)
            }
        }
    }

    fn compile(&mut self, units: &[String], flags: &[String]) -> Vec<PathBuf> {
        let tree = self.scratch.path().join("tree");
        let mut result: Vec<Option<PathBuf>> = Vec::new();
        let mut running = Vec::new();
        for unit in units {
            let known = self.objects.get(unit).into_iter().flatten();
            let known = known.into_iter().find(|object| object.hash == self.hash_of(&object.reads));
            result.push(known.map(|object| object.path.clone()));
            if known.is_some() {
                continue;
            }
            self.made += 1;
            let object = self.scratch.path().join(format!("{}.o", self.made));
            let mut command = Command::new("clang-19");
            command.args(["-O0", "-w", "-c", "-MD"]).args(flags).arg("-o").arg(&object).arg(unit);
            command.current_dir(&tree).stderr(Stdio::piped());
            running.push((unit, object, command.spawn().expect("clang-19 is installed")));
            // Two at once.
            if running.len() > 1 {
                let (unit, object, child) = running.remove(0);
                self.compiled(unit, object, child);
            }
        }
        for (unit, object, child) in running {
            self.compiled(unit, object, child);
        }
        let newest = |unit: &String| self.objects[unit].last().unwrap().path.clone();
        units.iter().zip(result).map(|(unit, found)| found.unwrap_or_else(|| newest(unit))).collect()
    }

    fn compiled(&mut self, unit: &str, object: PathBuf, child: std::process::Child) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{unit}:\n{}", String::from_utf8_lossy(&output.stderr));
        let rule = fs::read_to_string(object.with_extension("d")).unwrap();
        let reads = rule.replace("\\\n", " ");
        let reads = reads.split_whitespace().skip(1).filter(|path| !path.starts_with('/'));
        // What the compiler has found by `..` is the same file.
        let reads: Vec<String> = reads.map(normal).collect();
        let hash = self.hash_of(&reads);
        self.objects.entry(unit.to_owned()).or_default().push(Object { reads, hash, path: object });
    }

    fn hash_of(&self, reads: &[String]) -> u64 {
        hash(&reads.iter().map(|path| self.on_disk.get(path)).collect::<Vec<_>>())
    }

    fn run(&self, program: &PathBuf) -> String {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).env("LC_ALL", "C");
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"do\nquit\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "natively: {}", output.status);
        let text = String::from_utf8(output.stdout).unwrap();
        let text = text.strip_prefix("turn 1\nkept 1\n").and_then(|text| text.strip_suffix(".\n.\n"));
        text.expect("a native program has no past").to_owned()
    }
}

/// A path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if !parts.is_empty() => _ = parts.pop(),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn checked(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&text));
}
