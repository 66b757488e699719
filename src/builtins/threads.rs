//! Threads that generated code starts.
//!
//! Each has its static TLS set up before anything else, which is all that these functions
//! add to the ones of the C and C++ libraries that they call.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

use crate::tls;

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
