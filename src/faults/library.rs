//! Which code of libraries a call may not be given up in, and where it waits.
//!
//! Owns the ranges of the C library's allocator, which is not left half way: its lock and its
//! lists would stay as they are. And those of functions that do nothing but wait, which an
//! interrupt may end. And hotslot's own object, with the host's code: that is not left either.

use std::ffi::{CStr, c_int};
use std::ops::Range;
use std::sync::OnceLock;

use crate::unwind;

/// They take or use the allocator's lock.
const ALLOCATOR: [&CStr; 11] = [
    c"malloc",
    c"free",
    c"calloc",
    c"realloc",
    c"memalign",
    c"posix_memalign",
    c"aligned_alloc",
    c"valloc",
    c"malloc_trim",
    c"mallinfo2",
    c"malloc_stats",
];

/// They wait, and hold nothing meanwhile.
const WAITS: [&CStr; 26] = [
    c"sleep",
    c"usleep",
    c"nanosleep",
    c"clock_nanosleep",
    c"thrd_sleep",
    c"poll",
    c"ppoll",
    c"select",
    c"pselect",
    c"epoll_wait",
    c"epoll_pwait",
    c"pause",
    c"sigsuspend",
    c"sigwait",
    c"sigwaitinfo",
    c"sigtimedwait",
    c"read",
    c"write",
    c"recv",
    c"recvfrom",
    c"recvmsg",
    c"send",
    c"accept",
    c"connect",
    c"wait",
    c"waitpid",
];

struct Known {
    allocator: Vec<Range<u64>>,
    waits: Vec<Range<u64>>,
    own: Range<u64>,
}

static KNOWN: OnceLock<Known> = OnceLock::new();

/// To be called before anything else here, and not by a signal handler.
pub(super) fn prepare() {
    KNOWN.get_or_init(|| {
        unwind::prepare();
        let own = unwind::find_object(prepare as *const () as u64).map_or(0..0, |object| object.range);
        Known {
            allocator: ALLOCATOR.iter().filter_map(|name| function(name)).collect(),
            waits: WAITS.iter().filter_map(|name| function(name)).collect(),
            own,
        }
    });
}

/// The code of a function of the process.
#[allow(unsafe_code)]
fn function(name: &CStr) -> Option<Range<u64>> {
    /// `RTLD_DL_SYMENT`.
    const WITH_SYMBOL: c_int = 1;
    // SAFETY: a name that ends with a zero byte. What is found is only looked at: the loader's
    // own records, which stay, and which are of this type.
    unsafe {
        let address = libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr());
        if address.is_null() {
            return None;
        }
        let (mut info, mut symbol) = (std::mem::zeroed(), std::ptr::null_mut());
        if libc::dladdr1(address, &mut info, &mut symbol, WITH_SYMBOL) == 0 || symbol.is_null() {
            return None;
        }
        let size = (*symbol.cast::<libc::Elf64_Sym>()).st_size;
        Some(address as u64..address as u64 + size)
    }
}

fn in_any(ranges: impl Fn(&Known) -> &[Range<u64>], address: u64) -> bool {
    KNOWN.get().is_some_and(|known| ranges(known).iter().any(|range| range.contains(&address)))
}

pub(crate) fn is_allocator(address: u64) -> bool {
    in_any(|known| &known.allocator, address)
}

pub(super) fn waits(address: u64) -> bool {
    in_any(|known| &known.waits, address)
}

/// Whether it is in the object that hotslot is part of.
pub(super) fn is_own(address: u64) -> bool {
    KNOWN.get().is_none_or(|known| known.own.is_empty() || known.own.contains(&address))
}
