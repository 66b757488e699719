//! The way in and out of the C interface.
//!
//! Owns what every function of it does with what C passes: strings, records with a size, places
//! for results; and that no panic gets to C. Knows nothing of what the functions do.
#![allow(unsafe_code)] // reads and writes what C points to

use std::ffi::{CStr, CString, OsStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr;

use super::error::{HotslotCode, HotslotError};

/// What a function of the interface does, as long as it is in Rust.
pub type Result<T> = std::result::Result<T, Box<HotslotError>>;

/// Runs `body`. What fails, and a panic, becomes the code and `*error`.
///
/// # Safety
/// `error` is null or valid for a write.
pub unsafe fn run(error: *mut *mut HotslotError, body: impl FnOnce() -> Result<()>) -> HotslotCode {
    // SAFETY: by the contract above.
    match unsafe { run_for(error, body) } {
        Ok(()) => HotslotCode::Ok,
        Err(code) => code,
    }
}

/// The same for what has a result.
///
/// # Safety
/// As [`run`].
pub unsafe fn run_for<T>(
    error: *mut *mut HotslotError,
    body: impl FnOnce() -> Result<T>,
) -> std::result::Result<T, HotslotCode> {
    // SAFETY: by the contract above.
    unsafe { put(error, ptr::null_mut()) };
    // A panic leaves no state of this layer half changed, and the library's own is behind locks
    // whose holders take back what they had begun.
    let result = catch_unwind(AssertUnwindSafe(body));
    let failed = match result {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(failed)) => failed,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            let failed = HotslotError::of_panic(text.unwrap_or("a panic"));
            // What was thrown may throw again where it ends.
            std::mem::forget(panic);
            failed
        }
    };
    let code = failed.code();
    if !error.is_null() {
        // SAFETY: by the contract above.
        unsafe { error.write(Box::into_raw(failed)) };
    }
    Err(code)
}

/// Runs what cannot fail: `otherwise` where it panics.
pub fn run_or<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        std::mem::forget(panic);
        otherwise
    })
}

/// Writes a result to where C wants it, if it does.
///
/// # Safety
/// `place` is null or valid for a write.
pub unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: by the contract above.
        unsafe { place.write(value) };
    }
}

/// Makes a string of C's for a result, which is freed with `hotslot_string_free`.
///
/// # Safety
/// As [`put`].
pub unsafe fn put_string(place: *mut *mut c_char, text: impl FnOnce() -> String) {
    if !place.is_null() {
        // SAFETY: by the contract above.
        unsafe { place.write(c_string(&text()).into_raw()) };
    }
}

/// A string of C's; a zero byte in it becomes the sign for one.
pub fn c_string(text: &str) -> CString {
    let text = match text.contains('\0') {
        true => text.replace('\0', "\u{2400}"),
        false => text.to_owned(),
    };
    CString::new(text).unwrap_or_default()
}

/// An object that must be there.
pub fn object<T>(given: Option<T>, what: &str) -> Result<T> {
    given.ok_or_else(|| HotslotError::of_argument(format!("{what} is NULL")))
}

/// A string that must be there, in UTF-8.
///
/// # Safety
/// `given` is null, or a C string that stays for `'a`.
pub unsafe fn text<'a>(given: *const c_char, what: &str) -> Result<&'a str> {
    // SAFETY: by the contract above.
    let text = unsafe { bytes(given, what)? };
    let refuse = |_| HotslotError::of_argument(format!("{what} is not UTF-8"));
    std::str::from_utf8(text).map_err(refuse)
}

/// The same, or `None` where it is null.
///
/// # Safety
/// As [`text`].
pub unsafe fn text_or_none<'a>(given: *const c_char, what: &str) -> Result<Option<&'a str>> {
    // SAFETY: by the contract above.
    if given.is_null() { Ok(None) } else { unsafe { text(given, what).map(Some) } }
}

/// A path that must be there.
///
/// # Safety
/// As [`text`].
pub unsafe fn path<'a>(given: *const c_char, what: &str) -> Result<&'a Path> {
    // SAFETY: by the contract above.
    let bytes = unsafe { bytes(given, what)? };
    Ok(Path::new(OsStr::from_bytes(bytes)))
}

unsafe fn bytes<'a>(given: *const c_char, what: &str) -> Result<&'a [u8]> {
    if given.is_null() {
        return Err(HotslotError::of_argument(format!("{what} is NULL")));
    }
    // SAFETY: not null, and by the caller's contract a C string.
    Ok(unsafe { CStr::from_ptr(given) }.to_bytes())
}

/// `count` strings.
///
/// # Safety
/// `given` is null or points to as many strings, which stay for `'a`.
pub unsafe fn list<'a>(given: *const *const c_char, count: usize, what: &str) -> Result<Vec<&'a [u8]>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if given.is_null() {
        return Err(HotslotError::of_argument(format!("{what} is NULL, and its count is {count}")));
    }
    // SAFETY: by the contract above.
    (0..count).map(|i| unsafe { bytes(*given.add(i), &format!("{what}[{i}]")) }).collect()
}

/// A record that grows with the interface: what C knows of it, the rest as its default.
///
/// # Safety
/// `repr(C)`; the first field is a `usize`, the size that C knows; zero is a valid value of every
/// field and means the default.
pub unsafe trait Record: Copy {
    /// Its name in C.
    const NAME: &'static str;
}

/// Reads a record, or its defaults where it is null.
///
/// # Safety
/// `given` is null, or points to as many bytes as its first field says.
pub unsafe fn record<T: Record>(given: *const T) -> Result<T> {
    let mut known = MaybeUninit::<T>::zeroed();
    if given.is_null() {
        // SAFETY: zero is a valid value, by the trait's contract.
        return Ok(unsafe { known.assume_init() });
    }
    // SAFETY: the first field, by the contracts above.
    let size = unsafe { given.cast::<usize>().read() };
    let name = T::NAME;
    if size < size_of::<usize>() {
        let message = format!("{name}.size is {size}: the record was not prepared");
        return Err(HotslotError::of_argument_with(
            message,
            "call hotslot_init(&record, sizeof record) first",
        ));
    }
    let both = size.min(size_of::<T>());
    // SAFETY: both are valid for as many bytes; those that stay zero are defaults.
    let rest = unsafe {
        ptr::copy_nonoverlapping(given.cast::<u8>(), known.as_mut_ptr().cast::<u8>(), both);
        std::slice::from_raw_parts(given.cast::<u8>().add(both), size - both)
    };
    if rest.iter().any(|&byte| byte != 0) {
        let message = format!(
            "{name} has {size} bytes, of which this library knows {both}, and says something in the others"
        );
        return Err(HotslotError::of_argument_with(message, "use the library that the header is of"));
    }
    // SAFETY: every field is zero or what C stored in it, by the trait's contract.
    Ok(unsafe { known.assume_init() })
}

/// Prepares a record of options: all of its `size` bytes become zero, which stands for the
/// defaults, and its first field, `size`, is set. A record that is not prepared is refused.
///
///     hotslot_options options;
///     hotslot_init(&options, sizeof options);
///
/// Without effect if `record` is NULL or `size` is smaller than a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_init(record: *mut c_void, size: usize) {
    if record.is_null() || size < size_of::<usize>() {
        return;
    }
    // SAFETY: the caller passes a record of this size, whose first field is the size.
    unsafe {
        ptr::write_bytes(record.cast::<u8>(), 0, size);
        record.cast::<usize>().write_unaligned(size);
    }
}

/// Frees a string that a function of this header has returned or stored for its caller to free.
/// NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_string_free(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: the caller passes what `put_string` has made, once.
        drop(unsafe { CString::from_raw(string) });
    }
}
