//! The one door to the operating system for memory.
//!
//! Owns the reservation and its views, membarrier, and the invariant that no page is ever writable
//! and executable at once, unless for a debugger. What is mapped is [`super::backing`]'s. It
//! deliberately knows nothing of what is stored where; [`super::arena`] divides the space.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use memmap2::{MmapMut, MmapOptions, MmapRaw};

use super::backing::{Backing, Tools};
use crate::error::{Error, ErrorKind, Result};

/// How generated code may use a view of the shared file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Read,
    Execute,
}

/// A contiguous address range. Its first part shows a memory file, read-only or
/// read-execute; the rest is private writable memory. A second mapping elsewhere, the
/// alias, is the only way to write the file's part.
pub(super) struct Reservation {
    /// The whole range; unmapped when dropped, together with the views placed in it.
    range: MmapMut,
    /// The writable mapping of the file, at an unrelated address.
    alias: MmapRaw,
    file_len: usize,
    views: Box<[(usize, View)]>,
    tools: Tools,
    /// A bit for each page of the file that was ever written.
    written: Box<[AtomicU64]>,
}

impl Reservation {
    /// Reserves `len` bytes; the first `file_len` show a new memory file, cut into
    /// `views` (length and use, in order, covering `file_len` exactly). All lengths are
    /// multiples of the page size.
    pub(super) fn new(len: usize, file_len: usize, views: &[(usize, View)], tools: Tools) -> Result<Self> {
        let mut options = MmapOptions::new();
        options.len(len).no_reserve_swap();
        let range =
            options.map_anon().map_err(|e| refused(&format!("reserve {len} bytes of address space"), &e))?;
        let backing = Backing::new(file_len, tools)?;
        backing.seal()?;
        let written = (0..file_len.div_ceil(page_size() * 64)).map(|_| AtomicU64::new(0)).collect();
        debug_assert_eq!(views.iter().map(|(len, _)| len).sum::<usize>(), file_len);
        // SAFETY: inside the new range, which nobody has seen.
        unsafe { backing.show(range.as_ptr().cast_mut(), views, true)? };
        Ok(Self { range, alias: backing.alias, file_len, views: views.into(), tools, written })
    }

    /// Replaces the file by a copy of it, in place: whoever has inherited this reservation
    /// keeps the present one, and sees nothing that is written from now on. Threads that run
    /// code there do not notice; the kernel replaces a mapping in one step. Nobody writes
    /// meanwhile.
    ///
    /// Takes as long as to copy what was ever written.
    pub(super) fn part_from_heirs(&self) -> Result<()> {
        let backing = Backing::new(self.file_len, self.tools)?;
        // SAFETY: all of it is the alias's; nobody writes, by the contract above.
        unsafe { backing.copy_in(self.alias.as_ptr(), &self.written_runs())? };
        // In this order because of the seal. What can fail for want of memory comes before the
        // first view is replaced.
        backing.seal()?;
        // SAFETY: the views are ours, and those that replace them have the same contents. Threads that
        // run code there do not notice.
        unsafe { backing.show(self.range.as_ptr().cast_mut(), &self.views, false)? };
        let alias = backing.alias;
        let (from, to) = (alias.as_mut_ptr(), self.alias.as_mut_ptr());
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: moves one mapping of ours, which is not dropped, over the other of the same
        // length.
        let moved = unsafe {
            std::mem::forget(alias);
            libc::mremap(from.cast(), self.file_len, self.file_len, flags, to)
        };
        if moved == libc::MAP_FAILED {
            return Err(refused("map the arena for writing", &last_error()));
        }
        Ok(())
    }

    /// Makes the file's part unwritable in this process: in a child of fork it is its parent's.
    pub(super) fn lock_alias(&self) {
        // SAFETY: the alias, which is used through this reservation only. Should it fail, which
        // it has no reason to, then nobody writes all the same.
        unsafe { libc::mprotect(self.alias.as_mut_ptr().cast(), self.file_len, libc::PROT_READ) };
    }

    /// The parts of the file that were ever written.
    fn written_runs(&self) -> Vec<std::ops::Range<usize>> {
        let page = page_size();
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        for (at, word) in self.written.iter().enumerate() {
            let word = word.load(Ordering::Relaxed);
            for bit in (0..64).filter(|bit| word & (1 << bit) != 0) {
                let start = (at * 64 + bit) * page;
                match runs.last_mut().filter(|run| run.end == start) {
                    Some(run) => run.end += page,
                    None => runs.push(start..start + page),
                }
            }
        }
        runs
    }

    fn note_written(&self, offset: usize, len: usize) {
        if offset >= self.file_len || len == 0 {
            return;
        }
        let page = page_size();
        for page in offset / page..=(offset + len - 1) / page {
            let (word, bit) = (&self.written[page / 64], 1 << (page % 64));
            if word.load(Ordering::Relaxed) & bit == 0 {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }

    /// Whether `offset` lies in the file's part, which forked processes share.
    pub(super) fn is_shared(&self, offset: usize) -> bool {
        offset < self.file_len
    }

    pub(super) fn base(&self) -> u64 {
        self.range.as_ptr() as u64
    }

    pub(super) fn len(&self) -> usize {
        self.range.len()
    }

    /// Where byte `offset` of the reservation is written: the alias for the file's part,
    /// the range itself for private memory.
    fn writable(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(
            offset.checked_add(len).is_some_and(|end| end <= self.len())
                && (offset >= self.file_len || offset + len <= self.file_len),
            "write outside the reservation"
        );
        if offset < self.file_len {
            // SAFETY: in bounds of the alias, by the assertion.
            unsafe { self.alias.as_mut_ptr().add(offset) }
        } else {
            // SAFETY: in bounds of the range, by the assertion.
            unsafe { self.range.as_ptr().cast_mut().add(offset) }
        }
    }

    /// Copies `bytes` to `offset`. The caller owns that range: no other thread writes it,
    /// and generated code that reads it has not been published yet.
    pub(super) fn copy_in(&self, offset: usize, bytes: &[u8]) {
        let to = self.writable(offset, bytes.len());
        self.note_written(offset, bytes.len());
        // SAFETY: `to` is valid for the length; `bytes` is host memory, so no overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
    }

    /// Sets `len` bytes at `offset` to `byte`, under the same rule as [`Self::copy_in`].
    pub(super) fn fill(&self, offset: usize, len: usize, byte: u8) {
        let to = self.writable(offset, len);
        self.note_written(offset, len);
        // SAFETY: `to` is valid for `len` bytes.
        unsafe { std::ptr::write_bytes(to, byte, len) }
    }

    /// A copy of `len` bytes at `offset`. Where generated code writes meanwhile it is as torn
    /// as any copy of theirs would be.
    pub(super) fn copy_out(&self, offset: usize, len: usize) -> Vec<u8> {
        let from = self.writable(offset, len);
        let mut bytes = vec![0; len];
        // SAFETY: `from` is valid for `len` bytes, and `bytes` is memory of its own.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), len) };
        bytes
    }

    /// The aligned word at `offset`, shared with generated code that reads or writes it.
    fn word(&self, offset: usize) -> &AtomicU64 {
        assert_eq!(offset % 8, 0, "unaligned word");
        let at = self.writable(offset, 8);
        // SAFETY: aligned, in bounds, mapped for as long as `self`, and every access by
        // the host to such a word goes through this atomic.
        unsafe { &*at.cast::<AtomicU64>() }
    }

    /// Loads such a word, with Acquire order.
    pub(super) fn load(&self, offset: usize) -> u64 {
        self.word(offset).load(Ordering::Acquire)
    }

    /// Stores to such a word.
    pub(super) fn store(&self, offset: usize, value: u64, order: Ordering) {
        self.note_written(offset, 8);
        self.word(offset).store(value, order);
    }

    /// Gives the pages of private memory wholly inside the range back; they read as zero
    /// afterwards, like the rest of the range.
    pub(super) fn clear_private(&self, offset: usize, len: usize) {
        let page = page_size();
        let first = offset.next_multiple_of(page);
        let last = (offset + len) / page * page;
        if offset < self.file_len || first >= last || last - first < 4 * page {
            self.fill(offset, len, 0);
            return;
        }
        let start = self.writable(first, last - first);
        // SAFETY: page aligned, inside private memory that the caller owns.
        let dropped = unsafe { libc::madvise(start.cast(), last - first, libc::MADV_DONTNEED) };
        if dropped == 0 {
            self.fill(offset, first - offset, 0);
            self.fill(last, offset + len - last, 0);
        } else {
            self.fill(offset, len, 0);
        }
    }

    /// Makes `[offset, offset + len)` inaccessible for good.
    pub(super) fn guard(&self, offset: usize, len: usize) -> Result<()> {
        let start = self.writable(offset, len);
        // SAFETY: inside our own private memory, before anything was allocated from it.
        if unsafe { libc::mprotect(start.cast(), len, libc::PROT_NONE) } != 0 {
            return Err(refused("set up a guard page", &last_error()));
        }
        Ok(())
    }
}

/// How often this process is a copy of another: 0 in one that was started as a program,
/// more in a child of fork.
pub(super) fn fork_depth() -> usize {
    static DEPTH: AtomicUsize = AtomicUsize::new(0);
    static COUNTED: OnceLock<()> = OnceLock::new();
    unsafe extern "C" fn count() {
        DEPTH.fetch_add(1, Ordering::Relaxed);
    }
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<unsafe extern "C" fn()>,
            parent: Option<unsafe extern "C" fn()>,
            child: Option<unsafe extern "C" fn()>,
        ) -> c_int;
    }
    COUNTED.get_or_init(|| {
        // SAFETY: the handler only adds to an atomic. It fails only without memory; then a
        // child is not told apart from its parent.
        unsafe { pthread_atfork(None, None, Some(count)) };
    });
    DEPTH.load(Ordering::Relaxed)
}

/// The system's page size in bytes.
pub(super) fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    // SAFETY: no preconditions.
    *SIZE.get_or_init(|| unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize)
}

/// Makes every thread of the process refetch instructions before it runs code written
/// until now. Needed where an address that held other code is used again.
pub(super) fn synchronise_instruction_streams() {
    // linux/membarrier.h
    const REGISTER_SYNC_CORE: c_int = 1 << 6;
    const SYNC_CORE: c_int = 1 << 5;
    fn membarrier(command: c_int) -> bool {
        // SAFETY: integers only; unknown commands are refused by the kernel.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    if !*REGISTERED.get_or_init(|| membarrier(REGISTER_SYNC_CORE)) || !membarrier(SYNC_CORE) {
        // Without the system call a protection change forces the same on every core that
        // runs the process: the interrupt that flushes their translations serialises.
        force_by_protection_change();
    }
}

fn force_by_protection_change() {
    if let Ok(mut page) = MmapOptions::new().len(page_size()).map_anon() {
        page[0] = 1;
        let _ = page.make_read_only();
    }
}

pub(super) fn last_error() -> std::io::Error {
    std::io::Error::last_os_error()
}

pub(super) fn refused(what: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Memory, format!("cannot {what}: {error}"))
}
