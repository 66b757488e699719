//! The memory that generated code and the host see at different addresses.
//!
//! Owns what it is: a memory file, which cannot be mapped for writing a second time, or for
//! [`Tools`] that would not know it, memory without a file. [`super::os`] owns the range that it
//! is seen in.
#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::ptr::null_mut;

use memmap2::{MmapOptions, MmapRaw};

use super::os::{View, last_error, refused};
use crate::error::Result;

/// Who else has to do with code, and could not as it usually is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tools {
    /// Breakpoints are put into code. The kernel lets a debugger write shared memory only where
    /// the process itself could: pages of code are writable.
    pub debugger: bool,
    /// perf asks its map of names only for code that is in no file.
    pub perf_map: bool,
}

impl Tools {
    fn protection(self, view: View) -> libc::c_int {
        match view {
            View::Read => libc::PROT_READ,
            View::Execute if self.debugger => libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
            View::Execute => libc::PROT_READ | libc::PROT_EXEC,
        }
    }
}

/// New memory, mapped for writing once, as the alias, and not yet for anything else.
pub(super) struct Backing {
    tools: Tools,
    /// None where there is no file.
    file: Option<File>,
    pub alias: MmapRaw,
}

impl Backing {
    pub(super) fn new(len: usize, tools: Tools) -> Result<Self> {
        let mapped = |error: std::io::Error| refused("map the arena for writing", &error);
        if !tools.perf_map {
            let file = memory_file(len)?;
            let alias = MmapOptions::new().len(len).map_raw(&file).map_err(mapped)?;
            return Ok(Self { tools, file: Some(file), alias });
        }
        let alias: MmapRaw = MmapOptions::new().len(len).no_reserve_swap().map_anon().map_err(mapped)?.into();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
        // SAFETY: replaces a mapping of ours that nobody has seen.
        let shared = unsafe { libc::mmap(alias.as_mut_ptr().cast(), len, protection, flags, -1, 0) };
        match shared == libc::MAP_FAILED {
            true => Err(mapped(last_error())),
            false => Ok(Self { tools, file: None, alias }),
        }
    }

    /// Copies `ranges` of memory at `from`, before anything is shown. Nobody writes meanwhile.
    ///
    /// # Safety
    /// They are readable, and inside the new memory.
    pub(super) unsafe fn copy_in(&self, from: *const u8, ranges: &[Range<usize>]) -> Result<()> {
        for range in ranges {
            // SAFETY: by the contract above.
            let bytes = unsafe { std::slice::from_raw_parts(from.add(range.start), range.len()) };
            match &self.file {
                Some(file) => file
                    .write_all_at(bytes, range.start as u64)
                    .map_err(|e| refused("copy the arena after a fork", &e))?,
                // SAFETY: as above; the alias is a mapping of its own.
                None => unsafe {
                    let to = self.alias.as_mut_ptr().add(range.start);
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
                },
            }
        }
        Ok(())
    }

    /// The order matters: a writable mapping made before the seal stays writable, one made after
    /// it can never become so (memfd_create(2), F_SEAL_FUTURE_WRITE).
    pub(super) fn seal(&self) -> Result<()> {
        match &self.file {
            Some(file) if !self.tools.debugger => seal(file),
            _ => Ok(()),
        }
    }

    /// Puts the views of it in their place, from `at` on; `first` where nobody has seen that range.
    ///
    /// # Safety
    /// The range belongs to the caller. Unless it is the first time, each view replaces one with
    /// the same contents.
    pub(super) unsafe fn show(&self, at: *mut u8, views: &[(usize, View)], first: bool) -> Result<()> {
        let mut offset = 0;
        for &(len, view) in views {
            let protection = self.tools.protection(view);
            // SAFETY: by the contract above.
            let placed = unsafe {
                let to = at.add(offset).cast();
                match &self.file {
                    Some(file) => {
                        let flags = libc::MAP_SHARED | libc::MAP_FIXED;
                        libc::mmap(to, len, protection, flags, file.as_raw_fd(), offset as libc::off_t)
                    }
                    None => self.show_again(to, offset, len, (protection, first)),
                }
            };
            if placed == libc::MAP_FAILED {
                return Err(refused("map the arena for execution", &last_error()).hint(
                    "a security policy that forbids executable memory files prevents hotslot from running",
                ));
            }
            offset += len;
        }
        Ok(())
    }

    /// Maps a part of the alias a second time, at `to`, where it appears in one step and as it
    /// is to be.
    ///
    /// # Safety
    /// As for [`Self::show`]; the part is inside the alias.
    unsafe fn show_again(
        &self,
        to: *mut libc::c_void,
        offset: usize,
        len: usize,
        (protection, first): (libc::c_int, bool),
    ) -> *mut libc::c_void {
        // SAFETY: from a length of nothing the kernel maps shared memory again; the rest is
        // done to that mapping, which is ours, and what is at `to` is the caller's.
        unsafe {
            let from = self.alias.as_mut_ptr().add(offset).cast();
            if first {
                let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
                let shown = libc::mremap(from, 0, len, flags, to);
                // A profiler learns of code by this call, and so where it is.
                let is_set = shown != libc::MAP_FAILED && libc::mprotect(shown, len, protection) == 0;
                return if is_set { shown } else { libc::MAP_FAILED };
            }
            let again = libc::mremap(from, 0, len, libc::MREMAP_MAYMOVE, null_mut::<libc::c_void>());
            if again == libc::MAP_FAILED || libc::mprotect(again, len, protection) != 0 {
                return libc::MAP_FAILED;
            }
            libc::mremap(again, len, len, libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED, to)
        }
    }
}

fn memory_file(len: usize) -> Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // MFD_EXEC (Linux 6.3) says that the file may be executed; older kernels refuse it.
    const MFD_EXEC: libc::c_uint = 0x10;
    // SAFETY: the name is a C string; the call has no other preconditions.
    let mut fd = unsafe { libc::memfd_create(c"hotslot".as_ptr(), flags | MFD_EXEC) };
    if fd < 0 {
        // SAFETY: as above.
        fd = unsafe { libc::memfd_create(c"hotslot".as_ptr(), flags) };
    }
    if fd < 0 {
        return Err(refused("create a memory file", &last_error()));
    }
    // SAFETY: `fd` is open and owned by nobody else.
    let file = unsafe { File::from_raw_fd(fd) };
    file.set_len(len as u64).map_err(|e| refused(&format!("size a memory file of {len} bytes"), &e))?;
    Ok(file)
}

fn seal(file: &File) -> Result<()> {
    let seals = libc::F_SEAL_FUTURE_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: fcntl with integer arguments on an open file.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
        return Err(refused("seal the arena's memory file", &last_error())
            .hint("hotslot needs Linux 5.1 or newer (F_SEAL_FUTURE_WRITE)"));
    }
    Ok(())
}
