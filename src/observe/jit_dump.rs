//! `jit-PID.dump`, the format of `perf inject --jit`.
//!
//! Owns the file and its records: every function with its code, its lines and the time. perf finds
//! the file by a mapping of its first page, which is made for that and never read.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::{Mmap, MmapOptions};
use object::elf;
use runtime_stubs::Arch;

use super::lines::{self, Line};
use super::perf_map::name;
use super::piece::Piece;
use crate::error::{Error, ErrorKind, Result};

const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER: u32 = 40;

/// Kinds of records.
const LOAD: u32 = 0;
const DEBUG: u32 = 2;

/// How long a record's beginning is: kind, length and time.
const PREFIX: usize = 16;

/// The process's files by their folders, with the process that each is of. They stay open: a later
/// runtime goes on with what an earlier one wrote.
static OPEN: Mutex<Vec<(u32, PathBuf, Arc<Dump>)>> = Mutex::new(Vec::new());

#[derive(Debug)]
pub(super) struct JitDump(Arc<Dump>);

#[derive(Debug)]
struct Dump {
    /// With the number of the next function.
    file: Mutex<(File, u64)>,
    process: u32,
    #[allow(dead_code, reason = "perf sees that it is there")]
    mark: Mmap,
}

/// What is said of one image, except for when.
pub(super) struct Records(Vec<Function>);

struct Function {
    name: String,
    address: u64,
    code: Vec<u8>,
    lines: Vec<Line>,
}

impl Records {
    pub(super) fn of(piece: &Piece) -> Self {
        let lines = lines::of(piece);
        let one = |function: &super::piece::Function| {
            let (from, to) = (function.address, function.address + function.size);
            let start = usize::try_from(from - piece.code.start).ok()?;
            let code = piece.bytes.get(start..start + function.size as usize)?.to_vec();
            let first = lines.partition_point(|line| line.address < from);
            let end = lines.partition_point(|line| line.address < to);
            let lines = lines[first..end].to_vec();
            Some(Function { name: name(piece, &function.name), address: from, code, lines })
        };
        Self(piece.functions.iter().filter(|function| function.size > 0).filter_map(one).collect())
    }
}

impl JitDump {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let process = std::process::id();
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(of, ..)| *of == process);
        if let Some((.., dump)) = open.iter().find(|(_, of, _)| of == folder) {
            return Ok(Self(dump.clone()));
        }
        let path = folder.join(format!("jit-{process}.dump"));
        let dump = create(&path, process).map_err(|why| {
            Error::new(ErrorKind::Host, format!("cannot write {}: {why}", path.display()))
                .in_file(path.to_str())
                .hint("choose another folder for it")
        })?;
        let dump = Arc::new(dump);
        open.push((process, folder.to_owned(), dump.clone()));
        Ok(Self(dump))
    }

    /// Writes what there is to say of the images of an update. In a child of fork nothing: the file
    /// is its parent's.
    pub(super) fn add(&self, all: &[Records]) {
        if std::process::id() != self.0.process {
            return;
        }
        let (file, next) = &mut *self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        for function in all.iter().flat_map(|records| &records.0) {
            if !function.lines.is_empty() {
                debug(&mut bytes, function);
            }
            load(&mut bytes, function, self.0.process, *next);
            *next += 1;
        }
        // What cannot be written, a profiler does not learn; nobody else needs it.
        let _ = file.write_all(&bytes);
    }
}

#[allow(unsafe_code)]
fn create(path: &Path, process: u32) -> std::io::Result<Dump> {
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o644).open(path)?;
    let machine = if Arch::HOST == Some(Arch::Aarch64) { elf::EM_AARCH64 } else { elf::EM_X86_64 };
    let mut bytes = Vec::new();
    for word in [MAGIC, VERSION, HEADER, u32::from(machine.0), 0, process] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&now().to_le_bytes());
    bytes.extend_from_slice(&0u64.to_le_bytes());
    file.write_all(&bytes)?;
    // SAFETY: nobody reads or runs what is mapped; it is there to be seen in a list of mappings.
    let mark = unsafe { MmapOptions::new().len(HEADER as usize).map_exec(&file)? };
    Ok(Dump { file: Mutex::new((file, 0)), process, mark })
}

/// The clock of `perf record -k mono`, in nanoseconds.
#[allow(unsafe_code)]
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the result.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn record(bytes: &mut Vec<u8>, kind: u32, content: impl FnOnce(&mut Vec<u8>)) {
    let start = bytes.len();
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&0u32.to_le_bytes());
    bytes.extend_from_slice(&now().to_le_bytes());
    debug_assert_eq!(bytes.len() - start, PREFIX);
    content(bytes);
    let length = (bytes.len() - start) as u32;
    bytes[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
}

fn load(bytes: &mut Vec<u8>, function: &Function, process: u32, number: u64) {
    record(bytes, LOAD, |bytes| {
        bytes.extend_from_slice(&process.to_le_bytes());
        // The thread does not matter to perf.
        bytes.extend_from_slice(&process.to_le_bytes());
        for word in [function.address, function.address, function.code.len() as u64, number] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        text(bytes, &function.name);
        bytes.extend_from_slice(&function.code);
    });
}

fn debug(bytes: &mut Vec<u8>, function: &Function) {
    record(bytes, DEBUG, |bytes| {
        for word in [function.address, function.lines.len() as u64] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        for Line { address, line, file } in &function.lines {
            bytes.extend_from_slice(&address.to_le_bytes());
            bytes.extend_from_slice(&line.to_le_bytes());
            bytes.extend_from_slice(&0u32.to_le_bytes());
            text(bytes, file);
        }
    });
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.bytes().filter(|byte| *byte != 0));
    bytes.push(0);
}
