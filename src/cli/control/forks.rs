//! Children of fork do not hold the socket.
//!
//! A child has the descriptors of its parent and no thread that serves them: who connects would
//! wait for an answer for as long as the child lives. Owns closing them there.
#![allow(unsafe_code)] // a handler that the C library calls in a child of fork

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};

/// What the guard of the terminal waits for, the listener and its clients, and some more.
const ROOM: usize = 40;

static FILES: [AtomicI32; ROOM] = [const { AtomicI32::new(-1) }; ROOM];
static REGISTERED: Once = Once::new();

/// This is closed in a child from now on, beside the others.
pub fn close_this_in_children(file: BorrowedFd<'_>) {
    register();
    FILES[0].store(file.as_raw_fd(), Ordering::Release);
}

/// These, and no others from now on, are closed in a child.
pub fn close_in_children<'f>(files: impl Iterator<Item = BorrowedFd<'f>>) {
    register();
    let mut files = files.map(|file| file.as_raw_fd());
    for place in &FILES[1..] {
        place.store(files.next().unwrap_or(-1), Ordering::Release);
    }
}

fn register() {
    REGISTERED.call_once(|| {
        // SAFETY: it only stores the pointer, to a function that lives as long as the process.
        unsafe {
            libc::pthread_atfork(None, None, Some(close));
        }
    });
}

extern "C" fn close() {
    for place in &FILES {
        let file = place.swap(-1, Ordering::AcqRel);
        if file >= 0 {
            // SAFETY: a call that may be made in a child of fork. The thread whose descriptor it
            // is does not exist here.
            unsafe {
                libc::close(file);
            }
        }
    }
}
