//! Where the folder is, and whether what is in it can be believed.
//!
//! Owns the rules for the user's cache folder and the check of a folder's owner and mode. What
//! is in it is run as code with the rights of this process, so nobody else may have put it
//! there.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::fs::{DirBuilder, Metadata};
use std::io::Error as OsError;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// For others in a group, and for everybody.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The user's own folder, by the variables that `variable` knows.
pub(super) fn of_user(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(named) = set("HOTSLOT_CACHE_DIR") {
        return (named != "none").then(|| named.into());
    }
    // The specification has relative ones ignored.
    let absolute = |name| set(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("hotslot"))
}

/// Makes the folder, for the user alone, and those it is in.
pub(super) fn make(folder: &Path) -> Result<(), OsError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether the folder is a folder that only this user can have written to.
pub(super) fn check(folder: &Path) -> Result<(), OsError> {
    let data = std::fs::metadata(folder)?;
    let wrong = |what: &str| Err(OsError::other(format!("{}: {what}", folder.display())));
    match data.mode() & WRITABLE_BY_OTHERS {
        _ if !data.is_dir() => wrong("is not a folder"),
        _ if data.uid() != user() => wrong("belongs to another user"),
        0 => Ok(()),
        _ => wrong("others may write to it (chmod go-w)"),
    }
}

/// Whether a file in such a folder is the user's too. Asked of what was opened: where the folder
/// itself lies may be open to others, who could put another in its place.
pub(super) fn is_own(file: &Metadata) -> bool {
    file.is_file() && file.uid() == user() && file.mode() & WRITABLE_BY_OTHERS == 0
}

fn user() -> u32 {
    // SAFETY: asks for a number, and cannot fail.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_folder() {
        let of = |set: &[(&str, &str)]| {
            let value = |name: &str| Some(set.iter().find(|(n, _)| *n == name)?.1.into());
            of_user(value).map(|path| path.display().to_string())
        };
        let all = [("HOTSLOT_CACHE_DIR", "here"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(of(&all).as_deref(), Some("here"));
        assert_eq!(of(&all[1..]).as_deref(), Some("/x/hotslot"));
        assert_eq!(of(&all[2..]).as_deref(), Some("/h/.cache/hotslot"));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("HOME", ""), ("XDG_CACHE_HOME", "relative")]), None);
        assert_eq!(of(&[("HOTSLOT_CACHE_DIR", "none"), ("HOME", "/h")]), None);
        assert_eq!(of(&[("HOTSLOT_CACHE_DIR", ""), ("HOME", "/h")]).as_deref(), Some("/h/.cache/hotslot"));
    }

    #[test]
    fn folders_of_others_are_not_used() {
        assert!(check(Path::new("/nowhere/at/all")).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound));
        let text = |path: &str| check(Path::new(path)).unwrap_err().to_string();
        assert!(text("/dev/null").contains("not a folder"));
        // Root's, and everybody may write to it.
        assert!(check(Path::new("/tmp")).is_err());
    }
}
