//! Threads that generated code starts.
//!
//! Each has its static TLS set up before anything else, which is all that these functions
//! add to the ones of the C and C++ libraries that they call.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::sync::OnceLock;

use crate::{faults, tls};

type Start = extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type StartC11 = extern "C-unwind" fn(*mut c_void) -> c_int;

struct Starting<F> {
    start: F,
    argument: *mut c_void,
}

impl<F> Starting<F> {
    /// Has `create` start a thread with the record of what it is to run.
    fn create(start: F, argument: *mut c_void, create: impl FnOnce(*mut c_void) -> c_int) -> c_int {
        let starting = Box::into_raw(Box::new(Self { start, argument }));
        let status = create(starting.cast());
        if status != 0 {
            // SAFETY: no thread was started, so the record is still ours.
            drop(unsafe { Box::from_raw(starting) });
        }
        status
    }

    /// Prepares the new thread and takes its record.
    ///
    /// # Safety
    /// `starting` is what `create` was given, and this is the thread started with it.
    unsafe fn begin(starting: *mut c_void) -> Self {
        tls::start_thread();
        faults::start_thread();
        // SAFETY: by the contract above.
        *unsafe { Box::from_raw(starting.cast::<Self>()) }
    }
}

unsafe extern "C" {
    // With unwinding: cancellation and pthread_exit unwind through the start routine.
    #[link_name = "pthread_create"]
    fn real_pthread_create(
        thread: *mut libc::pthread_t,
        attributes: *const libc::pthread_attr_t,
        start: Start,
        argument: *mut c_void,
    ) -> c_int;
    #[link_name = "thrd_create"]
    fn real_thrd_create(thread: *mut libc::pthread_t, start: StartC11, argument: *mut c_void) -> c_int;
}

pub(super) unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    Starting::create(start, argument, |starting| {
        // SAFETY: the caller's arguments, and a start routine that takes what it is given.
        unsafe { real_pthread_create(thread, attributes, begin, starting) }
    })
}

pub(super) unsafe extern "C" fn thrd_create(
    thread: *mut libc::pthread_t,
    start: StartC11,
    argument: *mut c_void,
) -> c_int {
    Starting::create(start, argument, |starting| {
        // SAFETY: as in `pthread_create`.
        unsafe { real_thrd_create(thread, begin_c11, starting) }
    })
}

// Nothing that needs dropping stays in these frames, which a thread's end may unwind.

extern "C-unwind" fn begin(starting: *mut c_void) -> *mut c_void {
    // SAFETY: the thread that `pthread_create` started.
    let Starting { start, argument } = unsafe { Starting::<Start>::begin(starting) };
    start(argument)
}

extern "C-unwind" fn begin_c11(starting: *mut c_void) -> c_int {
    // SAFETY: the thread that `thrd_create` started.
    let Starting { start, argument } = unsafe { Starting::<StartC11>::begin(starting) };
    start(argument)
}

// `std::thread` starts its thread inside the C++ library, from an object with a virtual
// function to run. The library gets an object of ours that stands for it, so that all the
// rest, exceptions and cancellation too, stays as it is.

/// Where libstdc++ starts the thread of a `std::thread`: the object's address of the
/// thread's id, the `unique_ptr` of the state, and a function that is there to be linked.
const START_THREAD: &CStr =
    c"_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE";

type StartThread = unsafe extern "C-unwind" fn(*mut c_void, *mut *mut State, *mut c_void);

/// The C++ ABI's table of the virtual functions of `std::thread::_State` and what comes
/// before it. An object has the address of the functions.
#[repr(C)]
struct Table {
    offset_to_top: isize,
    type_info: usize,
    functions: Virtual,
}

/// The virtual functions, as an object leads to them.
#[repr(C)]
struct Virtual {
    destroy: unsafe extern "C-unwind" fn(*mut State),
    destroy_and_free: unsafe extern "C-unwind" fn(*mut State),
    run: unsafe extern "C-unwind" fn(*mut State),
}

/// The start of every `std::thread::_State`.
#[repr(C)]
struct State {
    functions: *const Virtual,
}

/// Stands for `inner`, which it owns.
#[repr(C)]
struct Standing {
    state: State,
    inner: *mut State,
}

static TABLE: Table =
    Table { offset_to_top: 0, type_info: 0, functions: Virtual { destroy, destroy_and_free, run } };

/// The C++ library's own function, if the process has that library.
fn real_start_thread() -> Option<StartThread> {
    static FOUND: OnceLock<Option<StartThread>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: a name that ends in a zero.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, START_THREAD.as_ptr()) };
        // SAFETY: the mangled name has the parameters; an absent one is null.
        unsafe { std::mem::transmute::<*mut c_void, Option<StartThread>>(address) }
    })
}

/// What stands for [`START_THREAD`], where there is one.
pub(super) fn cxx_start_thread() -> Option<(&'static str, u64)> {
    real_start_thread()?;
    Some((START_THREAD.to_str().ok()?, start_thread as *const () as u64))
}

/// Where no thread can be started the exception passes through, and a record is lost.
unsafe extern "C-unwind" fn start_thread(thread: *mut c_void, state: *mut *mut State, depend: *mut c_void) {
    let Some(real) = real_start_thread() else { return };
    let functions = &raw const TABLE.functions;
    // SAFETY: the caller's `unique_ptr`, which is a pointer.
    let inner = unsafe { *state };
    let standing = Box::into_raw(Box::new(Standing { state: State { functions }, inner }));
    let mut owner: *mut State = standing.cast();
    // SAFETY: the caller's arguments, with an object that begins and acts like a state.
    unsafe { real(thread, &raw mut owner, depend) };
    // SAFETY: as above. The thread owns the state now, by way of ours.
    unsafe { *state = std::ptr::null_mut() };
}

unsafe extern "C-unwind" fn run(standing: *mut State) {
    tls::start_thread();
    faults::start_thread();
    // SAFETY: called through TABLE, so with an object of `start_thread`, whose `inner` is a
    // state of the C++ library's kind.
    unsafe {
        let inner = (*standing.cast::<Standing>()).inner;
        ((*(*inner).functions).run)(inner);
    }
}

unsafe extern "C-unwind" fn destroy(standing: *mut State) {
    // SAFETY: as in `run`; `inner` is destroyed once, with the object that owns it.
    unsafe {
        let inner = (*standing.cast::<Standing>()).inner;
        ((*(*inner).functions).destroy_and_free)(inner);
    }
}

unsafe extern "C-unwind" fn destroy_and_free(standing: *mut State) {
    // SAFETY: taken out before the call, which may unwind.
    let Standing { inner, .. } = *unsafe { Box::from_raw(standing.cast::<Standing>()) };
    // SAFETY: as in `destroy`.
    unsafe { ((*(*inner).functions).destroy_and_free)(inner) };
}
