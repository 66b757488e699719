//! Where the source of a crate lies that Cargo has fetched but never builds.
//!
//! The packages are dev-dependencies of a target whose condition is never true, so they are
//! locked and downloaded, and `cargo metadata` knows their directories.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The directory of a crate's source. Panics with what to do when it is not there.
pub fn crate_dir(name: &str) -> &'static Path {
    static DIRS: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let dirs = DIRS.get_or_init(|| {
        // Offline answers at once when all is there. Downloading is the second try, because
        // a plain `cargo test` fetches only what it compiles.
        metadata(&["--offline"])
            .or_else(|_| metadata(&[]))
            .unwrap_or_else(|why| panic!("cargo metadata failed: {why}"))
    });
    dirs.get(name).unwrap_or_else(|| {
        panic!("the crate {name} is not in Cargo.lock: it must be a dev-dependency in Cargo.toml")
    })
}

fn metadata(extra: &[&str]) -> Result<HashMap<String, PathBuf>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .args(extra)
        .output()
        .map_err(|e| format!("cannot start cargo: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    let packages = json["packages"].as_array().ok_or("no packages in it")?;
    let dir_of = |package: &serde_json::Value| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        Some((package["name"].as_str()?.to_owned(), manifest.parent()?.to_owned()))
    };
    Ok(packages.iter().filter_map(dir_of).collect())
}

/// The one sub-directory of `dir` whose name starts with `prefix`: `lua-5.4.` finds `lua-5.4.9`.
pub fn sub_dir(dir: &Path, prefix: &str) -> PathBuf {
    let mut found: Vec<PathBuf> =
        entries(dir).into_iter().filter(|p| p.is_dir() && file_name(p).starts_with(prefix)).collect();
    assert!(found.len() == 1, "expected one {prefix}* in {}, found {found:?}", dir.display());
    found.remove(0)
}

/// All files directly in `dir` with this extension, sorted by name.
#[allow(dead_code)] // not every test has all files of a crate
pub fn files_in(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = entries(dir);
    files.retain(|p| p.extension().is_some_and(|e| e == extension));
    assert!(!files.is_empty(), "no *.{extension} in {}: did the crate change its layout?", dir.display());
    files
}

/// What is in `dir`, sorted.
pub fn entries(dir: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut paths: Vec<PathBuf> = read.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The last part of a path as text.
pub fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|n| n.to_str()).unwrap_or("")
}
