//! What a C library links statically into every program, and what generated code must get
//! from hotslot rather than from the process.
//!
//! `atexit` and its kin live in a small static part of the C library because they pass on
//! the caller's `__dso_handle`; thread-local access goes through our own templates;
//! threads started by generated code get their static TLS set up ([`threads`]), and its
//! C++ `thread_local` objects go before their code does ([`thread_end`]); which functions are
//! to run at the end is remembered ([`exits`]), and so are the stacks of contexts that it
//! makes ([`contexts`]). Where a runtime wants it, ends of the process are caught ([`ends`]). Owns those functions and their names; knows nothing of slots.
#![allow(unsafe_code)]

mod contexts;
mod ends;
mod exits;
mod thread_end;
mod threads;

use std::ffi::{c_int, c_void};

pub(crate) use ends::functions as ends;

use crate::tls;

type Handler = unsafe extern "C" fn();

unsafe extern "C" {
    fn __cxa_atexit(f: unsafe extern "C" fn(*mut c_void), argument: *mut c_void, dso: *mut c_void) -> c_int;
    #[link_name = "on_exit"]
    fn libc_on_exit(f: unsafe extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
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
pub(crate) fn functions() -> Vec<(&'static str, u64)> {
    let always = [
        ("__cxa_atexit", cxa_atexit as *const () as u64),
        ("atexit", atexit as *const () as u64),
        ("on_exit", on_exit as *const () as u64),
        ("at_quick_exit", at_quick_exit as *const () as u64),
        ("pthread_atfork", pthread_atfork as *const () as u64),
        ("makecontext", contexts::makecontext as *const () as u64),
        ("pthread_create", threads::pthread_create as *const () as u64),
        ("thrd_create", threads::thrd_create as *const () as u64),
        ("__cxa_thread_atexit", thread_end::thread_atexit as *const () as u64),
        ("__cxa_thread_atexit_impl", thread_end::thread_atexit as *const () as u64),
        ("__tls_get_addr", tls::tls_get_addr as *const () as u64),
    ];
    always.into_iter().chain(threads::cxx_start_thread()).collect()
}

/// A runtime's address range and the `__dso_handle` of the code in it.
struct Range {
    start: u64,
    end: u64,
    dso: u64,
}

static RANGES: tls::Forkable<Vec<Range>> = tls::Forkable::new(Vec::new());

/// To be called before generated code can register fork handlers: before a fork these run in
/// the opposite order, so that what is held here is still free for them.
pub(crate) fn survive_forks() {
    unsafe extern "C" fn before() {
        // SAFETY: a static.
        unsafe { RANGES.hold() };
    }
    unsafe extern "C" fn after() {
        // SAFETY: the C library calls `before` first, in the same thread.
        drop(unsafe { RANGES.release() });
    }
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        exits::survive_forks();
        thread_end::survive_forks();
        tls::around_forks(before, after, after);
    });
}

/// Makes handlers whose code lies in `start..end` belong to `dso`.
pub(crate) fn add_range(start: u64, end: u64, dso: u64) {
    RANGES.lock().push(Range { start, end, dso });
}

/// Ends [`add_range`]: the code of `dso` goes.
pub(crate) fn remove_range(dso: u64) {
    RANGES.lock().retain(|range| range.dso != dso);
    thread_end::forget(dso);
    exits::forget(dso);
}

/// Which runtime `dso`, or else the address of `function`, belongs to.
fn dso_among(dso: u64, function: u64) -> Option<u64> {
    let ranges = RANGES.lock();
    let named = ranges.iter().find(|range| range.dso == dso);
    let range = named.or_else(|| ranges.iter().find(|r| (r.start..r.end).contains(&function)));
    range.map(|range| range.dso)
}

// The C library's own versions of the first three pass the address of the program's
// `__dso_handle`, so that an unloaded library takes its handlers with it. Here the
// handler's address says which runtime it belongs to.

fn dso_of(handler: u64) -> *mut c_void {
    dso_among(0, handler).map_or(std::ptr::null_mut(), |dso| dso as *mut c_void)
}

unsafe extern "C" fn cxa_atexit(
    f: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
    dso: *mut c_void,
) -> c_int {
    note_by_address(dso as u64, f as usize as u64, argument as u64);
    // SAFETY: passes its arguments on.
    unsafe { __cxa_atexit(f, argument, dso) }
}

unsafe extern "C" fn on_exit(f: unsafe extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int {
    note_by_address(0, f as usize as u64, argument as u64);
    // SAFETY: passes its arguments on.
    unsafe { libc_on_exit(f, argument) }
}

fn note_by_address(dso: u64, function: u64, argument: u64) {
    if let Some(dso) = dso_among(dso, function) {
        exits::note(dso, function);
        if dso_among(0, argument) == Some(dso) {
            exits::note_object(dso, argument);
        }
    }
}

unsafe extern "C" fn atexit(f: Handler) -> c_int {
    // SAFETY: a handler without parameters may be called with one on every ABI supported
    // here; the C library's own atexit does the same.
    let f1 = unsafe { std::mem::transmute::<Handler, unsafe extern "C" fn(*mut c_void)>(f) };
    let dso = dso_of(f as usize as u64);
    exits::note(dso as u64, f as usize as u64);
    // SAFETY: the caller keeps `f` callable until the process, or its runtime, ends.
    unsafe { __cxa_atexit(f1, std::ptr::null_mut(), dso) }
}

unsafe extern "C" fn at_quick_exit(f: Handler) -> c_int {
    // SAFETY: as for `atexit`.
    let f1 = unsafe { std::mem::transmute::<Handler, unsafe extern "C" fn(*mut c_void)>(f) };
    let dso = dso_of(f as usize as u64);
    exits::note(dso as u64, f as usize as u64);
    // SAFETY: as for `atexit`.
    unsafe { __cxa_at_quick_exit(f1, dso) }
}

unsafe extern "C" fn pthread_atfork(
    prepare: Option<Handler>,
    parent: Option<Handler>,
    child: Option<Handler>,
) -> c_int {
    let any = prepare.or(parent).or(child);
    let dso = dso_of(any.map_or(0, |f| f as usize as u64));
    for handler in [prepare, parent, child].into_iter().flatten() {
        exits::note(dso as u64, handler as usize as u64);
    }
    // SAFETY: passes its arguments on.
    unsafe { __register_atfork(prepare, parent, child, dso) }
}

/// Ends `dso` in the calling thread: destroys the thread's C++ `thread_local` objects, then
/// runs and removes the exit handlers, both newest first.
///
/// # Safety
/// The handlers' code is still in place.
pub(crate) unsafe fn finalize(dso: u64) {
    // SAFETY: by the contract above.
    unsafe { thread_end::finalize(dso) };
    // SAFETY: by the contract above; `dso` is not null, so only handlers of it run.
    unsafe { __cxa_finalize(dso as *mut c_void) };
}

/// The functions of `dso` that are to run at some end: of the process, of a thread, before a
/// fork.
pub(crate) fn exit_handlers(dso: u64) -> Vec<u64> {
    let mut functions = exits::of(dso);
    functions.extend(thread_end::destructors(dso));
    functions
}

/// Whether the C library, or something of the host's, is to call `function` at some end.
pub(crate) fn runs_at_end(function: u64) -> bool {
    dso_among(0, function)
        .is_some_and(|dso| exits::contains(dso, function) || thread_end::destructors(dso).contains(&function))
}

/// The objects of `dso` that some function is to be called with at the end: those in its
/// memory, and those of threads.
pub(crate) fn objects_at_end(dso: u64) -> (Vec<u64>, Vec<u64>) {
    (exits::objects_of(dso), thread_end::objects(dso))
}

/// Notes that something of the host's will call `function` at the end of `dso`.
pub(crate) fn note_exit(dso: u64, function: u64) {
    exits::note(dso, function);
}

/// Registers `f(argument)` to run when the process exits, or at [`finalize`].
///
/// # Safety
/// `f` may be called with `argument` until then.
pub(crate) unsafe fn at_exit(f: unsafe extern "C" fn(*mut c_void), argument: *mut c_void, dso: u64) {
    // SAFETY: by the contract above. It fails only without memory; then `f` never runs.
    unsafe { __cxa_atexit(f, argument, dso as *mut c_void) };
}
