//! Memory of this process that may not be there.
//!
//! Owns reading without a fault: the kernel copies, and says so if it cannot. Keeps the page
//! read last, values are mostly read from front to back. Deliberately does not know what is in
//! the memory, nor whether another thread changes it meanwhile.

const PAGE: u64 = 4096;

/// A reader for one look at memory.
pub struct Memory {
    /// The first address of the page that is kept, and what is in it, if anything.
    kept: Option<(u64, Option<Box<[u8; PAGE as usize]>>)>,
}

impl Memory {
    pub fn new() -> Self {
        Self { kept: None }
    }

    /// Fills `into` with what is at an address; false if not all of it can be read.
    pub fn read(&mut self, address: u64, into: &mut [u8]) -> bool {
        let mut at = address;
        let mut left = &mut into[..];
        while !left.is_empty() {
            let offset = (at % PAGE) as usize;
            let Some(page) = self.page(at - offset as u64) else {
                return false;
            };
            let count = left.len().min(PAGE as usize - offset);
            let (now, later) = left.split_at_mut(count);
            now.copy_from_slice(&page[offset..offset + count]);
            left = later;
            match at.checked_add(count as u64) {
                Some(next) => at = next,
                None => return left.is_empty(),
            }
        }
        true
    }

    /// The bytes at an address, if there are so many.
    pub fn bytes(&mut self, address: u64, count: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(count).ok()?];
        self.read(address, &mut bytes).then_some(bytes)
    }

    fn page(&mut self, start: u64) -> Option<&[u8; PAGE as usize]> {
        if self.kept.as_ref().is_none_or(|(kept, _)| *kept != start) {
            let mut page = Box::new([0; PAGE as usize]);
            let read = copy(start, &mut page[..]);
            self.kept = Some((start, read.then_some(page)));
        }
        self.kept.as_ref()?.1.as_deref()
    }
}

/// Copies from an address that may be anything.
#[allow(unsafe_code)]
fn copy(address: u64, into: &mut [u8]) -> bool {
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: into.len() };
    // SAFETY: the kernel writes to `into`, which is borrowed mutably, at most its length. What it
    // reads from it checks itself.
    let count = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    if count < 0 {
        let error = std::io::Error::last_os_error().raw_os_error();
        if matches!(error, Some(libc::EPERM | libc::ENOSYS)) {
            return copy_by_file(address, into);
        }
    }
    count == into.len() as isize
}

/// The same where sandboxes forbid the call.
fn copy_by_file(address: u64, into: &mut [u8]) -> bool {
    use std::os::unix::fs::FileExt as _;
    std::fs::File::open("/proc/self/mem").and_then(|memory| memory.read_exact_at(into, address)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn what_is_there_and_what_is_not() {
        let there: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        let mut memory = Memory::new();
        let start = there.as_ptr() as u64;
        assert_eq!(memory.bytes(start, 20_000).as_deref(), Some(&there[..]));
        assert_eq!(memory.bytes(start + 4090, 13).as_deref(), Some(&there[4090..4103]));
        for bad in [0, 8, 0x10_0000_0000_0000, u64::MAX, u64::MAX - 4095] {
            assert_eq!(memory.bytes(bad, 4), None);
        }
        assert!(super::copy_by_file(start, &mut [0; 16]));
        assert!(!super::copy_by_file(8, &mut [0; 16]));
    }
}
