//! The interface by which debuggers learn of code that is made at run time.
//!
//! Owns the process's list of such files, in the form that gdb (and lldb) looks for: a
//! descriptor and a function that is called when the list has changed, where the debugger has a
//! breakpoint. LLVM's library has both; where it is in the process its list is used, so that a
//! debugger sees one list and not two. Whoever calls holds the lock of [`super::entries`].
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::null_mut;
use std::sync::OnceLock;

/// A file in the list.
#[repr(C)]
struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    file: *const u8,
    size: u64,
}

#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

const NOTHING: u32 = 0;
const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

// Weak, because a static LLVM in the same program brings the same names.
std::arch::global_asm!(
    ".pushsection .text.__jit_debug_register_code, \"ax\", %progbits",
    ".weak __jit_debug_register_code",
    ".type __jit_debug_register_code, %function",
    "__jit_debug_register_code:",
    "ret",
    ".size __jit_debug_register_code, . - __jit_debug_register_code",
    ".popsection",
    ".pushsection .data.__jit_debug_descriptor, \"aw\", %progbits",
    ".balign 8",
    ".weak __jit_debug_descriptor",
    ".type __jit_debug_descriptor, %object",
    "__jit_debug_descriptor:",
    ".4byte 1",
    ".4byte 0",
    ".8byte 0",
    ".8byte 0",
    ".size __jit_debug_descriptor, . - __jit_debug_descriptor",
    ".popsection",
);

unsafe extern "C" {
    static mut __jit_debug_descriptor: Descriptor;
    fn __jit_debug_register_code();
}

#[derive(Clone, Copy)]
struct Interface {
    descriptor: *mut Descriptor,
    changed: unsafe extern "C" fn(),
}

// SAFETY: two addresses of the process, used under one lock.
unsafe impl Send for Interface {}
// SAFETY: as above.
unsafe impl Sync for Interface {}

fn interface() -> Interface {
    static FOUND: OnceLock<Interface> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let own =
            Interface { descriptor: &raw mut __jit_debug_descriptor, changed: __jit_debug_register_code };
        // SAFETY: names with a terminator; the dynamic linker only looks them up.
        let (descriptor, changed) = unsafe {
            (
                libc::dlsym(libc::RTLD_DEFAULT, c"__jit_debug_descriptor".as_ptr()),
                libc::dlsym(libc::RTLD_DEFAULT, c"__jit_debug_register_code".as_ptr()),
            )
        };
        if descriptor.is_null() || changed.is_null() {
            return own;
        }
        let descriptor: *mut Descriptor = descriptor.cast();
        // SAFETY: by these names every process has these things, and their first word says in
        // which version.
        unsafe {
            if (*descriptor).version != 1 {
                return own;
            }
            Interface { descriptor, changed: transmute::<*mut c_void, unsafe extern "C" fn()>(changed) }
        }
    })
}

/// A file that debuggers know until it is dropped.
pub(super) struct Registered {
    entry: *mut Entry,
    #[allow(dead_code, reason = "read by the debugger")]
    file: Box<[u8]>,
}

// SAFETY: the entry is the list's, which is changed under one lock.
unsafe impl Send for Registered {}

impl Registered {
    pub(super) fn new(file: Vec<u8>) -> Self {
        let file = file.into_boxed_slice();
        let Interface { descriptor, changed } = interface();
        let size = file.len() as u64;
        // SAFETY: the descriptor's entries live until they are taken out; nobody else is at the
        // list meanwhile, see the top. A debugger stops the process while it reads.
        let entry = unsafe {
            let next = (*descriptor).first;
            let entry =
                Box::into_raw(Box::new(Entry { next, previous: null_mut(), file: file.as_ptr(), size }));
            if !next.is_null() {
                (*next).previous = entry;
            }
            (*descriptor).first = entry;
            tell(descriptor, changed, entry, REGISTER);
            entry
        };
        Self { entry, file }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let Interface { descriptor, changed } = interface();
        // SAFETY: as in `new`; the entry is in the list, and taken out once.
        unsafe {
            let Entry { next, previous, .. } = *self.entry;
            match previous.is_null() {
                true => (*descriptor).first = next,
                false => (*previous).next = next,
            }
            if !next.is_null() {
                (*next).previous = previous;
            }
            tell(descriptor, changed, self.entry, UNREGISTER);
            drop(Box::from_raw(self.entry));
        }
    }
}

/// # Safety
/// Both belong to the interface, and `entry` lives.
unsafe fn tell(descriptor: *mut Descriptor, changed: unsafe extern "C" fn(), entry: *mut Entry, action: u32) {
    // SAFETY: by the contract above.
    unsafe {
        (*descriptor).relevant = entry;
        (*descriptor).action = action;
        changed();
        (*descriptor).relevant = null_mut();
        (*descriptor).action = NOTHING;
    }
}
