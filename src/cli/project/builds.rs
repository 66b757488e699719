//! Where a build system says how its programs are linked.
//!
//! Owns finding these command lines: the `link.txt` files that CMake writes for make, and what
//! Ninja answers. What is in them is read in [`super::link`].

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::failure::Failure;
use super::link::{self, Link};

/// What is known of linking.
#[derive(Debug, Default)]
pub struct Builds {
    pub links: Vec<Link>,
    /// What that is known from.
    pub files: Vec<PathBuf>,
    /// What builds the project.
    pub tool: String,
}

/// What the build directory says; nothing where it is neither CMake's nor Ninja's. What Ninja does
/// not build unasked it is asked for by the name of the `target`.
pub fn find(folder: &Path, target: Option<&str>) -> Result<Builds, Failure> {
    let mut builds = Builds::default();
    let cmake = folder.join("CMakeCache.txt").is_file();
    if cmake {
        builds.tool = format!("cmake --build {}", folder.display());
        of_make(folder, &mut builds);
    }
    let ninja = folder.join("build.ninja");
    if builds.links.is_empty() && ninja.is_file() {
        if !cmake {
            builds.tool = format!("ninja -C {}", folder.display());
        }
        builds.links = of_ninja(folder, &[])?;
        let name = target.filter(|name| !builds.links.iter().any(|link| link.is_called(name, folder)));
        if let Some(name) = name {
            // That there is no such target is said later, with those that there are.
            builds.links.extend(of_ninja(folder, &[name]).unwrap_or_default());
        }
        builds.files.push(ninja);
    }
    Ok(builds)
}

impl Link {
    /// Whether the user can mean it by this name.
    pub fn is_called(&self, name: &str, folder: &Path) -> bool {
        self.target.as_deref() == Some(name)
            || self.output.file_name().is_some_and(|file| file == name)
            || self.output == folder.join(name)
            || std::path::absolute(name).is_ok_and(|path| path == self.output)
    }
}

/// CMake lists the folders of all targets, in each of which is the target's command.
fn of_make(folder: &Path, builds: &mut Builds) {
    let list = folder.join("CMakeFiles/TargetDirectories.txt");
    for place in std::fs::read_to_string(&list).unwrap_or_default().lines() {
        let place = folder.join(place);
        let file = place.join("link.txt");
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        // `sub/CMakeFiles/name.dir`: commands run in `sub`.
        let Some(directory) = place.parent().and_then(Path::parent) else { continue };
        let name = place.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
        let links = link::read(&text, directory);
        builds.links.extend(links.into_iter().map(|link| Link { target: name.clone(), ..link }));
        builds.files.push(file);
    }
}

/// All commands that build the targets, or all of the default targets, are printed.
fn of_ninja(folder: &Path, targets: &[&str]) -> Result<Vec<Link>, Failure> {
    let name = folder.join("build.ninja");
    let failed = |what: String| Failure::new(format!("{}: {what}", name.display()));
    let mut command = Command::new("ninja");
    command.arg("-C").arg(folder).args(["-t", "commands"]).args(targets).stdin(Stdio::null());
    let output = command.output().map_err(|error| {
        failed(format!("cannot start ninja, which says how programs are linked: {error}"))
            .hint("install ninja (apt install ninja-build), or give the link command with --link")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("ninja -t commands failed: {}", said.trim())));
    }
    Ok(link::read(&String::from_utf8_lossy(&output.stdout), folder))
}
