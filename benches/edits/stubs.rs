//! Stubs for the functions of a program, which a host of LLJIT or MCJIT has to make itself.
//!
//! Neither of the two lets C callers change where a name leads, so code that calls another
//! module's function calls a stub, a jump through a cell, and the host stores the newest
//! address there. Without it old callers would keep the old code, and an edit would have to
//! link all of them again.

use std::collections::HashMap;

/// A page of stubs, then the page of their cells.
const PAGE: usize = 4096;
/// `jmp *rip-relative`, six bytes, and two that trap.
const STUB: usize = 8;

/// The stubs by name.
#[derive(Default)]
pub struct Stubs {
    known: HashMap<String, usize>,
    pages: Vec<*mut u8>,
}

impl Stubs {
    /// The stub of a function, if it has one.
    pub fn find(&self, name: &str) -> Option<usize> {
        let &number = self.known.get(name)?;
        Some(self.at(number) as usize)
    }

    /// Makes a stub for a function, unless it has one.
    pub fn add(&mut self, name: &str) {
        let number = self.known.len();
        if self.known.contains_key(name) {
            return;
        }
        if number / (PAGE / STUB) == self.pages.len() {
            self.pages.push(page());
        }
        self.known.insert(name.to_owned(), number);
    }

    /// Has a function's stub lead to this address from now on.
    pub fn lead(&self, name: &str, address: usize) {
        let number = self.known[name];
        // SAFETY: the cell is a page behind its stub, aligned, and only ever stored to whole.
        unsafe {
            let cell = self.at(number).add(PAGE).cast::<std::sync::atomic::AtomicUsize>();
            (*cell).store(address, std::sync::atomic::Ordering::Release);
        }
    }

    fn at(&self, number: usize) -> *mut u8 {
        let page = self.pages[number / (PAGE / STUB)];
        // SAFETY: within the page.
        unsafe { page.add(number % (PAGE / STUB) * STUB) }
    }
}

/// A page of stubs that cannot be written any more, and one of cells.
fn page() -> *mut u8 {
    let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: new pages, which nobody else knows.
    unsafe {
        let start = libc::mmap(std::ptr::null_mut(), 2 * PAGE, access, flags, -1, 0);
        assert!(start != libc::MAP_FAILED, "no memory for stubs");
        for at in (0..PAGE).step_by(STUB) {
            let stub = start.cast::<u8>().add(at);
            // The cell is as far from the stub's end as the page is long, less the jump.
            let far = (PAGE as i32 - 6).to_le_bytes();
            let jump = [0xff, 0x25, far[0], far[1], far[2], far[3], 0xcc, 0xcc];
            std::ptr::copy_nonoverlapping(jump.as_ptr(), stub, jump.len());
        }
        libc::mprotect(start, PAGE, libc::PROT_READ | libc::PROT_EXEC);
        start.cast()
    }
}
