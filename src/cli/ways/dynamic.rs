//! The system's loader of shared libraries.
//!
//! Knows files and symbols; what is in a library and how long it is needed is for the way to say.
#![allow(unsafe_code)] // the dynamic loader's interface

use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Result, Trouble};

/// An open library.
pub struct Open(*mut c_void);

impl Open {
    /// Opens a library for all others to see. Its own symbols and those of the libraries that it
    /// was linked with come before those of this process, which may have the same names: LLVM
    /// brings libraries of its own.
    pub fn new(path: &Path) -> Result<Self> {
        let name = c_string(path.as_os_str().as_bytes())?;
        // SAFETY: a C string; the library's constructors run, which is what opening is for.
        let handle =
            unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL | libc::RTLD_DEEPBIND) };
        if handle.is_null() { Err(trouble()) } else { Ok(Self(handle)) }
    }

    /// A symbol of the library, or of those that it was linked with.
    pub fn symbol(&self, name: &str) -> Result<usize> {
        let name = c_string(name.as_bytes())?;
        // SAFETY: the handle is open.
        let address = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        if address.is_null() { Err(trouble()) } else { Ok(address.addr()) }
    }

    /// Gives the library up: its code may be gone afterwards.
    pub fn close(self) {
        // SAFETY: the handle is open and not used again.
        unsafe { libc::dlclose(self.0) };
    }
}

/// What the loader has to say about its last failure.
fn trouble() -> Trouble {
    // SAFETY: returns null or a C string that is copied before the next call.
    let text = unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            "the dynamic loader says nothing".into()
        } else {
            CStr::from_ptr(text).to_string_lossy()
        }
    };
    Trouble::failed(text)
}

fn c_string(bytes: &[u8]) -> Result<CString> {
    CString::new(bytes).map_err(|_| Trouble::failed("a name contains a NUL byte"))
}
