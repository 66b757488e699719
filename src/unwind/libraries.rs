//! Which loaded object an address is in, and its frame records, asked without a lock.
//!
//! Owns the dynamic loader's `_dl_find_object`, which signal handlers may call. Where the C
//! library is too old to have it no object is found.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// glibc's `struct dl_find_object`, as it is on x86-64 and aarch64.
#[repr(C)]
struct Raw {
    flags: u64,
    start: u64,
    end: u64,
    map: u64,
    frames: u64,
    reserved: [u64; 7],
}

type Find = unsafe extern "C" fn(*const c_void, *mut Raw) -> c_int;

static FIND: AtomicUsize = AtomicUsize::new(0);

/// A loaded object.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// From its first byte to behind its last.
    pub(crate) range: Range<u64>,
    /// Its header of frame records (`.eh_frame_hdr`).
    pub(super) frames: u64,
}

/// To be called before [`find_object`] is of use, and not by a signal handler.
pub(crate) fn prepare() {
    // SAFETY: a name that ends with a zero byte; the default scope is always there.
    let find = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    FIND.store(find as usize, Ordering::Release);
}

/// The object that `address` is in.
pub(crate) fn find_object(address: u64) -> Option<Found> {
    let find = FIND.load(Ordering::Acquire);
    if find == 0 {
        return None;
    }
    // SAFETY: the C library's function of that name has this type.
    let find = unsafe { std::mem::transmute::<usize, Find>(find) };
    let mut raw = Raw { flags: 0, start: 0, end: 0, map: 0, frames: 0, reserved: [0; 7] };
    // SAFETY: valid for writes; the address may be any.
    let status = unsafe { find(address as *const c_void, &mut raw) };
    (status == 0).then_some(Found { range: raw.start..raw.end, frames: raw.frames })
}
