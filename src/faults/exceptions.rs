//! Exceptions that nothing would catch, at the guard.
//!
//! Owns the answer to the unwinder, which asks every guarded call that an exception comes to whether it
//! ends there; and what is told of the exception before it is destroyed. The host's frames further out
//! have no part in it: most hosts cannot catch what another language throws.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};

use runtime_stubs::entry::{guard_landing_address, set_guard_personality};

use super::caught::{Caught, Why};
use super::guard::{self, Guard, Identity};
use super::{ends, judge};

// The unwinder's numbers, by the Itanium C++ ABI.
const SEARCH_PHASE: c_int = 1;
const HANDLER_FRAME: c_int = 4;
const FORCED: c_int = 8;
const HANDLER_FOUND: c_int = 6;
const INSTALL_CONTEXT: c_int = 7;
const CONTINUE: c_int = 8;

/// Rust's panics pass: the host knows what to do with those. Versions of Rust differ in the order.
const RUST: [u64; 2] = [u64::from_be_bytes(*b"MOZ\0RUST"), u64::from_le_bytes(*b"MOZ\0RUST")];
/// What C++ throws, without the byte that says whether it is another one again.
const CXX: u64 = u64::from_be_bytes(*b"GNUCC++\0") >> 8;

unsafe extern "C" {
    fn _Unwind_GetCFA(context: *mut c_void) -> u64;
    fn _Unwind_SetIP(context: *mut c_void, address: u64);
    fn _Unwind_DeleteException(exception: *mut c_void);
}

/// Has exceptions end guarded calls, where runtimes want that.
pub(super) fn install() {
    // SAFETY: `personality` keeps the rules, and claims exceptions at guards only, which know the code.
    unsafe { set_guard_personality(personality) };
}

unsafe extern "C" fn personality(
    _version: c_int,
    actions: c_int,
    class: u64,
    exception: *mut c_void,
    context: *mut c_void,
) -> c_int {
    if RUST.contains(&class) || actions & FORCED != 0 {
        return CONTINUE;
    }
    // SAFETY: the unwinder's context. It is asked at the call, where the stack pointer is this.
    let sp = unsafe { _Unwind_GetCFA(context) };
    let Some(guard) = guard_at(sp) else { return CONTINUE };
    if actions & SEARCH_PHASE != 0 {
        // The frames that it was thrown from are still there.
        let caught = ends::from_here(Why::Exception).map(|(caught, _)| caught);
        guard.note(&caught.unwrap_or_else(|| Caught::because(Why::Exception)));
        return HANDLER_FOUND;
    }
    if actions & HANDLER_FRAME == 0 {
        return CONTINUE;
    }
    guard.thrown.set((exception, class));
    // SAFETY: as above; the landing is in the same function, and expects the stack as it is there.
    unsafe { _Unwind_SetIP(context, guard_landing_address()) };
    INSTALL_CONTEXT
}

/// The guard of the call with that stack pointer, if exceptions end there.
fn guard_at(sp: u64) -> Option<&'static Guard> {
    let guard = judge::guards().find(|guard| guard.sp().wrapping_sub(sp) < 64)?;
    judge::guard_of_ends(guard.of?).map(|_| guard)
}

/// What can be said of an exception, which ends here: the name of its type, as the compiler has it.
///
/// # Safety
/// It came to the guard of a call of runtime `of`, in this thread, and is nobody else's.
pub(super) unsafe fn end(of: Identity, exception: *mut c_void, class: u64) -> Option<String> {
    let mut name = None;
    // Its destructor is generated code.
    // SAFETY: by the contract above.
    let _ = guard::run(of, None, || unsafe {
        match library() {
            Some(library) if class >> 8 == CXX => {
                (library.begin)(exception);
                // Null for what is no object of C++.
                if let Some(info) = (library.current_type)().as_ref() {
                    name = Some(CStr::from_ptr(info.name).to_string_lossy().into_owned());
                }
                (library.end)();
            }
            _ => _Unwind_DeleteException(exception),
        }
    });
    name
}

#[repr(C)]
struct TypeInfo {
    functions: *const c_void,
    name: *const c_char,
}

/// The C++ library's functions for whoever catches.
struct Library {
    begin: unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void,
    current_type: unsafe extern "C" fn() -> *mut TypeInfo,
    end: unsafe extern "C-unwind" fn(),
}

fn library() -> Option<Library> {
    let find = |name: &CStr| {
        // SAFETY: a name that ends with a zero byte.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        (!address.is_null()).then_some(address)
    };
    let (begin, end) = (find(c"__cxa_begin_catch")?, find(c"__cxa_end_catch")?);
    let current_type = find(c"__cxa_current_exception_type")?;
    // SAFETY: the names are the ABI's, and these are their types.
    unsafe {
        Some(Library {
            begin: std::mem::transmute::<*mut c_void, unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void>(
                begin,
            ),
            current_type: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *mut TypeInfo>(
                current_type,
            ),
            end: std::mem::transmute::<*mut c_void, unsafe extern "C-unwind" fn()>(end),
        })
    }
}
