//! The socket of a program: made, found again, and removed at the end.
//!
//! Owns the file: who may open it, what becomes of one that a program left that was killed.
//! Knows nothing of what is said.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::process::{geteuid, umask};

use super::super::descriptors::out_of_the_way;
use super::super::failure::Failure;

/// A kernel's `sun_path` has this many bytes, the last of which is zero.
const LONGEST: usize = 107;

/// A socket that listens, until it is dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    file: (u64, u64),
    process: u32,
}

impl Socket {
    /// Makes the socket. Call while this process has one thread.
    ///
    /// A file that is no socket stays, and so does a socket that somebody listens on.
    pub fn bind(path: &Path) -> Result<Self, Failure> {
        let name = path.display();
        let failed = |error: std::io::Error| Failure::new(format!("--control {name}: {error}"));
        check(path)?;
        let listener = match listen(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                remove_stale(path)?;
                listen(path).map_err(failed)?
            }
            result => result.map_err(failed)?,
        };
        // The program may go to another folder.
        let path = std::path::absolute(path).map_err(failed)?;
        let data = std::fs::symlink_metadata(&path).map_err(failed)?;
        let listener = UnixListener::from(out_of_the_way(listener).map_err(failed)?);
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self { listener, path, file: (data.dev(), data.ino()), process: std::process::id() })
    }

    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Removes the file, if it is still this socket's.
    pub fn remove(&self) {
        let data = std::fs::symlink_metadata(&self.path);
        let is_ours = data.is_ok_and(|data| (data.dev(), data.ino()) == self.file);
        if is_ours && std::process::id() == self.process {
            // Whoever removed it first has done the same.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Whether a socket can have this name.
pub fn check(path: &Path) -> Result<(), Failure> {
    let length = path.as_os_str().len();
    if length > LONGEST {
        let message = format!("{}: {length} bytes are too long for a socket's path", path.display());
        return Err(Failure::new(message).hint(format!("at most {LONGEST} are possible: use a shorter one")));
    }
    Ok(())
}

/// For the owner alone from its first moment on.
fn listen(path: &Path) -> std::io::Result<UnixListener> {
    let before = umask(rustix::fs::Mode::from_raw_mode(0o177));
    let result = UnixListener::bind(path);
    umask(before);
    result
}

/// Removes what a program left that did not come to remove it itself.
fn remove_stale(path: &Path) -> Result<(), Failure> {
    let name = path.display();
    let failed = |error: std::io::Error| Failure::new(format!("--control {name}: {error}"));
    let data = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        data => data.map_err(failed)?,
    };
    if !data.file_type().is_socket() {
        return Err(Failure::new(format!("--control {name}: there is a file that is no socket"))
            .hint("remove it or name another path"));
    }
    if data.uid() != geteuid().as_raw() {
        return Err(Failure::new(format!("--control {name}: there is somebody else's socket")));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed)
        }
        Ok(_) => Err(Failure::new(format!("--control {name}: another program listens there"))
            .hint(format!("name another path, or end that one with `hotslot ctl {name} quit`"))),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_owner_and_only_while_it_lives() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("s");
        let socket = Socket::bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(socket.listener.as_raw_fd() >= 64, "{:?}", socket.listener);
        let refused = Socket::bind(&path).map(drop).unwrap_err();
        assert!(refused.render().contains("another program listens there"), "{}", refused.render());
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_program_left_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let socket = Socket::bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        // Another one took its place: that stays.
        std::fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
    }

    #[test]
    fn files_stay() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("notes.txt");
        std::fs::write(&path, "mine").unwrap();
        let refused = Socket::bind(&path).map(drop).unwrap_err().render();
        assert!(refused.contains("no socket"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        let long = place.path().join("x".repeat(120));
        assert!(Socket::bind(&long).map(drop).unwrap_err().render().contains("too long"));
    }
}
