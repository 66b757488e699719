//! `-l` and `-L`: finds the library each name stands for, as a linker would.
//!
//! Owns the search in the `-L` directories, where a static archive may be what
//! is found; the system's own directories are the library's business.

use std::path::{Path, PathBuf};

use hotslot::{Runtime, Source};

use super::failure::Failure;

/// Opens every shared library and returns the static ones, with their paths as
/// module names, to be loaded with the program.
pub fn open(
    runtime: &Runtime,
    names: &[String],
    dirs: &[PathBuf],
) -> Result<Vec<(String, Source)>, Failure> {
    let mut archives: Vec<(String, Source)> = Vec::new();
    for name in names {
        match search(name, dirs) {
            Some(Found::Shared(path)) => {
                runtime.open_library(&path)?;
            }
            Some(Found::Static(path)) => {
                let module = path.display().to_string();
                // Named twice is no harm: members come in once, on demand.
                if archives.iter().all(|(known, _)| *known != module) {
                    archives.push((module, Source::from_path(&path)?.on_demand()));
                }
            }
            None => {
                runtime.find_library(name, dirs)?;
            }
        }
    }
    Ok(archives)
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Shared(PathBuf),
    Static(PathBuf),
}

/// The first directory that has the library in either form; there the shared
/// form wins.
fn search(name: &str, dirs: &[PathBuf]) -> Option<Found> {
    let file = |dir: &Path, ending: &str| {
        let path = dir.join(format!("lib{name}.{ending}"));
        path.is_file().then_some(path)
    };
    dirs.iter().find_map(|dir| {
        file(dir, "so")
            .map(Found::Shared)
            .or_else(|| file(dir, "a").map(Found::Static))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_directory_wins_and_shared_before_static() {
        let root = std::env::temp_dir().join(format!("hotslot-libraries-{}", std::process::id()));
        let (one, two) = (root.join("one"), root.join("two"));
        for (dir, files) in [
            (&one, &["liba.a"][..]),
            (&two, &["liba.so", "libb.a", "libb.so"]),
        ] {
            std::fs::create_dir_all(dir).unwrap();
            for file in files {
                std::fs::write(dir.join(file), "").unwrap();
            }
        }
        let dirs = [one.clone(), two.clone()];
        assert_eq!(search("a", &dirs), Some(Found::Static(one.join("liba.a"))));
        assert_eq!(search("b", &dirs), Some(Found::Shared(two.join("libb.so"))));
        assert_eq!(search("c", &dirs), None);
        std::fs::remove_dir_all(root).unwrap();
    }
}
