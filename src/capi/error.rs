//! Errors as C sees them.
//!
//! Owns the numbers of the codes, which never change, and the texts in a form that C can read
//! for as long as the error lives. What went wrong is the library's [`Error`].
#![allow(unsafe_code)] // exports functions

use std::ffi::{CString, c_char, c_int};

use serde_json::{Value, json};

use super::boundary::{c_string, put, put_string, run_or};
use super::reports;
use crate::error::{Error, ErrorKind};

/// What came of a call: `HOTSLOT_CODE_OK`, or the phase that failed. The numbers never change;
/// later versions may have more of them.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HotslotCode {
    /// Nothing failed.
    Ok = 0,
    /// A source could not be read: a missing file, an unreadable archive.
    Read = 1,
    /// A source was read but is not well formed.
    Parse = 2,
    /// LLVM refused to verify, optimise or generate code for a module.
    Compile = 3,
    /// An object could not be placed: a relocation, a section, a TLS model.
    Link = 4,
    /// A name has no definition, or not one of the kind asked for.
    Resolve = 5,
    /// A function exists, but not with the signature asked for.
    Signature = 6,
    /// The update itself makes no sense: a module loaded twice, an unknown module.
    Update = 7,
    /// A variable no longer fits the storage that it has.
    Storage = 8,
    /// More replaced code is still held by threads than may be.
    Reclaim = 9,
    /// The program came to no safe point in time.
    SafePoint = 10,
    /// The reservation is full, or the operating system refused memory.
    Memory = 11,
    /// Generated code did something that the processor or the kernel refuses.
    Fault = 12,
    /// A guarded call was ended from outside, or its time was over.
    Interrupted = 13,
    /// The host lacks something hotslot needs (an architecture, a kernel feature).
    Host = 14,
    /// A guarded call was ended where its code would have ended the process: `contain_aborts` of
    /// `hotslot_options`.
    Aborted = 15,
    /// A guarded call was ended by `hotslot_give_up`.
    GivenUp = 16,
    /// An argument makes no sense: NULL where something must be, text that is not UTF-8, a
    /// record that `hotslot_init` has not prepared, an unknown constant.
    Argument = 100,
    /// A bug in hotslot: it has panicked. Nothing is promised of the runtime any more but that
    /// it can be freed. The panic's message was printed on stderr.
    Panic = 101,
}

impl From<ErrorKind> for HotslotCode {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Read => Self::Read,
            ErrorKind::Parse => Self::Parse,
            ErrorKind::Compile => Self::Compile,
            ErrorKind::Link => Self::Link,
            ErrorKind::Resolve => Self::Resolve,
            ErrorKind::Signature => Self::Signature,
            ErrorKind::Update => Self::Update,
            ErrorKind::Storage => Self::Storage,
            ErrorKind::Reclaim => Self::Reclaim,
            ErrorKind::SafePoint => Self::SafePoint,
            ErrorKind::Memory => Self::Memory,
            ErrorKind::Fault => Self::Fault,
            ErrorKind::Interrupted => Self::Interrupted,
            ErrorKind::Host => Self::Host,
            ErrorKind::Aborted => Self::Aborted,
            ErrorKind::GivenUp => Self::GivenUp,
        }
    }
}

/// What failed, where, and what to do about it. Free it with `hotslot_error_free`. The texts that
/// its functions return stay for as long as the error does. Any thread may read it.
pub struct HotslotError {
    code: HotslotCode,
    text: CString,
    message: CString,
    hint: Option<CString>,
    symbol: Option<CString>,
    module: Option<CString>,
    file: Option<CString>,
    backtrace: Option<CString>,
    /// What it stands for beside itself.
    others: Vec<HotslotError>,
    /// What it was made of.
    cause: Option<Error>,
}

impl HotslotError {
    /// Something was passed that makes no sense.
    pub fn of_argument(message: impl AsRef<str>) -> Box<Self> {
        Box::new(Self::plain(HotslotCode::Argument, message.as_ref(), None))
    }

    pub fn of_argument_with(message: impl AsRef<str>, hint: &str) -> Box<Self> {
        Box::new(Self::plain(HotslotCode::Argument, message.as_ref(), Some(hint)))
    }

    /// hotslot has panicked.
    pub fn of_panic(message: &str) -> Box<Self> {
        let message = format!("hotslot has a bug: {message}");
        Box::new(Self::plain(HotslotCode::Panic, &message, Some("free the runtime, and report it")))
    }

    fn plain(code: HotslotCode, message: &str, hint: Option<&str>) -> Self {
        let text = hint.map_or(message.to_owned(), |hint| format!("{message}; {hint}"));
        Self {
            code,
            text: c_string(&text),
            message: c_string(message),
            hint: hint.map(c_string),
            symbol: None,
            module: None,
            file: None,
            backtrace: None,
            others: Vec::new(),
            cause: None,
        }
    }

    /// One problem of the library's.
    fn of(error: &Error) -> Self {
        Self {
            code: error.kind().into(),
            text: c_string(&format!("{error:#}")),
            message: c_string(error.message()),
            hint: error.advice().map(c_string),
            symbol: error.symbol().map(c_string),
            module: error.module().map(c_string),
            file: error.file().map(c_string),
            backtrace: error.fault().map(|fault| c_string(&fault.backtrace())),
            others: Vec::new(),
            cause: None,
        }
    }

    pub fn code(&self) -> HotslotCode {
        self.code
    }

    /// All of it, as one text.
    pub fn text(&self) -> String {
        self.text.to_string_lossy().into_owned()
    }

    /// The library's error, if it is one.
    pub fn cause(&self) -> Option<&Error> {
        self.cause.as_ref()
    }

    /// All of it.
    pub fn to_json(&self) -> Value {
        let of = |text: &Option<CString>| text.as_ref().map(|text| text.to_string_lossy().into_owned());
        json!({
            "code": self.code as i32,
            "message": self.message.to_string_lossy(),
            "text": self.text.to_string_lossy(),
            "hint": of(&self.hint),
            "symbol": of(&self.symbol),
            "module": of(&self.module),
            "file": of(&self.file),
            "exit_code": self.cause.as_ref().and_then(Error::exit_code),
            "fault": self.cause.as_ref().and_then(Error::fault).map(reports::fault),
            "others": self.others.iter().map(Self::to_json).collect::<Vec<_>>(),
        })
    }
}

impl From<Error> for Box<HotslotError> {
    fn from(error: Error) -> Self {
        let mut first = HotslotError::of(&error);
        first.text = c_string(&error.to_string());
        first.others = error.problems().skip(1).map(HotslotError::of).collect();
        first.cause = Some(error);
        Box::new(first)
    }
}

/// The phase that failed. `HOTSLOT_CODE_OK` if `error` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_code(error: Option<&HotslotError>) -> HotslotCode {
    error.map_or(HotslotCode::Ok, HotslotError::code)
}

/// The whole story, with places and advice: one line for each problem that the error stands for.
/// Empty if `error` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_text(error: Option<&HotslotError>) -> *const c_char {
    error.map_or(c"".as_ptr(), |error| error.text.as_ptr())
}

/// What went wrong, without places and advice. Empty if `error` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_message(error: Option<&HotslotError>) -> *const c_char {
    error.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

fn part(error: Option<&HotslotError>, of: impl FnOnce(&HotslotError) -> Option<&CString>) -> *const c_char {
    error.and_then(of).map_or(std::ptr::null(), |text| text.as_ptr())
}

/// What to do about it, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_hint(error: Option<&HotslotError>) -> *const c_char {
    part(error, |error| error.hint.as_ref())
}

/// The symbol that it is about, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_symbol(error: Option<&HotslotError>) -> *const c_char {
    part(error, |error| error.symbol.as_ref())
}

/// The module that it is about, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_module(error: Option<&HotslotError>) -> *const c_char {
    part(error, |error| error.module.as_ref())
}

/// The file that it is about, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_file(error: Option<&HotslotError>) -> *const c_char {
    part(error, |error| error.file.as_ref())
}

/// Where generated code was when a guarded call of it was ended, one frame a line; or NULL if none
/// was.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_backtrace(error: Option<&HotslotError>) -> *const c_char {
    part(error, |error| error.backtrace.as_ref())
}

/// Whether a guarded call was ended because its code called `exit`: 1 if so, and `*status` is what it
/// exited with; otherwise 0. `status` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hotslot_error_exit_code(error: Option<&HotslotError>, status: *mut c_int) -> c_int {
    let Some(code) = error.and_then(HotslotError::cause).and_then(Error::exit_code) else { return 0 };
    // SAFETY: the caller's promise, as the header says.
    unsafe { put(status, code) };
    1
}

/// How many problems the error stands for: an update reports all that it finds. 0 if `error` is
/// NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_count(error: Option<&HotslotError>) -> usize {
    error.map_or(0, |error| 1 + error.others.len())
}

/// One of these problems by its number from 0, which is `error` itself; NULL if there are not so
/// many. It is part of `error`, and not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_problem(
    error: Option<&HotslotError>,
    number: usize,
) -> Option<&HotslotError> {
    match number.checked_sub(1) {
        None => error,
        Some(number) => error?.others.get(number),
    }
}

/// All of the error as JSON, to be freed with `hotslot_string_free`; NULL if `error` is NULL:
/// `code`, `message`, `text`, `hint`, `symbol`, `module`, `file`, `exit_code`, `fault`, and `others`,
/// a list of the same. `fault` is null, or an object: `signal`, 0 where there was none,
/// `signal_name`, `address`, `stack_overflow`, `in_allocator`, `frames`, `more_frames`,
/// `changed_before_us`.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_json(error: Option<&HotslotError>) -> *mut c_char {
    let mut json = std::ptr::null_mut();
    if let Some(error) = error {
        // SAFETY: valid for a write.
        run_or((), || unsafe { put_string(&mut json, || error.to_json().to_string()) });
    }
    json
}

/// Frees an error that a function of this header has stored. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn hotslot_error_free(error: Option<Box<HotslotError>>) {
    run_or((), || drop(error));
}
