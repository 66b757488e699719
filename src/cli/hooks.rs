//! `hotslot.h` for the programs that `hotslot run` compiles, and their hooks.
//!
//! Owns the folder that the header is found in, `hotslot header`, and where the rest of the
//! command finds the hooks of the program that runs. What hooks do is the library's.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use clap::Args;
use hotslot::{Cache, Hooks, Runtime};
use rustix::process::geteuid;

use super::failure::Failure;
use super::options::CacheOptions;

/// What a program is included with.
const NAME: &str = "hotslot.h";

/// How updates meet the program.
#[derive(Debug, Args)]
pub struct HookOptions {
    /// How long an update waits for a program that has called hotslot_safe_point to do so again,
    /// in milliseconds; after that it is refused
    #[arg(long, value_name = "MS", default_value = "10000")]
    pub safe_point_wait: u64,
}

/// `hotslot header`.
#[derive(Debug, Args)]
pub struct HeaderOptions {
    /// Print the folder that it is in, for a compiler's -I, instead of the header
    #[arg(long)]
    pub dir: bool,

    #[command(flatten)]
    /// Which cache's folder that may be in.
    pub cache: CacheOptions,
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Gives the code of `runtime` its hooks. Call before any of it is loaded.
pub fn install(runtime: &Runtime, options: &HookOptions) -> Result<(), Failure> {
    let hooks = Hooks::install(runtime)?.with_patience(Duration::from_millis(options.safe_point_wait));
    // There is one program in a process.
    let _ = HOOKS.set(hooks);
    Ok(())
}

/// The hooks of the program that runs. Every update of it goes through them.
pub fn of_program() -> Option<&'static Hooks> {
    HOOKS.get()
}

/// What a compiler needs to find the header: after everything else, so that a program's own file
/// of that name is found first. Nothing where no folder can be had.
pub fn flags(cache: Option<&Cache>) -> Vec<OsString> {
    folder(cache).map_or_else(|_| Vec::new(), |folder| vec!["-idirafter".into(), folder.into()])
}

/// `hotslot header`.
pub fn header(options: &HeaderOptions) -> Result<ExitCode, Failure> {
    let text = if options.dir {
        let folder = folder(super::cache::chosen(&options.cache).as_ref());
        let folder = folder.map_err(|error| Failure::new(format!("no folder for {NAME}: {error}")))?;
        format!("{}\n", folder.display())
    } else {
        Hooks::HEADER.to_owned()
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::new(format!("stdout: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

/// A folder with the header and nothing else: in the cache, or where temporary files are. It is
/// the same for every run, and stays.
fn folder(cache: Option<&Cache>) -> std::io::Result<PathBuf> {
    // Another header is in another folder: builds of one version do not write over each other's.
    let mut hash = DefaultHasher::new();
    Hooks::HEADER.hash(&mut hash);
    let version = format!("{}-{:08x}", env!("CARGO_PKG_VERSION"), hash.finish() as u32);
    // Where the cache cannot be written nothing else of the run suffers from that.
    let in_cache = cache.filter(|cache| cache.temporary().is_some());
    let made = in_cache.map(|cache| make(&cache.folder().join(format!("include-{version}"))));
    match made {
        Some(Ok(folder)) => Ok(folder),
        _ => {
            let user = geteuid().as_raw();
            make(&std::env::temp_dir().join(format!("hotslot-include-{version}-{user}")))
        }
    }
}

fn make(folder: &Path) -> std::io::Result<PathBuf> {
    let folder = std::path::absolute(folder)?;
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // What others can write is not compiled into anybody's program.
    let data = std::fs::symlink_metadata(&folder)?;
    if !data.is_dir() || data.uid() != geteuid().as_raw() || data.mode() & 0o022 != 0 {
        return Err(std::io::Error::other(format!("{} is somebody else's", folder.display())));
    }
    let file = folder.join(NAME);
    if std::fs::read(&file).is_ok_and(|text| text == Hooks::HEADER.as_bytes()) {
        return Ok(folder);
    }
    // Others may be compiling with it, or writing it as well.
    let mut new = tempfile::NamedTempFile::new_in(&folder)?;
    new.write_all(Hooks::HEADER.as_bytes())?;
    new.persist(&file)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_written_once_and_again_when_it_is_another() {
        let place = tempfile::tempdir().unwrap();
        let folder = make(&place.path().join("include")).unwrap();
        let file = folder.join(NAME);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), Hooks::HEADER);
        let inode = std::fs::metadata(&file).unwrap().ino();
        make(&folder).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().ino(), inode);
        std::fs::write(&file, "old").unwrap();
        make(&folder).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), Hooks::HEADER);
    }

    #[test]
    fn a_folder_that_others_can_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("include");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(make(&folder).is_err());
        let link = place.path().join("link");
        std::os::unix::fs::symlink(place.path(), &link).unwrap();
        assert!(make(&link).is_err());
    }
}
