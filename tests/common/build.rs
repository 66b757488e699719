//! Turns a program into the sets of files that the tests hand to hotslot, and into the native
//! executable they are compared with.
//!
//! Each set has its own directory under Cargo's temporary directory. Its name carries a hash of
//! all that went in, so a set is built once and again only when an input changed; it is built
//! aside and renamed into place, so a killed or a second test process cannot leave half of one.
//! This file does not know how anything is run.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use super::crates::{entries, file_name};
use super::programs::Program;

/// The compilers of the reference and of clang's files.
pub const CLANG: [&str; 2] = ["clang-19", "clang++-19"];
/// The compilers of gcc's files.
pub const GCC: [&str; 2] = ["gcc", "g++"];

/// What one source file of a variant becomes.
#[derive(Clone, Copy)]
pub enum Form {
    /// Stays C or C++: hotslot compiles it.
    Source,
    /// LLVM bitcode from clang with these flags.
    Bitcode(&'static str),
    /// An ELF object from clang or gcc (C compiler, C++ compiler) with these flags.
    Object([&'static str; 2], &'static str),
    /// Like `Object`, all of them together in one static archive.
    Archived([&'static str; 2], &'static str),
}

/// A way to make a program into files.
pub struct Variant {
    /// Name of the test and of the cache directory.
    pub name: &'static str,
    /// The forms to use, file by file in turn.
    pub forms: &'static [Form],
    /// Replace -O2 by the program's lighter level, in the files and in hotslot.
    pub lighter: bool,
}

/// A built variant.
pub struct FileSet {
    /// The directory that holds what was built.
    pub dir: PathBuf,
    /// The files for hotslot, in link order.
    pub files: Vec<PathBuf>,
    /// The sources among them need these flags.
    pub source_flags: Vec<String>,
    /// The level for hotslot's own code generation.
    pub level: &'static str,
}

impl Variant {
    fn level(&self, program: &Program) -> &'static str {
        if self.lighter { program.lighter } else { "-O2" }
    }

    /// True when hotslot only links: a run then costs little and all cases can be tried.
    pub fn is_precompiled(&self) -> bool {
        let only_linked = |f: &Form| matches!(f, Form::Object(..) | Form::Archived(..));
        self.forms.iter().all(only_linked)
    }
}

/// Macros and include directories of a program, as compiler flags.
pub fn program_flags(program: &Program) -> Vec<String> {
    let defines = program.defines.iter().map(|d| format!("-D{d}"));
    let includes = program.includes.iter().map(|d| format!("-I{}", d.display()));
    defines.chain(includes).collect()
}

/// Builds a variant, or finds it built.
pub fn file_set(program: &Program, variant: &Variant) -> FileSet {
    let level = variant.level(program);
    let flags = program_flags(program);
    let mut plan = Vec::new();
    let mut files = Vec::new();
    let mut archived = Vec::new();
    for (index, source) in program.sources.iter().enumerate() {
        let form = variant.forms[index % variant.forms.len()];
        // The index keeps files of the same name in different directories apart.
        let stem = source.file_stem().unwrap().to_str().unwrap();
        let (extension, compilers, own_flags) = match form {
            Form::Source => {
                files.push(source.clone());
                continue;
            }
            Form::Bitcode(own_flags) => ("bc", CLANG, own_flags),
            Form::Object(compilers, own_flags) | Form::Archived(compilers, own_flags) => {
                ("o", compilers, own_flags)
            }
        };
        let output = format!("{index:02}_{stem}.{extension}");
        match form {
            Form::Archived(..) => archived.push(output.clone()),
            _ => files.push(output.clone().into()),
        }
        let own_flags = own_flags.replace("-O2", level);
        plan.push(Step {
            compiler: compilers[usize::from(is_cpp(source))],
            flags: own_flags.split_whitespace().map(str::to_owned).collect(),
            source: source.clone(),
            output,
        });
    }
    if !archived.is_empty() {
        files.push("members.a".into());
    }
    let key = key(program, &flags, &plan);
    let dir = cached(program.name, variant.name, key, |dir| {
        compile_all(dir, &flags, &plan);
        if !archived.is_empty() {
            checked(Command::new("ar").arg("rcs").arg("members.a").args(&archived).current_dir(dir));
        }
    });
    FileSet {
        // Joining an absolute path gives that path, so sources stay where they are.
        files: files.iter().map(|f| dir.join(f)).collect(),
        dir,
        source_flags: flags,
        level,
    }
}

/// Builds the program natively with clang -O2, or finds it built.
pub fn reference(program: &Program) -> PathBuf {
    let flags = program_flags(program);
    let plan: Vec<Step> = (program.sources.iter().enumerate())
        .map(|(index, source)| Step {
            compiler: CLANG[usize::from(is_cpp(source))],
            flags: vec!["-O2".into()],
            source: source.clone(),
            output: format!("{index:02}.o"),
        })
        .collect();
    let key = key(program, &flags, &plan);
    let dir = cached(program.name, "reference", key, |dir| {
        compile_all(dir, &flags, &plan);
        let objects: Vec<PathBuf> = plan.iter().map(|s| dir.join(&s.output)).collect();
        link(&objects, program.libs, &dir.join("program"));
    });
    dir.join("program")
}

/// Links a variant's files natively: the way to try the variants without hotslot.
pub fn native_from(program: &Program, set: &FileSet) -> PathBuf {
    let out = set.dir.join("linked-natively");
    if out.exists() {
        return out;
    }
    // The C++ driver would take C for C++, so sources are compiled first.
    let aside = set.dir.join(format!("native-{}", std::process::id()));
    std::fs::create_dir_all(&aside).unwrap();
    let mut plan = Vec::new();
    let mut files = Vec::new();
    for (index, file) in set.files.iter().enumerate() {
        if matches!(file.extension().and_then(|e| e.to_str()), Some("c" | "cpp")) {
            plan.push(Step {
                compiler: CLANG[usize::from(is_cpp(file))],
                flags: vec![set.level.into(), "-fPIC".into()],
                source: file.clone(),
                output: format!("{index:02}.o"),
            });
            files.push(aside.join(format!("{index:02}.o")));
        } else {
            files.push(file.clone());
        }
    }
    compile_all(&aside, &set.source_flags, &plan);
    let made = aside.join("program");
    link(&files, program.libs, &made);
    std::fs::rename(&made, &out).unwrap();
    let _ = std::fs::remove_dir_all(&aside);
    out
}

struct Step {
    compiler: &'static str,
    flags: Vec<String>,
    source: PathBuf,
    output: String,
}

fn is_cpp(source: &Path) -> bool {
    source.extension().is_some_and(|e| e == "cpp")
}

fn compile_all(dir: &Path, flags: &[String], plan: &[Step]) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(step) = plan.get(next.fetch_add(1, Ordering::Relaxed)) {
            let _permit = Permit::take();
            let emit_llvm = step.output.ends_with(".bc").then_some("-emit-llvm");
            let mut command = Command::new(step.compiler);
            command.args(&step.flags).args(emit_llvm).args(flags);
            command.args(["-w", "-c", "-o"]).arg(dir.join(&step.output)).arg(&step.source);
            checked(&mut command);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..processors().min(plan.len()) {
            scope.spawn(work);
        }
    });
}

fn link(files: &[PathBuf], libs: &[&str], out: &Path) {
    let _permit = Permit::take();
    let mut command = Command::new(CLANG[1]);
    command.arg("-O2").arg("-Wl,--whole-archive").args(files).arg("-Wl,--no-whole-archive");
    command.args(libs.iter().map(|l| format!("-l{l}")));
    checked(command.arg("-o").arg(out));
}

fn checked(command: &mut Command) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|e| {
        panic!("cannot start {program}: {e}. Install it: apt-get install clang-19 gcc g++ binutils")
    });
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// As many compilers at once as there are processors, over all threads of the test binary.
struct Permit;

static FREE: (Mutex<Option<usize>>, Condvar) = (Mutex::new(None), Condvar::new());

impl Permit {
    fn take() -> Permit {
        let mut free = FREE.0.lock().unwrap();
        while *free.get_or_insert_with(processors) == 0 {
            free = FREE.1.wait(free).unwrap();
        }
        *free = free.map(|n| n - 1);
        Permit
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut free = FREE.0.lock().unwrap();
        *free = free.map(|n| n + 1);
        FREE.1.notify_one();
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Where this test binary keeps what it builds.
pub fn cache_root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs")
}

fn cached(program: &str, name: &str, key: u64, build: impl FnOnce(&Path)) -> PathBuf {
    let parent = cache_root().join(program);
    let dir = parent.join(format!("{name}-{key:016x}"));
    // Two tests may want the same set; the second waits for it.
    static BEING_BUILT: Mutex<Vec<(String, Arc<Mutex<()>>)>> = Mutex::new(Vec::new());
    let lock = {
        let mut all = BEING_BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        let path = dir.display().to_string();
        let known = all.iter().find(|(of, _)| *of == path).map(|(_, lock)| lock.clone());
        known.unwrap_or_else(|| {
            all.push((path, Arc::default()));
            all[all.len() - 1].1.clone()
        })
    };
    let _alone = lock.lock().unwrap_or_else(PoisonError::into_inner);
    if dir.exists() {
        return dir;
    }
    let aside = parent.join(format!("{name}-new-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&aside);
    std::fs::create_dir_all(&aside).unwrap();
    build(&aside);
    // What other inputs made under this name is of no use any more.
    for old in entries(&parent) {
        let hash = file_name(&old).strip_prefix(name).and_then(|r| r.strip_prefix('-'));
        if hash.is_some_and(|h| h.len() == 16 && h.bytes().all(|b| b.is_ascii_hexdigit())) {
            let _ = std::fs::remove_dir_all(&old);
        }
    }
    // Another process may have been first; its set is as good.
    if std::fs::rename(&aside, &dir).is_err() {
        let _ = std::fs::remove_dir_all(&aside);
    }
    assert!(dir.exists(), "cannot create {}", dir.display());
    dir
}

fn key(program: &Program, flags: &[String], plan: &[Step]) -> u64 {
    let mut hasher = DefaultHasher::new();
    flags.hash(&mut hasher);
    program.sources.hash(&mut hasher);
    program.libs.hash(&mut hasher);
    for step in plan {
        (compiler_version(step.compiler), &step.flags, &step.output).hash(&mut hasher);
    }
    hash_tree(&program.own_dir, &mut hasher);
    hasher.finish()
}

fn hash_tree(dir: &Path, hasher: &mut DefaultHasher) {
    for path in entries(dir) {
        if path.is_dir() {
            hash_tree(&path, hasher);
        } else {
            path.hash(hasher);
            std::fs::read(&path).unwrap().hash(hasher);
        }
    }
}

/// First line of `--version`; a new compiler means new files.
fn compiler_version(compiler: &'static str) -> &'static str {
    static VERSIONS: OnceLock<Mutex<Vec<(&str, &str)>>> = OnceLock::new();
    let mut versions = VERSIONS.get_or_init(Mutex::default).lock().unwrap();
    if let Some((_, version)) = versions.iter().find(|(c, _)| *c == compiler) {
        return version;
    }
    let output = Command::new(compiler).arg("--version").output();
    let mut version = String::new();
    match output {
        Ok(output) => version.push_str(&String::from_utf8_lossy(&output.stdout)),
        // Building says what is missing.
        Err(error) => write!(version, "{error}").unwrap(),
    }
    let version: &'static str = version.leak();
    versions.push((compiler, version));
    version
}
