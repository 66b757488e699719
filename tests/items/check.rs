//! Carries out one item: compile, link natively, run both, compare. It knows compilers and
//! hotslot's command line, and nothing of the single items.
//!
//! Compiled files are kept under `CARGO_TARGET_TMPDIR/items`, in a directory named by a hash of
//! everything they depend on, so a second run compiles nothing.
//! `HOTSLOT_TEST_SELF=1` runs a second native link in the place of hotslot: it checks the
//! fixtures themselves.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsString;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::item::{Expect, Family, Form, Item};
use super::outcome::{self, Outcome, is_error, same};

/// Checks `item` in every variant of `family` and in both forms of calls, and panics with all
/// that went wrong.
pub fn check(item: &Item, family: &Family) {
    let mut wrong = Vec::new();
    let variants = family.variants.unwrap_or(item.variants);
    for variant in variants {
        let flags: Vec<&str> = variant.iter().chain(item.also).copied().collect();
        let build = Build::new(item, family, &flags);
        if let Err(text) = build.check() {
            wrong.push(format!("[{} {}]\n{text}", family.cc, flags.join(" ")));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} variants of {:?} are wrong\n{}",
        wrong.len(),
        variants.len(),
        item.dir,
        wrong.join("\n")
    );
}

/// One item compiled with one list of flags.
pub struct Build<'a> {
    item: &'a Item,
    family: &'a Family,
    flags: &'a [&'a str],
    source: PathBuf,
    out: PathBuf,
    files: Vec<String>,
}

impl<'a> Build<'a> {
    pub fn new(item: &'a Item, family: &'a Family, flags: &'a [&'a str]) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/items").join(item.dir);
        let mut all: Vec<String> = fs::read_dir(&source)
            .unwrap_or_else(|e| panic!("{}: {e}", source.display()))
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        all.sort();
        let mut key = DefaultHasher::new();
        (family.name, flags, item.native_link, item.libs, item.files, item.archived).hash(&mut key);
        for name in &all {
            (name, fs::read(source.join(name)).unwrap()).hash(&mut key);
        }
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("items").join(item.dir).join(format!(
            "{}-{:016x}",
            family.name,
            key.finish()
        ));
        fs::create_dir_all(&out).unwrap();
        let files = if item.files.is_empty() {
            all.retain(|name| !name.ends_with(".h") && !item.archived.contains(&name.as_str()));
            all
        } else {
            item.files.iter().map(|name| name.to_string()).collect()
        };
        Build { item, family, flags, source, out, files }
    }

    fn check(&self) -> Result<(), String> {
        let own = if self_test() { None } else { Some(self.inputs()?) };
        let native = match self.item.expect {
            Expect::Error(_) => None,
            _ => {
                let native = self.run_native("native", &[])?;
                if native.end != self.item.end {
                    return Err(format!("the native program ended with {}", native.tell()));
                }
                Some(native)
            }
        };
        let Some(inputs) = own else {
            return match native {
                Some(native) => same(&native, &self.run_native("again", &["-Wl,-z,now"])?),
                None => match self.link("native", &[]) {
                    Err(_) => Ok(()),
                    Ok(_) => Err("links natively, and should not".into()),
                },
            };
        };
        let mut wrong = Vec::new();
        for calls in ["slot", "stub"] {
            let got = self.run_hotslot(calls, &inputs)?;
            let verdict = match (self.item.expect, &native) {
                (Expect::Error(words), _) => is_error(&got, words),
                (Expect::NativeOrError(words), Some(native)) => {
                    same(native, &got).or_else(|_| is_error(&got, words))
                }
                (_, Some(native)) => same(native, &got),
                (_, None) => unreachable!("only an expected error has no native program"),
            };
            if let Err(text) = verdict {
                wrong.push(format!("--calls {calls}: {text}"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// The files hotslot is given, compiled.
    pub fn inputs(&self) -> Result<Vec<PathBuf>, String> {
        let forms = if self.item.forms.is_empty() { self.family.forms } else { self.item.forms };
        let mut inputs = Vec::new();
        for (i, name) in self.files.iter().enumerate() {
            inputs.push(self.compile(name, forms[i % forms.len()])?);
        }
        if !self.item.archived.is_empty() {
            inputs.push(self.archive()?);
        }
        Ok(inputs)
    }

    fn compile(&self, name: &str, form: Form) -> Result<PathBuf, String> {
        let assembly = name.ends_with(".s");
        let (suffix, extra): (_, &[&str]) = match form {
            _ if assembly => (".o", &[]),
            Form::Source => return Ok(self.source.join(name)),
            Form::Object => (".o", &[]),
            Form::Bitcode => (".bc", &["-emit-llvm"]),
            Form::Text => (".ll", &["-emit-llvm", "-S"]),
        };
        self.cached(&format!("{name}{suffix}"), |out| {
            let mut command = Command::new(self.driver(name));
            command.current_dir(&self.source).arg("-w");
            if !assembly {
                command.args(self.flags);
            }
            if !extra.contains(&"-S") {
                command.arg("-c");
            }
            command.args(extra).arg("-o").arg(out).arg(name);
            command
        })
    }

    fn archive(&self) -> Result<PathBuf, String> {
        let members = self.item.archived.iter().map(|name| self.compile(name, Form::Object));
        let members: Vec<PathBuf> = members.collect::<Result<_, _>>()?;
        self.cached("libparts.a", |out| {
            let mut command = Command::new("ar");
            command.arg("rcs").arg(out).args(&members);
            command
        })
    }

    fn link(&self, name: &str, flags: &[&str]) -> Result<PathBuf, String> {
        let mut objects = Vec::new();
        for file in &self.files {
            objects.push(self.compile(file, Form::Object)?);
        }
        if !self.item.archived.is_empty() {
            objects.push(self.archive()?);
        }
        let cxx = self.files.iter().find(|file| file.ends_with(".cc"));
        self.cached(name, |out| {
            let mut command = Command::new(self.driver(cxx.map_or("", String::as_str)));
            command.arg("-o").arg(out).args(&objects).args(flags).args(self.item.native_link);
            command.args(self.item.libs.iter().map(|lib| format!("-l{lib}")));
            command
        })
    }

    fn driver(&self, name: &str) -> &'static str {
        if name.ends_with(".cc") { self.family.cxx } else { self.family.cc }
    }

    /// Makes `name` with the command unless it is there. Another test may make the same file
    /// at the same time, so it appears by a rename.
    fn cached(&self, name: &str, make: impl Fn(&Path) -> Command) -> Result<PathBuf, String> {
        let path = self.out.join(name);
        if path.exists() {
            return Ok(path);
        }
        let unfinished = self.out.join(format!("{}-{name}", unique()));
        let mut command = make(&unfinished);
        let output = command.output().map_err(|e| format!("cannot run {command:?}: {e}"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{command:?} failed\n{text}"));
        }
        fs::rename(&unfinished, &path).map_err(|e| e.to_string())?;
        Ok(path)
    }

    fn run_native(&self, name: &str, flags: &[&str]) -> Result<Outcome, String> {
        let program = self.link(name, flags)?;
        let argv0 = self.item.same_argv0.then_some("program");
        self.run(&program, argv0, self.item.args.iter().map(OsString::from).collect())
    }

    /// Runs hotslot on `inputs`.
    pub fn run_hotslot(&self, calls: &str, inputs: &[PathBuf]) -> Result<Outcome, String> {
        let mut args: Vec<OsString> = vec!["run".into(), "--calls".into(), calls.into()];
        args.extend(self.item.hotslot.iter().map(OsString::from));
        if self.item.same_argv0 {
            args.extend(["--argv0".into(), "program".into()]);
        }
        for lib in self.item.libs {
            args.extend(["-l".into(), lib.into()]);
        }
        args.extend(inputs.iter().map(OsString::from));
        if !self.item.args.is_empty() {
            args.push("--".into());
            args.extend(self.item.args.iter().map(OsString::from));
        }
        self.run(Path::new(env!("CARGO_BIN_EXE_hotslot")), None, args)
    }

    fn run(&self, program: &Path, argv0: Option<&str>, args: Vec<OsString>) -> Result<Outcome, String> {
        let mut command = Command::new(program);
        command.args(args).env("HOTSLOT_CACHE_DIR", "none").envs(self.item.env.iter().copied());
        if let Some(argv0) = argv0 {
            command.arg0(argv0);
        }
        outcome::run(command, &self.out, &unique(), self.item.stdin)
    }
}

/// Whether hotslot is replaced by a second native link.
pub fn self_test() -> bool {
    std::env::var_os("HOTSLOT_TEST_SELF").is_some_and(|value| value == "1")
}

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("tmp{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
