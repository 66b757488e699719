//! What a compiler driver adds to a link: `-l` libraries, and those it adds unasked.
//!
//! Owns the list of the latter; how a library is found is the hotslot library's business.

use std::path::PathBuf;

use hotslot::{Source, Update};

use super::failure::Failure;

/// The libraries every program gets after its own, as from `c++`; a system without C++
/// has not all of them.
const ALWAYS: &[&str] = &["stdc++", "m", "gcc_s", "c"];

/// Adds the user's libraries, then the usual ones.
pub fn add<'a>(
    update: &mut Update<'_>,
    names: impl Iterator<Item = &'a String>,
    dirs: &[PathBuf],
) -> Result<(), Failure> {
    for name in names {
        update.library(name, dirs)?;
    }
    for name in ALWAYS {
        match update.library(name, &[]) {
            Ok(_) => {}
            Err(error) if *name == "c" => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(())
}

/// The static library of the system's C compiler, newest first, as a module.
pub fn compiler_support() -> Option<(String, Source)> {
    let targets = std::fs::read_dir("/usr/lib/gcc").ok()?.flatten();
    let versions =
        targets.flat_map(|target| std::fs::read_dir(target.path()).into_iter().flatten().flatten());
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let path = version.path().join("libgcc.a");
            let number = version.file_name().to_str()?.split('.').next()?.parse().ok()?;
            path.is_file().then_some((number, path))
        })
        .collect();
    found.sort();
    let (_, path) = found.pop()?;
    let source = Source::from_path(&path).ok()?.on_demand();
    Some((path.display().to_string(), source))
}
