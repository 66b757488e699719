//! `/tmp/perf-PID.map`, by which perf names generated code.
//!
//! Owns the file: one a process, whoever in it asks. It only grows: perf reads it when the process has
//! ended, and takes what it says for all of the time. So names have their generation, and code
//! that came where other code was is told apart only by the format of [`super::jit_dump`].

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::piece::Piece;
use crate::error::{Error, ErrorKind, Result};

/// The process's file, with the process that it is of.
static FILE: Mutex<Option<(u32, Arc<File>)>> = Mutex::new(None);

#[derive(Debug)]
pub(super) struct PerfMap {
    file: Arc<File>,
    process: u32,
}

impl PerfMap {
    /// Opens the file, or the one that is open already; calls between modules that go through a
    /// stub have the range `stubs`.
    pub(super) fn open((from, to): (u64, u64)) -> Result<Self> {
        let process = std::process::id();
        let mut open = FILE.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &*open {
            Some((of, file)) if *of == process => file.clone(),
            _ => {
                let file = Arc::new(create(process)?);
                *open = Some((process, file.clone()));
                file
            }
        };
        let map = Self { file, process };
        map.add(&format!("{from:x} {:x} [hotslot stubs]\n", to.saturating_sub(from)));
        Ok(map)
    }

    /// A child of fork has the parent's file, whose name is not the child's. What cannot be written,
    /// a profiler does not learn; nobody else needs it.
    pub(super) fn add(&self, text: &str) {
        if std::process::id() == self.process {
            let _ = (&*self.file).write_all(text.as_bytes());
        }
    }
}

fn create(process: u32) -> Result<File> {
    let path = PathBuf::from(format!("/tmp/perf-{process}.map"));
    // Of an earlier process by this number. Anybody may put things there: it must be a new file.
    let _ = std::fs::remove_file(&path);
    let file = OpenOptions::new().append(true).create_new(true).mode(0o644).open(&path);
    file.map_err(|why| {
        Error::new(ErrorKind::Host, format!("cannot write {}: {why}", path.display()))
            .in_file(path.to_str())
            .hint("perf looks for names of generated code there; use the other format, which has no fixed place")
    })
}

/// What the file is to say of a piece.
pub(super) fn entries(piece: &Piece) -> String {
    let mut text = String::new();
    for function in &piece.functions {
        let _ = writeln!(
            text,
            "{:x} {:x} {}",
            function.address,
            function.size,
            name(piece, &function.name).replace('\n', " ")
        );
    }
    text
}

/// A function's name as profilers show it.
pub(super) fn name(piece: &Piece, function: &str) -> String {
    format!("{function} [{} v{}]", piece.module, piece.generation)
}
