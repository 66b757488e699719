//! From the C files of Lua to LLVM bitcode.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::{Result, check};

/// Where the sources of Lua 5.4 are: in a crate that Cargo has fetched, and never builds.
pub fn lua_directory() -> Result<PathBuf> {
    let metadata = |extra: &[&str]| -> Result<serde_json::Value> {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["metadata", "--format-version=1", "--manifest-path", manifest]).args(extra);
        Ok(serde_json::from_slice(&output(command.stderr(Stdio::piped()))?)?)
    };
    // Cargo fetches what it does not have yet.
    let metadata = metadata(&["--offline"]).or_else(|_| metadata(&[]))?;
    let package = metadata["packages"].as_array().and_then(|all| all.iter().find(|p| p["name"] == "lua-src"));
    let manifest = package.and_then(|p| p["manifest_path"].as_str()).ok_or("there is no crate lua-src")?;
    let versions = Path::new(manifest).parent().ok_or("a manifest is in a directory")?.read_dir()?;
    let mut found = versions.filter_map(|entry| Some(entry.ok()?.path()));
    let is_5_4 = |path: &PathBuf| path.to_string_lossy().contains("/lua-5.4.");
    Ok(found.find(is_5_4).ok_or("the crate lua-src has no Lua 5.4")?)
}

/// The C files in `directory`, sorted.
pub fn c_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)?.map(|e| Ok(e?.path())).collect::<Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "c"));
    files.sort();
    Ok(files)
}

/// C to bitcode: clang without LLVM's passes, which the runtime runs.
pub fn front_end(text: Vec<u8>, include: &Path) -> Result<Vec<u8>> {
    let mut command = Command::new("clang-19");
    command.args(["-c", "-emit-llvm", "-O2", "-Xclang", "-disable-llvm-passes"]);
    command.args(["-fPIC", "-fsemantic-interposition", "-DLUA_USE_LINUX", "-I"]).arg(include);
    command.args(["-x", "c", "-", "-o", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut clang = command.spawn().map_err(|e| format!("cannot start clang-19: {e}"))?;
    let mut stdin = clang.stdin.take().ok_or("clang has no stdin")?;
    // clang writes its output only when it has read its input, so this cannot block for ever.
    stdin.write_all(&text)?;
    drop(stdin);
    let output = clang.wait_with_output()?;
    check(output.status.success(), || "clang-19 failed, see above".into())?;
    Ok(output.stdout)
}

/// The front end for all files, as many at a time as there are processors.
pub fn front_end_all(files: &[PathBuf], include: &Path) -> Result<Vec<Vec<u8>>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(vec![Vec::new(); files.len()]));
    let work = || -> Result<()> {
        while let Some((index, file)) = files.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
            let bitcode = front_end(fs::read(file)?, include)?;
            done.lock().map_err(|_| "a thread died")?[index] = bitcode;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread died")?)
    })?;
    Ok(done.into_inner().map_err(|_| "a thread died")?)
}

/// Runs a command and returns what it wrote.
fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output()?;
    check(output.status.success(), || format!("{command:?} failed"))?;
    Ok(output.stdout)
}
