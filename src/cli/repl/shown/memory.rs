//! Memory of this process that may not be there.
//!
//! Owns reading it by the kernel, which says so instead of faulting.
#![allow(unsafe_code)] // process_vm_readv

/// As many bytes from `address` on, or as many of them as there are.
pub fn bytes(address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0u8; length];
    let mut done = 0;
    while done < length {
        // A read is all or nothing for each page.
        let at = address.wrapping_add(done as u64);
        let part = (length - done).min(4096 - (at % 4096) as usize);
        let local = libc::iovec { iov_base: bytes[done..].as_mut_ptr().cast(), iov_len: part };
        let remote = libc::iovec { iov_base: at as *mut _, iov_len: part };
        // SAFETY: writes to no more than that part of the buffer; the kernel checks the other side.
        let read = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
        if read != part as isize {
            break;
        }
        done += part;
    }
    bytes.truncate(done);
    bytes
}

/// An unsigned number of up to eight bytes.
pub fn number(address: u64, size: u64) -> Option<u64> {
    let bytes = bytes(address, size.min(8) as usize);
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(&bytes);
    (bytes.len() as u64 == size.min(8)).then(|| u64::from_le_bytes(wide))
}
