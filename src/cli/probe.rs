//! Asks the operating system what it can do, for `hotslot doctor`.
//!
//! Each probe does the real thing on a small scale, as a version number says
//! little about a kernel in a container. What an answer means is `doctor.rs`'s.
#![allow(unsafe_code)] // asks the kernel through libc calls

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

/// Bytes of the little mapping the probes make.
const PAGE: usize = 4096;
/// From the kernel's headers; the `libc` crate does not have it everywhere.
const F_SEAL_FUTURE_WRITE: libc::c_int = 0x0010;
const MEMBARRIER_QUERY: libc::c_int = 0;
const MEMBARRIER_SYNC_CORE: libc::c_long = 1 << 5;

/// Whether code can be written through one mapping of a memory file and run
/// through another that can never become writable.
pub fn dual_mapping() -> Result<(), String> {
    let file = memory_file().map_err(|error| format!("memfd_create: {error}"))?;
    file.set_len(PAGE as u64).map_err(|error| format!("ftruncate of a memfd: {error}"))?;
    let _writable = Mapping::of(&file, libc::PROT_READ | libc::PROT_WRITE)
        .map_err(|error| format!("writable mapping of a memfd: {error}"))?;
    // SAFETY: the call takes integers only.
    let sealed = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, F_SEAL_FUTURE_WRITE) };
    if sealed != 0 {
        let error = io::Error::last_os_error();
        return Err(format!("F_SEAL_FUTURE_WRITE: {error}"));
    }
    let _executable = Mapping::of(&file, libc::PROT_READ | libc::PROT_EXEC)
        .map_err(|error| format!("executable mapping of a memfd: {error}"))?;
    Ok(())
}

/// Whether all cores can be made to see new code.
pub fn sync_core() -> Result<(), String> {
    // SAFETY: a query with integers only; it changes nothing.
    let commands = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_QUERY, 0, 0) };
    if commands < 0 {
        let error = io::Error::last_os_error();
        return Err(format!("membarrier: {error}"));
    }
    if commands & MEMBARRIER_SYNC_CORE == 0 {
        return Err("membarrier has no SYNC_CORE".to_owned());
    }
    Ok(())
}

/// Whether `bytes` of address space can be reserved.
pub fn reserve(bytes: usize) -> Result<(), String> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    Mapping::new(bytes, libc::PROT_NONE, flags, -1)
        .map(drop)
        .map_err(|error| format!("mmap of {} MiB: {error}", bytes >> 20))
}

/// How many mappings a process may have.
pub fn mapping_limit() -> Result<u64, String> {
    let path = "/proc/sys/vm/max_map_count";
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    text.trim().parse().map_err(|_| format!("{path}: `{}` is not a number", text.trim()))
}

/// Whether a process can see its own mappings and threads.
pub fn proc() -> Result<(), String> {
    for path in ["/proc/self/maps", "/proc/self/task"] {
        std::fs::metadata(path).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

fn memory_file() -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a C string that lives through the call.
    let fd = unsafe { libc::memfd_create(c"hotslot-doctor".as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// A mapping that nothing looks into, removed when dropped.
struct Mapping {
    start: *mut libc::c_void,
    bytes: usize,
}

impl Mapping {
    fn of(file: &File, access: libc::c_int) -> io::Result<Self> {
        Self::new(PAGE, access, libc::MAP_SHARED, file.as_raw_fd())
    }

    fn new(bytes: usize, access: libc::c_int, flags: libc::c_int, fd: libc::c_int) -> io::Result<Self> {
        // SAFETY: without MAP_FIXED a mapping goes where nothing else is.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start, bytes })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this value's own and no reference into it exists.
        unsafe {
            libc::munmap(self.start, self.bytes);
        }
    }
}
