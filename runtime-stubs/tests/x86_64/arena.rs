//! One page of code and one page of data, neither ever writable and executable at once.

const PAGE: usize = 4096;

/// Code is added first; [`Arena::seal`] then makes it executable.
pub struct Arena {
    base: *mut u8,
    code: usize,
    data: usize,
}

/// The same pages, with the code executable.
pub struct Sealed(Arena);

// SAFETY: a sealed arena's code does not change; its cells are only read after they are set up.
unsafe impl Send for Sealed {}
// SAFETY: as above.
unsafe impl Sync for Sealed {}

impl Arena {
    pub fn new() -> Self {
        // SAFETY: a fresh anonymous mapping, anywhere.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                2 * PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(base, libc::MAP_FAILED);
        Arena { base: base.cast(), code: 0, data: 0 }
    }

    /// Where the next code will lie.
    pub fn here(&self) -> u64 {
        self.base as u64 + self.code as u64
    }

    /// Appends code and returns where it starts.
    pub fn code(&mut self, bytes: &[u8]) -> u64 {
        let at = self.here();
        assert!(self.code + bytes.len() <= PAGE);
        // SAFETY: inside the first page, which is still writable.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(self.code), bytes.len()) };
        self.code = (self.code + bytes.len()).next_multiple_of(16);
        at
    }

    /// A new data cell.
    pub fn cell(&mut self, value: u64) -> u64 {
        assert!(self.data + 8 <= PAGE);
        let at = self.base as u64 + (PAGE + self.data) as u64;
        self.data += 8;
        // SAFETY: inside the second page, aligned, and nobody else has it.
        unsafe { (at as *mut u64).write(value) };
        at
    }

    pub fn seal(self) -> Sealed {
        // SAFETY: our own page; nothing in it is borrowed.
        let result = unsafe { libc::mprotect(self.base.cast(), PAGE, libc::PROT_READ | libc::PROT_EXEC) };
        assert_eq!(result, 0);
        Sealed(self)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`.
        unsafe { libc::munmap(self.base.cast(), 2 * PAGE) };
    }
}

impl Sealed {
    /// The cell at `at`, to be read or changed while code runs.
    pub fn atomic(&self, at: u64) -> &std::sync::atomic::AtomicU64 {
        let start = self.0.base as u64 + PAGE as u64;
        assert!(at >= start && at + 8 <= start + PAGE as u64 && at.is_multiple_of(8));
        // SAFETY: a cell of this arena, valid as long as it, and only used atomically from here on.
        unsafe { std::sync::atomic::AtomicU64::from_ptr(at as *mut u64) }
    }
}
