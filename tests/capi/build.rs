//! The library as a host links it, and hosts that are linked with it.
//!
//! The library is built once a test process, by the Cargo that runs the test, in its own target
//! directory and profile: its dependencies are there already.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// What is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Shared,
    Static,
}

pub const KINDS: [Kind; 2] = [Kind::Shared, Kind::Static];

/// The warnings that hosts are compiled with.
pub const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];

pub struct Library {
    /// Where `libhotslot.so` and `libhotslot.a` are.
    pub folder: PathBuf,
    /// What the static one has to be linked with.
    pub native: Vec<String>,
}

/// A path in the repository.
pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A new path for a result.
pub fn result(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("capi");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// Runs a command, which must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

pub fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(build)
}

fn build() -> Library {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    // This test is in `PROFILE/deps`.
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().unwrap().parent().unwrap().file_name().unwrap().to_str().unwrap();
    let mut features = vec!["capi"];
    for (on, feature) in [
        (cfg!(feature = "llvm18-1"), "llvm18-1"),
        (cfg!(feature = "llvm19-1"), "llvm19-1"),
        (cfg!(feature = "llvm20-1"), "llvm20-1"),
    ] {
        features.extend(on.then_some(feature));
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["rustc", "--lib", "--crate-type", "cdylib,staticlib", "--no-default-features"])
        .args([
            "--features",
            &features.join(","),
            "--profile",
            if profile == "debug" { "dev" } else { profile },
        ])
        .arg("--target-dir")
        .arg(target)
        .args(["--", "--print", "native-static-libs"]);
    let said = run(&mut cargo).stderr;
    let said = String::from_utf8(said).unwrap();
    let native = said.split_once("native-static-libs: ").expect("rustc says them").1;
    let native = native.lines().next().unwrap().split(' ').map(str::to_owned).collect();
    Library { folder: target.join(profile), native }
}

/// Compiles and links `sources` with the library; the path of the program.
pub fn host(compiler: &str, flags: &[&str], sources: &[&str], kind: Kind) -> PathBuf {
    let Library { folder, native } = library();
    let name = Path::new(sources[0]).file_stem().unwrap().to_string_lossy();
    let folder_of = Path::new(sources[0]).parent().unwrap().file_name().unwrap().to_string_lossy();
    let program = result(&format!("{folder_of}-{name}-{compiler}-{kind:?}"));
    let mut command = Command::new(compiler);
    command.args(WARNINGS).args(flags).args(["-g", "-O1", "-rdynamic", "-pthread"]);
    command.arg("-I").arg(source("include")).arg("-I").arg(source("tests/capi"));
    command.args(sources.iter().map(|path| source(path))).arg("-o").arg(&program);
    match kind {
        Kind::Shared => {
            command.arg("-L").arg(folder).arg("-l:libhotslot.so");
            command.arg(format!("-Wl,-rpath,{}", folder.display()));
        }
        Kind::Static => {
            // Where LLVM is: build scripts know, and rustc says only names.
            let prefix = std::env::var("LLVM_SYS_191_PREFIX").unwrap_or("/usr/lib/llvm-19".into());
            command.arg(folder.join("libhotslot.a")).arg(format!("-L{prefix}/lib")).args(native);
        }
    }
    run(&mut command);
    program
}
