//! What a C library links statically into every program, and what generated code must get
//! from hotslot rather than from the process.
//!
//! `atexit` and its kin live in a small static part of the C library because they pass on
//! the caller's `__dso_handle`; thread-local access goes through our own templates;
//! threads started by generated code get their static TLS set up. Owns those functions and
//! their names; knows nothing of slots.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

use parking_lot::RwLock;

use crate::tls;

type Handler = unsafe extern "C" fn();

unsafe extern "C" {
    fn __cxa_atexit(f: unsafe extern "C" fn(*mut c_void), argument: *mut c_void, dso: *mut c_void) -> c_int;
    fn __cxa_at_quick_exit(f: unsafe extern "C" fn(*mut c_void), dso: *mut c_void) -> c_int;
    fn __cxa_finalize(dso: *mut c_void);
    fn __register_atfork(
        prepare: Option<Handler>,
        parent: Option<Handler>,
        child: Option<Handler>,
        dso: *mut c_void,
    ) -> c_int;
}

/// The names of this file and their functions.
pub(crate) fn functions() -> [(&'static str, u64); 5] {
    [
        ("atexit", atexit as *const () as u64),
        ("at_quick_exit", at_quick_exit as *const () as u64),
        ("pthread_atfork", pthread_atfork as *const () as u64),
        ("pthread_create", pthread_create as *const () as u64),
        ("__tls_get_addr", tls::tls_get_addr as *const () as u64),
    ]
}

/// A runtime's address range and the `__dso_handle` of the code in it.
struct Range {
    start: u64,
    end: u64,
    dso: u64,
}

static RANGES: RwLock<Vec<Range>> = RwLock::new(Vec::new());

/// Makes handlers whose code lies in `start..end` belong to `dso`.
pub(crate) fn add_range(start: u64, end: u64, dso: u64) {
    RANGES.write().push(Range { start, end, dso });
}

/// Ends [`add_range`].
pub(crate) fn remove_range(dso: u64) {
    RANGES.write().retain(|range| range.dso != dso);
}

// The C library's own versions of the first three pass the address of the program's
// `__dso_handle`, so that an unloaded library takes its handlers with it. Here the
// handler's address says which runtime it belongs to.

fn dso_of(handler: u64) -> *mut c_void {
    let ranges = RANGES.read();
    let range = ranges.iter().find(|r| (r.start..r.end).contains(&handler));
    range.map_or(std::ptr::null_mut(), |r| r.dso as *mut c_void)
}

unsafe extern "C" fn atexit(f: Handler) -> c_int {
    // SAFETY: a handler without parameters may be called with one on every ABI supported
    // here; the C library's own atexit does the same.
    let f1 = unsafe { std::mem::transmute::<Handler, unsafe extern "C" fn(*mut c_void)>(f) };
    // SAFETY: the caller keeps `f` callable until the process, or its runtime, ends.
    unsafe { __cxa_atexit(f1, std::ptr::null_mut(), dso_of(f as usize as u64)) }
}

unsafe extern "C" fn at_quick_exit(f: Handler) -> c_int {
    // SAFETY: as for `atexit`.
    let f1 = unsafe { std::mem::transmute::<Handler, unsafe extern "C" fn(*mut c_void)>(f) };
    // SAFETY: as for `atexit`.
    unsafe { __cxa_at_quick_exit(f1, dso_of(f as usize as u64)) }
}

unsafe extern "C" fn pthread_atfork(
    prepare: Option<Handler>,
    parent: Option<Handler>,
    child: Option<Handler>,
) -> c_int {
    let any = prepare.or(parent).or(child);
    let dso = dso_of(any.map_or(0, |f| f as usize as u64));
    // SAFETY: passes its arguments on.
    unsafe { __register_atfork(prepare, parent, child, dso) }
}

/// Runs and removes the exit handlers registered under `dso`, newest first.
///
/// # Safety
/// The handlers' code is still in place.
pub(crate) unsafe fn finalize(dso: u64) {
    // SAFETY: by the contract above; `dso` is not null, so only handlers of it run.
    unsafe { __cxa_finalize(dso as *mut c_void) };
}

/// Registers `f(argument)` to run when the process exits, or at [`finalize`].
///
/// # Safety
/// `f` may be called with `argument` until then.
pub(crate) unsafe fn at_exit(f: unsafe extern "C" fn(*mut c_void), argument: *mut c_void, dso: u64) {
    // SAFETY: by the contract above. It fails only without memory; then `f` never runs.
    unsafe { __cxa_atexit(f, argument, dso as *mut c_void) };
}

type Start = extern "C-unwind" fn(*mut c_void) -> *mut c_void;

struct Starting {
    start: Start,
    argument: *mut c_void,
}

unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    unsafe extern "C" {
        // With unwinding: cancellation and pthread_exit unwind through the start routine.
        fn pthread_create(
            thread: *mut libc::pthread_t,
            attributes: *const libc::pthread_attr_t,
            start: Start,
            argument: *mut c_void,
        ) -> c_int;
    }
    let starting = Box::into_raw(Box::new(Starting { start, argument }));
    // SAFETY: the caller's arguments, and a start routine that takes what it is given.
    let status = unsafe { pthread_create(thread, attributes, begin_thread, starting.cast()) };
    if status != 0 {
        // SAFETY: no thread was started, so the record is still ours.
        drop(unsafe { Box::from_raw(starting) });
    }
    status
}

extern "C-unwind" fn begin_thread(starting: *mut c_void) -> *mut c_void {
    // SAFETY: made in `pthread_create` for this thread alone. Nothing that needs dropping
    // stays in this frame, which a thread's end may unwind.
    let Starting { start, argument } = *unsafe { Box::from_raw(starting.cast::<Starting>()) };
    tls::start_thread();
    start(argument)
}
