//! Memory of this process that may not be there.
//!
//! Owns reading it without a fault: by the kernel, which says so where there is nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;

const PAGE: u64 = 4096;

/// This process's memory.
pub struct Memory(Option<File>);

impl Memory {
    pub fn new() -> Self {
        Self(File::open("/proc/self/mem").ok())
    }

    /// So many bytes from `address`, if they are all there.
    pub fn read(&self, address: u64, size: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; size];
        if size > 0 {
            self.0.as_ref()?.read_exact_at(&mut bytes, address).ok()?;
        }
        Some(bytes)
    }

    /// Units of `size` bytes from `address` on, up to one that is zero, which is not among them, or to
    /// `most`. Says whether there was a zero; nothing where not even the first can be read.
    pub fn units(&self, address: u64, size: u64, most: u64) -> Option<(Vec<u64>, bool)> {
        let mut units = Vec::new();
        let mut at = address;
        while (units.len() as u64) < most {
            // What is left of the page is there if its first byte is.
            let left = ((PAGE - at % PAGE) / size).max(1).min(most - units.len() as u64);
            let Some(bytes) = self.read(at, (left * size) as usize) else {
                return if units.is_empty() { None } else { Some((units, false)) };
            };
            for unit in bytes.chunks_exact(size as usize) {
                match little(unit) as u64 {
                    0 => return Some((units, true)),
                    unit => units.push(unit),
                }
            }
            at = at.checked_add(left * size)?;
        }
        Some((units, false))
    }
}

/// The number that up to 16 bytes are.
pub fn little(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).rev().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// The pointer that is at an address.
pub fn pointer_at(address: u64) -> Option<u64> {
    Memory::new().read(address, 8).map(|bytes| little(&bytes) as u64)
}
